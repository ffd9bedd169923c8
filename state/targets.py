"""What the plan compares: each entity's decision beside the records that should show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mapping.records import Ref
from state.sql import Row, fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection


class Showing(NamedTuple):
    """One live record of an entity, as it was last read, and what was decided of the entity.

    `entity` is the golden id. `stage` is None where the entity is in no stage; `since` is in epoch milliseconds.
    `is_converted` tells of a lead whose contact lives on in its place.
    """

    key: int
    ref: Ref
    entity: str
    kind: str
    payload: dict[str, Any]
    is_converted: bool
    stage: str | None
    since: int | None
    rule: str | None
    score: int
    score_rule: str
    facts: dict[str, Any]


_SHOWINGS = """
SELECT r.key, s.system, s.object, r.id, e.id, e.kind, r.payload, p.merged_into,
       d.stage, d.since, d.rule, d.score, d.score_rule, d.facts
FROM membership m
JOIN entity e ON e.key = m.entity
JOIN decision d ON d.entity = m.entity AND d.model = ?
JOIN record r ON r.key = m.record
JOIN source s ON s.id = r.source
LEFT JOIN profile p ON p.record = m.record
WHERE m.entity IN ({entities}) AND NOT r.is_deleted
"""


def showings(conn: Connection, model: str, entities: Sequence[int]) -> list[Showing]:
    """Every live record of these entities, at most a few thousand entities at a time, in no particular order."""
    listed = ",".join(map(str, entities))
    rows = fetch(conn, _SHOWINGS.format(entities=listed), model)
    return [_showing(row) for row in rows]


def _showing(row: Row) -> Showing:
    key, system, object_, id_, entity, kind, payload, merged_into, stage, since, rule, score, score_rule, facts = row
    return Showing(
        key=key,
        ref=Ref(system, object_, id_),
        entity=entity,
        kind=kind,
        payload=orjson.loads(payload),
        is_converted=merged_into is not None,
        stage=stage,
        since=since,
        rule=rule,
        score=score,
        score_rule=score_rule,
        facts=orjson.loads(facts) if facts else {},
    )


def populations(conn: Connection) -> dict[tuple[str, str], int]:
    """Live records by (system, object)."""
    sql = """
    SELECT s.system, s.object, COUNT(*) FROM record r JOIN source s ON s.id = r.source
    WHERE NOT r.is_deleted GROUP BY s.system, s.object
    """
    return {(system, object_): count for system, object_, count in fetch(conn, sql)}


def decided_entities(conn: Connection, model: str, after: int, limit: int) -> list[int]:
    """The next entities with a decision, by key."""
    sql = "SELECT entity FROM decision WHERE model = ? AND entity > ? ORDER BY entity LIMIT ?"
    return [key for (key,) in fetch(conn, sql, model, after, limit)]


def golden_ids(conn: Connection, entities: Sequence[int]) -> dict[str, int]:
    """The keys of some entities by golden id."""
    listed = ",".join(map(str, entities))
    return dict(fetch(conn, f"SELECT id, key FROM entity WHERE key IN ({listed})"))  # noqa: S608  # integers of our own
