"""The simulated Salesforce lets in, describes and is asked as the real one."""

from __future__ import annotations

import base64
import gzip
import time
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.ids import salesforce_id
from sandbox.salesforce import ORGANIZATION_ID, PERMISSION_SET_ID, RUN_AS_USER_ID, salesforce_app

V = "/services/data/v68.0"
NOW = 1_795_255_200_000
"""2026-11-21T10:00:00Z, where the org's clock stands."""


def lead(number):
    """The id of the lead of that number."""
    return salesforce_id("Lead", number)


@pytest.fixture
def wire(salesforce_wire):
    """The simulated org."""
    return salesforce_wire


def test_client_credentials_are_accepted_in_the_form_or_as_basic(wire):
    """The answer names the org's own address and the org's id, and when it was issued."""
    credentials = wire.faults.credentials
    basic = base64.b64encode(
        f"{credentials.salesforce_client_id}:{credentials.salesforce_client_secret}".encode()
    ).decode()

    by_form = wire.log_in().json()
    by_basic = wire.send(
        "POST",
        "/services/oauth2/token",
        data={"grant_type": "client_credentials"},
        headers={"Authorization": f"Basic {basic}"},
    ).json()

    for answer in (by_form, by_basic):
        assert answer["instance_url"] == "http://127.0.0.1:8001"
        assert answer["id"].split("/")[-2:] == [ORGANIZATION_ID, RUN_AS_USER_ID]
        assert answer["token_type"] == "Bearer"
        assert answer["issued_at"].isdigit()
        assert "expires_in" not in answer
    assert by_form["access_token"] != by_basic["access_token"]


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"client_secret": "wrong"}, "invalid_client"),
        ({"client_id": "unknown"}, "invalid_client_id"),
        ({"grant_type": "password", "username": "a", "password": "b"}, "invalid_grant"),
        ({"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "x.y.z"}, "invalid_grant"),
        ({"grant_type": "device"}, "unsupported_grant_type"),
    ],
)
def test_a_refused_login_says_why_as_oauth_does(wire, form, error):
    """HTTP 400 with an object of error and error_description."""
    answer = wire.log_in(**form)

    assert answer.status_code == 400
    assert answer.json().keys() == {"error", "error_description"}
    assert answer.json()["error"] == error


def test_a_jwt_is_verified_by_key_audience_user_and_time(wire):
    """Only an assertion by the registered key, for us, for the approved user and still valid, gets a token."""
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    other = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    wire.faults.credentials = replace(wire.faults.credentials, salesforce_public_key=public.decode())
    claims = {
        "iss": wire.faults.credentials.salesforce_client_id,
        "sub": wire.faults.credentials.salesforce_username,
        "aud": "https://login.salesforce.com",
        "exp": int(time.time()) + 180,
    }

    def ask(signer=key, **changes):
        assertion = jwt.encode({**claims, **changes}, signer, algorithm="RS256")
        return wire.log_in(grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)

    assert ask().status_code == 200
    assert ask(aud="http://127.0.0.1:8001").status_code == 200
    assert "issued_at" not in ask().json()
    assert ask(aud="https://elsewhere.example").json()["error_description"] == "audience is invalid"
    assert ask(sub="someone@example.com").json()["error_description"] == "user hasn't approved this consumer"
    assert ask(exp=int(time.time()) - 60).json()["error"] == "invalid_grant"
    assert ask(signer=other).json()["error_description"] == "invalid assertion"


def test_a_token_expires_after_so_many_calls(wire):
    """The call after the last is refused as an expired session; a new login helps."""
    wire.faults.salesforce.options["token_calls"] = 2
    wire.log_in()

    statuses = [wire.send("GET", f"{V}/limits/").status_code for _ in range(3)]
    refused = wire.send("GET", f"{V}/limits/")

    assert statuses == [200, 200, 401]
    assert refused.json() == [{"message": "Session expired or invalid", "errorCode": "INVALID_SESSION_ID"}]
    wire.log_in()
    assert wire.send("GET", f"{V}/limits/").status_code == 200


def test_a_token_expires_with_time_and_by_revocation(wire):
    """Tokens issued before a revocation, or longer ago than they live, are refused."""
    wire.faults.salesforce.expire_tokens()
    assert wire.send("GET", f"{V}/limits/").status_code == 401

    wire.log_in()
    assert wire.send("GET", f"{V}/limits/").status_code == 200

    wire.faults.salesforce.token_life_s = 0.0
    assert wire.send("GET", f"{V}/limits/").status_code == 401


def test_who_we_are_is_told_by_userinfo_and_by_the_organization(wire):
    """Both name the org; a bad token gets plain text from the first."""
    info = wire.send("GET", "/services/oauth2/userinfo").json()
    record = wire.send("GET", f"{V}/sobjects/Organization/{ORGANIZATION_ID}").json()
    row = wire.query("SELECT Id, Name, IsSandbox, OrganizationType FROM Organization")["records"][0]
    stranger = wire.send("GET", "/services/oauth2/userinfo", headers={"Authorization": "Bearer no"})

    assert info["organization_id"] == record["Id"] == row["Id"] == ORGANIZATION_ID
    assert row["IsSandbox"] is True
    assert (stranger.status_code, stranger.text) == (403, "Bad_OAuth_Token")


def test_the_versions_need_no_login_and_do_not_count(wire):
    """They end with 68.0, carry a Date and no usage."""
    before = wire.send("GET", f"{V}/limits/").headers["Sforce-Limit-Info"]
    answer = wire.send("GET", "/services/data/", headers={"Authorization": ""})
    after = wire.send("GET", f"{V}/limits/").headers["Sforce-Limit-Info"]

    assert answer.json()[-1] == {"label": "Winter '27", "url": V, "version": "68.0"}
    assert "Sforce-Limit-Info" not in answer.headers
    assert answer.headers["Date"] == "Sat, 21 Nov 2026 10:00:00 GMT"
    assert [int(value.split("=")[1].split("/")[0]) for value in (before, after)] == [1, 2]


@pytest.mark.parametrize(
    ("version", "status", "code"),
    [
        ("v68.0", 200, None),
        ("v31.0", 200, None),
        ("v30.0", 410, "UNSUPPORTED_API_VERSION"),
        ("v69.0", 404, "NOT_FOUND"),
    ],
)
def test_a_version_is_served_retired_or_unknown(wire, version, status, code):
    """A retired one is gone, one to come is not found."""
    answer = wire.send("GET", f"/services/data/{version}/limits/")

    assert answer.status_code == status
    assert code is None or answer.json()[0]["errorCode"] == code


def test_the_usage_header_has_all_its_forms(wire):
    """Plain, with bursts, and by app."""
    options = wire.faults.salesforce.options
    options |= {"api_used": 10_000, "api_max": 100_000}

    def header():
        return wire.send("GET", f"{V}/limits/").headers["Sforce-Limit-Info"]

    assert header() == "api-usage=10001/100000"
    options["limit_info"] = "bursts"
    assert header() == "api-usage=10002/100000; api-bursts=1/750"
    options["limit_info"] = "apps"
    assert header() == "api-usage=10003/100000; per-app-api-usage=10003/100000(appName=headrace)"


def test_a_used_up_day_is_told_from_too_many_at_once(wire):
    """One code, two messages; real limits make it happen by themselves."""
    settings = wire.faults.salesforce
    settings.options["request_limit"] = "daily"
    daily = wire.send("GET", f"{V}/limits/")
    settings.options["request_limit"] = "concurrent"
    concurrent = wire.send("GET", f"{V}/limits/")
    settings.options |= {"request_limit": None, "api_max": 4}
    settings.limits = "real"
    counted = [wire.send("GET", f"{V}/limits/").status_code for _ in range(3)]

    assert (daily.status_code, concurrent.status_code) == (403, 403)
    assert daily.json() == [{"message": "TotalRequests Limit exceeded.", "errorCode": "REQUEST_LIMIT_EXCEEDED"}]
    assert concurrent.json()[0]["message"].startswith("ConcurrentRequests")
    assert counted == [200, 200, 403]


def test_a_page_is_zipped_only_when_asked(wire):
    """The body is the same either way."""
    url = f"{V}/sobjects/Lead/describe"

    zipped = wire.send("GET", url, headers={"Accept-Encoding": "gzip"})
    plain = wire.send("GET", url, headers={"Accept-Encoding": "identity"})

    assert zipped.headers["Content-Encoding"] == "gzip"
    assert "Content-Encoding" not in plain.headers
    assert zipped.json() == plain.json()
    assert len(gzip.compress(plain.content, 1)) < len(plain.content) / 5


def test_an_address_too_long_is_refused_in_html(wire):
    """Not every refusal is JSON."""
    answer = wire.send("GET", f"{V}/query", params={"q": "SELECT Id FROM Lead WHERE Name IN ('" + "x" * 17_000 + "')"})

    assert answer.status_code == 414
    assert answer.text.startswith("<h1>")


def test_describe_is_not_sent_again_while_it_is_unchanged(wire):
    """304 without a body until a field is added or hidden."""
    url = f"{V}/sobjects/Lead/describe"
    wire.now += 60_000
    since = {"If-Modified-Since": format_datetime(datetime.fromtimestamp(NOW / 1000, UTC), usegmt=True)}

    unchanged = wire.send("GET", url, headers=since)
    wire.faults.salesforce.options["hidden_fields"] = {"Lead.Canonical_Stage__c"}
    changed = wire.send("GET", url, headers=since)

    assert (unchanged.status_code, unchanged.content) == (304, b"")
    assert changed.status_code == 200
    assert parsedate_to_datetime(changed.headers["Last-Modified"]).timestamp() * 1000 == wire.now


def test_a_hidden_field_is_gone_everywhere(wire):
    """From describe, from query and from writes, as without a permission."""
    wire.faults.salesforce.options["hidden_fields"] = {"Lead.Canonical_Stage__c"}

    names = {field["name"] for field in wire.send("GET", f"{V}/sobjects/Lead/describe").json()["fields"]}
    read = wire.send("GET", f"{V}/query", params={"q": "SELECT Canonical_Stage__c FROM Lead"})
    written = wire.patch_rows([{"id": lead(1), "Canonical_Stage__c": "mql"}])

    assert "Canonical_Stage__c" not in names
    assert "Canonical_Score__c" in names
    assert (read.status_code, read.json()[0]["errorCode"]) == (400, "INVALID_FIELD")
    assert written.json() == [
        {
            "success": False,
            "errors": [
                {
                    "statusCode": "INVALID_FIELD",
                    "message": "No such column 'Canonical_Stage__c' on sobject of type Lead",
                    "fields": [],
                }
            ],
        }
    ]


def test_a_locked_field_is_described_and_refused_as_read_only(wire):
    """Visible without edit access."""
    wire.faults.salesforce.options["readonly_fields"] = {"Lead.Canonical_Stage__c"}

    fields = {field["name"]: field for field in wire.send("GET", f"{V}/sobjects/Lead/describe").json()["fields"]}
    written = wire.patch_rows([{"id": lead(1), "Canonical_Stage__c": "mql"}]).json()

    assert fields["Canonical_Stage__c"]["updateable"] is False
    assert written[0]["errors"][0]["statusCode"] == "INVALID_FIELD_FOR_INSERT_UPDATE"


@pytest.mark.parametrize("object_", ["Lead", "Contact", "Account", "Opportunity"])
def test_the_canonical_fields_are_there_and_can_be_written(wire, object_):
    """Stage, score, instant and a non-unique id, as doctor would make them."""
    fields = {f["name"]: f for f in wire.send("GET", f"{V}/sobjects/{object_}/describe").json()["fields"]}

    types = {name: field["type"] for name, field in fields.items() if name.startswith("Canonical_")}

    assert types == {
        "Canonical_Stage__c": "string",
        "Canonical_Score__c": "double",
        "Canonical_Stage_At__c": "datetime",
        "Canonical_Id__c": "string",
    }
    assert all(fields[name]["updateable"] and fields[name]["custom"] for name in types)
    assert fields["Canonical_Id__c"]["externalId"] is True
    assert fields["Canonical_Id__c"]["unique"] is False


def test_a_new_field_is_seen_once_it_is_granted(wire):
    """The Tooling API makes it; a permission set's FieldPermissions make it visible; deleting it hides it again."""
    metadata = {
        "type": "Picklist",
        "label": "Tier",
        "valueSet": {
            "restricted": True,
            "valueSetDefinition": {"sorted": False, "value": [{"fullName": "gold", "label": "Gold", "default": False}]},
        },
    }

    def names():
        return {field["name"] for field in wire.send("GET", f"{V}/sobjects/Lead/describe").json()["fields"]}

    body = {"FullName": "Lead.Tier__c", "Metadata": metadata}
    made = wire.send("POST", f"{V}/tooling/sobjects/CustomField", json=body)
    again = wire.send("POST", f"{V}/tooling/sobjects/CustomField", json=body)
    before = names()
    granted = wire.send(
        "POST",
        f"{V}/sobjects/FieldPermissions",
        json={
            "ParentId": PERMISSION_SET_ID,
            "SobjectType": "Lead",
            "Field": "Lead.Tier__c",
            "PermissionsRead": True,
            "PermissionsEdit": True,
        },
    )
    after = names()
    rows = wire.patch_rows([{"id": lead(1), "Tier__c": "gold"}, {"id": lead(2), "Tier__c": "lead"}]).json()
    found = wire.send(
        "GET", f"{V}/tooling/query", params={"q": "SELECT Id FROM CustomField WHERE DeveloperName = 'Tier'"}
    ).json()
    gone = wire.send("DELETE", f"{V}/tooling/sobjects/CustomField/{made.json()['id']}")

    assert made.status_code == 201
    assert made.json()["success"] is True
    assert (again.status_code, again.json()[0]["errorCode"]) == (400, "DUPLICATE_DEVELOPER_NAME")
    assert "Tier__c" not in before
    assert granted.status_code == 201
    assert "Tier__c" in after
    assert rows[0]["success"] is True
    assert rows[1]["errors"] == [
        {
            "statusCode": "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "message": "Tier: bad value for restricted picklist field: lead",
            "fields": ["Tier__c"],
        }
    ]
    assert found["records"][0]["Id"] == made.json()["id"]
    assert gone.status_code == 204
    assert "Tier__c" not in names()


def test_fields_outlive_the_server(wire):
    """A second app over the same vault knows the field, and does not double the org's own rows."""
    metadata = {"type": "Text", "label": "Note", "length": 20}
    wire.send("POST", f"{V}/tooling/sobjects/CustomField", json={"FullName": "Lead.Note__c", "Metadata": metadata})
    wire.app = salesforce_app(wire.vault, wire.faults)
    wire.log_in()

    again = wire.send(
        "POST", f"{V}/tooling/sobjects/CustomField", json={"FullName": "Lead.Note__c", "Metadata": metadata}
    )

    assert again.json()[0]["message"] == "There is already a field named Note on Lead."
    assert wire.query("SELECT COUNT() FROM Organization")["totalSize"] == 1
