"""The one form in which values of Salesforce fields are compared, and how they are sent."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from connectors.forms import INSTANT, whole_or_text
from mapping.instants import to_datetime, to_ms

if TYPE_CHECKING:
    from reconcile.changes import Value


def adjust(value: Value | float, role: str) -> Value:
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
    if INSTANT.fullmatch(text):
        return to_datetime(to_ms(text)).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.000+0000")
    return whole_or_text(text) if role == "score" else text
