"""Logging in: what is sent, what is refused for good, what is tried again."""

from __future__ import annotations

from urllib.parse import parse_qs

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.auth import Refused, Secret
from connectors.budget import Budget
from connectors.salesforce.auth import ClientCredentials, JwtBearer, Login
from mapping.errors import SystemDown

TOKEN = {
    "access_token": "t1",
    "instance_url": "https://acme.my.salesforce.com",
    "id": "https://login.salesforce.com/id/00D000000000001EAA/005000000000001AAA",
}


@pytest.fixture(scope="module")
def key():
    """A private key."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def login(answer, *, login_url="https://acme.my.salesforce.com", grant=None, organization_id=None):
    """A login at that network, and the requests that reached it."""
    requests = []

    def wire(request):
        requests.append(request)
        return answer(len(requests)) if callable(answer) else answer

    made = Login(
        system="crm",
        login_url=login_url,
        grant=grant or ClientCredentials(Secret("key"), Secret("s3cret")),
        organization_id=organization_id,
        budget=Budget(),
        sleep=lambda seconds: None,
        wire=httpx.MockTransport(wire),
    )
    return made, requests


def refusal(code, status=400):
    """An OAuth error."""
    return httpx.Response(status, json={"error": code, "error_description": "hanako@example.jp is locked"})


def test_client_credentials_travel_in_the_form_and_the_token_in_the_header():
    """One request; the secret is no part of the address."""
    made, requests = login(lambda n: httpx.Response(200, json=TOKEN))

    assert made.auth.headers() == {"Authorization": "Bearer t1"}
    assert made.auth.headers() == {"Authorization": "Bearer t1"}
    assert len(requests) == 1
    assert "s3cret" not in str(requests[0].url)
    assert parse_qs(requests[0].content.decode())["client_secret"] == ["s3cret"]
    assert str(made.instance) == "https://acme.my.salesforce.com"
    assert (made.organization_id, made.user_id) == ("00D000000000001EAA", "005000000000001AAA")


@pytest.mark.parametrize(
    ("login_url", "audience"),
    [
        ("https://login.salesforce.com", "https://login.salesforce.com"),
        ("https://acme.my.salesforce.com", "https://login.salesforce.com"),
        ("https://test.salesforce.com", "https://test.salesforce.com"),
        ("https://acme--uat.sandbox.my.salesforce.com", "https://test.salesforce.com"),
    ],
)
def test_assertion_is_signed_and_addressed(key, login_url, audience):
    """RS256, three minutes, production or sandbox."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    grant = JwtBearer(Secret("key"), Secret("bot@example.jp"), Secret(lambda: private))
    made, requests = login(lambda n: httpx.Response(200, json=TOKEN), login_url=login_url, grant=grant)

    made.auth.headers()

    assertion = parse_qs(requests[0].content.decode())["assertion"][0]
    claims = jwt.decode(assertion, key.public_key(), algorithms=["RS256"], audience=audience)
    assert (claims["iss"], claims["sub"]) == ("key", "bot@example.jp")


def test_unreadable_private_key_is_refused_without_a_request():
    """And without showing it."""
    grant = JwtBearer(Secret("key"), Secret("bot"), Secret("-----BEGIN nonsense"))
    made, requests = login(lambda n: httpx.Response(200, json=TOKEN), grant=grant)

    with pytest.raises(Refused) as caught:
        made.auth.headers()

    assert requests == []
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize(
    "answer", [refusal("invalid_grant"), refusal("invalid_client", 401), refusal("invalid_client_id")]
)
def test_refused_login_is_not_tried_again(answer):
    """Not now and not at the next call; the vendor's sentence is not shown."""
    made, requests = login(answer)

    for _ in range(3):
        with pytest.raises(Refused) as caught:
            made.auth.headers()

    assert len(requests) == 1
    assert "hanako" not in str(caught.value)
    assert "invalid_" in str(caught.value)
    assert caught.value.hint is not None


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(503),
        refusal("server_error"),
        httpx.Response(200, text="<html>"),
        httpx.Response(200),
        httpx.Response(401, text="<html>a proxy's</html>"),
        httpx.Response(403, text="<html>a proxy's</html>"),
    ],
)
def test_outage_of_the_login_is_survived(trouble):
    """The second try gets the token."""
    made, requests = login(lambda n: trouble if n == 1 else httpx.Response(200, json=TOKEN))

    assert made.auth.headers() == {"Authorization": "Bearer t1"}
    assert len(requests) == 2


def test_lasting_outage_of_the_login_is_no_refusal():
    """The next cycle tries again."""
    made, requests = login(httpx.Response(503))

    for _ in range(2):
        with pytest.raises(SystemDown) as caught:
            made.auth.headers()
        assert not isinstance(caught.value, Refused)

    assert len(requests) == 6


def test_org_that_moves_between_logins_is_refused():
    """The token of the first address does not go to a second one."""
    made, _ = login(
        lambda n: httpx.Response(
            200, json={**TOKEN, "access_token": f"t{n}", "instance_url": f"https://n{n}.salesforce.com"}
        )
    )
    made.auth.headers()

    with pytest.raises(SystemDown, match="moved"):
        made.auth.refresh("Bearer t1")


def test_org_id_of_fifteen_characters_is_the_same_org():
    """Eighteen add a checksum only."""
    made, _ = login(lambda n: httpx.Response(200, json=TOKEN), organization_id="00D000000000001")

    assert made.auth.headers()
