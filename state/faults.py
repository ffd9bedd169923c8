"""What the database reports when something is wrong with it, said as what a person or the engine can do about it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from mapping.errors import HeadraceError, OperatorError, Problem, RetryLater
from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Mapping

FULL = say("The disk of the store is full. Nothing was lost: the batch was rolled back and its cursor did not move.")
BUSY = say("The store is locked by another program. Nothing was written.")
AWAY = say("The database server cannot be reached.")

_FULL_WAIT = timedelta(seconds=60)
_BUSY_WAIT = timedelta(seconds=5)
_AWAY_WAIT = timedelta(seconds=10)
_CLASH_WAIT = timedelta(milliseconds=100)

_SQLITE: Mapping[str, tuple[Message, Message]] = {
    "readonly": (
        say("The store cannot be written."),
        say("Give this user write permission on the file and on its directory, or mount the file system writable."),
    ),
    "unable to open": (
        say("The store cannot be opened."),
        say("Check that the directory of [state] url exists and that this user may write there."),
    ),
    "malformed": (
        say("The store is damaged."),
        say("Stop everything that uses it, keep the file, and run `headrace state restore` with the last backup."),
    ),
    "not a database": (
        say("The file is no SQLite database."),
        say("Check [state] url; if it is the right file, run `headrace state restore` with the last backup."),
    ),
    "disk i/o error": (
        say("The disk of the store reported an error."),
        say("Check the disk and its file system; a store on a network file system is not supported."),
    ),
}

_POSTGRES_LATER = (
    ({"53100"}, _FULL_WAIT, FULL),
    ({"55P03", "57014"}, _BUSY_WAIT, BUSY),
    ({"40001", "40P01"}, _CLASH_WAIT, say("Two transactions met; this one was rolled back.")),
    ({"08", "53", "57P01", "57P02", "57P03"}, _AWAY_WAIT, AWAY),
)
"""SQLSTATEs and their classes (PostgreSQL 18, Appendix A) that another try mends, in the order in which they apply."""

_POSTGRES_STOP = (
    (
        {"25006", "42501"},
        say("The store cannot be written."),
        say("Give the role of [state] url the right to write, and check that the server is no standby."),
    ),
    (
        {"28000", "28P01", "3D000"},
        say("The database server refused the connection."),
        say("Check user, password and database name of [state] url."),
    ),
    ({"XX001", "XX002"}, say("The store is damaged."), say("Restore the database from its last backup.")),
)


def translate(error: BaseException, where: str) -> Exception | None:
    """Say a driver's error as one of headrace's own; None where it is a bug, which is to surface as it is.

    No value of a row comes along: PostgreSQL quotes values in its details.
    """
    cause = getattr(error, "orig", None) or error
    if hasattr(cause, "sqlstate"):
        return _postgres(cause, where)
    text = str(cause).lower()
    if "full" in text and "disk" in text:
        return RetryLater(_FULL_WAIT, FULL)
    if "locked" in text or "busy" in text:
        return RetryLater(_BUSY_WAIT, BUSY)
    for mark, (message, hint) in _SQLITE.items():
        if mark in text:
            return OperatorError([Problem(where, message, hint)], exit_code=1)
    return None


def _postgres(cause: BaseException, where: str) -> Exception | None:
    state: str = getattr(cause, "sqlstate", None) or ""
    if not state:
        return RetryLater(_AWAY_WAIT, AWAY) if type(cause).__name__ == "OperationalError" else None
    for marks, wait, message in _POSTGRES_LATER:
        if state in marks or state[:2] in marks:
            return RetryLater(wait, message)
    for marks, message, hint in _POSTGRES_STOP:
        if state in marks:
            return OperatorError([Problem(where, message, hint)], exit_code=1)
    if state[:2] in {"22", "23"}:  # its own text and details quote the values
        diag = getattr(cause, "diag", None)
        spot = f"{getattr(diag, 'table_name', None)} {getattr(diag, 'constraint_name', None)}"
        return HeadraceError(say("The database refused a row ({state}, {spot}).", state=state, spot=spot))
    return None
