"""Points that step down at midnight: exact, capped, and summing up."""

from __future__ import annotations

from datetime import datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from mapping.scores import Days, Entry, Fading, left, next_change, remaining, total

DAY = 86_400_000
TOKYO = Days(ZoneInfo("Asia/Tokyo"))
NEW_YORK = Days(ZoneInfo("America/New_York"))


def ms(text: str, zone: str) -> int:
    """An instant given as a wall clock shows it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()) * 1000


@pytest.mark.parametrize("half_life", [1, 7, 30, 365])
@pytest.mark.parametrize("points", [1, 2, 8, 16, 25, 137])
def test_what_is_left_is_the_exact_rounding(points: int, half_life: int) -> None:
    """N is left where p * 2 ** (-d / h) lies in [n - 1/2, n + 1/2): checked in whole numbers, without floats."""
    for days in range(0, 4 * half_life, max(1, half_life // 7)):
        n = left(points, half_life, None).after(days)

        exact = Fraction(points) ** half_life / 2**days
        assert n == 0 or Fraction(2 * n - 1, 2) ** half_life <= exact
        assert exact < Fraction(2 * n + 1, 2) ** half_life


def test_half_of_the_points_are_left_after_the_half_life() -> None:
    """16 points with a half-life of 30 days: 8 after 30 midnights, 4 after 60, none in the end."""
    what = left(16, 30, None)

    assert [what.after(days) for days in (-1, 0, 30, 60, 90, 120, 400)] == [0, 16, 8, 4, 2, 1, 0]


def test_negative_points_fade_towards_nothing() -> None:
    """Points that were taken come back as they fade."""
    assert [left(-10, 10, None).after(days) for days in (0, 10, 20)] == [-10, -5, -3]


def test_window_ends_points_at_once() -> None:
    """After the window nothing is left, faded or not."""
    assert [left(10, None, 7).after(days) for days in (6, 7)] == [10, 0]
    assert [left(10, 30, 7).after(days) for days in (6, 7)] == [9, 0]
    assert left(10, None, None).after(10_000) == 10


def test_drops_are_the_days_on_which_the_number_changes() -> None:
    """Between two drops the number stays, at each it is another."""
    what = left(16, 30, None)
    changes = [day for day in range(1, 300) if what.after(day) != what.after(day - 1)]

    assert list(what.drops) == changes
    assert what.next_drop(0) == changes[0]
    assert what.next_drop(changes[-1]) is None


def test_day_begins_at_midnight_of_the_companys_zone() -> None:
    """A minute before midnight in Tokyo is another day than a minute after, whatever it is in UTC."""
    before, after = ms("2026-10-03T23:59:00", "Asia/Tokyo"), ms("2026-10-04T00:01:00", "Asia/Tokyo")

    assert TOKYO.day(after) == TOKYO.day(before) + 1
    assert TOKYO.start(TOKYO.day(after)) == ms("2026-10-04T00:00:00", "Asia/Tokyo")


@pytest.mark.parametrize("day", ["2026-03-08", "2026-11-01"])
def test_day_of_a_clock_change_is_one_day(day: str) -> None:
    """The days on which New York's clocks go forward and back are days like others, of 23 and 25 hours."""
    number = NEW_YORK.day(ms(f"{day}T00:00:00", "America/New_York"))

    assert NEW_YORK.day(ms(f"{day}T23:59:59", "America/New_York")) == number
    assert NEW_YORK.start(number) == ms(f"{day}T00:00:00", "America/New_York")
    assert NEW_YORK.start(number + 1) - NEW_YORK.start(number) in {23 * 3_600_000, 25 * 3_600_000}


def test_cap_limits_what_is_left_of_one_rule_together() -> None:
    """Nine opened mails of a point each are eight points; the newest keep theirs."""
    entries = [Entry("open", day * DAY, bytes([day]), 1) for day in range(1, 10)]

    lines = remaining(entries, {"open": Fading(30, None, 8)}, TOKYO, 9 * DAY)

    assert sum(line.points for line in lines) == 8
    assert min(line.at for line in lines) == 2 * DAY


def test_lines_of_attributes_stay_as_they_are() -> None:
    """Points for attributes neither fade nor fall under a cap."""
    entry = Entry("employees_50", 0, b"", 20)

    assert remaining([entry], {}, TOKYO, 900 * DAY) == [entry]


def test_next_change_looks_through_a_cap() -> None:
    """Where a cap hides that an entry fades, the score changes only when what is left falls below it."""
    live = [[(0, left(20, 30, None))]]

    assert total(live, [10], 0) == 10
    changed = next_change(live, [10], 0)
    assert changed is not None
    assert total(live, [10], changed - 1) == 10
    assert total(live, [10], changed) == 9


def test_score_without_fading_points_never_changes() -> None:
    """Nothing is due where nothing fades."""
    assert next_change([[(0, left(20, None, None))], []], [None, None], 5) is None
    assert next_change([[(0, left(1, 30, None))]], [None], 31) is None
