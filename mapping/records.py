"""Records as their systems gave them, and the point from which to read on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import xxhash

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mapping.text import Message

RecordRow = tuple[str, str, bytes, bool]
"""One record on the data plane, a plain tuple because there are millions: (id, version, payload, is_deleted).

`version` is the system's own stamp, verbatim (SystemModstamp, updatedAt). `payload` is canonical JSON: one flat object
whose keys are exactly the fields that were asked for, with the values as the vendor gave them; a key that is missing
was not read (unknown), null was read as empty.
"""


class Ref(NamedTuple):
    """The name of one vendor row."""

    system: str
    object: str
    id: str

    def __str__(self) -> str:
        return f"{self.system}:{self.object}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Ref:
        """Read `system:object:id`; raises ValueError on anything else."""
        system, object_, id_ = text.split(":", 2)
        if not (system and object_ and id_):
            raise ValueError(text)
        return cls(system, object_, id_)

    @property
    def key(self) -> int:
        """The record's key; see `record_key`."""
        return record_key(self.system, self.object, self.id)


def record_key(system: str, object_: str, id_: str) -> int:
    """Name a record by a number that is the same in every run, process and machine: 63 bits of its ref's hash.

    Any step can name a record without asking the database, and one that has not been read yet. Two refs with one key
    are expected in one of eighteen million stores of a million records; the store compares the ids and sets the second
    aside.
    """
    return xxhash.xxh3_64_intdigest(f"{system}\x1f{object_}\x1f{id_}".encode()) >> 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Cursor:
    """A resume point for one (system, object): reading from it may repeat a record and never skips one.

    `position` belongs to the connector (JSON-able scalars and lists); the store keeps it as it is. `settled_at` is
    the instant (aware UTC) before which every change has been read, None until the first full load is complete.
    """

    position: Mapping[str, object]
    settled_at: datetime | None = None

    @property
    def is_loaded(self) -> bool:
        """Whether the first full load is complete."""
        return self.settled_at is not None


class Rejected(NamedTuple):
    """A record that could not be taken from its page: it is set aside with its reason, the page goes on."""

    id: str
    reason: Message


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Some records of one object and the cursor from which to read on once they are stored.

    Rows are in no particular order and may repeat records of earlier batches; within one batch an id occurs once.
    """

    object: str
    rows: Sequence[RecordRow]
    cursor: Cursor
    rejected: Sequence[Rejected] = ()


class FieldChange(NamedTuple):
    """One field of one stored record that a later version gave another value.

    `since_ms` and `at_ms` (epoch milliseconds, UTC) bound the instant of change: the earlier version's own stamp and
    the later one's. `before` and `after` are decoded JSON values.
    """

    field: str
    before: object
    after: object
    since_ms: int
    at_ms: int
