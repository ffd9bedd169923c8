"""Where an account stands, from its own events and where its people stand."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from mapping.accounts import HIGHEST, Standing, decide_account
from mapping.decide import Decision, compile_definition
from mapping.definitions import load_definition, shipped, shipped_text
from mapping.events import Event, Profile, event_id

DAY = 86_400_000
START = 1_790_000_000_000
ZONE = ZoneInfo("Asia/Tokyo")
PROGRAM = compile_definition(shipped(), ZONE)


def decide(kind: str, *happened: tuple[Any, ...]) -> Decision:
    """The fold over (day, kind[, subject])."""
    events = []
    for day, what, *subject in happened:
        at, about = START + int(day * DAY), subject[0] if subject else 1
        events.append(Event(about, at, event_id(about, at, what, None), what))
    return PROGRAM.decide(kind, [Profile(1, kind, employees=100)], events, START + 900 * DAY)


def person(*happened: tuple[Any, ...]) -> Standing:
    """One of the account's people."""
    decision = decide("person", *happened)
    return Standing(decision.score, decision.transitions)


def path(decision: Decision) -> str:
    """The steps in short, with their days."""
    return " ".join(f"{(step.at - START) // DAY}:{step.after}" for step in decision.transitions)


def test_account_stands_where_its_furthest_person_stands() -> None:
    """Its steps are dated by whoever came furthest first."""
    people = [
        person((1, "form_submitted"), (9, "lead_accepted")),
        person((3, "form_submitted"), (4, "lead_accepted"), (5, "lead_rejected")),
    ]

    decision = decide_account(PROGRAM, decide("account"), people)

    assert path(decision) == "1:inquiry 4:mql 4:sal 5:inquiry 9:mql 9:sal"
    assert (decision.stage, decision.since, decision.rule) == ("sal", START + 9 * DAY, "sal.accepted")
    assert [step.cycle for step in decision.transitions] == [1, 1, 1, 2, 2, 2]


def test_account_without_people_stands_by_its_own_events() -> None:
    """Its own fold is its decision."""
    own = decide("account", (1, "opportunity_created", 9), (2, "contracted"))

    assert decide_account(PROGRAM, own, []) is own


def test_churned_account_has_no_customers_left() -> None:
    """A person who was never told of the churn no longer holds the account in its customer stages."""
    own = decide("account", (1, "opportunity_created", 9), (2, "opportunity_won", 9), (30, "churned"))
    untold = person((1, "opportunity_created", 9), (2, "opportunity_won", 9))

    decision = decide_account(PROGRAM, own, [untold])

    assert decision.stage == "churned"
    assert decision.furthest == "closed_won"


def test_lost_opportunity_leaves_another_persons_work_standing() -> None:
    """The one deal is lost; a lead that sales accepted before goes on, and so does the account."""
    own = decide("account", (10, "opportunity_created", 9), (20, "opportunity_lost", 9))
    party = person((10, "opportunity_created", 9), (20, "opportunity_lost", 9))
    other = person((5, "form_submitted"), (6, "lead_accepted"))

    assert decide_account(PROGRAM, own, [party]).stage == "closed_lost"
    assert decide_account(PROGRAM, own, [party, other]).stage == "sal"


def test_account_comes_back_with_its_people() -> None:
    """After the churn, a person's new inquiry begins again."""
    own = decide("account", (1, "opportunity_won", 9), (30, "churned"))
    back = person((1, "opportunity_won", 9), (30, "churned"), (60, "form_submitted"))

    decision = decide_account(PROGRAM, own, [back])

    assert path(decision).endswith("30:churned 60:inquiry")


def test_score_is_that_of_the_highest_person() -> None:
    """The ledger says so in one line, and sums up."""
    high, low = person((890, "form_submitted")), person()

    decision = decide_account(PROGRAM, decide("account"), [low, high])

    assert decision.score == high.score > low.score
    assert [(entry.rule, entry.points) for entry in decision.entries] == [(HIGHEST, high.score)]


def test_definition_may_let_accounts_stand_by_themselves() -> None:
    """With `stage = "own"` people do not count."""
    text = shipped_text().replace('stage = "furthest"', 'stage = "own"')
    program = compile_definition(load_definition(text), ZONE)
    own = decide("account")

    assert decide_account(program, own, [person((1, "form_submitted"))]) is own
