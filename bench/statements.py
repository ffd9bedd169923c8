"""What a store was asked to do: statements, rows and transactions, counted where they leave for the driver."""

from __future__ import annotations

import re
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sqlalchemy import event

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.place import Counters
    from state.engine import Database

_WRITES = re.compile(r"\s*(?:INSERT INTO|UPDATE|DELETE FROM)\s+(\w+)")


@contextmanager
def counted(db: Database) -> Iterator[Counter[str]]:
    """Counts while it is open: `statements`, `transactions`, and the rows sent to each table as `rows TABLE`."""
    counts: Counter[str] = Counter()

    def on_execute(_conn: Any, _cursor: Any, sql: str, params: Any, _context: Any, is_many: bool) -> None:  # noqa: FBT001  # SQLAlchemy's
        if sql.startswith("PRAGMA query_only"):
            return
        if sql.startswith("BEGIN"):
            counts["transactions"] += sql == "BEGIN IMMEDIATE"
            return
        counts["statements"] += 1
        found = _WRITES.match(sql)
        if found:
            counts[f"rows {found[1]}"] += len(params) if is_many else 1

    event.listen(db.engine, "before_cursor_execute", on_execute)
    try:
        yield counts
    finally:
        event.remove(db.engine, "before_cursor_execute", on_execute)


def told(counts: Counter[str], *, records: int) -> Counters:
    """The counters that gate."""
    return {
        "records": records,
        "statements": counts["statements"],
        "transactions": counts["transactions"],
        "rows_written": counts["rows record"],
        "audit_rows": counts["rows record_change"],
    }
