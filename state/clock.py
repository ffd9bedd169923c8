"""The present, for those who are not told which instant it is."""

from __future__ import annotations

import time


def now(given_ms: int | None = None) -> int:
    """The instant that was given, else the present; in milliseconds since 1970-01-01 UTC."""
    return time.time_ns() // 1_000_000 if given_ms is None else given_ms
