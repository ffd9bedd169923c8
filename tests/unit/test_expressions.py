"""The language of rules: what it accepts, what it says of mistakes, and what it compiles to."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from mapping.compiling import Sources, slots_of, wants
from mapping.expressions import Flaw, Names, conjuncts, parse, render
from mapping.facts import FACT_NAMES

NAMES = Names(("inquiry", "mql", "closed_won"))
DAY = 86_400_000


def flaw(text: str, names: Names = NAMES) -> tuple[int, str, str | None]:
    """The column, message and hint of the mistake in an expression."""
    with pytest.raises(Flaw) as caught:
        parse(text, names)
    return caught.value.at + 1, str(caught.value.message), caught.value.hint and str(caught.value.hint)


def holds(text: str, events: dict[str, list[int]] | None = None, score: int = 0, **facts: Any) -> bool:
    """Whether a condition is true at instant 100 days."""
    node = parse(text, NAMES)
    slots = slots_of([node])
    sources = Sources(slots)
    sources.rule(node)
    [test] = sources.compile()
    instants: list[list[int]] = [[] for _ in slots]
    for kind, at in (events or {}).items():
        instants[slots[kind]] = at
    state = SimpleNamespace(
        at=100 * DAY, cycle=1, reached={"mql"}, score=lambda: score, reaches=lambda points: score >= points,
        open_opportunities=lambda: 0,
    )  # fmt: skip
    return bool(test([facts.get(name) for name in FACT_NAMES], instants, state))


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("score>=60 and employees  >= 50", "score >= 60 and employees >= 50"),
        ("not (inquiry or mail_opened)", "not (inquiry or mail_opened)"),
        ("level == 'manager'", 'level = "manager"'),
        ("any(form_submitted,within=720h)", "any(form_submitted, within = 30d)"),
        ("owner is not unknown", "not owner is unknown"),
        ("country not in ['JP', \"US\"]", 'not country in ["JP", "US"]'),
        ("(employees > 5)", "employees > 5"),
        ("score >= 1 or (score >= 2 and cycle = 1)", "score >= 1 or score >= 2 and cycle = 1"),
    ],
)
def test_expression_has_one_canonical_spelling(text: str, canonical: str) -> None:
    """However it is written, the same condition reads the same, and reading that changes nothing."""
    assert render(parse(text, NAMES)) == canonical
    assert render(parse(canonical, NAMES)) == canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("lead_acepted", (1, 'unknown fact "lead_acepted"', "did you mean lead_accepted?")),
        ("score >= 60 and emploees > 5", (17, 'unknown fact "emploees"', "did you mean employees?")),
        ("score >= 'x'", (10, 'score is a number and cannot be compared with "x", a text', None)),
        ("score", (1, "this is a number, not a condition", "compare it with something")),
        ("score and inquiry", (1, "score is a number, not a condition", None)),
        ("level = 'managr'", (9, 'level is never "managr"', "did you mean manager?")),
        ("any(form_submited)", (5, 'unknown event "form_submited"', "did you mean form_submitted?")),
        ("any(inquiry, within = 30)", (23, "within takes a duration", "write 30d, 24h or 90m")),
        ("count(inquiry, 30d) > 1", (16, "count takes an event and within = a duration", None)),
        ("reached(mqll)", (9, 'unknown stage "mqll"', "did you mean mql?")),
        ("cout(inquiry) > 1", (1, 'unknown function "cout"', "did you mean count?")),
        ("any", (1, "any needs something in brackets", "write any(…)")),
        ("industry > 'a'", (10, "a text has no order", "use = or !=")),
        ("score is unknown", (1, "score is never unknown", None)),
        ("(score >= 60", (13, "the expression ends too early", None)),
        ("score >= 60 ; drop", (13, '";" cannot stand here', None)),
        ("__import__('os')", (1, 'unknown function "__import__"', None)),
        ("employees.__class__ = 1", (10, '"." cannot stand here', None)),
    ],
)
def test_mistake_names_its_column_and_the_nearest_name(text: str, expected: tuple[int, str, str | None]) -> None:
    """A mistake says where it begins, what is wrong, and what was probably meant."""
    assert flaw(text) == expected


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("employees >= 50", False),
        ("employees < 50", False),
        ("not (employees >= 50)", False),
        ("employees is unknown", True),
        ("employees >= 50 or country = 'jp'", True),
        ("not (employees >= 50 and country = 'us')", True),
        ("not (employees >= 50 and country = 'jp')", False),
        ("is_free_mail", False),
        ("not is_free_mail", False),
        ("employees in [1, 2]", False),
        ("employees not in [1, 2]", False),
        ("industry contains 'soft'", False),
        ("not (industry contains 'soft')", False),
    ],
)
def test_comparison_with_unknown_is_unknown(text: str, is_true: bool) -> None:
    """Only the country is known: what rests on the unknown is neither true nor false, also behind a not."""
    assert holds(text, country="JP") is is_true


@pytest.mark.parametrize(
    ("text", "is_true"),
    [
        ("form_submitted", True),
        ("inquiry", True),
        ("lead_accepted", False),
        ("any(form_submitted, within = 30d)", True),
        ("any(form_submitted, within = 5d)", False),
        ("count(form_submitted) >= 2", True),
        ("count(inquiry, within = 30d) = 1", True),
        ("count(inquiry) = 2", True),
        ("reached(mql) and not reached(closed_won)", True),
        ("score > 41", True),
        ("score > 41.5", True),
        ("score > 42.5", False),
        ("score >= 42 and score <= 42", True),
        ("not score >= 43", True),
        ("arr >= 1200.5", True),
        ("arr > 1200.5", False),
        ("title contains '情報'", True),
        ("country = 'Japan'", True),
    ],
)
def test_condition_holds(text: str, is_true: bool) -> None:
    """Events, counts, stages, points, money and texts mean what they say; letter case does not count."""
    events = {"form_submitted": [20 * DAY, 90 * DAY]}
    slots = slots_of([parse(text, NAMES)])
    given = {kind: at for kind, at in events.items() if kind in slots}

    assert holds(text, given, score=42, arr=12_005_000, title="情報システム部", country="JAPAN") is is_true


def test_text_of_a_user_never_becomes_source() -> None:
    """A text full of Python is compared as a text."""
    assert holds("country = '\\\\'", country="x") is False
    hostile = "__import__('os').abort()"

    assert holds(f'title = "{hostile}"', title=hostile) is True


def test_rule_is_tested_after_the_events_that_can_make_it_true() -> None:
    """A rule on an event waits for it, one on the score for points, one on a window or a falling score for anything."""
    assert wants(parse("lead_accepted", NAMES)).kinds == {"lead_accepted"}
    assert wants(parse("score >= 60", NAMES))[1:] == (True, False, False)
    assert wants(parse("score < 10", NAMES)).is_timed
    assert wants(parse("not any(inquiry, within = 90d)", NAMES)).is_timed
    assert wants(parse("open_opportunities = 0", NAMES)).kinds >= {"opportunity_lost"}


def test_conjunction_falls_into_its_parts() -> None:
    """What must be true all together can be shown part by part."""
    node = parse("score >= 60 and (employees >= 50 and not is_free_mail)", NAMES)

    assert [render(part) for part in conjuncts(node)] == ["score >= 60", "employees >= 50", "not is_free_mail"]
