"""Reading a portal: everything once by list, then what changed by search and batch read.

A search finds what changed, but late, by its own index, and not everything: it never shows archived records, and
neither a changed association nor a calculated property moves a record's stamp. So

- a search goes over a fixed window by id, never by offset: immune to the 10,000-row cap and to equal stamps;
- only what is older than the settle lag counts as settled; what is younger is read again by the next poll;
- archived records are listed apart, and every record is listed anew now and then.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING

import xxhash

from connectors.hubspot.answers import Rejection
from connectors.hubspot.api import (
    ASSOCIATIONS_LIMIT,
    BATCH_LIMIT,
    LIST_LIMIT_HISTORY,
    LONGEST_PROPERTIES,
    SEARCH_LIMIT,
)
from connectors.hubspot.payload import cut_short, inline_links, order_targets, plain_row, to_row
from mapping.errors import SystemDown
from mapping.instants import from_datetime, to_datetime
from mapping.records import Batch, Cursor, Rejected
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from connectors.hubspot.api import Api
    from connectors.hubspot.payload import Row, Target
    from mapping.records import RecordRow

WHOLE = ("owners", "pipelines")
"""Objects of a few rows, which are read whole each time."""
_MAY_LACK = frozenset({"leads"})
"""Objects that only some editions have (Sales Hub Professional and up)."""
_PIPELINED = ("deals", "leads")
_SEARCHES_PER_BATCH = ASSOCIATIONS_LIMIT // SEARCH_LIMIT
_OVERLAP_MS = 2000
"""The vendor's clock is known to the second, and is compared with ours."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Selection:
    """What is read of one object."""

    fields: Sequence[str]
    histories: Sequence[str] = ()
    associations: Sequence[str] = ()

    @property
    def digest(self) -> str:
        """Changes when something else is read."""
        names = (*self.fields, "", *self.histories, "", *self.associations)
        return xxhash.xxh3_64_hexdigest("\x1f".join(names).encode())

    @property
    def batch_size(self) -> int:
        """Records per batch read."""
        return LIST_LIMIT_HISTORY if self.histories else BATCH_LIMIT


@dataclass(frozen=True, kw_only=True, slots=True)
class Pace:
    """How far the settled point trails, and how often the slower passes are made.

    `settle` is how long a change may take until the search shows it ("a few moments", says the guide; other clients
    trail by up to an hour). `batch_pages` is how many pages make a batch: more make larger transactions.
    """

    settle: timedelta = timedelta(minutes=10)
    archived: timedelta = timedelta(hours=1)
    relist: timedelta = timedelta(hours=24)
    batch_pages: int = 20


@dataclass(slots=True)
class _Resume:
    """A cursor under way.

    `at` has, in epoch milliseconds and ids:

    - after, t0: a list under way, where it goes on and when it began;
    - low, high, last: a search window under way, and the id above which it goes on;
    - archived, listed: when the last pass over archived records, and over all, began;
    - shape: what was read of each record in that last pass over all.
    """

    at: dict[str, object]
    settled_ms: int | None

    @classmethod
    def of(cls, cursor: Cursor | None) -> _Resume:
        if cursor is None:
            return cls({}, None)
        return cls(dict(cursor.position), from_datetime(cursor.settled_at) if cursor.settled_at else None)

    def cursor(self) -> Cursor:
        settled = to_datetime(self.settled_ms) if self.settled_ms is not None else None
        return Cursor(position=dict(self.at), settled_at=settled)

    def number(self, name: str) -> int:
        """An instant or id of the position; 0 where there is none."""
        value = self.at.get(name, 0)
        return value if isinstance(value, int) else 0

    def has_other(self, digest: str) -> bool:
        """Whether something else was read of each record, so that all have to be read anew."""
        return self.at.get("shape", digest) != digest

    def settle(self, ms: int) -> None:
        """What was settled stays so."""
        self.settled_ms = max(self.settled_ms or 0, ms)


@dataclass(slots=True)
class _Taken:
    """Rows under way into a batch: each id once, the last one read counts."""

    rows: dict[str, RecordRow] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)

    def take(self, row: Row, linked: Mapping[str, Sequence[str]], histories: Sequence[str]) -> None:
        try:
            self.rows[row.id] = to_row(row, linked, histories)
        except ValueError:
            self.rejected.append(Rejected(row.id, say("HubSpot gave a record without an id or a stamp.")))

    def batch(self, object_: str, cursor: Cursor) -> Batch:
        return Batch(object=object_, rows=list(self.rows.values()), cursor=cursor, rejected=tuple(self.rejected))


class Reader:
    """Reads the objects of one portal. `selections` names the fields of every object that is polled."""

    def __init__(self, api: Api, selections: Mapping[str, Selection], pace: Pace) -> None:
        self._api = api
        self._selections = selections
        self._pace = pace

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """See `Connector.poll`."""
        try:
            if object_ in WHOLE:
                yield self._whole(object_)
            else:
                yield from self._records(object_, _Resume.of(cursor))
        except Rejection as rejection:
            if object_ in _MAY_LACK and rejection.is_absence:
                return
            raise

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> Iterator[Row]:
        """Some properties of some records as they are now."""
        for chunk in _chunks(dict.fromkeys(ids), BATCH_LIMIT):
            yield from self._api.batch_read(object_, chunk, fields).results

    def _records(self, object_: str, resume: _Resume) -> Iterator[Batch]:
        now = from_datetime(self._api.now())
        if resume.settled_ms is not None:
            yield from self._changes(object_, resume, now)
        is_stale = now - resume.number("listed") >= _ms(self._pace.relist) or resume.has_other(
            self._selections[object_].digest
        )
        is_listing = resume.settled_ms is None or "t0" in resume.at or is_stale
        if now - resume.number("archived") >= _ms(self._pace.archived):
            yield from self._archived(object_, resume, now, is_last=not is_listing)
        if is_listing:
            yield from self._list(object_, resume, now)

    def _list(self, object_: str, resume: _Resume, now: int) -> Iterator[Batch]:
        """Read every record by id, resuming where a list is under way; settled is what was so when it began."""
        digest = self._selections[object_].digest
        if resume.has_other(digest):
            resume.at.pop("t0", None)
            resume.at.pop("after", None)
        resume.at["shape"] = digest
        t0 = resume.number("t0") or now
        after = str(resume.at.get("after", ""))
        for taken, following in self._pages(object_, after, archived=False):
            if following:
                resume.at |= {"t0": t0, "after": following}
            else:
                resume.at.pop("t0", None)
                resume.at.pop("after", None)
                resume.at["listed"] = t0
                resume.settle(t0 - _ms(self._pace.settle))
            yield taken.batch(object_, resume.cursor())

    def _archived(self, object_: str, resume: _Resume, now: int, *, is_last: bool) -> Iterator[Batch]:
        """Read the records that were archived in the last 90 days: the list cannot be asked for fewer."""
        for taken, following in self._pages(object_, "", archived=True):
            if not following:
                resume.at["archived"] = now
            if taken.rows or (is_last and not following):
                yield taken.batch(object_, resume.cursor())

    def _pages(self, object_: str, after: str, *, archived: bool) -> Iterator[tuple[_Taken, str]]:
        """Pages of the list, some at a time, each with the place where the next one starts; empty at the end."""
        selection = self._selections[object_]
        is_wide = sum(len(name) + 1 for name in (*selection.fields, *selection.histories)) > LONGEST_PROPERTIES
        query = self._api.list_query(
            object_,
            ("hs_object_id",) if is_wide else selection.fields,
            histories=() if is_wide else selection.histories,
            associations=selection.associations,
            archived=archived,
        )
        taken = _Taken()
        seen = {after} if after else set()
        for count in itertools.count(1):
            page = self._api.list_page(object_, query, after)
            following = str(page.paging.next.after) if page.paging and page.paging.next else ""
            if following in seen:
                raise SystemDown(self._api.system, say("HubSpot's list of {object} does not move on.", object=object_))
            links = self._links_of(object_, page.results)
            full = self._full(object_, page.results, archived=archived) if is_wide else page.results
            for row in full:
                taken.take(row, links[row.id], selection.histories)
            if not following or count % self._pace.batch_pages == 0:
                yield taken, following
                taken = _Taken()
            if not following:
                return
            seen.add(following)
            after = following

    def _full(self, object_: str, rows: Sequence[Row], *, archived: bool) -> Iterator[Row]:
        """The same rows with all their properties, which are too many for a list's address."""
        selection = self._selections[object_]
        known = {row.id for row in rows}
        for chunk in _chunks((row.id for row in rows), selection.batch_size):
            page = self._api.batch_read(
                object_, chunk, selection.fields, histories=selection.histories, archived=archived
            )
            yield from (row for row in page.results if row.id in known)

    def _links_of(self, object_: str, rows: Sequence[Row]) -> dict[str, dict[str, Sequence[str]]]:
        """The associations that a list gave along; those that it cut short are asked for."""
        targets = self._selections[object_].associations
        if not targets:
            return {row.id: {} for row in rows}
        links = {row.id: inline_links(row, targets) for row in rows}
        cut: dict[str, list[str]] = {}
        for row in rows:
            for target in cut_short(row):
                cut.setdefault(target, []).append(row.id)
        for target in targets:
            if target in cut:
                for id_, ids in self._associations(object_, target, cut[target]).items():
                    links[id_][target] = ids
        return links

    def _changes(self, object_: str, resume: _Resume, now: int) -> Iterator[Batch]:
        """Finish the window that is under way, then read what changed since, up to now."""
        if "last" in resume.at:
            yield from self._window(object_, resume)
        resume.at |= {"low": (resume.settled_ms or 0) - _OVERLAP_MS, "high": now + _OVERLAP_MS, "last": 0}
        yield from self._window(object_, resume)

    def _window(self, object_: str, resume: _Resume) -> Iterator[Batch]:
        low, high, last = (resume.number(name) for name in ("low", "high", "last"))
        while True:
            ids: dict[str, None] = {}
            for _ in range(_SEARCHES_PER_BATCH):
                found, last = self._search(object_, low, high, last)
                ids |= dict.fromkeys(found)
                if not last:
                    break
            taken = self._taken(object_, list(ids))
            if last:
                resume.at["last"] = last
            else:
                for name in ("low", "high", "last"):
                    resume.at.pop(name, None)
                resume.settle(high - _OVERLAP_MS - _ms(self._pace.settle))
            yield taken.batch(object_, resume.cursor())
            if not last:
                return

    def _search(self, object_: str, low: int, high: int, last: int) -> tuple[list[str], int]:
        """The next ids of the window above `last`, and where to go on; 0 at its end.

        Near the present a search may give rows out of order. They are taken, and the next search goes on from the
        middle of such a page, so that a row that slipped over its edge is found.
        """
        stamp = "lastmodifieddate" if object_ == "contacts" else "hs_lastmodifieddate"
        page = self._api.search(object_, stamp, low, high, str(last))
        given = [int(one.id) for one in page.results if one.id.isdigit()]
        ids = sorted({id_ for id_ in given if id_ > last})
        has_more = len(page.results) >= SEARCH_LIMIT or (page.paging is not None and page.paging.next is not None)
        if not has_more:
            return [str(id_) for id_ in ids], 0
        if not ids:
            raise SystemDown(self._api.system, say("HubSpot's search of {object} does not move on.", object=object_))
        return [str(id_) for id_ in ids], ids[-1] if ids == given else ids[len(ids) // 2]

    def _taken(self, object_: str, ids: Sequence[str]) -> _Taken:
        """Changed records with all that is asked for."""
        selection = self._selections[object_]
        rows: dict[str, Row] = {}
        for chunk in _chunks(ids, selection.batch_size):
            page = self._api.batch_read(object_, chunk, selection.fields, histories=selection.histories)
            rows.update((row.id, row) for row in page.results)
        links: dict[str, dict[str, Sequence[str]]] = {id_: dict.fromkeys(selection.associations, ()) for id_ in rows}
        if rows:
            for target in selection.associations:
                for id_, found in self._associations(object_, target, list(rows)).items():
                    links[id_][target] = found
        taken = _Taken()
        for row in rows.values():
            taken.take(row, links[row.id], selection.histories)
        return taken

    def _associations(self, object_: str, target: str, ids: Sequence[str]) -> dict[str, Sequence[str]]:
        """The associated ids of records that have any, every page of them."""
        found: dict[str, list[Target]] = {}
        asked = frozenset(ids)
        for chunk in _chunks(ids, ASSOCIATIONS_LIMIT):
            inputs: list[dict[str, str]] = [{"id": id_} for id_ in chunk]
            while inputs:
                following = []
                for one in self._api.associations(object_, target, inputs).results:
                    id_ = str(one.source.id)
                    if id_ in asked:
                        found.setdefault(id_, []).extend(one.to)
                        if one.paging and one.paging.next:
                            following.append({"id": id_, "after": str(one.paging.next.after)})
                inputs = following
        return {id_: order_targets(targets) for id_, targets in found.items()}

    def _whole(self, object_: str) -> Batch:
        now = self._api.now()
        fields = self._selections[object_].fields
        rows = dict(self._owner_rows(fields) if object_ == "owners" else self._pipeline_rows(fields))
        return Batch(object=object_, rows=list(rows.values()), cursor=Cursor(position={}, settled_at=now))

    def _owner_rows(self, fields: Sequence[str]) -> Iterator[tuple[str, RecordRow]]:
        """Owners, the archived ones too: old records are theirs."""
        for archived in (True, False):
            after = ""
            while True:
                page = self._api.owners(archived=archived, after=after)
                for one in page.results:
                    yield one["id"], plain_row(one["id"], one, fields)
                if not (page.paging and page.paging.next):
                    break
                after = str(page.paging.next.after)

    def _pipeline_rows(self, fields: Sequence[str]) -> Iterator[tuple[str, RecordRow]]:
        """The pipelines of every object that has them, named `object:id`, since ids are unique within one only."""
        for object_ in _PIPELINED:
            try:
                page = self._api.pipelines(object_)
            except Rejection as rejection:
                if object_ in _MAY_LACK and rejection.is_absence:
                    continue
                raise
            for one in page.results:
                id_ = f"{object_}:{one['id']}"
                yield id_, plain_row(id_, one, fields)


def _chunks(ids: Iterable[str], size: int) -> Iterator[list[str]]:
    iterator = iter(ids)
    while chunk := list(itertools.islice(iterator, size)):
        yield chunk


def _ms(span: timedelta) -> int:
    return span // timedelta(milliseconds=1)
