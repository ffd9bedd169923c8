"""Changes from intention to outcome: what was about to be written, what became of it, and what may be relied on.

An intention is committed before its call is made, an outcome after the answer came; what lies between the two is
unsettled, and is settled by reading back, never by sending again.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mapping.errors import PlanRefused
from mapping.records import Ref
from mapping.text import say
from reconcile.changes import Change, Kind, Outcome, Settlement, Value
from state import chain, clock, messages, meta
from state.sql import any_of, execute, executemany, fetch, fetch_one, insert, listed
from state.store import refresh_payload

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

    from mapping.text import Message
    from state.engine import Database

APPROVED = "approved"
HELD = "held"
APPLIED = "applied"

_COLUMNS = (
    "id",
    "plan",
    "run",
    "record",
    "entity",
    "field",
    "before",
    "after",
    "reason",
    "rule",
    "kind",
    "outcome",
    "detail",
    "intended_at",
    "settled_at",
)
_SELECT = (
    "SELECT c.id, c.plan, c.run, s.system, s.object, r.id, c.field, c.before, c.after, c.reason, c.rule, c.kind,"
    " c.entity, c.outcome, c.detail, c.intended_at, c.settled_at"
    " FROM change c JOIN record r ON r.key = c.record JOIN source s ON s.id = r.source"
)


class Entry(NamedTuple):
    """One change of the reconcile log. Instants are in milliseconds; `intended_at` None: it waits in a held plan."""

    id: int
    plan: str
    run: int
    change: Change
    outcome: Outcome | None
    detail: Message | None
    intended_at: int | None
    settled_at: int | None


class Spent(NamedTuple):
    """How many changes were sent for one object, kind and rule, on how many records."""

    system: str
    object: str
    kind: str
    rule: str
    changes: int
    records: int


def intend(db: Database, digest: str, changes: Sequence[Change], *, run: int, now_ms: int | None = None) -> list[int]:
    """The intention to make these changes is committed; returns their ids, in order, with which to settle them.

    Called before any of them is sent, for a part of the plan or all of it. Changes that waited in the held plan keep
    their ids. Raises PlanRefused where the plan is held and no valid approval stands.
    """
    at = clock.now(now_ms)
    if not changes:
        return []
    with db.write() as conn:
        _permit(conn, digest, len(changes), run, at)
        waiting = {
            (record, field): id_
            for id_, record, field in fetch(
                conn, "SELECT id, record, field FROM change WHERE plan = ? AND intended_at IS NULL", digest
            )
        }
        rows = add_changes(conn, digest, changes, run, at, waiting)
        key = chain.load_key(db, conn)
        lines = [[row[0], row[3], row[5], chain.mark(key, row[0], row[6], row[7])] for row in rows]
        chain.append(db, conn, "intended", {"plan": digest, "run": run, "changes": lines}, now_ms=at)
    return [row[0] for row in rows]


def add_changes(
    conn: Connection,
    digest: str,
    changes: Sequence[Change],
    run: int,
    intended_at: int | None,
    waiting: dict[tuple[int, str], int] | None = None,
) -> list[tuple[Any, ...]]:
    """The changes stand in the store as part of a plan; those that waited there are now intended.

    Returns their rows.
    """
    known = waiting or {}
    keys = [(change.ref.key, change.field) for change in changes]
    fresh = sum(key not in known for key in keys)
    number = meta.take(conn, "change", fresh) if fresh else 0
    rows, new = [], []
    for change, (record, field) in zip(changes, keys, strict=True):
        id_ = known.get((record, field))
        row = (
            number if id_ is None else id_,
            digest,
            run,
            record,
            change.entity,
            field,
            _dump(change.before),
            _dump(change.after),
            change.reason,
            change.rule,
            change.kind.value,
            None,
            None,
            intended_at,
            None,
        )
        rows.append(row)
        if id_ is None:
            new.append(row)
            number += 1
    insert(conn, "change", _COLUMNS, new)
    sent = [(run, row[6], row[7], intended_at, row[0]) for row in rows if (row[3], row[5]) in known]
    executemany(conn, "UPDATE change SET run = ?, before = ?, after = ?, intended_at = ? WHERE id = ?", sent)
    return rows


def settle(db: Database, settled: Iterable[tuple[int, Settlement]], *, now_ms: int | None = None) -> None:
    """The outcomes are committed, and what was read back stands in the stored payloads, so that our echo is no news.

    A change may be settled again, as when an unknown one was read back.
    """
    pairs = list(settled)
    if not pairs:
        return
    at = clock.now(now_ms)
    read: dict[int, dict[str, object]] = {}
    for _, settlement in pairs:
        if settlement.is_read:
            change = settlement.change
            read.setdefault(change.ref.key, {})[change.field] = settlement.remote
    with db.write() as conn:
        executemany(
            conn,
            "UPDATE change SET outcome = ?, detail = ?, settled_at = ? WHERE id = ?",
            [(s.outcome.value, None if s.detail is None else messages.dump(s.detail), at, id_) for id_, s in pairs],
        )
        refresh_payload(conn, read)
        lines = [[id_, s.outcome.value] for id_, s in pairs]
        chain.append(db, conn, "settled", {"changes": lines}, now_ms=at)


def unsettled(conn: Connection) -> list[Entry]:
    """The changes that a vendor may have received: intended without an outcome, or settled as unknown."""
    sql = f"{_SELECT} WHERE c.intended_at IS NOT NULL AND (c.outcome IS NULL OR c.outcome = 'unknown') ORDER BY c.id"
    return [_entry(row) for row in fetch(conn, sql)]


def planned(conn: Connection, digest: str) -> list[Entry]:
    """The changes of a stored plan that were not yet intended, in the plan's order."""
    sql = f"{_SELECT} WHERE c.plan = ? AND c.intended_at IS NULL ORDER BY c.id"
    return [_entry(row) for row in fetch(conn, sql, digest)]


def find_changes(
    conn: Connection,
    *,
    run: int | None = None,
    records: Sequence[int] | None = None,
    system: str | None = None,
    object_: str | None = None,
    field: str | None = None,
    since_ms: int | None = None,
    until_ms: int | None = None,
    outcome: Outcome | None = None,
    before: int | None = None,
    limit: int = 100,
) -> list[Entry]:
    """The reconcile log: changes that were intended, newest first, those of which all filters are true.

    `before` is the id of the last one of the page before.
    """
    where, params = ["c.intended_at IS NOT NULL"], []
    filters: list[tuple[str, object]] = [
        ("c.run = ?", run),
        ("s.system = ?", system),
        ("s.object = ?", object_),
        ("c.field = ?", field),
        ("c.intended_at >= ?", since_ms),
        ("c.intended_at < ?", until_ms),
        ("c.outcome = ?", None if outcome is None else outcome.value),
        ("c.id < ?", before),
        (any_of(conn, "c.record"), None if records is None else listed(conn, records)),
    ]
    for condition, value in filters:
        if value is not None:
            where.append(condition)
            params.append(value)
    sql = f"{_SELECT} WHERE {' AND '.join(where)} ORDER BY c.id DESC LIMIT ?"
    return [_entry(row) for row in fetch(conn, sql, *params, limit)]


def written(conn: Connection, keys: Sequence[int], field: str) -> dict[int, Value]:
    """By record: the value of that field that headrace last wrote and saw accepted; the others are missing."""
    rows = fetch(
        conn,
        f"SELECT record, after FROM change WHERE id IN (SELECT MAX(id) FROM change WHERE {any_of(conn, 'record')}"
        " AND field = ? AND outcome IN ('applied', 'verified') GROUP BY record)",
        listed(conn, keys),
        field,
    )
    return {record: orjson.loads(after) for record, after in rows}


def spent(conn: Connection, since_ms: int) -> list[Spent]:
    """What was sent since an instant, for the guard's limit over a day. What proved needless or stale is left out."""
    rows = fetch(
        conn,
        "SELECT s.system, s.object, c.kind, c.rule, COUNT(*), COUNT(DISTINCT c.record)"
        " FROM change c JOIN record r ON r.key = c.record JOIN source s ON s.id = r.source"
        " WHERE c.intended_at >= ? AND (c.outcome IS NULL OR c.outcome NOT IN ('stale', 'skipped'))"
        " GROUP BY s.system, s.object, c.kind, c.rule ORDER BY s.system, s.object, c.kind, c.rule",
        since_ms,
    )
    return [Spent(*row) for row in rows]


def outcomes(conn: Connection, run: int) -> dict[str, int]:
    """How many changes of a run have each outcome; None stands as `intended`."""
    rows = fetch(
        conn,
        "SELECT COALESCE(outcome, 'intended'), COUNT(*) FROM change"
        " WHERE run = ? AND intended_at IS NOT NULL GROUP BY 1",
        run,
    )
    return dict(rows)


def outcomes_of_plan(conn: Connection, digest: str) -> dict[str, int]:
    """How many changes of a plan have each outcome; those without one are left out."""
    sql = "SELECT outcome, COUNT(*) FROM change WHERE plan = ? AND outcome IS NOT NULL GROUP BY outcome"
    return dict(fetch(conn, sql, digest))


def _permit(conn: Connection, digest: str, count: int, run: int, at: int) -> None:
    """The plan is on its way; refused where it is held and was not approved, or its approval has expired."""
    row = fetch_one(conn, "SELECT state, expires_at FROM plan WHERE digest = ?", digest)
    if row is None:
        sql = "INSERT INTO plan (digest, run, kind, state, changes, created_at) VALUES (?, ?, 'sync', ?, ?, ?)"
        execute(conn, sql, digest, run, APPLIED, count, at)
        return
    state, expires_at = row
    if state == HELD:
        raise PlanRefused(say("The plan is held and was not approved."), found=count, limit=0)
    if state == APPROVED and expires_at is not None and expires_at <= at:
        raise PlanRefused(say("The approval of the plan has expired."), found=count, limit=0)


def _entry(row: tuple[Any, ...]) -> Entry:
    id_, plan, run, system, object_, record_id, field, before, after, reason, rule, kind, entity, *rest = row
    outcome, detail, intended_at, settled_at = rest
    change = Change(
        ref=Ref(system, object_, record_id),
        field=field,
        before=orjson.loads(before),
        after=orjson.loads(after),
        reason=reason,
        rule=rule,
        kind=Kind(kind),
        entity=entity,
    )
    state = None if outcome is None else Outcome(outcome)
    said = None if detail is None else messages.load(detail)
    return Entry(id_, plan, run, change, state, said, intended_at, settled_at)


def _dump(value: Value) -> str:
    return orjson.dumps(value).decode()
