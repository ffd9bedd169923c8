"""The definition document: the shipped model, every mistake at once with its place, and its version."""

from __future__ import annotations

import pytest

from mapping.definitions import Definition, load_definition, shipped, shipped_text
from mapping.errors import OperatorError

WRONG = """\
name = "2026-Q4"
nmae = "x"

[[stages]]
id = "inquiry"
label = { en = "Inquiry", jp = "問い合わせ" }
enter.raised = "inquiry"

[[stages]]
id = "sal"
enter =    "lead_acepted"
sla = { to = "inquiry", within = "24" }

[[stages]]
id = "sal"
unit = "persn"
from = ["inquirry"]
skip = "no"
enter.one = '''
  score >= 60 and
  emploees > 5'''

[[stages.exits]]
when = "lost"

[[stages]]
id = "nowhere"
skip = "allow"

[[scores]]
id = "form"
event = "form_submited"
points = "10"
half_life = "36h"
cap = 0

[[scores]]
id = "form"
when = "inquiry"
points = 3

[meaning.crm.Lead.Status]
"Working - Contacted" = "lead_acepted"
"""

SAID = """\
definitions.toml:2:1  nmae: unknown key, did you mean name?
definitions.toml:6:27  stage inquiry, label, jp: unknown key
definitions.toml:11:13  stage sal, enter: unknown fact "lead_acepted", did you mean lead_accepted?
definitions.toml:12:15  stage sal, sla, to: inquiry does not come after this stage
definitions.toml:12:35  stage sal, sla, within: must be a duration, write "30d", "24h" or "90m"
definitions.toml:15:7  stage sal, id: "sal" is the id of an earlier stage, too
definitions.toml:16:9  stage sal, unit: "persn" is not one of person, account, unit, opportunity, did you mean person?
definitions.toml:17:8  stage sal, from: unknown stage "inquirry", did you mean inquiry?
definitions.toml:18:9  stage sal, skip: "no" is not one of backfill, allow, reject
definitions.toml:21:3  stage sal, enter, one: unknown fact "emploees", did you mean employees?
definitions.toml:23:1  stage sal, exits, to: is missing
definitions.toml:24:9  stage sal, exits, when: unknown fact "lost"
definitions.toml:27:7  stage nowhere, id: nothing leads to this stage, give it an enter rule,\
 or an exit that leads to it
definitions.toml:32:10  score form, event: unknown event "form_submited", did you mean form_submitted?
definitions.toml:33:11  score form, points: must be a whole number
definitions.toml:34:14  score form, half_life: must be whole days, since points step down at midnight, write "30d"
definitions.toml:35:7  score form, cap: must be more than 0
definitions.toml:38:7  score form, id: "form" is the id of an earlier score rule, too
definitions.toml:39:9  score form, when: inquiry is no attribute, points for events: write event = …
definitions.toml:43:26  meaning.crm.Lead.Status, Working - Contacted: "lead_acepted" is no event,\
 did you mean lead_accepted?
"""


def complaints(text: str) -> list[str]:
    """What is said of a document, one line a problem."""
    with pytest.raises(OperatorError) as caught:
        load_definition(text)
    return [f"{p.where}  {p.message}{f', {p.hint}' if p.hint else ''}" for p in caught.value.problems]


def small(**changes: str) -> Definition:
    """A small document."""
    parts = {
        "name": 'name = "small"',
        "one": '[[stages]]\nid = "one"\nenter = "inquiry"',
        "two": '[[stages]]\nid = "two"\nenter.score = "score >= 60 and employees >= 50"',
    }
    return load_definition("\n".join((parts | changes).values()))


def test_every_mistake_is_told_at_once_with_its_place() -> None:
    """Twenty mistakes of every sort: each with file, line, column and the nearest valid name."""
    assert complaints(WRONG) == SAID.splitlines()


def test_broken_toml_names_its_line() -> None:
    """A document that is no TOML is refused with the place where it ceases to be."""
    [said] = complaints('name = "x"\nstages = [')

    assert said.startswith("definitions.toml")
    assert "not TOML" in said


def test_empty_document_says_what_to_write() -> None:
    """A document without stages that names no shipped model says so."""
    assert complaints('name = "x"') == [
        'definitions.toml:1:1  there are no stages, write model = "waterfall-2006" to have those of the shipped model'
    ]


def test_exit_against_a_forbidden_regress_is_a_mistake() -> None:
    """A stage that forbids to regress cannot have an exit that leads back."""
    text = """
name = "x"
[[stages]]
id = "one"
enter = "inquiry"
[[stages]]
id = "two"
enter = "lead_accepted"
regress = "forbid"
[[stages.exits]]
when = "lead_rejected"
to = "one"
"""
    assert complaints(text) == [
        "definitions.toml:12:7  stage two, exits, to: leads back to one, and the stage forbids to regress"
    ]


def test_shipped_model_has_the_frozen_stages() -> None:
    """The ids of the shipped model are relied on from outside."""
    definition = shipped("waterfall-2006")

    assert [stage.id for stage in definition.stages] == [
        "inquiry", "mql", "sal", "sql", "closed_won", "closed_lost", "onboarding", "adopted", "renewal", "churned",
    ]  # fmt: skip
    assert definition.stage("sal").label == {"en": "SAL", "ja": "SAL(営業受入リード)"}
    assert definition.stage("mql").sla is not None
    assert definition.stage("mql").sla.within_ms == 24 * 3_600_000
    assert all(stage.label["ja"] != stage.label["en"] for stage in definition.stages)


def test_what_is_missing_comes_from_the_shipped_model() -> None:
    """A document that only adds meanings has the stages and score rules of the model that it names."""
    text = 'name = "ours"\nmodel = "waterfall-2006"\n[meaning.salesforce.Lead.Status]\n"In Arbeit" = "lead_accepted"'
    definition = load_definition(text)

    assert definition.stages == shipped().stages
    assert definition.behaviours == shipped().behaviours
    assert definition.meaning == {"salesforce": {"Lead": {"Status": {"In Arbeit": "lead_accepted"}}}}


def test_version_follows_the_content_not_its_spelling() -> None:
    """Comments, spaces and the spelling of rules leave the version as it is."""
    respelled = small(two='[[stages]]\nid="two" # two\nenter.score = "score>=60   and (employees >= 50)"')

    assert respelled.version == small().version


@pytest.mark.parametrize(
    "change",
    [
        {"name": 'name = "other"'},
        {"two": '[[stages]]\nid = "two"\nenter.score = "score >= 61 and employees >= 50"'},
        {"two": '[[stages]]\nid = "two"\nowner = "sales"\nenter.score = "score >= 60 and employees >= 50"'},
        {"more": '[[scores]]\nid = "form"\nevent = "form_submitted"\npoints = 1'},
        {"more": '[meaning.a.b.c]\nd = "nothing"'},
        {"more": '[meaning.a.b.c]\ntext = "nothing"'},
        {"more": '[meaning.a.b.version]\nd = "nothing"'},
    ],
)
def test_version_is_another_when_anything_decides_otherwise(change: dict[str, str]) -> None:
    """A name, a threshold, an owner, a score rule, a meaning: each makes another version."""
    assert small(**change).version != small().version


def test_shipped_text_is_what_the_shipped_definition_is_read_from() -> None:
    """`init` writes a document that decides exactly as the shipped model."""
    assert load_definition(shipped_text()).version == shipped().version
