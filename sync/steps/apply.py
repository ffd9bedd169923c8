"""Step 7: intend, write in batches, read back, settle. No transaction is open while a vendor is called."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain, groupby
from threading import Lock
from typing import TYPE_CHECKING

from mapping.errors import SystemDown
from mapping.text import say
from reconcile.changes import Outcome
from state import journal, pending, plans
from state.quarantine import CHANGE, Aside, set_aside
from sync.logs import logger
from sync.summary import SystemCount

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Connector
    from mapping.records import Ref
    from reconcile.changes import Change, Settlement
    from sync.house import House
    from sync.steps.plan import Draft
    from sync.summary import Summary

LEAST_RECORDS = 50
"""Records intended and written in one go, where a request of the system does not carry more."""


def apply(house: House, draft: Draft, summary: Summary) -> None:
    """Write the draft's changes, the systems side by side, each object in batches.

    Every intention is committed before the call that carries it out, every outcome after it. What a vendor refuses is
    set aside with the vendor's words; what a system that goes down has not answered stays open for the next run.
    """
    changes = draft.whole().changes
    tally = Tally(summary, Counter(change.entity for change in changes), Lock())
    by_system = {system: list(group) for system, group in groupby(changes, key=lambda change: change.ref.system)}

    def write(system: str) -> None:
        connector = house.connectors[system]
        calls = connector.calls
        try:
            for batch in batches(by_system[system], max(connector.records_per_write, LEAST_RECORDS)):
                if house.stop.is_set():
                    break
                _write_batch(house, connector, draft.digest, batch, tally)
        except SystemDown as down:
            count = summary.systems.setdefault(system, SystemCount())
            count.error, count.hint = down.message, down.hint
            logger.debug("apply.broken_off", system=system, run_id=summary.run)
        finally:
            summary.systems.setdefault(system, SystemCount()).calls += connector.calls - calls

    with ThreadPoolExecutor(max_workers=len(by_system), thread_name_prefix="apply") as pool:
        for finished in [pool.submit(write, system) for system in by_system]:
            finished.result()
    plans.close_plan(house.db, draft.digest)
    _leave_queue(house, draft, tally)


@dataclass(slots=True)
class Tally:
    """What became of the changes so far. `left` counts the changes of an entity that are still to be made."""

    summary: Summary
    left: Counter[str]
    lock: Lock

    def add(self, settlements: Sequence[Settlement]) -> None:
        """Count these, too. What was refused is set aside, so it is no longer to be made."""
        with self.lock:
            for settlement in settlements:
                self.summary.applied[settlement.outcome.value] += 1
                if settlement.outcome not in {Outcome.STALE, Outcome.UNKNOWN}:
                    self.left[settlement.change.entity] -= 1


def batches(changes: Sequence[Change], records: int) -> Iterator[list[Change]]:
    """Portions of at most so many whole records of one object each; `changes` is in the plan's order."""
    for _, of_object in groupby(changes, key=lambda change: change.ref.object):
        of_records = [list(group) for _, group in groupby(of_object, key=lambda change: change.ref)]
        for start in range(0, len(of_records), records):
            yield list(chain.from_iterable(of_records[start : start + records]))


def _write_batch(house: House, connector: Connector, digest: str, batch: Sequence[Change], tally: Tally) -> None:
    run, object_ = tally.summary.run, batch[0].ref.object
    ids = journal.intend(house.db, digest, batch, run=run)
    numbers = dict(zip(((change.ref, change.field) for change in batch), ids, strict=True))
    settlements: list[Settlement] = []
    try:
        settlements.extend(connector.write(object_, batch))
    finally:  # what was said before a system went down holds
        _settle(house, numbers, settlements, tally)
    logger.info("apply.batch_settled", run_id=run, system=connector.system, object=object_, count=len(settlements))


def _settle(
    house: House, numbers: Mapping[tuple[Ref, str], int], settlements: Sequence[Settlement], tally: Tally
) -> None:
    journal.settle(house.db, [(numbers[s.change.ref, s.change.field], s) for s in settlements])
    refused = [
        Aside(CHANGE, s.change.ref, s.change.field, s.detail or say("refused without a word"))
        for s in settlements
        if s.outcome is Outcome.FAILED
    ]
    if refused:
        with house.db.write() as conn:
            set_aside(conn, refused, tally.summary.run, now_ms=house.clock())
    tally.add(settlements)


def _leave_queue(house: House, draft: Draft, tally: Tally) -> None:
    """Entities whose every change is made need no plan any more; the others are planned again in the next cycle."""
    made = [key for golden, key in draft.waiting.items() if not tally.left[golden]]
    with house.db.write() as conn:
        pending.remove(conn, "plan", made)
