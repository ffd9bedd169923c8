"""The same happening told by two systems, or by two records of one entity, is one: who tells of it, and when it was.

A vendor that merges two records leaves what happened on both of them: it is dated alike, to the millisecond.
"""

from __future__ import annotations

from collections import defaultdict
from functools import partial
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.instants import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from mapping.stages import Role


class Whereabouts(NamedTuple):
    """Where a record belongs: the number of its system, and its entity's key."""

    system: int
    entity: int


class Happening(NamedTuple):
    """What one or more systems said of one thing that happened: its ids, and between which instants it did."""

    since: int
    ends: int
    is_day: bool
    subjects: list[int]
    ids: list[bytes]


_happening: Callable[[tuple[int, int, bool, list[int], list[bytes]]], Happening] = partial(tuple.__new__, Happening)
"""One at half of its constructor's price."""

_WHO_AND_WHAT = itemgetter(0, 3)

_REMEMBERED = 4
"""How many happenings of a kind are looked back upon."""


class Happenings:
    """What has happened so far to one entity, told by however many systems.

    `within_ms` is how far apart two systems may date one happening; `offset` gives the company's distance from UTC.
    """

    __slots__ = ("_offset", "_recent", "_records", "_roles", "_within")

    def __init__(
        self,
        roles: Mapping[str, Role],
        records: Mapping[int, Whereabouts],
        offset: Callable[[int], int],
        within_ms: int,
    ) -> None:
        self._roles = roles
        self._records = records
        self._offset = offset
        self._within = within_ms
        self._recent: dict[str, list[Happening]] = {}

    def told_by_several(self, ordered: Sequence[Sequence[Any]]) -> set[str]:
        """The kinds of events of which one thing that happened may have been told twice.

        None where all is told by one system and one record of each entity.
        """
        told = set(map(_WHO_AND_WHAT, ordered))
        subjects = {subject for subject, _ in told}
        if len(subjects) < 2:  # noqa: PLR2004  # one alone
            return set()
        records = self._records
        if len({(True, records[s].system) if s in records else (False, s) for s in subjects}) < 2:  # noqa: PLR2004  # one alone
            entities = [records[s].entity for s in subjects if s in records]
            if len(set(entities)) == len(entities):
                return set()
        once: set[str] = set()
        several: set[str] = set()
        for _, kind in told:
            if self._roles[kind].is_matched:
                (several if kind in once else once).add(kind)
        return several

    def dated_to_the_instant(self, ordered: list[Any], several: Collection[str]) -> list[Any]:
        """What one system dates by the day and another to the instant happened at the instant: the one follows the
        other in the walk, and is then found to be the same.
        """
        offset = self._offset
        by_day: list[tuple[int, Any]] = []
        told: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        for event in ordered:
            if event[3] in several and event[4] is None:
                day, rest = divmod(event[1] + offset(event[1]), DAY_MS)
                if rest:
                    told[event[3], day].append(event)
                else:
                    by_day.append((day, event))
        if not by_day or not told:
            return ordered
        followers: dict[bytes, Any] = {}
        moved: set[bytes] = set()
        for day, event in by_day:
            for other in told.get((event[3], day), ()):
                happening = Happening(other[1], other[1], False, [other[0]], [])
                if other[2] not in followers and self._is_elsewhere(event[0], happening):
                    followers[other[2]] = (event[0], other[1], *event[2:])
                    moved.add(event[2])
                    break
        return [
            told_of
            for event in ordered
            if event[2] not in moved
            for told_of in ((event, followers[event[2]]) if event[2] in followers else (event,))
        ]

    def match(self, event: Sequence[Any], *, is_day: bool) -> tuple[Happening, bool]:
        """The happening that the event tells of, and whether it is the first to do so."""
        subject, at, kind = event[0], event[1], event[3]
        since = at if event[4] is None else event[4]
        ends = at + DAY_MS - 1 if is_day else at
        known = self._recent.get(kind)
        if known is None:
            known = self._recent[kind] = []
        else:
            for happening in known:
                first, last, was_day, subjects, ids = happening
                within = 0 if is_day or was_day else self._within
                is_near = since - within <= last and first - within <= ends
                if is_near and (
                    self._is_elsewhere(subject, happening)
                    or (first == since == at == last and self._is_copy(subject, happening))
                ):
                    subjects.append(subject)
                    ids.append(event[2])
                    return happening, False
            if len(known) >= _REMEMBERED:
                del known[0]
        happening = _happening((since, ends, is_day, [subject], [event[2]]))
        known.append(happening)
        return happening, True

    def _is_copy(self, subject: int, happening: Happening) -> bool:
        """Whether the subject is another record of the entity of one who told of the happening."""
        here = self._records.get(subject)
        if here is None or subject in happening.subjects:
            return False
        there = [self._records.get(other) for other in happening.subjects]
        return any(other is not None and other.entity == here.entity for other in there)

    def _is_elsewhere(self, subject: int, happening: Happening) -> bool:
        """Whether the subject is of another system than everyone who told of the happening so far."""
        here = self._records.get(subject)
        for other in happening.subjects:
            there = self._records.get(other)
            if subject == other or (here is not None and there is not None and here.system == there.system):
                return False
        return True
