"""The schema of a store: brought up to date step by step, each step whole or not at all."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import inspect

from mapping.errors import OperatorError, Problem
from mapping.text import say
from state.migrations import HEAD
from state.sql import execute, fetch_one

if TYPE_CHECKING:
    from alembic.script import ScriptDirectory
    from sqlalchemy import Connection

    from state.engine import Database

_UPGRADE_LOCK = 0x68656164  # "head": keeps two programs from upgrading one PostgreSQL store at once


def upgrade(db: Database) -> None:
    """Bring the store to the schema of this release.

    All steps are one transaction: one that was killed has not happened, and happens now. Raises OperatorError where
    the store was written by a newer release.
    """
    with db.read() as conn:
        if version(conn) == HEAD:
            return
    script = steps()
    known = {step.revision for step in script.walk_revisions()}
    with db.write() as conn:
        if db.is_postgres:
            execute(conn, "SELECT pg_advisory_xact_lock(?)", _UPGRADE_LOCK)
        found = version(conn)
        if found is not None and found not in known:
            raise _newer(db, found)
        _run(conn, script)


def check(db: Database) -> None:
    """Raise OperatorError unless the store has the schema of this release; for those who only read."""
    with db.read() as conn:
        found = version(conn)
    if found == HEAD:
        return
    if found is not None and found > HEAD:
        raise _newer(db, found)
    message = say("The store has an older schema ({found}) than this release ({head}).", found=found or "-", head=HEAD)
    raise OperatorError([Problem(db.where, message, say("Run `headrace state upgrade`."))], exit_code=1)


def version(conn: Connection) -> str | None:
    """The number of the last step the store has taken, None for an empty database."""
    if not inspect(conn).has_table("alembic_version"):
        return None
    row = fetch_one(conn, "SELECT version_num FROM alembic_version")
    return str(row[0]) if row else None


def steps() -> ScriptDirectory:
    """The steps, as Alembic knows them."""
    from alembic.script import ScriptDirectory as Steps  # noqa: PLC0415  # slow to load, and seldom needed

    folder = str(Path(__file__).parent / "migrations")
    return Steps(folder, version_locations=[folder])


def _run(conn: Connection, script: ScriptDirectory) -> None:
    from alembic.runtime.migration import MigrationContext  # noqa: PLC0415  # slow to load, and seldom needed

    context = MigrationContext.configure(
        conn,
        opts={"fn": lambda rev, _context: script._upgrade_revs(HEAD, rev), "transactional_ddl": True},  # noqa: SLF001  # as alembic's own `upgrade` command does
    )
    from alembic.operations import Operations  # noqa: PLC0415  # slow to load, and seldom needed

    with Operations.context(context):
        context.run_migrations()


def _newer(db: Database, found: str) -> OperatorError:
    message = say(
        "The store was written by a newer headrace (schema {found}; this one knows {head}).", found=found, head=HEAD
    )
    hint = say("Install the newer release again, or restore the backup that was made before its first start.")
    return OperatorError([Problem(db.where, message, hint)], exit_code=1)
