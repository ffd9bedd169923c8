"""Step 3: what happened. From records that are new or changed to events, profiles, links and identifiers.

Two passes. The first follows the watermark through what is new or changed. Records that are read together with their
history rows (an opportunity, a converted lead), and records whose reading looked another one up that is different now,
wait for the second, so that each of them is read once, when everything is there.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import orjson

from mapping.derived import Derived, Facts
from mapping.records import Ref, record_key
from mapping.text import say
from state import history, journal, meta, pending, quarantine, store
from state.sql import any_of, fetch, fetch_one, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mapping.derive import Deriver
    from mapping.derived import Payload
    from mapping.records import FieldChange
    from state.engine import Database
    from state.store import Changed

CHUNK = 2_000
STEP = "derive"
"""Name of the watermark, and of the records that wait for the second pass."""
MISSING = "derive.missing"
"""Records that a reading looked up and that were not there."""
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


class _Read(NamedTuple):
    """One record as it is to be read."""

    deriver: Deriver
    row: Changed
    payload: Payload
    changes: Sequence[FieldChange]


class _Case(NamedTuple):
    """What is the same for all records of one run. `is_fresh`: nothing was ever derived in this store."""

    derivers: Mapping[str, Deriver]
    now_ms: int
    run: int
    is_fresh: bool
    is_first_load: bool


def derive(db: Database, derivers: Mapping[str, Deriver], *, now_ms: int, run: int) -> Derivation:
    """Everything up to the newest change is derived; each chunk is one transaction with its watermark.

    Where the readings themselves changed (a meaning, the company's zone, this release) all records are derived again.
    """
    with db.write() as conn:
        is_first_load = meta.get(conn, _LOADED) is None
        is_fresh = _start_again(conn, derivers) and is_first_load
    case = _Case(derivers, now_ms, run, is_fresh, is_first_load)
    total = Derivation()
    while (done := _derive_changed(db, case)) is not None:
        total = total.plus(done)
    while (done := _derive_waiting(db, case)) is not None:
        total = total.plus(done)
    if is_first_load:
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
        rows = store.changed_records(conn, meta.watermark(conn, STEP), CHUNK)
        if not rows:
            return None
        reads = _with_changes(conn, rows, case)
        waiting = _dependents(conn, reads)
        now = []
        for read in reads:
            object_, payload = read.row.object, read.payload
            parent = read.deriver.parent(object_, payload)
            if parent is not None:
                waiting.add(record_key(read.row.system, *parent))
            if read.deriver.has_rows(object_, payload):
                waiting.add(read.row.key)
            else:
                now.append(read)
        done = _derive(conn, now, case)
        if waiting:
            pending.add(conn, STEP, waiting)
        meta.set_watermark(conn, STEP, rows[-1].seq)
        return done


def _derive_waiting(db: Database, case: _Case) -> Derivation | None:
    """One chunk of the second pass; None where there is nothing left."""
    with db.write() as conn:
        keys = pending.take(conn, STEP, CHUNK)
        if not keys:
            return None
        done = _derive(conn, _with_changes(conn, _records(conn, keys), case), case)
        pending.remove(conn, STEP, keys)
        return done


def _derive(conn: Connection, reads: Sequence[_Read], case: _Case) -> Derivation:
    facts = _facts(conn, reads)
    into = Derived()
    for deriver, row, payload, changes in reads:
        deriver.derive(row.object, row.id, payload, changes, row.is_deleted, into, facts)
    keys = [read.row.key for read in reads]
    kept = history.save_derived(
        conn,
        into,
        known_at=case.now_ms,
        again=() if case.is_fresh else keys,
        is_first_load=case.is_first_load,
    )
    quarantine.release_mended(conn, quarantine.MEANING, keys, now_ms=case.now_ms)
    if into.unmapped:
        refs = {read.row.key: Ref(read.row.system, read.row.object, read.row.id) for read in reads}
        aside = [
            quarantine.Aside(
                quarantine.MEANING, refs[record], field, say("The value {value!r} has no meaning.", value=value)
            )
            for record, field, value in into.unmapped
        ]
        quarantine.set_aside(conn, aside, case.run, now_ms=case.now_ms)
    return Derivation(len(reads), kept.events, kept.retracted, len(into.unmapped))


def _with_changes(conn: Connection, rows: Iterable[Changed], case: _Case) -> list[_Read]:
    """The records of the configured systems, decoded, each with all that ever changed in it."""
    mine = [row for row in rows if row.system in case.derivers]
    has_changes = fetch_one(conn, "SELECT 1 FROM record_change LIMIT 1") is not None
    changes = store.record_changes(conn, [row.key for row in mine]) if has_changes else {}
    return [_Read(case.derivers[row.system], row, orjson.loads(row.payload), changes.get(row.key, ())) for row in mine]


def _records(conn: Connection, keys: Sequence[int]) -> list[store.Changed]:
    rows = fetch(
        conn,
        "SELECT r.seq, r.key, s.system, s.object, r.id, r.payload, r.is_deleted FROM record r"
        f" JOIN source s ON s.id = r.source WHERE {any_of(conn, 'r.key')}",
        listed(conn, keys),
    )
    return [store.Changed._make((*row[:6], bool(row[6]))) for row in rows]


def _facts(conn: Connection, reads: Sequence[_Read]) -> Facts:
    """What these readings need of other records; what they need and the store lacks is noted as missing."""
    wanted = {key for read in reads for key in read.deriver.references(read.row.object, read.payload)}
    found = store.payloads(conn, list(wanted)) if wanted else {}
    if len(found) < len(wanted):
        pending.add(conn, MISSING, wanted - found.keys())
    parents = [read.row.key for read in reads if read.deriver.has_rows(read.row.object, read.payload)]
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


def _written(conn: Connection, reads: Sequence[_Read]) -> set[tuple[int, str]]:
    """The canonical ids found on these records that the journal shows we wrote there; others are copies of clones."""
    carried: dict[str, dict[int, str]] = {}
    for read in reads:
        field, value = read.deriver.canonical_id(read.row.object, read.payload)
        if value:
            carried.setdefault(field, {})[read.row.key] = value
    return {
        (key, value)
        for field, values in carried.items()
        for key, value in journal.written(conn, list(values), field).items()
        if isinstance(value, str) and values[key] == value
    }


def _dependents(conn: Connection, reads: Sequence[_Read]) -> set[int]:
    """The records whose readings looked one of these up, and would find something else now."""
    looked_up = [read for read in reads if read.deriver.lookup(read.row.object) is not None]
    if not looked_up:
        return set()
    keys = [read.row.key for read in looked_up]
    sql = f"SELECT key FROM pending WHERE step = ? AND {any_of(conn, 'key')}"
    missed = {row[0] for row in fetch(conn, sql, MISSING, listed(conn, keys))}
    subjects: list[int] = []
    others: dict[tuple[str, str, str], set[str]] = {}
    for read in looked_up:
        lookup = read.deriver.lookup(read.row.object)
        assert lookup is not None
        if read.row.key not in missed and not any(change.field in lookup.fields for change in read.changes):
            continue
        if lookup.is_subject:
            subjects.append(read.row.key)
        else:
            others.setdefault((read.row.system, lookup.object, lookup.field), set()).add(read.row.id)
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
    while rows := fetch(conn, sql, system, object_, last, CHUNK):
        last = rows[-1][0]
        found.update(key for key, payload in rows if orjson.loads(payload).get(field) in ids)
    return found
