"""hubspot-api-client, as it is published, drives the simulated HubSpot."""

from __future__ import annotations

import orjson
import pytest
from hubspot.crm.contacts import ApiException, BatchInputSimplePublicObjectBatchInput, PublicObjectSearchRequest

NOW = 1_795_000_000_000


@pytest.fixture
def sdk(bench):
    """The client, its host set to the sandbox, over three contacts and a company."""
    for id_, name in ((1, "Aoi"), (2, "Sora"), (3, "Ren")):
        bench.put("contacts", id_, email=f"{name.lower()}@ume.example", firstname=name, lifecyclestage="lead")
        bench.vault.associate("contacts", id_, "companies", 9, types=(279, 280))
    bench.put("companies", 9, name="Ume KK")
    return bench.sdk()


def test_the_client_lists_gets_and_searches(sdk):
    """Typed results with properties, histories, associations and paging."""
    contacts = sdk.crm.contacts
    basic = contacts.basic_api

    page = basic.get_page(limit=2, properties=["firstname"], associations=["companies"])
    everyone = contacts.get_all(properties=["firstname"])
    one = basic.get_by_id("sora@ume.example", id_property="email", properties_with_history=["lifecyclestage"])
    found = contacts.search_api.do_search(
        public_object_search_request=PublicObjectSearchRequest(
            filter_groups=[{"filters": [{"propertyName": "firstname", "operator": "EQ", "value": "ren"}]}],
            sorts=[{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            properties=["email"],
            limit=10,
        )
    )

    assert [row.properties["firstname"] for row in page.results] == ["Aoi", "Sora"]
    assert page.results[0].associations["companies"].results[0].type == "contact_to_company_unlabeled"
    assert page.paging.next.after == "3"
    assert [row.id for row in everyone] == ["1", "2", "3"]
    assert one.properties_with_history["lifecyclestage"][0].value == "lead"
    assert one.updated_at.year == 2026
    assert (found.total, found.results[0].properties["email"]) == (1, "ren@ume.example")


def test_the_client_writes_in_batches(sdk):
    """Updates, a partial failure as its WithErrors model, and a refusal as its exception."""
    batch = sdk.crm.contacts.batch_api
    inputs = [
        {"id": "1", "objectWriteTraceId": "a", "properties": {"canonical_stage": "mql"}},
        {"id": "2", "objectWriteTraceId": "b", "properties": {"canonical_stage": "no such stage"}},
    ]

    done = batch.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs[:1]))
    partial = batch.update(BatchInputSimplePublicObjectBatchInput(inputs=inputs))
    with pytest.raises(ApiException) as refused:
        batch.update(BatchInputSimplePublicObjectBatchInput(inputs=[{"id": "1", "properties": {"nothing": "1"}}]))

    assert done.results[0].properties["canonical_stage"] == "mql"
    assert partial.num_errors == 1
    assert partial.errors[0].context == {"objectWriteTraceId": ["b"]}
    assert refused.value.status == 400
    assert orjson.loads(refused.value.body)["category"] == "VALIDATION_ERROR"


def test_the_client_reads_and_makes_properties(sdk):
    """Definitions of an object, one more, and its end."""
    core, groups = sdk.crm.properties.core_api, sdk.crm.properties.groups_api

    names = {one.name: one for one in core.get_all("contacts").results}
    groups.create("contacts", {"name": "ours", "label": "Ours"})
    made = core.create(
        "contacts",
        {"name": "ours_note", "label": "Note", "groupName": "ours", "type": "string", "fieldType": "text"},
    )
    core.archive("contacts", "ours_note")
    groups.archive("contacts", "ours")

    assert names["lifecyclestage"].options[0].value == "subscriber"
    assert names["canonical_score"].type == "number"
    assert names["num_conversion_events"].modification_metadata.read_only_value is True
    assert (made.name, made.hubspot_defined) == ("ours_note", False)


def test_the_client_reads_pipelines_and_owners(bench, sdk):
    """The default deal pipeline with its probabilities, the leads' pipeline, and an owner."""
    owner = {
        "id": "7",
        "email": "sora@ume.example",
        "type": "PERSON",
        "firstName": "Sora",
        "lastName": "Umeda",
        "userId": 70,
        "userIdIncludingInactive": 70,
        "createdAt": "2025-01-01T00:00:00.000Z",
        "updatedAt": "2025-01-01T00:00:00.000Z",
        "teams": [],
    }
    bench.vault.execute(
        "INSERT INTO hubspot VALUES ('owners', 7, ?, ?, 0, NULL, ?)", (NOW, NOW, orjson.dumps(owner).decode())
    )
    bench.vault.commit()

    deals = sdk.crm.pipelines.pipelines_api.get_all("deals").results
    leads = sdk.crm.pipelines.pipelines_api.get_all("leads").results
    owners = sdk.crm.owners.owners_api.get_page(limit=100)

    assert [stage.id for stage in deals[0].stages][-2:] == ["closedwon", "closedlost"]
    assert deals[0].stages[-2].metadata == {"isClosed": "true", "probability": "1.0"}
    assert [len(one.stages) for one in leads] == [5]
    assert [(one.id, one.user_id) for one in owners.results] == [("7", 70)]


def test_the_client_reads_and_writes_associations(bench, sdk):
    """v4: batch reads, labels, default associations and their pages."""
    bench.put("companies", 10, name="Matsu KK")
    api = sdk.crm.associations.v4

    read = api.batch_api.get_page("companies", "contacts", {"inputs": [{"id": "9"}, {"id": "10"}]})
    api.basic_api.create_default("contacts", "1", "companies", "10")
    page = api.basic_api.get_page("contacts", "1", "companies")
    labels = api.schema.definitions_api.get_all("contacts", "companies").results

    assert [[str(to.to_object_id) for to in one.to] for one in read.results] == [["1", "2", "3"]]
    assert {str(one.to_object_id) for one in page.results} == {"9", "10"}
    assert {(one.type_id, one.label) for one in labels} == {(1, "Primary"), (279, None)}


def test_the_client_merges_and_archives(sdk):
    """A merge answers with the new record; an archived one is refused with 404."""
    basic = sdk.crm.contacts.basic_api

    merged = basic.merge({"primaryObjectId": "1", "objectIdToMerge": "2"})
    basic.archive("3")
    with pytest.raises(ApiException) as missing:
        basic.get_by_id("3")

    assert merged.properties["hs_merged_object_ids"] == "1;2"
    assert basic.get_by_id("2").id == merged.id
    assert missing.value.status == 404
