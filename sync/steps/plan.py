"""Step 6: what was decided beside what the vendors show, and whether the difference may be written."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import orjson

from mapping.instants import DAY_MS
from mapping.text import Message, say
from reconcile.changes import Kind
from reconcile.guard import DECAY_RULE, Limits, Recent, Source, check
from reconcile.plan import Digest, Held, Plan, Why, build_plan, place
from state import journal, meta, pending, plans, quarantine, targets
from state.decisions import forget_decay
from sync.logs import logger
from sync.summary import PlanCount

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconcile.changes import Change
    from state.engine import Database
    from state.journal import Spent
    from sync.house import House
    from sync.summary import Summary

POPULATIONS = "populations"
POLICY = "policy"

CHUNK = 1_000
"""Entities compared in one go."""

EXAMPLES = 12
"""Changes kept to be shown, whatever the size of the plan."""


@dataclass(slots=True)
class Draft:
    """A plan that grows chunk by chunk; its changes are kept only where they are to be applied or shown.

    `waiting` holds the entities (golden id to key) whose changes are not made yet: they are planned again until the
    vendors show what was decided.
    """

    is_kept: bool
    count: PlanCount = field(default_factory=PlanCount)
    changes: list[Change] = field(default_factory=list)
    held: list[Held] = field(default_factory=list)
    waiting: dict[str, int] = field(default_factory=dict)
    _digest: Digest = field(default_factory=Digest)

    @property
    def digest(self) -> str:
        """The name of the plan."""
        return str(self._digest)

    def add(self, part: Plan) -> None:
        """The draft holds the changes of this part, too."""
        self._digest.add_all(part.digest)
        for kind, number in part.by_kind.items():
            self.count.by_kind[kind] += number
        self.count.changes += len(part.changes)
        self.count.held += len(part.held)
        self.count.records += len({change.ref for change in part.changes})
        self.count.examples += part.changes[: EXAMPLES - len(self.count.examples)]
        self.count.digest = self.digest
        if self.is_kept:
            self.changes += part.changes
            self.held += part.held

    def take(self, changes: Sequence[Change], digest: str) -> None:
        """The draft is a plan that was made before: these changes, under this name."""
        self.add(Plan(changes=tuple(changes), held=(), digest=digest))

    def whole(self) -> Plan:
        """The plan in its final order; the draft must have kept its changes."""
        return Plan(
            changes=tuple(sorted(self.changes, key=place)),
            held=tuple(sorted(self.held, key=place)),
            digest=self.digest,
        )


def plan(house: House, summary: Summary, *, is_dry: bool) -> Draft:
    """Draft what the entities that were touched should be given, and park it where the guard or the mode says so.

    In report mode a difference is counted once, when it arises; in the other modes an entity stays in the queue until
    its changes are made.
    """
    if house.stop.is_set():
        return Draft(is_kept=False, count=summary.plan)  # the plan of a part is none; the next start plans it all
    mode = "report" if is_dry else house.config.writes.mode
    _requeue_if_policy_changed(house)
    draft = Draft(is_kept=mode != "report", count=summary.plan)
    down = frozenset(name for name, system in summary.systems.items() if system.error)
    for entities in _queued(house.db):
        part = _compare(house, entities, down)
        draft.add(part)
        waiting = {} if mode == "report" else _unmade(house.db, part, entities)
        draft.waiting |= waiting
        if not is_dry or house.config.writes.mode == "report":
            with house.db.write() as conn:
                pending.remove(conn, "plan", [key for key in entities if key not in waiting.values()])
    logger.info(
        "plan.built", run_id=summary.run, digest=draft.digest[:12], count=draft.count.changes, held=draft.count.held
    )
    if draft.changes:
        _guard(house, draft, summary)
    remember_populations(house)
    return draft


def whole_plan(house: House) -> Draft:
    """Draft everything that differs now, from the store alone."""
    draft = Draft(is_kept=True)
    last = -1
    while True:
        with house.db.read() as conn:
            entities = targets.decided_entities(conn, house.drafting.model, last, CHUNK)
        if not entities:
            return draft
        draft.add(_compare(house, entities, frozenset()))
        last = entities[-1]


def _queued(db: Database) -> Iterator[list[int]]:
    """Every queued entity once, in portions; entities that are put back meanwhile come with the next cycle."""
    last = -1
    while True:
        with db.read() as conn:
            keys = pending.take(conn, "plan", CHUNK, after=last)
        if not keys:
            return
        yield keys
        last = keys[-1]


def _compare(house: House, entities: Sequence[int], down: frozenset[str]) -> Plan:
    drafting = house.drafting
    with house.db.read() as conn:
        shown = targets.showings(conn, drafting.model, entities, house.ours)
        aside = quarantine.fields_aside(conn, [showing.key for showing in shown])
    made = (drafting.target(showing, is_down=showing.ref.system in down) for showing in shown)
    policy = replace(drafting.policy, set_aside=dict.fromkeys(aside, Why.QUARANTINED))
    return build_plan([target for target in made if target is not None], policy, drafting.adjust)


def _unmade(db: Database, part: Plan, entities: Sequence[int]) -> dict[str, int]:
    """The entities with something left to do: a change to make, or one held for a system that is down."""
    golden = {change.entity for change in part.changes}
    golden |= {held.entity for held in part.held if held.why is Why.SYSTEM_DOWN}
    if not golden:
        return {}
    with db.read() as conn:
        return {id_: key for id_, key in targets.golden_ids(conn, entities).items() if id_ in golden}


def _guard(house: House, draft: Draft, summary: Summary) -> None:
    whole = draft.whole()
    if why := reasons_to_wait(house, whole):
        summary.is_parked = True
        summary.plan.why_parked = why
        plans.hold_plan(house.db, whole.digest, whole.changes, run=summary.run, why=joined(why))
        logger.warning("plan.refused", run_id=summary.run, digest=whole.digest[:12], count=len(whole.changes))


def reasons_to_wait(house: House, whole: Plan) -> list[Message]:
    """Why a plan is not written without a person's approval; empty where nothing speaks against it."""
    config = house.config
    with house.db.read() as conn:
        now = targets.populations(conn)
        before = orjson.loads(meta.get(conn, POPULATIONS) or "{}")
        recent = _recent(journal.spent(conn, house.clock() - DAY_MS))
        pause = plans.paused(conn)
    sources = [Source(*place_, count, before.get(":".join(place_), 0)) for place_, count in now.items()]
    why = [breach.message for breach in check(whole, Limits(**config.guard.model_dump()), sources, recent)]
    if pause is not None:
        why.append(say("writing was stopped by {by}", by=pause.by))
    if config.writes.mode == "approve" and not why:
        why.append(say("in mode approve every plan waits for a person"))
    return why


def joined(messages: Sequence[Message]) -> Message:
    """Several sentences as one."""
    names = [f"m{index}" for index, _ in enumerate(messages)]
    return Message("; ".join(f"{{{name}}}" for name in names), dict(zip(names, messages, strict=True)))


def _recent(spent: Sequence[Spent]) -> Recent:
    counted = [row for row in spent if row.rule != DECAY_RULE]
    return Recent(
        changes=sum(row.changes for row in counted),
        backward=sum(row.changes for row in counted if row.kind == Kind.REGRESS),
        blank=sum(row.changes for row in counted if row.kind == Kind.BLANK),
    )


def remember_populations(house: House, *, is_accepted: bool = False) -> None:
    """Keep today's sizes for the next comparison; a source that shrank too much keeps its old one until it is accepted.

    Otherwise a run that has nothing to write would make the loss the new normal.
    """
    limit = house.config.guard.max_source_shrink
    with house.db.write() as conn:
        before: dict[str, int] = orjson.loads(meta.get(conn, POPULATIONS) or "{}")
        now = {":".join(place_): count for place_, count in targets.populations(conn).items()}
        if not is_accepted:
            now |= {place_: size for place_, size in before.items() if size * (1 - limit) > now.get(place_, 0)}
        meta.put(conn, POPULATIONS, orjson.dumps(now).decode())


def _requeue_if_policy_changed(house: House) -> None:
    """A changed mode, write table or definition puts every decided entity back into the queue."""
    with house.db.write() as conn:
        if meta.get(conn, POLICY) != house.policy_digest:
            pending.add_selected(conn, "plan", "SELECT entity FROM decision WHERE model = ?", house.drafting.model)
            forget_decay(conn, house.drafting.model)
            meta.put(conn, POLICY, house.policy_digest)
