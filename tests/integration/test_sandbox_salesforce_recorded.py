"""The simulated Salesforce against recorded traffic of real orgs, where that is at hand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from sandbox.salesforce import ORGANIZATION_ID

V = "/services/data/v68.0"
RECORDINGS = Path(__file__).resolve().parents[2].parent / "shared" / "recordings"
needs_recordings = pytest.mark.skipif(not RECORDINGS.is_dir(), reason="the recorded traffic is not on this machine")


@pytest.fixture
def wire(salesforce_wire):
    """The simulated org."""
    return salesforce_wire


COMPARED = (
    "type", "length", "byteLength", "precision", "scale", "digits", "createable", "updateable", "nillable",
    "filterable", "sortable", "calculated", "custom", "externalId", "unique", "restrictedPicklist", "soapType",
    "encrypted", "autoNumber",
)  # fmt: skip


def recorded(path: str):
    """A recording, decoded."""
    text = (RECORDINGS / path).read_text(encoding="utf-8")
    return yaml.safe_load(text) if path.endswith(".yaml") else json.loads(text)


@needs_recordings
@pytest.mark.parametrize("object_", ["Lead", "Contact", "Account", "Opportunity", "OpportunityContactRole", "Event"])
def test_describe_has_the_recorded_shape(wire, object_):
    """The same keys on object and field, and for each field both have, the same nature."""
    real = json.loads(
        recorded(f"salesforce-describes/GET_sobjects_{object_}_describe.yaml")["response"]["body"]["string"]
    )

    ours = wire.send("GET", f"{V}/sobjects/{object_}/describe").json()

    assert real.keys() <= ours.keys()
    real_fields = {field["name"]: field for field in real["fields"]}
    shared = [field for field in ours["fields"] if field["name"] in real_fields]
    assert len(shared) > 10
    for field in shared:
        real_field = real_fields[field["name"]]
        assert field.keys() == real_field.keys()
        assert {key: field[key] for key in COMPARED} == {key: real_field[key] for key in COMPARED}, field["name"]


@needs_recordings
def test_recorded_upserts_are_answered_alike(wire):
    """Replayed in order, every row has the recorded success, `created` and keys; only the ids are ours."""
    replayed = 0
    for entry in recorded("salesforce-rest/TestUpsert.test_upsert__rest.yaml")["interactions"]:
        if "request" not in entry or "/composite/sobjects" not in entry["request"]["uri"]:
            continue
        path = entry["request"]["uri"].split("vxx.0", 1)[1]
        answer = wire.send(
            entry["request"]["method"],
            f"{V}{path}",
            content=entry["request"]["body"],
            headers={"Content-Type": "application/json"},
        )
        real = json.loads(entry["response"]["body"]["string"])
        ours = answer.json()
        assert answer.status_code == entry["response"]["status"]["code"]
        assert [list(row) for row in ours] == [list(row) for row in real]
        assert [{**row, "id": len(row["id"])} for row in ours] == [{**row, "id": len(row["id"])} for row in real]
        assert [row["id"][:3] for row in ours] == [row["id"][:3] for row in real]
        replayed += 1

    assert replayed >= 4


@needs_recordings
def test_recorded_queries_have_our_shape(wire):
    """Keys and their order, on the answer and on each record."""
    wire.send("POST", f"{V}/sobjects/Account", json={"Name": "Acme"})
    interactions = recorded("salesforce-rest/TestUpsert.test_upsert__rest.yaml")["interactions"]
    real = next(
        json.loads(entry["response"]["body"]["string"])
        for entry in interactions
        if "request" in entry and entry["request"]["uri"].endswith("?q=select+Name+from+Account")
    )

    ours = wire.send("GET", f"{V}/query/?q=select+Name+from+Account").json()

    assert list(ours) == list(real)
    assert list(ours["records"][0]) == list(real["records"][0])
    assert list(ours["records"][0]["attributes"]) == list(real["records"][0]["attributes"])
    paged = recorded("salesforce-rest/query_paginated_first_page_response.json")
    wire.add_leads(201)
    first = wire.query("SELECT Id FROM Lead", headers={"Sforce-Query-Options": "batchSize=200"})
    assert list(first) == list(paged)


@needs_recordings
def test_recorded_refusals_are_ours_too(wire):
    """Expired session, refused login and refresh, an unknown field, an ambiguous upsert, the replication lists."""
    field = recorded("salesforce-rest/write_error_response.json")[0]
    unknown = wire.send("POST", f"{V}/sobjects/Contact", json={"foo": 1}).json()[0]
    refresh = wire.send("POST", "/services/oauth2/token", data={"grant_type": "refresh_token"}).json()
    password = wire.send("POST", "/services/oauth2/token", data={"grant_type": "password"}).json()
    window = {"start": "2026-11-20T00:00:00Z", "end": "2026-11-21T10:00:00Z"}
    updated = wire.send("GET", f"{V}/sobjects/Lead/updated", params=window).json()
    deleted = wire.send("GET", f"{V}/sobjects/Lead/deleted", params=window).json()
    expired = wire.send("GET", f"{V}/limits", headers={"Authorization": "Bearer old"}).json()

    assert unknown == {**field, "message": field["message"].replace("type Bar", "type Contact")}
    assert refresh == recorded("salesforce-rest/refresh_error_response.json")
    assert password.keys() == recorded("salesforce-rest/auth_error_response.json").keys()
    assert updated.keys() == recorded("salesforce-rest/get_updated_success_response.json").keys()
    assert deleted.keys() == recorded("salesforce-rest/get_deleted_success_response.json").keys()
    assert expired == recorded("salesforce-rest/expired_session_response.json")


@needs_recordings
def test_the_recorded_organization_has_every_field_of_ours(wire):
    """Ours is a subset of what a real org shows of itself."""
    real = json.loads(recorded("salesforce-describes/GET_sobjects_Organization.yaml")["response"]["body"]["string"])

    ours = wire.send("GET", f"{V}/sobjects/Organization/{ORGANIZATION_ID}").json()

    assert ours.keys() <= real.keys()
