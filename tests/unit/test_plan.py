"""What becomes of a difference between what was decided and what a vendor shows."""

from __future__ import annotations

import random
from typing import Any

import pytest

from mapping.records import Ref
from reconcile.changes import Kind
from reconcile.plan import Policy, Role, Target, Why, Wish, build_plan, digest

POLICY = Policy(ranks={"inquiry": 0, "mql": 1, "sal": 2, "closed_lost": 5}, ends=frozenset({"closed_lost"}))


def as_it_is(_system: str, _object: str, _field: str, value: Any) -> Any:
    return value


def target(id_: str = "1", *, wish: Wish | None = None, why_not: Why | None = None, **payload: Any) -> Target:
    return Target(
        ref=Ref("hubspot", "contacts", id_),
        entity="01J",
        payload=payload,
        wishes=[wish or Wish("stage", Role.STAGE, "mql", "because", "mql.score")],
        why_not=why_not,
    )


def plan_of(*targets: Target, policy: Policy = POLICY) -> Any:
    return build_plan(targets, policy, as_it_is)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (None, "mql", Kind.FIRST),
        ("inquiry", "mql", Kind.ADVANCE),
        ("sal", "mql", Kind.REGRESS),
        ("something else", "mql", Kind.CORRECT),
        ("closed_lost", "inquiry", Kind.ADVANCE),
        ("sal", "closed_lost", Kind.ADVANCE),
    ],
)
def test_kind_tells_which_way_a_stage_moves(before: str | None, after: str, kind: Kind):
    """A stage that was empty is filled; after an end everything is a new beginning, so nothing moves back."""
    wish = Wish("stage", Role.STAGE, after, "because", "rule")

    plan = plan_of(target(stage=before, wish=wish))

    assert [change.kind for change in plan.changes] == [kind]


def test_equal_value_is_no_change():
    """What the vendor shows already is not written again."""
    assert plan_of(target(stage="mql")).changes == ()


def test_value_that_was_never_read_is_held_and_not_taken_for_empty():
    """A field missing in the payload is unknown: writing over it could lose a value."""
    plan = plan_of(target())

    assert plan.changes == ()
    assert [held.why for held in plan.held] == [Why.NOT_READ]


def test_blank_never_overwrites_a_value():
    """A wish for nothing is no wish."""
    plan = plan_of(target(stage="sal", wish=Wish("stage", Role.STAGE, None, "no stage", "none")))

    assert (plan.changes, plan.held) == ((), ())


def test_converted_lead_is_held_because_its_contact_is_written():
    """The difference is shown with its reason."""
    plan = plan_of(target(stage="inquiry", why_not=Why.CONVERTED))

    assert [held.why for held in plan.held] == [Why.CONVERTED]


def test_field_that_was_set_aside_is_held_alone():
    """The vendor refused this field; the others of the record go on."""
    ref = Ref("hubspot", "contacts", "1")
    policy = Policy(ranks=POLICY.ranks, set_aside={(ref.key, "stage"): Why.QUARANTINED})
    wishes = [Wish("stage", Role.STAGE, "mql", "", ""), Wish("score", Role.SCORE, 61, "", "")]
    both = Target(ref=ref, entity="01J", payload={"stage": None, "score": None}, wishes=wishes)

    plan = plan_of(both, policy=policy)

    assert [change.field for change in plan.changes] == ["score"]
    assert [held.why for held in plan.held] == [Why.QUARANTINED]


@pytest.mark.parametrize(("before", "after", "is_written"), [(60, 62, False), (60, 63, True), (None, 1, True)])
def test_score_is_written_again_only_when_it_moved_by_a_step(before: int | None, after: int, is_written: bool):
    """score_step keeps a daily decay of one point from touching every record."""
    policy = Policy(ranks={}, score_step=3)
    wish = Wish("score", Role.SCORE, after, "score", "score")

    plan = plan_of(target(score=before, wish=wish), policy=policy)

    assert bool(plan.changes) is is_written


def test_values_are_compared_in_the_form_the_vendor_reports():
    """Adjusting both sides keeps a plan from finding the same difference for ever."""
    wish = Wish("score", Role.SCORE, 61, "score", "score")

    plan = build_plan([target(score="61", wish=wish)], POLICY, lambda _s, _o, _f, value: int(value))

    assert plan.changes == ()


def test_digest_depends_on_the_changes_and_not_on_their_order():
    """The same set planned in other portions has the same name; another value has another."""
    targets = [target(str(number), stage="inquiry") for number in range(50)]
    shuffled = random.Random(7).sample(targets, k=len(targets))

    one, other = plan_of(*targets), plan_of(*shuffled)

    assert one == other
    assert digest(one.changes[:-1]) != one.digest


def test_changes_stand_in_numeric_order_of_ids():
    """A person reads 2 before 10."""
    plan = plan_of(*(target(id_, stage="inquiry") for id_ in ("10", "2", "1")))

    assert [change.ref.id for change in plan.changes] == ["1", "2", "10"]
