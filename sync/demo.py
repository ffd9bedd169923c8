"""The company that does not exist: three simulated vendors on this machine, and headrace at work on them."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from mapping.errors import OperatorError, Problem
from mapping.text import say
from sandbox.configuration import HEADING
from sandbox.server import Sandbox
from sync import config
from sync.backfill import backfill
from sync.house import House
from sync.pages import show_overview
from sync.progress import choose

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sync.screen import Screen

SIZES = ("tiny", "small", "large")
SEED = 1
PERSON = "yamada@aoba.example"
MARK = ".headrace-demo"
"""Stands in a folder that a demo made, and may empty again."""


def run(screen: Screen, *, folder: Path, is_once: bool, port: int) -> None:
    """Backfill the simulated company into a fresh store in `folder` and show what headrace makes of it."""
    started = time.monotonic()
    _clear(folder)
    with _company(folder, size="tiny", seed=SEED, port=port) as (_, path):
        chosen = config.load(path)
        with House.open(chosen, path, needs_lease=True) as house:
            with choose(screen) as progress:
                summary = backfill(house, progress)
            summary.elapsed_s = time.monotonic() - started
            if screen.is_json:
                screen.summary(summary)
            else:
                show_overview(screen, house, summary, PERSON)
        if not is_once:
            screen.say("The three vendors go on until Ctrl-C; try headrace --config {path} sync", path=path)
            _wait()


def serve(screen: Screen, *, folder: Path, port: int, seed: int, size: str) -> None:
    """Run the simulated vendors until Ctrl-C; what is printed is enough to use them."""
    _spare_other_configurations(folder)
    with _company(folder, size=size, seed=seed, port=port) as (company, path):
        if screen.is_json:
            systems = {name: {"url": url} for name, url in company.urls.items()}
            screen.json({"config": str(path.resolve()), "systems": systems})
        else:
            for name, url in company.urls.items():
                screen.say("  {name:<12} {url}", name=name, url=url)
            screen.say("Next, in another terminal: headrace --config {path} sync", path=path)
        _wait()


@contextmanager
def _company(folder: Path, *, size: str, seed: int, port: int) -> Iterator[tuple[Sandbox, Path]]:
    with Sandbox(size=size, seed=seed, port=port) as company:
        yield company, company.write_config(folder)


def _clear(folder: Path) -> None:
    """Begin with an empty folder; only one that a demo made is emptied, and none is used that holds anything else."""
    mark = folder / MARK
    if mark.exists():
        shutil.rmtree(folder)
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        hint = say("name an empty one with --folder")
        raise OperatorError([Problem(str(folder), say("holds something that no demo made"), hint)], exit_code=2)
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()


def _spare_other_configurations(folder: Path) -> None:
    """Only a configuration that a sandbox wrote is written over."""
    path = folder / "config.toml"
    if path.exists() and not path.read_bytes().startswith(HEADING.encode()):
        hint = say("name another folder with --folder")
        raise OperatorError([Problem(str(path), say("is no sandbox's configuration"), hint)], exit_code=2)


def _wait() -> None:
    """Return on Ctrl-C or SIGTERM, which is how a demo ends."""
    told = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: told.set())
    try:
        with suppress(KeyboardInterrupt):
            told.wait()
    finally:
        signal.signal(signal.SIGTERM, before)
