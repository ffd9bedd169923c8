"""One cycle, the seven steps of headrace from top to bottom.

    settle ─► poll ─► derive ─► resolve ─► decide ─► plan ─► apply
    what was  what    what      who is     score,    what    in batches,
    left open changed happened  who        stage     differs read back

Steps meet only in the store: each takes its input from there and leaves its output there, in portions of one
transaction each. So a run that is cut off anywhere goes on where it was, and a step repeated does nothing twice.
"""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from mapping.errors import HeadraceError
from state import runs
from sync.logs import logger
from sync.steps.apply import apply
from sync.steps.decide import decide
from sync.steps.derive import derive
from sync.steps.plan import Draft, plan
from sync.steps.poll import WHERE_IT_WAS, Reading, Start, poll
from sync.steps.resolve import resolve
from sync.steps.settle import settle
from sync.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sync.house import House
    from sync.steps.poll import Progress


MANY = 10_000
"""Changed records after which the database should look at its tables anew before the next steps search them."""


def run_cycle(
    house: House,
    progress: Progress,
    *,
    verb: str = "sync",
    systems: Sequence[str] | None = None,
    objects: Sequence[str] | None = None,
    is_dry: bool = False,
    start: Start = WHERE_IT_WAS,
) -> Summary:
    """Run the seven steps once; `now` is the start of the cycle for all of them.

    `systems` and `objects` narrow what is read, not what is decided. `is_dry` plans and writes nothing, whatever the
    mode. A system that is down costs its own part only; anything unforeseen marks the run as failed and is raised.
    """
    now_ms = house.clock()
    summary = Summary(verb=verb, mode="report" if is_dry else house.config.writes.mode)
    with run_book(house, summary):
        connectors = {name: house.connectors[name] for name in systems or house.connectors}

        with _step(summary, progress, "settle"):
            settle(house.db, connectors, run=summary.run)

        with _step(summary, progress, "poll"):
            summary.systems = poll(
                Reading(
                    db=house.db,
                    run=summary.run,
                    volatile=house.volatile,
                    progress=progress,
                    stop=house.stop,
                    start=start,
                    only=objects,
                    ours=house.ours,
                ),
                connectors,
            )
            if summary.changed >= MANY:
                house.db.analyze()

        with _step(summary, progress, "derive"):
            derived = derive(house.db, house.derivers, now_ms=now_ms, run=summary.run, stop=house.stop)
            summary.events, summary.unmapped = derived.events, derived.unmapped

        with _step(summary, progress, "resolve"):
            resolved = resolve(house.db, now_ms=now_ms, stop=house.stop)
            summary.people, summary.accounts, summary.doubts = resolved.people, resolved.accounts, resolved.doubts

        with _step(summary, progress, "decide"):
            summary.transitions = decide(
                house.db, house.program, now_ms=now_ms, systems=list(house.connectors), stop=house.stop
            ).transitions

        with _step(summary, progress, "plan"):
            draft = plan(house, summary, is_dry=is_dry)

        with _step(summary, progress, "apply"):
            if _may_write(house, draft, summary, is_dry=is_dry):
                apply(house, draft, summary)
    return summary


def _may_write(house: House, draft: Draft, summary: Summary, *, is_dry: bool) -> bool:
    return bool(draft.changes) and house.config.writes.mode == "write" and not (is_dry or summary.is_parked)


@contextmanager
def run_book(house: House, summary: Summary) -> Iterator[None]:
    """Keep the book of one run, from its first moment to its status."""
    with house.db.write() as conn:
        summary.run = runs.begin_run(conn, summary.verb, now_ms=house.clock())
    started = time.monotonic()
    logger.info("run.begun", run_id=summary.run, verb=summary.verb)
    try:
        yield
    except (HeadraceError, KeyboardInterrupt) as error:
        _finish(house, summary, "failed")
        logger.info("run.failed", run_id=summary.run, verb=summary.verb, code=type(error).__name__)  # it is told
        raise
    except BaseException:
        _finish(house, summary, "failed")
        logger.exception("run.failed", run_id=summary.run, verb=summary.verb)
        raise
    summary.elapsed_s = time.monotonic() - started
    _finish(house, summary, summary.status)
    logger.info(
        "run.finished",
        run_id=summary.run,
        verb=summary.verb,
        status=summary.status,
        elapsed_s=round(summary.elapsed_s, 3),
    )


def _finish(house: House, summary: Summary, status: str) -> None:
    with house.db.write() as conn:
        runs.finish_run(conn, summary.run, status, summary.to_json(), now_ms=house.clock())


@contextmanager
def _step(summary: Summary, progress: Progress, name: str) -> Iterator[None]:
    progress.step(name)
    started = time.process_time()
    yield
    summary.step_s[name] = time.process_time() - started
    logger.debug("step.finished", run_id=summary.run, step=name, elapsed_s=round(summary.step_s[name], 3))
