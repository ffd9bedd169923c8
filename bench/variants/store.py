"""Our store alone: `Intake` with the same rows in the same transactions."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from bench.rows import PER_TRANSACTION, payloads_of
from bench.statements import counted, told
from mapping import vendors
from mapping.records import Batch, Cursor
from state import runs
from state.engine import Database, upgrade
from state.store import Intake
from sync.house import _calm_collector

if TYPE_CHECKING:
    from bench.place import Counters, Place

_NOW = datetime(2026, 11, 21, tzinfo=UTC)


def prepare(n: int, place: Place) -> tuple[Database, int, list[Batch]]:
    db = Database.open(f"sqlite:///{place.folder / 'store.db'}")
    upgrade(db)
    with db.write() as conn:
        run = runs.begin_run(conn, "bench")
    _calm_collector()  # as every process that holds a store does
    cursor = Cursor(position={}, settled_at=_NOW)
    batches = [
        Batch(object="Contact", rows=payloads_of(at, min(at + PER_TRANSACTION, n)), cursor=cursor)
        for at in range(0, n, PER_TRANSACTION)
    ]
    return db, run, batches


def run(_n: int, _place: Place, ready: tuple[Database, int, list[Batch]]) -> Counters:
    db, run, batches = ready
    volatile = vendors.volatile("salesforce", "Contact")
    with counted(db) as counts, Intake(db, "salesforce", "Contact", run=run, volatile=volatile) as intake:
        read = sum(intake.save(batch).read for batch in batches)
    return told(counts, records=read)
