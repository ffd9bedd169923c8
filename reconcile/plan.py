"""The difference between what headrace decided and what the vendors show, as an exact list.

Pure and deterministic: equal inputs give an equal plan with an equal digest, in whatever order they come.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from enum import StrEnum
from operator import itemgetter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from reconcile.changes import Change, Kind, Value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from mapping.records import Ref

    Adjust = Callable[[str, str, str, Value], Value]
    """(system, object, field, value) -> the value in the form in which it is compared; see `Connector.adjust`.

    It is not asked of None, which stays None.
    """


_text = msgspec.json.Encoder().encode
_FIELD = itemgetter(0)


class Role(StrEnum):
    """What a field of ours carries."""

    STAGE = "stage"
    SCORE = "score"
    STAGE_AT = "stage_at"
    ID = "id"
    EXTRA = "extra"


class Why(StrEnum):
    """Why a change is held back though it is wanted."""

    NOT_READ = "not_read"
    """The remote value was never read, so nothing can be said of it."""
    CONVERTED = "converted"
    """A converted lead is an alias; its contact is written."""
    DELETED = "deleted"
    """The record is deleted at the vendor."""
    PINNED = "pinned"
    """An undo restored the field and holds it until a person releases it."""
    QUARANTINED = "quarantined"
    """The vendor refused it before; it waits for a fix or a person."""
    SYSTEM_DOWN = "system_down"
    """The system cannot be reached, so its records may have moved."""


class Wish(NamedTuple):
    """A value that one field of ours should have, and why: the words a person reads and the rule that decided."""

    field: str
    role: Role
    value: Value
    reason: str
    rule: str


class Target(NamedTuple):
    """One record and what it should show. `payload` is what was last read; a field missing there is unknown."""

    ref: Ref
    entity: str
    payload: Mapping[str, Any]
    wishes: Sequence[Wish]
    why_not: Why | None = None


class Held(NamedTuple):
    """A wanted change that is not made, and why. `before` is None where it is unknown."""

    ref: Ref
    field: str
    before: Value
    after: Value
    reason: str
    rule: str
    why: Why
    entity: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """An exact, ordered set of changes, those held back and why; `digest` names the changes and nothing else."""

    changes: tuple[Change, ...]
    held: tuple[Held, ...]
    digest: str

    @property
    def by_kind(self) -> dict[str, int]:
        """Changes counted by kind, every kind present."""
        kinds = [change.kind for change in self.changes]
        return {kind.value: kinds.count(kind) for kind in Kind}


@dataclass(frozen=True, kw_only=True, slots=True)
class Policy:
    """What decides whether a difference is a change.

    `ranks` orders the values that a stage field can show; `ends` are those after which everything is a new beginning
    (a lost deal, a churned customer); `score_step` is the least move of a score that is written; `set_aside` says of a
    (record key, field) why it is not written now.
    """

    ranks: Mapping[str, int]
    ends: frozenset[str] = frozenset()
    score_step: int = 1
    set_aside: Mapping[tuple[int, str], Why] | None = None


def build_plan(targets: Iterable[Target], policy: Policy, adjust: Adjust) -> Plan:
    """Compare what every target should show with what it shows.

    | remote          | wanted      | becomes                                          |
    | --------------- | ----------- | ------------------------------------------------ |
    | not read        | anything    | held, `not_read`                                 |
    | anything        | None        | nothing: a blank never overwrites                |
    | equal, adjusted | equal       | nothing                                          |
    | a near score    | a score     | nothing, if it moved by less than `score_step`   |
    | differs         | a value     | a change, or held if the record is not writable  |
    """
    changes: list[Change] = []
    held: list[Held] = []
    for target in sorted(targets, key=place_of):
        for wish in sorted(target.wishes, key=_FIELD):
            found = _compare(target, wish, policy, adjust)
            if isinstance(found, Change):
                changes.append(found)
            elif found is not None:
                held.append(found)
    return Plan(changes=tuple(changes), held=tuple(held), digest=digest(changes))


def _compare(target: Target, wish: Wish, policy: Policy, adjust: Adjust) -> Change | Held | None:
    ref, entity, payload, _, why = target
    field, role, wanted, reason, rule = wish
    if wanted is None:
        return None
    after = adjust(ref.system, ref.object, field, wanted)
    if field not in payload:
        return Held(ref, field, None, after, reason, rule, why or Why.NOT_READ, entity)
    shown = payload[field]
    before = None if shown is None else adjust(ref.system, ref.object, field, shown)
    if before == after or (role is Role.SCORE and _is_near(before, after, policy.score_step)):
        return None
    if why is None and policy.set_aside:
        why = policy.set_aside.get((ref.key, field))
    if why is not None:
        return Held(ref, field, before, after, reason, rule, why, entity)
    kind = _kind(role, before, after, policy)
    return Change(ref=ref, field=field, before=before, after=after, reason=reason, rule=rule, kind=kind, entity=entity)


class Digest:
    """Names a set of changes by its content, whatever the order and the portions in which it is added.

    The sum of the SHA-256 of every change: what a person approves is what is applied.
    """

    def __init__(self) -> None:
        self._sum = 0

    def add(self, change: Change) -> None:
        """The set holds this change, too."""
        line = (*change.ref, change.field, change.before, change.after, change.rule, change.kind)
        self._sum += int.from_bytes(hashlib.sha256(_text(line)).digest())

    def add_all(self, name: str) -> None:
        """The set holds every change of another set, too, which goes by this name."""
        self._sum += int(name, 16)

    def __str__(self) -> str:
        return f"{self._sum % (1 << 256):064x}"


def digest(changes: Iterable[Change]) -> str:
    """Name a set of changes by its content: 64 hex digits."""
    total = Digest()
    for change in changes:
        total.add(change)
    return str(total)


def place(item: Change | Held) -> tuple[str, str, int, str, str]:
    """Where a change stands in a plan: by system, object, id and field."""
    return *place_of(item), item.field


def place_of(item: Change | Held | Target) -> tuple[str, str, int, str]:
    """Where what becomes of a record stands in a plan."""
    # Ids sort by length first, so that numeric ids stand in numeric order.
    system, object_, id_ = item.ref
    return system, object_, len(id_), id_


def _is_near(before: Value, after: Value, score_step: int) -> bool:
    return isinstance(before, int) and isinstance(after, int) and abs(after - before) < score_step


def _kind(role: Role, before: Value, after: Value, policy: Policy) -> Kind:
    if before is None:
        return Kind.FIRST
    if role is not Role.STAGE:
        return Kind.CORRECT
    old, new = policy.ranks.get(str(before)), policy.ranks.get(str(after))
    if old is None or new is None or old == new:
        return Kind.CORRECT
    return Kind.ADVANCE if new > old or str(before) in policy.ends else Kind.REGRESS
