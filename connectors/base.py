"""What every connector does, and the few words it shares with its callers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from mapping.records import Batch, Cursor
    from mapping.text import Message
    from reconcile.changes import Change, Settlement, Value


class Severity(StrEnum):
    """How much a finding matters."""

    OK = "ok"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """One thing `doctor` looked at: what, whether it is well, and what to do if not. `is_fixable`: --fix mends it."""

    check: str
    severity: Severity
    message: Message
    hint: Message | None = None
    is_fixable: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Written:
    """A field of ours in a system, and what it carries: stage, score, stage_at, id or extra."""

    object: str
    field: str
    role: str
    options: tuple[str, ...] = ()
    """For a stage: the values the vendor's picklist must accept, in order."""


@runtime_checkable
class Connector(Protocol):
    """One configured vendor account. Not safe for use by two threads at once, except `close`.

    Every method raises `SystemDown` when the system cannot be used (dead, refused the credentials, answered with a page
    that is no answer); nothing partial is ever reported as whole or empty.
    """

    system: str
    """The name of the system in the configuration."""

    objects: Sequence[str]
    """The objects to poll, parents before children."""

    records_per_write: int
    """How many records one writing request carries: what a plan costs."""

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, those for tokens left out."""
        ...

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """Read what changed since `cursor`, everything where it is None.

        The last batch carries a cursor with `settled_at`; an object that the account lacks yields nothing. May repeat
        records, never skips one. A batch holds 100 to 5,000 rows.
        """
        ...

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """Read some fields of some records as they are now; records that are gone are missing from the answer."""
        ...

    def adjust(self, object_: str, field: str, value: Value) -> Value:
        """Turn a wanted value, or a value of a stored payload, into the form in which both are compared.

        Idempotent; keeps a plan from finding a difference for ever (a date with and without milliseconds, "61" and 61).
        """
        ...

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """Write the changes of one object and say what became of each, in any order, each once.

        Reads back what it wrote. Changes of one record travel in one request. A lost answer is `unknown`, and is not
        sent again. Raises nothing for single records.
        """
        ...

    def diagnose(self, written: Sequence[Written], *, fix: bool = False) -> Iterator[Finding]:
        """Look at credentials, identity, scopes, fields and limits; with `fix` create our own missing fields."""
        ...

    def close(self) -> None:
        """Give up connections."""
        ...
