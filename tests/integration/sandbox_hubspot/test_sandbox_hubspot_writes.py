"""Writing to the simulated HubSpot: values, batches that fail in part, stages, conflicts, merges."""

from __future__ import annotations

import orjson
import pytest

NOW = 1_795_000_000_000
V = "2026-09"
CONTACTS = f"/crm/objects/{V}/contacts"


def test_updates_stamp_the_objects_own_property_and_keep_every_version(bench):
    """Contacts have lastmodifieddate, others hs_lastmodifieddate; the value before the first API write stays."""
    bench.put("contacts", 1, at=NOW - 60_000, firstname="Aoi")
    bench.put("companies", 2, at=NOW - 60_000, name="Ume")
    bench.at = NOW + 7

    bench.update("contacts", [(1, {"firstname": "Midori"})])
    bench.update("companies", [(2, {"name": "Ume KK"})])

    contact = bench.read("contacts", 1, propertiesWithHistory=["firstname"])["1"]
    company = bench.read("companies", 2)["2"]
    assert contact["properties"]["lastmodifieddate"] == "2026-11-18T11:06:40.007Z" == contact["updatedAt"]
    assert company["properties"]["hs_lastmodifieddate"] == "2026-11-18T11:06:40.007Z"
    assert [one["value"] for one in contact["propertiesWithHistory"]["firstname"]] == ["Midori", "Aoi"]


def test_values_become_strings_in_hubspots_own_form(bench):
    """Numbers and instants are kept as text; an instant on the second loses its milliseconds."""
    bench.put("contacts", 1)

    row = bench.update(
        "contacts",
        [(1, {"canonical_score": 61, "canonical_stage_at": "2026-11-21T10:00:00.000+00:00", "canonical_stage": "mql"})],
    )["results"][0]

    assert row["properties"]["canonical_score"] == "61"
    assert row["properties"]["canonical_stage_at"] == "2026-11-21T10:00:00Z"


@pytest.mark.parametrize(("setting", "seen"), [(False, None), (True, "")])
def test_cleared_values_are_null_or_empty(bench, setting, seen):
    """A value set to "" is read as null, or as "" where an account does that."""
    bench.faults.hubspot.options["cleared_as_empty"] = setting
    bench.put("contacts", 1, firstname="Aoi")

    bench.update("contacts", [(1, {"firstname": ""})])

    assert bench.read("contacts", 1, properties=["firstname"])["1"]["properties"]["firstname"] == seen


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ({"no_such_thing": "1"}, "PROPERTY_DOESNT_EXIST"),
        ({"num_conversion_events": "4"}, "READ_ONLY_VALUE"),
        ({"hs_v2_date_entered_customer": "2026-11-21"}, "READ_ONLY_VALUE"),
        ({"canonical_stage": "customer"}, "INVALID_OPTION"),
        ({"canonical_score": "many"}, "INVALID_DOUBLE"),
    ],
)
def test_one_bad_value_refuses_the_whole_batch(bench, values, code):
    """Without trace ids nothing is written; the error names the property."""
    bench.put("contacts", 1)
    bench.put("contacts", 2)

    body = bench.update("contacts", [(1, {"firstname": "Aoi"}), (2, values)], status=400)

    assert body["category"] == "VALIDATION_ERROR"
    assert body["errors"][0]["code"] == code
    assert body["errors"][0]["context"] == {"propertyName": list(values)}
    embedded = orjson.loads(body["message"].removeprefix("Property values were not valid: "))
    assert embedded[0]["error"] == code
    assert bench.read("contacts", 1, properties=["firstname"])["1"]["properties"]["firstname"] is None


@pytest.mark.parametrize(("in_200", "status"), [(False, 207), (True, 200)])
def test_trace_ids_let_the_good_inputs_through(bench, in_200, status):
    """With a trace id each, good inputs are written and bad ones listed by theirs, in a 207 or in a 200."""
    bench.faults.hubspot.options["errors_in_200"] = in_200
    bench.put("contacts", 1)
    bench.put("contacts", 2)
    inputs = [
        {"id": "1", "objectWriteTraceId": "a", "properties": {"firstname": "Aoi"}},
        {"id": "2", "objectWriteTraceId": "b", "properties": {"nothing_such": "x"}},
        {"id": "3", "objectWriteTraceId": "c", "properties": {"firstname": "Sora"}},
    ]

    body = bench.post(f"{CONTACTS}/batch/update", status, inputs=inputs)

    assert [(row["id"], row["objectWriteTraceId"]) for row in body["results"]] == [("1", "a")]
    assert [one["context"]["objectWriteTraceId"] for one in body["errors"]] == [["b"], ["c"]]
    assert [one["category"] for one in body["errors"]] == ["VALIDATION_ERROR", "OBJECT_NOT_FOUND"]
    assert body["numErrors"] == 2


def test_two_inputs_for_one_record_refuse_the_batch(bench):
    """Also where they reach it by an alias; nothing is written."""
    bench.put("contacts", 3)
    bench.vault.execute("INSERT INTO hubspot_alias VALUES ('contacts', 1, 3)")
    bench.vault.commit()

    body = bench.update("contacts", [(1, {"firstname": "A"}), (3, {"firstname": "B"})], status=400)

    assert body["errors"][0]["context"] == {"ids": ["3"]}


def test_id_property_rules_of_updates(bench):
    """hs_object_id must be left out; an e-mail given as an id changes nothing and is no error."""
    bench.put("contacts", 1, email="a@ume.example")
    named = [{"id": "1", "idProperty": "hs_object_id", "properties": {"firstname": "A"}}]

    refused = bench.post(f"{CONTACTS}/batch/update", 400, inputs=named)
    silent = bench.update("contacts", [("a@ume.example", {"firstname": "A"})])

    assert "non-unique 0-1 property hs_object_id" in refused["message"]
    assert silent["results"] == []
    assert bench.read("contacts", 1, properties=["firstname"])["1"]["properties"]["firstname"] is None


def test_lifecycle_stage_goes_back_only_after_it_was_cleared(bench):
    """Setting it back succeeds and changes nothing, not even the stamp."""
    bench.put("contacts", 1, at=NOW - 10, lifecyclestage="customer")

    bench.update("contacts", [(1, {"lifecyclestage": "lead"})])
    unchanged = bench.read("contacts", 1, properties=["lifecyclestage"])["1"]
    bench.update("contacts", [(1, {"lifecyclestage": ""})])
    bench.update("contacts", [(1, {"lifecyclestage": "lead"})])

    assert unchanged["properties"]["lifecyclestage"] == "customer"
    assert unchanged["updatedAt"] == "2026-11-18T11:06:39.990Z"
    assert bench.read("contacts", 1, properties=["lifecyclestage"])["1"]["properties"]["lifecyclestage"] == "lead"


def test_calculated_dates_come_later_and_leave_the_stamp(bench):
    """The date a stage was entered appears after some seconds, without a new last modification."""
    bench.put("contacts", 1)
    bench.at = NOW + 1
    bench.update("contacts", [(1, {"lifecyclestage": "customer"})])
    asked = {"properties": ["hs_v2_date_entered_customer"]}

    at_once = bench.read("contacts", 1, **asked)["1"]
    bench.at = NOW + 13_000
    later = bench.read("contacts", 1, **asked)["1"]

    assert at_once["properties"]["hs_v2_date_entered_customer"] is None
    assert later["properties"]["hs_v2_date_entered_customer"] == "2026-11-18T11:06:40.001Z"
    assert later["updatedAt"] == at_once["updatedAt"]


def test_a_won_deal_makes_its_people_customers(bench):
    """Closing a deal moves associated contacts and companies forward, and says that it is closed."""
    bench.put("deals", 1, dealstage="contractsent", pipeline="default")
    bench.put("contacts", 2, lifecyclestage="opportunity")
    bench.put("contacts", 3, lifecyclestage="evangelist")
    for contact in (2, 3):
        bench.vault.associate("deals", 1, "contacts", contact, types=(3, 4))
    bench.vault.commit()

    bench.update("deals", [(1, {"dealstage": "closedwon"})])

    deal = bench.read("deals", 1, properties=["hs_is_closed_won"])["1"]["properties"]
    people = bench.read("contacts", 2, 3, properties=["lifecyclestage"])
    assert deal["hs_is_closed_won"] == "true"
    assert [people[id_]["properties"]["lifecyclestage"] for id_ in ("2", "3")] == ["customer", "evangelist"]


def test_creating_a_contact_twice_is_a_conflict(bench):
    """The second is refused and told the id of the first; a secondary e-mail counts too."""
    made = bench.post(CONTACTS, 201, properties={"email": "Aoi@Ume.example", "firstname": "Aoi"})

    refused = bench.post(CONTACTS, 409, properties={"email": "aoi@ume.example"})

    assert made["properties"]["email"] == "aoi@ume.example"
    assert refused["category"] == "CONFLICT"
    assert refused["message"] == f"Contact already exists. Existing ID: {made['id']}"


def test_batch_create_fails_whole_or_by_trace_id(bench):
    """One conflict refuses all without trace ids; with them the rest is made."""
    bench.put("contacts", 1, email="a@ume.example")
    rows = [{"properties": {"email": f"{name}@ume.example"}} for name in "ba"]

    bench.post(f"{CONTACTS}/batch/create", 409, inputs=rows)
    none_made = bench.get(CONTACTS)["results"]
    traced = [{**row, "objectWriteTraceId": str(place)} for place, row in enumerate(rows)]
    body = bench.post(f"{CONTACTS}/batch/create", 207, inputs=traced)

    assert len(none_made) == 1
    assert [row["properties"]["email"] for row in body["results"]] == ["b@ume.example"]
    assert body["errors"][0]["context"] == {"objectWriteTraceId": ["1"]}


def test_upsert_by_email_says_what_is_new(bench):
    """An e-mail, secondary or not, finds its contact; others are made. idProperty is required."""
    bench.put("contacts", 1, email="a@ume.example", hs_additional_emails="old@ume.example")
    inputs = [
        {"id": text, "idProperty": "email", "properties": {"firstname": "F"}}
        for text in ("old@ume.example", "n@ume.example")
    ]

    body = bench.post(f"{CONTACTS}/batch/upsert", inputs=inputs)
    bench.post(f"{CONTACTS}/batch/upsert", 400, inputs=[{"id": "z@ume.example", "properties": {}}])

    assert [row["new"] for row in body["results"]] == [False, True]
    assert body["results"][0]["id"] == "1"
    assert bench.read("contacts", 1)["1"]["properties"]["email"] == "a@ume.example"


def test_a_merge_mints_an_id_to_which_both_old_ones_lead(bench):
    """The primary's values win; e-mails, histories and associations move; the merged ids are named."""
    bench.put("contacts", 1, at=NOW - 9, email="a@ume.example", firstname="Aoi", lifecyclestage="lead")
    bench.put("contacts", 2, at=NOW - 8, email="b@ume.example", firstname="A.", phone="03", lifecyclestage="customer")
    bench.put("companies", 5)
    bench.put("companies", 6)
    bench.vault.associate("contacts", 1, "companies", 5, types=(1, 2))
    bench.vault.associate("contacts", 2, "companies", 6, types=(1, 2))
    bench.vault.associate("contacts", 2, "companies", 6, types=(279, 280))
    bench.vault.commit()

    new = bench.post(f"{CONTACTS}/merge", primaryObjectId="1", objectIdToMerge="2")

    asked = ["email", "firstname", "phone", "lifecyclestage", "hs_additional_emails", "hs_merged_object_ids"]
    assert new["id"] not in {"1", "2"}
    assert list(bench.read("contacts", 1, 2)) == [new["id"]]
    row = bench.get(f"{CONTACTS}/2", properties=",".join(asked))
    assert row["id"] == new["id"]
    assert {name: row["properties"][name] for name in asked} == {
        "email": "a@ume.example",
        "firstname": "Aoi",
        "phone": "03",
        "lifecyclestage": "customer",
        "hs_additional_emails": "b@ume.example",
        "hs_merged_object_ids": "1;2",
    }
    links = bench.get(f"{CONTACTS}/{new['id']}/associations/companies")["results"]
    types = {one["toObjectId"]: [type_["typeId"] for type_ in one["associationTypes"]] for one in links}
    assert types == {"5": [1], "6": [279]}


def test_a_gdpr_delete_leaves_nothing(bench):
    """The contact is not even among the archived."""
    bench.put("contacts", 1, email="a@ume.example")

    bench.post(f"{CONTACTS}/gdpr-delete", 204, objectId="a@ume.example", idProperty="email")

    assert bench.get(CONTACTS, archived="true")["results"] == []
    bench.get(f"{CONTACTS}/1", 404)


def test_validation_rules_hold_from_2026_09_on(bench):
    """An administrator's rule refuses a write by the newest path and lets one by v3 through."""
    rules = {"canonical_score": [{"ruleType": "MAX_NUMBER", "ruleArguments": ["100"]}]}
    bench.faults.hubspot.options["validations"] = {"contacts": rules}
    bench.put("contacts", 1)
    body = {"inputs": [{"id": "1", "properties": {"canonical_score": "101"}}]}

    bench.post(f"{CONTACTS}/batch/update", 400, **body)
    bench.post("/crm/v3/objects/contacts/batch/update", 200, **body)

    listed = bench.get(f"/crm/property-validations/{V}/0-1")["results"]
    assert listed[0]["propertyName"] == "canonical_score"


def test_a_lead_needs_a_name_and_a_contact(bench):
    """Without either it is refused."""
    bench.put("contacts", 1)
    link = {"to": {"id": "1"}, "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": 578}]}
    path = f"/crm/objects/{V}/leads"

    bench.post(path, 400, properties={"hs_lead_name": "A"})
    bench.post(path, 400, properties={"hs_lead_type": "UPSELL"}, associations=[link])
    made = bench.post(path, 201, properties={"hs_lead_name": "A"}, associations=[link])

    rows = bench.get(path, associations="contacts")["results"]
    assert rows[0]["id"] == made["id"]
    assert rows[0]["associations"]["contacts"]["results"][0]["id"] == "1"


def test_a_refused_batch_leaves_no_trace(bench):
    """Not even the calculated dates of the inputs that were good."""
    bench.put("contacts", 1, email="a@ume.example")
    bench.put("contacts", 2, email="b@ume.example")

    bench.update("contacts", [(1, {"lifecyclestage": "customer"}), (2, {"email": "a@ume.example"})], status=409)
    bench.at = NOW + 60_000

    asked = ["lifecyclestage", "hs_v2_date_entered_customer"]
    row = bench.read("contacts", 1, properties=asked)["1"]
    assert [row["properties"][name] for name in asked] == [None, None]
