"""The journal: every intention, outcome and decision of a person, each line sealed together with the one before it.

A seal is HMAC-SHA256(key, previous seal ‖ line). The key stands in a file outside of the database, so that whoever can
write the database alone cannot write history. A line holds ids and keyed hashes of values, never values: erasing a
person leaves the chain whole.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mapping.errors import OperatorError, Problem
from mapping.text import Message, say
from state import clock, meta
from state.sql import any_of, execute, fetch, fetch_one, is_postgres, listed, stream

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sqlalchemy import Connection

    from state.engine import Database

_FINGERPRINT = "journal.key"
_COUNTER = "journal"
_LOCK = 0x6A6F7572  # "jour": one line follows another, also where two write to PostgreSQL


class Broken(NamedTuple):
    """The first line at which the journal is not what was written, and why."""

    line: int
    why: Message


def append(db: Database, conn: Connection, act: str, body: Mapping[str, Any], *, now_ms: int | None = None) -> int:
    """A line stands in the journal once `conn` commits; returns its number. `body` must hold no values of records."""
    key = load_key(db, conn)
    if is_postgres(conn):
        execute(conn, "SELECT pg_advisory_xact_lock(?)", _LOCK)
    at = clock.now(now_ms)
    number = meta.take(conn, _COUNTER, 1)
    row = fetch_one(conn, "SELECT seal FROM journal ORDER BY id DESC LIMIT 1")
    text = orjson.dumps(dict(body), option=orjson.OPT_SORT_KEYS).decode()
    seal = _seal(key, bytes(row[0]) if row else b"", number, at, act, text)
    sql = "INSERT INTO journal (id, at, act, body, seal) VALUES (?, ?, ?, ?, ?)"
    execute(conn, sql, number, at, act, text, seal)
    return number


def mark(key: bytes, change: int, *texts: str | None) -> str:
    """A keyed hash of a change's values: the same for the same values of that change, and telling nothing of them."""
    line = orjson.dumps([change, *texts])
    return hmac.digest(key, b"values" + line, "sha256")[:16].hex()


def verify(db: Database) -> Broken | None:
    """Read the whole journal, and the changes it speaks of: None where both are as they were written."""
    with db.read() as conn:
        if not meta.taken(conn, _COUNTER):
            return None
        if meta.get(conn, _FINGERPRINT) is None:
            return Broken(1, say("The store no longer knows which key sealed it."))
        key = load_key(db, conn)
        expected, previous = 1, b""
        for rows in stream(conn, "SELECT id, at, act, body, seal FROM journal ORDER BY id"):
            for number, at, act, body, seal in rows:
                if number != expected:
                    return Broken(expected, say("The line is missing."))
                if not hmac.compare_digest(_seal(key, previous, number, at, act, body), bytes(seal)):
                    return Broken(number, say("The line was altered."))
                expected, previous = number + 1, bytes(seal)
        if expected <= meta.taken(conn, _COUNTER):
            return Broken(expected, say("The line is missing."))
        return _verify_changes(conn, key)


def _verify_changes(conn: Connection, key: bytes) -> Broken | None:
    """Compare the changes with what the journal says of their values and outcomes."""
    after = 0
    otherwise: dict[int, int] = {}  # by change: the line that says another outcome than the change has
    sql = "SELECT id, act, body FROM journal WHERE act IN ('intended', 'settled') AND id > ? ORDER BY id LIMIT 50"
    while batch := fetch(conn, sql, after):
        for number, act, body in batch:
            said = {entry[0]: entry[-1] for entry in orjson.loads(body)["changes"]}
            select = f"SELECT id, before, after, outcome FROM change WHERE {any_of(conn, 'id')}"
            found = fetch(conn, select, listed(conn, said))
            if len(found) != len(said):
                return Broken(number, say("A change of this line is missing."))
            for id_, before, now, outcome in found:
                if act == "settled":
                    # An unknown outcome may be settled once more by a later line.
                    otherwise[id_] = 0 if outcome == said[id_] else number
                elif mark(key, id_, before, now) != said[id_]:
                    return Broken(number, say("A change of this line was altered."))
            otherwise = {id_: line for id_, line in otherwise.items() if line}
        after = batch[-1][0]
    if not otherwise:
        return None
    return Broken(min(otherwise.values()), say("The outcome of a change of this line was altered."))


def lines(
    conn: Connection, *, before: int | None = None, limit: int = 100
) -> list[tuple[int, int, str, dict[str, Any]]]:
    """Lines of the journal, newest first, from below the number `before`: number, instant, act, body."""
    top = meta.taken(conn, _COUNTER) + 1 if before is None else before
    sql = "SELECT id, at, act, body FROM journal WHERE id < ? ORDER BY id DESC LIMIT ?"
    return [(id_, at, act, orjson.loads(body)) for id_, at, act, body in fetch(conn, sql, top, limit)]


def load_key(db: Database, conn: Connection) -> bytes:
    """The journal's key; made, for its owner alone, when the journal begins.

    Raises OperatorError where it is lost or is not the one with which the journal began.
    """
    path = db.key_path
    if path is None:
        raise _keyless("[state]", say("The journal needs a file for its key."), say("Set key_path in [state]."))
    fingerprint = meta.get(conn, _FINGERPRINT)
    if fingerprint is not None and db.journal_key is not None:
        return db.journal_key
    key = _read(path)
    if fingerprint is None:
        if key is None:
            key = _create(path)
        meta.put(conn, _FINGERPRINT, _fingerprint(key))
        return key  # not remembered: this transaction may yet be rolled back
    if key is None:
        message = say("The key of the journal is missing, so nothing can be added to it and nothing proved by it.")
        raise _keyless(str(path), message, say("Put the file back from its backup."))
    if not hmac.compare_digest(_fingerprint(key), fingerprint):
        message = say("This is not the key with which the journal was begun.")
        raise _keyless(str(path), message, say("Put the right file back from its backup."))
    db.journal_key = key
    return key


def _seal(key: bytes, previous: bytes, number: int, at: int, act: str, body: str) -> bytes:
    return hmac.digest(key, previous + orjson.dumps([number, at, act, body]), "sha256")


def _fingerprint(key: bytes) -> str:
    return hmac.new(key, b"headrace journal", hashlib.sha256).hexdigest()


def _read(path: Path) -> bytes | None:
    try:
        return bytes.fromhex(path.read_text("ascii").strip())
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        message = say("The key of the journal cannot be read ({why}).", why=type(error).__name__)
        raise _keyless(str(path), message, say("Give this user the right to read the file.")) from None


def _create(path: Path) -> bytes:
    key = secrets.token_bytes(32)
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(key.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return key


def _keyless(where: str, message: Message, hint: Message) -> OperatorError:
    return OperatorError([Problem(where, message, hint)], exit_code=1)
