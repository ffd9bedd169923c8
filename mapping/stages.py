"""A definition's stages laid out for the fold: which rules to test in which stage after which event.

Stages count from 1 in the order of the document, 0 is no stage. A rule is tested only after events that can have made
it true (`mapping.compiling.wants`), and after every step between stages, when all are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.compiling import OPPORTUNITY_KINDS, Sources, slots_of, triggers, wants
from mapping.events import Event, EventKind
from mapping.expressions import EVENT_FACTS, walk
from mapping.facts import CHANGING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from mapping.definitions import Definition
    from mapping.scores import Fading, Left

ALL_KINDS = tuple(kind.value for kind in EventKind)

UNMATCHED = CHANGING | {EventKind.OPPORTUNITY_STAGE_CHANGED}
"""Kinds of which every event counts by itself: two systems that say the same do no harm."""


class Entry(NamedTuple):
    """The test of an entry rule."""

    target: int
    test: Callable[..., bool]
    rule: str


class Way(NamedTuple):
    """The test of an exit. `is_back`: it leads to no later stage; `is_new_cycle`: and begins a cycle there."""

    target: int
    test: Callable[..., bool]
    rule: str
    is_back: bool
    is_new_cycle: bool


class Scoring(NamedTuple):
    """What a behaviour rule gives for an event of its kinds; `place` is the rule's among all behaviour rules.

    `left` is what is left, day by day, of the points for a single one.
    """

    place: int
    rule: str
    points: int
    condition: Callable[..., bool] | None
    fading: Fading
    left: Left


class Role(NamedTuple):
    """What an event of one kind does in the fold. `slot`: where its instant is kept; None: no rule asks for it."""

    slot: int | None
    scorings: tuple[Scoring, ...]
    is_changing: bool
    is_matched: bool
    is_opportunity: bool


Tests = dict[str, tuple[Sequence[Way], Sequence[Entry]]]
"""By kind of event, the exits and the entry rules to test after it."""


class Course:
    """Everything about a definition that does not depend on whom it decides.

    `kinds` are those of the events that it looks at; no other event bears on any decision. `after`: by stage and kind
    of event, the exits and the entry rules to test. `event_facts`: the columns of events that conditions look at.
    """

    def __init__(self, definition: Definition) -> None:
        self.stages = definition.stages
        self.ids: tuple[str | None, ...] = (None, *(stage.id for stage in self.stages))
        self.number = {id_: index for index, id_ in enumerate(self.ids)}
        self.is_milestone = (False, *(stage.is_milestone for stage in self.stages))
        milestones = [number for number, is_milestone in enumerate(self.is_milestone) if is_milestone]
        self.passed = tuple(
            tuple(number for number in milestones if number < here) if is_milestone else ()
            for here, is_milestone in enumerate(self.is_milestone)
        )
        """By milestone: those on the way to it."""
        self.skip = ("", *(stage.skip for stage in self.stages))
        self.has_rejects = any(stage.skip == "reject" for stage in self.stages)
        rules = [rule for stage in self.stages for rule in stage.enter]
        exits = [exit_ for stage in self.stages for exit_ in stage.exits]
        conditions = [rule.condition for rule in rules] + [exit_.rule.condition for exit_ in exits]
        self.slots = slots_of(conditions)
        self.no_instants: list[list[int]] = [[]] * len(self.slots)
        """What is in the slots before anything has happened: one empty list, which is replaced and never added to."""
        sources = Sources(self.slots)
        numbers = {rule.id: sources.rule(rule.condition) for rule in (*rules, *(exit_.rule for exit_ in exits))}
        attributes = [sources.rule(rule.condition) for rule in definition.attributes]
        behaviours = [
            None if rule.condition is None else sources.condition(rule.condition) for rule in definition.behaviours
        ]
        functions = sources.compile()
        self.attributes = tuple(
            (rule.id, rule.points, functions[number])
            for rule, number in zip(definition.attributes, attributes, strict=True)
        )
        self.has_negatives = any(rule.points < 0 for rule in definition.behaviours)
        self.fading = {rule.id: rule.fading for rule in definition.behaviours}
        scored = frozenset(kind for rule in definition.behaviours for kind in rule.kinds)
        tests = {id_: functions[number] for id_, number in numbers.items()}
        after = {rule.id: triggers(wants(rule.condition), scored) for rule in rules}
        after |= {exit_.rule.id: triggers(wants(exit_.rule.condition), scored) for exit_ in exits}
        self.entries = tuple(self._entries(here, tests) for here in range(len(self.ids)))
        self.ways = tuple(self._ways(here, tests) for here in range(len(self.ids)))
        self.after = tuple(_by_kind(*found, after) for found in zip(self.ways, self.entries, strict=True))
        # A rule that no event in particular makes true is tested after whatever happens first.
        self.is_open = any(kinds is None or kinds <= CHANGING for kinds in after.values())
        self.roles = self._roles(definition, functions, behaviours)
        self.kinds = sorted(self.roles)
        self.event_facts = frozenset(
            Event._fields[EVENT_FACTS[part.value][1]]
            for rule in definition.behaviours
            if rule.condition is not None
            for part in walk(rule.condition)
            if part.kind == "event_fact"
        )

    def _entries(self, here: int, tests: dict[str, Any]) -> tuple[Entry, ...]:
        """Every entry rule of the stages that may be entered from here, the furthest first."""
        return tuple(
            Entry(self.number[stage.id], tests[rule.id], rule.id)
            for stage in reversed(self.stages)
            if self.ids[here] in stage.comes_from and stage.id != self.ids[here]
            for rule in stage.enter
        )

    def _ways(self, here: int, tests: dict[str, Any]) -> tuple[Way, ...]:
        if here == 0:
            return ()
        stage = self.stages[here - 1]
        return tuple(
            Way(
                self.number[exit_.to],
                tests[exit_.rule.id],
                exit_.rule.id,
                self.number[exit_.to] <= here,
                self.number[exit_.to] <= here and stage.regress == "new_cycle",
            )
            for exit_ in stage.exits
        )

    def _roles(
        self, definition: Definition, functions: list[Callable[..., Any]], behaviours: list[int | None]
    ) -> dict[str, Role]:
        scorings: dict[str, list[Scoring]] = {}
        for index, (rule, number) in enumerate(zip(definition.behaviours, behaviours, strict=True)):
            condition = None if number is None else functions[number]
            for kind in rule.kinds:
                scoring = Scoring(index, rule.id, rule.points, condition, rule.fading, rule.fading.left(rule.points))
                scorings.setdefault(kind, []).append(scoring)
        roles = {}
        for kind in ALL_KINDS:
            role = Role(
                self.slots.get(kind),
                tuple(scorings.get(kind, ())),
                kind in CHANGING,
                kind not in UNMATCHED,
                kind in OPPORTUNITY_KINDS,
            )
            if role.slot is not None or role.scorings or role.is_changing or role.is_opportunity or self.is_open:
                roles[kind] = role
        return roles


def _by_kind(ways: Sequence[Way], entries: Sequence[Entry], after: Mapping[str, frozenset[str] | None]) -> Tests:
    """The tests to make after an event of each kind; kinds without any are missing."""
    found: Tests = {}
    for kind in ALL_KINDS:
        asked = {rule for rule, kinds in after.items() if kinds is None or kind in kinds}
        tests = [way for way in ways if way.rule in asked], [entry for entry in entries if entry.rule in asked]
        if any(tests):
            found[kind] = tests
    return found
