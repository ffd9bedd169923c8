"""What the plan compares: each entity's decision beside the records that should show it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypedDict, cast

import msgspec

from mapping.records import Ref
from state.sql import Row, any_of, fetch, listed
from state.store import counts

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    Fields = Mapping[tuple[str, str], Sequence[str]]
    """(system, object) -> names of fields."""


class Showing(NamedTuple):
    """One live record of an entity, as it was last read, and what was decided of the entity.

    `entity` is the golden id. `payload` has no other fields than those asked for. `stage` is None where the entity is
    in no stage; `since` is in epoch milliseconds; `facts` is a JSON object. `is_converted` tells of a lead whose
    contact lives on in its place.
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
    facts: str


_SHOWINGS = """
SELECT r.key, s.system, s.object, r.id, e.id, e.kind, r.payload, p.merged_into,
       d.stage, d.since, d.rule, d.score, d.score_rule, d.facts
FROM membership m
JOIN entity e ON e.key = m.entity
JOIN decision d ON d.entity = m.entity AND d.model = ?
JOIN record r ON r.key = m.record
JOIN source s ON s.id = r.source
LEFT JOIN profile p ON p.record = m.record
WHERE {these} AND NOT r.is_deleted
"""


def showings(conn: Connection, model: str, entities: Sequence[int], fields: Fields) -> list[Showing]:
    """Every live record of these entities, at most a few thousand entities at a time, in no particular order.

    `fields` names the fields of interest; records of other objects are passed over.
    """
    sql = _SHOWINGS.format(these=any_of(conn, "m.entity"))
    readers = {place: _reader(names) for place, names in fields.items()}
    return [
        _showing(row, readers[row[1], row[2]])
        for row in fetch(conn, sql, model, listed(conn, entities))
        if (row[1], row[2]) in readers
    ]


def _reader(names: Sequence[str]) -> Callable[[str], dict[str, Any]]:
    """What reads some fields of a payload, and passes over the others at a tenth of the price."""
    shape = TypedDict("shape", dict.fromkeys(names, Any), total=False)  # type: ignore[misc]  # the names are known only now
    return msgspec.json.Decoder(cast("type[dict[str, Any]]", shape)).decode


def _showing(row: Row, read: Callable[[str], dict[str, Any]]) -> Showing:
    key, system, object_, id_, entity, kind, payload, merged_into, stage, since, rule, score, score_rule, facts = row
    is_converted = merged_into is not None
    return Showing(
        key, Ref(system, object_, id_), entity, kind, read(payload), is_converted, stage, since, rule, score,
        score_rule, facts or "{}",
    )  # fmt: skip


def populations(conn: Connection) -> dict[tuple[str, str], int]:
    """Live records by (system, object), also where none is left."""
    return {place: live for place, (live, _) in counts(conn).items()}


def decided_entities(conn: Connection, model: str, after: int, limit: int) -> list[int]:
    """The next entities with a decision, by key."""
    sql = "SELECT entity FROM decision WHERE model = ? AND entity > ? ORDER BY entity LIMIT ?"
    return [key for (key,) in fetch(conn, sql, model, after, limit)]


def golden_ids(conn: Connection, entities: Sequence[int]) -> dict[str, int]:
    """The keys of some entities by golden id."""
    sql = f"SELECT id, key FROM entity WHERE {any_of(conn, 'key')}"  # noqa: S608  # no value
    return dict(fetch(conn, sql, listed(conn, entities)))
