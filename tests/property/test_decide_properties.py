"""What holds of every history: deciding is a function of what happened, and nothing else."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from mapping.accounts import Standing, decide_account
from mapping.decide import Decision, compile_definition
from mapping.definitions import shipped
from mapping.events import Event, EventKind, Profile, event_id
from mapping.happenings import Whereabouts

DAY = 86_400_000
START = 1_790_000_000_000
PROGRAM = compile_definition(shipped(), ZoneInfo("Asia/Tokyo"))
RECORDS = {subject: Whereabouts(subject % 2, subject // 2) for subject in range(1, 5)}
CHANGES = {"employees": [None, "10", "60", "300"], "title": [None, "部長", "社長"]}


@st.composite
def events(draw: st.DrawFn) -> Event:
    """One thing that may happen, within eighty days, often at the instants of others."""
    kind = draw(
        st.sampled_from([*EventKind, EventKind.LEAD_ACCEPTED, EventKind.FORM_SUBMITTED, EventKind.MEETING_HELD])
    )
    subject = draw(st.integers(1, 4))
    at = START + draw(st.integers(0, 80)) * DAY + draw(st.sampled_from([0, 60_000, 3_600_000, 54_000_000]))
    rest: dict[str, Any] = {}
    if kind is EventKind.ATTRIBUTE_CHANGED:
        rest["name"] = draw(st.sampled_from(sorted(CHANGES)))
        rest["before"], rest["after"] = draw(st.tuples(*[st.sampled_from(CHANGES[rest["name"]])] * 2))
    if kind is EventKind.PAGE_VIEWED:
        rest["quantity"] = draw(st.integers(1, 9))
    text = f"{rest.get('name')}{rest.get('before')}{rest.get('after')}"
    return Event(subject, at, event_id(subject, at, kind.value, None, text), kind.value, **rest)


histories = st.lists(events(), max_size=24, unique_by=lambda event: event.id)
profiles = st.lists(
    st.builds(
        Profile,
        record=st.integers(1, 4),
        kind=st.just("person"),
        email=st.sampled_from([None, "a@aoba.example", "b@gmail.com"]),
        employees=st.sampled_from([None, 10, 60, 300]),
        level=st.sampled_from([None, "staff", "manager", "c_level"]),
        created_at=st.sampled_from([None, START]),
        is_deleted=st.booleans(),
    ),
    max_size=3,
    unique_by=lambda profile: profile.record,
)


def decide(of: list[Profile], happened: list[Event], day: float = 100) -> Decision:
    """The decision on a person at the end of a day."""
    return PROGRAM.decide("person", of, happened, START + round(day * DAY), RECORDS)


@settings(max_examples=50, deadline=None)
@given(profiles, histories, st.randoms(use_true_random=False))
def test_order_of_arrival_does_not_matter(of: list[Profile], happened: list[Event], chance: Any) -> None:
    """The same events in any order, some of them twice, make the same decision."""
    shuffled = [*happened, *happened[:3]]
    chance.shuffle(shuffled)

    assert decide(of, shuffled) == decide(of, happened)


@settings(max_examples=50, deadline=None)
@given(profiles, histories)
def test_events_that_no_rule_asks_about_decide_nothing(of: list[Profile], happened: list[Event]) -> None:
    """The store leaves out the kinds that the definition does not look at; the decision is the same."""
    asked = [event for event in happened if event.kind in PROGRAM.course.kinds]

    assert decide(of, asked) == decide(of, happened)
    assert "site_visited" not in PROGRAM.course.kinds


@settings(max_examples=50, deadline=None)
@given(profiles, histories, st.integers(0, 100))
def test_past_does_not_depend_on_the_future(of: list[Profile], happened: list[Event], day: int) -> None:
    """Without later evidence of earlier facts, the steps as of a day are those that stand later up to that day."""
    quiet = [event for event in happened if event.kind != EventKind.ATTRIBUTE_CHANGED]
    now = START + day * DAY

    then, later = decide(of, quiet, day), decide(of, quiet)

    told = [step._replace(events=step.events[:1]) for step in later.transitions if step.at <= now]
    assert [step._replace(events=step.events[:1]) for step in then.transitions] == told


@settings(max_examples=50, deadline=None)
@given(profiles, histories)
def test_every_step_has_a_rule_and_an_event_that_happened(of: list[Profile], happened: list[Event]) -> None:
    """No transition without a rule of the definition and an event at its instant; each begins where the last ended."""
    rules = PROGRAM.definition.rule_texts()
    at = {event.id: event.at for event in happened}
    where = None
    for step in decide(of, happened).transitions:
        assert step.rule in rules
        assert at[step.events[0]] == step.at
        assert step.before == where
        assert step.before != step.after
        where = step.after


@settings(max_examples=50, deadline=None)
@given(profiles, histories, st.integers(0, 400))
def test_ledger_sums_up_to_the_score_on_every_day(of: list[Profile], happened: list[Event], day: int) -> None:
    """What is left of the lines is the score, to the point, whenever one looks."""
    decision = decide(of, happened, day)

    lines = PROGRAM.remaining(decision.entries, START + day * DAY)
    assert sum(line.points for line in lines) == decision.score
    assert all(isinstance(line.points, int) for line in lines)


@given(profiles, histories, st.integers(0, 300))
@settings(max_examples=40, deadline=None)
def test_nothing_changes_before_it_is_due(of: list[Profile], happened: list[Event], day: int) -> None:
    """Until `due_at` the decision stays as it is; at `due_at` the score or the history is another."""
    now = decide(of, happened, day)
    if now.due_at is None:
        assert decide(of, happened, day + 700)[:5] == now[:5]
        return
    due = (now.due_at - START) / DAY

    before = PROGRAM.decide("person", of, happened, now.due_at - 1, RECORDS)
    assert before[:5] == now[:5]
    assert before.transitions == now.transitions
    if all(event.at != now.due_at for event in happened):
        assert decide(of, happened, due).score != now.score


@given(st.lists(st.tuples(profiles, histories), min_size=1, max_size=3), histories, st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None)
def test_account_does_not_depend_on_the_order_of_its_people(
    people: list[tuple[list[Profile], list[Event]]], happened: list[Event], chance: Any
) -> None:
    """An account is where the furthest of its people is, whoever is asked first."""
    own = PROGRAM.decide("account", [], happened, START + 100 * DAY, RECORDS)
    standings = [Standing(one.score, one.transitions) for one in (decide(*person) for person in people)]
    first = decide_account(PROGRAM, own, standings)
    chance.shuffle(standings)

    assert decide_account(PROGRAM, own, standings) == first
    where = None
    for step in first.transitions:
        assert (step.before, step.before == step.after) == (where, False)
        where = step.after
    assert where == first.stage
