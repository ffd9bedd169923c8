"""The one form in which values of Salesforce fields are compared, and how they are sent."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from mapping.instants import to_datetime, to_ms

if TYPE_CHECKING:
    from reconcile.changes import Value

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:?\d\d)")
_NUMBER = re.compile(r"-?\d+(\.\d+)?")


def adjust(role: str, value: object) -> Value:  # noqa: PLR0911  # one return for each row of the table
    """The form of a value that Salesforce would report after it was written.

    | value                        | form                                                                   |
    | ---------------------------- | ---------------------------------------------------------------------- |
    | an instant in any ISO form   | `2026-11-21T10:00:00.000+0000`: whole seconds, UTC                      |
    | a whole number, 61.0         | 61                                                                     |
    | "61" in a score              | 61                                                                     |
    | another number               | its shortest text, since no value of ours is a float                   |
    | text                         | without spaces around it; empty text is null, Salesforce keeps no other |

    `role` is what the field carries (stage, score, stage_at, id, extra). Idempotent.
    """
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return int(value) if value.is_integer() else repr(value)
    if isinstance(value, int):
        return value
    text = str(value).strip()
    if not text:
        return None
    if _INSTANT.fullmatch(text):
        return _instant(text)
    if role == "score" and _NUMBER.fullmatch(text):
        number = float(text)
        return int(number) if number.is_integer() else repr(number)
    return text


def _instant(text: str) -> str:
    instant: datetime = to_datetime(to_ms(text)).astimezone(UTC)
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
