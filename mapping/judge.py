"""What a record alone comes to: its stage and score from its facts and counted events, without any history.

The same generated expressions as in the fold, in one function, without decay, cycles and evidence. It serves where a
record must be looked at by itself, and is what `bench/` compares with a function written by hand.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from mapping.compiling import Sources, slots_of
from mapping.expressions import KINDS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mapping.definitions import Definition


class Judge:
    """A definition made ready to judge single records.

    `slots` says where the instants of each event kind stand in what `judge` is given, ascending.
    """

    cycle = 1
    reached: frozenset[str] = frozenset()

    def __init__(self, definition: Definition) -> None:
        self.ids = (None, *(stage.id for stage in definition.stages))
        conditions = [rule.condition for stage in definition.stages for rule in stage.enter]
        scored = {kind for rule in definition.behaviours for kind in rule.kinds}
        kinds = sorted({*slots_of(conditions), *scored}, key=KINDS.index)
        self.slots: Mapping[str, int] = {kind: slot for slot, kind in enumerate(kinds)}
        sources = Sources(self.slots)
        sources.judge(
            [(rule.condition, rule.points) for rule in definition.attributes],
            [(rule.kinds, rule.points, rule.fading.cap) for rule in definition.behaviours if rule.condition is None],
            [
                (rule.condition, number)
                for number, stage in reversed(list(enumerate(definition.stages, 1)))
                for rule in stage.enter
            ],
        )
        [self._judge] = sources.compile()
        self.at = 0
        self._opportunities = [
            self.slots.get(kind) for kind in ("opportunity_created", "opportunity_won", "opportunity_lost")
        ]
        self._instants: Sequence[Sequence[int]] = ()

    def open_opportunities(self) -> int:
        """Opportunities created and not closed, by number alone."""
        created, won, lost = (0 if slot is None else len(self._instants[slot]) for slot in self._opportunities)
        return max(created - won - lost, 0)

    def judge(self, facts: Sequence[Any], instants: Sequence[Sequence[int]], now_ms: int = 0) -> tuple[str | None, int]:
        """The furthest stage whose rule holds, and the points as they were earned.

        `facts` stand in the order of `mapping.facts.FACTS`, `instants` as `slots` says.
        """
        self._instants, self.at = instants, now_ms
        stage, score = self._judge(facts, instants, self)
        return self.ids[stage], score
