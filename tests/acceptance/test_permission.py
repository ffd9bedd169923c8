"""Who may write what, and when: leases, limits, approvals, and what moved meanwhile."""

from __future__ import annotations

import json
import signal
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk, Result, Until

pytestmark = pytest.mark.acceptance


def _assert_clear(result: Result, code: int) -> None:
    """One exit code, words on standard error alone, and no traceback."""
    assert result.code == code, (result.code, result.out, result.err)
    assert "Traceback" not in result.err, result.err
    assert '"event"' not in result.err, result.err


def test_second_process_is_told_who_is_at_work(world: Sandbox, make_desk: Callable[..., Desk], until: Until):
    """75 naming the holder for what writes; what reads goes on; a killed holder holds nothing."""
    desk = make_desk(sandbox=world)
    world.faults.hubspot.latency_s = 3.0
    holder = desk.start("sync", "--json")
    until(world.faults.counts, "the first sync sent nothing")

    refused = [desk.run("sync"), desk.run("backfill", "--json"), desk.run("daemon")]
    listed = desk.run("runs", "--json")
    holder.kill()
    holder.communicate(timeout=30)
    world.faults.clear()
    free = desk.run("sync")

    assert [each.code for each in refused] == [75, 75, 75], refused
    assert all(f"process {holder.pid}" in each.out + each.err for each in refused)
    assert "Traceback" not in "".join(each.err for each in refused)
    assert [row["status"] for row in listed.json["rows"]] == ["running"]
    assert free.code == 0, free.err


def test_report_mode_applies_nothing(world: Sandbox, make_desk: Callable[..., Desk]):
    """4 with the reason, for a file and for a digest; no vendor is written to."""
    desk = make_desk(sandbox=world)
    assert desk.run("sync").code == 0
    assert desk.run("plan", "-o", "plan.json").code == 0
    world.faults.forget()

    done = desk.run("apply", "plan.json")

    _assert_clear(done, 4)
    assert "mode is report" in done.err
    assert world.faults.counts() == {}


def test_plan_file_that_is_not_what_was_saved_is_refused(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any]
):
    """2 for a torn, a changed and a missing file, before anything is sent."""
    desk = make_desk(sandbox=world, **writing)
    assert desk.run("backfill").code == 0
    assert desk.run("plan", "-o", "plan.json").code == 0
    text = (desk.folder / "plan.json").read_text(encoding="utf-8")
    (desk.folder / "torn.json").write_text(text[: len(text) // 2], encoding="utf-8")
    (desk.folder / "changed.json").write_text(text.replace('"after": "sal"', '"after": "sql"', 1), encoding="utf-8")
    world.faults.forget()

    results = desk.run_all(*[["apply", name] for name in ("torn.json", "changed.json", "missing.json", "abcdef")])

    for each in results:
        _assert_clear(each, 2)
    assert "was changed after it was saved" in results[1].err
    assert world.faults.counts() == {}


def test_held_plan_is_written_exactly_once_it_is_approved(world: Sandbox, make_desk: Callable[..., Desk]):
    """First fills over the limit park (4); unapproved they stay (4); approved, exactly they are written; then quiet."""
    desk = make_desk(sandbox=world, mode="write", max_changes=100)

    parked = desk.run("sync", "--json")
    planned = desk.run("plan", "--json").json
    digest = parked.json["plan"]["digest"]
    waiting = desk.run("apply", digest)
    again = desk.run("sync", "--json")
    done = desk.run("apply", digest[:12], "--approve", "--json")
    quiet = desk.run("sync", "--json")

    assert parked.code == 4
    assert parked.json["status"] == "held"
    assert set(parked.json["applied"].values()) == {0}
    _assert_clear(waiting, 4)
    assert f"headrace apply {digest[:12]} --approve" in waiting.err
    assert again.json["plan"]["digest"] == digest == planned["digest"]
    assert done.code == 0, (done.out, done.err)
    assert set(done.json) >= {"run_id", "status", "applied"}
    assert done.json["applied"]["verified"] == len(planned["changes"])
    rows = desk.run("changes", "--limit", "1000000", "--json").json["rows"]
    keys = ("system", "object", "id", "field", "before", "after")
    assert sorted(str([row[k] for k in keys]) for row in rows) == sorted(
        str([row[k] for k in keys]) for row in planned["changes"]
    )
    assert quiet.code == 0, quiet.err
    assert quiet.json["plan"]["changes"] == 0
    assert desk.run("apply", digest, "--approve").code != 0


def test_what_moved_since_the_plan_is_stale_and_the_rest_lands(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any]
):
    """A value that someone else set in each system meanwhile is not overwritten; it is listed, and all others land."""
    desk = make_desk(sandbox=world, **writing)
    assert desk.run("backfill").code == 0
    plan = desk.run("plan", "-o", "plan.json", "--json").json
    stages = {(row["system"], row["object"]): row for row in plan["changes"] if "tage" in row["field"]}
    lead, contact = stages["salesforce", "Contact"], stages["hubspot", "contacts"]
    with world.vault.transaction():
        world.vault.patch_salesforce("Contact", lead["id"], {lead["field"]: "by hand"})
        world.vault.patch_hubspot("contacts", int(contact["id"]), {contact["field"]: "renewal"}, source_type="CRM_UI")

    done = desk.run("apply", "plan.json", "--json")

    assert done.json["applied"]["stale"] >= 2
    assert done.json["applied"]["stale"] <= 8  # all fields of a record may wait together
    assert done.json["applied"]["verified"] == len(plan["changes"]) - done.json["applied"]["stale"]
    stale = desk.run("changes", "--outcome", "stale", "--json").json["rows"]
    assert {(row["object"], row["id"]) for row in stale} == {("Contact", lead["id"]), ("contacts", contact["id"])}
    body = world.vault.body("salesforce", "Contact", lead["id"])
    assert body is not None
    assert body[lead["field"]] == "by hand"
    assert desk.run("sync").code == 0
    body = world.vault.body("salesforce", "Contact", lead["id"])
    assert body is not None
    assert body[lead["field"]] == lead["after"]


def test_plan_file_over_the_limits_waits_for_a_person(world: Sandbox, make_desk: Callable[..., Desk]):
    """The guard stands before a file, too: over a limit it parks (4), approved it is written."""
    desk = make_desk(sandbox=world, mode="write", max_changes=100)
    assert desk.run("backfill").code == 0
    assert desk.run("plan", "-o", "plan.json").code == 0
    count = len(json.loads((desk.folder / "plan.json").read_text(encoding="utf-8"))["changes"])
    world.faults.forget()

    refused = desk.run("apply", "plan.json")
    requests = world.faults.counts()
    done = desk.run("apply", "plan.json", "--approve", "--json")

    _assert_clear(refused, 4)
    assert requests == {}
    assert done.code == 0, done.err
    assert done.json["applied"]["verified"] == count


def test_interrupted_backfill_ends_soon_and_goes_on(
    world: Sandbox, make_desk: Callable[..., Desk], canonical: Callable[[Desk], dict[str, Any]], until: Until
):
    """Ctrl-C ends it within seconds, without a traceback; the same command goes on to the same store."""
    desk, whole = make_desk("desk", world), make_desk("whole", world)
    world.faults.hubspot.latency_s = 1.0
    running = desk.start("backfill")
    until(lambda: sum(world.faults.counts().values()) > 10, "the backfill sent nothing")

    asked = time.monotonic()
    running.send_signal(signal.SIGINT)
    _, err = running.communicate(timeout=60)
    took_s = time.monotonic() - asked
    world.faults.clear()

    assert running.returncode == 130
    assert took_s < 12
    assert "Traceback" not in err
    assert desk.run("backfill").code == 0
    assert whole.run("backfill").code == 0
    found, wanted = canonical(desk), canonical(whole)
    for table in wanted:
        assert found[table] == wanted[table], table


def test_interrupted_machine_gets_no_traceback(world: Sandbox, make_desk: Callable[..., Desk], until: Until):
    """Ctrl-C with --json is 130 as well, and nothing but the answer may stand on standard output."""
    desk = make_desk(sandbox=world)
    world.faults.hubspot.latency_s = 0.3
    running = desk.start("sync", "--json")
    until(lambda: sum(world.faults.counts().values()) > 5, "the sync sent nothing")

    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)

    assert running.returncode == 130
    assert out == ""
    assert "Traceback" not in err
