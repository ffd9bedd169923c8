"""HubSpot's records become rows of the store."""

from __future__ import annotations

import json

import msgspec
import pytest

from connectors.hubspot.payload import (
    Page,
    Target,
    Valued,
    cut_short,
    inline_links,
    instant_ms,
    order_targets,
    plain_row,
    to_history,
    to_row,
)


def record(**more):
    """A record as the list gives it, decoded."""
    document = {
        "id": "5101",
        "properties": {"email": "aoi@example.com", "company": None},
        "createdAt": "2026-01-01T00:00:00.000Z",
        "updatedAt": "2026-11-21T10:00:00.123Z",
        "archived": False,
        **more,
    }
    return msgspec.json.decode(msgspec.json.encode({"results": [document]}), type=Page).results[0]


def payload(row):
    """What is stored of a row."""
    return json.loads(row[2])


def test_row_carries_properties_and_our_keys_behind_them():
    """Id, version and deletion stand beside the payload; archived and createdAt in it."""
    id_, version, body, is_deleted = to_row(record(), {}, ())

    assert (id_, version, is_deleted) == ("5101", "2026-11-21T10:00:00.123Z", False)
    assert json.loads(body) == {
        "email": "aoi@example.com",
        "company": None,
        "archived": False,
        "createdAt": "2026-01-01T00:00:00.000Z",
    }


def test_record_without_properties_is_still_one_object():
    """No comma stands where no property does."""
    row = to_row(record(properties={}), {"companies": ["7"]}, ())

    assert payload(row) == {"associations.companies": ["7"], "archived": False, "createdAt": "2026-01-01T00:00:00.000Z"}


@pytest.mark.parametrize(
    "value",
    ['say "hi"', '""', ':""', 'a:"', "tab\t", "日本語", '\\":""', "x\\"],
)
def test_emptied_values_are_null_and_others_are_left_alone(value):
    """HubSpot reads a cleared value as "" or null; text that only looks like it stays."""
    row = to_row(record(properties={"a": value, "b": "", "c": None, "d": "x"}), {}, ())

    kept = payload(row)
    assert {name: kept[name] for name in "abcd"} == {"a": value, "b": None, "c": None, "d": "x"}


def test_empty_text_after_a_space_is_null_too():
    """A pretty-printed answer reads the same."""
    raw = b'{"results":[{"id":"1","properties":{"a": "", "b" : ""},"updatedAt":"2026-11-21T10:00:00Z"}]}'

    row = to_row(msgspec.json.decode(raw, type=Page).results[0], {}, ())

    assert payload(row) == {"a": None, "b": None, "archived": False, "createdAt": None}


def test_archived_record_is_deleted():
    """Its row says so twice: for the store, and in the payload."""
    row = to_row(record(archived=True), {}, ())

    assert row[3] is True
    assert payload(row)["archived"] is True


@pytest.mark.parametrize("broken", [{"id": "abc"}, {"id": ""}, {"updatedAt": ""}])
def test_record_without_id_or_stamp_is_refused(broken):
    """The page goes on without it."""
    with pytest.raises(ValueError):
        to_row(record(**broken), {}, ())


def test_primary_company_comes_first_and_once():
    """The list names a primary company twice."""
    row = record(
        associations={
            "companies": {
                "results": [
                    {"id": "90", "type": "contact_to_company_unlabeled"},
                    {"id": "700", "type": "contact_to_company_unlabeled"},
                    {"id": "700", "type": "contact_to_company"},
                    {"id": "1000", "type": "contact_to_company_unlabeled"},
                ]
            }
        }
    )

    assert inline_links(row, ("companies", "deals")) == {"companies": ["700", "90", "1000"], "deals": ()}


def test_primary_company_is_known_by_its_type_in_batches():
    """Type 1 is a contact's primary company; numbers are ordered as numbers."""
    targets = msgspec.convert(
        [
            {"toObjectId": 90, "associationTypes": [{"category": "HUBSPOT_DEFINED", "typeId": 279}]},
            {"toObjectId": "1000", "associationTypes": [{"category": "USER_DEFINED", "typeId": 1}]},
            {
                "toObjectId": 700,
                "associationTypes": [
                    {"category": "HUBSPOT_DEFINED", "typeId": 279},
                    {"category": "HUBSPOT_DEFINED", "typeId": 1, "label": "Primary"},
                ],
            },
        ],
        list[Target],
    )

    assert order_targets(targets) == ["700", "90", "1000"]


def test_cut_list_of_associations_is_noticed():
    """It has a next page of its own."""
    cut = record(associations={"contacts": {"results": [{"id": "1"}], "paging": {"next": {"after": "2"}}}})

    assert cut_short(cut) == ["contacts"]
    assert cut_short(record(associations={"contacts": {"results": [{"id": "1"}]}})) == []
    assert cut_short(record()) == ()


def test_history_is_oldest_first_with_source():
    """HubSpot gives the newest entry first; an emptied value is null."""
    entries = [
        Valued(value="", timestamp="2026-11-21T10:00:00.250Z", sourceType="CRM_UI"),
        Valued(value="lead", timestamp="1795000000000", sourceType=None),
    ]

    assert to_history(entries) == [(1_795_000_000_000, "lead", None), (1_795_255_200_250, None, "CRM_UI")]


def test_histories_that_were_asked_for_stand_in_the_payload():
    """One that did not come is unknown, not empty."""
    row = to_row(
        record(propertiesWithHistory={"stage": [{"value": "lead", "timestamp": "2026-11-21T10:00:00Z"}]}),
        {},
        ("stage", "other"),
    )

    assert payload(row)["history.stage"] == [[1_795_255_200_000, "lead", None]]
    assert "history.other" not in payload(row)


@pytest.mark.parametrize("text", ["2026-11-21T10:00:00.123Z", "2026-11-21T19:00:00.123+09:00", "1795255200123"])
def test_instants_are_read_to_the_millisecond(text):
    """However they are written."""
    assert instant_ms(text) == 1_795_255_200_123


def test_page_without_results_is_no_page():
    """An answer of another shape is never an empty list."""
    with pytest.raises(ValueError):
        msgspec.json.decode(b'{"status":"error"}', type=Page)


def test_owner_keeps_the_fields_that_were_asked_for():
    """A field that the vendor did not give is unknown."""
    row = plain_row("7", {"id": "7", "email": "o@example.com", "updatedAt": "2026-01-01T00:00:00Z"}, ("id", "teams"))

    assert row[:2] == ("7", "2026-01-01T00:00:00Z")
    assert payload(row) == {"id": "7", "archived": False, "createdAt": None}
