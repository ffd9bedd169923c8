"""Stage and score of single records by the shipped definition, compiled as headrace does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.people import SLOTS, people
from mapping.definitions import shipped
from mapping.judge import Judge

if TYPE_CHECKING:
    from bench.people import Person
    from bench.place import Counters, Place


def prepare(n: int, _place: Place) -> tuple[Judge, list[Person]]:
    judge = Judge(shipped())
    assert tuple(judge.slots) == SLOTS, "people() and the function by hand stand in another order"
    return judge, people(n)


def run(_n: int, _place: Place, ready: tuple[Judge, list[Person]]) -> Counters:
    judge, waiting = ready
    points = stages = 0
    for facts, instants in waiting:
        stage, score = judge.judge(facts, instants)
        points += score
        stages += stage is not None
    return {"points": points, "with_stage": stages}
