"""What is missing for the next stage, and what a record alone comes to."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from mapping.decide import compile_definition
from mapping.definitions import shipped
from mapping.events import Event, Profile, event_id
from mapping.facts import FACT_NAMES
from mapping.judge import Judge
from mapping.outlook import Missing, Unmet, outlook

DAY = 86_400_000
START = 1_790_000_000_000
PROGRAM = compile_definition(shipped(), ZoneInfo("Asia/Tokyo"))


def ahead(*kinds: str, **facts: Any) -> list[Missing]:
    """What is missing after these events, a day apart."""
    events = []
    for day, kind in enumerate(kinds):
        at = START + day * DAY
        events.append(Event(1, at, event_id(1, at, kind, None), kind))
    return outlook(PROGRAM, "person", [Profile(1, "person", **facts)], events, START + len(kinds) * DAY)


def test_missing_points_are_counted() -> None:
    """A condition on a number tells what is so and what is wanted; what is unknown is told as such."""
    [way] = ahead("form_submitted")

    assert (way.stage, way.rule) == ("mql", "mql.score")
    assert way.unmet == (
        Unmet("score >= 60", "score", 10, 60),
        Unmet("employees >= 50", "employees", None, 50),
    )


def test_condition_that_holds_is_not_missing() -> None:
    """Only what does not hold yet is told."""
    [way] = ahead("form_submitted", employees=70)

    assert [unmet.asked for unmet in way.unmet] == ["score"]


def test_next_stage_waits_for_its_event() -> None:
    """After the acceptance, an opportunity is missing; after the loss, whatever leads out of it."""
    assert [(way.stage, way.unmet[0].text) for way in ahead("lead_accepted")] == [("sql", "opportunity_created")]
    lost = ahead("opportunity_created", "opportunity_lost")
    assert [way.stage for way in lost] == ["sql", "inquiry"]
    assert all(way.unmet for way in lost)


def test_renewed_customer_has_nothing_ahead() -> None:
    """Behind the last milestone there is none."""
    assert ahead("onboarded", "renewed") == []


def test_judge_comes_to_the_stage_and_points_of_the_facts_alone() -> None:
    """The generated function agrees with the rules: points as earned, each rule within its cap."""
    judge = Judge(shipped())
    facts = [{"employees": 120, "level": "manager"}.get(name) for name in FACT_NAMES]

    def judged(**counts: int) -> tuple[str | None, int]:
        instants: list[list[int]] = [[] for _ in judge.slots]
        for kind, count in counts.items():
            instants[judge.slots[kind]] = list(range(count))
        return judge.judge(facts, instants)

    assert judged() == (None, 30)
    assert judged(form_submitted=1, page_viewed=30) == ("inquiry", 50)
    assert judged(form_submitted=1, page_viewed=30, webinar_attended=1) == ("mql", 66)
    assert judged(opportunity_created=2, opportunity_lost=2) == ("closed_lost", 30)
    assert judged(opportunity_created=2, opportunity_lost=1) == ("sql", 30)
