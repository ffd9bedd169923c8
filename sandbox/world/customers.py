"""What becomes of a company that bought: onboarding, health, answers, expansions, renewals, sometimes its leaving."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, NamedTuple

from sandbox.world.dice import happens
from sandbox.world.marketing import DAY_MS, HOUR_MS
from sandbox.world.sales import LAST_STAGE, Sale
from sandbox.world.staff import FIELD, SUCCESS

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from sandbox.world.people import Person
    from sandbox.world.staff import Employee, Staff

CHURN_REASONS: Final = ("price", "missing_feature", "low_usage", "business_closed", "competitor")
_PROMOTER: Final = 9
_DETRACTOR: Final = 6
_YEAR_MS: Final = 365 * DAY_MS
_HALF_YEAR_MS: Final = 182 * DAY_MS


class Answer(NamedTuple):
    """One answer to the NPS question, 0 to 10."""

    at: int
    person: Person
    score: int


@dataclass(kw_only=True, slots=True)
class Customer:
    """A company as a customer; instants are None until they have come."""

    sale: Sale
    manager: Employee
    contracted_at: int
    health: float
    arr: int
    currency: str
    next_renewal_at: int
    modified_at: int
    onboarding_started_at: int | None = None
    onboarded_at: int | None = None
    renewed_at: int | None = None
    churned_at: int | None = None
    churn_reason: str | None = None
    risk_raised_at: int | None = None
    risk_reason: str | None = None
    sales: list[Sale] = field(default_factory=list)
    """Renewals and expansions."""
    answers: list[Answer] = field(default_factory=list)
    users: list[Person] = field(default_factory=list)

    @property
    def nps(self) -> int | None:
        """-100 to 100 over all answers, None without any."""
        if not self.answers:
            return None
        promoters = sum(answer.score >= _PROMOTER for answer in self.answers)
        detractors = sum(answer.score <= _DETRACTOR for answer in self.answers)
        return round(100 * (promoters - detractors) / len(self.answers))


def make_customer(
    rng: Random, sale: Sale, people: list[Person], staff: Staff, next_number: Callable[[], int], *, now_ms: int
) -> Customer:
    """The life of the customer whose first sale was won, until now."""
    closed_at = sale.closed_at
    assert closed_at is not None
    company = sale.company
    contracted_at = closed_at + int((1 + 20 * rng.random()) * HOUR_MS)
    term = _HALF_YEAR_MS if happens(rng, 0.5) else _YEAR_MS
    is_content = happens(rng, 0.68)
    health = round(6.0 + 4.0 * rng.random() if is_content else 1.0 + 4.5 * rng.random(), 1)
    customer = Customer(
        sale=sale,
        manager=staff.of(SUCCESS, company.number),
        contracted_at=min(contracted_at, now_ms - 1000),
        health=health,
        arr=sale.amount,
        currency="USD" if company.is_sold_in_hubspot and not company.is_japanese else "JPY",
        next_renewal_at=contracted_at + term,
        modified_at=contracted_at,
    )
    customer.users = [person for person in people if person.starts_at < now_ms and happens(rng, 0.75)]
    _onboard(rng, customer, now_ms)
    _renew(rng, customer, term, staff, next_number, is_content=is_content, now_ms=now_ms)
    end = customer.churned_at or now_ms
    if not is_content and customer.onboarded_at:
        risk_at = customer.onboarded_at + int((20 + 60 * rng.random()) * DAY_MS)
        if risk_at < end:
            customer.risk_raised_at, customer.risk_reason = (
                risk_at,
                rng.choice(("low_usage", "champion_left", "support")),
            )
    if is_content and happens(rng, 0.3):
        _expand(rng, customer, contracted_at + int((90 + 90 * rng.random()) * DAY_MS), staff, next_number, end)
    for person in customer.users:
        at = contracted_at + int((60 + 90 * rng.random()) * DAY_MS)
        if at < end and happens(rng, 0.5):
            low, high = (7, 10) if is_content else (1, 8)
            customer.answers.append(Answer(at, person, rng.randint(low, high)))
    happened = (
        customer.contracted_at, customer.onboarding_started_at, customer.onboarded_at, customer.renewed_at,
        customer.churned_at, customer.risk_raised_at, *(answer.at for answer in customer.answers),
        *(sale.closed_at for sale in customer.sales),
    )  # fmt: skip
    customer.modified_at = max(at for at in happened if at is not None)
    return customer


def _onboard(rng: Random, customer: Customer, now_ms: int) -> None:
    started_at = customer.contracted_at + int((1 + 9 * rng.random()) * DAY_MS)
    onboarded_at = started_at + int((15 + 45 * rng.random()) * DAY_MS)
    if started_at < now_ms:
        customer.onboarding_started_at = started_at
    if onboarded_at < now_ms and happens(rng, 0.92):
        customer.onboarded_at = onboarded_at


def _renew(
    rng: Random,
    customer: Customer,
    term: int,
    staff: Staff,
    next_number: Callable[[], int],
    *,
    is_content: bool,
    now_ms: int,
) -> None:
    """Each term ends in a renewal opportunity, opened sixty days before and decided in the last three weeks."""
    due_at = customer.next_renewal_at
    while due_at - 60 * DAY_MS < now_ms:
        created_at = due_at - 60 * DAY_MS
        decided_at = due_at - int(21 * rng.random() * DAY_MS)
        is_won = happens(rng, 0.94 if is_content else 0.4)
        sale = _further(customer, next_number(), "Renewal", created_at, customer.arr, staff)
        sale.due_at = due_at
        _move(sale, (created_at + decided_at) // 2, now_ms)
        customer.sales.append(sale)
        if decided_at >= now_ms:
            return
        sale.closed_at, sale.is_won = decided_at, is_won
        if not is_won:
            sale.loss_reason = rng.choice(("price", "competitor", "no_decision"))
            customer.churned_at = min(due_at, now_ms - 1000)
            customer.churn_reason = rng.choice(CHURN_REASONS)
            return
        customer.renewed_at = decided_at
        due_at += term
        customer.next_renewal_at = due_at


def _expand(
    rng: Random, customer: Customer, created_at: int, staff: Staff, next_number: Callable[[], int], end: int
) -> None:
    if created_at >= end:
        return
    sale = _further(customer, next_number(), "Expansion", created_at, customer.arr // 30_000 * 10_000, staff)
    closed_at = created_at + int((10 + 25 * rng.random()) * DAY_MS)
    _move(sale, (created_at + closed_at) // 2, end)
    if closed_at < end:
        sale.closed_at, sale.is_won = closed_at, happens(rng, 0.7)
        if sale.is_won:
            customer.arr += sale.amount
        else:
            sale.loss_reason = "timing"
    customer.sales.append(sale)


def _further(customer: Customer, number: int, type_: str, created_at: int, amount: int, staff: Staff) -> Sale:
    company = customer.sale.company
    return Sale(
        number=number,
        company=company,
        type=type_,
        created_at=created_at,
        owner=staff.of(FIELD, company.number),
        amount=amount,
        channel="Existing Customer",
        moves=[(created_at, 0)],
        due_at=created_at + 45 * DAY_MS,
        parties=[party._replace(since=created_at) for party in customer.sale.parties[:1]],
    )


def _move(sale: Sale, at: int, now_ms: int) -> None:
    if at < now_ms:
        sale.moves.append((at, LAST_STAGE - 1))
