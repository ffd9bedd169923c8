"""Searching the simulated HubSpot: windows, limits, and an index that lags."""

from __future__ import annotations

import pytest

NOW = 1_795_000_000_000
V = "2026-09"
CONTACTS = f"/crm/objects/{V}/contacts"


def lt(name, value):
    """One filter."""
    return {"propertyName": name, "operator": "LT", "value": str(value)}


def test_a_window_is_walked_by_keyset(bench):
    """BETWEEN on the last modification and hs_object_id GT, sorted by id, compares ids as numbers."""
    for id_ in (9, 10, 100, 1000):
        bench.put("contacts", id_, at=NOW + id_)

    window = {
        "propertyName": "lastmodifieddate",
        "operator": "BETWEEN",
        "value": str(NOW + 9),
        "highValue": str(NOW + 500),
    }
    after = {"propertyName": "hs_object_id", "operator": "GT", "value": "9"}
    sort = [{"propertyName": "hs_object_id", "direction": "ASCENDING"}]
    body = bench.search("contacts", window, after, sorts=sort, limit=200, properties=["hs_object_id"])

    assert [row["id"] for row in body["results"]] == ["10", "100"]
    assert body["total"] == 2


def test_offsets_end_at_ten_thousand(bench):
    """`after` is an offset; at 10,000 it is refused."""
    for id_ in range(1, 6):
        bench.put("contacts", id_)

    page = bench.search("contacts", limit=2, after="2")
    bench.search("contacts", status=400, after="10000")

    assert [row["id"] for row in page["results"]] == ["3", "4"]
    assert page["paging"]["next"]["after"] == "4"


@pytest.mark.parametrize(
    "body",
    [
        {"limit": 201},
        {"sorts": ["email", "firstname"]},
        {"filterGroups": [{"filters": []}] * 6},
        {"filterGroups": [{"filters": [lt("canonical_score", 1)] * 7}]},
        {"filterGroups": [{"filters": [lt("canonical_score", 1)] * 5}] * 4},
        {"query": "x" * 3001},
        {"filterGroups": [{"filters": [lt("no_such_thing", 1)]}]},
        {"filterGroups": [{"filters": [lt("canonical_score", "x")]}]},
    ],
)
def test_searches_over_a_limit_are_refused(bench, body):
    """Each limit of the guide gives a VALIDATION_ERROR."""
    answer = bench.post(f"{CONTACTS}/search", 400, **body)

    assert answer["category"] == "VALIDATION_ERROR"


def test_contacts_hs_lastmodifieddate_matches_nothing(bench):
    """It is defined, and a search by it is silently empty; a search from the epoch is a 500."""
    bench.put("contacts", 1)
    since = {"propertyName": "hs_lastmodifieddate", "operator": "GTE", "value": str(NOW - 1000)}
    epoch = {"propertyName": "lastmodifieddate", "operator": "GTE", "value": "0"}

    assert bench.search("contacts", since)["total"] == 0
    bench.search("contacts", epoch, status=500)


def test_the_index_lags_behind_the_records(bench):
    """Until the lag is over new records are not found, and changed ones by their old values, shown as they are now."""
    bench.faults.hubspot.lag_ms = 10_000
    bench.put("contacts", 1, at=NOW - 60_000, firstname="old")
    bench.put("contacts", 2, at=NOW - 60_000, firstname="other")
    bench.update("contacts", [(1, {"firstname": "new"})])
    bench.post(CONTACTS, 201, properties={"firstname": "new"})
    old = {"propertyName": "firstname", "operator": "EQ", "value": "old"}
    new = {"propertyName": "firstname", "operator": "EQ", "value": "new"}

    stale = bench.search("contacts", old, properties=["firstname"])
    hidden = bench.search("contacts", new)["total"]
    bench.at = NOW + 10_000

    assert [row["properties"]["firstname"] for row in stale["results"]] == ["new"]
    assert stale["results"][0]["updatedAt"] == "2026-11-18T11:06:40.000Z"
    assert hidden == 0
    assert bench.search("contacts", new)["total"] == 2
    assert bench.search("contacts", old)["total"] == 0


def test_neighbours_may_come_in_the_wrong_order(bench):
    """Where an account does that: all rows are there, and two by two out of order."""
    bench.faults.hubspot.options["disorder"] = True
    for id_ in (1, 2, 3, 4, 5):
        bench.put("contacts", id_)

    rows = bench.search("contacts", sorts=["hs_object_id"])["results"]

    assert [row["id"] for row in rows] == ["2", "1", "4", "3", "5"]


def test_a_large_window_is_walked_to_its_end(bench):
    """Keyset paging gives each of 12,000 records of one instant once, where offsets end at 10,000."""
    rows = [("contacts", id_, NOW, NOW, 0, None, f'{{"hs_object_id": "{id_}"}}') for id_ in range(1, 12_001)]
    bench.vault.executemany("INSERT INTO hubspot VALUES (?, ?, ?, ?, ?, ?, ?)", rows)
    bench.vault.commit()
    seen, last = [], 0

    while True:
        filters = [
            {"propertyName": "lastmodifieddate", "operator": "BETWEEN", "value": str(NOW), "highValue": str(NOW)},
            {"propertyName": "hs_object_id", "operator": "GT", "value": str(last)},
        ]
        page = bench.search("contacts", *filters, sorts=["hs_object_id"], limit=200)
        if not page["results"]:
            break
        assert page["total"] == 12_000 - len(seen)
        seen += [int(row["id"]) for row in page["results"]]
        last = seen[-1]

    assert seen == list(range(1, 12_001))
