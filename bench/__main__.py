"""`python -m bench`: measures, prints the goals with ours beside them, and ends with 1 where a gate is missed."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from bench.goals import Goal, table
from bench.groups import GROUPS, Scale

_QUICK = Scale(records=20_000, rounds=3, memory=(20_000, 200_000), idle_s=60, world="tiny")
_USUAL = Scale(records=50_000, rounds=5, memory=(100_000, 1_000_000), idle_s=60, world="small")
_FULL = Scale(records=200_000, rounds=5, memory=(100_000, 1_000_000), idle_s=60, world="small")
_VERSIONS = ("httpx", "msgspec", "orjson", "sqlalchemy", "xxhash", "pysqlite3", "dlt", "uvloop")


def main() -> int:
    """Measure what was asked for."""
    names = {goal.lower(): name for name, (_, goals) in GROUPS.items() for goal in (*goals, name)}
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--quick", action="store_true", help="20,000 records, 3 rounds: about two minutes")
    size.add_argument("--full", action="store_true", help="200,000 records, 5 rounds")
    parser.add_argument("--only", action="append", type=str.lower, choices=sorted(names), help="a goal or a group")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write everything there")
    asked = parser.parse_args()
    scale = _QUICK if asked.quick else _FULL if asked.full else _USUAL
    wanted = {names[name] for name in asked.only} if asked.only else set(GROUPS)
    goals: list[Goal] = []
    costs: list[tuple[str, ...]] = []
    failed: list[str] = []
    detail: dict[str, Any] = {"machine": _machine(), "scale": scale._asdict()}
    for name, (measure, _) in GROUPS.items():
        if name in wanted:
            print(f"{name} ...", file=sys.stderr)
            try:
                found = measure(scale)
            except RuntimeError as error:
                print(error, file=sys.stderr)
                failed.append(name)
                continue
            goals += found.goals
            costs += found.costs
            detail |= found.detail
    detail["machine"]["load_after"] = os.getloadavg()
    if costs:
        print(table(("variant", "CPU µs a record", "rounds", "imports s", "peak MB"), costs), end="\n\n")
    head = ("goal", "", "gate", "target", "ours", "rounds", "", "")
    print(table(head, [goal.row() for goal in goals]))
    if asked.json:
        detail["goals"] = [goal.to_json() for goal in goals]
        asked.json.write_text(json.dumps(detail, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    if failed:
        print(f"\ncould not be measured: {', '.join(failed)}")
    return int(bool(failed) or any(goal.verdict in {"MISS", "noisy"} for goal in goals))


def _machine() -> dict[str, Any]:
    """What the figures depend on beside ourselves."""
    found: dict[str, str] = {"python": platform.python_version()}
    for name in _VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return {"cores": os.cpu_count(), "platform": platform.platform(), "load_before": os.getloadavg(), "versions": found}


if __name__ == "__main__":
    sys.exit(main())
