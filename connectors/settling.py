"""What can be said of a change from what was read before and after it was sent."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from mapping.text import say
from reconcile.changes import Outcome, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from reconcile.changes import Change, Value

    Adjust = Callable[[str, str, Value], Value]
    Remote = Mapping[str, Value]
    Records = Mapping[str, Sequence[Change]]


def waves(changes: Sequence[Change]) -> Iterator[dict[str, list[Change]]]:
    """Split changes into parts by record id in which no field of a record occurs twice; their order holds."""
    seen: Counter[tuple[str, str]] = Counter()
    parts: list[dict[str, list[Change]]] = []
    for change in changes:
        number = seen[change.ref.id, change.field]
        seen[change.ref.id, change.field] += 1
        if number == len(parts):
            parts.append({})
        parts[number].setdefault(change.ref.id, []).append(change)
    yield from parts


def before_sending(change: Change, remote: Remote | None, adjust: Adjust) -> Settlement | None:
    """Settle a change that is not to be sent: the record is gone, has no such field, holds it already, or moved on.

    `remote` is the record as it was just read, None where it is gone; None is returned where the change is to be sent.
    """
    if remote is None:
        return Settlement(change=change, outcome=Outcome.SKIPPED, detail=say("The record is gone."))
    if change.field not in remote:
        detail = say("There is no field {field}; `headrace doctor --fix` creates it.", field=change.field)
        return Settlement(change=change, outcome=Outcome.FAILED, detail=detail)
    value = adjust(change.ref.object, change.field, remote[change.field])
    if value == wanted(change, adjust):
        return Settlement(change=change, outcome=Outcome.SKIPPED, remote=value, is_read=True)
    if value != adjust(change.ref.object, change.field, change.before):
        return Settlement(change=change, outcome=Outcome.STALE, remote=value, is_read=True)
    return None


def after_sending(change: Change, remote: Remote | None, adjust: Adjust, *, is_accepted: bool) -> Settlement:
    """Settle a change by what was read back; `is_accepted` says that the vendor's answer named its record."""
    if remote is None or change.field not in remote:
        return Settlement(change=change, outcome=Outcome.APPLIED if is_accepted else Outcome.UNKNOWN)
    value = adjust(change.ref.object, change.field, remote[change.field])
    if value == wanted(change, adjust):
        return Settlement(change=change, outcome=Outcome.VERIFIED, remote=value, is_read=True)
    detail = (
        say("The value was accepted and not kept.")
        if is_accepted
        else say("The answer had no word on this record, and the value was not kept.")
    )
    return Settlement(change=change, outcome=Outcome.FAILED, detail=detail, remote=value, is_read=True)


def settle_all(records: Records, outcome: Outcome, words: str = "") -> Iterator[Settlement]:
    """Settle the changes of some records alike, with the vendor's own words where it refused them."""
    detail = say("The vendor says: {words}", words=words) if words else None
    for changes in records.values():
        for change in changes:
            yield Settlement(change=change, outcome=outcome, detail=detail)


def wanted(change: Change, adjust: Adjust) -> Value:
    """The value to send and to find afterwards."""
    return adjust(change.ref.object, change.field, change.after)
