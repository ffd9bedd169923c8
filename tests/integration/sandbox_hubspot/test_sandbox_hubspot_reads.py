"""Reading from the simulated HubSpot: pages, histories, associations, batches, aliases."""

from __future__ import annotations

import pytest

NOW = 1_795_000_000_000
V = "2026-09"
CONTACTS = f"/crm/objects/{V}/contacts"


def test_list_pages_follow_ids_and_say_the_next_one(bench):
    """`after` is the id of the next record; the last page has no paging."""
    for id_ in (7, 101, 2_000):
        bench.put("contacts", id_, email=f"p{id_}@ume.example")

    first = bench.get(CONTACTS, limit=2)
    second = bench.get(CONTACTS, limit=2, after=first["paging"]["next"]["after"])

    assert [row["id"] for row in first["results"]] == ["7", "101"]
    assert [row["id"] for row in second["results"]] == ["2000"]
    assert "paging" not in second


@pytest.mark.parametrize(("params", "status"), [
    ({"limit": 100}, 200),
    ({"limit": 101}, 400),
    ({"limit": 50, "propertiesWithHistory": "email"}, 200),
    ({"limit": 51, "propertiesWithHistory": "email"}, 400),
])  # fmt: skip
def test_list_pages_hold_a_hundred_or_fifty_with_history(bench, params, status):
    """The limits are 100 and 50."""
    bench.get(CONTACTS, status, **params)


def test_undefined_properties_are_left_out_and_empty_ones_are_null(bench):
    """A property that is not defined is no error and no key; a defined one without a value is null."""
    bench.put("contacts", 1, email="a@ume.example", firstname="Aoi")

    row = bench.get(f"{CONTACTS}/1", properties="firstname,lastname,no_such_thing")

    assert row["properties"] == {
        "createdate": "2026-11-18T11:06:40.000Z",
        "hs_object_id": "1",
        "lastmodifieddate": "2026-11-18T11:06:40.000Z",
        "firstname": "Aoi",
        "lastname": None,
    }
    assert row["createdAt"] == row["updatedAt"] == "2026-11-18T11:06:40.000Z"


def test_lists_carry_associations_with_a_paging_of_their_own(bench):
    """Inline associations name their type and page by themselves; a record without any has none."""
    bench.faults.hubspot.options["association_page"] = 2
    bench.put("companies", 5, name="Ume KK")
    bench.put("companies", 6, name="Matsu KK")
    for id_ in (1, 2, 3):
        bench.put("contacts", id_)
        bench.vault.associate("contacts", id_, "companies", 5, types=(279, 280))
    bench.vault.associate("contacts", 1, "companies", 5, types=(1, 2))
    bench.vault.commit()

    contact = bench.get(CONTACTS, limit=1, associations="companies")["results"][0]
    company, other = bench.get(f"/crm/objects/{V}/companies", associations="contacts")["results"]

    assert contact["associations"]["companies"]["results"] == [
        {"id": "5", "type": "contact_to_company"},
        {"id": "5", "type": "contact_to_company_unlabeled"},
    ]
    assert company["associations"]["contacts"]["paging"]["next"]["after"] == "3"
    assert "associations" not in other
    rest = bench.get(f"/crm/objects/{V}/companies/5/associations/contacts", after="3")
    assert [one["toObjectId"] for one in rest["results"]] == ["3"]


def test_histories_are_newest_first_with_their_source(bench):
    """Versions of a property come newest first; a value without stored versions has one."""
    bench.put("contacts", 1, at=NOW - 1000, email="a@ume.example", lifecyclestage="lead")
    bench.vault.patch_hubspot("contacts", 1, {"lifecyclestage": "customer"}, at=NOW, source_id="crm")
    bench.vault.commit()

    history = bench.read("contacts", 1, propertiesWithHistory=["lifecyclestage", "email", "phone"])["1"][
        "propertiesWithHistory"
    ]

    assert history["lifecyclestage"][0] == {
        "value": "customer",
        "timestamp": "2026-11-18T11:06:40.000Z",
        "sourceType": "INTEGRATION",
        "sourceId": "crm",
    }
    assert [version["value"] for version in history["email"]] == ["a@ume.example"]
    assert history["phone"] == []


def test_batch_read_names_what_is_missing_in_a_207(bench):
    """Found records come; the missing are one OBJECT_NOT_FOUND error with their ids."""
    bench.put("contacts", 1)

    body = bench.post(f"{CONTACTS}/batch/read", 207, inputs=[{"id": "1"}, {"id": "9"}, {"id": "x"}])

    assert [row["id"] for row in body["results"]] == ["1"]
    assert body["numErrors"] == 1
    assert body["errors"][0]["category"] == "OBJECT_NOT_FOUND"
    assert body["errors"][0]["context"] == {"ids": ["9", "x"]}


@pytest.mark.parametrize(("count", "with_history", "status"), [(100, [], 200), (101, [], 400), (51, ["email"], 400)])
def test_batch_read_takes_a_hundred_or_fifty_with_history(bench, count, with_history, status):
    """The limits are 100 and 50."""
    for id_ in range(1, 102):
        bench.vault.put_hubspot("contacts", id_, {})
    bench.vault.commit()

    inputs = [{"id": str(id_)} for id_ in range(1, count + 1)]

    bench.post(f"{CONTACTS}/batch/read", status, inputs=inputs, propertiesWithHistory=with_history)


def test_secondary_emails_find_their_contact(bench):
    """Reading by e-mail resolves secondary addresses, in any case, and does not say which input it answers."""
    bench.put("contacts", 1, email="aoi@ume.example", hs_additional_emails="aoi@old.example;a@x.example")

    body = bench.post(f"{CONTACTS}/batch/read", idProperty="email", inputs=[{"id": "AOI@old.example"}])

    assert [row["id"] for row in body["results"]] == ["1"]
    assert bench.get(f"{CONTACTS}/aoi@ume.example", idProperty="email")["id"] == "1"


def test_archived_records_are_only_among_the_archived(bench):
    """A deleted record leaves lists, reads and searches, keeps its last modification, and stands in archived=true."""
    bench.put("contacts", 1, at=NOW - 5000, email="a@ume.example")
    bench.at = NOW

    assert bench.http.delete(f"{CONTACTS}/1").status_code == 204

    assert bench.get(CONTACTS)["results"] == []
    assert bench.search("contacts")["total"] == 0
    (row,) = bench.get(CONTACTS, archived="true")["results"]
    assert row["archived"] is True
    assert row["archivedAt"] == "2026-11-18T11:06:40.000Z"
    assert row["updatedAt"] == "2026-11-18T11:06:35.000Z"
