"""What a backfill and a second reading cost in calls, statements and rows: exact figures, on every machine the same."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from bench.goals import Goal
from bench.measure import Job, fake, run_once
from bench.people import SLOTS, people
from bench.variants.native import judge as judge_by_hand
from mapping.definitions import shipped
from mapping.judge import Judge

if TYPE_CHECKING:
    from collections.abc import Iterator

RECORDS = 4_000
PAGES = {"salesforce": 2, "hubspot": 40}
BATCHES = {"salesforce": 2, "hubspot": 2}
CALLS = {"salesforce": "http query", "hubspot": "http list"}

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="bench measures with Linux's figures")


@pytest.fixture(scope="module")
def pages() -> Iterator[str]:
    """The address of a fake that has 4,000 contacts."""
    with fake(RECORDS) as url:
        yield url


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot"])
def test_backfill_reads_each_page_once_and_writes_each_record_once(pages, vendor):
    """One call a page, one transaction a batch, one for the object's number, one row a record, no audit of news."""
    found = run_once(Job("ours", vendor), RECORDS, pages)["counters"]

    assert found["records"] == found["rows_written"] == RECORDS
    assert found["audit_rows"] == 0
    assert found[CALLS[vendor]] == PAGES[vendor]
    assert found["http_calls"] <= PAGES[vendor] + 4
    assert found["transactions"] == BATCHES[vendor] + 1
    assert found["statements"] <= 9 * BATCHES[vendor] + 1


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot"])
def test_unchanged_records_are_read_and_nothing_of_them_is_written(pages, vendor):
    """The second reading costs its calls, three short statements a batch, and one transaction for the cursor."""
    found = run_once(Job("again", vendor), RECORDS, pages)["counters"]

    assert found["records"] == RECORDS
    assert found["rows_written"] == found["audit_rows"] == 0
    assert found[CALLS[vendor]] == PAGES[vendor]
    assert found["http_calls"] <= PAGES[vendor] + 1
    assert found["transactions"] == 1
    assert found["statements"] <= 3 * BATCHES[vendor] + 2


def test_both_judges_agree_on_everybody():
    """The function by hand says what the shipped definition says, so that their prices can be compared."""
    compiled = Judge(shipped())

    assert tuple(compiled.slots) == SLOTS
    assert [compiled.judge(*person) for person in people(2_000)] == [judge_by_hand(*person) for person in people(2_000)]


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [([5.0, 5.1, 5.2], "pass"), ([7.0, 7.1], "target"), ([3.0, 3.1], "MISS"), ([4.0, 9.0], "noisy"), ([], "skipped")],
)
def test_goal_is_passed_only_where_the_rounds_agree(ratios, verdict):
    """A figure beyond its gate is no pass where its rounds lie far apart."""
    goal = Goal(name="G1", what="", gate=4, target=6, is_most=False)

    assert goal.measured(ratios).verdict == verdict
