"""Plans that wait for a person, what the person decided, and the switch that stops all writes."""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

import orjson

from mapping.errors import OperatorError, Problem
from mapping.text import Message, say
from state import chain, clock, messages, meta
from state.journal import APPLIED, APPROVED, HELD, add_changes
from state.sql import execute, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from reconcile.changes import Change
    from state.engine import Database

SUPERSEDED = "superseded"
VALID = timedelta(days=1)
"""How long an approval stands unless told otherwise."""

_COLUMNS = "digest, run, kind, state, why, changes, author, created_at, approved_by, approved_at, expires_at"
_PAUSE = "paused"


class Plan(NamedTuple):
    """A plan that is or was held. Instants are in milliseconds; `author` is who asked for it, where a person did."""

    digest: str
    run: int
    kind: str
    state: str
    why: Message | None
    changes: int
    author: str | None
    created_at: int
    approved_by: str | None
    approved_at: int | None
    expires_at: int | None


class Pause(NamedTuple):
    """Who stopped all writes, and when, in milliseconds."""

    by: str
    at: int


def hold_plan(
    db: Database,
    digest: str,
    changes: Sequence[Change],
    *,
    run: int,
    why: Message,
    kind: str = "sync",
    author: str | None = None,
    now_ms: int | None = None,
) -> bool:
    """The plan waits, with its changes, for a person to approve it; False where it waits already or is approved.

    Older plans of the kind that wait are superseded, and their changes dropped.
    """
    at = clock.now(now_ms)
    with db.write() as conn:
        known = fetch(conn, "SELECT state FROM plan WHERE digest = ?", digest)
        if known and known[0][0] in {HELD, APPROVED}:
            return False
        older = "SELECT digest FROM plan WHERE state = ? AND kind = ?"
        execute(conn, f"DELETE FROM change WHERE intended_at IS NULL AND plan IN ({older})", HELD, kind)
        execute(conn, "UPDATE plan SET state = ? WHERE state = ? AND kind = ?", SUPERSEDED, HELD, kind)
        execute(
            conn,
            f"INSERT INTO plan ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL, NULL, NULL) ON CONFLICT (digest)"
            " DO UPDATE SET run = excluded.run, state = excluded.state, why = excluded.why,"
            " created_at = excluded.created_at, approved_by = NULL, approved_at = NULL, expires_at = NULL",
            digest,
            run,
            kind,
            HELD,
            messages.dump(why),
            len(changes),
            author,
            at,
        )
        execute(conn, "DELETE FROM change WHERE plan = ? AND intended_at IS NULL", digest)
        add_changes(conn, digest, changes, run, None)
        body = {"plan": digest, "run": run, "kind": kind, "changes": len(changes)}
        chain.append(db, conn, HELD, body, now_ms=at)
    return True


def approve(
    db: Database,
    digest: str,
    by: str,
    *,
    valid: timedelta = VALID,
    is_other_required: bool = False,
    now_ms: int | None = None,
) -> Plan:
    """The held plan may be applied until the approval expires.

    Raises OperatorError where no such plan is held, or where its author approves what another one must.
    """
    at = clock.now(now_ms)
    with db.write() as conn:
        plan = find_plan(conn, digest)
        if plan is None or plan.state not in {HELD, APPROVED}:
            message = say("No plan {digest} is held.", digest=digest)
            raise _refused(message, say("`headrace plan --held` lists those that are."))
        if is_other_required and plan.author == by:
            raise _refused(say("Its author cannot approve this plan."), say("Ask someone else."))
        expires_at = at + int(valid.total_seconds() * 1000)
        execute(
            conn,
            "UPDATE plan SET state = ?, approved_by = ?, approved_at = ?, expires_at = ? WHERE digest = ?",
            APPROVED,
            by,
            at,
            expires_at,
            plan.digest,
        )
        body = {"plan": plan.digest, "by": by, "expires_at": expires_at}
        chain.append(db, conn, APPROVED, body, now_ms=at)
        return plan._replace(state=APPROVED, approved_by=by, approved_at=at, expires_at=expires_at)


def close_plan(db: Database, digest: str) -> None:
    """The plan was applied; what of it was never intended is dropped, and is planned anew if it is still wanted."""
    with db.write() as conn:
        execute(conn, "UPDATE plan SET state = ? WHERE digest = ?", APPLIED, digest)
        execute(conn, "DELETE FROM change WHERE plan = ? AND intended_at IS NULL", digest)
        chain.append(db, conn, APPLIED, {"plan": digest})


def find_plan(conn: Connection, digest: str) -> Plan | None:
    """The plan of that digest, or the only one whose digest begins so."""
    sql = f"SELECT {_COLUMNS} FROM plan WHERE digest = ? OR SUBSTR(digest, 1, ?) = ? ORDER BY digest <> ? LIMIT 2"
    rows = fetch(conn, sql, digest, len(digest), digest, digest)
    if not rows or not digest or (len(rows) > 1 and rows[0][0] != digest):
        return None
    return _plan(rows[0])


def list_plans(conn: Connection, *, state: str | None = None, limit: int = 50) -> list[Plan]:
    """The stored plans, newest first: all, or those in one state."""
    where = "" if state is None else "WHERE state = ?"
    params = () if state is None else (state,)
    sql = f"SELECT {_COLUMNS} FROM plan {where} ORDER BY created_at DESC, digest LIMIT ?"
    return [_plan(row) for row in fetch(conn, sql, *params, limit)]


def pause(db: Database, by: str, *, now_ms: int | None = None) -> None:
    """No change is sent until `resume`, whatever the configuration says."""
    at = clock.now(now_ms)
    with db.write() as conn:
        meta.put(conn, _PAUSE, orjson.dumps([by, at]).decode())
        chain.append(db, conn, "paused", {"by": by}, now_ms=at)


def resume(db: Database, by: str, *, now_ms: int | None = None) -> None:
    """Changes are sent again."""
    with db.write() as conn:
        meta.put(conn, _PAUSE, None)
        chain.append(db, conn, "resumed", {"by": by}, now_ms=now_ms)


def paused(conn: Connection) -> Pause | None:
    """Who has stopped all writes, None where they are allowed."""
    text = meta.get(conn, _PAUSE)
    return None if text is None else Pause(*orjson.loads(text))


def _plan(row: tuple[object, ...]) -> Plan:
    digest, run, kind, state, why, *rest = row
    message = None if why is None else messages.load(str(why))
    return Plan(digest, run, kind, state, message, *rest)  # type: ignore[arg-type]  # columns in the order of the fields


def _refused(message: Message, hint: Message) -> OperatorError:
    return OperatorError([Problem("plan", message, hint)], exit_code=1)
