"""What HubSpot makes of written values, and which it refuses."""

from __future__ import annotations

import pytest

from sandbox.hubspot.schema import standard_schema
from sandbox.hubspot.values import check_values

CONTACTS = standard_schema(0).live("contacts")


@pytest.mark.parametrize(
    ("name", "given", "kept"),
    [
        ("firstname", " Aoi ", "Aoi"),
        ("firstname", None, ""),
        ("email", "Aoi@Ume.example", "aoi@ume.example"),
        ("numberofemployees", 12, "12"),
        ("canonical_score", "1250.00", "1250.00"),
        ("canonical_stage_at", "1795132800000", "2026-11-20T00:00:00Z"),
        ("canonical_stage_at", "2026-11-20T09:00:00.120+09:00", "2026-11-20T00:00:00.120Z"),
        ("canonical_stage", "mql", "mql"),
        ("hubspot_owner_id", "42", "42"),
    ],
)
def test_values_are_kept_as_strings(name, given, kept):
    """Text is trimmed, e-mails are lower case, instants ISO 8601 in UTC, numbers as they were written."""
    assert check_values(CONTACTS, {name: given}, {}) == ({name: kept}, [])


@pytest.mark.parametrize(
    ("name", "given", "code"),
    [
        ("nothing_such", "1", "PROPERTY_DOESNT_EXIST"),
        ("createdate", "2026-11-20", "READ_ONLY_VALUE"),
        ("hubspotscore", "1", "READ_ONLY_VALUE"),
        ("canonical_stage", "MQL", "INVALID_OPTION"),
        ("canonical_score", "1,000", "INVALID_DOUBLE"),
        ("canonical_stage_at", "yesterday", "INVALID_LONG"),
        ("email", "aoi at ume", "INVALID_EMAIL"),
    ],
)
def test_bad_values_are_refused_by_name(name, given, code):
    """Each problem names its property and its kind."""
    clean, (problem,) = check_values(CONTACTS, {name: given, "lastname": "Umeda"}, {})

    assert clean == {"lastname": "Umeda"}
    assert (problem.name, problem.code) == (name, code)


@pytest.mark.parametrize(
    ("rule", "argument", "value", "holds"),
    [
        ("MAX_NUMBER", "100", "100", True),
        ("MAX_NUMBER", "100", "101", False),
        ("MIN_NUMBER", "0", "-1", False),
        ("MAX_LENGTH", "2", "300", False),
        ("REGEX", "[0-9]{2}", "61", True),
        ("REGEX", "[0-9]{2}", "6", False),
    ],
)
def test_administrators_rules_are_held_against_values(rule, argument, value, holds):
    """A value that breaks a rule is a problem of that rule's kind."""
    rules = {"canonical_score": [{"ruleType": rule, "ruleArguments": [argument]}]}

    _, problems = check_values(CONTACTS, {"canonical_score": value}, rules)

    assert [problem.code for problem in problems] == ([] if holds else [rule])
