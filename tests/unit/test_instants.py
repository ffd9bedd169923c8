"""Instants as vendors write them, and back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from mapping.instants import from_datetime, to_datetime, to_iso, to_ms


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2026-11-21T10:00:00.000+0000", 1_795_255_200_000),
        ("2026-11-21T19:00:00.123+09:00", 1_795_255_200_123),
        ("2026-11-21T10:00:00Z", 1_795_255_200_000),
        ("1795255200123", 1_795_255_200_123),
        ("2026-11-21", 1_795_219_200_000),
    ],
)
def test_each_vendors_way_of_writing_is_read(written: str, expected: int) -> None:
    """Salesforce, HubSpot and ISO; a date alone is the start of that day in UTC."""
    assert to_ms(written) == expected


def test_a_date_begins_in_the_companys_zone() -> None:
    """Nine hours earlier in Tokyo than in UTC."""
    assert to_ms("2026-11-21", ZoneInfo("Asia/Tokyo")) == to_ms("2026-11-20T15:00:00Z")


@pytest.mark.parametrize("written", ["2026-11-21T10:00:00", "soon", "", "2026-13-01"])
def test_what_is_no_instant_is_refused(written: str) -> None:
    """An instant without an offset is none: nobody knows when it was."""
    with pytest.raises(ValueError):
        to_ms(written)


@pytest.mark.parametrize("year", [1969, 1987, 2004, 2026, 2039])
def test_no_millisecond_is_lost(year: int) -> None:
    """Also in years in which a float of seconds would miss one, and before 1970."""
    start = datetime(year, 5, 1, tzinfo=UTC)
    instants = [start + timedelta(days=n // 10, milliseconds=n) for n in range(1_000)]

    assert [to_datetime(from_datetime(instant)) for instant in instants] == instants
    assert to_iso(from_datetime(instants[123])) == instants[123].strftime("%Y-%m-%dT%H:%M:%S.123Z")
