"""How often and how much at once one vendor account may be called."""

from __future__ import annotations

from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING

from pyrate_limiter import InMemoryBucket, Rate, RateItem

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Budget:
    """The calls that one vendor account allows: some in any stretch of time, and some at the same moment.

    `windows` are (calls, seconds) that hold all at once, as (190, 10) for 190 calls in any ten seconds. `lanes` are
    narrower limits for some calls, which count against `windows` too (HubSpot's search). It reads no clock and never
    sleeps: the transport asks it with its own clock, and waits. Safe for several threads.
    """

    def __init__(
        self,
        windows: Sequence[tuple[int, float]] = (),
        *,
        lanes: Mapping[str, Sequence[tuple[int, float]]] | None = None,
        in_flight: int = 4,
    ) -> None:
        self.in_flight = BoundedSemaphore(in_flight)
        self._lock = Lock()
        self._all = _Limit(windows)
        self._lanes = {name: _Limit(limits) for name, limits in (lanes or {}).items()}
        self._paused_until = float("-inf")
        self._latest = float("-inf")  # threads may come in another order than they read the clock

    def take(self, now: float, *, cost: int = 1, lane: str = "") -> float:
        """Take `cost` calls and return 0, or take nothing and return the seconds to wait before asking again."""
        with self._lock:
            now = self._latest = max(now, self._latest)
            if now < self._paused_until:
                return self._paused_until - now
            own = self._lanes.get(lane)
            if wait := self._all.take(now, cost):
                return wait
            if own and (wait := own.take(now, cost)):
                self._all.give_back(cost)
                return wait
            return 0.0

    def pause(self, until: float) -> None:
        """Let nobody call before that instant of the transport's clock; a shorter pause than one that holds is none."""
        with self._lock:
            self._paused_until = max(self._paused_until, until)


class _Limit:
    """Sliding windows over the calls of one lane; instants in seconds, never going back.

    It drives the bucket itself, since the library's own limiter sleeps on the real clock and starts a thread.
    """

    def __init__(self, windows: Sequence[tuple[int, float]]) -> None:
        rates = [Rate(calls, max(1, round(seconds * 1000))) for calls, seconds in windows]
        self._bucket = InMemoryBucket(rates) if rates else None
        self._most = min((rate.limit for rate in rates), default=0)

    def take(self, now: float, cost: int) -> float:
        """Count `cost` calls and return 0, or count nothing and return the seconds until they fit."""
        if self._bucket is None:
            return 0.0
        at_ms = int(now * 1000)
        self._bucket.leak(at_ms)
        item = RateItem("call", at_ms, weight=min(cost, self._most))
        if self._bucket.put(item):
            return 0.0
        wait_ms = self._bucket.waiting(item)
        if not isinstance(wait_ms, int):  # only remote buckets answer later
            raise TypeError(wait_ms)
        return max(wait_ms, 1) / 1000

    def give_back(self, cost: int) -> None:
        """Undo the latest `take` of this cost."""
        if self._bucket is not None:
            del self._bucket.items[-min(cost, self._most) :]
