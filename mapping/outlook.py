"""What is still missing for the next stage."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.compiling import Sources
from mapping.decide import Fold
from mapping.expressions import Node, conjuncts, render, scaled
from mapping.facts import FACT_NAMES, Type

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mapping.decide import Program
    from mapping.happenings import Whereabouts


class Unmet(NamedTuple):
    """A condition that does not hold: its text; for a comparison with a number also what is asked, what is so and what
    is wanted. `have` is None where it is unknown. Money in ten-thousandths of its unit.
    """

    text: str
    asked: str | None = None
    have: int | float | None = None
    want: int | float | None = None


class Missing(NamedTuple):
    """One way to a stage, and what it lacks."""

    stage: str
    rule: str
    unmet: tuple[Unmet, ...]


def outlook(
    program: Program,
    kind: str,
    profiles: Sequence[Sequence[Any]],
    events: Sequence[Sequence[Any]],
    now_ms: int,
    records: Mapping[int, Whereabouts] | None = None,
) -> list[Missing]:
    """Every way to the nearest milestone ahead, or out of a stage off the way; arguments as of `Program.decide`."""
    fold = Fold(program, kind, profiles, records or {})
    fold.run(events, now_ms)
    fold.at = now_ms
    course = program.course
    here = program.definition.stages[fold.stage - 1] if fold.stage else None
    ways: list[tuple[str, str, Node]] = []
    instants = fold.cycle_slots
    if here is not None and not here.is_milestone:
        ways = [(exit_.to, exit_.rule.id, exit_.rule.condition) for exit_ in here.exits]
        instants = fold.tenure_slots
    else:
        ahead = [
            stage
            for number, stage in enumerate(program.definition.stages, 1)
            if number > fold.stage and stage.is_milestone and course.ids[fold.stage] in stage.comes_from and stage.enter
        ]
        ways = [(ahead[0].id, rule.id, rule.condition) for rule in ahead[0].enter] if ahead else []
    return [Missing(stage, rule, _unmet(fold, condition, course.slots, instants)) for stage, rule, condition in ways]


def _unmet(fold: Fold, condition: Node, slots: Mapping[str, int], instants: Sequence[list[int]]) -> tuple[Unmet, ...]:
    parts = conjuncts(condition)
    sources = Sources(slots)
    for part in parts:
        sources.rule(part)
    tests = sources.compile()
    lacking = [part for part, test in zip(parts, tests, strict=True) if not test(fold.facts, instants, fold)]
    return tuple(_describe(fold, part) for part in lacking)


def _describe(fold: Fold, part: Node) -> Unmet:
    if part.kind == "compare":
        left, right = part.parts
        if right.kind == "const" and right.type in {Type.NUMBER, Type.MONEY}:
            if left.kind == "fact":
                return Unmet(render(part), left.value, fold.facts[FACT_NAMES.index(left.value)], scaled(right))
            if left.kind == "measure" and left.value == "score":
                return Unmet(render(part), "score", fold.score(), right.value)
    return Unmet(render(part))
