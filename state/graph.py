"""The identity graph: which records are known to be one, why, and under which id.

Kept in step with what changed: a neighbourhood is loaded (everything that shares an identifier, a declared link or an
entity with the changed records, and so on), judged by `reconcile.identity`, and what differs is written.
"""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

import secrets
from base64 import b32encode
from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple

from ulid import ULID

from mapping.events import LinkKind
from reconcile.identity import Declared, Doubt, Edge, Node, Standing, assign, find_parts
from state import meta, pending
from state.sql import any_of, executemany, fetch, fetch_one, insert, listed, upsert

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from sqlalchemy import Connection

    from reconcile.identity import Assignment, Parts

SPLIT = "split"
"""The rule of a membership that ended because nothing joins the record to the others any longer."""

_CROCKFORD = bytes.maketrans(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", b"0123456789ABCDEFGHJKMNPQRSTVWXYZ")
_RANDOM_BYTES = 10


class Neighbourhood(NamedTuple):
    """Some records with all that could be one with them, and how things stand with them."""

    nodes: dict[int, Node]
    carriers: dict[tuple[str, str], list[int]]
    declared: list[Declared]
    members: dict[int, int]
    seen: set[int]


class Resolved(NamedTuple):
    """What a neighbourhood came to: by how many entities each kind grew, and the records that were looked at."""

    came: dict[str, int]
    records: int


def load_neighbourhood(conn: Connection, seeds: Iterable[int]) -> Neighbourhood:
    """Everything that the seeds' parts can depend on: closed under identifiers, declared links and entities."""
    seen: set[int] = set()
    carriers: dict[tuple[str, str], list[int]] = {}
    declared: set[Declared] = set()
    members: dict[int, int] = {}
    frontier = set(seeds)
    while frontier:
        seen |= frontier
        keys = listed(conn, frontier)
        found: set[int] = set()
        for kind, value, record in fetch(
            conn,
            "SELECT DISTINCT o.kind, o.value, o.record FROM ident i"
            f" JOIN ident o ON o.kind = i.kind AND o.value = i.value WHERE {any_of(conn, 'i.record')}",
            keys,
        ):
            carriers.setdefault((kind, value), []).append(record)
            found.add(record)
        for end in ("source", "target"):
            sql = f"SELECT source, target, rule FROM link WHERE {any_of(conn, end)} AND kind = ?"
            for row in fetch(conn, sql, keys, LinkKind.SAME.value):
                declared.add(Declared(*row))
                found.update(row[:2])
        for record, entity in fetch(
            conn,
            "SELECT record, entity FROM membership WHERE entity IN"
            f" (SELECT entity FROM membership WHERE {any_of(conn, 'record')})",
            keys,
        ):
            members[record] = entity
            found.add(record)
        frontier = found - seen
    return Neighbourhood(
        _load_nodes(conn, seen), {place: sorted(set(rows)) for place, rows in carriers.items()}, sorted(declared),
        members, seen,
    )  # fmt: skip


def _load_nodes(conn: Connection, records: Collection[int]) -> dict[int, Node]:
    sql = f"SELECT record, kind, name, given_name, family_name, company FROM profile WHERE {any_of(conn, 'record')}"
    return {row[0]: Node(*row[1:]) for row in fetch(conn, sql, listed(conn, records))}


def resolve_chunk(conn: Connection, seeds: Sequence[int], now_ms: int, *, is_first_load: bool) -> Resolved:
    """The entities of the seeds and of all their neighbours are right; whoever's changed waits for `decide`."""
    near = load_neighbourhood(conn, seeds)
    found = find_parts(near.nodes, near.carriers, near.declared)
    known = list(near.members)
    _save_edges(conn, found.edges, known, now_ms)
    _save_doubts(conn, found.doubts, known, now_ms)
    came = _save_entities(conn, found, near, now_ms, is_first_load=is_first_load)
    pending.remove(conn, pending.RESOLVE, list(near.seen))
    return Resolved(came, len(near.nodes))


def _save_edges(conn: Connection, edges: Sequence[Edge], known: Sequence[int], now_ms: int) -> None:
    """New edges are added, those that nothing supports any longer are retracted; evidence is kept either way."""
    stored: dict[tuple[int, int, str], tuple[str, str]] = {}
    if known:
        # By both ends: one of them may be no record of ours (an id that a merge did away with).
        sql = f"SELECT a, b, rule, evidence, state FROM edge WHERE {any_of(conn, 'a')} OR {any_of(conn, 'b')}"
        stored = {row[:3]: row[3:] for row in fetch(conn, sql, listed(conn, known), listed(conn, known))}
    told = {edge[:3] for edge in edges}
    news = [
        (edge.a, edge.b, edge.rule, edge.tier, edge.evidence, "active", now_ms)
        for edge in edges
        if stored.get(edge[:3]) not in {(edge.evidence, "active"), (edge.evidence, "blocked")}
    ]
    upsert(conn, "edge", ("a", "b", "rule", "tier", "evidence", "state", "known_at"), ("a", "b", "rule"), news)
    gone = [(now_ms, *place) for place, (_, state) in stored.items() if place not in told and state == "active"]
    executemany(conn, "UPDATE edge SET state = 'retracted', known_at = ? WHERE a = ? AND b = ? AND rule = ?", gone)


def _save_doubts(conn: Connection, doubts: Sequence[Doubt], known: Sequence[int], now_ms: int) -> None:
    """New doubts are opened; open ones without a cause are gone, those that a person decided stay."""
    stored: dict[tuple[int, int, str], str] = {}
    if known:
        sql = f"SELECT a, b, rule, state FROM doubt WHERE {any_of(conn, 'a')}"
        stored = {row[:3]: row[3] for row in fetch(conn, sql, listed(conn, known))}
    told = {doubt[:3] for doubt in doubts}
    rows = [(*doubt, "open", now_ms) for doubt in doubts if doubt[:3] not in stored]
    upsert(conn, "doubt", (*Doubt._fields, "state", "known_at"), ("a", "b", "rule"), rows, update=())
    gone = [place for place, state in stored.items() if place not in told and state == "open"]
    executemany(conn, "DELETE FROM doubt WHERE a = ? AND b = ? AND rule = ?", gone)


def _save_entities(
    conn: Connection, found: Parts, near: Neighbourhood, now_ms: int, *, is_first_load: bool
) -> dict[str, int]:
    """Memberships, entities and who waits for a decision; returns by how many each kind grew."""
    came: defaultdict[str, int] = defaultdict(int)
    former: dict[int, list[int]] = {}
    entities: dict[int, Standing] = {}
    if near.members:
        former = _former(conn, list(near.members))
        named = {*near.members.values(), *(entity for rows in former.values() for entity in rows)}
        entities = _standings(conn, named)
    plan = assign(found.parts, near.members, entities, former)
    moves: list[tuple[int, int]] = []
    changes: list[tuple[int, int, int, str, int]] = []
    touched: set[int] = set()
    keys = _mint(conn, found, plan, near, now_ms, came)
    rules = _rules(found.edges) if near.members else {}
    for part, entity in zip(found.parts, keys, strict=True):
        for record in part:
            before = near.members.get(record)
            if before == entity:
                continue
            moves.append((record, entity))
            touched.add(entity)
            if before is not None:
                changes.append((record, before, entity, rules.get(record, SPLIT), now_ms))
                touched.add(before)
    upsert(conn, "membership", ("record", "entity"), ("record",), sorted(moves))
    insert(conn, "membership_change", ("record", "before", "after", "rule", "known_at"), changes)
    _settle_merges(conn, plan, entities, came)
    pending.add(conn, pending.DECIDE, touched)
    if not is_first_load:
        mark_affected(conn, [record for record, _ in moves])
    return came


def _mint(
    conn: Connection, found: Parts, plan: Assignment, near: Neighbourhood, now_ms: int, came: defaultdict[str, int]
) -> list[int]:
    """The entity of each part, in their order; parts without one get a new golden id."""
    orphans = [part for part, owner in zip(found.parts, plan.owners, strict=True) if owner is None]
    if not orphans:
        return [owner for owner in plan.owners if owner is not None]
    first = meta.take(conn, "entity", len(orphans))
    ids = golden_ids(now_ms, len(orphans))
    rows = [
        (first + n, id_, near.nodes[part[0]].kind, part[0], now_ms)
        for n, (part, id_) in enumerate(zip(orphans, ids, strict=True))
    ]
    insert(conn, "entity", ("key", "id", "kind", "anchor", "known_at"), rows)
    for row in rows:
        came[row[2]] += 1
    fresh = iter(range(first, first + len(orphans)))
    return [next(fresh) if owner is None else owner for owner in plan.owners]


def _settle_merges(
    conn: Connection, plan: Assignment, entities: Mapping[int, Standing], came: defaultdict[str, int]
) -> None:
    executemany(
        conn,
        "UPDATE entity SET merged_into = ? WHERE key = ?",
        [(survivor, loser) for loser, survivor in plan.merged.items()] + [(None, entity) for entity in plan.revived],
    )
    for entity in plan.merged:
        came[entities[entity].kind] -= 1
    for entity in plan.revived:
        came[entities[entity].kind] += 1


def _former(conn: Connection, records: Sequence[int]) -> dict[int, list[int]]:
    """By record: the entities it belonged to earlier."""
    found: dict[int, list[int]] = {}
    sql = f"SELECT DISTINCT record, before FROM membership_change WHERE before IS NOT NULL AND {any_of(conn, 'record')}"
    for record, entity in fetch(conn, sql, listed(conn, records)):
        found.setdefault(record, []).append(entity)
    return found


def _standings(conn: Connection, keys: Collection[int]) -> dict[int, Standing]:
    sql = f"SELECT key, anchor, kind, merged_into FROM entity WHERE {any_of(conn, 'key')}"
    return {row[0]: Standing(*row[1:]) for row in fetch(conn, sql, listed(conn, keys))}


def _rules(edges: Sequence[Edge]) -> dict[int, str]:
    """By record: the first rule that joins it to another."""
    found: dict[int, str] = {}
    for edge in edges:
        found.setdefault(edge.a, edge.rule)
        found.setdefault(edge.b, edge.rule)
    return found


def golden_ids(now_ms: int, count: int) -> list[str]:
    """New ids that nothing else has: ULIDs of this instant.

    Written out here since the library takes 4 µs for each; the ids are the same.
    """
    prefix = str(ULID.from_timestamp(now_ms / 1000))[:10]
    noise = secrets.token_bytes(_RANDOM_BYTES * count)
    return [
        prefix + b32encode(noise[place : place + _RANDOM_BYTES]).translate(_CROCKFORD).decode()
        for place in range(0, _RANDOM_BYTES * count, _RANDOM_BYTES)
    ]


def mark_affected(conn: Connection, records: Collection[int]) -> None:
    """Everyone whose history includes what happened to these records waits for `decide`.

    Their own entities; the people who are party to them or employed by them; the accounts that own them. Records that
    belong to no entity yet wait through `resolve`.
    """
    if not records or fetch_one(conn, "SELECT 1 FROM entity LIMIT 1") is None:
        return
    sql = (
        "SELECT record, entity FROM membership WHERE entity IN"
        f" (SELECT entity FROM membership WHERE {any_of(conn, 'record')})"
    )
    rows = fetch(conn, sql, listed(conn, records))
    if not rows:
        return
    keys = listed(conn, [record for record, _ in rows])
    related = fetch(
        conn, f"SELECT source FROM link WHERE {any_of(conn, 'target')} AND kind IN ('employed', 'party')", keys
    )
    related += fetch(conn, f"SELECT target FROM link WHERE {any_of(conn, 'source')} AND kind = 'owned'", keys)
    entities = {entity for _, entity in rows}
    if related:
        found = f"SELECT entity FROM membership WHERE {any_of(conn, 'record')}"
        entities.update(row[0] for row in fetch(conn, found, listed(conn, {row[0] for row in related})))
    pending.add(conn, pending.DECIDE, entities)


def add_to_counts(conn: Connection, came: Mapping[str, int]) -> None:
    """The number of living entities of each kind is kept up, so that nobody has to count them."""
    for kind, more in came.items():
        if more:
            count = int(meta.get(conn, f"entities.{kind}") or 0)
            meta.put(conn, f"entities.{kind}", str(count + more))


def living(conn: Connection, kind: str) -> int:
    """How many entities of a kind there are, those merged into others left out."""
    return int(meta.get(conn, f"entities.{kind}") or 0)


def open_doubts(conn: Connection) -> int:
    """How many doubts wait for a person."""
    row = fetch_one(conn, "SELECT COUNT(*) FROM doubt WHERE state = 'open'")
    return int(row[0]) if row else 0


def follow(conn: Connection, golden: str) -> tuple[int, str, str] | None:
    """The living entity that a golden id leads to, as (key, id, kind): itself or the one it was merged into."""
    row = fetch_one(conn, "SELECT key, id, kind, merged_into FROM entity WHERE id = ?", golden)
    while row is not None and row[3] is not None:
        row = fetch_one(conn, "SELECT key, id, kind, merged_into FROM entity WHERE key = ?", row[3])
    return None if row is None else (int(row[0]), str(row[1]), str(row[2]))
