"""How a run shows how far it has come: bars on a terminal, a line every ten seconds elsewhere, nothing for machines."""

from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress as Bars
    from rich.progress import TaskID

    from sync.catalogue import Catalogue
    from sync.screen import Screen

LINE_EVERY_S = 10.0


class Quiet:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass

    def read(self, system: str, object_: str, count: int) -> None:
        """So many more records of an object were read."""

    def finish(self, system: str, object_: str) -> None:
        """The object is read to its end."""

    def step(self, name: str) -> None:
        """The run has come to this step."""


class Lines(Quiet):
    """Says on standard error, at most every ten seconds, what was read since the start."""

    def __init__(self, words: Catalogue) -> None:
        self._words = words
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._said_at = time.monotonic()

    def read(self, system: str, object_: str, count: int) -> None:  # noqa: D102
        with self._lock:
            self._counts[system] += count
            if time.monotonic() - self._said_at >= LINE_EVERY_S:
                self._say(f"{system} {object_}")

    def step(self, name: str) -> None:  # noqa: D102
        with self._lock:
            if time.monotonic() - self._said_at >= LINE_EVERY_S:
                self._say(name)

    def _say(self, place: str) -> None:
        self._said_at = time.monotonic()
        counts = ", ".join(f"{system} {count:,}" for system, count in sorted(self._counts.items()))
        line = self._words("{place}: {counts} records read so far", place=place, counts=counts)
        sys.stderr.write(f"{line}\n")
        sys.stderr.flush()


class Terminal(Quiet):
    """A bar for each system, which names the object at hand, and a line for each later step."""

    def __init__(self, words: Catalogue) -> None:
        from rich.console import Console  # noqa: PLC0415  # slow to import, and only a terminal needs it
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn  # noqa: PLC0415

        self._words = words
        self._bars: Bars = Progress(
            TextColumn("  {task.description:<12}"),
            BarColumn(bar_width=20),
            TextColumn("{task.completed:>9,.0f}"),
            TextColumn("{task.fields[place]}"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
            transient=True,
        )
        self._tasks: dict[str, TaskID] = {}
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._bars.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bars.stop()

    def read(self, system: str, object_: str, count: int) -> None:  # noqa: D102
        self._bars.update(self._task(system), advance=count, place=object_)

    def finish(self, system: str, object_: str) -> None:  # noqa: D102
        self._bars.update(self._task(system), place=object_)

    def step(self, name: str) -> None:  # noqa: D102
        with self._lock:
            for task in self._tasks.values():
                self._bars.update(task, total=1, completed=1, visible=False)
            self._tasks = {name: self._bars.add_task(self._words(name), total=None, place="")}

    def _task(self, system: str) -> TaskID:
        with self._lock:
            if system not in self._tasks:
                self._tasks[system] = self._bars.add_task(system, total=None, place="")
            return self._tasks[system]


def choose(screen: Screen) -> Quiet:
    """The progress that suits where standard error goes; none beside a JSON document."""
    if screen.is_json:
        return Quiet()
    return Terminal(screen.words) if sys.stderr.isatty() else Lines(screen.words)
