"""Which plans are stopped, and with which figures."""

from __future__ import annotations

import pytest

from mapping.records import Ref
from reconcile.changes import Change, Kind, Value
from reconcile.guard import DECAY_RULE, Limits, Recent, Source, check
from reconcile.plan import Plan

WIDE = Limits(max_changes=10_000, max_share=1.0, max_stage_backward=10_000, max_blank=10_000, max_source_shrink=1.0)


def change(number: int, *, kind: Kind = Kind.ADVANCE, rule: str = "mql.score", after: Value = "mql") -> Change:
    ref = Ref("hubspot", "contacts", str(number))
    return Change(ref=ref, field="stage", before="inquiry", after=after, reason="", rule=rule, kind=kind, entity="e")


def plan(*changes: Change) -> Plan:
    return Plan(changes=changes, held=(), digest="d")


def sources(now: int = 100, before: int = 100) -> list[Source]:
    return [Source("hubspot", "contacts", now, before)]


def names(plan_: Plan, limits: Limits, *, recent: Recent | None = None, now: int = 100, before: int = 100) -> list[str]:
    return [breach.limit for breach in check(plan_, limits, sources(now, before), recent or Recent())]


@pytest.mark.parametrize(
    ("limit", "allowed", "kind"),
    [("max_changes", 2, Kind.ADVANCE), ("max_stage_backward", 2, Kind.REGRESS), ("max_blank", 2, Kind.BLANK)],
)
def test_limit_stops_one_change_beyond_it(limit: str, allowed: int, kind: Kind):
    """At the limit is within it."""
    limits = Limits(**{**{field: getattr(WIDE, field) for field in WIDE.__slots__}, limit: allowed})

    within = names(plan(*(change(n, kind=kind) for n in range(allowed))), limits)
    beyond = names(plan(*(change(n, kind=kind) for n in range(allowed + 1))), limits)

    assert (within, beyond) == ([], [limit])


def test_share_counts_records_and_not_fields():
    """Thirty of a hundred records are within 0.30, whatever the number of their fields."""
    limits = Limits(max_changes=10_000, max_share=0.30)

    assert names(plan(*(change(n) for n in range(30)), *(change(n) for n in range(30))), limits) == []
    assert names(plan(*(change(n) for n in range(31))), limits) == ["max_share"]


def test_many_small_runs_stop_at_ten_times_the_limit_of_one():
    """What was written within the last 24 hours counts, too."""
    limits = Limits(max_changes=5, max_share=1.0)

    assert names(plan(change(1)), limits, recent=Recent(changes=49)) == []
    assert names(plan(change(1)), limits, recent=Recent(changes=50)) == ["max_changes"]


def test_restoring_is_exempt_from_the_limits_on_blanks_and_backward_moves():
    """An undo may empty what was empty and move back what was moved."""
    limits = Limits(max_changes=10, max_share=1.0, max_stage_backward=0, max_blank=0)

    assert names(plan(change(1, kind=Kind.RESTORE)), limits) == []


def test_score_that_moved_by_decay_alone_counts_towards_nothing():
    """A quiet day moves every score a little."""
    limits = Limits(max_changes=1, max_share=0.01)

    assert names(plan(*(change(n, rule=DECAY_RULE, kind=Kind.CORRECT) for n in range(90))), limits) == []


def test_source_that_lost_records_stops_the_plan():
    """A filter or a lost permission looks like mass deletion."""
    limits = Limits(max_share=1.0, max_source_shrink=0.20)

    assert names(plan(change(1)), limits, now=80, before=100) == []
    assert names(plan(change(1)), limits, now=79, before=100) == ["max_source_shrink"]


def test_empty_plan_is_over_no_limit():
    """There is nothing to stop."""
    assert check(plan(), Limits(max_source_shrink=0.0), sources(1, 100)) == ()
