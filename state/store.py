"""What the systems said: records, their field changes and the point from which to read on.

The hottest path of headrace. An unchanged record costs one hash; rows travel as tuples.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple, Self

import orjson
import xxhash

from mapping.instants import from_datetime, to_datetime, to_ms
from mapping.records import Cursor, FieldChange, Ref, record_key
from mapping.text import say
from state.meta import take
from state.quarantine import RECORD, Aside, has_any, release_mended, set_aside
from state.sql import any_of, execute, executemany, fetch, fetch_one, insert, is_postgres, listed, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mapping.records import Batch, RecordRow
    from state.engine import Database

HISTORY = "history."
"""Prefix of payload fields that are a vendor's own history: news, though not a difference of values."""

COLLISION = say("Another record of the store has the same key, so this one cannot be stored.")

_RECORD = ("key", "source", "id", "version", "hash", "payload", "is_deleted", "seq")
_UPDATE = "UPDATE record SET version = ?, hash = ?, payload = ?, is_deleted = ?, seq = ? WHERE key = ?"
_SOURCE = "SELECT id FROM source WHERE system = ? AND object = ?"
_SPARE_BITS = 16
_MOST_SUMMED = 1 << _SPARE_BITS - 1
"""Rows of which the hashes, 48 bits each, certainly have a sum that a column of 64 bits with a sign holds."""
_MOST_AHEAD = 20_000
"""Unchanged rows after which their cursor is stored: what is read twice at worst."""
_CHANGE = ("record", "seq", "field", "before", "after", "since", "at", "run")


class Saved(NamedTuple):
    """What a batch did: rows read, rows new or changed, rows that turned deleted, rows set aside."""

    read: int
    changed: int
    deleted: int
    quarantined: int


_new = tuple.__new__  # a quarter of the price of the constructor of a named tuple


class Changed(NamedTuple):
    """One record that is new or changed, in the order in which it became so.

    `payload` is a JSON text; `is_deleted` is as the driver gives it, 0 and 1 on SQLite.
    """

    seq: int
    key: int
    system: str
    object: str
    id: str
    payload: str
    is_deleted: bool


class Intake:
    """Takes what one pass over an object brings into the store, batch by batch. For one thread; `close` it at the end.

    A new record, and one of which a field outside `volatile` changed, gets a new `seq`. A field that is missing on one
    side was not read, which is no change of its value. Of equal ids within a batch the last row counts. What cannot be
    stored is set aside, and counted.
    """

    def __init__(
        self, db: Database, system: str, object_: str, *, run: int, volatile: frozenset[str] = frozenset()
    ) -> None:
        self._db = db
        self._system = system
        self._object = object_
        self._run = run
        self._volatile = volatile
        self._source: int | None = None
        self._ahead: Cursor | None = None
        self._rows_ahead = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def save(self, batch: Batch) -> Saved:
        """The rows, their field changes, the rejected and the cursor are stored, in one transaction.

        A batch that is as it was stored needs none, and its cursor waits: for a batch that does, for `close`, or until
        many rows have come. Whoever is killed meanwhile reads them again, and skips nothing.
        """
        source = self._source = self._source or self._number()
        hashes = _hashes(self._system, self._object, batch.rows)
        read = len(batch.rows) + len(batch.rejected)
        with self._db.read() as conn:
            first = record_key(self._system, self._object, batch.rows[0][0]) if hashes else -1
            near = _neighbours(conn, first, hashes)
            is_as_stored = near is hashes and not batch.rejected and not has_any(conn, RECORD)
        if is_as_stored:
            self._ahead = batch.cursor
            self._rows_ahead += read
            if self._rows_ahead >= _MOST_AHEAD:
                self.close()
            return Saved(read, 0, 0, 0)
        rows, aside = _by_key(self._system, batch, hashes)
        near = frozenset(near)
        aside += [Aside(RECORD, Ref(self._system, self._object, one.id), "", one.reason) for one in batch.rejected]
        with self._db.write() as conn:
            release_mended(conn, RECORD, rows)
            saved = _save_rows(conn, self._system, self._object, source, rows, near, aside, self._run, self._volatile)
            set_aside(conn, aside, self._run)
            _save_cursor(conn, source, batch.cursor, self._rows_ahead + len(batch.rows))
        self._ahead, self._rows_ahead = None, 0
        return Saved(read, saved[0], saved[1], len(aside))

    def close(self) -> None:
        """The cursor of the last batch is stored."""
        if self._ahead is not None and self._source is not None:
            with self._db.write() as conn:
                _save_cursor(conn, self._source, self._ahead, self._rows_ahead)
            self._ahead, self._rows_ahead = None, 0

    def _number(self) -> int:
        with self._db.read() as conn:
            row = fetch_one(conn, _SOURCE, self._system, self._object)
        if row is not None:
            return int(row[0])
        with self._db.write() as conn:
            return source_id(conn, self._system, self._object)


def save_batch(db: Database, system: str, batch: Batch, *, run: int, volatile: frozenset[str] = frozenset()) -> Saved:
    """Store one batch by itself, its cursor too; see `Intake`."""
    with Intake(db, system, batch.object, run=run, volatile=volatile) as intake:
        return intake.save(batch)


def _hashes(system: str, object_: str, rows: Iterable[RecordRow]) -> list[int]:
    """Of each row a number that another object, id, payload or deletion makes another; equal in every store."""
    digest = xxhash.xxh3_64_intdigest
    source = digest(f"{system}\x1f{object_}".encode())
    return [
        digest(payload + id_.encode(), source) >> _SPARE_BITS ^ is_deleted
        for id_, _version, payload, is_deleted in rows
    ]


def _neighbours(conn: Connection, first: int, hashes: Sequence[int]) -> Collection[int]:
    """The hashes of what the store has where a batch stood when it was stored; `hashes` itself where it still does.

    Systems page in a lasting order, so the records of a page that is read again stand together in `seq`, from that of
    the `first` one's key on, but for those that changed since. As many with the same sum are the same records: then no
    hash is even read.
    """
    row = fetch_one(conn, "SELECT seq FROM record WHERE key = ?", first)
    if row is None:
        return () if hashes else hashes
    place = (row[0], row[0] + len(hashes))
    if len(hashes) <= _MOST_SUMMED:
        found = fetch_one(conn, "SELECT COUNT(*), SUM(hash) FROM record WHERE seq >= ? AND seq < ?", *place)
        if found == (len(hashes), sum(hashes)):
            return hashes
    return {hash_ for (hash_,) in fetch(conn, "SELECT hash FROM record WHERE seq >= ? AND seq < ?", *place)}


def _by_key(system: str, batch: Batch, hashes: Iterable[int]) -> tuple[dict[int, tuple[int, RecordRow]], list[Aside]]:
    """The rows by record key, each with its hash, and those whose key another id of the batch has."""
    digest = xxhash.xxh3_64_intdigest
    prefix = f"{system}\x1f{batch.object}\x1f".encode()
    rows = {
        # The same number as `record_key`, without a call for each record.
        digest(prefix + row[0].encode()) >> 1: (hash_, row)
        for hash_, row in zip(hashes, batch.rows, strict=True)
    }
    if len(rows) == len(batch.rows):
        return rows, []
    aside = [
        Aside(RECORD, ref, "", COLLISION)
        for id_ in dict.fromkeys(row[0] for row in batch.rows)
        if rows[(ref := Ref(system, batch.object, id_)).key][1][0] != id_
    ]
    return rows, aside


def _save_rows(
    conn: Connection,
    system: str,
    object_: str,
    source: int,
    rows: dict[int, tuple[int, RecordRow]],
    near: Collection[int],
    aside: list[Aside],
    run: int,
    volatile: frozenset[str],
) -> tuple[int, int]:
    """Store what differs; returns how many records are new or changed, and how many turned deleted.

    `near` are hashes of stored records: a row that has one of them is not looked up.
    """
    keys = "unnest(?::bigint[]) AS k (value)" if is_postgres(conn) else "json_each(?) AS k"
    # A join in the order of the page, not IN: it finds neighbours together, and sorts nothing (0.4 µs a record less).
    sql = f"SELECT k.value, r.hash FROM {keys} LEFT JOIN record r ON r.key = k.value"
    unsure = [key for key, entry in rows.items() if entry[0] not in near]
    known: dict[int, int | None] = dict(fetch(conn, sql, listed(conn, unsure))) if unsure else {}
    differing = [key for key in unsure if known[key] != rows[key][0]]
    if not differing:
        return 0, 0
    old = _stored(conn, [key for key in differing if known[key] is not None])
    news: list[int] = []
    quiet: list[int] = []
    fields: list[tuple[int, str, str, str, int, int]] = []
    live = deleted = newly_deleted = 0
    for key in differing:
        row = rows[key][1]
        before = old.get(key)
        if before is None:
            news.append(key)
            live, deleted = live + (not row[3]), deleted + row[3]
            newly_deleted += row[3]
            continue
        if before[0] != row[0]:
            aside.append(Aside(RECORD, Ref(system, object_, row[0]), "", COLLISION))
            continue
        was_deleted = bool(before[3])
        is_news, found = _differences(before[2], row[2], volatile)
        if not is_news and was_deleted == row[3]:
            quiet.append(key)
            continue
        since, at = _between(before[1], row[1])
        fields += [(key, field, was, now, since, at) for field, was, now in found]
        news.append(key)
        turned = row[3] - was_deleted
        live, deleted = live - turned, deleted + turned
        newly_deleted += turned > 0
    first = take(conn, "seq", len(news)) if news else 0
    seqs = {key: first + n for n, key in enumerate(news)}
    _write(conn, source, rows, old, seqs, quiet)
    insert(
        conn,
        "record_change",
        _CHANGE,
        [(key, seqs[key], field, was, now, since, at, run) for key, field, was, now, since, at in fields],
    )
    if live or deleted:
        execute(conn, "UPDATE source SET live = live + ?, deleted = deleted + ? WHERE id = ?", live, deleted, source)
    return len(news) - newly_deleted, newly_deleted


def _write(
    conn: Connection,
    source: int,
    rows: dict[int, tuple[int, RecordRow]],
    old: Mapping[int, tuple[Any, ...]],
    seqs: Mapping[int, int],
    quiet: Iterable[int],
) -> None:
    """Insert the records that are new, update those that changed and those whose bytes alone differ."""
    insert(
        conn,
        "record",
        _RECORD,
        [
            (key, source, row[0], row[1], hash_, row[2].decode(), row[3], seq)
            for key, seq in seqs.items()
            if key not in old
            for hash_, row in (rows[key],)
        ],
    )
    updates = [
        (row[1], hash_, row[2].decode(), row[3], seq, key)
        for key, seq in [(key, seq) for key, seq in seqs.items() if key in old] + [(key, old[key][4]) for key in quiet]
        for hash_, row in (rows[key],)
    ]
    if is_postgres(conn):
        whole = [(key, source, rows[key][1][0], version, *rest) for version, *rest, key in updates]
        upsert(conn, "record", _RECORD, ("key",), whole)
    else:
        executemany(conn, _UPDATE, updates)


def _stored(conn: Connection, keys: Sequence[int]) -> dict[int, tuple[Any, ...]]:
    """By key: id, version, payload, is_deleted, seq, source."""
    if not keys:
        return {}
    sql = f"SELECT key, id, version, payload, is_deleted, seq, source FROM record WHERE {any_of(conn, 'key')}"
    return {row[0]: row[1:] for row in fetch(conn, sql, listed(conn, keys))}


def _differences(before: str, after: bytes, volatile: frozenset[str]) -> tuple[bool, list[tuple[str, str, str]]]:
    """Whether there is news, and the fields that differ, each with the JSON texts of both values."""
    old, new = orjson.loads(before), orjson.loads(after)
    is_news = any(field not in volatile for field in old.keys() ^ new.keys())
    found = []
    for field, value in new.items():
        if field in volatile or field not in old or is_same(old[field], value):
            continue
        is_news = True
        if not field.startswith(HISTORY):
            found.append((field, _canonical(old[field]), _canonical(value)))
    return is_news, found


def is_same(before: object, after: object) -> bool:
    """True where two JSON values say the same: equal, a number and its text, or one instant in two notations.

    What headrace read back after a write may be noted otherwise than what the vendor's pages will say.
    """
    if before == after and isinstance(before, bool) == isinstance(after, bool):
        return True
    if isinstance(before, str) and isinstance(after, str):
        return _is_one_instant(before, after)
    if isinstance(before, bool) or isinstance(after, bool):
        return _text(before) == _text(after)
    if isinstance(before, int | float | str) and isinstance(after, int | float | str):
        try:
            return float(before) == float(after)
        except ValueError:
            return False
    return False


def _text(value: object) -> object:
    return str(value).lower() if isinstance(value, bool) else value


_INSTANT = 20
"""Characters of the shortest instant with an offset, `2026-11-21T10:00:00Z`."""


def _is_one_instant(before: str, after: str) -> bool:
    if len(before) < _INSTANT or len(after) < _INSTANT or before[10] != "T" or after[10] != "T":
        return False
    try:
        return to_ms(before) == to_ms(after)
    except ValueError:
        return False


def _canonical(value: object) -> str:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS).decode()


def _between(before: str, after: str) -> tuple[int, int]:
    """The instants that bound a change: the stamps of both versions, the present where a stamp cannot be read."""
    present = int(time.time() * 1000)
    since, at = (_stamp(text, present) for text in (before, after))
    return min(since, at), at


def _stamp(version: str, otherwise: int) -> int:
    try:
        return to_ms(version)
    except ValueError:
        return otherwise


def source_id(conn: Connection, system: str, object_: str) -> int:
    """The number of one object of one system, given when it is first asked for."""
    row = fetch_one(conn, _SOURCE, system, object_)
    if row is None:
        sql = "INSERT INTO source (system, object, live, deleted) VALUES (?, ?, 0, 0) RETURNING id"
        row = fetch_one(conn, sql, system, object_)
        assert row is not None
    return int(row[0])


def load_cursor(conn: Connection, system: str, object_: str) -> Cursor | None:
    """The point from which to read on, None where nothing was read yet."""
    row = fetch_one(
        conn,
        "SELECT c.position, c.settled_at FROM cursor c JOIN source s ON s.id = c.source"
        " WHERE s.system = ? AND s.object = ?",
        system,
        object_,
    )
    if row is None:
        return None
    return Cursor(position=orjson.loads(row[0]), settled_at=None if row[1] is None else to_datetime(row[1]))


def drop_cursor(conn: Connection, system: str, object_: str) -> None:
    """The object is read from its beginning again; its records stay, and only what differs is news."""
    sql = "DELETE FROM cursor WHERE source IN (SELECT id FROM source WHERE system = ? AND object = ?)"
    execute(conn, sql, system, object_)


def _save_cursor(conn: Connection, source: int, cursor: Cursor, read: int) -> None:
    settled = None if cursor.settled_at is None else from_datetime(cursor.settled_at)
    execute(
        conn,
        "INSERT INTO cursor (source, position, settled_at, read) VALUES (?, ?, ?, ?) ON CONFLICT (source) DO UPDATE SET"
        " position = excluded.position, settled_at = excluded.settled_at, read = cursor.read + excluded.read",
        source,
        orjson.dumps(cursor.position, option=orjson.OPT_SORT_KEYS).decode(),
        settled,
        read,
    )


def changed_records(conn: Connection, after_seq: int, limit: int) -> list[Changed]:
    """The records that are new or changed after a watermark, in that order, each once."""
    rows = fetch(
        conn,
        "SELECT r.seq, r.key, s.system, s.object, r.id, r.payload, r.is_deleted FROM record r"
        " JOIN source s ON s.id = r.source WHERE r.seq > ? ORDER BY r.seq LIMIT ?",
        after_seq,
        limit,
    )
    return [_new(Changed, row) for row in rows]


def record_changes(conn: Connection, keys: Sequence[int], after_seq: int = 0) -> dict[int, list[FieldChange]]:
    """By record: what changed in it after a watermark, oldest first. Records without a change are missing."""
    rows = fetch(
        conn,
        "SELECT record, field, before, after, since, at FROM record_change"
        f" WHERE {any_of(conn, 'record')} AND seq > ? ORDER BY id",
        listed(conn, keys),
        after_seq,
    )
    found: dict[int, list[FieldChange]] = {}
    for record, field, before, after, since, at in rows:
        change = FieldChange(field, orjson.loads(before), orjson.loads(after), since, at)
        found.setdefault(record, []).append(change)
    return found


def payloads(conn: Connection, keys: Sequence[int]) -> dict[int, str]:
    """By record: its payload, a JSON text; records that the store lacks are missing."""
    return dict(fetch(conn, f"SELECT key, payload FROM record WHERE {any_of(conn, 'key')}", listed(conn, keys)))


def refs(conn: Connection, keys: Sequence[int]) -> dict[int, Ref]:
    """By record: its name; records that the store lacks are missing."""
    rows = fetch(
        conn,
        "SELECT r.key, s.system, s.object, r.id FROM record r JOIN source s ON s.id = r.source"
        f" WHERE {any_of(conn, 'r.key')}",
        listed(conn, keys),
    )
    return {key: Ref(system, object_, id_) for key, system, object_, id_ in rows}


def refresh_payload(conn: Connection, values: Mapping[int, Mapping[str, object]]) -> None:
    """What was read back after a write stands in the payload, so that our own echo is no news when it is polled."""
    updates = []
    names = refs(conn, list(values))
    for key, (id_, version, payload, is_deleted, *_) in _stored(conn, list(values)).items():
        changed = orjson.dumps({**orjson.loads(payload), **values[key]}, option=orjson.OPT_SORT_KEYS)
        [hash_] = _hashes(names[key].system, names[key].object, [(id_, version, changed, bool(is_deleted))])
        updates.append((changed.decode(), hash_, key))
    executemany(conn, "UPDATE record SET payload = ?, hash = ? WHERE key = ?", updates)


def counts(conn: Connection) -> dict[tuple[str, str], tuple[int, int]]:
    """By system and object: how many records there are, and how many are kept though deleted at the vendor."""
    rows = fetch(conn, "SELECT system, object, live, deleted FROM source ORDER BY system, object")
    return {(system, object_): (live, deleted) for system, object_, live, deleted in rows}
