"""Rounds of measurements: every variant in a fresh process, in turn, round by round, so that drift cancels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT = Path(__file__).resolve().parent.parent
CORES = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
CLIENT_CORE, FAKE_CORE = (CORES[0], CORES[1]) if len(CORES) > 1 else (-1, -1)
NOISY = 1.5
"""A gated ratio whose largest round exceeds its smallest by this factor is measured again."""
_LIMIT_S = 900.0


class Job(NamedTuple):
    """One variant, for one vendor's pages."""

    variant: str
    vendor: str = "salesforce"

    def __str__(self) -> str:
        return f"{self.variant} {self.vendor}"


@dataclass(kw_only=True)
class Rounds:
    """What was measured, round by round; `skipped` says of what could not run why."""

    runs: dict[Job, list[dict[str, Any]]] = field(default_factory=dict)
    skipped: dict[Job, str] = field(default_factory=dict)

    def cost(self, job: Job) -> float | None:
        """The median CPU in microseconds a record."""
        runs = self.runs.get(job)
        return median(run["us_per_record"] for run in runs) if runs else None

    def ratios(self, over: Job, under: Job) -> list[float]:
        """One variant's CPU over another's, in each round."""
        pairs = zip(self.runs.get(over, ()), self.runs.get(under, ()), strict=True)
        return [one["us_per_record"] / other["us_per_record"] for one, other in pairs]

    def counters(self, job: Job) -> dict[str, int]:
        """The counters of the last round; those of all rounds must be equal."""
        found: list[dict[str, int]] = [run["counters"] for run in self.runs.get(job, ())]
        if any(one != found[0] for one in found):
            raise RuntimeError(f"{job} counts otherwise in every round: {found}")
        return found[-1] if found else {}


@contextmanager
def fake(total: int) -> Iterator[str]:
    """Both vendors' pages of so many records are served meanwhile, on the other core; gives the address."""
    command = [sys.executable, "-m", "bench.fake", str(total), str(FAKE_CORE)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(timeout=20)


def run_once(job: Job, n: int, url: str = "") -> dict[str, Any]:
    """Measure one variant once, in a process and a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        command = [
            sys.executable, "-m", "bench.worker", job.variant, job.vendor, str(n), url, folder, str(CLIENT_CORE),
        ]  # fmt: skip
        environment = {**os.environ, "NO_COLOR": "1", "DLT_DATA_DIR": folder, "HOME": folder}
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=_LIMIT_S
        )
    if done.returncode:
        raise RuntimeError(f"{job} failed:\n{done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def run_rounds(jobs: Sequence[Job], n: int, rounds: int, *, url: str = "") -> Rounds:
    """All jobs in turn (A B C, A B C, ...); one that says it cannot run is left out from then on."""
    found = Rounds()
    for number in range(1, rounds + 1):
        for job in jobs:
            if job in found.skipped:
                continue
            run = run_once(job, n, url)
            if "skipped" in run:
                found.skipped[job] = run["skipped"]
                print(f"  {job}: skipped, {run['skipped']}", file=sys.stderr)
                continue
            found.runs.setdefault(job, []).append(run)
            print(f"  round {number} of {rounds}: {job} {run['us_per_record']:.2f} µs a record", file=sys.stderr)
    return found


def rerun(found: Rounds, over: Job, under: Job, n: int, *, url: str = "") -> None:
    """Measure a pair again, in as many rounds; what came of them takes the place of what was there."""
    again = run_rounds((over, under), n, len(found.runs[over]), url=url)
    found.runs.update(again.runs)
