"""Vendors' ways of writing an instant, read into milliseconds since 1970-01-01 UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from zoneinfo import ZoneInfo

DAY_MS = 86_400_000

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


def to_ms(text: str, zone: ZoneInfo | None = None) -> int:
    """Read an ISO 8601 instant or date, or an epoch in milliseconds.

    Takes `2026-11-21T10:00:00.000+0000` (Salesforce), `2026-11-21T10:00:00.123Z`, `1795000000000` (HubSpot) and
    `2026-11-21`, which is the start of that day in `zone` (UTC where None). Raises ValueError on anything else, also on
    an instant without an offset.
    """
    if text.isdigit() and len(text) > 8:  # noqa: PLR2004  # 20261121 is a date, 1795000000000 an epoch
        return int(text)
    if len(text) == 10:  # noqa: PLR2004  # a date alone
        return date_to_ms(date.fromisoformat(text), zone)
    try:
        since = datetime.fromisoformat(text) - _EPOCH
    except TypeError:
        msg = f"{text!r} has no offset"
        raise ValueError(msg) from None
    return since.days * DAY_MS + since.seconds * 1_000 + since.microseconds // 1_000


def date_to_ms(day: date, zone: ZoneInfo | None = None) -> int:
    """The start of a day in a zone (UTC where None)."""
    return from_datetime(datetime.combine(day, time.min, tzinfo=zone or UTC))


def from_datetime(instant: datetime) -> int:
    """An aware instant in milliseconds, rounded down."""
    return (instant - _EPOCH) // _MS  # whole numbers: a float of seconds misses some milliseconds by one


def to_datetime(ms: int) -> datetime:
    """An aware UTC instant."""
    return datetime.fromtimestamp(ms / 1000, UTC)


def to_iso(ms: int) -> str:
    """ISO 8601 in UTC with milliseconds and a Z: `2026-11-21T10:00:00.123Z`."""
    return to_datetime(ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")
