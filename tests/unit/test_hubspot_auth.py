"""Credentials for a portal, and what is asked of it, without a portal."""

from __future__ import annotations

from datetime import UTC, datetime
from urllib.parse import parse_qs

import httpx
import pytest

from connectors.auth import Refused, Secret
from connectors.hubspot import connect
from connectors.hubspot.auth import RefreshedAuth, make_auth
from mapping.errors import OperatorError, SystemDown

ORIGIN = "https://api.hubapi.com"


class Login:
    """A token endpoint that counts."""

    def __init__(self, *, status=200, expires_in=1800):
        self.status = status
        self.expires_in = expires_in
        self.forms = []

    def __call__(self, request):
        """Answer one login."""
        self.forms.append(parse_qs(request.content.decode()))
        body = {"access_token": f"token-{len(self.forms)}", "expires_in": self.expires_in}
        return httpx.Response(self.status, json=body if self.status == 200 else {"status": "BAD_AUTH_CODE"})


def refreshed(login, clock=lambda: 0.0):
    """OAuth against that endpoint."""
    return RefreshedAuth(
        system="hubspot",
        origin=ORIGIN,
        version="2026-09",
        client_id=Secret("id"),
        client_secret=Secret("secret"),
        refresh_token=Secret("refresh"),
        clock=clock,
        wire=httpx.MockTransport(login),
    )


def test_token_is_fetched_once_and_replaced_before_it_ends():
    """At four fifths of its life, not by waiting for a 401."""
    now = [0.0]
    login = Login()
    auth = refreshed(login, lambda: now[0])

    first = [auth.headers()["Authorization"] for _ in range(3)]
    now[0] = 1440.0
    second = auth.headers()["Authorization"]
    auth.close()

    assert first == ["Bearer token-1"] * 3
    assert second == "Bearer token-2"
    assert login.forms[0]["grant_type"] == ["refresh_token"]
    assert login.forms[0]["client_secret"] == ["secret"]


def test_outage_that_outlasts_many_tokens_is_no_refusal():
    """Tokens that ended while nobody answered were not rejected; the login goes on."""
    now = [0.0]
    login = Login()
    auth = refreshed(login, lambda: now[0])

    shown = []
    for _ in range(6):
        shown.append(auth.headers()["Authorization"])
        now[0] += 1800.0
    auth.close()

    assert shown == [f"Bearer token-{number}" for number in range(1, 7)]


def test_refused_login_is_final():
    """A revoked refresh token is not tried again."""
    login = Login(status=400)
    auth = refreshed(login)

    for _ in range(3):
        with pytest.raises(Refused):
            auth.headers()
    auth.close()

    assert len(login.forms) == 1


def test_page_of_a_proxy_is_no_refusal_of_the_login():
    """HTML with 403 does not come from HubSpot; once it is gone the login goes through."""
    login = Login()
    pages = [httpx.Response(403, text="<html>sign in to the network</html>")]
    auth = refreshed(lambda request: pages.pop() if pages else login(request))

    headers = auth.headers()
    auth.close()

    assert headers == {"Authorization": "Bearer token-1"}


def test_rejected_token_is_replaced():
    """Once, where the vendor says 401 before its time."""
    login = Login()
    auth = refreshed(login)
    rejected = auth.headers()["Authorization"]

    auth.refresh(rejected)
    auth.refresh(rejected)
    auth.close()

    assert len(login.forms) == 2


@pytest.mark.parametrize(
    "auth", [{"flow": "password"}, {"flow": "service_key"}, {"flow": "refresh_token", "client_id": "id"}]
)
def test_auth_that_hubspot_does_not_know_is_a_configuration_error(auth):
    """It is named before anybody is called."""
    with pytest.raises(OperatorError):
        make_auth(system="hubspot", origin=ORIGIN, version="2026-09", auth=auth)


def test_secrets_never_show():
    """Neither the connector's errors nor its repr carry the token."""

    def refuse(request):
        return httpx.Response(401, json={"category": "INVALID_AUTHENTICATION", "message": "pat-secret"})

    connector = connect(
        system="hubspot",
        base_url=ORIGIN,
        auth={"token": "pat-secret"},
        fields={"contacts": ("email",)},
        wire=httpx.MockTransport(refuse),
    )

    with pytest.raises(SystemDown) as caught:
        list(connector.poll("contacts", None))
    connector.close()

    assert "pat-secret" not in f"{caught.value!r} {caught.value} {caught.value.hint} {connector!r}"


def test_too_many_properties_for_an_address_are_read_in_batches():
    """The list then gives ids and associations only; no address grows beyond what HubSpot takes."""
    names = tuple(f"property_with_a_long_name_{number}" for number in range(300))
    longest = 0

    def portal(request):
        nonlocal longest
        longest = max(longest, len(str(request.url)))
        stamp = {"updatedAt": "2026-11-21T10:00:00Z", "createdAt": "2026-11-21T10:00:00Z"}
        if request.url.path.endswith("/details"):
            return httpx.Response(200, json={"portalId": 1, "timeZone": "UTC"})
        if request.url.path.endswith("/batch/read"):
            row = {"id": "1", "properties": dict.fromkeys(names, "x"), **stamp}
            return httpx.Response(200, json={"results": [row]})
        if "archived=true" in str(request.url):
            return httpx.Response(200, json={"results": []})
        row = {"id": "1", "properties": {"hs_object_id": "1"}, **stamp}
        row["associations"] = {"companies": {"results": [{"id": "7", "type": "contact_to_company"}]}}
        return httpx.Response(200, json={"results": [row]})

    connector = connect(
        system="hubspot",
        base_url=ORIGIN,
        auth={"token": "t"},
        fields={"contacts": names},
        associations={"contacts": ("companies",)},
        clock=lambda: datetime(2026, 11, 21, tzinfo=UTC),
        wire=httpx.MockTransport(portal),
    )

    rows = [row for batch in connector.poll("contacts", None) for row in batch.rows]
    connector.close()

    assert len(rows) == 1
    assert rows[0][2].count(b"property_with_a_long_name_") == 300
    assert b'"associations.companies":["7"]' in rows[0][2]
    assert longest < 5000
