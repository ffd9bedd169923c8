"""Single values that the store keeps about itself, and its counters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from state.sql import execute, fetch_one

if TYPE_CHECKING:
    from sqlalchemy import Connection


def get(conn: Connection, name: str) -> str | None:
    """The value of that name, None where there is none."""
    row = fetch_one(conn, "SELECT value FROM meta WHERE name = ?", name)
    return None if row is None else str(row[0])


def put(conn: Connection, name: str, value: str | None) -> None:
    """The name has that value, or none."""
    if value is None:
        execute(conn, "DELETE FROM meta WHERE name = ?", name)
        return
    sql = "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value"
    execute(conn, sql, name, value)


def take(conn: Connection, counter: str, count: int) -> int:
    """The first of `count` numbers of a counter that nobody else gets; the first ever is 1.

    Whoever takes from one counter queues here until the other has committed, so that a later number is never seen
    before an earlier one.
    """
    sql = "UPDATE meta SET value = CAST(CAST(value AS BIGINT) + ? AS TEXT) WHERE name = ? RETURNING value"
    row = fetch_one(conn, sql, count, counter)
    if row is None:
        execute(conn, "INSERT INTO meta (name, value) VALUES (?, '0') ON CONFLICT (name) DO NOTHING", counter)
        row = fetch_one(conn, sql, count, counter)
        assert row is not None
    return int(row[0]) - count + 1


def taken(conn: Connection, counter: str) -> int:
    """The last number that was taken from a counter, 0 where none was."""
    return int(get(conn, counter) or 0)


def watermark(conn: Connection, step: str) -> int:
    """How far a step has consumed what is before it: the last `seq` it took in, 0 at first."""
    return int(get(conn, f"watermark.{step}") or 0)


def set_watermark(conn: Connection, step: str, seq: int) -> None:
    """The step has taken in everything up to `seq`; committed together with what it made of it."""
    put(conn, f"watermark.{step}", str(seq))
