"""The goals, where they stand on this machine, and the table that says so.

Gates and targets are ratios of things measured in the same rounds; `docs/decisions` says where they come from.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from bench.measure import NOISY

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(kw_only=True)
class Goal:
    """One figure beside its gate. `is_most` says that more than the gate is a miss, otherwise less is.

    `ratios` are the figures of the single rounds. `found` is None where it could not be measured; `why` says why.
    """

    name: str
    what: str
    gate: float
    target: float
    is_most: bool
    unit: str = "x"
    found: float | None = None
    ratios: list[float] = field(default_factory=list)
    why: str = ""
    note: str = ""

    def measured(self, ratios: Sequence[float]) -> Goal:
        """The same with its figures."""
        self.ratios = list(ratios)
        self.found = median(ratios) if ratios else None
        return self

    @property
    def is_noisy(self) -> bool:
        """Whether the rounds lie too far apart to say anything."""
        return bool(self.ratios) and min(self.ratios) > 0 and max(self.ratios) / min(self.ratios) > NOISY

    @property
    def verdict(self) -> str:
        """pass (target, where that is reached, too), MISS, noisy or skipped."""
        if self.found is None:
            return "skipped"
        if self.why:
            return "MISS"
        if self.is_noisy:
            return "noisy"
        if self._holds(self.target):
            return "target"
        return "pass" if self._holds(self.gate) else "MISS"

    def to_json(self) -> dict[str, object]:
        """All of it."""
        return {**asdict(self), "verdict": self.verdict}

    def row(self) -> tuple[str, ...]:
        """One line of the table."""
        sign = "≤" if self.is_most else "≥"
        ours = "-" if self.found is None else self._say(self.found)
        spread = f"{self._say(min(self.ratios))} to {self._say(max(self.ratios))}" if len(self.ratios) > 1 else ""
        gate, target = f"{sign} {self._say(self.gate)}", f"{sign} {self._say(self.target)}"
        return self.name, self.what, gate, target, ours, spread, self.verdict, self.why or self.note

    def _holds(self, limit: float) -> bool:
        assert self.found is not None
        return self.found <= limit if self.is_most else self.found >= limit

    def _say(self, value: float) -> str:
        if self.unit == "%":
            return f"{value:.2f} %" if value < 1 else f"{value:.0f} %"
        return f"{value:.1f} {self.unit}" if value >= 10 else f"{value:.2f} {self.unit}"


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Columns under their heads."""
    widths = [max(len(row[place]) for row in (head, *rows)) for place in range(len(head))]
    lines = [head, ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in lines
    )
