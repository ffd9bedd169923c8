"""One query and its pages: where to begin, and how the vendor's bytes become rows."""

from __future__ import annotations

import re
from dataclasses import dataclass
from json import JSONDecoder
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from mapping.instants import to_datetime, to_iso, to_ms
from mapping.records import Rejected
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from mapping.records import RecordRow

_BEGINNING = re.compile(rb'\{"attributes":\{[^}]*\},')
"""How a record begins: with its type's name and its address, which hold no braces."""


class Page(NamedTuple):
    """One page of a query: its records, how many came on it and are counted in all, and where the next page is."""

    rows: list[RecordRow]
    rejected: list[Rejected]
    last: tuple[str, str] | None
    """Stamp and id of the last record."""
    size: int
    total: int
    next: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """Everything before (`at`, `id`) has been read, up to `to` is to be read; an empty id stands before every other."""

    to: datetime
    at: datetime | None = None
    id: str = ""

    @classmethod
    def of(cls, position: Mapping[str, object]) -> Point | None:
        """The point of an unfinished window; None where the cursor is settled."""
        to = position.get("to")
        if not isinstance(to, str):
            return None
        at = position.get("at")
        return cls(
            to=to_datetime(to_ms(to)),
            at=to_datetime(to_ms(at)) if isinstance(at, str) else None,
            id=str(position.get("id") or ""),
        )

    @property
    def position(self) -> dict[str, object]:
        """The point as a cursor keeps it."""
        return {"to": literal(self.to), "at": literal(self.at) if self.at else None, "id": self.id}


def literal(instant: datetime) -> str:
    """A SOQL datetime; a Z, since a plus sign would have to be escaped in an address."""
    return to_iso(round(instant.timestamp() * 1000)).replace(".000Z", "Z")


def soql(object_: str, fields: Sequence[str], stamp: str, point: Point, until: datetime) -> str:
    """The query from a point on, ordered so that the last record that came is where to resume."""
    where = [f"{stamp} < {literal(until)}"]
    if point.at is not None and point.id:
        at = literal(point.at)
        where.append(f"({stamp} > {at} OR ({stamp} = {at} AND Id > '{point.id}'))")
    elif point.at is not None:
        where.append(f"{stamp} >= {literal(point.at)}")
    return f"SELECT {', '.join(fields)} FROM {object_} WHERE {' AND '.join(where)} ORDER BY {stamp}, Id"  # noqa: S608  # names from describe


class _Key(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="Id")
    stamp: str | None = msgspec.field(name="SystemModstamp", default=None)
    is_deleted: bool = msgspec.field(name="IsDeleted", default=False)


class _HistoryKey(msgspec.Struct, gc=False):
    id: str = msgspec.field(name="Id")
    stamp: str | None = msgspec.field(name="CreatedDate", default=None)
    is_deleted: bool = msgspec.field(name="IsDeleted", default=False)


class _Keys(msgspec.Struct, rename="camel"):
    total_size: int
    done: bool
    records: list[_Key]
    next_records_url: str | None = None


class _HistoryKeys(msgspec.Struct, rename="camel"):
    total_size: int
    done: bool
    records: list[_HistoryKey]
    next_records_url: str | None = None


class _Raws(msgspec.Struct):
    records: list[msgspec.Raw]


_keys = msgspec.json.Decoder(_Keys).decode
_history_keys = msgspec.json.Decoder(_HistoryKeys).decode
_raws = msgspec.json.Decoder(_Raws).decode
_end_of_object = JSONDecoder().raw_decode


def decode_page(content: bytes) -> Page:
    """Read a page of an object that is stamped by SystemModstamp; raises ValueError where it is truncated.

    The page is decoded once, for three fields of each record; a payload is the vendor's own bytes without the leading
    `attributes`.
    """
    return _page(content, _keys(content))


def decode_history(content: bytes) -> Page:
    """Read a page of a history object, whose rows never change and are stamped by CreatedDate; otherwise the same."""
    return _page(content, _history_keys(content))


def _page(content: bytes, page: _Keys | _HistoryKeys) -> Page:
    if not page.done and not page.next_records_url:
        raise ValueError("a page that is not the last has no successor")
    keys: Sequence[_Key | _HistoryKey] = page.records
    payloads = _cut(content, len(keys)) or [_payload(bytes(raw)) for raw in _raws(content).records]
    rows: list[RecordRow] = [
        (key.id, key.stamp, payload, key.is_deleted)
        for key, payload in zip(keys, payloads, strict=True)
        if key.stamp is not None
    ]
    rejected = []
    if len(rows) < len(keys):
        rejected = [Rejected(key.id, say("The record has no stamp.")) for key in keys if key.stamp is None]
    last = (rows[-1][1], rows[-1][0]) if rows else None
    if len({row[0] for row in rows}) < len(rows):
        rows = list({row[0]: row for row in rows}.values())
    return Page(rows, rejected, last, len(keys), page.total_size, None if page.done else page.next_records_url)


def _cut(content: bytes, count: int) -> list[bytes]:
    """The payloads of a page that decodes well, cut out where every record begins; none where it is written otherwise.

    No text holds such a beginning, since quotes within a text are escaped. It is written otherwise where it is
    indented, or where the parts do not meet as the records of one array do.
    """
    head, *parts = _BEGINNING.split(content)
    if len(parts) != count or not parts or not head.endswith(b'"records":['):
        return []
    last = "{" + parts.pop().decode()
    payloads = [b"{" + part[:-1] for part in parts if part.endswith(b"},")]
    if len(payloads) != len(parts):
        return []
    payloads.append(last[: _end_of_object(last)[1]].encode())
    return payloads


def _payload(raw: bytes) -> bytes:
    """A record without its `attributes`, however it is written."""
    record = msgspec.json.decode(raw)
    record.pop("attributes", None)
    return msgspec.json.encode(record)
