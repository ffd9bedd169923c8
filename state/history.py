"""What the records told: events, profiles, links and identifiers; to derive it again changes only what differs.

Events are only ever added: one that a later version of its record contradicts is retracted, with the instant at which
that was known, and stays.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from mapping.derived import Ident
from mapping.events import Event, Link, LinkKind, Profile
from state import graph, pending
from state.sql import any_of, executemany, fetch, listed, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from mapping.derived import Derived, EventRow

_IDENTITY = tuple(Profile._fields.index(name) for name in ("kind", "name", "given_name", "family_name", "company"))

_first = itemgetter(0)
"""What tables of rows are sorted by before they are inserted: neighbours share a page."""


class Kept(NamedTuple):
    """How many events came to be known, and how many ceased to be held true."""

    events: int
    retracted: int


def save_derived(
    conn: Connection,
    derived: Derived,
    *,
    known_at: int,
    again: Collection[int],
    is_first_load: bool = False,
) -> Kept:
    """The store holds what these records tell, and nothing else that they told before.

    `again` are those of the records that may have been derived before. Records that are new to identity, or whose
    names, identifiers or declared links differ, wait for `resolve`; the entities of which anything became known or
    ceased to be true wait for `decide`. During the first load nobody has seen an event yet, and one that is
    contradicted by a later page leaves no trace.
    """
    kept, subjects = _save_events(conn, derived, again, known_at, is_first_load=is_first_load)
    moved, changed = _save_profiles(conn, derived.profiles, again)
    linked = _save_links(conn, derived.links, again)
    moved |= _save_idents(conn, derived.idents, again)
    moved.update(end for link in linked if link.kind == LinkKind.SAME.value for end in (link.source, link.target))
    pending.add(conn, pending.RESOLVE, moved)
    subjects |= changed
    subjects.update(end for link in linked for end in (link.source, link.target))
    graph.mark_affected(conn, subjects)
    return kept


def _save_events(
    conn: Connection, derived: Derived, again: Collection[int], known_at: int, *, is_first_load: bool
) -> tuple[Kept, set[int]]:
    """Add what is new, retract what is told no more, and say of whom."""
    if not again:
        _add_events(conn, derived.rows, known_at)
        return Kept(len(derived.rows), 0), set(map(_first, derived.rows))
    known = _events_by_id(conn, again)
    told = {event[2] for event in derived.rows}
    told_at = {(row[0], row[3], row[1]) for row in known.values() if row[4] is None}
    floors = derived.floors
    news: list[EventRow] = []
    revived: list[tuple[int, int, bytes]] = []
    for event in derived.rows:
        subject, at, id_, kind = event[:4]
        row = known.get(id_)
        if row is not None:
            if row[4] is not None:
                revived.append((subject, at, id_))
            continue
        floor = floors.get((subject, kind))
        if floor is not None and at <= floor and (subject, kind, at) in told_at:
            continue  # the first entry that is still held: what it was derived from beside its forerunner stands
        news.append(event)
    gone = [
        (subject, at, id_)
        for subject, at, id_, kind, retracted_at in known.values()
        if id_ not in told and retracted_at is None and not at <= floors.get((subject, kind), at - 1)
    ]
    _add_events(conn, news, known_at)
    place = " WHERE subject = ? AND at = ? AND id = ?"
    executemany(conn, f"UPDATE event SET retracted_at = NULL{place}", revived)
    if is_first_load:
        executemany(conn, f"DELETE FROM event{place}", gone)
    else:
        executemany(conn, f"UPDATE event SET retracted_at = ?{place}", [(known_at, *row) for row in gone])
    subjects = {*map(_first, news)} | {row[0] for row in (*revived, *gone)}
    return Kept(len(news) + len(revived), len(gone)), subjects


def _add_events(conn: Connection, events: Sequence[EventRow], known_at: int) -> None:
    rows = sorted(events, key=_first)
    upsert(conn, "event", Event._fields, ("subject", "at", "id"), rows, update=(), same={"known_at": known_at})


def _events_by_id(conn: Connection, origins: Collection[int]) -> dict[bytes, tuple[int, int, bytes, str, int | None]]:
    """What was derived from these records: subject, at, id, kind and retracted_at, by id."""
    columns = "SELECT subject, at, id, kind, retracted_at FROM event WHERE"
    keys = listed(conn, origins)
    own = fetch(conn, f"{columns} {any_of(conn, 'subject')} AND origin IS NULL", keys)
    others = fetch(conn, f"{columns} {any_of(conn, 'origin')} AND origin IS NOT NULL", keys)
    return {bytes(row[2]): (row[0], row[1], bytes(row[2]), row[3], row[4]) for row in (*own, *others)}


def _save_profiles(conn: Connection, profiles: Sequence[Profile], again: Collection[int]) -> tuple[set[int], set[int]]:
    """The records that identity must look at, and all whose profile is new or differs."""
    known: dict[int, tuple[object, ...]] = {}
    if again:
        sql = f"SELECT {', '.join(Profile._fields)} FROM profile WHERE {any_of(conn, 'record')}"
        known = {row[0]: row for row in fetch(conn, sql, listed(conn, again))}
    rows, moved = [], set()
    for profile in profiles:
        before = known.get(profile.record)
        if before == profile:
            continue
        rows.append(profile)
        if before is None or any(before[place] != profile[place] for place in _IDENTITY):
            moved.add(profile.record)
    upsert(conn, "profile", Profile._fields, ("record",), sorted(rows, key=_first))
    return moved, {profile.record for profile in rows}


def _save_links(conn: Connection, links: Sequence[Link], again: Collection[int]) -> list[Link]:
    """The links that came or went; of two with one key the last one counts."""
    told = {link[:4]: link for link in links}
    known: dict[tuple[int, str, int, int], Link] = {}
    if again:
        sql = f"SELECT {', '.join(Link._fields)} FROM link WHERE {any_of(conn, 'origin')}"
        known = {row[:4]: Link._make((*row[:6], bool(row[6]))) for row in fetch(conn, sql, listed(conn, again))}
    gone = [link for place, link in known.items() if place not in told]
    came = [link for place, link in told.items() if known.get(place) != link]
    executemany(
        conn,
        "DELETE FROM link WHERE origin = ? AND kind = ? AND source = ? AND target = ?",
        [link[:4] for link in gone],
    )
    upsert(conn, "link", Link._fields, ("origin", "kind", "source", "target"), sorted(came, key=_first))
    return gone + came


def _save_idents(conn: Connection, idents: Sequence[Ident], again: Collection[int]) -> set[int]:
    """The records whose identifiers differ, and those that still carry one which another gave up.

    Whoever gave it up may have been what kept the others apart: a name that contradicted theirs.
    """
    told = set(idents)
    known: set[Ident] = set()
    if again:
        sql = f"SELECT kind, value, record FROM ident WHERE {any_of(conn, 'record')}"
        known = {Ident(*row) for row in fetch(conn, sql, listed(conn, again))}
    gone, came = known - told, told - known
    executemany(conn, "DELETE FROM ident WHERE kind = ? AND value = ? AND record = ?", list(gone))
    upsert(conn, "ident", Ident._fields, Ident._fields, sorted(came), update=())
    moved = {ident.record for ident in (*gone, *came)}
    for kind, value in {ident[:2] for ident in gone}:
        moved.update(
            record for (record,) in fetch(conn, "SELECT record FROM ident WHERE kind = ? AND value = ?", kind, value)
        )
    return moved


def events_of(conn: Connection, records: Collection[int]) -> list[Event]:
    """All that happened to these records and stands, oldest first."""
    sql = (
        f"SELECT {', '.join(Event._fields)} FROM event"
        f" WHERE {any_of(conn, 'subject')} AND retracted_at IS NULL ORDER BY at, subject, id"
    )
    return [Event(row[0], row[1], bytes(row[2]), *row[3:]) for row in fetch(conn, sql, listed(conn, records))]
