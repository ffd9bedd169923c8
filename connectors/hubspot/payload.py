"""HubSpot's answers, and the rows that are made of them: bytes put together, because there are millions."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING

import msgspec

from mapping.instants import to_ms

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from mapping.records import RecordRow

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)
_encode = msgspec.json.Encoder().encode
_NULL = msgspec.Raw(b"null")
_PRIMARY_IDS = frozenset({1, 5})
"""Association types contact to primary company and deal to primary company, category HUBSPOT_DEFINED."""
_EMPTIED = re.compile(rb':\s*""')
"""An empty string as a value: outside of a string no two quotes meet otherwise, inside one a backslash divides them."""


class Valued(msgspec.Struct, gc=False):
    """One entry of a property's history."""

    value: str | None = None
    timestamp: str = ""
    sourceType: str | None = None  # noqa: N815  # the vendor's name


class Associated(msgspec.Struct, gc=False):
    """One associated record, as the list endpoint gives it inline."""

    id: str | int
    type: str = ""


class Next(msgspec.Struct, gc=False):
    """Where the next page starts; opaque."""

    after: str | int


class Paging(msgspec.Struct, gc=False):
    """The paging of a list; `next` is missing on its last page."""

    next: Next | None = None


class Inline(msgspec.Struct, gc=False):
    """The associations of one record to one object, possibly only the first of them."""

    results: list[Associated] = []
    paging: Paging | None = None


class Row(msgspec.Struct, gc=False):
    """One CRM record; what is not needed decoded stays bytes."""

    id: str
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    updatedAt: str = ""  # noqa: N815
    createdAt: msgspec.Raw = _NULL  # noqa: N815
    archived: bool = False
    associations: dict[str, Inline] | None = None
    propertiesWithHistory: dict[str, list[Valued]] | None = None  # noqa: N815


class Page(msgspec.Struct, gc=False):
    """A page of records. `results` has no default: an answer without it is no page, and never an empty one."""

    results: list[Row]
    paging: Paging | None = None


class Found(msgspec.Struct, gc=False):
    """One hit of a search, of which only the id is taken."""

    id: str


class FoundPage(msgspec.Struct, gc=False):
    """A page of a search."""

    results: list[Found]
    paging: Paging | None = None


class AssociationType(msgspec.Struct, gc=False):
    """What kind of association it is."""

    category: str = ""
    typeId: int = 0  # noqa: N815
    label: str | None = None


class Target(msgspec.Struct, gc=False):
    """One associated record, as the associations endpoint gives it."""

    toObjectId: str | int  # noqa: N815
    associationTypes: list[AssociationType] = []  # noqa: N815


class Source(msgspec.Struct, gc=False):
    """The record whose associations are listed."""

    id: str | int


class AssociationsOf(msgspec.Struct, gc=False, rename={"source": "from"}):
    """The associations of one record, possibly only a page of them."""

    source: Source
    to: list[Target] = []
    paging: Paging | None = None


class AssociationsPage(msgspec.Struct, gc=False):
    """Associations of many records; records without any are left out."""

    results: list[AssociationsOf]


def to_row(row: Row, linked: Mapping[str, Sequence[str]], histories: Sequence[str]) -> RecordRow:
    """Make the store's row of a record: its properties' own bytes, then our keys behind them.

    `linked` are the associated ids by object; one that was asked for and has none stands as an empty list. A property
    that was emptied is null, whether the vendor says null or "". Raises ValueError where the record, or one associated
    with it, has no id, or where it has no stamp.
    """
    if not row.id.isdigit() or not row.updatedAt:
        raise ValueError("a record without id or stamp")
    body = bytes(row.properties)
    if body.rfind(b'""') >= 0:  # from behind, which takes half the time
        body = _EMPTIED.sub(b":null", body)
    parts = (
        body[:-1],
        b"," if len(body) > 2 else b"",  # noqa: PLR2004  # {} has no pairs to follow
        b"".join(_further(row, linked, histories)) if linked or histories else b"",
        b'"archived":true,"createdAt":' if row.archived else b'"archived":false,"createdAt":',
        row.createdAt,
        b"}",
    )
    return row.id, row.updatedAt, b"".join(parts), row.archived


def _further(row: Row, linked: Mapping[str, Sequence[str]], histories: Sequence[str]) -> Iterator[bytes]:
    """The pairs that stand for associations and histories, each with its comma."""
    for target, ids in linked.items():
        if ids and not "".join(ids).isdigit():
            raise ValueError("an association without an id")
        listed = '"' + '","'.join(ids) + '"' if ids else ""
        yield f'"associations.{target}":[{listed}],'.encode()
    entries = row.propertiesWithHistory or {}
    for name in histories:
        if name in entries:
            yield b'"history.%b":%b,' % (name.encode(), _encode(to_history(entries[name])))


def inline_links(row: Row, targets: Sequence[str]) -> dict[str, Sequence[str]]:
    """The associated ids that the list gave along, for every object that was asked for."""
    given = row.associations
    if not given:
        return dict.fromkeys(targets, ())
    return {target: order_inline(given[target].results) if target in given else () for target in targets}


def cut_short(row: Row) -> Sequence[str]:
    """The objects of which the list gave only the first associated records."""
    if not row.associations:
        return ()
    return [target for target, inline in row.associations.items() if inline.paging and inline.paging.next]


def order_inline(results: Sequence[Associated]) -> Sequence[str]:
    """The ids of associated records once each, the primary company first, then by number.

    The list endpoint names a primary company twice: `contact_to_company`, and `…_unlabeled`.
    """
    count = len(results)
    if count == 1 or (count == 2 and results[0].id == results[1].id):  # noqa: PLR2004  # the common cases, quickly
        return (str(results[0].id),)
    return _order((str(one.id), one.type.endswith("_to_company") or "primary" in one.type) for one in results)


def order_targets(targets: Iterable[Target]) -> list[str]:
    """The same for what the associations endpoint answers, which tells a primary company by its type."""
    return _order(
        (
            str(one.toObjectId),
            any(
                (of.typeId in _PRIMARY_IDS and of.category == "HUBSPOT_DEFINED") or of.label == "Primary"
                for of in one.associationTypes
            ),
        )
        for one in targets
    )


def to_history(entries: Sequence[Valued]) -> list[tuple[int, str | None, str | None]]:
    """A property's history as (epoch milliseconds, value, source), oldest first; HubSpot gives the newest first."""
    return [(instant_ms(one.timestamp), one.value or None, one.sourceType) for one in reversed(entries)]


@lru_cache(maxsize=4096)  # what one visit touches has one instant in several histories
def instant_ms(text: str) -> int:
    """Read HubSpot's own way of writing an instant quickly, any other way correctly."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MS
    except (ValueError, TypeError):
        return to_ms(text)


def plain_row(id_: str, values: Mapping[str, object], fields: Sequence[str]) -> RecordRow:
    """Make the row of an owner or a pipeline, which have attributes in place of properties."""
    archived = values.get("archived") is True
    kept = {name: values[name] for name in fields if name in values}
    kept["archived"] = archived
    kept["createdAt"] = values.get("createdAt")
    return id_, str(values.get("updatedAt") or values.get("createdAt") or ""), _encode(kept), archived


def _order(pairs: Iterable[tuple[str, bool]]) -> list[str]:
    primary: dict[str, bool] = {}
    for id_, is_primary in pairs:
        primary[id_] = primary.get(id_, False) or is_primary
    return sorted(primary, key=lambda id_: (not primary[id_], len(id_), id_))
