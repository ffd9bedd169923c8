"""One holder of the right to write, and none that was overtaken."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from mapping.errors import LeaseHeld, OperatorError
from mapping.instants import from_datetime
from state.engine import Database, Fence
from state.lease import held, holder
from state.sql import execute, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

HOLDER = """
import sys, time
from state.engine import Database
from state.lease import held
db = Database.open(sys.argv[1])
with held(db, lasts_s=float(sys.argv[2])):
    print("held", flush=True)
    while True:
        sys.stdin.readline()
        try:
            with db.write() as conn:
                conn.exec_driver_sql("INSERT INTO meta (name, value) VALUES ('written', 'by the holder')")
            print("wrote", flush=True)
        except Exception as error:
            print(type(error).__name__, flush=True)
"""


def holding(url: str, lasts_s: float = 60) -> AbstractContextManager[subprocess.Popen[bytes]]:
    """Another process, which has the lease."""
    pipe = subprocess.PIPE
    process = subprocess.Popen([sys.executable, "-c", HOLDER, url, str(lasts_s)], stdin=pipe, stdout=pipe)
    assert process.stdout
    assert process.stdout.readline() == b"held\n"
    return process


@pytest.fixture
def other(store_url: str, db: Database) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that holds the lease of `db`."""
    with holding(store_url) as process:
        yield process
        process.kill()


def test_second_process_is_told_who_holds_the_lease_and_since_when(
    db: Database, other: subprocess.Popen[bytes]
) -> None:
    """The message names host and process; nothing is waited for."""
    started = time.monotonic()

    with pytest.raises(LeaseHeld) as caught, held(db):
        pass

    assert str(other.pid) in caught.value.owner
    assert os.uname().nodename in caught.value.owner
    assert abs(from_datetime(caught.value.since) / 1000 - time.time()) < 30
    assert time.monotonic() - started < 2
    assert db.fence is None


def test_killed_holder_leaves_the_lease_free(db: Database, other: subprocess.Popen[bytes]) -> None:
    """Nothing needs to be cleaned up after signal 9."""
    other.send_signal(signal.SIGKILL)
    other.wait()

    deadline = time.monotonic() + 5
    while True:
        try:
            with held(db) as fence:
                break
        except LeaseHeld:  # a server notices after a moment that its client is gone
            assert time.monotonic() < deadline
            time.sleep(0.05)

    assert fence.number == 2


def test_lease_given_back_is_free_and_every_taking_raises_the_fence(db: Database) -> None:
    """Whoever held it last is named no longer."""
    with held(db) as first, db.read() as conn:
        named = holder(conn)
    with held(db) as second, db.write() as conn:
        execute(conn, "INSERT INTO meta (name, value) VALUES ('a', 'b')")
    with db.read() as conn:
        after = holder(conn)

    assert named
    assert after is None
    assert (first.number, second.number) == (1, 2)


def test_lease_is_freed_when_its_block_fails(db: Database) -> None:
    """An error within is passed on, and the next one may take it."""
    with pytest.raises(KeyError), held(db):
        raise KeyError

    with held(db):
        pass


def test_one_process_does_not_hold_it_twice(store_url: str, db: Database) -> None:
    """A second door of the same process is refused like another process."""
    with held(db), Database.open(store_url) as second, pytest.raises(LeaseHeld), held(second):
        pass


def test_overtaken_holder_writes_nothing(db: Database) -> None:
    """Whose fence was passed is refused before its transaction begins."""
    with held(db) as fence:
        db.fence = None
        with db.write() as conn:
            execute(conn, "UPDATE lease SET fence = fence + 1, owner = 'elsewhere'")
        db.fence = fence

        with pytest.raises(LeaseHeld, match="elsewhere"), db.write() as conn:
            execute(conn, "INSERT INTO meta (name, value) VALUES ('a', 'b')")

    with db.read() as conn:
        assert fetch_one(conn, "SELECT COUNT(*) FROM meta") == (0,)


def test_fence_without_its_row_is_void(db: Database) -> None:
    """A store that was put back from a backup honours no old fence."""
    db.fence = Fence("writer", 4)

    with pytest.raises(LeaseHeld), db.write():
        pass


def test_lock_that_cannot_be_made_is_an_operators_matter(sqlite_db: Database) -> None:
    """A directory in the place of the lock's file: the message names the path and the next step."""
    assert sqlite_db.path
    sqlite_db.path.with_name(f"{sqlite_db.path.name}.writer.lock").mkdir()

    with pytest.raises(OperatorError) as caught, held(sqlite_db):
        pass

    assert caught.value.problems[0].where.endswith(".lock")


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_holder_that_slept_past_its_lease_is_overtaken_and_fenced(store_url: str, db: Database) -> None:
    """Stopped, its lease runs out and another takes it; woken, what it writes is refused."""
    with holding(store_url, lasts_s=1) as sleeper:
        assert sleeper.stdin
        assert sleeper.stdout
        with pytest.raises(LeaseHeld), held(db):
            pass
        sleeper.send_signal(signal.SIGSTOP)
        time.sleep(1.5)

        with held(db) as fence:
            sleeper.send_signal(signal.SIGCONT)
            sleeper.stdin.write(b"\n")
            sleeper.stdin.flush()
            answer = sleeper.stdout.readline()
        sleeper.kill()

    assert fence.number == 2
    assert answer == b"LeaseHeld\n"
    with db.read() as conn:
        assert fetch_one(conn, "SELECT COUNT(*) FROM meta") == (0,)


@pytest.mark.parametrize("store_url", ["postgres"], indirect=True)
def test_heart_keeps_a_lease_that_is_shorter_than_the_work(store_url: str, db: Database) -> None:
    """A holder that is busy, not asleep, is not overtaken."""
    with held(db, lasts_s=0.6), Database.open(store_url) as second:
        time.sleep(1.2)

        with pytest.raises(LeaseHeld), held(second):
            pass
