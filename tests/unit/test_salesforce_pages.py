"""One page's bytes become rows."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from connectors.salesforce.pages import Point, decode_history, decode_page, soql

RECORD = {
    "attributes": {"type": "Lead", "url": "/services/data/v68.0/sobjects/Lead/00Q1"},
    "Id": "00Q1",
    "Name": "山田 “花子” },{",
    "Amount": 12.50,
    "SystemModstamp": "2026-11-21T10:00:00.000+0000",
    "IsDeleted": False,
}


def page(*records, **more):
    """A page as the vendor sends it."""
    body = {"totalSize": len(records), "done": True, "records": list(records), **more}
    return json.dumps(body, separators=(",", ":"), ensure_ascii=False).encode()


def test_payload_is_the_vendors_bytes_without_attributes():
    """Numbers keep their form, text its escapes."""
    (row,) = decode_page(page(RECORD)).rows

    expected = {name: value for name, value in RECORD.items() if name != "attributes"}
    assert row == (
        "00Q1",
        "2026-11-21T10:00:00.000+0000",
        json.dumps(expected, separators=(",", ":"), ensure_ascii=False).encode(),
        False,
    )


@pytest.mark.parametrize(
    "record",
    [
        {**{k: v for k, v in RECORD.items() if k != "attributes"}, "attributes": RECORD["attributes"]},
        {"attributes": None, **{k: v for k, v in RECORD.items() if k != "attributes"}},
        {k: v for k, v in RECORD.items() if k != "attributes"},
    ],
)
def test_attributes_elsewhere_are_left_out_too(record):
    """Wherever they stand, whatever they hold."""
    (row,) = decode_page(page(record)).rows

    assert json.loads(row[2]) == {k: v for k, v in RECORD.items() if k != "attributes"}


def test_indented_page_is_read_likewise():
    """Somebody asked for pretty printing."""
    body = json.dumps({"totalSize": 1, "done": True, "records": [RECORD]}, indent=2).encode()

    (row,) = decode_page(body).rows

    assert "attributes" not in json.loads(row[2])


def test_record_without_a_stamp_is_set_aside():
    """The others of its page come."""
    found = decode_page(page({**RECORD, "Id": "00Q2", "SystemModstamp": None}, RECORD))

    assert [row[0] for row in found.rows] == ["00Q1"]
    assert [each.id for each in found.rejected] == ["00Q2"]
    assert found.last == ("2026-11-21T10:00:00.000+0000", "00Q1")


def test_record_that_comes_twice_on_a_page_is_one_row():
    """The later one holds; the count is the vendor's."""
    found = decode_page(page(RECORD, {**RECORD, "Amount": 13}))

    assert [json.loads(row[2])["Amount"] for row in found.rows] == [13]
    assert found.size == 2


def test_history_is_stamped_by_its_creation():
    """Its rows never change."""
    record = {"attributes": RECORD["attributes"], "Id": "017", "CreatedDate": "2026-01-01T00:00:00.000+0000"}

    (row,) = decode_history(page(record)).rows

    assert row[1] == "2026-01-01T00:00:00.000+0000"


@pytest.mark.parametrize(
    "body",
    [
        page(RECORD)[:-1],
        page(RECORD)[:200],
        b"",
        b"<html>",
        b"[]",
        b"{}",
        page(RECORD, done=False),
        page({"attributes": {}}),
        b'{"totalSize":1,"done":true}',
    ],
)
def test_page_that_is_not_whole_is_no_page(body):
    """Truncated, HTML, or without what every page has."""
    with pytest.raises(ValueError):
        decode_page(body)


@pytest.mark.parametrize(
    ("point", "where"),
    [
        (Point(to=datetime(2026, 11, 21, tzinfo=UTC)), "S < 2026-11-21T00:00:00Z"),
        (
            Point(to=datetime(2026, 11, 21, tzinfo=UTC), at=datetime(2026, 1, 1, tzinfo=UTC)),
            "S < 2026-11-21T00:00:00Z AND S >= 2026-01-01T00:00:00Z",
        ),
        (
            Point(to=datetime(2026, 11, 21, tzinfo=UTC), at=datetime(2026, 1, 1, tzinfo=UTC), id="00Q1"),
            "S < 2026-11-21T00:00:00Z AND (S > 2026-01-01T00:00:00Z OR (S = 2026-01-01T00:00:00Z AND Id > '00Q1'))",
        ),
    ],
)
def test_query_begins_where_the_last_record_was(point, where):
    """Stamp and id together, since many records share a second."""
    assert soql("Lead", ("Id", "S"), "S", point, point.to) == f"SELECT Id, S FROM Lead WHERE {where} ORDER BY S, Id"


def test_point_survives_its_cursor():
    """What the store keeps brings back the same point."""
    point = Point(to=datetime(2026, 11, 21, tzinfo=UTC), at=datetime(2026, 1, 1, tzinfo=UTC), id="00Q1")

    assert Point.of(json.loads(json.dumps(point.position))) == point
    assert Point.of({}) is None
