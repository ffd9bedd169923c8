"""The two ways to use a store, and what it says when its disk, its file or its server is in the way."""

from __future__ import annotations

import os
import stat
import threading
from typing import TYPE_CHECKING

import pytest

from mapping.errors import HeadraceError, OperatorError, RetryLater
from state.engine import Database, is_sound, sqlite_module, upgrade
from state.sql import any_of, execute, executemany, fetch, fetch_one, insert, listed, stream, upsert

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection


def put(conn: Connection, name: str, value: str = "x") -> None:
    """Add one row."""
    execute(conn, "INSERT INTO meta (name, value) VALUES (?, ?)", name, value)


def names(db: Database) -> list[str]:
    """The rows there are."""
    with db.read() as conn:
        return [row[0] for row in fetch(conn, "SELECT name FROM meta ORDER BY name")]


def test_write_is_committed_at_its_end_and_undone_whole_when_it_raises(db: Database) -> None:
    """Of a transaction that fails nothing stays."""
    with db.write() as conn:
        put(conn, "a")
    with pytest.raises(KeyError), db.write() as conn:  # noqa: PT012  # what precedes the error is the point
        put(conn, "b")
        raise KeyError

    assert names(db) == ["a"]


def test_reader_keeps_its_snapshot_while_another_commits(db: Database) -> None:
    """Everything one `read` sees is of one instant."""
    with db.read() as conn:
        before = fetch_one(conn, "SELECT COUNT(*) FROM meta")
        with db.write() as other:
            put(other, "a")

        assert fetch_one(conn, "SELECT COUNT(*) FROM meta") == before


def test_writing_through_a_reader_is_refused(db: Database) -> None:
    """Who asked to read cannot write by mistake."""
    with pytest.raises(OperatorError), db.read() as conn:
        put(conn, "a")

    assert names(db) == []


def test_threads_queue_for_the_one_writer(db: Database) -> None:
    """Eight threads with thirty transactions each: none fails, none is lost."""
    failures: list[Exception] = []

    def work(number: int) -> None:
        try:
            for turn in range(30):
                with db.write() as conn:
                    put(conn, f"{number}.{turn}")
        except Exception as error:  # noqa: BLE001  # whatever it is fails the test
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert failures == []
    assert len(names(db)) == 240


def test_write_within_a_write_is_a_bug_that_shows(db: Database) -> None:
    """It fails at once instead of waiting for itself."""
    with pytest.raises(RuntimeError), db.write(), db.write():
        pass


def test_statements_carry_tuples_in_both_dialects(db: Database) -> None:
    """Insert, upsert, look-up by list and streaming give back what went in; of equal keys the last counts."""
    with db.write() as conn:
        insert(conn, "meta", ["name", "value"], [("a", "1"), ("b", "100% ?")])
        upsert(conn, "meta", ["name", "value"], ["name"], [("b", "2"), ("c", "3"), ("c", "4")])
        upsert(conn, "meta", ["name", "value"], ["name"], [("a", "9"), ("d", "5")], update=())
        executemany(conn, "UPDATE meta SET value = ? WHERE name = ?", [("6", "d")])
        executemany(conn, "UPDATE meta SET value = ? WHERE name = ?", [])
    with db.read() as conn:
        found = dict(
            fetch(conn, f"SELECT name, value FROM meta WHERE {any_of(conn, 'name', 'text')}", listed(conn, "abc"))
        )
        chunks = list(stream(conn, "SELECT name FROM meta ORDER BY name", size=3))

    assert found == {"a": "1", "b": "2", "c": "4"}
    assert chunks == [[("a",), ("b",), ("c",)], [("d",)]]


def test_refused_row_tells_no_value(db: Database) -> None:
    """A database that quotes values in its errors is not repeated."""
    secret = "aya@example.jp"
    with db.write() as conn:
        put(conn, secret)

    with pytest.raises(Exception) as caught, db.write() as conn:
        put(conn, secret)

    assert secret not in str(caught.value)
    assert secret not in repr(caught.value.__cause__)


def test_file_is_its_owners_alone(tmp_path: Path) -> None:
    """A new file and those beside it are 0600; one that the world can read is closed to it."""
    path = tmp_path / "new.db"
    loose = tmp_path / "loose.db"
    loose.touch(0o644)
    loose.chmod(0o644)

    for each in (path, loose):
        with Database.open(f"sqlite:///{each}") as db:
            upgrade(db)
            for file in tmp_path.glob(f"{each.name}*"):
                assert stat.S_IMODE(file.stat().st_mode) & 0o007 == 0
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("version", "expected"),
    [((3, 40, 1), False), ((3, 51, 2), False), ((3, 51, 3), True), ((3, 53, 4), True), ((3, 50, 7), True)],
)
def test_sqlite_with_the_reset_fault_is_unsound(version: tuple[int, ...], expected: bool) -> None:
    """Releases before 3.51.3 are refused, but for the mended ones."""
    assert is_sound(version) is expected


def test_store_on_unsound_sqlite_is_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where neither library is sound the store is not opened, and the message says what to install."""
    monkeypatch.setattr("state.engine.is_sound", lambda _version: False)

    with pytest.raises(OperatorError) as caught:
        Database.open(f"sqlite:///{tmp_path / 'a.db'}")

    assert "pysqlite3" in str(caught.value.problems[0].hint)
    assert not (tmp_path / "a.db").exists()


def test_store_runs_on_a_sound_sqlite_in_wal_with_full_sync(sqlite_db: Database) -> None:
    """The connection has the pragmas that durability rests on."""
    with sqlite_db.read() as conn:
        found = [fetch(conn, f"PRAGMA {name}")[0][0] for name in ("journal_mode", "synchronous", "foreign_keys")]

    assert found == ["wal", 2, 1]
    assert is_sound(sqlite_module().sqlite_version_info)


@pytest.mark.parametrize(
    "url", ["mysql://h/d", "sqlite://", "sqlite:///:memory:", "nonsense", "sqlite:////no/such/a.db"]
)
def test_unusable_address_is_explained(url: str) -> None:
    """An address that cannot be used names what can."""
    with pytest.raises(OperatorError) as caught:
        Database.open(url)

    assert caught.value.problems[0].hint


def test_full_disk_rolls_back_and_the_next_write_succeeds_once_there_is_room(sqlite_db: Database) -> None:
    """The caller is told to wait, the store is whole, nothing of the transaction stays."""
    with pytest.raises(RetryLater) as caught, sqlite_db.write() as conn:  # noqa: PT012  # the error may come at any write
        pages = fetch_one(conn, "PRAGMA page_count")
        assert pages
        execute(conn, f"PRAGMA max_page_count = {pages[0] + 2}")
        put(conn, "a")
        put(conn, "b", "x" * 50_000)

    assert "full" in str(caught.value)
    assert names(sqlite_db) == []
    sqlite_db.close()  # the limit was the connection's
    with sqlite_db.write() as conn:
        put(conn, "b", "x" * 50_000)
    assert names(sqlite_db) == ["b"]
    assert sqlite_db.integrity() == []


def test_store_locked_by_another_program_is_waited_for_then_named(
    sqlite_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After the busy timeout the caller is told to come again; nothing was written."""
    assert sqlite_db.path
    monkeypatch.setattr("state.engine._PRAGMAS", ("PRAGMA busy_timeout = 50",))
    other = sqlite_module().connect(sqlite_db.path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with (
        Database.open(f"sqlite:///{sqlite_db.path}") as db,
        pytest.raises(RetryLater, match="locked"),
        db.write() as conn,
    ):
        put(conn, "a")
    other.execute("ROLLBACK")
    other.close()

    assert names(sqlite_db) == []


def spoil(db: Database, at: int) -> None:
    """Fill a store, and overwrite its file with garbage from `at` on."""
    with db.write() as conn:
        executemany(conn, "INSERT INTO meta (name, value) VALUES (?, ?)", [(f"{n}", "x" * 500) for n in range(500)])
    db.checkpoint()
    db.close()
    assert db.path
    with db.path.open("r+b") as file:
        file.seek(at)
        file.write(os.urandom(db.path.stat().st_size - at))


@pytest.mark.parametrize("at", [0, 4096, 4096 * 60])
def test_damaged_file_is_found_by_the_check(sqlite_db: Database, at: int) -> None:
    """Garbage in the header or in any page is reported."""
    spoil(sqlite_db, at)

    assert sqlite_db.integrity()


@pytest.mark.parametrize("at", [0, 4096])
def test_damaged_file_is_not_written_and_the_restore_named(sqlite_db: Database, at: int) -> None:
    """Who meets the damage is told what to do."""
    spoil(sqlite_db, at)

    with pytest.raises(OperatorError) as caught, sqlite_db.write() as conn:
        put(conn, "a")

    assert "restore" in str(caught.value.problems[0].hint)


def test_directory_without_rights_is_an_operators_matter(tmp_path: Path) -> None:
    """A path that cannot be created says why."""
    (tmp_path / "file").touch()

    with pytest.raises(OperatorError) as caught:
        Database.open(f"sqlite:///{tmp_path / 'file' / 'a.db'}")

    assert caught.value.problems[0].where.endswith("a.db")


def test_server_that_is_away_is_tried_again_later(tmp_path: Path) -> None:
    """No server behind the address: wait, then the same call again."""
    db = Database.open(f"postgresql+psycopg://u@/d?host={tmp_path}")

    with pytest.raises(RetryLater), db.read():
        pass


def test_password_of_the_address_is_never_shown() -> None:
    """Where the store is named, its password is not."""
    db = Database.open("postgresql+psycopg://u:geheim@127.0.0.1:1/d")

    with pytest.raises(HeadraceError) as caught, db.write():
        pass

    assert "geheim" not in db.where + str(caught.value)
