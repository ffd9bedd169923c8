"""Decisions as they are kept: where each entity stands, every step that led there, and the ledger of its score.

Only differences are written. A transition that is no longer true is kept with the instant at which that was known; one
that stays true keeps the definition that made it.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mapping.accounts import Standing
from mapping.decide import Transition
from mapping.events import LinkKind
from reconcile.guard import DECAY_RULE
from state import pending
from state.sql import any_of, execute, executemany, fetch, insert, listed, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from mapping.decide import Decision, Program

_DECISION = (
    "entity", "model", "definition", "stage", "since", "furthest", "rule", "score", "facts", "decided_at", "due_at",
    "score_rule",
)  # fmt: skip
_TRANSITION = (
    "entity", "model", "at", "n", "known_at", "before", "after", "rule", "definition", "events", "cycle",
    "is_backfilled",
)  # fmt: skip
_ENTRY = ("entity", "model", "rule", "at", "event", "points")

SCORE = "score"
"""The rule of a score that something moved that happened; `DECAY_RULE` where it was time alone."""


class Saved(NamedTuple):
    """What saving decisions changed: the entities that stand or score otherwise now, and how many steps are new."""

    changed: list[int]
    transitions: int


def save_decisions(conn: Connection, program: Program, decisions: Mapping[int, Decision], now_ms: int) -> Saved:
    """The store holds these decisions, and remembers what it held to be true before."""
    columns = (*_DECISION[2:9], "due_at", "score_rule")
    kept = {row[0]: row[1:] for row in _rows(conn, "decision", columns, program.model, decisions)}
    # Whoever has no decision has neither entries nor steps.
    earned = _save_entries(conn, program.model, decisions, kept)
    changed = _save_standing(conn, program, decisions, kept, earned, now_ms)
    stepped, transitions = _save_transitions(conn, program, decisions, kept, now_ms)
    return Saved(sorted(changed | stepped), transitions)


def _save_standing(
    conn: Connection,
    program: Program,
    decisions: Mapping[int, Decision],
    kept: Mapping[int, tuple[Any, ...]],
    earned: Collection[int],
    now_ms: int,
) -> set[int]:
    changed: set[int] = set()
    rows = []
    unwritten = pending.waiting(conn, pending.PLAN, kept)
    for entity, decision in decisions.items():
        facts = orjson.dumps(program.facts(decision)).decode()
        standing = (decision.stage, decision.since, decision.furthest, decision.rule, decision.score, facts)
        before = kept.get(entity)
        if before is not None and before[1:7] == standing:
            if before[0] == program.version and before[7] == decision.due_at:
                continue
        else:
            changed.add(entity)
        has_earned = entity in earned or (entity in unwritten and before is not None and before[8] == SCORE)
        score_rule = _score_rule(before, program.version, standing, has_earned=has_earned)
        rows.append((entity, program.model, program.version, *standing, now_ms, decision.due_at, score_rule))
    upsert(conn, "decision", _DECISION, ("entity", "model"), rows)
    return changed


def _score_rule(before: tuple[Any, ...] | None, version: str, standing: tuple[Any, ...], *, has_earned: bool) -> str:
    """What moved the score last: decay alone where nothing but the score is another and the ledger has no new line.

    What was earned and has not been written yet (a plan that waits for a person) stays earned, however it fades.
    Another version of the definition may let points fade otherwise, which is no decay.
    """
    if before is None or has_earned:
        return SCORE
    if before[5] == standing[4]:
        kept: str = before[8]
        return kept
    is_alike = (*before[:5], before[6]) == (version, *standing[:4], standing[5])
    return DECAY_RULE if is_alike else SCORE


def _save_transitions(
    conn: Connection, program: Program, decisions: Mapping[int, Decision], entities: Collection[int], now_ms: int
) -> tuple[set[int], int]:
    model, version = program.model, program.version
    kept: dict[int, dict[tuple[Any, ...], tuple[int, str]]] = defaultdict(dict)
    columns = ("at", "n", "before", "after", "rule", "cycle", "is_backfilled", "known_at", "events")
    for entity, at, n, before, after, rule, cycle, is_backfilled, known_at, events in _rows(
        conn, "transition", columns, model, entities, " AND gone_at IS NULL"
    ):
        kept[entity][at, n, before, after, rule, cycle, bool(is_backfilled)] = (known_at, events)
    changed: set[int] = set()
    news: list[tuple[Any, ...]] = []
    seen: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    for entity, decision in decisions.items():
        old = kept.get(entity, {})
        for step in decision.transitions:
            events = _hex(step.events)
            known = old.pop((step.at, step.n, step.before, step.after, step.rule, step.cycle, step.is_backfilled), None)
            if known is None:
                news.append(
                    (entity, model, step.at, step.n, now_ms, step.before, step.after, step.rule, version, events,
                     step.cycle, step.is_backfilled)
                )  # fmt: skip
                changed.add(entity)
            elif known[1] != events:
                seen.append((events, entity, model, step.at, step.n, known[0]))
        for key, (known_at, _) in old.items():
            gone.append((entity, model, key[0], key[1], known_at))
            changed.add(entity)
    _end(conn, gone, now_ms)
    place = "entity = ? AND model = ? AND at = ? AND n = ? AND known_at = ?"
    executemany(conn, f"UPDATE transition SET events = ? WHERE {place}", seen)
    insert(conn, "transition", _TRANSITION, news)
    return changed, len(news)


def _end(conn: Connection, gone: Sequence[tuple[Any, ...]], now_ms: int) -> None:
    """The transitions ceased to be true now; what was known for no longer than this cycle leaves no trace."""
    place = "entity = ? AND model = ? AND at = ? AND n = ? AND known_at = ?"
    lasting = [(now_ms, *key) for key in gone if key[4] != now_ms]
    executemany(conn, f"UPDATE transition SET gone_at = ? WHERE {place}", lasting)
    executemany(conn, f"DELETE FROM transition WHERE {place}", [key for key in gone if key[4] == now_ms])


def _save_entries(
    conn: Connection, model: str, decisions: Mapping[int, Decision], entities: Collection[int]
) -> set[int]:
    """The ledgers are those of the decisions; returns the entities with a line more, less, or of more points.

    `entities` are those that may have a ledger already.
    """
    kept: dict[int, dict[tuple[str, int, bytes], int]] = defaultdict(dict)
    for entity, rule, at, event, points in _rows(conn, "score_entry", _ENTRY[2:], model, entities):
        kept[entity][rule, at, bytes(event)] = points
    news: list[tuple[Any, ...]] = []
    gone: list[tuple[Any, ...]] = []
    earned: set[int] = set()
    for entity, decision in decisions.items():
        old = kept.get(entity)
        if old is None:
            news += [(entity, model, *entry) for entry in decision.entries]
            if decision.entries:
                earned.add(entity)
            continue
        for entry in decision.entries:
            points = old.pop(entry[:3], None)
            if points != entry.points:
                news.append((entity, model, *entry))
                if points is None or points < entry.points:
                    earned.add(entity)
        if old:
            earned.add(entity)
            gone += [(entity, model, *key) for key in old]
    place = "entity = ? AND model = ? AND rule = ? AND at = ? AND event = ?"
    executemany(conn, f"DELETE FROM score_entry WHERE {place}", gone)
    upsert(conn, "score_entry", _ENTRY, _ENTRY[:5], news)
    return earned


def drop_decisions(conn: Connection, model: str, entities: Sequence[int], now_ms: int) -> None:
    """Entities that are no more stand nowhere; what was true of them is kept as having ceased to be."""
    if not entities:
        return
    keys = _rows(conn, "transition", ("at", "n", "known_at"), model, entities, " AND gone_at IS NULL")
    _end(conn, [(entity, model, at, n, known_at) for entity, at, n, known_at in keys], now_ms)
    for table in ("decision", "score_entry"):
        sql = f"DELETE FROM {table} WHERE model = ? AND {any_of(conn, 'entity')}"
        execute(conn, sql, model, listed(conn, entities))


def standings(conn: Connection, model: str, people: Sequence[int]) -> dict[int, Standing]:
    """The score and the steps of each of these people that has a decision."""
    steps: dict[int, list[Transition]] = defaultdict(list)
    columns = ("at", "n", "before", "after", "rule", "events", "cycle", "is_backfilled")
    for entity, at, n, before, after, rule, events, cycle, is_backfilled in _rows(
        conn, "transition", columns, model, people, " AND gone_at IS NULL ORDER BY entity, at, n"
    ):
        ids = tuple(bytes.fromhex(id_) for id_ in orjson.loads(events))
        steps[entity].append(Transition(at, n, before, after, rule, ids, cycle, bool(is_backfilled)))
    scores = _rows(conn, "decision", ("score",), model, people)
    return {entity: Standing(score, steps.get(entity, ())) for entity, score in scores}


def forget_decay(conn: Connection, model: str) -> None:
    """No score counts as moved by decay alone: what the vendors show may be older than the last event."""
    execute(conn, "UPDATE decision SET score_rule = ? WHERE model = ? AND score_rule <> ?", SCORE, model, SCORE)


def pend_due(conn: Connection, model: str, now_ms: int) -> int:
    """Whoever stands otherwise by now though nothing more was read waits for `decide`."""
    sql = "SELECT entity FROM decision WHERE model = ? AND due_at <= ?"
    return pending.add_selected(conn, pending.DECIDE, sql, model, now_ms)


def pend_all(conn: Connection) -> int:
    """Every entity waits for `decide`: the definition is another."""
    return pending.add_selected(conn, pending.DECIDE, "SELECT key FROM entity WHERE merged_into IS NULL")


def pend_accounts_of(conn: Connection, people: Sequence[int]) -> None:
    """The accounts of these people wait for `decide`."""
    if not people:
        return
    sql = f"""
    SELECT o.entity FROM membership m
    JOIN link l ON l.source = m.record AND l.kind = '{LinkKind.EMPLOYED.value}'
    JOIN membership o ON o.record = l.target
    WHERE {any_of(conn, "m.entity")}
    """
    pending.add_selected(conn, pending.DECIDE, sql, listed(conn, people))


def keep_definition(conn: Connection, program: Program, now_ms: int) -> bool:
    """The definition's version is among those kept; whether it has decided nothing here before now."""
    definition = program.definition
    rows = fetch(conn, "SELECT decides_from FROM definition WHERE version = ?", definition.version)
    if rows:
        return False
    columns = ("version", "name", "model", "text", "known_at", "decides_from")
    row = (definition.version, definition.name, definition.model, definition.text, now_ms, now_ms)
    insert(conn, "definition", columns, [row])
    return True


def _rows(
    conn: Connection,
    table: str,
    columns: Sequence[str],
    model: str,
    entities: Collection[int],
    tail: str = "",
) -> list[tuple[Any, ...]]:
    """Rows of these entities under a model: the entity's key, then the columns."""
    if not entities:
        return []
    names = ", ".join(columns)
    sql = f"SELECT entity, {names} FROM {table} WHERE {any_of(conn, 'entity')} AND model = ?{tail}"
    return fetch(conn, sql, listed(conn, entities), model)


def _hex(events: Sequence[bytes]) -> str:
    if len(events) == 1:
        return f'["{events[0].hex()}"]'
    return orjson.dumps([event.hex() for event in events]).decode()
