"""Step 3: what happened. From records that are new or changed to events, profiles, links and identifiers.

Two passes. The first follows the watermark through what is new or changed. Records that are read together with their
history rows (an opportunity, a converted lead), and records whose reading looked another one up that is different now,
wait for the second, so that each of them is read once, when everything is there.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mapping.derive import Reader, Record
from mapping.derived import Derived, Facts
from mapping.records import record_key
from mapping.text import say
from state import history, journal, meta, pending, quarantine, store
from state.sql import any_of, fetch, fetch_one, listed
from sync.steps import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from threading import Event

    from sqlalchemy import Connection

    from mapping.derive import Deriver
    from mapping.derived import Payload
    from state.engine import Database
    from state.store import Changed

CHUNK = 10_000
"""Records derived in one transaction."""
ENOUGH = 30_000
"""Events that are enough for one transaction: the more there are, the more of them share a page of the store."""
READ = 500
"""Records held in memory at a time."""
STEP = "derive"
"""Name of the watermark, and of the records that wait for the second pass."""
MISSING = "derive.missing"
"""Records that a reading looked up and that were not there."""
_new = tuple.__new__  # a quarter of the price of the constructor of a named tuple
Reads = dict[Reader, list[Record]]
"""Records by how they are read."""
_LOADED = "derive.loaded"
_READING = "derive.reading"


class Derivation(NamedTuple):
    """Records read, events that came to be known, events that ceased to be held true, values without a meaning."""

    records: int = 0
    events: int = 0
    retracted: int = 0
    unmapped: int = 0

    def plus(self, other: Derivation) -> Derivation:
        """The sum of both."""
        return Derivation(*(one + more for one, more in zip(self, other, strict=True)))


class _Case(NamedTuple):
    """What is the same for all records of one run. `is_fresh`: nothing was ever derived in this store."""

    derivers: Mapping[str, Deriver]
    now_ms: int
    run: int
    is_fresh: bool
    is_first_load: bool


def derive(db: Database, derivers: Mapping[str, Deriver], *, now_ms: int, run: int, stop: Event = NEVER) -> Derivation:
    """Everything up to the newest change is derived; each chunk is one transaction with its watermark.

    `stop` ends it between two chunks.

    Where the readings themselves changed (a meaning, the company's zone, this release) all records are derived again.
    """
    with db.write() as conn:
        is_first_load = meta.get(conn, _LOADED) is None
        is_fresh = _start_again(conn, derivers) and is_first_load
    case = _Case(derivers, now_ms, run, is_fresh, is_first_load)
    total = Derivation()
    while not stop.is_set() and (done := _derive_changed(db, case)) is not None:
        total = total.plus(done)
    while not stop.is_set() and (done := _derive_waiting(db, case)) is not None:
        total = total.plus(done)
    if is_first_load and not stop.is_set():
        with db.write() as conn:
            meta.put(conn, _LOADED, "1")
    return total


def _start_again(conn: Connection, derivers: Mapping[str, Deriver]) -> bool:
    """Whether derivation starts at the first record: in a new store, and when the readings changed."""
    reading = orjson.dumps([derivers[name].reading for name in sorted(derivers)]).decode()
    if meta.get(conn, _READING) != reading:
        meta.set_watermark(conn, STEP, 0)
        meta.put(conn, _READING, reading)
    return meta.watermark(conn, STEP) == 0


def _derive_changed(db: Database, case: _Case) -> Derivation | None:
    """One chunk of the first pass; None where there is nothing left."""
    with db.write() as conn:
        seq = meta.watermark(conn, STEP)
        into, keys, seen = Derived(), list[int](), 0
        while seen < CHUNK and len(into.rows) < ENOUGH:
            rows = store.changed_records(conn, seq, min(READ, CHUNK - seen))
            if not rows:
                break
            seq, seen = rows[-1].seq, seen + len(rows)
            reads = _decoded(conn, rows, case)
            if waiting := _dependents(conn, reads) | _take_waiting(reads):
                pending.add(conn, STEP, waiting)
            keys += _read(conn, reads, into)
        if not seen:
            return None
        done = _save(conn, keys, into, case)
        meta.set_watermark(conn, STEP, seq)
        return done


def _derive_waiting(db: Database, case: _Case) -> Derivation | None:
    """One chunk of the second pass; None where there is nothing left."""
    with db.write() as conn:
        keys = pending.take(conn, STEP, READ)
        if not keys:
            return None
        into = Derived()
        read = _read(conn, _decoded(conn, _records(conn, keys), case), into)
        done = _save(conn, read, into, case)
        pending.remove(conn, STEP, keys)
        return done


def _decoded(conn: Connection, rows: Iterable[Changed], case: _Case) -> Reads:
    """The records of the configured systems by how they are read, each with all that ever changed in it."""
    has_changes = fetch_one(conn, "SELECT 1 FROM record_change LIMIT 1") is not None
    changes = store.record_changes(conn, [row.key for row in rows]) if has_changes else {}
    loads, nothing = orjson.loads, ()
    reads: Reads = defaultdict(list)
    for _, key, system, object_, _, payload, is_deleted in rows:
        if system in case.derivers:
            reader = case.derivers[system].reader(object_)
            reads[reader].append(_new(Record, (key, loads(payload), changes.get(key, nothing), is_deleted)))
    return reads


def _take_waiting(reads: Reads) -> set[int]:
    """Those that are read with their rows, or that are such rows, are left for the second pass."""
    waiting: set[int] = set()
    for reader, records in reads.items():
        if reader.parent is not None:
            parents = (reader.parent(record.payload) for record in records)
            waiting.update(record_key(reader.system, *parent) for parent in parents if parent is not None)
        if reader.has_rows is not None:
            with_rows = {record.key for record in records if reader.has_rows(record.payload)}
            waiting |= with_rows
            records[:] = [record for record in records if record.key not in with_rows]
    return waiting


def _read(conn: Connection, reads: Reads, into: Derived) -> list[int]:
    """All that the records tell is added; returns their keys."""
    facts = _facts(conn, reads)
    for reader, records in reads.items():
        reader.read(records, into, facts)
    return [record.key for records in reads.values() for record in records]


def _save(conn: Connection, keys: Sequence[int], into: Derived, case: _Case) -> Derivation:
    """The store holds what these records tell; their values without a meaning are set aside."""
    kept = history.save_derived(
        conn,
        into,
        known_at=case.now_ms,
        again=() if case.is_fresh else keys,
        is_first_load=case.is_first_load,
    )
    quarantine.release_mended(conn, quarantine.MEANING, keys, now_ms=case.now_ms)
    if into.unmapped:
        refs = store.refs(conn, list({record for record, _, _ in into.unmapped}))
        aside = [
            quarantine.Aside(
                quarantine.MEANING, refs[record], field, say("The value {value!r} has no meaning.", value=value)
            )
            for record, field, value in into.unmapped
        ]
        quarantine.set_aside(conn, aside, case.run, now_ms=case.now_ms)
    return Derivation(len(keys), kept.events, kept.retracted, len(into.unmapped))


def _records(conn: Connection, keys: Sequence[int]) -> list[store.Changed]:
    rows = fetch(
        conn,
        "SELECT r.seq, r.key, s.system, s.object, r.id, r.payload, r.is_deleted FROM record r"
        f" JOIN source s ON s.id = r.source WHERE {any_of(conn, 'r.key')}",
        listed(conn, keys),
    )
    return [_new(store.Changed, row) for row in rows]


def _facts(conn: Connection, reads: Reads) -> Facts:
    """What these readings need of other records; what they need and the store lacks is noted as missing."""
    wanted = {key for reader, records in reads.items() for key in reader.references(records)}
    found = store.payloads(conn, list(wanted)) if wanted else {}
    if len(found) < len(wanted):
        pending.add(conn, MISSING, wanted - found.keys())
    parents = [
        record.key
        for reader, records in reads.items()
        if reader.has_rows is not None
        for record in records
        if reader.has_rows(record.payload)
    ]
    rows: dict[int, list[Payload]] = {}
    if parents:
        sql = (
            "SELECT l.target, r.payload FROM link l JOIN record r ON r.key = l.origin"
            f" WHERE {any_of(conn, 'l.target')} AND l.kind = 'part' AND NOT r.is_deleted"
        )
        for key, payload in fetch(conn, sql, listed(conn, parents)):
            rows.setdefault(key, []).append(orjson.loads(payload))
    payloads = {key: orjson.loads(payload) for key, payload in found.items()}
    return Facts(payloads=payloads, rows=rows, written=_written(conn, reads))


def _written(conn: Connection, reads: Reads) -> set[tuple[int, str]]:
    """The canonical ids found on these records that the journal shows we wrote there; others are copies of clones."""
    carried: dict[str, dict[int, str]] = {}
    for reader, records in reads.items():
        if reader.id_field is not None:
            values = {record.key: value for record in records if (value := reader.canonical_id(record.payload))}
            carried.setdefault(reader.id_field, {}).update(values)
    return {
        (key, value)
        for field, values in carried.items()
        if values
        for key, value in journal.written(conn, list(values), field).items()
        if isinstance(value, str) and values[key] == value
    }


def _dependents(conn: Connection, reads: Reads) -> set[int]:
    """The records whose readings looked one of these up, and would find something else now."""
    looked_up = [(reader, reader.lookup, records) for reader, records in reads.items() if reader.lookup is not None]
    if not looked_up:
        return set()
    keys = [record.key for _, _, records in looked_up for record in records]
    sql = f"SELECT key FROM pending WHERE step = ? AND {any_of(conn, 'key')}"
    missed = {row[0] for row in fetch(conn, sql, MISSING, listed(conn, keys))}
    subjects: list[int] = []
    others: dict[tuple[str, str, str], set[str]] = {}
    for reader, lookup, records in looked_up:
        differ = {
            record.key
            for record in records
            if record.key in missed or any(change.field in lookup.fields for change in record.changes)
        }
        if lookup.is_subject:
            subjects += differ
        elif differ:
            ids = {ref.id for ref in store.refs(conn, list(differ)).values()}
            others.setdefault((reader.system, lookup.object, lookup.field), set()).update(ids)
    if missed:
        pending.remove(conn, MISSING, list(missed))
    found: set[int] = set()
    if subjects:
        sql = f"SELECT DISTINCT origin FROM event WHERE {any_of(conn, 'subject')} AND origin IS NOT NULL"
        found.update(row[0] for row in fetch(conn, sql, listed(conn, subjects)))
    for (system, object_, field), ids in others.items():
        found |= _referring(conn, system, object_, field, ids)
    return found


def _referring(conn: Connection, system: str, object_: str, field: str, ids: set[str]) -> set[int]:
    """The records of one object whose field names one of these ids; reads them all, which is seldom needed."""
    sql = (
        "SELECT r.key, r.payload FROM record r JOIN source s ON s.id = r.source"
        " WHERE s.system = ? AND s.object = ? AND r.key > ? ORDER BY r.key LIMIT ?"
    )
    found: set[int] = set()
    last = -1
    while rows := fetch(conn, sql, system, object_, last, READ):
        last = rows[-1][0]
        found.update(key for key, payload in rows if orjson.loads(payload).get(field) in ids)
    return found
