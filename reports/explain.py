"""Why somebody is where they are: records, evidence, stage, score, history and writes, all from the store."""

# ruff: noqa: S608 - statements are put together from names of our own; values are parameters

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mapping.instants import to_iso
from mapping.outlook import outlook
from mapping.records import Ref
from mapping.scores import Entry as Line
from state import journal
from state.sql import any_of, fetch, fetch_one, listed
from state.timelines import Sources, read_timelines

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from mapping.decide import Program
    from reports.who import Entity
    from state.journal import Entry

SHOWN_CHANGES = 20
SHOWN_EVENTS = 200


def explain(conn: Connection, entity: Entity, program: Program, systems: Sequence[str] = ()) -> dict[str, Any]:
    """The document of `explain --json` (design §7): everything that decided about one entity, to the record.

    The lines of the score are as of the instant of the decision, so they sum up to the score that was decided.
    `systems` names the systems in the order in which their records are believed.
    """
    refs = members(conn, entity)
    return {
        "kind": entity.kind,
        "id": entity.id,
        "name": _name(conn, refs),
        "records": _records(conn, refs),
        **_standing(conn, entity, program, systems),
        "events": _events(conn, refs),
        "changes": _changes(conn, refs),
    }


def members(conn: Connection, entity: Entity) -> dict[int, Ref]:
    """The records that are this entity, by key."""
    sql = """
    SELECT m.record, s.system, s.object, r.id FROM membership m
    JOIN record r ON r.key = m.record JOIN source s ON s.id = r.source WHERE m.entity = ?
    ORDER BY s.system, s.object, r.id
    """
    return {key: Ref(system, object_, id_) for key, system, object_, id_ in fetch(conn, sql, entity.key)}


def change_row(entry: Entry) -> dict[str, Any]:
    """One change as a row of the reconcile log; `detail` is a message, in the vendor's words where it refused."""
    change = entry.change
    return {
        "change": entry.id,
        "run": str(entry.run),
        "system": change.ref.system,
        "object": change.ref.object,
        "id": change.ref.id,
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "outcome": entry.outcome.value if entry.outcome else None,
        "at": to_iso(at) if (at := entry.settled_at or entry.intended_at) else None,
        "reason": change.reason,
        "rule": change.rule,
        "kind": change.kind.value,
        "plan": entry.plan,
        "detail": entry.detail,
    }


def _name(conn: Connection, refs: Mapping[int, Ref]) -> dict[str, Any]:
    sql = f"""
    SELECT name, company, title FROM profile WHERE {any_of(conn, "record")}
    ORDER BY is_deleted, name IS NULL, record LIMIT 1
    """
    row = fetch_one(conn, sql, listed(conn, refs))
    return dict(zip(("name", "company", "title"), row, strict=True)) if row else {}


def _records(conn: Connection, refs: Mapping[int, Ref]) -> list[dict[str, Any]]:
    sql = f"""
    SELECT a, b, rule, evidence FROM edge WHERE state = 'active' AND ({any_of(conn, "a")} OR {any_of(conn, "b")})
    ORDER BY a, b, rule
    """
    evidence: dict[int, list[dict[str, Any]]] = {key: [] for key in refs}
    for a, b, rule, told in fetch(conn, sql, listed(conn, refs), listed(conn, refs)):
        for one, other in ((a, b), (b, a)):
            if one in evidence and other in refs:
                evidence[one].append({"rule": rule, "with": str(refs[other]), "value": told})
    return [{**ref._asdict(), "evidence": evidence[key]} for key, ref in refs.items()]


def _standing(conn: Connection, entity: Entity, program: Program, systems: Sequence[str]) -> dict[str, Any]:
    """The entity's stage, score, facts, history and what comes next, as of its decision."""
    columns = "definition, stage, since, furthest, rule, score, facts, decided_at"
    row = fetch_one(
        conn,
        f"SELECT {columns} FROM decision WHERE entity = ? AND model = ?",
        entity.key,
        program.model,
    )
    if row is None:
        nowhere = dict.fromkeys(("stage", "since", "rule", "definition"))
        stage: dict[str, Any] = {"model": program.model, **nowhere, "events": []}
        return {"stage": stage, "score": {"total": 0, "entries": []}, "facts": {}, "history": [], "next": []}
    definition, stage_id, since, furthest, rule, score, facts, decided_at = row
    steps = _history(conn, entity, program.model)
    last = steps[-1] if steps else None
    return {
        "stage": {
            "model": program.model,
            "stage": stage_id,
            "since": to_iso(since) if since is not None else None,
            "rule": rule,
            "definition": definition,
            "furthest": furthest,
            "events": last["events"] if last else [],
        },
        "score": {"total": score, "as_of": to_iso(decided_at), "entries": _entries(conn, entity, program, decided_at)},
        "facts": orjson.loads(facts) if facts else {},
        "history": steps,
        "next": _next(conn, entity, program, systems, decided_at),
    }


def _history(conn: Connection, entity: Entity, model: str) -> list[dict[str, Any]]:
    sql = """
    SELECT before, after, at, known_at, rule, definition, events, cycle, is_backfilled FROM transition
    WHERE entity = ? AND model = ? AND gone_at IS NULL ORDER BY at, n
    """
    return [
        {
            "from": before,
            "to": after,
            "at": to_iso(at),
            "known_at": to_iso(known_at),
            "rule": rule,
            "definition": definition,
            "events": orjson.loads(events),
            "cycle": cycle,
            "is_backfilled": bool(is_backfilled),
        }
        for before, after, at, known_at, rule, definition, events, cycle, is_backfilled in fetch(
            conn, sql, entity.key, model
        )
    ]


def _entries(conn: Connection, entity: Entity, program: Program, as_of_ms: int) -> list[dict[str, Any]]:
    sql = "SELECT rule, at, event, points FROM score_entry WHERE entity = ? AND model = ? ORDER BY at, rule, event"
    lines = [
        Line(rule, at, bytes(event), points) for rule, at, event, points in fetch(conn, sql, entity.key, program.model)
    ]
    return [
        # An account's line of its highest person is of no instant.
        {
            "rule": line.rule,
            "points": line.points,
            "at": to_iso(line.at) if line.at else None,
            "event": line.event.hex() or None,
        }
        for line in program.remaining(lines, as_of_ms)
    ]


def _next(
    conn: Connection, entity: Entity, program: Program, systems: Sequence[str], now_ms: int
) -> list[dict[str, Any]]:
    """The ways to the next stage, each with the conditions that do not hold as of an instant."""
    timelines = read_timelines(conn, entity.kind, [entity.key], Sources(conn, systems))
    (timeline,) = timelines.of
    ways = outlook(program, entity.kind, timeline.profiles, timeline.events, now_ms, timelines.records)
    return [
        {
            "stage": way.stage,
            "rule": way.rule,
            "missing": [unmet.text for unmet in way.unmet],
            "measures": [
                {"name": unmet.asked, "have": unmet.have, "want": unmet.want} for unmet in way.unmet if unmet.asked
            ],
        }
        for way in ways
    ]


_EVENT = "id, kind, at, since, name, before, after, reason, channel, amount_e4, currency, quantity, subject, origin"


def _events(conn: Connection, refs: Mapping[int, Ref]) -> list[dict[str, Any]]:
    """What happened to the entity's own records, newest first, and to the opportunities it is party to."""
    parties = f"SELECT target FROM link WHERE kind = 'party' AND {any_of(conn, 'source')}"
    subjects = [*refs, *(key for (key,) in fetch(conn, parties, listed(conn, refs)))]
    sql = f"""
    SELECT {_EVENT} FROM event WHERE {any_of(conn, "subject")} AND retracted_at IS NULL
    ORDER BY at DESC, id LIMIT {SHOWN_EVENTS}
    """
    rows = fetch(conn, sql, listed(conn, subjects))
    known = dict(refs) | _refs(conn, {row[-2] for row in rows} | {row[-1] for row in rows if row[-1]})
    return [_event_row(row, known) for row in rows]


def _event_row(row: Sequence[Any], known: Mapping[int, Ref]) -> dict[str, Any]:
    id_, kind, at, since, name, before, after, reason, channel, amount_e4, currency, quantity, subject, origin = row
    found = {
        "id": bytes(id_).hex(),
        "kind": kind,
        "at": to_iso(at),
        "since": to_iso(since) if since is not None else None,
        "name": name,
        "before": before,
        "after": after,
        "reason": reason,
        "channel": channel,
        "amount": amount_e4 / 10_000 if amount_e4 is not None else None,
        "currency": currency,
        "quantity": quantity,
        "record": str(known.get(origin or subject, "")) or None,
    }
    return {key: value for key, value in found.items() if value is not None}


def _refs(conn: Connection, keys: set[int]) -> dict[int, Ref]:
    sql = f"""
    SELECT r.key, s.system, s.object, r.id FROM record r JOIN source s ON s.id = r.source WHERE {any_of(conn, "r.key")}
    """
    return {key: Ref(*rest) for key, *rest in fetch(conn, sql, listed(conn, keys))}


def _changes(conn: Connection, refs: Mapping[int, Ref]) -> list[dict[str, Any]]:
    return [change_row(entry) for entry in journal.find_changes(conn, records=list(refs), limit=SHOWN_CHANGES)]
