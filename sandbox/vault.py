"""One simulated company's three vendor databases, in one SQLite database.

The three APIs read and write here and nowhere else, so the world goes on between requests: what a test, a fault or a
client writes is what the next request finds. `truth` and `truth_event` hold what no vendor knows: which records are
one person, and what really happened.
"""

from __future__ import annotations

import sqlite3
import time
from contextlib import contextmanager
from datetime import UTC, datetime
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

import orjson

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

Body = dict[str, Any]
"""One record as its vendor would show it whole."""

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS salesforce (
  object TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  is_deleted INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hubspot (
  object TEXT NOT NULL, id INTEGER NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  archived INTEGER NOT NULL DEFAULT 0, archived_at INTEGER, body TEXT NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hubspot_history (
  object TEXT NOT NULL, id INTEGER NOT NULL, property TEXT NOT NULL, at INTEGER NOT NULL,
  value TEXT, source_type TEXT NOT NULL, source_id TEXT, PRIMARY KEY (object, id, property, at)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hubspot_association (
  from_object TEXT NOT NULL, from_id INTEGER NOT NULL, to_object TEXT NOT NULL, to_id INTEGER NOT NULL,
  type_id INTEGER NOT NULL, category TEXT NOT NULL, label TEXT,
  PRIMARY KEY (from_object, from_id, to_object, to_id, type_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hubspot_alias (
  object TEXT NOT NULL, old_id INTEGER NOT NULL, new_id INTEGER NOT NULL,
  PRIMARY KEY (object, old_id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS vitally (
  object TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL, modified INTEGER NOT NULL,
  body TEXT NOT NULL, PRIMARY KEY (object, id)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS truth (
  kind TEXT NOT NULL, entity TEXT NOT NULL, system TEXT NOT NULL, object TEXT NOT NULL, id TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS truth_event (
  entity TEXT NOT NULL, kind TEXT NOT NULL, at INTEGER NOT NULL, detail TEXT);
"""

INDEXES: Final = """
CREATE INDEX IF NOT EXISTS salesforce_modified ON salesforce (object, modified, id);
CREATE INDEX IF NOT EXISTS hubspot_modified ON hubspot (object, modified, id);
CREATE INDEX IF NOT EXISTS vitally_modified ON vitally (object, modified, id);
CREATE INDEX IF NOT EXISTS truth_entity ON truth (kind, entity);
CREATE INDEX IF NOT EXISTS truth_record ON truth (system, object, id);
CREATE INDEX IF NOT EXISTS truth_event_entity ON truth_event (entity, at);
"""
"""Built once the world is written: inserting into an index row by row costs three times as much."""


def salesforce_stamp(ms: int) -> str:
    """An instant as Salesforce writes it, in whole seconds: `2026-11-21T10:00:00.000+0000`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def iso_stamp(ms: int) -> str:
    """An instant as HubSpot and Vitally write it: `2026-11-21T10:00:00.123Z`."""
    return datetime.fromtimestamp(ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{ms % 1000:03d}Z"


def modified_property(object_: str) -> str:
    """The HubSpot property that holds an object's last modification."""
    return "lastmodifieddate" if object_ == "contacts" else "hs_lastmodifieddate"


def _wall_clock() -> int:
    return time.time_ns() // 1_000_000


class Vault:
    """The three vendors' databases, in a file at `path` or in a private temporary one.

    May be used from several threads, one statement or `transaction` at a time.
    """

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.lock = RLock()
        self.clock: Callable[[], int] = _wall_clock
        # Without a path SQLite keeps a private file of its own, which vanishes with the process, however that ends.
        self._connection = sqlite3.connect(path or "", check_same_thread=False)
        # A simulated world that a crash may lose: no fsync; the journal stays in memory for rollbacks.
        self._connection.executescript(
            "PRAGMA journal_mode = MEMORY; PRAGMA synchronous = OFF; PRAGMA cache_size = -65536;"
        )
        self._connection.executescript(SCHEMA)
        self.is_closed = False

    def now_ms(self) -> int:
        """The simulated company's time, epoch milliseconds: exactly what `clock` says."""
        return self.clock()

    def execute(self, sql: str, params: Sequence[object] | Mapping[str, object] = ()) -> sqlite3.Cursor:
        """One statement; a writing one opens a transaction that `commit` ends."""
        with self.lock:
            return self._connection.execute(sql, params)

    def executemany(self, sql: str, rows: Iterable[Sequence[object]]) -> sqlite3.Cursor:
        """One statement for many rows."""
        with self.lock:
            return self._connection.executemany(sql, rows)

    def commit(self) -> None:
        """What was written since the last commit stays."""
        with self.lock:
            self._connection.commit()

    def index(self) -> None:
        """The indexes exist and the vault counts as written; called once a world is whole, harmless to repeat."""
        with self.lock:
            self._connection.executescript(INDEXES + "PRAGMA user_version = 1;")
            self._connection.commit()

    @property
    def is_written(self) -> bool:
        """Whether a whole world stands in it."""
        return bool(self.execute("PRAGMA user_version").fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All that is written inside stays together or, on an exception, not at all. Does not nest."""
        with self.lock:
            self._connection.commit()
            try:
                yield
            except BaseException:
                self._connection.rollback()
                raise
            self._connection.commit()

    def close(self) -> None:
        """The database is closed; without a path its content is gone. May be repeated."""
        with self.lock:
            if not self.is_closed:
                self.is_closed = True
                self._connection.close()

    def body(self, system: str, object_: str, id_: str | int) -> Body | None:
        """One record whole, None where there is none; `system` is salesforce, hubspot or vitally."""
        row = self.execute(_BODY[system], (object_, id_)).fetchone()
        return orjson.loads(row[0]) if row else None

    def patch_salesforce(
        self,
        object_: str,
        id_: str,
        fields: Mapping[str, object],
        *,
        at: int | None = None,
        is_deleted: bool | None = None,
    ) -> Body:
        """The record has these fields and a new SystemModstamp in whole seconds (of `at`, else of now); not committed.

        Raises KeyError where there is no such record.
        """
        with self.lock:
            body = self.body("salesforce", object_, id_)
            if body is None:
                raise KeyError(id_)
            modified = (self.now_ms() if at is None else at) // 1000 * 1000
            stamp = salesforce_stamp(modified)
            body.update(fields)
            body["SystemModstamp"] = stamp
            if "LastModifiedDate" in body:
                body["LastModifiedDate"] = stamp
            if is_deleted is not None:
                body["IsDeleted"] = is_deleted
            self.execute(
                "UPDATE salesforce SET modified = ?, is_deleted = ?, body = ? WHERE object = ? AND id = ?",
                (modified, int(bool(body.get("IsDeleted"))), orjson.dumps(body).decode(), object_, id_),
            )
            return body

    def put_salesforce(self, object_: str, id_: str, fields: Mapping[str, object], *, at: int | None = None) -> Body:
        """The record exists with these fields, created and modified now (or at `at`); not committed."""
        created = (self.now_ms() if at is None else at) // 1000 * 1000
        stamp = salesforce_stamp(created)
        body: Body = {
            "Id": id_,
            "CreatedDate": stamp,
            "LastModifiedDate": stamp,
            "SystemModstamp": stamp,
            "IsDeleted": False,
        }
        body.update(fields)
        self.execute(
            "INSERT OR REPLACE INTO salesforce (object, id, created, modified, is_deleted, body)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (object_, id_, created, created, int(bool(body["IsDeleted"])), orjson.dumps(body).decode()),
        )
        return body

    def patch_hubspot(
        self,
        object_: str,
        id_: int,
        properties: Mapping[str, str | None],
        *,
        at: int | None = None,
        source_type: str = "INTEGRATION",
        source_id: str | None = None,
        with_history: bool = True,
    ) -> Body:
        """The record has these properties and a new modification stamp; each changed value has its history row.

        Not committed. Raises KeyError where there is no such record.
        """
        with self.lock:
            body = self.body("hubspot", object_, id_)
            if body is None:
                raise KeyError(id_)
            modified = self.now_ms() if at is None else at
            if with_history:
                self.executemany(
                    "INSERT OR REPLACE INTO hubspot_history VALUES (?, ?, ?, ?, ?, ?, ?)",
                    [
                        (object_, id_, name, modified, value, source_type, source_id)
                        for name, value in properties.items()
                        if body.get(name) != value
                    ],
                )
            body.update(properties)
            body[modified_property(object_)] = iso_stamp(modified)
            self.execute(
                "UPDATE hubspot SET modified = ?, body = ? WHERE object = ? AND id = ?",
                (modified, orjson.dumps(body).decode(), object_, id_),
            )
            return body

    def put_hubspot(
        self, object_: str, id_: int, properties: Mapping[str, str | None], *, at: int | None = None
    ) -> Body:
        """The record exists with these properties, created and modified now (or at `at`); not committed."""
        created = self.now_ms() if at is None else at
        stamp = iso_stamp(created)
        body: Body = {"hs_object_id": str(id_), "createdate": stamp, modified_property(object_): stamp, **properties}
        self.execute(
            "INSERT OR REPLACE INTO hubspot (object, id, created, modified, archived, archived_at, body)"
            " VALUES (?, ?, ?, ?, 0, NULL, ?)",
            (object_, id_, created, created, orjson.dumps(body).decode()),
        )
        return body

    def archive_hubspot(self, object_: str, id_: int, *, at: int | None = None) -> None:
        """The record is in the recycle bin (still there for `archived=true`), its stamp is new; not committed."""
        when = self.now_ms() if at is None else at
        self.patch_hubspot(object_, id_, {}, at=when)
        self.execute(
            "UPDATE hubspot SET archived = 1, archived_at = ? WHERE object = ? AND id = ?", (when, object_, id_)
        )

    def associate(
        self,
        from_object: str,
        from_id: int,
        to_object: str,
        to_id: int,
        *,
        types: tuple[int, int],
        category: str = "HUBSPOT_DEFINED",
        label: str | None = None,
    ) -> None:
        """Two HubSpot records are associated in both directions, `types` being the type ids there and back."""
        there, back = types
        self.executemany(
            "INSERT OR REPLACE INTO hubspot_association VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (from_object, from_id, to_object, to_id, there, category, label),
                (to_object, to_id, from_object, from_id, back, category, label),
            ],
        )

    def patch_vitally(
        self,
        object_: str,
        id_: str,
        attributes: Mapping[str, object],
        *,
        traits: Mapping[str, object] | None = None,
        at: int | None = None,
    ) -> Body:
        """The record has these attributes, its traits are merged (None deletes one), updatedAt is new; not committed.

        Raises KeyError where there is no such record.
        """
        with self.lock:
            body = self.body("vitally", object_, id_)
            if body is None:
                raise KeyError(id_)
            modified = self.now_ms() if at is None else at
            body.update(attributes)
            if traits is not None:
                merged = {**(body.get("traits") or {}), **traits}
                body["traits"] = {key: value for key, value in merged.items() if value is not None}
            body["updatedAt"] = iso_stamp(modified)
            self.execute(
                "UPDATE vitally SET modified = ?, body = ? WHERE object = ? AND id = ?",
                (modified, orjson.dumps(body).decode(), object_, id_),
            )
            return body


_BODY: Final = {
    "salesforce": "SELECT body FROM salesforce WHERE object = ? AND id = ?",
    "hubspot": "SELECT body FROM hubspot WHERE object = ? AND id = ?",
    "vitally": "SELECT body FROM vitally WHERE object = ? AND id = ?",
}
