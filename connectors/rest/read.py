"""Reading a REST tool: everything in an order that holds, then what changed, as far as the tool can say so."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from connectors.rest.client import RestRejection
from connectors.rest.preset import DescendingFeed, Everything, Since
from connectors.rest.records import stamp_of
from mapping.instants import from_datetime, to_datetime, to_iso, to_ms
from mapping.records import Batch, Cursor, Rejected
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from connectors.rest.client import Client, Page
    from connectors.rest.preset import ObjectSpec
    from connectors.rest.records import Shape
    from mapping.records import RecordRow

_STALE_PLACE = frozenset({400, 404, 410, 422})
"""How tools refuse a page token that is too old."""


@dataclass(slots=True)
class _Taken:
    rows: dict[str, RecordRow] = field(default_factory=dict)
    rejected: list[Rejected] = field(default_factory=list)
    pages: int = 0

    def take(self, record: Mapping[str, Any], shape: Shape) -> None:
        try:
            row = shape.row(record)
        except ValueError:
            self.rejected.append(Rejected(str(record.get("id", "")), say("A record came without an id or a stamp.")))
        else:
            self.rows[row[0]] = row

    def batch(self, object_: str, position: Mapping[str, object], settled_ms: int | None) -> Batch:
        settled = None if settled_ms is None else to_datetime(settled_ms)
        cursor = Cursor(position=dict(position), settled_at=settled)
        return Batch(object=object_, rows=list(self.rows.values()), cursor=cursor, rejected=tuple(self.rejected))


class Reader:
    """Reads one tenant.

    A position has, in epoch milliseconds:

    - t0, place: a full reading under way, when it began and where it goes on;
    - watermark: up to where changes were read;
    - listed: when the last full reading began;

    and in `shape` what was read of each record in it.
    """

    def __init__(
        self, client: Client, specs: Mapping[str, ObjectSpec], shapes: Mapping[str, Shape], batch_pages: int
    ) -> None:
        self._client = client
        self._specs = specs
        self._shapes = shapes
        self._batch_pages = batch_pages

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """See `Connector.poll`."""
        spec = self._specs[object_]
        at = dict(cursor.position) if cursor else {}
        settled = from_datetime(cursor.settled_at) if cursor and cursor.settled_at else None
        now = from_datetime(self._client.clock())
        changes = spec.changes
        if settled is not None and not isinstance(changes, Everything):
            reading = self._feed if isinstance(changes, DescendingFeed) else self._since
            for batch in reading(object_, at, settled):
                settled = from_datetime(batch.cursor.settled_at) if batch.cursor.settled_at else settled
                at = dict(batch.cursor.position)
                yield batch
        is_due = spec.relist_h is not None and now - _number(at, "listed") >= spec.relist_h * 3_600_000
        digest = self._shapes[object_].digest
        has_other = at.get("shape", digest) != digest
        if has_other:
            at.pop("t0", None)
            at.pop("place", None)
        if settled is None or "t0" in at or is_due or has_other or isinstance(changes, Everything):
            yield from self._everything(object_, {**at, "shape": digest}, settled, now)

    def _everything(self, object_: str, at: dict[str, object], settled: int | None, now: int) -> Iterator[Batch]:
        """Read all records; a place that the tool does not know any more begins anew."""
        start = str(at.get("place", ""))
        try:
            yield from self._full(object_, at, settled, now)
        except RestRejection as rejection:
            if not start or rejection.status not in _STALE_PLACE:
                raise
            at.pop("place", None)
            at.pop("t0", None)
            yield from self._full(object_, at, settled, now)

    def _full(self, object_: str, at: dict[str, object], settled: int | None, now: int) -> Iterator[Batch]:
        spec, shape = self._specs[object_], self._shapes[object_]
        t0 = _number(at, "t0") or now
        taken = _Taken()
        for page in self._client.pages(spec, {**spec.params, **spec.first_params}, str(at.get("place", ""))):
            if "t0" not in at and page.date is not None:
                t0 = min(t0, from_datetime(page.date))
            for record in page.records:
                taken.take(record, shape)
            taken.pages += 1
            if not page.following:
                break
            at |= {"t0": t0, "place": page.following}
            if taken.pages == self._batch_pages:
                yield taken.batch(object_, at, settled)
                taken = _Taken()
        at.pop("t0", None)
        at.pop("place", None)
        at["listed"] = t0
        at["watermark"] = max(_number(at, "watermark"), t0) if settled is not None else t0
        yield taken.batch(object_, at, max(settled or 0, t0))

    def _feed(self, object_: str, at: dict[str, object], settled: int) -> Iterator[Batch]:
        """Read from the newest change down to the known ones; only a reading that got there moves the watermark.

        Pages that are not in order are read to the end: the tool does not keep its word, and stopping would skip.
        """
        spec, shape = self._specs[object_], self._shapes[object_]
        changes = spec.changes
        assert isinstance(changes, DescendingFeed)
        floor = _number(at, "watermark") - int(changes.overlap_s * 1000)
        newest = _number(at, "watermark")
        seen_at: int | None = None
        lowest: int | None = None
        is_sorted = True
        taken = _Taken()
        for page in self._client.pages(spec, {**spec.params, **changes.params}, ""):
            stamps = [_stamp_ms(record, spec) for record in page.records]
            if seen_at is None:
                seen_at = self._instant(page)
                newest = max(newest, min(max(stamps, default=0), seen_at))
            is_sorted = is_sorted and _is_descending(lowest, stamps)
            lowest = stamps[-1] if stamps else lowest
            for record, stamp in zip(page.records, stamps, strict=True):
                if stamp >= floor or stamp == 0:
                    taken.take(record, shape)
            taken.pages += 1
            if is_sorted and lowest is not None and lowest < floor:
                break
            if taken.pages == self._batch_pages and taken.rows:
                yield taken.batch(object_, at, settled)
                taken = _Taken()
        at = {**at, "watermark": newest}
        yield taken.batch(object_, at, max(settled, (seen_at or settled) - int(changes.overlap_s * 1000)))

    def _since(self, object_: str, at: dict[str, object], settled: int) -> Iterator[Batch]:
        """Ask for what changed since the watermark; only a reading that came to its end moves it."""
        spec, shape = self._specs[object_], self._shapes[object_]
        changes = spec.changes
        assert isinstance(changes, Since)
        low = max(0, _number(at, "watermark") - int(changes.overlap_s * 1000))
        texts = {"iso": to_iso(low), "epoch_ms": str(low), "epoch_s": str(low // 1000)}
        params = {**spec.params, **changes.params, changes.into: texts[changes.form]}
        seen_at: int | None = None
        taken = _Taken()
        for page in self._client.pages(spec, params, ""):
            seen_at = self._instant(page) if seen_at is None else seen_at
            for record in page.records:
                taken.take(record, shape)
            taken.pages += 1
            if taken.pages == self._batch_pages and page.following:
                yield taken.batch(object_, at, settled)
                taken = _Taken()
        watermark = max(_number(at, "watermark"), seen_at or 0)
        yield taken.batch(object_, {**at, "watermark": watermark}, max(settled, watermark))

    def _instant(self, page: Page) -> int:
        return from_datetime(page.date or self._client.clock())


def _number(at: Mapping[str, object], name: str) -> int:
    value = at.get(name, 0)
    return value if isinstance(value, int) else 0


def _stamp_ms(record: Mapping[str, Any], spec: ObjectSpec) -> int:
    """A record's stamp; 0 where it has none that can be read, which its row will say."""
    try:
        return to_ms(stamp_of(record, spec))
    except ValueError:
        return 0


def _is_descending(lowest: int | None, stamps: list[int]) -> bool:
    known = [stamp for stamp in ([] if lowest is None else [lowest]) + stamps if stamp]
    return all(upper >= lower for upper, lower in pairwise(known))
