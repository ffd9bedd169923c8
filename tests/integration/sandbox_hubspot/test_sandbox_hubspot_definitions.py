"""Associations, properties, owners and the account of the simulated HubSpot."""

from __future__ import annotations

import orjson

from sandbox.faults import Faults
from sandbox.hubspot.portal import open_portal
from sandbox.hubspot.schema import new_property
from sandbox.vault import Vault

NOW = 1_795_000_000_000
V = "2026-09"


def test_associations_are_read_by_the_thousand_and_paged(bench):
    """Ids without associations are left out, each other one pages by itself; v4 gives numbers."""
    bench.faults.hubspot.options["association_page"] = 2
    for id_ in (1, 2):
        bench.put("companies", id_)
    for id_ in (11, 12, 13):
        bench.put("contacts", id_)
        bench.vault.associate("contacts", id_, "companies", 1, types=(279, 280))
    bench.vault.commit()
    path = f"/crm/associations/{V}/companies/contacts/batch/read"

    first = bench.post(path, inputs=[{"id": "1"}, {"id": "2"}])["results"]
    second = bench.post(path, inputs=[{"id": "1", "after": first[0]["paging"]["next"]["after"]}])["results"]
    legacy = bench.post("/crm/v4/associations/companies/contacts/batch/read", inputs=[{"id": "1"}])["results"]
    bench.post(path, 400, inputs=[{"id": str(id_)} for id_ in range(1001)])

    assert [one["from"]["id"] for one in first] == ["1"]
    assert [one["toObjectId"] for one in first[0]["to"]] == ["11", "12"]
    assert [one["toObjectId"] for one in second[0]["to"]] == ["13"]
    assert first[0]["to"][0]["associationTypes"] == [{"category": "HUBSPOT_DEFINED", "typeId": 280, "label": None}]
    assert legacy[0]["to"][0]["toObjectId"] == 11


def test_association_writes_leave_last_modifications(bench):
    """Both directions stand, and neither record has a new stamp; archiving removes both."""
    bench.put("contacts", 1, at=NOW - 9)
    bench.put("companies", 2, at=NOW - 9)
    spec = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 1}
    pair = {"from": {"id": "1"}, "to": {"id": "2"}}
    path = f"/crm/associations/{V}/contacts/companies/batch"

    bench.post(f"{path}/create", 201, inputs=[{**pair, "types": [spec]}])
    back = bench.get(f"/crm/objects/{V}/companies/2/associations/contacts")["results"]
    stamps = [bench.read("contacts", 1)["1"]["updatedAt"], bench.read("companies", 2)["2"]["updatedAt"]]
    bench.post(f"{path}/archive", 204, inputs=[{"from": {"id": "1"}, "to": [{"id": "2"}]}])

    assert back == [
        {
            "toObjectId": "1",
            "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 2, "label": "Primary"}],
        }
    ]
    assert stamps == ["2026-11-18T11:06:39.991Z"] * 2
    assert bench.get(f"/crm/objects/{V}/companies/2/associations/contacts")["results"] == []


def test_dated_versions_require_the_order_of_options(bench):
    """DisplayOrder is required by dated paths only; names keep their rule; at most ten properties are unique."""
    option = {"label": "A", "value": "a", "hidden": False}
    raw = {"label": "X", "groupName": "companyinformation", "type": "enumeration", "fieldType": "select"}
    path = f"/crm/properties/{V}/companies"

    bench.post(path, 400, name="dated_x", options=[option], **raw)
    bench.post(path, 201, name="dated_x", options=[{**option, "displayOrder": 0}], **raw)
    bench.post("/crm/v3/properties/companies", 201, name="legacy_x", options=[option], **raw)
    bench.post(path, 409, name="dated_x", options=[{**option, "displayOrder": 0}], **raw)
    bench.post(path, 400, name="Dated", options=[{**option, "displayOrder": 0}], **raw)
    unique = {"groupName": "companyinformation", "label": "U", "type": "string", "fieldType": "text"}
    for number in range(10):
        bench.post(path, 201, name=f"unique_{number}", hasUniqueValue=True, **unique)
    bench.post(path, 400, name="unique_10", hasUniqueValue=True, **unique)

    for name in ("dated_x", "legacy_x", *(f"unique_{number}" for number in range(10))):
        assert bench.http.delete(f"{path}/{name}").status_code == 204
    bench.get(f"{path}/dated_x", 404)


def test_unique_properties_identify_records(bench):
    """A property with unique values finds its record and refuses a second one."""
    bench.post(
        f"/crm/properties/{V}/companies",
        201,
        name="erp_number",
        label="ERP",
        groupName="companyinformation",
        type="string",
        fieldType="text",
        hasUniqueValue=True,
    )
    bench.put("companies", 1)
    bench.put("companies", 2)

    bench.update("companies", [(1, {"erp_number": "E-1"})])
    bench.update("companies", [(2, {"erp_number": "E-1"})], status=409)

    assert bench.get(f"/crm/objects/{V}/companies/e-1", idProperty="erp_number")["id"] == "1"
    bench.http.delete(f"/crm/properties/{V}/companies/erp_number")


def test_the_canonical_properties_exist_with_their_stages(bench):
    """Contacts, companies and deals have them, of these types and in this order."""
    for object_ in ("contacts", "companies", "deals"):
        stage = bench.get(f"/crm/properties/{V}/{object_}/canonical_stage")
        kinds = [
            bench.get(f"/crm/properties/{V}/{object_}/canonical_{name}")["type"] for name in ("score", "stage_at", "id")
        ]

        assert [option["value"] for option in stage["options"]] == [
            "inquiry",
            "mql",
            "sal",
            "sql",
            "closed_won",
            "closed_lost",
            "onboarding",
            "adopted",
            "renewal",
            "churned",
        ]
        assert stage["modificationMetadata"]["readOnlyValue"] is False
        assert kinds == ["number", "datetime", "string"]


def test_owners_who_left_are_among_the_archived(bench):
    """They keep their user's number in userIdIncludingInactive alone."""
    for id_, email in ((1, "sora@ume.example"), (2, "ren@ume.example")):
        owner = {"id": str(id_), "email": email, "userId": id_ + 10, "type": "PERSON"}
        bench.vault.execute(
            "INSERT INTO hubspot VALUES ('owners', ?, ?, ?, ?, NULL, ?)",
            (id_, NOW, NOW, int(id_ == 2), orjson.dumps(owner).decode()),
        )
    bench.vault.commit()

    here = bench.get(f"/crm/owners/{V}")["results"]
    left = bench.get(f"/crm/owners/{V}", archived="true")["results"]

    assert [(one["id"], one["userId"]) for one in here] == [("1", 11)]
    assert [(one["id"], one["userId"], one["userIdIncludingInactive"]) for one in left] == [("2", None, 12)]


def test_the_account_says_who_it_is_and_what_was_used(bench):
    """Portal, kind, zone; and the day's usage of the portal."""
    details = bench.get(f"/account-info/{V}/details")
    usage = bench.get(f"/account-info/{V}/api-usage/daily/private-apps")["results"][0]

    assert (details["portalId"], details["accountType"], details["timeZone"]) == (12345678, "STANDARD", "Asia/Tokyo")
    assert details["utcOffsetMilliseconds"] == 9 * 3_600_000
    assert 0 < usage["currentUsage"] < usage["usageLimit"] == 625_000


def test_limits_tell_custom_properties(bench):
    """The canonical properties are the only custom ones."""
    rows = bench.get(f"/crm/limits/{V}/custom-properties")["results"]

    assert {row["objectTypeId"]: row["usage"] for row in rows}["0-1"] == 4


def test_added_properties_outlive_the_app(tmp_path):
    """Another app over the same vault knows them, options and archiving included."""
    vault = Vault(tmp_path / "vault.db")
    portal = open_portal(vault, Faults())
    raw = {"name": "ours", "label": "Ours", "groupName": "companyinformation", "type": "enumeration"}
    option = {"label": "A", "value": "a", "hidden": False, "displayOrder": 0}
    given = {**raw, "fieldType": "select", "options": [option]}
    made = new_property(portal.schema, "companies", given, NOW, is_dated=True)
    portal.define("companies", made)

    again = open_portal(vault, Faults())

    assert again.schema.find("companies", "ours") == made
    vault.close()
