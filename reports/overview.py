"""The whole company on one screen: what was read, who is who, and how far people came."""

from __future__ import annotations

from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from mapping.instants import DAY_MS
from state.graph import open_doubts
from state.sql import fetch, fetch_one

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection


class Reached(NamedTuple):
    """How many people ever came to a stage by its own rule, which share of those before it did, and how long after.

    Stages that were skipped and filled in afterwards do not count.
    """

    stage: str
    people: int
    share: float | None
    median_days: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Overview:
    """Counts over the whole store. `objects` is by system: how many objects and records were read."""

    objects: Mapping[str, tuple[int, int]]
    events: int
    events_since: int | None
    people: int
    person_records: int
    accounts: int
    opportunities: int
    doubts: int
    reached: Sequence[Reached]


def overview(conn: Connection, model: str, path: Sequence[str]) -> Overview:
    """Count the store; `path` is the stages of the main way, in order."""
    objects = {
        system: (kinds, records)
        for system, kinds, records in fetch(
            conn,
            "SELECT system, COUNT(*), SUM(live + deleted) FROM source WHERE live + deleted > 0"
            " GROUP BY system ORDER BY system",
        )
    }
    events, since = fetch_one(conn, "SELECT COUNT(*), MIN(at) FROM event WHERE retracted_at IS NULL") or (0, None)
    sql = "SELECT kind, COUNT(*) FROM entity WHERE merged_into IS NULL GROUP BY kind"
    kinds: dict[str, int] = dict(fetch(conn, sql))
    members = fetch_one(
        conn, "SELECT COUNT(*) FROM membership m JOIN entity e ON e.key = m.entity WHERE e.kind = 'person'"
    )
    return Overview(
        objects=objects,
        events=events,
        events_since=since,
        people=kinds.get("person", 0),
        person_records=members[0] if members else 0,
        accounts=kinds.get("account", 0),
        opportunities=kinds.get("opportunity", 0),
        doubts=open_doubts(conn),
        reached=_reached(conn, model, path),
    )


_FIRST_ENTRIES = """
SELECT t.entity, t.after, MIN(t.at) FROM transition t JOIN entity e ON e.key = t.entity
WHERE t.model = ? AND t.gone_at IS NULL AND NOT t.is_backfilled AND e.kind = 'person' AND t.after IS NOT NULL
GROUP BY t.entity, t.after
"""


def _reached(conn: Connection, model: str, path: Sequence[str]) -> list[Reached]:
    first: dict[str, dict[int, int]] = {stage: {} for stage in path}
    for entity, stage, at in fetch(conn, _FIRST_ENTRIES, model):
        if stage in first:
            first[stage][entity] = at
    rows = []
    before: str | None = None
    for stage in path:
        people = first[stage]
        stays = [people[e] - first[before][e] for e in people if e in first[before]] if before else []
        share = len(stays) / len(first[before]) if before and first[before] else None
        rows.append(Reached(stage, len(people), share, median(stays) / DAY_MS if stays else None))
        before = stage
    return rows
