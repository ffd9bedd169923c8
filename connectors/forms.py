"""The forms in which values are compared that systems write in several ways: numbers and instants."""

from __future__ import annotations

import re

from mapping.instants import to_iso, to_ms

INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
EPOCH = re.compile(r"\d{11,14}")
NUMBER = re.compile(r"-?\d+(\.\d+)?")


def whole_or_text(text: str) -> int | str:
    """A whole number as an int ("61", "61.0"), another number without idle zeros; what is no number stays as it is."""
    stripped = text.strip()
    if not NUMBER.fullmatch(stripped):
        return text
    trimmed = decimal(stripped)
    return trimmed if "." in trimmed else int(trimmed)


def decimal(text: str) -> str:
    """A number's text without idle zeros behind the point."""
    return text.rstrip("0").rstrip(".") if "." in text else text


def instant(text: str) -> str:
    """ISO 8601 in UTC with milliseconds, from that in any offset or an epoch in milliseconds; else as it is."""
    if not (INSTANT.fullmatch(text) or EPOCH.fullmatch(text)):
        return text
    try:
        return to_iso(to_ms(text))
    except (ValueError, OverflowError, OSError):
        return text
