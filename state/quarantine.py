"""Records and changes set aside with their cause, until a person or a fix releases them."""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mapping.records import Ref
from mapping.text import Message
from state import clock, messages
from state.sql import any_of, execute, fetch, fetch_one, listed, upsert

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

RECORD = "record"
"""Set aside because it could not be read or stored."""
MEANING = "meaning"
"""Set aside because a value of it has no meaning in the definition."""
CHANGE = "change"
"""Set aside because the vendor refused to take it."""


class Aside(NamedTuple):
    """One thing to set aside: what it is (record, meaning, change), the record, the field where it is one, and why."""

    what: str
    ref: Ref
    field: str
    reason: Message


class Quarantined(NamedTuple):
    """One thing in quarantine. `since` is an instant in milliseconds."""

    id: int
    what: str
    ref: Ref
    field: str
    reason: Message
    run: int
    since: int


class Cause(NamedTuple):
    """What is set aside for one cause: how many, since when, and one of them."""

    what: str
    cause: str
    field: str
    things: int
    since: int
    example: Ref


def set_aside(conn: Connection, things: Iterable[Aside], run: int, *, now_ms: int | None = None) -> None:
    """The things are in quarantine; one that was there already keeps its first instant."""
    at = clock.now(now_ms)
    rows = [
        (
            thing.what,
            thing.ref.key,
            str(thing.ref),
            thing.field,
            thing.reason.template,
            messages.dump_values(thing.reason),
            run,
            at,
            None,
        )
        for thing in things
    ]
    upsert(
        conn,
        "quarantine",
        ("what", "record", "ref", "field", "cause", "detail", "run", "since", "released_at"),
        ("what", "record", "field", "cause"),
        rows,
        update=("detail", "run", "released_at"),
    )


def has_any(conn: Connection, what: str) -> bool:
    """Whether anything of this kind is in quarantine."""
    sql = "SELECT 1 FROM quarantine WHERE released_at IS NULL AND what = ? LIMIT 1"
    return fetch_one(conn, sql, what) is not None


def causes(conn: Connection) -> list[Cause]:
    """What is in quarantine, grouped by cause and field, the most frequent first."""
    rows = fetch(
        conn,
        "SELECT what, cause, field, COUNT(*), MIN(since), MIN(ref) FROM quarantine WHERE released_at IS NULL"
        " GROUP BY what, cause, field ORDER BY COUNT(*) DESC, what, cause, field",
    )
    return [Cause(what, cause, field, things, since, Ref.parse(ref)) for what, cause, field, things, since, ref in rows]


def quarantined(
    conn: Connection, *, cause: str | None = None, what: str | None = None, after: int = 0, limit: int = 200
) -> list[Quarantined]:
    """What is in quarantine, in the order in which it came there, from beyond the id `after`."""
    rows = fetch(
        conn,
        "SELECT id, what, ref, field, cause, detail, run, since FROM quarantine WHERE released_at IS NULL AND id > ?"
        " AND (CAST(? AS TEXT) IS NULL OR cause = ?) AND (CAST(? AS TEXT) IS NULL OR what = ?) ORDER BY id LIMIT ?",
        after,
        cause,
        cause,
        what,
        what,
        limit,
    )
    return [
        Quarantined(id_, kind, Ref.parse(ref), field, Message(template, messages.load_values(detail)), run, since)
        for id_, kind, ref, field, template, detail, run, since in rows
    ]


def fields_aside(conn: Connection, records: Sequence[int]) -> set[tuple[int, str]]:
    """Which fields of these records are not to be written, since the vendor refused them: (record key, field)."""
    if not has_any(conn, CHANGE):
        return set()
    sql = f"SELECT record, field FROM quarantine WHERE released_at IS NULL AND what = ? AND {any_of(conn, 'record')}"
    return set(fetch(conn, sql, CHANGE, listed(conn, records)))


def count(conn: Connection, *, run: int | None = None) -> int:
    """How many things are in quarantine: all, or those that one run set aside."""
    sql = "SELECT COUNT(*) FROM quarantine WHERE released_at IS NULL AND (CAST(? AS BIGINT) IS NULL OR run = ?)"
    row = fetch_one(conn, sql, run, run)
    return int(row[0]) if row else 0


def release(conn: Connection, ids: Sequence[int], *, now_ms: int | None = None) -> list[int]:
    """The things are free again; returns the keys of their records, for those who take them up anew."""
    at = clock.now(now_ms)
    sql = f"UPDATE quarantine SET released_at = ? WHERE {any_of(conn, 'id')} AND released_at IS NULL RETURNING record"
    return sorted({row[0] for row in fetch(conn, sql, at, listed(conn, ids))})


def release_mended(conn: Connection, what: str, records: Iterable[int], *, now_ms: int | None = None) -> None:
    """What was set aside of these records is free again, since they went through; costs nothing where nothing was."""
    if not has_any(conn, what):
        return
    at = clock.now(now_ms)
    sql = f"UPDATE quarantine SET released_at = ? WHERE released_at IS NULL AND what = ? AND {any_of(conn, 'record')}"
    execute(conn, sql, at, what, listed(conn, records))
