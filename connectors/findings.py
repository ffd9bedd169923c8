"""The findings that every connector's diagnosis has: one for all that is well, one for each thing that is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Finding, Severity
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mapping.errors import SystemDown
    from mapping.text import Message


def fine(check: str, message: Message) -> Finding:
    """Something that is as it should be."""
    return Finding(check=check, severity=Severity.OK, message=message)


def broken(check: str, error: SystemDown, *, is_fixable: bool = False) -> Finding:
    """Something that could not even be looked at."""
    return Finding(check=check, severity=Severity.ERROR, message=error.message, hint=error.hint, is_fixable=is_fixable)


def readable(objects: Sequence[str]) -> Finding:
    """All objects that are read, in one line."""
    return fine("read", say("{objects} can be read.", objects=", ".join(objects)))


def writable(object_: str, fields: Sequence[str]) -> Finding:
    """All fields of ours in an object that can be written, in one line."""
    return fine(f"write {object_}", say("{fields} can be written.", fields=", ".join(fields)))
