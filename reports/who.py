"""Finding somebody by what a person types: an address, a record, or our own id."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mapping.normalise import email
from mapping.records import Ref
from state.graph import follow
from state.sql import fetch_one

if TYPE_CHECKING:
    from sqlalchemy import Connection


class Entity(NamedTuple):
    """One person, account or opportunity: its key in the store, its golden id, its kind."""

    key: int
    id: str
    kind: str


_BY_RECORD = "SELECT e.key, e.id, e.kind FROM membership m JOIN entity e ON e.key = m.entity WHERE m.record = ?"
_BY_ADDRESS = """
SELECT e.key, e.id, e.kind FROM ident i JOIN membership m ON m.record = i.record JOIN entity e ON e.key = m.entity
WHERE i.kind = 'email' AND i.value = ? ORDER BY e.kind = 'person' DESC, e.key LIMIT 1
"""
_BY_PROFILE = """
SELECT e.key, e.id, e.kind FROM profile p JOIN membership m ON m.record = p.record JOIN entity e ON e.key = m.entity
WHERE LOWER(p.email) = ? ORDER BY e.key LIMIT 1
"""


def find_entity(conn: Connection, who: str) -> Entity | None:
    """The entity of an e-mail address, of a record `system:object:id`, or of a golden id, merged ones followed."""
    who = who.strip()
    if "@" in who:
        row = fetch_one(conn, _BY_ADDRESS, email(who) or who.lower()) or fetch_one(conn, _BY_PROFILE, who.lower())
        return Entity(*row) if row else None
    try:
        ref = Ref.parse(who)
    except ValueError:
        row = follow(conn, who.upper())
    else:
        row = fetch_one(conn, _BY_RECORD, ref.key)
    return Entity(*row) if row else None
