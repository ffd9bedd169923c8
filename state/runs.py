"""The runs of the pipeline: when each began, how it ended and what it did."""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from state import clock
from state.sql import execute, fetch, fetch_one

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

_COLUMNS = "id, verb, status, started_at, finished_at, summary"


class Run(NamedTuple):
    """One run. Instants are in milliseconds; `summary` is what its `--json` says."""

    id: int
    verb: str
    status: str
    started_at: int
    finished_at: int | None
    summary: Mapping[str, Any] | None


def begin_run(conn: Connection, verb: str, *, now_ms: int | None = None) -> int:
    """A run of that verb has begun; returns its number."""
    at = clock.now(now_ms)
    row = fetch_one(conn, "INSERT INTO run (verb, status, started_at) VALUES (?, 'running', ?) RETURNING id", verb, at)
    assert row is not None
    return int(row[0])


def finish_run(
    conn: Connection, run: int, status: str, summary: Mapping[str, Any] | None = None, *, now_ms: int | None = None
) -> None:
    """The run has ended: done, partial, held or failed."""
    at = clock.now(now_ms)
    text = None if summary is None else orjson.dumps(dict(summary), default=str).decode()
    execute(conn, "UPDATE run SET status = ?, finished_at = ?, summary = ? WHERE id = ?", status, at, text, run)


def close_abandoned(conn: Connection, *, now_ms: int | None = None) -> int:
    """Runs whose process went away have failed; to be called by the holder of the lease, before it begins a run."""
    at = clock.now(now_ms)
    return execute(conn, "UPDATE run SET status = 'failed', finished_at = ? WHERE status = 'running'", at)


def find_run(conn: Connection, run: int) -> Run | None:
    """The run of that number."""
    row = fetch_one(conn, f"SELECT {_COLUMNS} FROM run WHERE id = ?", run)
    return None if row is None else _run(row)


def list_runs(conn: Connection, *, before: int | None = None, limit: int = 50) -> list[Run]:
    """The runs, newest first, from below the number `before`."""
    if before is None:
        rows = fetch(conn, f"SELECT {_COLUMNS} FROM run ORDER BY id DESC LIMIT ?", limit)
    else:
        rows = fetch(conn, f"SELECT {_COLUMNS} FROM run WHERE id < ? ORDER BY id DESC LIMIT ?", before, limit)
    return [_run(row) for row in rows]


def _run(row: tuple[Any, ...]) -> Run:
    id_, verb, status, started_at, finished_at, summary = row
    return Run(id_, verb, status, started_at, finished_at, None if summary is None else orjson.loads(summary))
