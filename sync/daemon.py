"""The long-running process: each system is polled at its own pace, one cycle at a time, until told to stop.

SIGTERM and SIGINT drain: the cycle at hand ends its batch and leaves the rest to the next start; a second one ends at
once, which is safe. SIGHUP reads the configuration again and keeps the old one where the new one will not do.
"""

from __future__ import annotations

import os
import signal
import threading
import time
from typing import TYPE_CHECKING

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.interval import IntervalTrigger

from mapping.errors import HeadraceError, OperatorError
from sync import config
from sync.house import House
from sync.logs import logger
from sync.operations import apply_approved
from sync.pipeline import run_cycle
from sync.progress import Quiet

if TYPE_CHECKING:
    from pathlib import Path
    from types import FrameType

    from sync.config import Config

DRAIN_S = 30.0
"""How long a cycle may take to come to an end once the daemon was told to stop."""


APPROVED_EVERY_S = 2
"""How soon a plan that a person approved is written."""


class Daemon:
    """Owns the store's lease from start to end. `run` returns the exit code."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._wake = threading.Event()
        self._is_stopping = False
        self._is_reloading = False
        self._down: set[str] = set()

    def run(self) -> int:
        """Poll until a signal says stop; raises what `config.load` and `House.open` raise before the first poll."""
        chosen: Config | None = config.load(self._path)
        handlers = {number: signal.signal(number, self._on_signal) for number in _SIGNALS}
        try:
            while chosen is not None:
                chosen = self._serve(chosen)
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        return 0

    def _serve(self, chosen: Config) -> Config | None:
        """Poll under one configuration; returns the next one, or None to stop."""
        with House.open(chosen, self._path, needs_lease=True) as house:
            scheduler = self._schedule(house)
            logger.info("daemon.started", count=len(chosen.systems), mode=chosen.writes.mode)
            try:
                return self._wait()
            finally:
                self._drain(house, scheduler)

    def _schedule(self, house: House) -> BackgroundScheduler:
        """One worker, so one cycle at a time; a poll that was missed meanwhile runs once."""
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone="UTC",
        )
        # The first cycle sees all systems, so that nobody is judged, or written, by a part of what is known.
        scheduler.add_job(self._cycle, args=(house, list(house.config.systems)), id="first")
        for name, system in house.config.systems.items():
            every = IntervalTrigger(seconds=max(1, int(system.poll_every.total_seconds())))
            scheduler.add_job(self._cycle, every, args=(house, [name]), id=name)
        if house.config.writes.mode != "report":
            scheduler.add_job(self._write_approved, IntervalTrigger(seconds=APPROVED_EVERY_S), args=(house,))
        scheduler.start()
        return scheduler

    def _wait(self) -> Config | None:
        while True:
            self._wake.wait()
            self._wake.clear()
            if self._is_stopping:
                return None
            if self._is_reloading:
                self._is_reloading = False
                if (chosen := self._reload()) is not None:
                    return chosen

    def _reload(self) -> Config | None:
        try:
            chosen = config.load(self._path)
            for secret in config.secrets(chosen):
                secret.read()
            with House.open(chosen, self._path):
                pass
        except OperatorError as error:
            places = [problem.where for problem in error.problems]
            logger.error("config.refused", count=len(places), where=places)  # the problems are no traceback
            return None
        except HeadraceError as error:
            logger.error("config.refused", code=type(error).__name__)  # as above
            return None
        logger.info("config.reloaded")
        return chosen

    def _drain(self, house: House, scheduler: BackgroundScheduler) -> None:
        """Let the cycle at hand come to an end; once told to stop, one that does not is cut off, and repeated later."""
        house.stop.set()
        scheduler.pause()
        waiter = threading.Thread(target=scheduler.shutdown, name="drain", daemon=True)
        waiter.start()
        deadline: float | None = None  # a new configuration waits for as long as it takes
        while waiter.is_alive():
            if self._is_stopping and deadline is None:
                deadline = time.monotonic() + DRAIN_S
            if deadline is not None and time.monotonic() >= deadline:
                logger.warning("daemon.cut_off")
                os._exit(0)
            waiter.join(timeout=0.2)
        logger.info("daemon.drained")

    def _cycle(self, house: House, systems: list[str]) -> None:
        """One cycle that reads these systems; nothing that goes wrong in it ends the daemon."""
        if house.stop.is_set():
            return  # it waited in the queue while the daemon was told to stop
        try:
            summary = run_cycle(house, Quiet(), systems=systems)
        except HeadraceError as error:
            logger.error("cycle.failed", system=" ".join(systems), code=type(error).__name__)  # expected
            return
        except Exception:  # noqa: BLE001  # the daemon outlives its cycles; the log has the fault
            logger.exception("cycle.failed", system=" ".join(systems))
            return
        for system in systems:
            why = summary.systems[system].error
            if why is not None and system not in self._down:
                # The sentence without its values: they may be a vendor's words.
                logger.error("system.down", system=system, run_id=summary.run, fault=why.template)
                self._down.add(system)
            elif why is None and system in self._down:
                logger.info("system.recovered", system=system, run_id=summary.run)
                self._down.discard(system)

    def _write_approved(self, house: House) -> None:
        """Write what a person approved at another terminal."""
        try:
            apply_approved(house)
        except HeadraceError as error:
            logger.error("apply.failed", code=type(error).__name__)  # expected
        except Exception:  # noqa: BLE001  # the daemon outlives its cycles; the log has the fault
            logger.exception("apply.failed")

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._is_reloading = True
        elif self._is_stopping:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        else:
            self._is_stopping = True
        self._wake.set()


_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)
