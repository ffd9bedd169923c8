"""The same happening told by two systems is one: which events tell of it, and when it was."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.instants import DAY_MS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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

    def are_several(self, ordered: Sequence[Sequence[Any]]) -> bool:
        """Whether more than one system tells of anything."""
        subjects = {event[0] for event in ordered}
        if len(subjects) < 2:  # noqa: PLR2004  # one alone
            return False
        records = self._records
        return len({(True, records[s].system) if s in records else (False, s) for s in subjects}) > 1

    def dated_to_the_instant(self, ordered: list[Any]) -> list[Any]:
        """What one system dates by the day and another to the instant happened at the instant: the one follows the
        other in the walk, and is then found to be the same.
        """
        roles, offset = self._roles, self._offset
        by_day: list[tuple[int, Any]] = []
        told: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        for event in ordered:
            if event[4] is None and roles[event[3]].is_matched:
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
                within = 0 if is_day or happening.is_day else self._within
                is_near = since - within <= happening.ends and happening.since - within <= ends
                if is_near and self._is_elsewhere(subject, happening):
                    happening.subjects.append(subject)
                    happening.ids.append(event[2])
                    return happening, False
            if len(known) >= _REMEMBERED:
                del known[0]
        happening = Happening(since, ends, is_day, [subject], [event[2]])
        known.append(happening)
        return happening, True

    def _is_elsewhere(self, subject: int, happening: Happening) -> bool:
        """Whether the subject is of another system than everyone who told of the happening so far."""
        here = self._records.get(subject)
        for other in happening.subjects:
            there = self._records.get(other)
            if subject == other or (here is not None and there is not None and here.system == there.system):
                return False
        return True
