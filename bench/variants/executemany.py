"""The driver alone: rows of twenty columns upserted, two thousand in a transaction; the least that storing can cost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.place import store_connection
from bench.rows import COLUMNS, PER_TRANSACTION, rows_of

if TYPE_CHECKING:
    from bench.place import Counters, Place


def prepare(n: int, place: Place) -> tuple[Any, list[list[tuple[Any, ...]]]]:
    conn = store_connection(place.folder / "bare.db")
    conn.execute(f"CREATE TABLE contact ({COLUMNS[0]} TEXT PRIMARY KEY, {', '.join(COLUMNS[1:])})")
    return conn, [rows_of(at, min(at + PER_TRANSACTION, n)) for at in range(0, n, PER_TRANSACTION)]


def run(_n: int, _place: Place, ready: tuple[Any, list[list[tuple[Any, ...]]]]) -> Counters:
    conn, batches = ready
    sets = ", ".join(f"{name} = excluded.{name}" for name in COLUMNS[1:])
    sql = f"INSERT INTO contact VALUES ({', '.join('?' * len(COLUMNS))}) ON CONFLICT DO UPDATE SET {sets}"
    for rows in batches:
        conn.execute("BEGIN IMMEDIATE")
        conn.executemany(sql, rows)
        conn.execute("COMMIT")
    return {"records": conn.execute("SELECT COUNT(*) FROM contact").fetchone()[0]}
