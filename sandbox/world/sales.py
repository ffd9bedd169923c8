"""What sales does with a lead, and how opportunities go: assigned, accepted or not, won or lost, with reasons."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world.dice import happens, one_of
from sandbox.world.marketing import DAY_MS, HOUR_MS, office_hours
from sandbox.world.staff import FIELD, INSIDE

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.companies import Company
    from sandbox.world.marketing import Interest
    from sandbox.world.people import Person
    from sandbox.world.staff import Employee, Staff

ACCEPTED, REJECTED, RECYCLED, CONVERTED = "accepted", "rejected", "recycled", "converted"
CALL, MAIL, MEETING, NOTE = "call", "email", "meeting", "note"

_REJECTION_REASONS: Final = (
    ("no_response", 0.31),
    ("research_only", 0.22),
    ("competitor", 0.08),
    ("budget", 0.13),
    ("timing", 0.12),
    ("not_target", 0.14),
)
_WAIT = ""
"""Nothing has come of it so far."""
_MQL_OUTCOMES: Final = ((ACCEPTED, 0.63), (REJECTED, 0.2), (RECYCLED, 0.09), (_WAIT, 0.08))
_COLD_OUTCOMES: Final = ((ACCEPTED, 0.15), (REJECTED, 0.4), (_WAIT, 0.45))
_ACCEPTED_OUTCOMES: Final = ((CONVERTED, 0.69), (REJECTED, 0.11), (RECYCLED, 0.08), (_WAIT, 0.12))
LOSS_REASONS: Final = ("price", "competitor", "timing", "no_decision")
ROLES: Final = ("Decision Maker", "Economic Buyer", "User", "Champion")
_EARLY_CHANNELS: Final = frozenset({"Trade Show", "Outbound", "Referral"})
"""Sales has who comes through these at once; of all others only who becomes an MQL."""
LAST_STAGE: Final = 4
"""Open stages of a sale are 0 to 4; what each vendor calls them its writer knows."""


class Step(NamedTuple):
    """One change of a lead's status."""

    at: int
    kind: str
    reason: str | None = None


class Activity(NamedTuple):
    """One call, mail, meeting or note with a person."""

    at: int
    kind: str
    owner: Employee
    is_reached: bool = True


@dataclass(kw_only=True, slots=True)
class Course:
    """One person's way through sales: the lead, its steps in order, and the work on it."""

    created_at: int
    owner: Employee
    steps: list[Step] = field(default_factory=list)
    activities: list[Activity] = field(default_factory=list)

    @property
    def converted_at(self) -> int | None:
        """When the lead became a contact with an opportunity or account, None if it has not."""
        return next((step.at for step in self.steps if step.kind == CONVERTED), None)


class Party(NamedTuple):
    """One person's part in a sale."""

    person: Person
    role: str
    is_primary: bool
    since: int


@dataclass(kw_only=True, slots=True)
class Sale:
    """One opportunity; `moves` are (instant, open stage) in order, the first being its creation."""

    number: int
    company: Company
    type: str
    created_at: int
    owner: Employee
    amount: int
    channel: str
    moves: list[tuple[int, int]]
    due_at: int
    closed_at: int | None = None
    is_won: bool = False
    loss_reason: str | None = None
    parties: list[Party] = field(default_factory=list)

    @property
    def entity(self) -> str:
        """The sale's name in the truth."""
        return f"opportunity-{self.number:06d}"

    def is_open_at(self, at: int) -> bool:
        """Whether it had begun and had not been decided."""
        return self.created_at <= at and (self.closed_at is None or self.closed_at > at)


def make_course(rng: Random, person: Person, interest: Interest, staff: Staff, *, now_ms: int) -> Course | None:
    """What sales does with a person until now; None where the person never came to sales' notice."""
    owner = staff.of(INSIDE, person.number)
    mql_at = interest.mql_at
    if mql_at is None:
        return _unqualified(rng, person, interest, owner, now_ms=now_ms)
    is_early = interest.channel in _EARLY_CHANNELS
    created_at = mql_at + 60_000 + int(rng.random() * 20 * 60_000)
    if is_early and interest.inquiry_at is not None:
        created_at = min(created_at, interest.inquiry_at + HOUR_MS)
    course = Course(created_at=min(created_at, now_ms - 1000), owner=owner)
    outcome = one_of(rng, _MQL_OUTCOMES)
    if outcome == ACCEPTED:
        _accept(rng, course, person, _response(rng, mql_at, is_japanese=person.company.is_japanese), now_ms=now_ms)
    elif outcome != _WAIT:
        _decline(rng, course, mql_at, outcome)
        if outcome == RECYCLED and happens(rng, 0.35):
            again = course.steps[-1].at + int((30 + 60 * rng.random()) * DAY_MS)
            _accept(rng, course, person, again, now_ms=now_ms)
    _cut(course, now_ms)
    return course


def yamada_course(mql_at: int, staff: Staff) -> Course:
    """山田 太郎 was accepted 21 hours after he became an MQL, and is being worked."""
    owner = staff.of(INSIDE, 0)
    accepted_at = mql_at + 21 * HOUR_MS
    return Course(
        created_at=mql_at + 5 * 60_000,
        owner=owner,
        steps=[Step(accepted_at, ACCEPTED)],
        activities=[Activity(accepted_at - 10 * 60_000, CALL, owner)],
    )


def make_sale(
    rng: Random, number: int, company: Company, created_at: int, channel: str, staff: Staff, *, now_ms: int
) -> Sale:
    """A new-business opportunity, decided after about six weeks unless now comes first."""
    amount = max(240_000, int(company.employees * 9_000 * (0.6 + rng.random())) // 10_000 * 10_000)
    sale = Sale(
        number=number,
        company=company,
        type="New Business",
        created_at=created_at,
        owner=staff.of(FIELD, company.number),
        amount=amount,
        channel=channel,
        moves=[(created_at, 0)],
        due_at=created_at + 60 * DAY_MS,
    )
    is_won = happens(rng, 0.43)
    last = LAST_STAGE if is_won else rng.randrange(LAST_STAGE + 1)
    at = created_at
    for stage in range(1, last + 1):
        at += int((2 + 14 * rng.random()) * DAY_MS)
        at = max(at, office_hours(rng, at, is_japanese=company.is_japanese))
        sale.moves.append((at, stage))
    closed_at = at + int((3 + 14 * rng.random()) * DAY_MS)
    sale.moves = [move for move in sale.moves if move[0] < now_ms]
    if closed_at < now_ms:
        sale.closed_at, sale.is_won = closed_at, is_won
        if not is_won:
            sale.loss_reason = rng.choice(LOSS_REASONS)
    return sale


def _unqualified(rng: Random, person: Person, interest: Interest, owner: Employee, *, now_ms: int) -> Course | None:
    """A lead that never was an MQL: from a fair or a cold call, or a form of a company too small."""
    is_early = interest.channel in _EARLY_CHANNELS
    if not is_early and not happens(rng, 0.2):
        return None
    inquiry_at = interest.inquiry_at
    created_at = (person.starts_at if inquiry_at is None else inquiry_at) + HOUR_MS
    course = Course(created_at=min(created_at, now_ms - 1000), owner=owner)
    outcome = one_of(rng, _COLD_OUTCOMES)
    if outcome == ACCEPTED:
        _accept(rng, course, person, course.created_at + int(3 * DAY_MS * rng.random()), now_ms=now_ms)
        course.steps = [step for step in course.steps if step.kind != CONVERTED]
    elif outcome == REJECTED:
        _decline(rng, course, course.created_at, REJECTED)
    _cut(course, now_ms)
    return course


def _response(rng: Random, mql_at: int, *, is_japanese: bool) -> int:
    """When sales accepts: within 24 hours four times of five."""
    if happens(rng, 0.8):
        return mql_at + int(min(23.5, exp(rng.gauss(1.6, 0.9)) + 0.3) * HOUR_MS)
    late = mql_at + int((1.2 + 5 * rng.random()) * DAY_MS)
    return max(late, office_hours(rng, late, is_japanese=is_japanese))


def _accept(rng: Random, course: Course, person: Person, at: int, *, now_ms: int) -> None:
    course.activities.append(Activity(at - 15 * 60_000, CALL, course.owner))
    course.steps.append(Step(at, ACCEPTED))
    next_at = at
    for _ in range(1 + rng.randrange(3)):
        next_at += int((0.5 + 3 * rng.random()) * DAY_MS)
        is_call = happens(rng, 0.5)
        course.activities.append(Activity(next_at, CALL if is_call else MAIL, course.owner, happens(rng, 0.6)))
    outcome = one_of(rng, _ACCEPTED_OUTCOMES)
    if outcome == CONVERTED:
        meeting = office_hours(rng, next_at + DAY_MS, is_japanese=person.company.is_japanese)
        meeting = max(meeting, next_at + HOUR_MS)
        course.activities.append(Activity(meeting, MEETING, course.owner))
        if happens(rng, 0.3):
            course.activities.append(Activity(meeting + 2 * HOUR_MS, NOTE, course.owner))
        course.steps.append(Step(meeting + int((1 + 47 * rng.random()) * HOUR_MS), CONVERTED))
    elif outcome == REJECTED:
        course.steps.append(Step(next_at + 5 * DAY_MS, REJECTED, one_of(rng, _REJECTION_REASONS)))
    elif outcome == RECYCLED and next_at + 9 * DAY_MS < now_ms:
        course.steps.append(Step(next_at + 8 * DAY_MS, RECYCLED, "timing"))


def _decline(rng: Random, course: Course, since: int, kind: str) -> None:
    at = since
    for _ in range(1 + rng.randrange(3)):
        at += int((2 + 30 * rng.random()) * HOUR_MS)
        course.activities.append(Activity(at, CALL, course.owner, is_reached=False))
    course.steps.append(Step(at + HOUR_MS, kind, one_of(rng, _REJECTION_REASONS) if kind == REJECTED else "timing"))


def _cut(course: Course, now_ms: int) -> None:
    course.steps = [step for step in course.steps if step.at < now_ms]
    course.activities = [activity for activity in course.activities if activity.at < now_ms]
