"""The schema reaches the declared one from nothing, whatever interrupts it, and from a newer one not at all."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlmodel import SQLModel

import state.tables
from mapping.errors import OperatorError
from state.engine import Database, upgrade
from state.migrations import HEAD
from state.schema import check, steps, version
from state.sql import execute, fetch

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet
    from pathlib import Path

assert state.tables.Meta

POSTGRES_SHAPE = (
    "SELECT table_name || '.' || column_name || ' ' || data_type || ' ' || is_nullable"
    " FROM information_schema.columns WHERE table_schema = 'public'"
    " UNION ALL SELECT indexdef FROM pg_indexes WHERE schemaname = 'public'"
)


def shape(db: Database) -> AbstractSet[str]:
    """Every table and index, as the database itself describes them."""
    with db.read() as conn:
        if db.is_postgres:
            rows = fetch(conn, POSTGRES_SHAPE)
        else:
            rows = fetch(conn, "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL")
    return {" ".join(row[0].replace('"', "").split()) for row in rows if "alembic_version" not in row[0]}


def test_empty_store_reaches_the_declared_schema(store_url: str) -> None:
    """From nothing to head, Alembic finds no difference to the declared tables."""
    with Database.open(store_url) as db:
        upgrade(db)

        with db.read() as conn:
            context = MigrationContext.configure(conn)
            differences = compare_metadata(context, SQLModel.metadata)

    assert differences == []


def test_upgraded_store_is_the_one_that_the_declaration_makes(
    store_url: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    """Tables, types, partial indexes and tables without rowid are what `create_all` makes, to the letter."""
    with Database.open(store_url) as db:
        upgrade(db)
        upgraded = shape(db)
        with db.write() as conn:
            SQLModel.metadata.drop_all(conn)
            SQLModel.metadata.create_all(conn)
        declared = shape(db)

    assert upgraded == declared
    if not db.is_postgres:
        assert sum("WITHOUT ROWID" in sql for sql in upgraded) >= 8


def test_head_is_the_last_step() -> None:
    """The schema that the code names is the last numbered step, and each step is numbered in order."""
    script = steps()

    revisions = sorted(step.revision for step in script.walk_revisions())

    assert script.get_current_head() == HEAD
    assert revisions == [f"{n:04}" for n in range(1, len(revisions) + 1)]


def test_upgrading_again_changes_nothing(db: Database) -> None:
    """A store at head stays as it is."""
    before = shape(db)

    upgrade(db)

    assert shape(db) == before
    check(db)


def test_newer_schema_is_refused_with_the_next_step(db: Database) -> None:
    """An older program names both versions, says what to do, and leaves the store alone."""
    with db.write() as conn:
        execute(conn, "UPDATE alembic_version SET version_num = '9999'")

    with pytest.raises(OperatorError) as caught:
        upgrade(db)

    assert "9999" in str(caught.value.problems[0].message)
    assert "newer" in str(caught.value.problems[0].hint)
    with pytest.raises(OperatorError):
        check(db)


def test_store_without_schema_is_refused_to_readers(store_url: str) -> None:
    """Who only reads is told to upgrade."""
    with Database.open(store_url) as db, pytest.raises(OperatorError) as caught:
        check(db)

    assert "state upgrade" in str(caught.value.problems[0].hint)


INTERRUPTED = """
import sys, time
from state.engine import Database, upgrade
import state.schema
run = state.schema._run
def slow(conn, script):
    run(conn, script)
    print("ran", flush=True)
    time.sleep(60)
state.schema._run = slow
upgrade(Database.open(sys.argv[1]))
"""


def test_killed_upgrade_has_not_happened_and_happens_next_time(store_url: str) -> None:
    """Killed before its commit, the upgrade left the store empty, and the next start upgrades it."""
    with subprocess.Popen([sys.executable, "-c", INTERRUPTED, store_url], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ran\n"
        process.send_signal(signal.SIGKILL)
        process.wait()

    with Database.open(store_url) as db:
        with db.read() as conn:
            found = version(conn)
        deadline = time.monotonic() + 10
        upgrade(db)

        assert found is None
        assert time.monotonic() < deadline
        check(db)
