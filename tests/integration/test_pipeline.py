"""The seven steps over real vendors and real stores: what comes out does not depend on the database."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from mapping.records import Ref
from sync import config, operations
from sync.house import House
from sync.pipeline import run_cycle
from sync.progress import Quiet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox

EVERYTHING = {"mode": "write", "max_changes": 1_000_000, "max_share": 1.0}


def cycle(path: Path, **settings: Any) -> dict[str, Any]:
    with House.open(config.load(path), path, needs_lease=True) as house:
        return run_cycle(house, Quiet(), **settings).to_json()


def stages(path: Path) -> dict[str, tuple[str | None, int]]:
    """The stage and score of every Salesforce lead and HubSpot contact, by ref."""
    found = {}
    with House.open(config.load(path), path) as house, house.db.read() as conn:
        rows = conn.exec_driver_sql(
            "SELECT s.system, s.object, r.id, d.stage, d.score FROM decision d"
            " JOIN membership m ON m.entity = d.entity JOIN record r ON r.key = m.record"
            " JOIN source s ON s.id = r.source WHERE NOT r.is_deleted"
        )
        for system, object_, id_, stage, score in rows:
            found[str(Ref(system, object_, id_))] = (stage, score)
    return found


def test_same_world_gives_the_same_stages_in_sqlite_and_postgresql(sandbox: Sandbox, tmp_path: Path, postgres_url: str):
    """The store is a place to keep things, and decides nothing."""
    lite = sandbox.write_config(tmp_path / "lite")
    big = sandbox.write_config(tmp_path / "big")
    big.write_text(big.read_text().replace("sqlite:///headrace.db", postgres_url))

    one, other = cycle(lite), cycle(big)

    assert one["people"] == other["people"] > 0
    assert one["transitions"] == other["transitions"] > 0
    assert one["plan"]["by_kind"] == other["plan"]["by_kind"]
    assert stages(lite) == stages(big)


def test_second_cycle_does_nothing(make_sandbox: Callable[..., Sandbox], tmp_path: Path):
    """Our own writes come back as no news, on PostgreSQL and SQLite alike."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **EVERYTHING)

    first, second = cycle(path), cycle(path)

    assert first["applied"]["verified"] == first["plan"]["changes"] > 0
    assert second["plan"]["changes"] == 0
    assert second["events"] == second["transitions"] == 0
    assert sum(second["applied"].values()) == 0


def test_field_that_a_person_changed_is_put_right(make_sandbox: Callable[..., Sandbox], tmp_path: Path):
    """A canonical field shows what was decided, whoever wrote over it; the change is planned like any other."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **EVERYTHING)
    cycle(path)
    box.vault.patch_hubspot("contacts", 5101, {"canonical_stage": "inquiry"})
    box.vault.commit()

    again = cycle(path)

    assert again["plan"]["by_kind"]["advance"] == again["applied"]["verified"] == 1


def test_mode_approve_parks_once_and_writes_after_a_person_said_so(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path
):
    """A parked plan is found again under the same digest, and applied exactly."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **{**EVERYTHING, "mode": "approve"})

    first, second = cycle(path), cycle(path)
    with House.open(config.load(path), path, needs_lease=True) as house:
        applied = operations.apply_plan(house, first["plan"]["digest"][:12], is_approved=True)
    third = cycle(path)

    assert (first["status"], second["status"], third["status"]) == ("held", "held", "done")
    assert first["plan"]["digest"] == second["plan"]["digest"]
    assert applied.applied["verified"] == first["plan"]["changes"]
    assert third["plan"]["changes"] == 0


@pytest.mark.parametrize("mode", ["report", "approve"])
def test_nothing_reaches_a_vendor_without_leave(make_sandbox: Callable[..., Sandbox], tmp_path: Path, mode: str):
    """Report writes nothing; approve writes nothing before a person said so."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **{**EVERYTHING, "mode": mode})

    cycle(path)

    asked = box.faults.requests
    writes = [line for line in asked if line.method in {"PATCH", "PUT", "DELETE"} or "batch/update" in line.path]
    assert asked
    assert writes == []


def test_field_that_is_written_from_now_on_is_read_of_every_record(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path
):
    """A write table that is added later finds no record unread, in any system."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **EVERYTHING)
    whole = path.read_text()
    tables = whole[whole.index("[systems.salesforce.write.Lead]") :].split("\n\n")[0]
    path.write_text(whole.replace(tables, ""))
    without = cycle(path)
    path.write_text(whole)

    with_lead = cycle(path)

    assert (
        without["systems"]["salesforce"]["objects"]["Lead"]["read"]
        == (with_lead["systems"]["salesforce"]["objects"]["Lead"]["read"])
    )
    assert with_lead["applied"]["verified"] == with_lead["plan"]["changes"] > 0


def test_source_that_lost_its_records_stops_every_plan_until_a_person_accepts_it(
    make_sandbox: Callable[..., Sandbox], tmp_path: Path
):
    """A quiet run in between does not make the loss the new normal; an approved plan does."""
    box = make_sandbox()
    path = box.write_config(tmp_path, **EVERYTHING)
    cycle(path)
    tasks = [id_ for (id_,) in box.vault.execute("SELECT id FROM salesforce WHERE object = 'Task'").fetchall()]
    box.vault.clock = lambda: time.time_ns() // 1_000_000 + 2_000
    for id_ in tasks:
        box.vault.patch_salesforce("Task", id_, {"IsDeleted": True}, is_deleted=True)
    box.vault.commit()
    box.vault.clock = lambda: time.time_ns() // 1_000_000 + 4_000
    cycle(path)

    def disturb(stage: str) -> dict[str, Any]:
        box.vault.patch_hubspot("contacts", 5101, {"canonical_stage": stage})
        box.vault.commit()
        return cycle(path)

    stopped = disturb("inquiry")
    with House.open(config.load(path), path, needs_lease=True) as house:
        applied = operations.apply_plan(house, stopped["plan"]["digest"], is_approved=True)
    passed = disturb("mql")

    assert stopped["status"] == "held"
    assert applied.applied["verified"] >= 1
    assert passed["status"] == "done"
