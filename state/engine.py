"""The database: how it is opened, and the two ways to use it, reading and writing.

SQLite runs in WAL with synchronous=FULL: what a transaction committed survives a power cut. Every writing transaction
begins with BEGIN IMMEDIATE, since a reading one that turns into a writing one fails at once where another has
committed meanwhile, whatever the busy timeout says. PostgreSQL reads in one snapshot, as SQLite does.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.pool import QueuePool

from mapping.errors import LeaseHeld, OperatorError, Problem
from mapping.instants import to_datetime
from mapping.text import Message, say
from state.faults import translate
from state.sql import execute, fetch, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType, TracebackType

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import URL

OLDEST_SQLITE = (3, 51, 3)
"""The first release without the WAL-reset fault, in which a checkpoint could lose committed pages."""

MENDED_SQLITE = ((3, 50, 7), (3, 44, 6))
"""Older lines that received the same mend."""

BUSY_TIMEOUT_MS = 30_000
IDLE_MS = 120_000

_PRAGMAS = (
    f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}",
    "PRAGMA journal_mode = WAL",
    "PRAGMA synchronous = FULL",
    "PRAGMA cache_size = -8192",
    "PRAGMA temp_store = MEMORY",
    "PRAGMA foreign_keys = ON",
    "PRAGMA wal_autocheckpoint = 4000",
    "PRAGMA journal_size_limit = 67108864",
)

_locks: dict[str, threading.Lock] = {}
_locks_guard = threading.Lock()


class Fence(NamedTuple):
    """The right to write under a lease: void once the lease's own fence has grown past it."""

    lease: str
    number: int


class Database:
    """One store. Safe for use by several threads: each `read` or `write` has a connection of its own."""

    def __init__(
        self, engine: Engine, *, path: Path | None, key_path: Path | None, errors: tuple[type[Exception], ...]
    ) -> None:
        self.engine = engine
        self.path = path
        self.key_path = key_path
        self.fence: Fence | None = None
        self.journal_key: bytes | None = None
        self._errors = errors
        self._reading = engine.execution_options(begin="BEGIN", **_READING.get(engine.dialect.name, {}))
        self._writing = engine.execution_options(begin="BEGIN IMMEDIATE")
        with _locks_guard:
            self._lock = _locks.setdefault(str(path or engine.url), threading.Lock())
        self._writer: int | None = None

    @classmethod
    def open(cls, url: str, *, key_path: Path | None = None) -> Self:
        """Open the store at `url`; a SQLite file is created, readable by its owner alone, where it is missing.

        `key_path` is where the journal's key stands: beside a SQLite file by default, to be given for PostgreSQL.
        Raises OperatorError where the address or the SQLite library will not do.
        """
        try:
            parsed = make_url(url)
        except ArgumentError:
            raise _misfit(say("This is no database address."), say("Write sqlite:///headrace.db.")) from None
        match parsed.drivername:
            case "sqlite" | "sqlite+pysqlite":
                return cls._open_file(parsed, key_path)
            case "postgresql" | "postgresql+psycopg":
                return cls._open_server(parsed, key_path)
        raise _misfit(
            say("headrace keeps its store in SQLite or PostgreSQL, not in {name}.", name=parsed.drivername),
            say("Write sqlite:///headrace.db or postgresql+psycopg://user@host/database."),
        )

    @classmethod
    def _open_file(cls, url: URL, key_path: Path | None) -> Self:
        if not url.database or url.database == ":memory:":
            raise _misfit(say("The store must be a file."), say("Write sqlite:///headrace.db."))
        module = sqlite_module()
        _spare_adaption(module)
        path = Path(url.database).absolute()
        _create(path)
        engine = create_engine(
            url.set(drivername="sqlite+pysqlite", database=str(path)),
            module=module,
            poolclass=QueuePool,
            pool_size=5,
            max_overflow=20,
            hide_parameters=True,
            connect_args={"check_same_thread": False, "isolation_level": None, "timeout": BUSY_TIMEOUT_MS / 1000},
        )
        event.listen(engine, "connect", _set_pragmas)
        event.listen(engine, "begin", _begin)
        return cls(engine, path=path, key_path=key_path or path.with_suffix(".key"), errors=(DBAPIError, module.Error))

    @classmethod
    def _open_server(cls, url: URL, key_path: Path | None) -> Self:
        import psycopg  # noqa: PLC0415  # a machine that keeps its store in SQLite need not load it

        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            pool_size=5,
            max_overflow=20,
            pool_pre_ping=True,
            hide_parameters=True,
            connect_args={
                "application_name": "headrace",
                "connect_timeout": 10,
                # One that sleeps within a transaction must not keep others from taking over for ever.
                "options": f"-c idle_in_transaction_session_timeout={IDLE_MS} -c lock_timeout={BUSY_TIMEOUT_MS}",
            },
        )
        return cls(engine, path=None, key_path=key_path, errors=(DBAPIError, psycopg.Error))

    @property
    def is_postgres(self) -> bool:
        """True where the store is PostgreSQL; it is SQLite otherwise."""
        return self.engine.dialect.name == "postgresql"

    @property
    def where(self) -> str:
        """The store's address without its password."""
        return str(self.path) if self.path else self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """One snapshot to read from: what others commit meanwhile is not seen. Writing raises.

        Keep it short: on SQLite a long reader keeps the write-ahead log from shrinking.
        """
        with self._translated(), self._reading.connect() as conn, conn.begin() as transaction:
            yield conn
            transaction.rollback()

    @contextmanager
    def write(self) -> Iterator[Connection]:
        """One writing transaction: committed at the end, rolled back whole when anything is raised.

        The writers of a process queue for it. A holder of a lease that was lost meanwhile gets LeaseHeld, before
        anything is written. A full disk or a busy store raises RetryLater, anything a person must mend OperatorError.
        """
        if self._writer == threading.get_ident():
            raise RuntimeError("a writing transaction within a writing transaction")
        with self._lock:
            self._writer = threading.get_ident()
            try:
                with self._translated(), self._writing.connect() as conn, conn.begin():
                    if self.fence is not None:
                        _check(conn, self.fence)
                    yield conn
            finally:
                self._writer = None

    def integrity(self) -> list[str]:
        """What is structurally wrong with the store, nothing if it is whole. Reads the whole of a SQLite file."""
        if self.is_postgres:
            return []
        try:
            with self.read() as conn:
                found = [str(row[0]) for row in fetch(conn, "PRAGMA quick_check(20)")]
        except OperatorError as error:
            return [str(problem.message) for problem in error.problems]
        return [] if found == ["ok"] else found

    def checkpoint(self) -> None:
        """Bring the write-ahead log back into the file and shrink it, where nobody reads; for idle moments."""
        if not self.is_postgres:
            with self._translated(), self.engine.connect() as conn:
                cursor = conn.connection.cursor()
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                cursor.close()

    def analyze(self) -> None:
        """Tell the planner how large the tables have become; due after a first load, without which look-ups crawl."""
        with self.write() as conn:
            execute(conn, "ANALYZE" if self.is_postgres else "PRAGMA optimize")

    def close(self) -> None:
        """Give up every connection."""
        self.engine.dispose()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except self._errors as error:
            said = translate(error, self.where)
            if said is None:
                raise
            # Without the cause: its text may hold values of rows.
            raise said from None


_READING: dict[str, dict[str, Any]] = {
    "postgresql": {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True},
}


def sqlite_module() -> ModuleType:
    """The SQLite driver to use: the interpreter's own where its library is sound, else the one of `pysqlite3`.

    Raises OperatorError where neither is.
    """
    if is_sound(sqlite3.sqlite_version_info):
        return sqlite3
    found = sqlite3.sqlite_version
    try:
        from pysqlite3 import dbapi2  # noqa: PLC0415  # installed on Linux only
    except ImportError:
        pass
    else:
        if is_sound(dbapi2.sqlite_version_info):
            return dbapi2  # type: ignore[no-any-return]  # untyped package
        found = dbapi2.sqlite_version
    raise _misfit(
        say("SQLite {found} can lose committed data in WAL mode; headrace needs 3.51.3 or later.", found=found),
        say("Install the pysqlite3 package, use a newer Python, or keep the store in PostgreSQL."),
    )


def _spare_adaption(module: ModuleType) -> None:
    """Nothing, bytes and truth values are bound as they are.

    The driver looks for a way to adapt every value that is not a text or a number, along three attributes that do not
    exist: 0.7 µs for every None. With an adapter that hands the value back, a row of 17 columns, 11 of them empty, is
    inserted in 2.1 µs instead of 12.4.
    """
    # Each of these hands back what it is given, without a call of Python code.
    for kind, adapter in ((type(None), {}.get), (bytes, bytes), (bool, int)):
        module.register_adapter(kind, adapter)


def is_sound(version: tuple[int, ...]) -> bool:
    """True for a SQLite release without the WAL-reset fault."""
    return version >= OLDEST_SQLITE or any(version[:2] == v[:2] and version >= v for v in MENDED_SQLITE)


def upgrade(db: Database) -> None:
    """Bring the store to the schema of this release; see `state.schema.upgrade`."""
    from state.schema import upgrade as run  # noqa: PLC0415  # it needs Database

    run(db)


def _misfit(message: Message, hint: Message) -> OperatorError:
    return OperatorError([Problem("[state] url", message, hint)])


def _create(path: Path) -> None:
    """Create the file for its owner alone, and take others' rights from one that exists; SQLite's own follow it."""
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
        mode = path.stat().st_mode
        if mode & 0o007:
            path.chmod(mode & 0o770)
    except PermissionError:
        pass  # SQLite says what cannot be done with it
    except OSError as error:
        hint = say("Create the directory, or change the path.")
        raise OperatorError(
            [Problem(str(path), say("The store cannot be created: {why}.", why=error.strerror), hint)]
        ) from None


def _set_pragmas(connection: Any, _record: object) -> None:
    cursor = connection.cursor()
    for pragma in _PRAGMAS:
        cursor.execute(pragma)
    cursor.close()


def _begin(conn: Connection) -> None:
    begin = conn.get_execution_options().get("begin", "BEGIN")
    conn.exec_driver_sql(f"PRAGMA query_only = {'OFF' if begin == 'BEGIN IMMEDIATE' else 'ON'}")
    conn.exec_driver_sql(begin)


def _check(conn: Connection, fence: Fence) -> None:
    """Raise LeaseHeld where another has taken the lease; on PostgreSQL nobody can take it until this commits."""
    lock = " FOR SHARE" if conn.dialect.name == "postgresql" else ""
    row = fetch_one(conn, f"SELECT fence, owner, since FROM lease WHERE name = ?{lock}", fence.lease)  # noqa: S608  # no value
    if row is None or row[0] != fence.number:
        raise LeaseHeld(row[1] if row else "nobody", to_datetime(row[2] if row else 0))
