"""kill -9 at any moment: the same command again, and nothing is lost, nothing doubled, nothing written twice."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from sandbox.hubspot.writes import Writer

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk, Until

pytestmark = pytest.mark.acceptance

PORTION = 150
"""Rows to a transaction, so that a tiny world takes many of them."""

_KILLED_WITHIN = """
import os, signal, sys
from sqlalchemy import event
from sqlalchemy.engine import Engine
from sync import progress
from sync.cli import main
from sync.steps import decide, derive, plan, resolve

for step in (decide, derive, plan, resolve):
    step.CHUNK = {portion}

at = ""
commits = 0

def reach(self, name):
    global at, commits
    at, commits = name, 0

progress.Quiet.step = reach

@event.listens_for(Engine, "commit")
def count(conn):
    global commits
    commits += 1
    if at == {step!r} and commits == {commit}:
        os.kill(os.getpid(), signal.SIGKILL)

main()
"""
"""The installed command line, cut off before the given commit of the given step."""

MOMENTS = [
    ("poll", 3),
    ("poll", 14),
    ("derive", 1),
    ("derive", 3),
    ("derive", 6),
    ("resolve", 1),
    ("resolve", 2),
    ("resolve", 3),
    ("decide", 1),
    ("decide", 2),
    ("decide", 3),
    ("plan", 1),
    ("plan", 2),
]


def _kill_within(desk: Desk, step: str, commit: int, *words: str) -> None:
    program = _KILLED_WITHIN.format(portion=PORTION, step=step, commit=commit)
    killed = desk.start(*words, program=program)
    _, err = killed.communicate(timeout=90)
    assert killed.returncode == -signal.SIGKILL, (step, commit, killed.returncode, err)


def test_backfill_cut_off_before_any_commit_goes_on_to_the_same_store(
    world: Sandbox, make_desk: Callable[..., Desk], canonical: Callable[[Desk], dict[str, Any]]
):
    """Many kills of one store, in every step of the cycle; then it equals a store that was never disturbed."""
    killed, whole = make_desk("killed", world), make_desk("whole", world)

    for step, commit in MOMENTS:
        _kill_within(killed, step, commit, "backfill", "--json")
    last = killed.run("backfill", "--json")

    assert last.code == 0, last.err
    assert whole.run("backfill", "--json").code == 0
    found, wanted = canonical(killed), canonical(whole)
    for table in wanted:
        assert found[table] == wanted[table], table
    rows = killed.run("runs", "--json").json["rows"]
    assert Counter(row["status"] for row in rows) == {"failed": len(MOMENTS), "done": 1}


def test_backfill_killed_from_outside_at_random_moments_goes_on_to_the_same_store(
    world: Sandbox,
    make_desk: Callable[..., Desk],
    canonical: Callable[[Desk], dict[str, Any]],
    until: Until,
):
    """The installed command is killed a moment after so many requests; then the same command again."""
    killed, whole = make_desk("killed", world), make_desk("whole", world)
    moments = random.Random(7)
    deaths = 0

    for requests in (3, 12, 30, 45, 60):
        world.faults.forget()
        victim = killed.start("backfill", "--json")
        until(
            lambda n=requests, v=victim: sum(world.faults.counts().values()) >= n or v.poll() is not None,
            "the backfill sent no requests",
        )
        time.sleep(moments.uniform(0, 0.3))
        victim.kill()
        victim.communicate(timeout=30)
        deaths += victim.returncode == -signal.SIGKILL
    last = killed.run("backfill", "--json")

    assert deaths >= 3
    assert last.code == 0, last.err
    assert whole.run("backfill", "--json").code == 0
    found, wanted = canonical(killed), canonical(whole)
    for table in wanted:
        assert found[table] == wanted[table], table


def test_two_stores_of_different_worlds_are_told_apart(
    make_sandbox: Callable[..., Sandbox], make_desk: Callable[..., Desk], canonical: Callable[[Desk], dict[str, Any]]
):
    """The comparison itself sees one field of one record that differs, and what follows from it."""
    world = make_sandbox()
    one, other = make_desk("one", world), make_desk("other", world)
    assert one.run("backfill").code == 0
    with world.vault.transaction():
        world.vault.patch_hubspot("contacts", 5101, {"numberofemployees": "7"}, source_type="CRM_UI")

    assert other.run("backfill").code == 0

    before, after = canonical(one), canonical(other)
    assert {table for table in before if before[table] != after[table]} >= {"record", "profile", "decision"}


class _Writes:
    """Every field that the vendors were given, counted at their side of the wire."""

    def __init__(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
        self.fields: Counter[tuple[str, str, str]] = Counter()
        for name in ("salesforce", "vitally"):
            monkeypatch.setattr(sandbox.vault, f"patch_{name}", self._watched(getattr(sandbox.vault, f"patch_{name}")))
        change = Writer.change

        def watched(writer: Writer, object_: str, row: Any, values: dict[str, Any], *rest: Any, **more: Any) -> Any:
            self._count(object_, row.id, values)
            return change(writer, object_, row, values, *rest, **more)

        monkeypatch.setattr(Writer, "change", watched)

    def _watched(self, patch: Callable[..., Any]) -> Callable[..., Any]:
        def watched(object_: str, id_: str, fields: dict[str, Any], **settings: Any) -> Any:
            self._count(object_, id_, {**fields, **(settings.get("traits") or {})})
            return patch(object_, id_, fields, **settings)

        return watched

    def _count(self, object_: str, id_: object, fields: dict[str, Any]) -> None:
        self.fields.update((object_, str(id_), field) for field in fields if "canonical" in field.lower())


def _is_write(key: tuple[str, str, str]) -> bool:
    _, method, template = key
    return method in {"PUT", "PATCH"} or template.endswith("/batch/update")


def test_sync_killed_while_it_writes_is_settled_and_writes_nothing_twice(
    world: Sandbox,
    make_desk: Callable[..., Desk],
    writing: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    until: Until,
):
    """Killed three times amid its writes, then one sync: every field was given once, and every one is verified."""
    desk = make_desk(sandbox=world, **writing)
    writes = _Writes(world, monkeypatch)

    for requests in (1, 8, 25):
        world.faults.forget()
        victim = desk.start("sync", "--json")
        until(
            lambda n=requests, v=victim: (
                sum(c for key, c in world.faults.counts().items() if _is_write(key)) >= n or v.poll() is not None
            ),
            "the sync wrote nothing",
        )
        victim.kill()
        victim.communicate(timeout=30)
        assert victim.returncode == -signal.SIGKILL, victim.returncode
    last = desk.run("sync", "--json")

    assert last.code == 0, last.err
    assert {place: count for place, count in writes.fields.items() if count > 1} == {}
    assert len(writes.fields) > 1_500
    rows = desk.run("changes", "--limit", "1000000", "--json").json["rows"]
    verified = {(row["object"], row["id"], row["field"]) for row in rows if row["outcome"] == "verified"}
    assert verified == set(writes.fields)
    assert {row["outcome"] for row in rows} <= {"verified", "stale"}
    quiet = desk.run("sync", "--json")
    assert quiet.json["plan"]["changes"] == 0
    assert desk.run("plan", "--json").json["changes"] == []


def test_lost_answers_are_settled_by_reading_and_never_sent_again(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any], monkeypatch: pytest.MonkeyPatch
):
    """Each vendor does its work and the answer is lost: unknown, then verified, and given once."""
    desk = make_desk(sandbox=world, **writing)
    writes = _Writes(world, monkeypatch)
    lost = {"when": "after", "drop": True}
    world.faults.salesforce.script(method="PATCH", path="/composite/sobjects", **lost)
    world.faults.hubspot.script(method="POST", path="/batch/update", **lost)
    world.faults.vitally.script(method="PUT", path="/resources/", **lost)

    first = desk.run("sync", "--json")
    second = desk.run("sync", "--json")

    assert first.code in {0, 3}, first.err
    assert second.code == 0, second.err
    assert {place: count for place, count in writes.fields.items() if count > 1} == {}
    assert desk.run("plan", "--json").json["changes"] == []
    rows = desk.run("changes", "--limit", "1000000", "--json").json["rows"]
    verified = {(row["object"], row["id"], row["field"]) for row in rows if row["outcome"] == "verified"}
    assert verified == set(writes.fields)
