"""The right to write to a store: one holder at a time, and none that was overtaken.

On one machine a lock on a file beside the database keeps a second process out and falls with the process that holds
it, however that ends. Between machines, on PostgreSQL, the lock is the server's and belongs to a session; a holder
that is silent for longer than its lease is cut off. In both, the fence of the lease's row is checked in every writing
transaction (`Database.write`), so that one who was overtaken while it slept writes nothing when it wakes.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

import fcntl
import os
import socket
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from mapping.errors import LeaseHeld, OperatorError, Problem
from mapping.instants import to_datetime
from mapping.text import say
from state.engine import Fence
from state.sql import execute, fetch, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from sqlalchemy import Connection

    from state.engine import Database

WRITER = "writer"
"""The lease of whoever runs the pipeline."""

DURATION_S = 60.0
_LOCK_CLASS = 0x68656164  # "head"
_TRIES = 20
_NOW_MS = "CAST(extract(epoch FROM clock_timestamp()) * 1000 AS BIGINT)"


@contextmanager
def held(db: Database, *, owner: str | None = None, name: str = WRITER, lasts_s: float = DURATION_S) -> Iterator[Fence]:
    """The lease is ours within the block, and what `db` writes is checked against it.

    Raises LeaseHeld, naming who holds it and since when, where it is another's. Freed at the end, and when the process
    is killed.
    """
    keeper = _ServerLock(db, name, lasts_s) if db.is_postgres else _FileLock(db, name)
    who = owner or f"{socket.gethostname()}, process {os.getpid()}"
    with keeper.locked():
        fence = _take(db, name, who, lasts_s)
        db.fence = fence
        try:
            with keeper.kept(fence):
                yield fence
        finally:
            db.fence = None
            with suppress(LeaseHeld, DBAPIError), db.write() as conn:
                sql = "UPDATE lease SET expires_at = since, owner = '' WHERE name = ? AND fence = ?"
                execute(conn, sql, name, fence.number)


def holder(conn: Connection, name: str = WRITER) -> tuple[str, datetime] | None:
    """Who took the lease last and has not given it back, and since when. A killed holder is still named."""
    row = fetch_one(conn, "SELECT owner, since FROM lease WHERE name = ? AND owner <> ''", name)
    return None if row is None else (row[0], to_datetime(row[1]))


def _take(db: Database, name: str, owner: str, lasts_s: float) -> Fence:
    """The row names us, with a higher fence than anyone's before."""
    db.fence = None
    with db.write() as conn:
        now = _now_ms(conn)
        row = fetch_one(
            conn,
            "INSERT INTO lease (name, owner, since, expires_at, fence) VALUES (?, ?, ?, ?, 1) ON CONFLICT (name)"
            " DO UPDATE SET owner = excluded.owner, since = excluded.since, expires_at = excluded.expires_at,"
            " fence = lease.fence + 1 RETURNING fence",
            name,
            owner,
            now,
            now + int(lasts_s * 1000),
        )
    assert row is not None
    return Fence(name, int(row[0]))


def _refusal(db: Database, name: str) -> LeaseHeld:
    """Who holds it; whoever has just locked and not yet written its name is given a moment."""
    for _ in range(_TRIES):
        with db.read() as conn:
            found = holder(conn, name)
        if found:
            return LeaseHeld(*found)
        time.sleep(0.05)
    return LeaseHeld("Another process", to_datetime(int(time.time() * 1000)))


def _now_ms(conn: Connection) -> int:
    """The server's clock where there is one: hosts disagree."""
    if conn.dialect.name == "postgresql":
        row = fetch_one(conn, f"SELECT {_NOW_MS}")
        assert row is not None
        return int(row[0])
    return int(time.time() * 1000)


class _FileLock:
    """A lock on a file beside the database; the kernel drops it with the process."""

    def __init__(self, db: Database, name: str) -> None:
        assert db.path is not None
        self._db = db
        self._name = name
        self._path = db.path.with_name(f"{db.path.name}.{name}.lock")

    @contextmanager
    def locked(self) -> Iterator[None]:
        try:
            handle = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            message = say("The lock of the store cannot be taken: {why}.", why=error.strerror)
            hint = say("Give this user write permission on the directory of the store.")
            raise OperatorError([Problem(str(self._path), message, hint)], exit_code=1) from None
        try:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise _refusal(self._db, self._name) from None
            yield
        finally:
            os.close(handle)

    @contextmanager
    def kept(self, _fence: Fence) -> Iterator[None]:
        yield


class _ServerLock:
    """An advisory lock of a session of its own, and a heart that beats for as long as the process does."""

    def __init__(self, db: Database, name: str, lasts_s: float) -> None:
        self._db = db
        self._name = name
        self._lasts_s = lasts_s
        self._session: Connection | None = None

    @contextmanager
    def locked(self) -> Iterator[None]:
        engine = self._db.engine.execution_options(isolation_level="AUTOCOMMIT")
        with engine.connect() as conn:
            try:
                if not self._is_ours(conn):
                    raise _refusal(self._db, self._name)
                self._session = conn
                yield
            finally:
                self._session = None
                # The session goes back to its pool, so the lock must not stay with it.
                with suppress(DBAPIError):
                    fetch(conn, "SELECT pg_advisory_unlock(?, hashtext(?))", _LOCK_CLASS, self._name)

    def _is_ours(self, conn: Connection) -> bool:
        for _ in range(_TRIES):
            row = fetch_one(conn, "SELECT pg_try_advisory_lock(?, hashtext(?))", _LOCK_CLASS, self._name)
            if row and row[0]:
                return True
            if not self._cut_off(conn):
                return False
            time.sleep(0.1)
        return False

    def _cut_off(self, conn: Connection) -> bool:
        """End the session of a holder whose lease ran out; False where it has not."""
        sql = f"SELECT 1 FROM lease WHERE name = ? AND expires_at > {_NOW_MS}"
        if fetch_one(conn, sql, self._name) is not None:
            return False
        fetch(
            conn,
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND classid = ? AND objid = CAST(hashtext(?) AS BIGINT) & 4294967295 AND pid <> pg_backend_pid()"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            _LOCK_CLASS,
            self._name,
        )
        return True

    @contextmanager
    def kept(self, fence: Fence) -> Iterator[None]:
        stop = threading.Event()
        heart = threading.Thread(target=self._beat, args=(fence, stop), name="lease", daemon=True)
        heart.start()
        try:
            yield
        finally:
            stop.set()
            heart.join()

    def _beat(self, fence: Fence, stop: threading.Event) -> None:
        sql = f"UPDATE lease SET expires_at = {_NOW_MS} + ? WHERE name = ? AND fence = ?"
        while not stop.wait(self._lasts_s / 3):
            assert self._session is not None
            try:
                if execute(self._session, sql, int(self._lasts_s * 1000), *fence) == 0:
                    return
            except DBAPIError:  # cut off; the fence decides what may still be written
                return
