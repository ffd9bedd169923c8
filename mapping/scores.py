"""Points, and what is left of them: whole numbers that step down at midnight, never a float.

What is left of `points` after `days` midnights is `points * 2 ** (-days / half_life)`, rounded half up. It is found by
comparing whole numbers, so that it is the same on every machine: n is left where
`(2n - 1) ** half_life * 2 ** days <= (2 * points) ** half_life`. A window ends them all at once, a cap limits what is
left of all entries of one rule together; the newest entries keep theirs first.
"""

from __future__ import annotations

from bisect import bisect_right
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from mapping.instants import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

_EPOCH = date(1970, 1, 1)
_EVER = 1 << 62
_BUCKET_MS = 900_000
"""Offsets of time zones change at whole quarters of an hour."""


class Left(NamedTuple):
    """What is left of one entry's points: `steps[d]` after d midnights, `rest` once the steps have ended.

    `drops` are the days at which it becomes another number. `days`: how long it is to be counted at all.
    """

    steps: tuple[int, ...]
    drops: tuple[int, ...]
    rest: int
    days: int

    def after(self, days: int) -> int:
        """The points left after so many midnights; none before the entry was earned."""
        if days < 0:
            return 0
        return self.steps[days] if days < len(self.steps) else self.rest

    def next_drop(self, days: int) -> int | None:
        """The first day after `days` on which the number changes, None where it never does again."""
        index = bisect_right(self.drops, days)
        return self.drops[index] if index < len(self.drops) else None


@lru_cache(maxsize=8_192)
def left(points: int, half_life: int | None, window: int | None) -> Left:
    """What is left of some points, day by day; `half_life` and `window` in days."""
    size, sign = abs(points), -1 if points < 0 else 1
    steps: list[int] = []
    if half_life is None:
        steps = [points] * (window or 1)
        rest = 0 if window is not None else points
    else:
        rest = 0
        now, days, limit = size, 0, (2 * size) ** half_life
        while now > 0 and (window is None or days < window):
            while now > 0 and (2 * now - 1) ** half_life << days > limit:
                now -= 1
            if now:
                steps.append(sign * now)
            days += 1
    values = [*steps, rest]
    drops = tuple(day for day in range(1, len(values)) if values[day] != values[day - 1])
    return Left(tuple(steps), drops, rest, _EVER if rest else len(steps))


class Days:
    """The calendar of one time zone: which day an instant falls on, when a day begins. Days count from 1970-01-01.

    No zone changes its offset twice between two midnights of UTC.
    """

    __slots__ = ("_offsets", "_quarters", "_starts", "zone")

    def __init__(self, zone: ZoneInfo) -> None:
        self.zone = zone
        self._offsets: dict[int, int] = {}
        self._quarters: dict[int, int] = {}
        self._starts: dict[int, int] = {}

    def offset(self, at_ms: int) -> int:
        """The zone's offset from UTC at an instant, in milliseconds."""
        found = self._offsets.get(at_ms // DAY_MS)
        return self._look_up(at_ms) if found is None else found

    def _look_up(self, at_ms: int) -> int:
        """Ask the zone, and remember the answer for the whole day where it does not change within."""
        day = at_ms // DAY_MS
        first, next_ = self._in_quarter(day * DAY_MS), self._in_quarter((day + 1) * DAY_MS)
        if first != next_:
            return self._in_quarter(at_ms)
        self._offsets[day] = first
        return first

    def _in_quarter(self, at_ms: int) -> int:
        bucket = at_ms // _BUCKET_MS
        found = self._quarters.get(bucket)
        if found is None:
            local = datetime.fromtimestamp(bucket * _BUCKET_MS // 1000, UTC).astimezone(self.zone)
            delta = local.utcoffset()
            assert delta is not None
            found = self._quarters[bucket] = int(delta.total_seconds()) * 1000
        return found

    def day(self, at_ms: int) -> int:
        """The day an instant falls on."""
        return (at_ms + self.offset(at_ms)) // DAY_MS

    def start(self, day: int) -> int:
        """The instant at which a day begins."""
        found = self._starts.get(day)
        if found is None:
            midnight = datetime.combine(_EPOCH + timedelta(days=day), time.min, tzinfo=self.zone)
            found = self._starts[day] = int(midnight.timestamp()) * 1000
        return found


class Entry(NamedTuple):
    """One line of the ledger: the points a rule gave, for which event, when. No points: further evidence of a line.

    `event` is empty where a rule about attributes gave them; `at` is then since when it has been so.
    """

    rule: str
    at: int
    event: bytes
    points: int


class Fading(NamedTuple):
    """How a behaviour rule's points end: `half_life` and `window` in days, `cap` on what is left of all."""

    half_life: int | None = None
    window: int | None = None
    cap: int | None = None

    def left(self, points: int) -> Left:
        """What is left of an entry's points."""
        return left(points, self.half_life, self.window)


_LASTING = Fading()


def remaining(entries: Iterable[Entry], fading: Mapping[str, Fading], days: Days, now_ms: int) -> list[Entry]:
    """The lines with what is left of their points at an instant; their sum is the score at that instant.

    Lines of which nothing is left are not among them. The newest come first within a rule.
    """
    today = days.day(now_ms)
    by_rule: dict[str, list[Entry]] = {}
    for entry in entries:
        if entry.at <= now_ms and entry.points:
            by_rule.setdefault(entry.rule, []).append(entry)
    lines: list[Entry] = []
    for rule, found in by_rule.items():
        how = fading.get(rule, _LASTING)
        room = how.cap
        for entry in sorted(found, key=lambda e: (-e.at, e.event)):
            points = how.left(entry.points).after(today - days.day(entry.at)) if rule in fading else entry.points
            if room is not None:
                points = min(points, room)
                room -= max(points, 0)
            if points:
                lines.append(entry._replace(points=points))
    return lines


Live = tuple[int, Left]
"""An entry while it is counted: the day on which it was earned, and what is left of it."""


def total(live: Collection[Sequence[Live]], caps: Sequence[int | None], day: int) -> int:
    """The points left on a day of every rule's entries, each rule's within its cap."""
    sum_ = 0
    for entries, cap in zip(live, caps, strict=True):
        if not entries:
            continue
        points = 0
        for earned, (steps, _, rest, _) in entries:
            index = day - earned
            points += steps[index] if index < len(steps) else rest
        sum_ += points if cap is None or points < cap else cap
    return sum_


def next_change(live: Collection[Sequence[Live]], caps: Sequence[int | None], day: int) -> int | None:
    """The first day after `day` on which `total` is another, None where it never is."""
    now = total(live, caps, day)
    at = day
    while True:
        soonest = None
        for entries in live:
            for earned, what in entries:
                if not what.drops or what.drops[-1] <= at - earned:
                    continue
                drop = what.next_drop(at - earned)
                if drop is not None and (soonest is None or earned + drop < soonest):
                    soonest = earned + drop
        if soonest is None:
            return None
        if total(live, caps, soonest) != now:
            return soonest
        at = soonest
