"""What a reading leaves behind, and what it may look up: the two ends of `mapping.derive`."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from xxhash import xxh3_128_digest

from mapping.events import Event

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from mapping.events import Link, Profile, Unmapped
    from mapping.records import FieldChange

_NOTHING = (None,) * (len(Event._fields) - 5)

Payload = dict[str, Any]
"""A record's fields as the vendor gave them, decoded."""


EventRow = tuple[Any, ...]
"""An event on the data plane: the columns of `Event` as a plain tuple, half as dear to make and to store."""


class Ident(NamedTuple):
    """An identifier that a record carries, normalised; the columns of table `ident`."""

    kind: str
    value: str
    record: int


@dataclass(kw_only=True, slots=True)
class Derived:
    """What was read out of some records, in the order in which they were read."""

    rows: list[EventRow] = field(default_factory=list)
    profiles: list[Profile] = field(default_factory=list)
    links: list[Link] = field(default_factory=list)
    idents: list[Ident] = field(default_factory=list)
    unmapped: list[Unmapped] = field(default_factory=list)
    floors: dict[tuple[int, str], int] = field(default_factory=dict)
    """By subject and event kind: the instant at which what the vendor still holds begins. HubSpot forgets the oldest
    entries of a history; what was derived from them stands."""

    @property
    def events(self) -> list[Event]:
        """What was told, to be read by name."""
        return [Event._make(row) for row in self.rows]


@dataclass(frozen=True, kw_only=True, slots=True)
class Facts:
    """What the reading of a record needs of other records: looked up beforehand, for a chunk of records at once.

    `payloads` are the records a record refers to (`Deriver.references`), by key. `rows` are the rows of a record's
    history that are records themselves (OpportunityHistory), by the record's key, in any
    order. `written` holds (record key,
    canonical id) for every canonical id that the journal shows we wrote there.
    """

    payloads: Mapping[int, Payload] = field(default_factory=dict)
    rows: Mapping[int, Sequence[Payload]] = field(default_factory=dict)
    written: AbstractSet[tuple[int, str]] = frozenset()


NO_FACTS = Facts()


class Lookup(NamedTuple):
    """How readings look up another record: by `field` of the records of `object`, for the values of `fields`.

    `is_subject` says that the record looked up is the one of which the others tell.
    """

    object: str
    field: str
    fields: frozenset[str]
    is_subject: bool


class Beside(NamedTuple):
    """What a reading has beside the payload: all differences ever stored, oldest first, and facts of other records."""

    changes: Sequence[FieldChange]
    is_deleted: bool
    facts: Facts


def tell(
    into: Derived,
    subject: int,
    at: int,
    kind: str,
    *,
    since: int | None = None,
    origin: int | None = None,
    name: str | None = None,
    before: str | None = None,
    after: str | None = None,
    reason: str | None = None,
    channel: str | None = None,
    actor: str | None = None,
    amount_e4: int | None = None,
    currency: str | None = None,
    quantity: int = 1,
) -> None:
    """Append one event, named by all it says: an event that says something else is another event."""
    # As `event_id` has it, with the content in the order of the columns; `tell_plainly` writes the same. To write
    # nothing as a string (!s) takes half the time of having it formatted.
    said = (
        f"{subject}|{at}|{kind}|{origin!s}|{name!s}|{before!s}|{after!s}|{reason!s}|{channel!s}|{actor!s}"
        f"|{amount_e4!s}|{currency!s}|{quantity}"
    )
    into.rows.append(
        (
            subject, at, xxh3_128_digest(said.encode()), kind, since, origin, name, before, after, reason, channel,
            actor, amount_e4, currency, quantity,
        )
    )  # fmt: skip


def tell_plainly(into: Derived, subject: int, kind: str, times: Sequence[tuple[int, int]]) -> None:
    """Append one event for each (instant, quantity), of which nothing else is known; as `tell` does, at half the price.

    Most events are such: mails opened, pages viewed.
    """
    if not times:
        return
    head, tail = f"{subject}|", f"|{kind}|None|None|None|None|None|None|None|None|None|"
    into.rows += [
        (subject, at, xxh3_128_digest(f"{head}{at}{tail}{quantity}".encode()), kind, *_NOTHING, quantity)
        for at, quantity in times
    ]


def money_e4(value: object) -> int | None:
    """An amount in ten-thousandths; None where there is none or it is no number."""
    number = _number(value)
    return None if number is None else round(number * 10_000)


def whole(value: object) -> int | None:
    """A whole number; None where there is none or it is no number."""
    if type(value) is str and value.isdecimal():
        return int(value)
    number = _number(value)
    return None if number is None else int(number)


def decimal(value: object) -> float | None:
    """A number; None where there is none or it is no number."""
    return _number(value)


def truth(value: object) -> bool | None:
    """A boolean as JSON or as HubSpot's text; None where it was not read or is empty."""
    if value is None or value == "":
        return None
    return value is True or value == "true"


def text(value: object) -> str | None:
    """A text without surrounding blanks; None where it is empty. Numbers and booleans become their JSON text."""
    if value is None:
        return None
    if type(value) is str:
        return value.strip() or None
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _number(value: object) -> float | None:
    if value is None or value == "" or isinstance(value, bool):
        return None
    try:
        return float(value)  # type: ignore[arg-type]  # anything else raises
    except (TypeError, ValueError):
        return None
