"""Where an account stands: as far as the furthest of itself and its people, dated.

The steps of the account's own fold and of its people are walked together. Whoever stands in a milestone is further than
one who stands in a stage off the way (lost, churned), and of two milestones the later is further. When the account's
own fold comes to a stage off the way, people who still stand in a stage that leads there stop counting until they move:
a churned company has no customers left, also where some of its people were never told.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from mapping.decide import Decision, Transition
from mapping.scores import Entry

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mapping.decide import Program
    from mapping.stages import Course

HIGHEST = "people.highest"
"""The ledger's line of an account whose score is that of its highest person."""


class Standing(NamedTuple):
    """What was decided of one of an account's people."""

    score: int
    transitions: Sequence[Transition]


def decide_account(program: Program, own: Decision, people: Sequence[Standing]) -> Decision:
    """The account's decision from that of its own events and those of its people, given in any order."""
    if not people or program.definition.accounts_stage == "own":
        return own
    transitions, furthest = _walk(program.course, own, people)
    last = transitions[-1] if transitions else None
    decision = own._replace(
        stage=last.after if last else None,
        since=last.at if last else None,
        rule=last.rule if last else None,
        furthest=furthest,
        transitions=transitions,
    )
    highest = max(person.score for person in people)
    if highest > own.score:
        return decision._replace(score=highest, entries=[Entry(HIGHEST, 0, b"", highest)])
    return decision


class _Counts:
    """How many of the account's people stand where, and how many of them moved since the account itself ended."""

    def __init__(self, course: Course) -> None:
        self.course = course
        self.own = 0
        self.standing = [0] * len(course.ids)
        self.moved = [0] * len(course.ids)
        self.stale: frozenset[int] = frozenset()
        self.age = 0

    def best(self) -> int:
        """The furthest stage in which anyone stands that counts."""
        milestones, found = self.course.is_milestone, self.own
        for stage in range(1, len(self.standing)):
            if not self.standing[stage] or (stage in self.stale and not self.moved[stage]):
                continue
            if (milestones[stage], stage) > (milestones[found], found):
                found = stage
        return found

    def move_own(self, stage: int) -> None:
        self.own = stage
        is_ended = stage > 0 and not self.course.is_milestone[stage]
        leading = self.course.stages[stage - 1].comes_from if is_ended else ()
        self.stale = frozenset(self.course.number[id_] for id_ in leading)
        self.moved = [0] * len(self.moved)
        self.age += 1

    def move(self, before: int, after: int, *, has_moved: bool) -> None:
        self.standing[before] -= 1
        self.standing[after] += 1
        self.moved[before] -= has_moved
        self.moved[after] += 1


def _walk(course: Course, own: Decision, people: Sequence[Standing]) -> tuple[list[Transition], str | None]:
    counts = _Counts(course)
    counts.standing[0] = len(people)
    where = [0] * len(people)
    age = [0] * len(people)
    transitions: list[Transition] = []
    here = furthest = 0
    cycle = 1
    for who, step in _steps(own, people):
        after = course.number[step.after]
        if who < 0:
            counts.move_own(after)
        else:
            counts.move(where[who], after, has_moved=age[who] == counts.age)
            where[who], age[who] = after, counts.age
        best = counts.best()
        if best == here:
            continue
        if here and _rank(course, best) < _rank(course, here) and course.is_milestone[best]:
            cycle += 1
        last = transitions[-1] if transitions else None
        n = last.n + 1 if last is not None and last.at == step.at else 0
        is_backfilled = step.is_backfilled and best == after
        transitions.append(
            Transition(step.at, n, course.ids[here], course.ids[best], step.rule, step.events, cycle, is_backfilled)
        )
        here = best
        if course.is_milestone[best] and best > furthest:
            furthest = best
    return transitions, course.ids[furthest]


def _rank(course: Course, stage: int) -> tuple[bool, int]:
    return course.is_milestone[stage], stage


def _steps(own: Decision, people: Sequence[Standing]) -> Iterator[tuple[int, Transition]]:
    """Every step in its order: the account's own (-1) before those of its people at the same instant.

    People are told apart by what happened to them, so that the order in which they are given does not matter.
    """
    steps = [(step.at, -1, step.n, step) for step in own.transitions]
    for who, person in enumerate(sorted(people, key=_history)):
        steps += [(step.at, who, step.n, step) for step in person.transitions]
    steps.sort(key=lambda found: found[:3])
    for _, who, _, step in steps:
        yield who, step


def _history(person: Standing) -> list[tuple[int, int, str, tuple[bytes, ...]]]:
    return [(step.at, step.n, step.after or "", step.events) for step in person.transitions]
