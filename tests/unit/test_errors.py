"""The table of errors is the classes, and each class speaks for itself."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from mapping import errors
from mapping.records import Ref
from mapping.text import say


def classes() -> dict[str, type[errors.HeadraceError]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, errors.HeadraceError) and value is not errors.HeadraceError
    }


def test_table_lists_exactly_the_classes():
    """A class without a row would have no promised behaviour, a row without a class no meaning."""
    listed = set(re.findall(r"^\| `(\w+)`", errors.__doc__ or "", re.MULTILINE))

    assert listed == set(classes())


def test_exit_codes_are_those_of_the_table():
    """The first number of a row is the class's own."""
    rows = dict(re.findall(r"^\| `(\w+)`.*\|\s*(\d+)[^|]*\|$", errors.__doc__ or "", re.MULTILINE))

    assert rows.pop("OperatorError") == str(errors.OperatorError([]).exit_code)
    assert {name: str(classes()[name].exit_code) for name in rows} == rows


def test_error_without_a_message_says_its_docstring():
    """No error is mute."""
    assert str(errors.SystemDown("hubspot")) == "The system cannot be used now."
    assert str(errors.RetryLater(timedelta(seconds=1))) == "The system asked to be called again later."


def test_problems_found_at_work_do_not_claim_that_nothing_was_started():
    """A mistake in a file is found beforehand, a damaged store in the middle of something."""
    problem = errors.Problem("store", say("damaged"))

    assert str(errors.OperatorError([problem])) == "1 problem; nothing was started."
    assert str(errors.OperatorError([problem] * 2, exit_code=1)) == "2 problems."


def test_lease_names_its_holder_and_since_when():
    """The second process learns whom to ask."""
    error = errors.LeaseHeld("host-1, process 42", datetime(2026, 11, 21, tzinfo=UTC))

    assert "host-1, process 42" in str(error)
    assert "2026-11-21" in str(error)


def test_rejected_record_carries_its_ref():
    """Whoever settles it knows which one it was."""
    error = errors.RecordRejected(Ref("salesforce", "Lead", "1"), say("too long"))

    assert (str(error), error.ref.object) == ("too long", "Lead")
