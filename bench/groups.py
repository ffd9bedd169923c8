"""The groups of measurements, each ending in goals: poll, store, rules, memory, idle, and the steps behind polling."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from bench.goals import Goal
from bench.measure import Job, fake, rerun, run_once, run_rounds

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.measure import Rounds

VENDORS = ("salesforce", "hubspot")
_SHORT = {"salesforce": "SF", "hubspot": "HS"}
_AGAIN = {"salesforce": (0.35, 0.25), "hubspot": (0.55, 0.45)}
_MOST_RERUNS = 2


class Scale(NamedTuple):
    """How much to measure: records, rounds, the two sizes of the memory goal, seconds of idling, size of the world."""

    records: int
    rounds: int
    memory: tuple[int, int]
    idle_s: int
    world: str


class Group(NamedTuple):
    """What a group found: goals, rows of the table of costs, and everything for the JSON."""

    goals: list[Goal]
    costs: list[tuple[str, ...]]
    detail: dict[str, Any]


def poll(scale: Scale) -> Group:
    """G1, G2, G3: from the wire to the store."""
    n = scale.records
    variants = ("network", "raw", "ours", "again", "peer")
    jobs = [Job(variant, vendor) for vendor in VENDORS for variant in variants]
    goals = []
    with fake(n) as url:
        found = run_rounds(jobs, n, scale.rounds, url=url)
        for vendor in VENDORS:
            raw, ours, again, peer = (Job(variant, vendor) for variant in variants[1:])
            short = _SHORT[vendor]
            peer_goal = Goal(
                name="G1", what=f"{short} backfill: CPU of dlt → SQLite over ours", gate=4, target=6, is_most=False
            )
            if peer in found.skipped:
                peer_goal.note = found.skipped[peer]
            else:
                _settle(peer_goal, found, peer, ours, n, url)
            share = Goal(
                name="G2", what=f"{short} backfill: share of the raw limit", gate=35, target=45, is_most=False, unit="%"
            )
            _settle(share, found, raw, ours, n, url, scale=100)
            gate, target = _AGAIN[vendor]
            repeat = Goal(
                name="G3", what=f"{short} read again unchanged over backfill", gate=gate, target=target, is_most=True
            )
            _settle(repeat, found, again, ours, n, url)
            counters = found.counters(again)
            written = counters["rows_written"] + counters["audit_rows"]
            repeat.note = f"{found.cost(again):.1f} of {found.cost(ours):.1f} µs a record, {written} rows written"
            if written:
                repeat.why = f"{written} rows written, must be 0"
            goals += [peer_goal, share, repeat]
    return Group(sorted(goals, key=lambda goal: goal.name), _costs(found), _detail(found))


def store(scale: Scale) -> Group:
    """G8: the store alone."""
    bare, ours = Job("executemany"), Job("store")
    found = run_rounds((bare, ours), scale.records, scale.rounds)
    goal = Goal(name="G8", what="store alone over executemany", gate=2.0, target=1.3, is_most=True)
    _settle(goal, found, ours, bare, scale.records, "")
    return Group([goal], _costs(found), _detail(found))


def rules(scale: Scale) -> Group:
    """G10: stage and score of a record."""
    by_hand, ours = Job("native"), Job("compiled")
    found = run_rounds((by_hand, ours), scale.records, scale.rounds)
    goal = Goal(name="G10", what="stage and score: compiled over by hand", gate=3.0, target=1.5, is_most=True)
    _settle(goal, found, ours, by_hand, scale.records, "")
    if found.counters(by_hand) != found.counters(ours):
        goal.why = "the two functions disagree"
    return Group([goal], _costs(found), _detail(found))


def memory(scale: Scale) -> Group:
    """G5: peak memory does not grow with the number of records."""
    small, large = scale.memory
    goals, costs, detail = [], [], {}
    for vendor in VENDORS:
        peaks = []
        for n in (small, large):
            with fake(n) as url:
                run = run_once(Job("ours", vendor), n, url)
            peaks.append(run["rss_mb"])
            print(f"  memory {vendor} {n}: {run['rss_mb']:.0f} MB", file=sys.stderr)
        what = f"{_SHORT[vendor]} peak memory, {large:,} over {small:,} records"
        goal = Goal(name="G5", what=what, gate=1.15, target=1.10, is_most=True).measured([peaks[1] / peaks[0]])
        goal.note = f"{peaks[0]:.0f} MB, {peaks[1]:.0f} MB"
        goals.append(goal)
        detail[f"memory {vendor}"] = dict(zip((str(small), str(large)), peaks, strict=True))
    return Group(goals, costs, detail)


def idle(scale: Scale) -> Group:
    """G11: the daemon polls every object of three systems, and nothing changes."""
    with _sandbox("tiny") as config, tempfile.TemporaryFile("w+") as talk:
        every = min(60, scale.idle_s)
        text = config.read_text(encoding="utf-8").replace('"5m"', f'"{every}s"').replace('"15m"', f'"{every}s"')
        config.write_text(text, encoding="utf-8")
        with _process([*_HEADRACE, "--config", str(config), "daemon"], config.parent, stderr=talk) as daemon:
            _wait_until_quiet(daemon.pid)
            before = _spent_s(daemon.pid)
            time.sleep(scale.idle_s)
            share = (_spent_s(daemon.pid) - before) / scale.idle_s * 100
            if daemon.poll() is not None:
                talk.seek(0)
                raise RuntimeError(f"the daemon ended:\n{talk.read()[-2000:]}")
    what = f"idle daemon, three systems each {every} s, share of a core"
    goal = Goal(name="G11", what=what, gate=0.5, target=0.1, is_most=True, unit="%").measured([share])
    goal.note = f"{scale.idle_s} s of process time"
    return Group([goal], [], {"idle": {"share_percent": share, "seconds": scale.idle_s}})


def steps(scale: Scale) -> Group:
    """What the steps behind the store cost on a first backfill of the sandbox's world."""
    with _sandbox(scale.world) as config:
        done = subprocess.run(
            [*_HEADRACE, "--config", str(config), "--json", "backfill"],
            cwd=config.parent, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode not in {0, 3}:
            raise RuntimeError(f"the backfill failed:\n{done.stderr[-2000:]}")
    summary = json.loads(done.stdout)
    read = sum(count["read"] for system in summary["systems"].values() for count in system["objects"].values())
    costs = {name: seconds / read * 1e6 for name, seconds in summary["step_s"].items()}
    behind = ("derive", "resolve", "decide", "plan")
    goal = Goal(
        name="steps", what=f"events, resolve, decide, plan: CPU a record, {scale.world} world", gate=80, target=50,
        is_most=True, unit="µs",
    ).measured([sum(costs[name] for name in behind)])  # fmt: skip
    goal.note = f"{read:,} records, {summary['events']:,} events"
    rows = [(name, f"{costs[name]:.1f}", "", "", "") for name in ("poll", *behind)]
    return Group([goal], rows, {"steps": {"records": read, "us_per_record": costs}})


GROUPS: dict[str, tuple[Callable[[Scale], Group], tuple[str, ...]]] = {
    "poll": (poll, ("G1", "G2", "G3")),
    "store": (store, ("G8",)),
    "rules": (rules, ("G10",)),
    "memory": (memory, ("G5",)),
    "steps": (steps, ("steps",)),
    "idle": (idle, ("G11",)),
}
"""Each group with the goals it answers."""

_HEADRACE = (sys.executable, "-P", "-c", "from sync.cli import main; main()")


def _settle(goal: Goal, found: Rounds, over: Job, under: Job, n: int, url: str, *, scale: float = 1) -> None:
    """The goal has its ratios; where they lie too far apart the pair is measured again."""
    for attempt in range(_MOST_RERUNS + 1):
        goal.measured([ratio * scale for ratio in found.ratios(over, under)])
        if not goal.is_noisy or attempt == _MOST_RERUNS:
            return
        print(f"  {goal.name} {goal.what}: noisy, measured again", file=sys.stderr)
        rerun(found, over, under, n, url=url)


def _costs(found: Rounds) -> list[tuple[str, ...]]:
    """A row for each variant: CPU, its spread, records a second of wall time, imports, memory."""
    rows = []
    for job, runs in found.runs.items():
        costs = sorted(run["us_per_record"] for run in runs)
        last = runs[-1]
        rows.append(
            (
                str(job),
                f"{found.cost(job):.2f}",
                f"{costs[0]:.2f} to {costs[-1]:.2f}",
                f"{last['import_s']:.2f}",
                f"{last['rss_mb']:.0f}",
            )
        )
    return rows


def _detail(found: Rounds) -> dict[str, Any]:
    detail: dict[str, Any] = {str(job): {"rounds": runs} for job, runs in found.runs.items()}
    return detail | {str(job): {"skipped": why} for job, why in found.skipped.items()}


@contextmanager
def _sandbox(size: str) -> Iterator[Path]:
    """The simulated vendors in a process of their own; gives the configuration that goes with them."""
    with tempfile.TemporaryDirectory(prefix="headrace-bench-") as folder:
        command = [*_HEADRACE, "--json", "sandbox", "--size", size, "--port", "0"]
        with _process(command, Path(folder), stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            told = ""
            while not told.endswith("\n}\n"):
                line = process.stdout.readline()
                if not line:
                    raise RuntimeError("the sandbox did not start")
                told += line
            yield Path(json.loads(told)["config"])


@contextmanager
def _process(command: list[str], folder: Path, **streams: Any) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(command, cwd=folder, text=True, env={**os.environ, "NO_COLOR": "1"}, **streams) as process:
        try:
            yield process
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=40)
            except subprocess.TimeoutExpired:
                process.kill()


def _spent_s(pid: int) -> float:
    """The CPU time that a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _wait_until_quiet(pid: int) -> None:
    """Wait for the end of the first cycles: two seconds almost without work."""
    for _ in range(60):
        before = _spent_s(pid)
        time.sleep(2)
        if _spent_s(pid) - before < 0.05:
            return
    raise RuntimeError("the daemon does not come to rest")
