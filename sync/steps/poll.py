"""Step 2: what changed at the vendors goes into the store, page by page, each with its cursor."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from mapping.errors import SystemDown
from mapping.records import Cursor
from state import meta, store
from sync.logs import logger
from sync.summary import ObjectCount, SystemCount

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from threading import Event

    from connectors.base import Connector
    from mapping.records import Batch
    from state.engine import Database

    Volatile = Callable[[str, str], frozenset[str]]
    """(system, object) -> the fields whose change alone is no change."""


class Progress(Protocol):
    """Told, from several threads, how far a run has come."""

    def read(self, system: str, object_: str, count: int) -> None:
        """So many more records of an object were read."""

    def finish(self, system: str, object_: str) -> None:
        """The object is read to its end."""

    def step(self, name: str) -> None:
        """The run has come to this step."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Start:
    """Where reading begins: where it had come to, or at an instant, or at the very first record."""

    is_fresh: bool = False
    since: datetime | None = None

    def cursor(self, stored: Cursor | None) -> Cursor | None:
        """The cursor to read from."""
        if self.since is not None:
            return Cursor(position={}, settled_at=self.since)
        return None if self.is_fresh else stored


WHERE_IT_WAS = Start()


@dataclass(frozen=True, kw_only=True, slots=True)
class Reading:
    """One pass over the vendors: for which run, from where on, and who is told. `stop` ends it between two pages."""

    db: Database
    run: int
    volatile: Volatile
    progress: Progress
    stop: Event
    start: Start = WHERE_IT_WAS
    only: Sequence[str] | None = None
    ours: Mapping[tuple[str, str], Sequence[str]] = field(default_factory=dict)
    """(system, object) -> the fields that headrace writes there."""


def poll(reading: Reading, connectors: Mapping[str, Connector]) -> dict[str, SystemCount]:
    """Read every system side by side; one that is down loses its turn and keeps its cursors, the others go on."""
    counts = {name: SystemCount() for name in connectors}
    with ThreadPoolExecutor(max_workers=max(1, len(connectors)), thread_name_prefix="poll") as pool:
        jobs = [pool.submit(_poll_system, reading, each, counts[name]) for name, each in connectors.items()]
        try:
            for job in jobs:
                job.result()
        except KeyboardInterrupt:
            reading.stop.set()  # else the pool waits until everything is read
            raise
    return counts


def _poll_system(reading: Reading, connector: Connector, counts: SystemCount) -> None:
    started, calls_before = time.monotonic(), connector.calls
    try:
        for object_ in connector.objects:
            if reading.stop.is_set():
                break
            if reading.only is None or object_ in reading.only:
                counts.objects[object_] = ObjectCount()
                _poll_object(reading, connector, object_, counts.objects[object_])
                reading.progress.finish(connector.system, object_)
    except SystemDown as down:
        counts.error, counts.hint = down.message, down.hint
        logger.debug("poll.broken_off", system=connector.system, run_id=reading.run)
    finally:
        counts.calls = connector.calls - calls_before
        counts.elapsed_s = time.monotonic() - started


def _poll_object(reading: Reading, connector: Connector, object_: str, count: ObjectCount) -> None:
    system = connector.system
    volatile = reading.volatile(system, object_)
    with reading.db.read() as conn:
        cursor = reading.start.cursor(store.load_cursor(conn, system, object_))
    with store.Intake(reading.db, system, object_, run=reading.run, volatile=volatile) as intake:
        for batch in connector.poll(object_, cursor):
            _note_missing(reading, system, batch)
            saved = intake.save(batch)
            count.read += saved.read
            count.changed += saved.changed
            count.deleted += saved.deleted
            count.quarantined += saved.quarantined
            reading.progress.read(system, object_, saved.read)
            logger.debug(
                "poll.batch_read",
                run_id=reading.run,
                system=system,
                object=object_,
                count=saved.read,
                changed=saved.changed,
            )
            if reading.stop.is_set():
                break
    with reading.db.read() as conn:
        count.missing = (meta.get(conn, _missing(system, object_)) or "").split()


def _note_missing(reading: Reading, system: str, batch: Batch) -> None:
    """The store knows which of our fields the vendor leaves out, because they are not there or are hidden from us."""
    ours = reading.ours.get((system, batch.object), ())
    payload = next((payload for _, _, payload, is_deleted in batch.rows if not is_deleted), None)
    if not ours or payload is None:
        return
    found = " ".join(name for name in ours if f'"{name}":'.encode() not in payload) or None
    name = _missing(system, batch.object)
    with reading.db.read() as conn:
        is_known = meta.get(conn, name) == found
    if not is_known:
        with reading.db.write() as conn:
            meta.put(conn, name, found)


def _missing(system: str, object_: str) -> str:
    return f"missing.{system}.{object_}"
