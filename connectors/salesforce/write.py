"""Writing to Salesforce: look, write what is still as expected, look again."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, NamedTuple, cast

import msgspec

from connectors.http import LostAnswer
from connectors.salesforce.errors import Fault, fault, fault_of
from connectors.settling import after_sending, before_sending, settle_all, wanted, waves
from mapping.errors import SystemDown
from reconcile.changes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.salesforce.read import Reader
    from connectors.salesforce.session import Session
    from connectors.settling import Adjust, Records, Remote
    from reconcile.changes import Change, Settlement

ROWS_PER_CALL = 200
"""The most records of one request (REST API guide, Update Multiple Records with Fewer Round-Trips)."""

HEADERS = {
    # By default a write to a lead or account runs the assignment rules: a score would move an owner.
    "Sforce-Auto-Assign": "FALSE",
    # Rules that only alert must not stop a stage from being written.
    "Sforce-Duplicate-Rule-Header": "allowSave=true",
}
_MOST_LOCK_TRIES = 5
_TOO_BAD = frozenset({400, 413})
"""Refusals of a request for what stands in it: one value of another type than its field's makes all of it unreadable
(JSON_PARSER_ERROR), so a smaller one may pass."""
_GONE = frozenset({"ENTITY_IS_DELETED", "NOT_FOUND", "INVALID_CROSS_REFERENCE_KEY"})
_LABEL = "/composite/sobjects"


class _RowError(msgspec.Struct, rename="camel"):
    status_code: str = ""
    message: str = ""
    fields: list[str] = []


class _RowResult(msgspec.Struct):
    success: bool
    errors: list[_RowError] = []


_results = msgspec.json.Decoder(list[_RowResult]).decode


class _Sent(NamedTuple):
    """What became of the rows of one request."""

    accepted: list[str]
    faults: dict[str, Fault]
    lost: list[str]


class Writer:
    """Writes changes of one object at a time; one writer an org, since parallel writes lock each other's parents.

    `adjust` is the connector's.
    """

    def __init__(self, session: Session, reader: Reader, adjust: Adjust) -> None:
        self._session = session
        self._reader = reader
        self._adjust = adjust

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """Settle every change once; see `Connector.write`. Raises `SystemDown`, after which the rest is unsettled."""
        for by_id in waves(changes):
            ids = sorted(by_id)
            for start in range(0, len(ids), ROWS_PER_CALL):
                yield from self._chunk(object_, {id_: by_id[id_] for id_ in ids[start : start + ROWS_PER_CALL]})

    def _chunk(self, object_: str, records: Records) -> Iterator[Settlement]:
        present = self._present(object_, records)
        due: dict[str, list[Change]] = {}
        for id_, changes in records.items():
            for change in changes:
                settlement = before_sending(change, present.get(id_), self._adjust)
                if settlement is None:
                    due.setdefault(id_, []).append(change)
                else:
                    yield settlement
        if not due:
            return
        sent = self._send(object_, due)
        yield from settle_all({id_: due[id_] for id_ in sent.lost}, Outcome.UNKNOWN)
        for id_, row_fault in sent.faults.items():
            outcome = Outcome.SKIPPED if row_fault.code in _GONE else Outcome.FAILED
            yield from settle_all({id_: due[id_]}, outcome, f"{row_fault.code}: {row_fault.words}")
        yield from self._read_back(object_, {id_: due[id_] for id_ in sent.accepted})

    def _send(self, object_: str, due: Records) -> _Sent:
        """Send one row a record; rows that found their record locked are sent again, alone, a few times."""
        sent = _Sent([], {}, [])
        ids = list(due)
        for attempt in range(1, _MOST_LOCK_TRIES + 1):
            ids = self._send_rows(object_, {id_: due[id_] for id_ in ids}, sent, is_last=attempt == _MOST_LOCK_TRIES)
            if not ids:
                break
            self._session.rest(2 ** (attempt - 1) * random.uniform(0.5, 1.5))  # noqa: S311  # jitter
        return sent

    def _send_rows(self, object_: str, due: Records, sent: _Sent, *, is_last: bool) -> list[str]:
        """Send rows in one request, in halves where it is refused as a whole, and note what became of them.

        Returns the ids to try again.
        """
        ids = list(due)
        rows = [
            {
                "attributes": {"type": object_},
                "id": id_,
                **{change.field: wanted(change, self._adjust) for change in changes},
            }
            for id_, changes in due.items()
        ]
        try:
            answer = self._session.request(
                "PATCH",
                _LABEL,
                label=_LABEL,
                json={"allOrNone": False, "records": rows},
                headers=HEADERS,
                is_idempotent=False,
                decode=_results,
            )
        except LostAnswer:
            sent.lost.extend(ids)
            return []
        if not answer.is_ok and answer.status not in _TOO_BAD:
            raise self._session.refuse(answer, _LABEL)
        if not answer.is_ok and len(ids) == 1:
            sent.faults[ids[0]] = fault_of(answer)
            return []
        if not answer.is_ok:
            halves = (ids[: len(ids) // 2], ids[len(ids) // 2 :])
            parts = ({id_: due[id_] for id_ in half} for half in halves)
            return [id_ for part in parts for id_ in self._send_rows(object_, part, sent, is_last=is_last)]
        if len(answer.value) != len(ids):
            sent.lost.extend(ids)
            return []
        locked = []
        for id_, result in zip(ids, answer.value, strict=True):
            row_fault = _fault_of(result)
            if row_fault is None:
                sent.accepted.append(id_)
            elif row_fault.code == "UNABLE_TO_LOCK_ROW" and not is_last:
                locked.append(id_)
            else:
                sent.faults[id_] = row_fault
        return locked

    def _read_back(self, object_: str, records: Records) -> Iterator[Settlement]:
        """Settle accepted changes by what the org shows now; where it cannot be asked, they are merely applied."""
        if not records:
            return
        try:
            present = self._present(object_, records)
        except SystemDown:
            present = {}
        for id_, changes in records.items():
            for change in changes:
                yield after_sending(change, present.get(id_), self._adjust, is_accepted=True)

    def _present(self, object_: str, records: Records) -> Mapping[str, Remote]:
        """The fields about to be written, or just written, as they are now."""
        fields = dict.fromkeys(change.field for changes in records.values() for change in changes)
        return cast("Mapping[str, Remote]", self._reader.read(object_, list(records), list(fields)))


def _fault_of(result: _RowResult) -> Fault | None:
    if result.success:
        return None
    if not result.errors:
        return Fault("UNKNOWN", "")
    first = result.errors[0]
    return fault(first.status_code, first.message, first.fields)
