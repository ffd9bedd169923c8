"""A cycle over a world in which nothing happened: it looks, and lets everything be."""

from __future__ import annotations

import re
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk

pytestmark = pytest.mark.acceptance

WHOLE = {("hubspot", "owners"), ("hubspot", "pipelines")}
"""Objects without a date to ask by: they are always read whole."""
FULL_LISTS = re.compile(r"/crm/objects/2026-09/\w+$")
"""HubSpot's listing of a whole object; a look-back asks its search instead."""


def _counts(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, int]]:
    return {
        (system, object_): counts
        for system, part in told["systems"].items()
        for object_, counts in part["objects"].items()
    }


def _assert_nothing_happened(told: dict[str, Any]) -> None:
    assert told["status"] == "done"
    assert {place: n["changed"] for place, n in _counts(told).items() if n["changed"]} == {}
    assert {place: n["deleted"] for place, n in _counts(told).items() if n["deleted"]} == {}
    assert told["plan"]["changes"] == 0
    assert set(told["applied"].values()) == {0}
    assert told["transitions"] == 0


def test_second_sync_in_report_mode_reads_no_table_again(world: Sandbox, make_desk: Callable[..., Desk]):
    """Only what is younger than the look-back is read; nothing changes, nothing is planned, nothing is sent."""
    desk = make_desk(sandbox=world)
    first = desk.run("sync", "--json")
    assert first.code == 0, first.err
    world.faults.forget()

    second = desk.run("sync", "--json")

    assert second.code == 0, second.err
    _assert_nothing_happened(second.json)
    before, now = _counts(first.json), _counts(second.json)
    assert {place for place, n in before.items() if n["read"]} <= set(now)
    for place in set(before) - WHOLE:
        assert now[place]["read"] <= max(2, before[place]["read"] * 0.05), (place, before[place], now[place])
    requests = world.faults.counts()
    assert not [template for _, _, template in requests if FULL_LISTS.search(template)]
    assert not [key for key in requests if key[1] in {"PUT", "PATCH", "DELETE"} or "batch/update" in key[2]]


def test_second_sync_in_write_mode_reads_only_its_own_echo(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any]
):
    """What we wrote comes back and is no news; tables that we do not write to are not read again."""
    desk = make_desk(sandbox=world, **writing)
    first = desk.run("sync", "--json")
    assert first.code == 0, first.err
    written = {
        (row["system"], row["object"]) for row in desk.run("changes", "--limit", "1000000", "--json").json["rows"]
    }
    world.faults.forget()

    second = desk.run("sync", "--json")

    assert second.code == 0, second.err
    assert ("salesforce", "Lead") in written
    _assert_nothing_happened(second.json)
    before, now = _counts(first.json), _counts(second.json)
    for place in set(before) - WHOLE - written:
        assert now[place]["read"] <= max(2, before[place]["read"] * 0.05), (place, before[place], now[place])
    requests = world.faults.counts()
    assert not [template for _, _, template in requests if FULL_LISTS.search(template)]
    assert not [key for key in requests if key[1] in {"PUT", "PATCH", "DELETE"} or "batch/update" in key[2]]


def test_one_changed_lead_costs_one_record(world: Sandbox, make_desk: Callable[..., Desk]):
    """A change at a vendor is read, alone, and what follows from it is planned."""
    desk = make_desk(sandbox=world)
    assert desk.run("sync", "--json").code == 0
    lead = next(
        record["id"]
        for record in desk.run("explain", "yamada@aoba.example", "--json").json["records"]
        if record["object"] == "Lead"
    )
    with world.vault.transaction():
        world.vault.patch_salesforce("Lead", lead, {"Title": "執行役員", "NumberOfEmployees": 5000})
    time.sleep(1.1)  # Salesforce stamps whole seconds, and a second is read once it is over

    done = desk.run("sync", "--json")

    assert done.code == 0, done.err
    changed = {place: n["changed"] for place, n in _counts(done.json).items() if n["changed"]}
    assert changed == {("salesforce", "Lead"): 1}
    assert done.json["plan"]["changes"] > 0
