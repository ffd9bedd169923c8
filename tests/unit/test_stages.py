"""What the shipped model makes of a history: a table of lives, and the semantics of stages one by one."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.decide import Decision, Program, compile_definition
from mapping.definitions import load_definition, shipped
from mapping.events import Event, Profile, event_id
from mapping.happenings import Whereabouts
from mapping.instants import to_ms

DAY = 86_400_000
START = to_ms("2026-01-05T03:00:00Z")  # noon in Tokyo
ZONE = ZoneInfo("Asia/Tokyo")
PROGRAM = compile_definition(shipped(), ZONE)
BIG = Profile(1, "person", email="t.yamada@aoba.example", employees=250, level="director")
SOLD = "(inquiry) (mql) (sal) sql closed_won"
"""How whoever is first heard of by an opportunity comes to be a customer."""
DEAL = (0, "opportunity_created", 6)
HOT = [(0, "webinar_attended"), (0.1, "content_downloaded")]
"""With 40 points for attributes, enough to be qualified."""


def event(day: float, kind: str, subject: int = 1, **rest: Any) -> Event:
    """Something that happened so many days after the start."""
    at = START + round(day * DAY)
    return Event(subject, at, event_id(subject, at, kind, rest.get("origin"), rest.get("name") or ""), kind, **rest)


def life(
    *happened: tuple[Any, ...], profile: Profile = BIG, until: float = 900, program: Program = PROGRAM
) -> Decision:
    """The decision on a person with a history of (day, kind[, subject])."""
    return program.decide("person", [profile], [event(*row) for row in happened], START + round(until * DAY))


def path(decision: Decision) -> str:
    """The steps in short: back-filled stages in brackets."""
    return " ".join(f"({step.after})" if step.is_backfilled else str(step.after) for step in decision.transitions)


@pytest.mark.parametrize(
    ("happened", "expected", "furthest"),
    [
        ([], "", None),
        ([(0, "mail_opened")], "", None),
        ([(0, "form_submitted")], "inquiry", "inquiry"),
        (HOT, "inquiry mql", "mql"),
        ([*HOT, (1, "lead_accepted")], "inquiry mql sal", "sal"),
        ([(0, "form_submitted"), (1, "lead_accepted")], "inquiry (mql) sal", "sal"),
        ([(1, "opportunity_created", 9)], "(inquiry) (mql) (sal) sql", "sql"),
        ([*HOT, (1, "lead_rejected")], "inquiry mql inquiry", "mql"),
        ([*HOT, (1, "lead_recycled"), (2, "mail_clicked")], "inquiry mql inquiry", "mql"),
        ([*HOT, (1, "lead_rejected"), (2, "form_submitted")], "inquiry mql inquiry mql", "mql"),
        (
            [*HOT, (1, "lead_accepted"), (2, "lead_rejected"), (3, "lead_accepted")],
            "inquiry mql sal inquiry (mql) sal",
            "sal",
        ),
        (
            [(1, "opportunity_created", 9), (9, "opportunity_won", 9)],
            "(inquiry) (mql) (sal) sql closed_won",
            "closed_won",
        ),
        ([(1, "opportunity_created", 9), (9, "opportunity_lost", 9)], "(inquiry) (mql) (sal) sql closed_lost", "sql"),
        ([(9, "opportunity_lost", 9)], "", None),
        (
            [(1, "opportunity_created", 8), (2, "opportunity_created", 9), (3, "opportunity_lost", 8)],
            "(inquiry) (mql) (sal) sql",
            "sql",
        ),
        (
            [
                (1, "opportunity_created", 8),
                (2, "opportunity_created", 9),
                (3, "opportunity_lost", 8),
                (4, "opportunity_won", 9),
            ],
            "(inquiry) (mql) (sal) sql closed_won",
            "closed_won",
        ),
        (
            [(1, "opportunity_created", 8), (3, "opportunity_lost", 8), (4, "opportunity_created", 9)],
            "(inquiry) (mql) (sal) sql closed_lost (inquiry) (mql) (sal) sql",
            "sql",
        ),
        (
            [(1, "opportunity_created", 8), (3, "opportunity_lost", 8), (4, "form_submitted")],
            "(inquiry) (mql) (sal) sql closed_lost inquiry",
            "sql",
        ),
        (
            [DEAL, (1, "contracted"), (2, "onboarding_started"), (3, "onboarded"), (300, "renewed"), (400, "churned")],
            f"{SOLD} onboarding adopted renewal churned",
            "renewal",
        ),
        (
            [DEAL, (1, "contracted"), (30, "opportunity_created", 7), (40, "opportunity_lost", 7)],
            SOLD,
            "closed_won",
        ),
        ([DEAL, (1, "contracted"), (9, "form_submitted"), (10, "page_viewed")], SOLD, "closed_won"),
        ([DEAL, (1, "contracted"), (90, "renewed"), (180, "renewed")], f"{SOLD} (onboarding) renewal", "renewal"),
        ([(1, "churned")], "churned", None),
        ([(1, "contracted")], "", None),
        (
            [(1, "contracted"), (5, "onboarding_started")],
            "(inquiry) (mql) (sal) (sql) (closed_won) onboarding",
            "onboarding",
        ),
        (
            [DEAL, (1, "contracted"), (90, "churned"), (120, "form_submitted")],
            f"{SOLD} churned inquiry",
            "closed_won",
        ),
        (
            [DEAL, (1, "contracted"), (90, "churned"), (120, "contracted")],
            f"{SOLD} churned (inquiry) (mql) (sal) (sql) closed_won",
            "closed_won",
        ),
    ],
)  # fmt: skip
def test_life_leads_through_these_stages(happened: list[tuple[Any, ...]], expected: str, furthest: str | None) -> None:
    """One line of the table: what happened, the steps it led through, and the furthest milestone."""
    decision = life(*happened)

    assert path(decision) == expected
    assert decision.furthest == furthest
    assert decision.stage == (decision.transitions[-1].after if decision.transitions else None)


def test_small_company_is_never_qualified_by_its_score() -> None:
    """The rule asks for 50 employees; unknown is not enough."""
    for employees in (49, None):
        assert (
            path(life(*HOT, (1, "meeting_held"), (2, "meeting_held", 1), profile=BIG._replace(employees=employees)))
            == "inquiry"
        )


def test_step_names_its_rule_and_its_event() -> None:
    """A transition tells which rule made it, for which event, and in which cycle."""
    decision = life(*HOT, (1, "lead_accepted"), (2, "lead_rejected"))

    step = decision.transitions[2]
    assert (step.before, step.after, step.rule, step.cycle) == ("mql", "sal", "sal.accepted", 1)
    assert step.events == (event(1, "lead_accepted").id,)
    assert decision.transitions[3].rule == "sal.rejected"
    assert decision.transitions[3].cycle == 2
    assert (decision.since, decision.rule) == (START + 2 * DAY, "sal.rejected")


def test_steps_of_one_instant_are_numbered() -> None:
    """Back-filled stages share the instant of the one that was entered, and its evidence."""
    steps = life((1, "opportunity_created", 9), (2, "opportunity_won", 9)).transitions

    assert [(step.at - START, step.n) for step in steps] == [(DAY, 0), (DAY, 1), (DAY, 2), (DAY, 3), (2 * DAY, 0)]
    assert len({step.events for step in steps[:4]}) == 1


def test_events_after_now_do_not_count_yet() -> None:
    """What is dated later than now decides nothing, and is due when it comes."""
    decision = life((1, "form_submitted"), (20, "lead_accepted"), until=10)

    assert decision.stage == "inquiry"
    assert decision.due_at is not None
    assert decision.due_at <= START + 20 * DAY
    assert life((20, "lead_accepted"), until=10).due_at == START + 20 * DAY


def test_created_and_won_at_one_instant_are_walked_in_that_order() -> None:
    """Day-dated events share midnight; an opportunity is created before it is won."""
    decision = life((1, "opportunity_won", 9), (1, "opportunity_created", 9))

    assert path(decision) == "(inquiry) (mql) (sal) sql closed_won"


def test_lost_on_a_day_before_it_was_created_is_lost_all_the_same() -> None:
    """A close date is a day: it begins before the hour at which the opportunity was entered."""
    assert life((1, "opportunity_lost", 9), (1.3, "opportunity_created", 9)).stage == "closed_lost"


RECORDS = {1: Whereabouts(0, 100), 2: Whereabouts(1, 100), 8: Whereabouts(0, 300), 9: Whereabouts(1, 301)}
TWINS = [BIG, Profile(2, "person", email="t.yamada@aoba.example")]


def seen(*happened: Event, until: float = 900) -> Decision:
    """The decision on a person with a record in each of two systems."""
    return PROGRAM.decide("person", TWINS, happened, START + round(until * DAY), RECORDS)


@pytest.mark.parametrize(
    ("first", "second", "points"),
    [
        (event(1, "meeting_held", 1), event(1.005, "meeting_held", 2), [15, 0]),
        (event(1, "meeting_held", 1), event(1.01, "meeting_held", 2), [15, 15]),
        (event(1, "meeting_held", 1), event(1.005, "meeting_held", 1), [15, 15]),
        (event(1, "meeting_held", 1), event(1.001, "call_made", 2), [15, 2]),
        (event(0.5, "meeting_held", 1), event(0.9, "meeting_held", 2), [15, 0]),
        (event(0.4, "meeting_held", 1), event(0.5, "meeting_held", 2), [15, 15]),
        (event(0.5, "meeting_held", 1), event(1.6, "meeting_held", 2), [15, 15]),
        (event(1, "meeting_held", 1), event(3, "meeting_held", 2, since=START), [15, 0]),
    ],
    ids=["near", "far", "one system", "other kind", "day and hour", "day before", "day after", "seen between"],
)
def test_one_happening_in_two_systems_scores_once(first: Event, second: Event, points: list[int]) -> None:
    """Same person, same kind, within ten minutes (on the same day where one is dated by day): one happening."""
    decision = seen(first, second, until=4)

    behaviours = [entry for entry in decision.entries if entry.event]
    assert sorted((entry.points for entry in behaviours), reverse=True) == sorted(points, reverse=True)
    assert {entry.event for entry in behaviours} == {first.id, second.id}


def test_both_systems_are_evidence_of_a_step() -> None:
    """An acceptance that both systems show is one step with two events."""
    first, second = event(2, "lead_accepted", 1), event(2.004, "lead_accepted", 2)

    decision = seen(event(1, "form_submitted"), first, second)

    assert decision.transitions[-1].events == (first.id, second.id)
    assert path(decision) == "inquiry (mql) sal"


def test_rejection_seen_twice_sends_back_once() -> None:
    """The second system's word for the same rejection does not end the new cycle."""
    decision = seen(
        *(event(*row) for row in HOT),
        event(1, "lead_rejected", 1),
        event(1.001, "form_submitted", 1),
        event(1.004, "lead_rejected", 2),
    )

    assert path(decision) == "inquiry mql inquiry mql"


def test_deal_in_two_systems_is_one_open_opportunity() -> None:
    """Two records that tell of one opportunity are lost together."""
    decision = seen(
        event(1, "opportunity_created", 8), event(1.002, "opportunity_created", 9), event(5, "opportunity_lost", 8)
    )

    assert decision.stage == "closed_lost"


def test_fact_at_an_instant_is_what_was_so_then() -> None:
    """The company grew on day 5: before, it was too small to be qualified."""
    grown = event(5, "attribute_changed", name="employees", before="10", after="250")
    rows = [*(event(*row) for row in HOT), grown, event(6, "mail_clicked")]

    decision = PROGRAM.decide("person", [BIG], rows, START + 30 * DAY)

    qualified = decision.transitions[1]
    assert (qualified.after, qualified.events) == ("mql", (grown.id,))
    assert [entry.at for entry in decision.entries if entry.rule == "employees_200"] == [START + 5 * DAY]
    before = PROGRAM.decide("person", [BIG], rows, START + 4 * DAY)
    assert PROGRAM.facts(before)["employees"] == 10


def test_opt_out_counts_from_whichever_record_says_it() -> None:
    """One record that opted out is enough."""
    profiles = [BIG._replace(is_opted_out=False), BIG._replace(record=2, is_opted_out=True)]

    assert PROGRAM.facts(PROGRAM.decide("person", profiles, [], START))["is_opted_out"] is True


def test_live_record_is_believed_before_a_deleted_one() -> None:
    """Of two that speak, the first that still lives counts; company data fills what persons leave open."""
    profiles = [
        BIG._replace(is_deleted=True, title="旧"),
        Profile(2, "person", title="新"),
        Profile(3, "account", employees=5, owner="o1", country="JP"),
    ]

    facts = PROGRAM.facts(PROGRAM.decide("person", profiles, [], START))

    assert (facts["title"], facts["country"], facts["employees"]) == ("新", "JP", 5)
    assert "owner" not in facts


def model(text: str) -> Program:
    """A small model of three stages, with something changed."""
    base = """
name = "three"
[[stages]]
id = "one"
enter = "inquiry"
{one}
[[stages]]
id = "two"
enter = "lead_accepted"
{two}
[[stages]]
id = "three"
enter = "opportunity_created"
{three}
"""
    given = {"one": "", "two": "", "three": ""} | dict([text.split(": ", 1)] if text else [])
    return compile_definition(load_definition(base.format(**given)), ZONE)


@pytest.mark.parametrize(
    ("change", "happened", "expected"),
    [
        ("", ["opportunity_created"], "(one) (two) three"),
        ('two: skip = "allow"', ["opportunity_created"], "(one) three"),
        ('two: skip = "reject"', ["opportunity_created"], ""),
        ('two: skip = "reject"', ["opportunity_created", "lead_accepted"], "(one) two three"),
        ("two: milestone = false", ["opportunity_created"], "(one) three"),
        ('three: from = ["two"]', ["opportunity_created", "lead_accepted"], "(one) two three"),
        ('three: regress = "allow"\nexits = [{ when = "lead_recycled", to = "two" }]',
         ["opportunity_created", "lead_recycled"], "(one) (two) three two"),
        ('three: exits = [{ when = "lead_recycled", to = "two" }]',
         ["opportunity_created", "lead_recycled"], "(one) (two) three (one) two"),
    ],
)  # fmt: skip
def test_skip_and_regress_policies(change: str, happened: list[str], expected: str) -> None:
    """A skipped stage is back-filled, left out or demanded; going back begins a new cycle or stays within it."""
    decision = life(*((day, kind) for day, kind in enumerate(happened)), program=model(change))

    assert path(decision) == expected


def test_rule_looks_at_its_own_cycle_only() -> None:
    """An acceptance of the cycle that ended accepts nobody in the next."""
    text = 'two: exits = [{ when = "lead_rejected", to = "one" }]'

    decision = life((0, "lead_accepted"), (1, "lead_rejected"), (2, "mail_opened"), program=model(text))

    assert path(decision) == "(one) two one"
    assert [step.cycle for step in decision.transitions] == [1, 1, 2]


def test_day_dated_happening_takes_the_instant_that_another_system_tells():
    """Salesforce dates a response by the day, HubSpot to the second: it happened once, at the second."""
    midnight = to_ms("2026-02-01", ZONE)
    noon = midnight + 12 * 3_600_000
    told = [
        Event(1, midnight, event_id(1, midnight, "webinar_attended", 9), "webinar_attended", origin=9),
        Event(2, noon, event_id(2, noon, "webinar_attended", None), "webinar_attended"),
    ]
    records = {1: Whereabouts(0, 7), 2: Whereabouts(1, 7)}

    decision = PROGRAM.decide("person", [BIG], told, noon + DAY, records)

    assert [(step.after, step.at) for step in decision.transitions] == [("inquiry", noon)]
    assert [entry.points for entry in decision.entries if entry.rule == "webinar"] == [16, 0]


def test_what_a_merge_leaves_on_two_records_of_one_system_happened_once():
    """The survivor carries what happened to the loser, dated alike; a form of another second is another form."""
    records = {1: Whereabouts(0, 7), 2: Whereabouts(0, 7), 3: Whereabouts(0, 8)}
    same = [event(0, "form_submitted", subject) for subject in (1, 2)]
    later = event(0.001, "form_submitted", 2)
    stranger = event(0, "form_submitted", 3)

    def points(*told: Event) -> list[int]:
        decision = PROGRAM.decide("person", [BIG], told, START + DAY, records)
        return [entry.points for entry in decision.entries if entry.rule == "form"]

    assert points(*same) == points(*reversed(same)) == [10, 0]
    assert points(*same, later) == [10, 0, 10]
    assert points(same[0], stranger) == [10, 10]


def test_two_day_dated_happenings_of_one_system_stay_two():
    """Only another system can tell of the same happening."""
    midnight = to_ms("2026-02-01", ZONE)
    told = [Event(1, midnight, event_id(1, midnight, "form_submitted", n), "form_submitted", origin=n) for n in (8, 9)]

    decision = PROGRAM.decide("person", [BIG], told, midnight + DAY, {1: Whereabouts(0, 7)})

    assert [entry.points for entry in decision.entries if entry.rule == "form"] == [10, 10]


def test_colleague_without_a_part_in_the_deal_does_not_become_a_customer():
    """The account is on board; its MQL is an MQL."""
    decision = life(*HOT, (5, "onboarding_started"), (30, "onboarded"))

    assert decision.stage == "mql"
