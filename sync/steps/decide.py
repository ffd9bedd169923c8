"""Step 5: score and stage of everyone of whom anything changed, or who stands otherwise by now.

People and opportunities come first, since an account stands where the furthest of its people stands. Each chunk is one
transaction that reads, decides, writes and takes its keys from the queue: killed between two of them, nothing is lost.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mapping.accounts import Standing, decide_account
from state import decisions, meta, pending
from state.timelines import Sources, kinds_of_entities, people_of, read_timelines
from sync.steps import NEVER

if TYPE_CHECKING:
    from collections.abc import Sequence
    from threading import Event

    from sqlalchemy import Connection

    from mapping.decide import Decision, Program
    from state.engine import Database

CHUNK = 1_000
"""Entities decided in one transaction."""

DECIDING = "decide.definition"
"""The version under which the store's entities were last put into the queue."""


@dataclass(slots=True)
class Decided:
    """How many entities of each kind were decided, and how many steps between stages came to be known."""

    people: int = 0
    accounts: int = 0
    opportunities: int = 0
    transitions: int = 0


def decide(db: Database, program: Program, *, now_ms: int, systems: Sequence[str] = (), stop: Event = NEVER) -> Decided:
    """Decide everyone who waits; what was decided of them waits for the plan.

    `now_ms` is the start of the cycle; `systems` names the systems in the order in which their records are believed;
    `stop` ends it between two chunks.
    """
    counts = Decided()
    with db.write() as conn:
        decisions.keep_definition(conn, program, now_ms)
        if meta.get(conn, DECIDING) != program.version:
            decisions.pend_all(conn)
            meta.put(conn, DECIDING, program.version)
        decisions.pend_due(conn, program.model, now_ms)
    with db.read() as conn:
        sources = Sources(conn, systems)
    for are_accounts in (False, True):
        after: int | None = None
        while not stop.is_set():
            with db.write() as conn:
                keys = pending.take(conn, pending.DECIDE, CHUNK, after=after)
                if not keys:
                    break
                _decide_chunk(conn, program, keys, sources, counts, now_ms, are_accounts=are_accounts)
                after = keys[-1]
    return counts


def _decide_chunk(
    conn: Connection,
    program: Program,
    keys: Sequence[int],
    sources: Sources,
    counts: Decided,
    now_ms: int,
    *,
    are_accounts: bool,
) -> None:
    kinds = kinds_of_entities(conn, keys)
    by_kind: dict[str, list[int]] = {}
    for key, kind in kinds.items():
        by_kind.setdefault(kind, []).append(key)
    decided: dict[int, Decision] = {}
    if are_accounts:
        decided = _decide_accounts(conn, program, by_kind.get("account", []), sources, now_ms)
        counts.accounts += len(decided)
    else:
        for kind in ("person", "opportunity"):
            decided |= _decide_kind(conn, program, kind, by_kind.get(kind, []), sources, now_ms)
        counts.people += len(by_kind.get("person", ()))
        counts.opportunities += len(by_kind.get("opportunity", ()))
    gone = [key for key in keys if key not in kinds]
    decisions.drop_decisions(conn, program.model, gone, now_ms)
    saved = decisions.save_decisions(conn, program, decided, now_ms)
    counts.transitions += saved.transitions
    if not are_accounts:
        decisions.pend_accounts_of(conn, [key for key in saved.changed if kinds[key] == "person"])
    pending.add(conn, pending.PLAN, decided)
    pending.remove(conn, pending.DECIDE, [*decided, *gone])


def _decide_kind(
    conn: Connection, program: Program, kind: str, entities: Sequence[int], sources: Sources, now_ms: int
) -> dict[int, Decision]:
    if not entities:
        return {}
    timelines = read_timelines(conn, kind, entities, sources, program.course)
    records = timelines.records
    return {
        entity: program.decide(kind, profiles, events, now_ms, records) for entity, profiles, events in timelines.of
    }


def _decide_accounts(
    conn: Connection, program: Program, entities: Sequence[int], sources: Sources, now_ms: int
) -> dict[int, Decision]:
    own = _decide_kind(conn, program, "account", entities, sources, now_ms)
    if not own or program.definition.accounts_stage == "own":
        return own
    people = people_of(conn, entities)
    known = decisions.standings(conn, program.model, sorted({key for keys in people.values() for key in keys}))
    decided = {}
    for entity, decision in own.items():
        standing: list[Standing] = [known[key] for key in people.get(entity, ()) if key in known]
        decided[entity] = decide_account(program, decision, standing)
    return decided
