"""Runs, work that waits, and what was set aside."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.records import Ref
from mapping.text import say
from state import meta, pending, quarantine, runs

if TYPE_CHECKING:
    from state.engine import Database


def test_run_is_kept_with_its_summary_and_listed_by_page(db: Database) -> None:
    """Newest first, from below the last one seen."""
    with db.write() as conn:
        numbers = [runs.begin_run(conn, "sync", now_ms=n) for n in range(5)]
        runs.finish_run(conn, numbers[1], "partial", {"people": 3, "error": None}, now_ms=9)
    with db.read() as conn:
        first = runs.list_runs(conn, limit=3)
        rest = runs.list_runs(conn, before=first[-1].id, limit=3)
        found = runs.find_run(conn, numbers[1])

    assert [run.id for run in first + rest] == numbers[::-1]
    assert found == runs.Run(numbers[1], "sync", "partial", 1, 9, {"people": 3, "error": None})


def test_runs_of_a_process_that_went_away_have_failed(db: Database) -> None:
    """Those that ended keep how they ended."""
    with db.write() as conn:
        done, gone = runs.begin_run(conn, "sync"), runs.begin_run(conn, "sync")
        runs.finish_run(conn, done, "done")

        closed = runs.close_abandoned(conn)

    with db.read() as conn:
        assert closed == 1
        assert {run.id: run.status for run in runs.list_runs(conn)} == {done: "done", gone: "failed"}


def test_key_waits_once_for_each_step_until_it_is_removed(db: Database) -> None:
    """Taking leaves it waiting; steps do not meet; ascending, in chunks."""
    large = 2**63 - 1
    with db.write() as conn:
        pending.add(conn, pending.RESOLVE, [5, 3, large, 3])
        pending.add(conn, pending.RESOLVE, [3, 4])
        pending.add(conn, pending.DECIDE, [9])
        pending.add(conn, pending.PLAN, [])
        taken = pending.take(conn, pending.RESOLVE, 2)
        again = pending.take(conn, pending.RESOLVE, 2)
        beyond = pending.take(conn, pending.RESOLVE, 5, after=taken[-1])
        pending.remove(conn, pending.RESOLVE, taken)

    with db.read() as conn:
        assert (taken, again, beyond) == ([3, 4], [3, 4], [5, large])
        assert pending.take(conn, pending.RESOLVE, 9) == [5, large]
        assert (pending.count(conn, pending.RESOLVE), pending.count(conn, pending.DECIDE)) == (2, 1)


def test_selected_keys_wait_without_passing_through_the_program(db: Database) -> None:
    """Everything a statement selects waits; what waited already is not counted."""
    with db.write() as conn:
        pending.add(conn, pending.DECIDE, [1, 2, 3])
        pending.add(conn, pending.PLAN, [2])

        added = pending.add_selected(
            conn, pending.PLAN, "SELECT key FROM pending WHERE step = ? AND key > ?", "decide", 1
        )

        assert added == 1
        assert pending.take(conn, pending.PLAN, 9) == [2, 3]


def test_watermark_and_counters_count_from_nothing(db: Database) -> None:
    """A step begins at 0, a counter at 1; numbers are given once."""
    with db.write() as conn:
        assert meta.watermark(conn, "derive") == 0
        meta.set_watermark(conn, "derive", 7)
        assert meta.watermark(conn, "derive") == 7
        assert [meta.take(conn, "seq", 3), meta.take(conn, "seq", 1), meta.taken(conn, "seq")] == [1, 4, 4]
        meta.put(conn, "x", "y")
        meta.put(conn, "x", None)
        assert meta.get(conn, "x") is None


def test_things_set_aside_are_grouped_by_cause_and_given_back(db: Database) -> None:
    """One line for each cause and field with its count; released ones are free until they come again."""
    refs = [Ref("hubspot", "contacts", str(n)) for n in range(3)]
    unknown = say("{value} has no meaning.", value="Meh")
    things = [quarantine.Aside(quarantine.MEANING, ref, "hs_lead_status", unknown) for ref in refs]
    with db.write() as conn:
        quarantine.set_aside(conn, [*things, quarantine.Aside(quarantine.CHANGE, refs[0], "x", say("Refused."))], 1)
        quarantine.set_aside(conn, things[:1], 2)

        causes = quarantine.causes(conn)
        listed = quarantine.quarantined(conn, cause="{value} has no meaning.", limit=2)
        rest = quarantine.quarantined(conn, what=quarantine.MEANING, after=listed[-1].id)
        of_second = quarantine.count(conn, run=2)
        freed = quarantine.release(conn, [thing.id for thing in listed])
        left = quarantine.count(conn)
        quarantine.set_aside(conn, things, 3)

        assert [(cause.what, cause.things, cause.field) for cause in causes] == [
            ("meaning", 3, "hs_lead_status"),
            ("change", 1, "x"),
        ]
        assert [thing.ref for thing in listed + rest] == refs
        assert str(listed[0].reason) == "Meh has no meaning."
        assert of_second == 1
        assert freed == sorted(ref.key for ref in refs[:2])
        assert (left, quarantine.count(conn)) == (2, 4)


def test_mended_records_are_released_and_others_stay(db: Database) -> None:
    """What went through is free again; only of its own kind."""
    refs = [Ref("s", "Lead", "1"), Ref("s", "Lead", "2")]
    with db.write() as conn:
        quarantine.release_mended(conn, quarantine.RECORD, [refs[0].key])
        for what in (quarantine.RECORD, quarantine.MEANING):
            quarantine.set_aside(conn, [quarantine.Aside(what, ref, "", say("Bad.")) for ref in refs], 1)

        quarantine.release_mended(conn, quarantine.RECORD, [refs[0].key])

        left = {(thing.what, thing.ref.id) for thing in quarantine.quarantined(conn)}
    assert left == {("record", "2"), ("meaning", "1"), ("meaning", "2")}
