"""One variant in a process of its own: `python -m bench.worker VARIANT VENDOR N URL FOLDER CORE`, one JSON line.

A variant is a module of `bench.variants` with `run(n, place, ready) -> Counters`, which is timed, and, where something
must be there beforehand, `prepare(n, place)`, which makes `ready` and is not. Imports are reported apart.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import resource
import sys
import time
from pathlib import Path

from bench.place import Place


def _cpu_s() -> float:
    spent = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in spent)


def main() -> None:
    """Measure and print."""
    name, vendor, n, url, folder, core = sys.argv[1:]
    if int(core) >= 0:
        os.sched_setaffinity(0, {int(core)})
    started = _cpu_s()
    try:
        variant = importlib.import_module(f"bench.variants.{name}")
    except ModuleNotFoundError as error:
        print(json.dumps({"skipped": f"{error.name} is not installed"}))
        return
    imported = _cpu_s()
    place = Place(vendor=vendor, url=url, folder=Path(folder))
    ready = variant.prepare(int(n), place) if hasattr(variant, "prepare") else None
    place.asked()
    gc.collect()
    before, began = _cpu_s(), time.perf_counter()
    counters = variant.run(int(n), place, ready)
    spent, took = _cpu_s() - before, time.perf_counter() - began
    rss_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    asked = place.asked()
    if asked:
        counters |= {"http_calls": sum(asked.values()), **{f"http {key}": count for key, count in asked.items()}}
    found = {
        "us_per_record": spent / int(n) * 1e6,
        "wall_s": took,
        "import_s": imported - started,
        "rss_mb": rss_mb,
        "counters": counters,
    }
    print(json.dumps(found), flush=True)
    os._exit(0)  # what threads of a peer still do is nobody's concern


if __name__ == "__main__":
    main()
