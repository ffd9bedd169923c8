"""Values of our own fields: the one form in which wanted and remote are compared, and the text that is sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.forms import INSTANT, NUMBER, decimal, instant, whole_or_text

if TYPE_CHECKING:
    from reconcile.changes import Value


def adjust(value: Value, role: str) -> Value:
    """Bring a value to the form in which HubSpot's and ours are equal where they mean the same. Idempotent.

    | role          | form                                                                  |
    | ------------- | --------------------------------------------------------------------- |
    | score         | an int where it is whole, else a decimal without idle zeros           |
    | stage_at      | ISO 8601 in UTC with milliseconds; an epoch reads as one              |
    | anything else | text; booleans "true" and "false"; instants and decimals in one form  |

    An empty text is no value. What cannot be read as its role says stays as it is: it differs, and shows.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    text = str(value)
    if role == "score":
        return whole_or_text(text)
    if role == "stage_at" or INSTANT.fullmatch(text):
        return instant(text)
    return decimal(text) if NUMBER.fullmatch(text) else text


def to_text(value: Value) -> str:
    """The text to send: HubSpot takes every property as a string, and clears one by an empty string."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)
