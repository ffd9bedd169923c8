"""Work that a step has left for the next one, by key: each key once, whatever asked for it and how often."""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING

from state.sql import any_of, execute, fetch, fetch_one, is_postgres, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import Connection

RESOLVE = "resolve"
"""Keys of records whose person or account is to be found."""
DECIDE = "decide"
"""Keys of entities whose stage and score are to be decided."""
PLAN = "plan"
"""Keys of entities whose wanted values are to be compared with the remote ones."""


def add(conn: Connection, step: str, keys: Iterable[int]) -> None:
    """The keys wait for the step."""
    values = "unnest(?::bigint[]) AS k (value)" if is_postgres(conn) else "json_each(?) AS k"
    select = f"SELECT CAST(? AS TEXT), k.value FROM {values} WHERE TRUE"
    execute(conn, f"INSERT INTO pending (step, key) {select} ON CONFLICT DO NOTHING", step, listed(conn, keys))


def add_selected(conn: Connection, step: str, select: str, *params: object) -> int:
    """The keys that a statement of one column selects wait for the step; returns how many came to wait."""
    keys = f"WITH s (k) AS ({select}) SELECT CAST(? AS TEXT), k FROM s WHERE TRUE"
    return execute(conn, f"INSERT INTO pending (step, key) {keys} ON CONFLICT DO NOTHING", *params, step)


def take(conn: Connection, step: str, limit: int, *, after: int | None = None) -> list[int]:
    """The keys that wait for the step, ascending, from beyond `after`. They go on waiting until they are removed, in
    the transaction that stores what came of them.
    """
    if after is None:
        rows = fetch(conn, "SELECT key FROM pending WHERE step = ? ORDER BY key LIMIT ?", step, limit)
    else:
        sql = "SELECT key FROM pending WHERE step = ? AND key > ? ORDER BY key LIMIT ?"
        rows = fetch(conn, sql, step, after, limit)
    return [row[0] for row in rows]


def waiting(conn: Connection, step: str, keys: Iterable[int]) -> set[int]:
    """Those of the keys that wait for the step."""
    sql = f"SELECT key FROM pending WHERE step = ? AND {any_of(conn, 'key')}"
    return {key for (key,) in fetch(conn, sql, step, listed(conn, keys))}


def remove(conn: Connection, step: str, keys: Sequence[int]) -> None:
    """The keys no longer wait for the step."""
    execute(conn, f"DELETE FROM pending WHERE step = ? AND {any_of(conn, 'key')}", step, listed(conn, keys))


def count(conn: Connection, step: str) -> int:
    """How many keys wait for the step."""
    row = fetch_one(conn, "SELECT COUNT(*) FROM pending WHERE step = ?", step)
    return int(row[0]) if row else 0
