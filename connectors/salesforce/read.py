"""Reading from Salesforce: closed windows on the stamp, in an order that can be resumed anywhere.

Why this is whole (REST API guide, Query, QueryAll, and Get Deleted on transactions in flight; read 2026-11-21):
a record that is touched while we page gets a stamp at or after the window's end, and falls into the next window; a
record that was committed late, with a stamp before the end, falls into the look-back; and nothing relies on the largest
stamp that was seen, nor on the local clock.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from connectors.salesforce.errors import fault_of
from connectors.salesforce.pages import Page, Point, decode_history, decode_page, soql
from mapping.errors import SystemDown
from mapping.instants import to_datetime, to_ms
from mapping.records import Batch, Cursor
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.answers import Answer
    from connectors.salesforce.session import Session
    from connectors.salesforce.shapes import Shape, Shapes

LOOK_BACK = timedelta(minutes=10)
"""How late a record may become visible after the instant of its stamp; a call of the org's API lasts ten minutes."""

_HISTORIES = frozenset({"LeadHistory", "OpportunityHistory", "ContactHistory", "AccountHistory"})
_READ = "read"  # the part of a position that names the fields read of each record
_FIRST_DAY = datetime(1999, 1, 1, tzinfo=UTC)  # Salesforce has no older record
_SHORTEST_SLICE = timedelta(seconds=1)
_MOST_RESTARTS = 3
_IDS_PER_READ = 2000


class _Refusal(Exception):  # noqa: N818  # a refused query, on its way to the one place that knows what to do
    def __init__(self, answer: Answer, label: str) -> None:
        super().__init__()
        self.answer = answer
        self.label = label


class Reader:
    """Polls objects and reads single records. `fields` are those wanted of each object; what the org lacks is not."""

    def __init__(self, session: Session, shapes: Shapes, fields: Mapping[str, Sequence[str]]) -> None:
        self._session = session
        self._shapes = shapes
        self._fields = fields

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """Read what changed since the cursor, and finish a window that was begun; see `Connector.poll`.

        Where a field is read that was not when the cursor was made, everything is read again: records do not move when
        a field is granted or asked for. A field that went away is unknown from now on, which is no reason to.
        """
        shape = self._shapes.of(object_)
        if shape is None:
            return
        if cursor is not None and self._gained(object_, shape, cursor):
            cursor = None
        now = self._session.server_now()
        settled = cursor.settled_at if cursor else None
        begun = Point.of(cursor.position) if cursor else None
        if begun is not None:
            yield from self._window(object_, begun, settled)
            settled = begun.to
            if settled >= now:
                return
        since = settled - LOOK_BACK if settled else None
        yield from self._window(object_, Point(at=since, to=max(now, settled or now)), settled)

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> dict[str, dict[str, object]]:
        """Read fields of records as they are now; records that are gone are missing, and so are unknown fields."""
        shape = self._shapes.of(object_)
        if shape is None:
            return {}
        wanted = [name for name in shape.offered(fields) if name != "Id"]
        found: dict[str, dict[str, object]] = {}
        label = "/composite/sobjects/{type}"
        for start in range(0, len(ids), _IDS_PER_READ):
            # sObject Collections, Retrieve: a POST carries 2,000 ids; the answer is in their order, null where gone.
            answer = self._session.request(
                "POST",
                f"/composite/sobjects/{object_}",
                label=label,
                json={"ids": list(ids[start : start + _IDS_PER_READ]), "fields": ["Id", *wanted]},
                is_idempotent=True,
                decode=_records,
            )
            if not answer.is_ok:
                raise self._session.refuse(answer, label)
            for record in answer.value:
                if record is not None:
                    found[str(record["Id"])] = {name: record.get(name) for name in wanted}
        return found

    def _gained(self, object_: str, shape: Shape, cursor: Cursor) -> bool:
        known = cursor.position.get(_READ)
        return isinstance(known, str) and not set(known.split()) >= set(self._offered(object_, shape))

    def _offered(self, object_: str, shape: Shape) -> tuple[str, ...]:
        return shape.offered(("Id", _stamp(object_), "IsDeleted", *self._fields.get(object_, ())))

    def _window(self, object_: str, point: Point, settled: datetime | None) -> Iterator[Batch]:
        """Read one window to its end, in slices where the org finds it too large; ends with a settled cursor."""
        until = point.to
        restarts = 0
        while True:
            shape = self._shapes.of(object_)
            if shape is None:
                return
            begin = point
            read = {_READ: " ".join(self._offered(object_, shape))}
            seen = total = 0
            try:
                for page in self._pages(object_, shape, point, until):
                    seen += page.size
                    total = max(total, page.total)
                    if page.last:
                        restarts = 0
                        point = replace(point, at=to_datetime(to_ms(page.last[0])), id=page.last[1])
                    is_end = page.next is None
                    if is_end and seen < total:
                        raise self._short(object_, seen, total)
                    if is_end and until == point.to:
                        yield Batch(
                            object=object_,
                            rows=page.rows,
                            rejected=page.rejected,
                            cursor=Cursor(position=read, settled_at=point.to),
                        )
                        return
                    yield Batch(
                        object=object_,
                        rows=page.rows,
                        rejected=page.rejected,
                        cursor=Cursor(position=point.position | read, settled_at=settled),
                    )
            except _Refusal as refusal:
                restarts += 1
                until = self._shorter(object_, refusal, point, until, restarts)
            except _ShortError:
                # The pages that came may hide the gap: whoever asks again starts before them.
                again = Cursor(position=begin.position | read, settled_at=settled)
                yield Batch(object=object_, rows=(), cursor=again)
                raise
            else:
                length = until - (begin.at or _FIRST_DAY)
                point = replace(point, at=until, id="")
                until = min(point.to, until + 2 * length)

    def _shorter(self, object_: str, refusal: _Refusal, point: Point, until: datetime, restarts: int) -> datetime:
        """The end of the next slice after a refused query; raises where asking again is of no use.

        | code                  | then                                                |
        | --------------------- | --------------------------------------------------- |
        | QUERY_TIMEOUT         | half the slice                                      |
        | INVALID_QUERY_LOCATOR | the same slice, from the last record that came      |
        | INVALID_FIELD         | the same slice, with the fields that are still there |
        | anything else         | the system is down for this cycle                   |
        """
        code = fault_of(refusal.answer).code
        if code == "QUERY_TIMEOUT":
            begin = point.at or _FIRST_DAY
            half = (until - begin) / 2
            if half >= _SHORTEST_SLICE:
                return (begin + half).replace(microsecond=0)
        elif code == "INVALID_QUERY_LOCATOR" and restarts <= _MOST_RESTARTS:
            return until
        elif code == "INVALID_FIELD" and restarts <= 1:
            self._shapes.forget(object_)
            return until
        raise self._session.refuse(refusal.answer, refusal.label) from None

    def _pages(self, object_: str, shape: Shape, point: Point, until: datetime) -> Iterator[Page]:
        stamp, fields = _stamp(object_), self._offered(object_, shape)
        decode = decode_history if stamp == "CreatedDate" else decode_page
        label = "/queryAll"
        answer = self._session.request(
            "GET", label, label=label, params={"q": soql(object_, fields, stamp, point, until)}, decode=decode
        )
        while True:
            if not answer.is_ok:
                raise _Refusal(answer, label)
            page: Page = answer.value
            yield page
            if page.next is None:
                return
            label = "/queryAll/{locator}"
            answer = self._session.request("GET", page.next, label=label, decode=decode)

    def _short(self, object_: str, seen: int, total: int) -> _ShortError:
        return _ShortError(
            self._session.system,
            say(
                "{system}: the pages of {object} held {seen} of {total} records; they are read again.",
                system=self._session.system,
                object=object_,
                seen=seen,
                total=total,
            ),
        )


def _stamp(object_: str) -> str:
    """The field by which an object is read: rows of histories never change."""
    return "CreatedDate" if object_ in _HISTORIES else "SystemModstamp"


class _ShortError(SystemDown):
    """The pages of a query held fewer records than it counted."""


_records = msgspec.json.Decoder(list[dict[str, object] | None]).decode
