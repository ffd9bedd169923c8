"""Changes from intention to outcome, the plans that wait for a person, and the chain that proves both."""

from __future__ import annotations

import signal
import stat
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from mapping.errors import OperatorError, PlanRefused
from mapping.records import Batch, Cursor, Ref
from mapping.text import say
from reconcile.changes import Change, Kind, Outcome, Settlement
from state import chain, journal, plans, store
from state.engine import Database, upgrade
from state.sql import execute, fetch, fetch_one

if TYPE_CHECKING:
    from pathlib import Path

NOW = 1_795_000_000_000
DAY_MS = 86_400_000
NAMES = ("a", "b", "c")
REFS = {name: Ref("salesforce", "Lead", name) for name in NAMES}


@pytest.fixture(autouse=True)
def _records(request: pytest.FixtureRequest) -> None:
    """Three Leads without a stage."""
    for fixture in ("db", "sqlite_db"):
        if fixture in request.fixturenames:
            fill(request.getfixturevalue(fixture))


def fill(db: Database) -> None:
    """Store three Leads."""
    rows = [(name, "2026-11-16", b'{"Id":"%s","Stage":null}' % name.encode(), False) for name in NAMES]
    store.save_batch(db, "salesforce", Batch(object="Lead", rows=rows, cursor=Cursor(position={})), run=1)


def change(name: str, after: str | int | None = "mql", **rest: Any) -> Change:
    """One change of a Lead's stage."""
    values: dict[str, Any] = {
        "field": "Stage",
        "before": None,
        "reason": "became an MQL",
        "rule": "mql.inquiry",
        "kind": Kind.FIRST,
        "entity": "01J000",
    }
    return Change(ref=REFS[name], after=after, **(values | rest))


def settled(id_: int, of: Change, outcome: Outcome, **rest: Any) -> tuple[int, Settlement]:
    """What became of a change."""
    return id_, Settlement(change=of, outcome=outcome, **rest)


def write(db: Database, *changes: Change, outcome: Outcome = Outcome.VERIFIED, now_ms: int = NOW, run: int = 3) -> None:
    """Intend and settle at once."""
    ids = journal.intend(db, "d", changes, run=run, now_ms=now_ms)
    journal.settle(db, [settled(i, c, outcome) for i, c in zip(ids, changes, strict=True)], now_ms=now_ms)


def test_intention_is_there_before_its_outcome_and_unsettled_until_then(db: Database) -> None:
    """Every detail of a change comes back as it was intended."""
    changes = [change("a"), change("b", 61, field="Score", kind=Kind.CORRECT)]

    ids = journal.intend(db, "d1", changes, run=3, now_ms=NOW)

    with db.read() as conn:
        waiting = journal.unsettled(conn)
    assert [(entry.id, entry.change, entry.outcome, entry.run, entry.plan) for entry in waiting] == [
        (ids[0], changes[0], None, 3, "d1"),
        (ids[1], changes[1], None, 3, "d1"),
    ]


def test_outcome_settles_all_but_the_unknown(db: Database) -> None:
    """What may have reached the vendor stays unsettled until it was read back."""
    changes = [change(name) for name in NAMES]
    ids = journal.intend(db, "d1", changes, run=3, now_ms=NOW)
    outcomes = (Outcome.VERIFIED, Outcome.UNKNOWN, Outcome.FAILED)
    detail = say("The vendor said: {words}", words="no")

    journal.settle(
        db, [settled(i, c, o, detail=detail) for i, c, o in zip(ids, changes, outcomes, strict=True)], now_ms=NOW
    )

    with db.read() as conn:
        (unknown,) = journal.unsettled(conn)
        counted = journal.outcomes(conn, 3)
    assert unknown.id == ids[1]
    assert str(unknown.detail) == "The vendor said: no"
    assert counted == {"verified": 1, "unknown": 1, "failed": 1}
    journal.settle(db, [settled(ids[1], changes[1], Outcome.VERIFIED)], now_ms=NOW)
    with db.read() as conn:
        assert journal.unsettled(conn) == []
    assert chain.verify(db) is None


def test_value_that_was_read_back_stands_in_the_payload(db: Database) -> None:
    """What is polled next is compared with what was read back; what was not read back is not guessed."""
    changes = [change("a"), change("b")]
    ids = journal.intend(db, "d1", changes, run=3)

    journal.settle(
        db,
        [
            settled(ids[0], changes[0], Outcome.VERIFIED, remote="mql", is_read=True),
            settled(ids[1], changes[1], Outcome.APPLIED),
        ],
    )

    with db.read() as conn:
        found = store.payloads(conn, [REFS["a"].key, REFS["b"].key])
    assert orjson.loads(found[REFS["a"].key])["Stage"] == "mql"
    assert orjson.loads(found[REFS["b"].key])["Stage"] is None


def test_ledger_answers_with_the_last_value_that_was_accepted(db: Database) -> None:
    """A refused or unknown write does not count as written."""
    write(db, change("a", "mql"))
    write(db, change("a", "sal", before="mql"))
    write(db, change("a", "sql", before="sal"), outcome=Outcome.FAILED)
    write(db, change("b", "mql"), outcome=Outcome.UNKNOWN)
    write(db, change("c", 7, field="Score"))

    with db.read() as conn:
        keys = [ref.key for ref in REFS.values()]
        assert journal.written(conn, keys, "Stage") == {REFS["a"].key: "sal"}
        assert journal.written(conn, keys, "Score") == {REFS["c"].key: 7}


def test_changes_are_found_by_every_filter_and_by_page(db: Database) -> None:
    """Run, record, system, object, field, instant and outcome, newest first."""
    write(db, change("a"), change("b"), run=1, now_ms=NOW)
    write(db, change("c", 7, field="Score"), run=2, now_ms=NOW + 5, outcome=Outcome.FAILED)

    def names(**filters: Any) -> list[str]:
        with db.read() as conn:
            return [entry.change.ref.id for entry in journal.find_changes(conn, **filters)]

    assert names() == ["c", "b", "a"]
    assert names(run=1) == ["b", "a"]
    assert names(records=[REFS["a"].key, REFS["c"].key]) == ["c", "a"]
    assert names(system="salesforce", object_="Lead", field="Score") == ["c"]
    assert names(system="hubspot") == []
    assert names(since_ms=NOW + 1) == ["c"]
    assert names(until_ms=NOW + 5) == ["b", "a"]
    assert names(outcome=Outcome.FAILED) == ["c"]
    with db.read() as conn:
        first = journal.find_changes(conn, limit=2)
        rest = journal.find_changes(conn, limit=2, before=first[-1].id)
    assert [entry.change.ref.id for entry in first + rest] == ["c", "b", "a"]


def test_what_was_sent_within_a_day_is_counted_for_the_guard(db: Database) -> None:
    """Older ones and those that wrote nothing are left out."""
    write(db, change("a"), now_ms=NOW - DAY_MS - 1)
    write(db, change("a", 5, field="Score"), change("a", "sal"), change("b", kind=Kind.REGRESS))
    write(db, change("c"), outcome=Outcome.STALE)

    with db.read() as conn:
        found = journal.spent(conn, NOW - DAY_MS)

    assert [(line.object, line.kind, line.changes, line.records) for line in found] == [
        ("Lead", "first", 2, 1),
        ("Lead", "regress", 1, 1),
    ]


def test_held_plan_keeps_its_changes_and_equal_ones_park_once(db: Database) -> None:
    """It can be read whole, nothing of it counts as sent, and it waits once however often it is made."""
    changes = [change("a"), change("b")]
    why = say("{found} changes, {limit} allowed.", found=2, limit=1)

    first = plans.hold_plan(db, "d1", changes, run=3, why=why, now_ms=NOW)
    again = plans.hold_plan(db, "d1", changes, run=4, why=why, now_ms=NOW)

    with db.read() as conn:
        (plan,) = plans.list_plans(conn, state="held")
        waiting = journal.planned(conn, "d1")
        sent = journal.find_changes(conn)
        unsettled = journal.unsettled(conn)
    assert (first, again) == (True, False)
    assert (plan.digest, plan.run, plan.changes, str(plan.why)) == ("d1", 3, 2, "2 changes, 1 allowed.")
    assert [entry.change for entry in waiting] == changes
    assert (sent, unsettled) == ([], [])


def test_newer_held_plan_supersedes_the_older(db: Database) -> None:
    """One plan of a kind waits at a time."""
    plans.hold_plan(db, "d1", [change("a")], run=1, why=say("Too much."))
    plans.hold_plan(db, "d2", [change("b")], run=2, why=say("Too much."))

    with db.read() as conn:
        assert [plan.digest for plan in plans.list_plans(conn, state="held")] == ["d2"]
        assert [plan.digest for plan in plans.list_plans(conn, state="superseded")] == ["d1"]
        assert [row[0] for row in fetch(conn, "SELECT plan FROM change")] == ["d2"]


def test_why_a_plan_waits_can_be_translated_when_it_is_read(db: Database) -> None:
    """A sentence within a sentence comes back as one, and not as its English."""
    why = say("{one}; {other}", one=say("{found:,} {what}", found=1_000, what=say("changes")), other="x")

    plans.hold_plan(db, "d1", [change("a")], run=1, why=why)

    with db.read() as conn:
        (plan,) = plans.list_plans(conn)
    assert plan.why == why


def test_held_plan_is_not_intended_before_it_is_approved(db: Database) -> None:
    """Nothing is written of it; after the approval its changes go out under the ids that they had."""
    changes = [change("a"), change("b")]
    plans.hold_plan(db, "d1", changes, run=3, why=say("Too much."), now_ms=NOW)
    with db.read() as conn:
        waiting = [entry.id for entry in journal.planned(conn, "d1")]

    with pytest.raises(PlanRefused):
        journal.intend(db, "d1", changes, run=4, now_ms=NOW)
    approved = plans.approve(db, "d", "mika", now_ms=NOW)
    ids = journal.intend(db, "d1", changes, run=4, now_ms=NOW + 1)

    assert (approved.state, approved.approved_by) == ("approved", "mika")
    assert ids == waiting
    with db.read() as conn:
        assert [entry.run for entry in journal.unsettled(conn)] == [4, 4]
    plans.close_plan(db, "d1")
    with db.read() as conn:
        found = plans.find_plan(conn, "d1")
    assert found
    assert found.state == "applied"
    assert chain.verify(db) is None


def test_approval_expires(db: Database) -> None:
    """After its time the plan is refused again, until someone approves it anew."""
    plans.hold_plan(db, "d1", [change("a")], run=3, why=say("Too much."), now_ms=NOW)
    plans.approve(db, "d1", "mika", valid=timedelta(hours=1), now_ms=NOW)

    with pytest.raises(PlanRefused):
        journal.intend(db, "d1", [change("a")], run=4, now_ms=NOW + 3_600_000)
    plans.approve(db, "d1", "mika", now_ms=NOW + 3_600_000)

    assert journal.intend(db, "d1", [change("a")], run=4, now_ms=NOW + 3_600_001)


def test_author_does_not_approve_where_another_must(db: Database) -> None:
    """Four eyes, where they are asked for."""
    plans.hold_plan(db, "d1", [change("a")], run=3, why=say("Too much."), author="mika")

    with pytest.raises(OperatorError):
        plans.approve(db, "d1", "mika", is_other_required=True)

    assert plans.approve(db, "d1", "ren", is_other_required=True).approved_by == "ren"


@pytest.mark.parametrize("digest", ["", "x", "d"])
def test_unknown_or_ambiguous_plan_is_not_approved(db: Database, digest: str) -> None:
    """A prefix names a plan only where it names one."""
    plans.hold_plan(db, "d1", [change("a")], run=3, why=say("Too much."))
    plans.hold_plan(db, "d2", [change("b")], run=3, why=say("Too much."), kind="restore")

    with pytest.raises(OperatorError):
        plans.approve(db, digest, "mika")


def test_pause_stands_until_resumed_and_both_are_journalled(db: Database) -> None:
    """Who stopped all writes is known."""
    plans.pause(db, "mika", now_ms=NOW)
    with db.read() as conn:
        between = plans.paused(conn)
    plans.resume(db, "ren", now_ms=NOW)

    with db.read() as conn:
        assert plans.paused(conn) is None
        acts = [act for _, _, act, _ in chain.lines(conn)]
    assert between == plans.Pause("mika", NOW)
    assert acts == ["resumed", "paused"]


def test_every_step_of_a_change_is_a_line_without_a_value(db: Database) -> None:
    """The chain tells ids, outcomes and keyed hashes; a value stands nowhere in it."""
    plans.hold_plan(db, "d1", [change("a", "secret-value")], run=3, why=say("Too much."))
    plans.approve(db, "d1", "mika")
    write(db, change("b", "secret-value"))

    with db.read() as conn:
        acts = [row[0] for row in fetch(conn, "SELECT act FROM journal ORDER BY id")]
        bodies = "".join(row[0] for row in fetch(conn, "SELECT body FROM journal"))
    assert acts == ["held", "approved", "intended", "settled"]
    assert "secret-value" not in bodies
    assert chain.verify(db) is None


def test_equal_values_of_two_changes_have_unlike_marks(db: Database) -> None:
    """Nobody learns from the chain that two records were given the same value."""
    journal.intend(db, "d1", [change("a"), change("b")], run=1)

    with db.read() as conn:
        ((body,),) = fetch(conn, "SELECT body FROM journal")
    (one, two) = orjson.loads(body)["changes"]
    assert one[3] != two[3]


@pytest.mark.parametrize(
    ("tampering", "line"),
    [
        ("UPDATE journal SET body = '{}' WHERE id = 2", 2),
        ("UPDATE journal SET at = at + 1 WHERE id = 3", 3),
        ("UPDATE journal SET act = 'approved' WHERE id = 1", 1),
        ("DELETE FROM journal WHERE id = 2", 2),
        ("DELETE FROM journal WHERE id = 4", 4),
        ("UPDATE change SET after = '\"sql\"' WHERE id = 2", 3),
        ("UPDATE change SET outcome = 'verified' WHERE id = 2", 4),
        ("DELETE FROM change WHERE id = 1", 1),
        ("DELETE FROM meta WHERE name = 'journal.key'", 1),
    ],
)
def test_tampering_is_found_and_the_line_named(db: Database, tampering: str, line: int) -> None:
    """A line or change that was altered or removed in the database is named."""
    write(db, change("a"))
    write(db, change("b"), outcome=Outcome.FAILED)
    assert chain.verify(db) is None

    with db.write() as conn:
        execute(conn, tampering)

    broken = chain.verify(db)
    assert broken
    assert broken.line == line


def test_key_is_a_file_of_the_owner_outside_of_the_database(db: Database) -> None:
    """It is made when the journal begins, readable by its owner alone, and is nowhere in the store."""
    assert db.key_path
    assert not db.key_path.exists()

    write(db, change("a"))

    assert stat.S_IMODE(db.key_path.stat().st_mode) == 0o600
    with db.read() as conn:
        kept = "".join(row[0] for row in fetch(conn, "SELECT value FROM meta"))
    assert db.key_path.read_text().strip() not in kept


@pytest.mark.parametrize("is_lost", [True, False])
def test_lost_or_foreign_key_stops_the_journal(store_url: str, tmp_path: Path, is_lost: bool) -> None:
    """No second key is made in silence: nothing is intended until the right file is back."""
    path = tmp_path / "journal.key"
    with Database.open(store_url, key_path=path) as db:
        upgrade(db)
        fill(db)
        write(db, change("a"))
    right = path.read_text()
    path.unlink()
    if not is_lost:
        path.write_text("00" * 32)

    with Database.open(store_url, key_path=path) as db:
        with pytest.raises(OperatorError) as caught:
            write(db, change("b"))
        path.write_text(right)
        write(db, change("b"))

        assert chain.verify(db) is None
    assert "back" in str(caught.value.problems[0].hint)


def test_store_on_a_server_names_the_setting_that_is_missing() -> None:
    """Without a place for the key, the message says which setting gives one."""
    db = Database.open("postgresql+psycopg://u@127.0.0.1/d")

    with pytest.raises(OperatorError) as caught:
        chain.load_key(db, None)  # type: ignore[arg-type]  # refused before it is looked at

    assert "key_path" in str(caught.value.problems[0].hint)


WRITER = """
import sys
from pathlib import Path
from mapping.records import Ref
from reconcile.changes import Change, Kind, Outcome, Settlement
from state.engine import Database
from state.journal import intend, settle
db = Database.open(sys.argv[1], key_path=Path(sys.argv[2]))
n = 0
while True:
    n += 1
    changes = [Change(ref=Ref("salesforce", "Lead", name), field="Stage", before=None, after=str(n), reason="r",
               rule="r", kind=Kind.FIRST, entity="e") for name in "abc"]
    ids = intend(db, f"d{n}", changes, run=n)
    print(n, flush=True)
    settle(db, [(i, Settlement(change=c, outcome=Outcome.VERIFIED)) for i, c in zip(ids, changes)])
"""


def test_killed_writer_leaves_each_intention_whole_and_the_chain_unbroken(store_url: str, tmp_path: Path) -> None:
    """Signal 9 between or within: every plan is there with all three changes or none, each settled or to be settled."""
    key_path = tmp_path / "journal.key"
    with Database.open(store_url, key_path=key_path) as db:
        upgrade(db)
        fill(db)
        for _ in range(3):
            arguments = [sys.executable, "-c", WRITER, store_url, str(key_path)]
            with subprocess.Popen(arguments, stdout=subprocess.PIPE) as process:
                assert process.stdout
                for _ in range(7):
                    said = process.stdout.readline()
                process.send_signal(signal.SIGKILL)

            with db.read() as conn:
                parts = fetch(conn, "SELECT run, COUNT(*) FROM change GROUP BY run")
                newest = fetch_one(conn, "SELECT MAX(run) FROM change")
                open_ones = journal.unsettled(conn)
            assert {count % 3 for _, count in parts} == {0}
            assert newest
            assert newest[0] >= int(said)
            assert len(open_ones) % 3 == 0
            assert chain.verify(db) is None
