"""Writing our properties: read before, write in batches, read back, and say what became of each change."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from connectors.http import LostAnswer
from connectors.hubspot.answers import Rejection, failures
from connectors.hubspot.api import BATCH_LIMIT
from connectors.hubspot.values import to_text
from connectors.settling import after_sending, before_sending, settle_all, wanted, waves
from mapping.errors import SystemDown
from reconcile.changes import Outcome

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.hubspot.api import Api
    from connectors.settling import Adjust, Records, Remote
    from reconcile.changes import Change, Settlement

    Read = Callable[[str, Sequence[str], Sequence[str]], Mapping[str, Mapping[str, object]]]

_TOO_BAD = frozenset({400, 409, 413, 414})
"""Refusals of a batch for what stands in it, so that a smaller one may pass."""


class Writer:
    """Writes the changes of one object. `read` and `adjust` are the connector's."""

    def __init__(self, api: Api, read: Read, adjust: Adjust) -> None:
        self._api = api
        self._read = read
        self._adjust = adjust

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """See `Connector.write`. Raises `SystemDown` where nothing more can be said; what was said before holds."""
        for records in waves(changes):
            ids = list(records)
            for start in range(0, len(ids), BATCH_LIMIT):
                yield from self._batch(object_, {id_: records[id_] for id_ in ids[start : start + BATCH_LIMIT]})

    def _batch(self, object_: str, records: Records) -> Iterator[Settlement]:
        """Settle up to 100 records."""
        current = self._current(object_, records)
        due: dict[str, list[Change]] = {}
        for id_, changes in records.items():
            for change in changes:
                settled = before_sending(change, current.get(id_), self._adjust)
                if settled:
                    yield settled
                else:
                    due.setdefault(id_, []).append(change)
        if due:
            yield from self._send(object_, due)

    def _send(self, object_: str, records: Records) -> Iterator[Settlement]:
        """Send one batch, halving it where it is refused as a whole: one bad value fails all of them."""
        inputs = [
            {
                "id": id_,
                "objectWriteTraceId": id_,
                "properties": {change.field: to_text(wanted(change, self._adjust)) for change in changes},
            }
            for id_, changes in records.items()
        ]
        try:
            page = self._api.update(object_, inputs)
        except LostAnswer:
            yield from settle_all(records, Outcome.UNKNOWN)
            return
        except Rejection as rejection:
            if rejection.status not in _TOO_BAD:
                raise
            if len(records) == 1:
                yield from settle_all(records, Outcome.FAILED, rejection.body.words or f"HTTP {rejection.status}")
                return
            yield from self._halve(object_, records)
            return
        refused = failures(page.errors, list(records))
        for id_, words in refused.items():
            yield from settle_all({id_: records[id_]}, Outcome.FAILED, words)
        accepted = {id_: changes for id_, changes in records.items() if id_ not in refused}
        if accepted:
            yield from self._read_back(object_, accepted, frozenset(one.id for one in page.results))

    def _halve(self, object_: str, records: Records) -> Iterator[Settlement]:
        ids = list(records)
        middle = len(ids) // 2
        for half in (ids[:middle], ids[middle:]):
            yield from self._send(object_, {id_: records[id_] for id_ in half})

    def _read_back(self, object_: str, records: Records, named: frozenset[str]) -> Iterator[Settlement]:
        """Compare what HubSpot holds now with what it accepted; `named` are the records that its answer named."""
        try:
            current = self._current(object_, records)
        except SystemDown:
            for id_, changes in records.items():
                yield from settle_all({id_: changes}, Outcome.APPLIED if id_ in named else Outcome.UNKNOWN)
            raise
        for id_, changes in records.items():
            for change in changes:
                yield after_sending(change, current.get(id_), self._adjust, is_accepted=id_ in named)

    def _current(self, object_: str, records: Records) -> Mapping[str, Remote]:
        """The fields about to be written, or just written, as they are now."""
        fields = dict.fromkeys(change.field for changes in records.values() for change in changes)
        return cast("Mapping[str, Remote]", self._read(object_, list(records), list(fields)))
