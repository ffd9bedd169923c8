"""What is known of some entities, gathered for deciding: their records' profiles and every event that bears on them.

Read set-wise for a thousand entities at a time. An event of an account or an opportunity that bears on many people is
read once for all of them.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from collections import defaultdict
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from mapping.events import CUSTOMER_EVENTS, Event, EventKind, LinkKind, Profile
from mapping.facts import CHANGING, READ
from mapping.happenings import Whereabouts
from mapping.stages import ALL_KINDS
from state.sql import Row, any_of, fetch, listed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from mapping.stages import Course

_SOURCE = len(Profile._fields)
"""Where the source's number stands behind the columns of a profile; the record's and the entity's keys follow."""

_BORN = Profile._fields.index("created_at")
_SUBJECT = itemgetter(0)
_AT, _KIND = Event._fields.index("at"), Event._fields.index("kind")

_BEARING = frozenset({*CUSTOMER_EVENTS, EventKind.ATTRIBUTE_CHANGED})
"""What happens to an account and bears on each of its people."""

_LATER = frozenset({"Lead", "leads", "users"})
"""Objects whose records say less of a person than the others do."""


class Timeline(NamedTuple):
    """All that is known of one entity: profiles in order of preference, its company's last, and events in no order."""

    entity: int
    profiles: Sequence[Row]
    events: Sequence[Row]


class Timelines(NamedTuple):
    """The timelines of a chunk of entities, and where the records in them belong."""

    of: Sequence[Timeline]
    records: Mapping[int, Whereabouts]


class Sources:
    """The vendors' objects by number, and which of two records to believe; `systems` names the systems in order."""

    def __init__(self, conn: Connection, systems: Sequence[str] = ()) -> None:
        rows = fetch(conn, "SELECT id, system, object FROM source")
        names = [*systems, *sorted({system for _, system, _ in rows} - set(systems))]
        self.system = {id_: names.index(system) for id_, system, _ in rows}
        self.rank = {id_: (object_ in _LATER, names.index(system)) for id_, system, object_ in rows}


def read_timelines(
    conn: Connection, kind: str, entities: Sequence[int], sources: Sources, course: Course | None = None
) -> Timelines:
    """Everything that decides some entities of one kind; an entity without records has an empty timeline.

    With a `course`, only what it looks at is read: enough to decide, and other kinds of events are missing, as are the
    columns of an event between those that it looks at and the quantity.
    """
    chunk = _Chunk(conn, sources, course)
    chunk.read(entities)
    if kind == "person":
        opportunities = _neighbours(conn, entities, LinkKind.PARTY, is_source=True)
        accounts = _neighbours(conn, entities, LinkKind.EMPLOYED, is_source=True)
        chunk.read(_all(opportunities), with_profiles=False)
        chunk.read(_all(accounts), bearing_only=True)
    elif kind == "account":
        accounts = {}
        opportunities = _neighbours(conn, entities, LinkKind.OWNED, is_source=False)
        chunk.read(_all(opportunities), with_profiles=False)
    else:
        opportunities = {}
        accounts = _neighbours(conn, entities, LinkKind.OWNED, is_source=True)
        chunk.read_profiles(_all(accounts))
    timelines = []
    for entity in entities:
        events, profiles = chunk.events.get(entity, []), chunk.profiles.get(entity, [])
        near, companies = opportunities.get(entity, ()), accounts.get(entity, ())
        born = min((profile[_BORN] for profile in profiles if profile[_BORN] is not None), default=None)
        if near or companies:
            events, profiles = list(events), list(profiles)
            for opportunity in near:
                events += chunk.events.get(opportunity, ())
            for account in companies:
                profiles += chunk.profiles.get(account, ())
                if kind == "person":
                    events += _lived(chunk.events.get(account, ()), born)
        timelines.append(Timeline(entity, profiles, events))
    return Timelines(timelines, chunk.records)


class _Chunk:
    def __init__(self, conn: Connection, sources: Sources, course: Course | None) -> None:
        self._conn, self._sources = conn, sources
        self._kinds = ALL_KINDS if course is None else course.kinds
        self._event = ", ".join(f"e.{name}" for name in Event._fields) if course is None else _lean_event(course)
        self._profile = ", ".join(f"p.{name}" if course is None or name in READ else "NULL" for name in Profile._fields)
        self.profiles: dict[int, list[Row]] = {}
        self.events: dict[int, list[Row]] = {}
        self.records: dict[int, Whereabouts] = {}

    def read(self, entities: Iterable[int], *, bearing_only: bool = False, with_profiles: bool = True) -> None:
        """The profiles and events of these entities' own records are at hand; if asked, only what bears on people."""
        wanted = [entity for entity in entities if entity not in self.events]
        if not wanted:
            return
        belongs = self.read_profiles(wanted) if with_profiles else self._place(wanted)
        kinds = [kind for kind in self._kinds if kind in _BEARING] if bearing_only else self._kinds
        names = ", ".join(f"'{EventKind(kind)}'" for kind in kinds) or "NULL"
        which = "" if len(kinds) == len(ALL_KINDS) else f" AND e.kind IN ({names})"
        sql = f"""
        SELECT {self._event} FROM event e
        WHERE {any_of(self._conn, "e.subject")} AND e.retracted_at IS NULL{which}
        """
        events = self.events
        for entity in wanted:
            events[entity] = []
        for subject, rows in groupby(fetch(self._conn, sql, listed(self._conn, belongs)), _SUBJECT):
            events[belongs[subject]].extend(rows)

    def read_profiles(self, entities: Iterable[int]) -> dict[int, int]:
        """The profiles of these entities' own records are at hand, in order of preference.

        Returns the entity of each of those records.
        """
        wanted = [entity for entity in entities if entity not in self.profiles]
        sql = f"""
        SELECT {self._profile}, r.source, m.record, m.entity
        FROM membership m LEFT JOIN record r ON r.key = m.record LEFT JOIN profile p ON p.record = m.record
        WHERE {any_of(self._conn, "m.entity")}
        """
        found: dict[int, list[Row]] = {entity: [] for entity in wanted}
        rows = fetch(self._conn, sql, listed(self._conn, wanted)) if wanted else []
        for row in rows:
            if row[0] is not None:
                found[row[-1]].append(row)
        rank, unknown = self._sources.rank, (True, len(self._sources.rank))
        for profiles in found.values():
            if len(profiles) > 1:
                profiles.sort(key=lambda row: (rank.get(row[_SOURCE], unknown), row[0]))
        self.profiles |= found
        return self._belong(row[_SOURCE:] for row in rows)

    def _place(self, entities: Sequence[int]) -> dict[int, int]:
        """Where the records of these entities belong is at hand; returns the entity of each of them."""
        sql = f"""
        SELECT r.source, m.record, m.entity FROM membership m LEFT JOIN record r ON r.key = m.record
        WHERE {any_of(self._conn, "m.entity")}
        """
        return self._belong(fetch(self._conn, sql, listed(self._conn, entities)))

    def _belong(self, rows: Iterable[Row]) -> dict[int, int]:
        system, entities = self._sources.system, {}
        for source, record, entity in rows:
            entities[record] = entity
            if source is not None:
                self.records[record] = Whereabouts(system[source], entity)
        return entities


def _neighbours(conn: Connection, entities: Sequence[int], kind: LinkKind, *, is_source: bool) -> dict[int, list[int]]:
    """The entities to which these refer by links of a kind; those that refer to them where `is_source` is not."""
    here, there = ("source", "target") if is_source else ("target", "source")
    sql = f"""
    SELECT DISTINCT m.entity, o.entity FROM membership m
    JOIN link l ON l.{here} = m.record AND l.kind = ?
    JOIN membership o ON o.record = l.{there}
    WHERE {any_of(conn, "m.entity")}
    """
    found: dict[int, list[int]] = defaultdict(list)
    for entity, other in fetch(conn, sql, kind.value, listed(conn, entities)):
        if entity != other:
            found[entity].append(other)
    for others in found.values():
        others.sort()
    return found


def _lean_event(course: Course) -> str:
    """The columns of an event up to the last that the fold looks at, and its quantity.

    What changed is wanted of changes only.
    """
    changing = ", ".join(f"'{kind}'" for kind in sorted(CHANGING))
    last = max(map(Event._fields.index, {"after", *course.event_facts}))
    found = []
    for name in Event._fields[: last + 1]:
        if name in _WALKED or name in course.event_facts:
            found.append(f"e.{name}")
        elif name in {"name", "before", "after"}:
            found.append(f"CASE WHEN e.kind IN ({changing}) THEN e.{name} END")
        else:
            found.append("NULL")
    return ", ".join([*found, "e.quantity"])


_WALKED = frozenset({"subject", "at", "id", "kind", "since"})
"""The columns of an event that every fold looks at."""


def _lived(events: Sequence[Row], born: int | None) -> Sequence[Row]:
    """The events of a company that its person, known since `born`, was there for; attributes hold for all."""
    if born is None:
        return events
    return [event for event in events if event[_AT] >= born or event[_KIND] == EventKind.ATTRIBUTE_CHANGED]


def _all(neighbours: Mapping[int, Sequence[int]]) -> list[int]:
    return sorted({other for others in neighbours.values() for other in others})


def kinds_of_entities(conn: Connection, entities: Sequence[int]) -> dict[int, str]:
    """The kind of every entity that still stands; one that was merged into another is missing."""
    sql = f"SELECT key, kind FROM entity WHERE {any_of(conn, 'key')} AND merged_into IS NULL"
    return dict(fetch(conn, sql, listed(conn, entities)))


def people_of(conn: Connection, accounts: Sequence[int]) -> dict[int, list[int]]:
    """The people of each account."""
    return _neighbours(conn, accounts, LinkKind.EMPLOYED, is_source=False)
