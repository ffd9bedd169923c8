"""Step 1: what the last run left open is settled by reading, never by sending again."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

from mapping.errors import SystemDown
from mapping.text import say
from reconcile.changes import Outcome, Settlement
from state import journal
from sync.logs import logger

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.base import Connector
    from reconcile.changes import Change
    from state.engine import Database
    from state.journal import Entry


def settle(db: Database, connectors: Mapping[str, Connector], *, run: int) -> int:
    """Compare every change that may have been received with the remote value; returns how many were settled.

    | remote value now      | becomes                                          |
    | --------------------- | ------------------------------------------------ |
    | what we intended      | verified                                         |
    | anything else         | stale: it was not written, and is planned again  |
    | the record is gone    | skipped                                          |
    | it cannot be read     | unknown: it is asked for again in the next run   |
    | the system is down    | stays open until it is up again                  |
    """
    by_place: dict[tuple[str, str], list[Entry]] = defaultdict(list)
    with db.read() as conn:
        for entry in journal.unsettled(conn):
            by_place[entry.change.ref.system, entry.change.ref.object].append(entry)
    settled = 0
    for (system, object_), entries in by_place.items():
        if system not in connectors:
            continue
        try:
            settled += _settle_object(db, connectors[system], object_, entries)
        except SystemDown:
            logger.debug("settle.broken_off", system=system, object=object_, run_id=run)
    return settled


def _settle_object(db: Database, connector: Connector, object_: str, entries: Sequence[Entry]) -> int:
    fields = sorted({entry.change.field for entry in entries})
    remote = connector.read(object_, sorted({entry.change.ref.id for entry in entries}), fields)
    settled = [(entry.id, _compare(connector, entry.change, remote.get(entry.change.ref.id))) for entry in entries]
    journal.settle(db, settled)
    return len(settled)


def _compare(connector: Connector, change: Change, values: Mapping[str, object] | None) -> Settlement:
    if values is None:
        return Settlement(change=change, outcome=Outcome.SKIPPED, detail=say("the record is gone"))
    if change.field not in values:
        return Settlement(change=change, outcome=Outcome.UNKNOWN, detail=say("the field cannot be read"))
    found = values[change.field]
    place = change.ref.object, change.field
    is_there = connector.adjust(*place, found) == connector.adjust(*place, change.after)  # type: ignore[arg-type]  # as the vendor gave it
    outcome = Outcome.VERIFIED if is_there else Outcome.STALE
    return Settlement(
        change=change,
        outcome=outcome,
        detail=say("read back after a lost answer"),
        remote=found,  # type: ignore[arg-type]
        is_read=True,
    )
