"""decide = fold(events, definition, now): the score, the stage and every step between stages of one entity.

The same code decides one person in a cycle and a million in a replay. It reads no clock; it does not matter in which
order events are given: they are walked in the order of (instant, kind, id), where changes of attributes come first.

At each event, exits of the current stage are tested, then the entry rules of every stage that may be entered from it,
the furthest first, until none is true. Skipped milestones are back-filled at the same instant and marked. Rules look at
the events since the last exit that led back, that one included: going back begins a new cycle, or goes on within it.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.events import EventKind
from mapping.facts import CHANGING, FACT_NAMES, FACTS, Type, changed_field, column, facts_of, preferred, set_field
from mapping.happenings import Happening, Happenings, Whereabouts
from mapping.instants import DAY_MS
from mapping.scores import Days, Entry, Left, next_change, remaining, total
from mapping.stages import Course, Role, Way
from mapping.stages import Entry as Test

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from mapping.definitions import Definition

KIND_ORDER = {
    kind.value: number
    for number, kind in enumerate([*sorted(CHANGING, key=str), *(k for k in EventKind if k not in CHANGING)])
}
"""In which order things that happened at one instant are walked."""

_AT = itemgetter(1)
_MONEY = frozenset(name for name, fact in FACTS.items() if fact.type is Type.MONEY)

_entry: Callable[[tuple[str, int, bytes, int]], Entry] = partial(tuple.__new__, Entry)
"""A line of the ledger at half of its constructor's price."""


class Transition(NamedTuple):
    """One dated step between stages: which rule made it and which events caused it.

    `n` counts the steps of one instant; None as `before` is no stage. `is_backfilled`: the stage was skipped.
    """

    at: int
    n: int
    before: str | None
    after: str | None
    rule: str
    events: tuple[bytes, ...]
    cycle: int = 1
    is_backfilled: bool = False


class Decision(NamedTuple):
    """Where one entity stands. `furthest` is the furthest milestone it ever reached.

    `score` is the sum of what is left of `entries` (points as they were earned). `facts` stand in the order of
    `mapping.facts.FACTS`. `due_at`: when any of this changes though nothing more is read, None for never.
    """

    stage: str | None
    since: int | None
    furthest: str | None
    rule: str | None
    score: int
    facts: Sequence[Any]
    transitions: Sequence[Transition]
    entries: Sequence[Entry]
    due_at: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Program:
    """A definition made ready to decide, with the time zone in which its days begin."""

    definition: Definition
    course: Course
    days: Days

    @property
    def version(self) -> str:
        """The definition's version."""
        return self.definition.version

    @property
    def model(self) -> str:
        """The model under which decisions are kept."""
        return self.definition.model

    def decide(
        self,
        kind: str,
        profiles: Sequence[Sequence[Any]],
        events: Sequence[Sequence[Any]],
        now_ms: int,
        records: Mapping[int, Whereabouts] | None = None,
    ) -> Decision:
        """Fold one entity's events up to `now_ms` into its decision.

        `kind` is person, account or opportunity. `profiles` are `Profile`s (or tuples of its columns) in order of
        preference, those of the entity before those of its company; `events` are `Event`s (or tuples that begin as one
        does and end with the quantity), in any order; an event that is given twice counts once. `records` says of which
        system and entity the events' subjects are; where it does not, each subject counts as one of its own.
        """
        return Fold(self, kind, profiles, records or {}).run(events, now_ms)

    def remaining(self, entries: Iterable[Entry], now_ms: int) -> list[Entry]:
        """The ledger's lines with what is left of their points at an instant; they sum up to the score."""
        return remaining(entries, self.course.fading, self.days, now_ms)

    def facts(self, decision: Decision) -> dict[str, Any]:
        """The known facts by name; money in units of its currency."""
        return {
            name: _units(value) if name in _MONEY else value
            for name, value in zip(FACT_NAMES, decision.facts, strict=True)
            if value is not None
        }


def compile_definition(definition: Definition, zone: ZoneInfo) -> Program:
    """Make a definition ready to decide; `zone` is the company's."""
    return Program(definition=definition, course=Course(definition), days=Days(zone))


def _units(amount_e4: int) -> int | float:
    whole, rest = divmod(amount_e4, 10_000)
    return whole if rest == 0 else amount_e4 / 10_000


class Fold:
    """The state of one walk; rules read `at`, `cycle`, `reached`, `score()`, `reaches()` and `open_opportunities()`.

    After `run` it is the state at the end: the number of the `stage`, the `facts`, in `cycle_slots` the instants of the
    cycle's events, and in `tenure_slots` those since the stage was entered.
    """

    __slots__ = (
        "_aliases", "_caps", "_ceiling", "_closed", "_course", "_day", "_days", "_entries", "_furthest", "_happenings",
        "_held", "_held_points", "_kind", "_live", "_opened", "_profiles", "_records", "_rule", "_several", "_since",
        "_transitions", "_visited", "at", "cycle", "cycle_slots", "facts", "reached", "stage", "tenure_slots",
    )  # fmt: skip

    def __init__(
        self, program: Program, kind: str, profiles: Sequence[Sequence[Any]], records: Mapping[int, Whereabouts]
    ) -> None:
        course = program.course
        self._course, self._days, self._kind, self._records = course, program.days, kind, records
        self._profiles: list[Any] = preferred(profiles)
        self.facts = facts_of(kind, self._profiles)
        self.cycle_slots = course.no_instants.copy()
        self.tenure_slots = course.no_instants.copy()
        self._live: dict[int, list[tuple[int, Left]]] = {}
        self._caps: list[int | None] = []
        self._entries: list[Entry] = []
        self._held: dict[int, tuple[int, bytes]] = {}
        self._held_points = self._ceiling = 0
        self._happenings = Happenings(course.roles, records, program.days.offset, program.definition.same_within_ms)
        self._several: set[str] = set()
        self._aliases: dict[int, int] = {}
        self._opened: set[int] = set()
        self._closed: set[int] = set()
        self._transitions: list[tuple[int, int, int, int, str, list[bytes], int, bool]] = []
        self.stage = self._furthest = self._day = 0
        self._since: int | None = None
        self._rule: str | None = None
        self._visited: set[int] = set()
        self.at = 0
        self.cycle = 1
        self.reached: set[str] = set()

    # what rules ask

    def score(self) -> int:
        """The points at this instant."""
        points = total(self._live.values(), self._caps, self._day)
        if not self._course.has_negatives:
            self._ceiling = points  # until something more is earned, it can only fall
        return self._held_points + points

    def reaches(self, points: float) -> bool:
        """Whether the score is at least so many points; cheap where it cannot be."""
        return self._ceiling + self._held_points >= points and self.score() >= points

    def open_opportunities(self) -> int:
        """Opportunities created and neither won nor lost; one that two systems show counts once."""
        return len(self._opened - self._closed)

    # the walk

    def run(self, events: Sequence[Sequence[Any]], now_ms: int) -> Decision:
        """Walk the events up to an instant, and say where that leads."""
        course, offset = self._course, self._days.offset
        roles, after = course.roles, course.after
        ordered = _in_order([event for event in events if event[3] in roles])
        latest = self._profiles, self.facts
        self._several = self._happenings.told_by_several(ordered)
        if self._several:
            ordered = self._happenings.dated_to_the_instant(ordered, self._several)
        changed = self._rewind(ordered)
        self._hold(self._beginning(ordered, now_ms), b"")
        last, due_at, is_first = None, None, True
        for event in ordered:
            at, id_, kind = event[1], event[2], event[3]
            if at > now_ms:
                due_at = at
                break
            if id_ == last:
                continue
            last, role, self.at = id_, roles[kind], at
            self._day, rest = divmod(at + offset(at), DAY_MS)
            ids = self._take(event, role, is_midnight=rest == 0, is_rewound=changed)
            if ids is None:
                continue
            tests = after[self.stage].get(kind)
            if is_first:
                self._step(tests[0] if tests else (), course.entries[self.stage], role.slot, ids)
                is_first = False
            elif tests:
                self._step(*tests, role.slot, ids)
        else:
            if changed:  # what the records say now counts, also where no event tells how it came to be so
                self._profiles, self.facts = latest
                self._hold(self.at, b"")
        return self._decide(now_ms, due_at)

    def _take(self, event: Sequence[Any], role: Role, *, is_midnight: bool, is_rewound: bool) -> list[bytes] | None:
        """The fold knows of the event; returns the ids of all that tell of it, None where it was known already."""
        if role.is_changing and is_rewound:
            self._change(event)
        ids = [event[2]]
        if event[3] in self._several:
            happening, is_new = self._happenings.match(event, is_day=is_midnight and event[4] is None)
            ids = happening.ids
            if not is_new:
                self._corroborate(event, role, happening)
                return None
        slot = role.slot
        if slot is not None:
            for slots in (self.cycle_slots, self.tenure_slots):
                if slots[slot]:
                    slots[slot].append(event[1])
                else:
                    slots[slot] = [event[1]]
        if role.scorings:
            self._earn(event, role)
        if role.is_opportunity:
            self._track(event)
        return ids

    def _corroborate(self, event: Sequence[Any], role: Role, happening: Happening) -> None:
        """A second system tells of what is known: it is kept as evidence, and gives no points."""
        for scoring in role.scorings:
            if scoring.condition is None or scoring.condition(event):
                self._entries.append(Entry(scoring.rule, event[1], event[2], 0))
        if role.is_opportunity:
            first = self._name(happening.subjects[0])
            self._aliases.setdefault(self._name(event[0]), first)

    def _earn(self, event: Sequence[Any], role: Role) -> None:
        day, quantity = self._day, event[-1]
        for place, rule, points, condition, fading, left in role.scorings:
            if condition is not None and not condition(event):
                continue
            if quantity != 1:
                points *= quantity  # noqa: PLW2901  # the points for all of them
                left = fading.left(points)  # noqa: PLW2901
            self._entries.append(_entry((rule, event[1], event[2], points)))
            live = self._live.get(place)
            if live is None:
                live = self._live[place] = []
                self._caps.append(fading.cap)
            while live and day - live[0][0] >= live[0][1].days:
                del live[0]
            live.append((day, left))
            if points > 0:
                self._ceiling += points

    def _name(self, subject: int) -> int:
        """The opportunity that a record is of."""
        found = self._records.get(subject)
        key = subject if found is None else found.entity
        return self._aliases.get(key, key)

    def _track(self, event: Sequence[Any]) -> None:
        opportunity = self._name(event[0])
        if event[3] == EventKind.OPPORTUNITY_CREATED:
            self._opened.add(opportunity)
        else:
            self._closed.add(opportunity)

    # facts, as they were

    def _beginning(self, ordered: Sequence[Sequence[Any]], now_ms: int) -> int:
        """Since when what is known is held to be so: the first instant of which anything is known of the entity."""
        instants = [p[_CREATED] for p in self._profiles if p[_KIND] == self._kind and p[_CREATED] is not None]
        if ordered:
            instants.append(ordered[0][1])
        return min((instant for instant in instants if instant <= now_ms), default=0)

    def _rewind(self, ordered: Sequence[Sequence[Any]]) -> bool:
        """Give every profile the values from before its first change; False where nothing ever changed."""
        firsts: dict[tuple[int, str], str | None] = {}
        for event in [event for event in ordered if event[3] in CHANGING]:
            field = changed_field(event[3], event[6])
            if field is not None:
                firsts.setdefault((event[0], field), event[7])
        if not firsts:
            return False
        self._profiles = [list(profile) for profile in self._profiles]
        by_record = {profile[0]: profile for profile in self._profiles}
        for (record, field), before in firsts.items():
            profile = by_record.get(record)
            if profile is not None:
                set_field(profile, field, before)
        self.facts = facts_of(self._kind, self._profiles)
        return True

    def _change(self, event: Sequence[Any]) -> None:
        field = changed_field(event[3], event[6])
        if field is None:
            return
        for profile in self._profiles:
            if profile[0] == event[0]:
                set_field(profile, field, event[8])
        self.facts = facts_of(self._kind, self._profiles)
        self._hold(event[1], event[2])

    def _hold(self, at: int, event: bytes) -> None:
        """The attribute points that hold now; those that held before keep their date."""
        points = 0
        for index, (_, worth, test) in enumerate(self._course.attributes):
            if test(self.facts, (), self):
                points += worth
                if index not in self._held:
                    self._held[index] = (at, event)
            elif index in self._held:
                del self._held[index]
        self._held_points = points

    # steps between stages

    def _step(self, ways: Sequence[Way], tests: Sequence[Test], slot: int | None, ids: list[bytes]) -> None:
        course = self._course
        for way in ways:
            if way.test(self.facts, self.tenure_slots, self):
                self._leave(way, ids, slot)
                tests = course.entries[self.stage]
                break
        entered: tuple[int, ...] = ()
        while tests:
            for target, test, rule in tests:
                if (
                    target not in entered
                    and test(self.facts, self.cycle_slots, self)
                    and not (course.has_rejects and self._is_barred(target))
                ):
                    entered = (*entered, target)
                    self._enter(target, rule, ids)
                    tests = course.entries[self.stage]
                    break
            else:
                return

    def _leave(self, way: Way, ids: list[bytes], slot: int | None) -> None:
        if way.is_new_cycle:
            self.cycle += 1
            self._visited = set()
        if way.is_back:  # what led forward before does not do so again
            self.cycle_slots = self._course.no_instants.copy()
            if slot is not None:
                self.cycle_slots[slot] = [self.at]
        self._enter(way.target, way.rule, ids)

    def _skipped(self, target: int) -> Iterable[int]:
        return [stage for stage in self._course.passed[target] if stage not in self._visited]

    def _is_barred(self, target: int) -> bool:
        return any(self._course.skip[stage] == "reject" for stage in self._skipped(target))

    def _enter(self, target: int, rule: str, ids: list[bytes]) -> None:
        for stage in self._skipped(target):
            if self._course.skip[stage] == "backfill":
                self._note(stage, rule, ids, is_backfilled=True)
        self._note(target, rule, ids, is_backfilled=False)
        self.tenure_slots = self._course.no_instants.copy()

    def _note(self, stage: int, rule: str, ids: list[bytes], *, is_backfilled: bool) -> None:
        last = self._transitions[-1] if self._transitions else None
        n = last[1] + 1 if last is not None and last[0] == self.at else 0
        self._transitions.append((self.at, n, self.stage, stage, rule, ids, self.cycle, is_backfilled))
        self.stage, self._since, self._rule = stage, self.at, rule
        self._visited.add(stage)
        self.reached.add(self._course.ids[stage] or "")
        if self._course.is_milestone[stage] and stage > self._furthest:
            self._furthest = stage

    # the end

    def _decide(self, now_ms: int, due_at: int | None) -> Decision:
        course, ids = self._course, self._course.ids
        day = self._day = self._days.day(now_ms)
        change = next_change(self._live.values(), self._caps, day) if self._ceiling else None
        if change is not None:
            midnight = self._days.start(change)
            due_at = midnight if due_at is None else min(due_at, midnight)
        held = [Entry(course.attributes[i][0], at, id_, course.attributes[i][1]) for i, (at, id_) in self._held.items()]
        return Decision(
            ids[self.stage],
            self._since,
            ids[self._furthest],
            self._rule,
            self.score(),
            self.facts,
            [
                Transition(at, n, ids[before], ids[after], rule, tuple(events), cycle, is_backfilled)
                for at, n, before, after, rule, events, cycle, is_backfilled in self._transitions
            ],
            held + self._entries,
            due_at,
        )


def _in_order(events: list[Any]) -> list[Any]:
    """The events in the order in which they are walked; few of them are of one instant."""
    events.sort(key=_AT)
    if len(set(map(_AT, events))) < len(events):
        events.sort(key=lambda event: (event[1], KIND_ORDER[event[3]], event[2]))
    return events


_CREATED, _KIND = column("created_at"), column("kind")
