"""What is to be written, and what can be said of it afterwards."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from mapping.records import Ref
    from mapping.text import Message

Value = str | int | bool | None
"""A value of a field that headrace writes, in the form in which it is compared: see `Connector.adjust`."""


class Kind(StrEnum):
    """What a change does to the stage that the vendor shows."""

    FIRST = "first"
    """The field was empty."""
    ADVANCE = "advance"
    """The stage moves forward."""
    CORRECT = "correct"
    """A value that is neither forward nor back: a score, a date, an id, a stage that is not in the model."""
    REGRESS = "regress"
    """The stage moves back."""
    BLANK = "blank"
    """A value is emptied."""
    RESTORE = "restore"
    """An undo puts back what was there."""


class Outcome(StrEnum):
    """All that can be said of a change once it was intended."""

    APPLIED = "applied"
    """The vendor accepted it; it was not read back."""
    VERIFIED = "verified"
    """It was read back and is there."""
    STALE = "stale"
    """The remote value was not the expected one; nothing was written, it is planned again."""
    SKIPPED = "skipped"
    """It was there already, or the record went away."""
    FAILED = "failed"
    """The vendor refused it, or accepted it and did not keep it."""
    UNKNOWN = "unknown"
    """The answer was lost; the next run reads back before anything else."""


class Change(msgspec.Struct, frozen=True, kw_only=True):  # a plan makes so many that a dataclass costs a tenth of it
    """One field of one record in one system: before, after and why. `before` differs from `after`, always.

    `before` is also the expected remote value: a write relies on it. `entity` is the golden id.
    """

    ref: Ref
    field: str
    before: Value
    after: Value
    reason: str
    rule: str
    kind: Kind
    entity: str

    def __post_init__(self) -> None:
        if self.before == self.after:
            msg = f"{self.ref} {self.field}: before equals after"
            raise ValueError(msg)


@dataclass(frozen=True, kw_only=True, slots=True)
class Settlement:
    """What became of one change: the outcome, the vendor's own words where it refused, and what was read back.

    `remote` is the value that was read back, where `is_read` says that one was.
    """

    change: Change
    outcome: Outcome
    detail: Message | None = None
    remote: Value = None
    is_read: bool = False
