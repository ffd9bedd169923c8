"""Limits that stop a run before damage: over one of them, nothing is written and the plan waits for a person."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from mapping.text import Message, say
from reconcile.changes import Kind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from reconcile.plan import Plan

DAY_FACTOR = 10
"""Any 24 hours may hold ten times what one run may (design §5)."""

DECAY_RULE = "score.decay"
"""The rule of a score that moved by decay alone; such changes count towards neither volume nor share."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Limits:
    """What one run may do; shares are of the records of an object, from 0 to 1."""

    max_changes: int = 5000
    max_share: float = 0.30
    max_stage_backward: int = 50
    max_blank: int = 0
    max_source_shrink: float = 0.20


class Recent(NamedTuple):
    """What was written within the last 24 hours, this run left out."""

    changes: int = 0
    backward: int = 0
    blank: int = 0


class Source(NamedTuple):
    """How many live records one object of one system has now and had after the last completed run."""

    system: str
    object: str
    now: int
    before: int


class Breach(NamedTuple):
    """One limit that the plan is over: its name in the configuration, and a sentence with the figures."""

    limit: str
    found: float
    allowed: float
    message: Message


def check(plan: Plan, limits: Limits, sources: Sequence[Source], recent: Recent = Recent()) -> tuple[Breach, ...]:  # noqa: B008  # immutable
    """List every limit that the plan is over; an empty plan is over none."""
    if not plan.changes:
        return ()
    counted = [change for change in plan.changes if not (change.rule == DECAY_RULE and change.kind is Kind.CORRECT)]
    backward = sum(change.kind is Kind.REGRESS for change in counted)
    blank = sum(change.kind is Kind.BLANK for change in counted)
    breaches = [
        *_over("max_changes", say("changes"), len(counted), recent.changes, limits.max_changes),
        *_over("max_stage_backward", say("stage moves backward"), backward, recent.backward, limits.max_stage_backward),
        *_over("max_blank", say("emptied fields"), blank, recent.blank, limits.max_blank),
    ]
    populations = {(source.system, source.object): source.now for source in sources}
    touched = Counter((ref.system, ref.object) for ref in {change.ref for change in counted})
    breaches += _shares(touched, populations, limits.max_share)
    breaches += _shrinks(sources, limits.max_source_shrink)
    return tuple(breaches)


def _over(limit: str, what: Message, found: int, recent: int, allowed: int) -> list[Breach]:
    breaches = []
    if found > allowed:
        words = say("{found:,} {what} in this run (limit {allowed:,})", found=found, what=what, allowed=allowed)
        breaches.append(Breach(limit, found, allowed, words))
    if found and found + recent > allowed * DAY_FACTOR:
        words = say(
            "{found:,} {what} within 24 hours (limit {allowed:,})",
            found=found + recent,
            what=what,
            allowed=allowed * DAY_FACTOR,
        )
        breaches.append(Breach(limit, found + recent, allowed * DAY_FACTOR, words))
    return breaches


def _shares(
    touched: Mapping[tuple[str, str], int], populations: Mapping[tuple[str, str], int], allowed: float
) -> list[Breach]:
    breaches = []
    for (system, object_), count in sorted(touched.items()):
        share = count / max(populations.get((system, object_), 0), 1)
        if share > allowed:
            words = say(
                "{share:.0%} of {system} {object} records (limit {allowed:.0%})",
                share=share,
                system=system,
                object=object_,
                allowed=allowed,
            )
            breaches.append(Breach("max_share", share, allowed, words))
    return breaches


def _shrinks(sources: Sequence[Source], allowed: float) -> list[Breach]:
    breaches = []
    for source in sources:
        lost = 1 - source.now / source.before if source.before else 0.0
        if lost > allowed:
            words = say(
                "{system} {object} lost {lost:.0%} of its records since the last run (limit {allowed:.0%})",
                system=source.system,
                object=source.object,
                lost=lost,
                allowed=allowed,
            )
            breaches.append(Breach("max_source_shrink", lost, allowed, words))
    return breaches
