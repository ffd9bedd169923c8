"""One company's whole life with us: its people, what they did, what sales made of it, and what came after."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.world.customers import Customer, make_customer
from sandbox.world.dice import happens
from sandbox.world.marketing import DAY_MS, Interest, make_interest, yamada_interest
from sandbox.world.people import Person, make_person, taro_yamada
from sandbox.world.sales import ROLES, Course, Party, Sale, make_course, make_sale, yamada_course

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from sandbox.world.companies import Company
    from sandbox.world.marketing import Calendar
    from sandbox.world.staff import Staff


@dataclass(kw_only=True, slots=True)
class Part:
    """One person with what marketing and sales know, and in which vendors he or she stands."""

    person: Person
    interest: Interest
    course: Course | None
    sale: Sale | None = None
    """The sale that the person's conversion began."""
    is_in_hubspot: bool = True
    is_direct_contact: bool = False
    """A Salesforce contact that never was a lead."""
    hubspot_id: int | None = None
    lead_id: str | None = None
    contact_id: str | None = None


@dataclass(kw_only=True, slots=True)
class Life:
    """One company's life."""

    company: Company
    parts: list[Part]
    sales: list[Sale] = field(default_factory=list)
    customer: Customer | None = None

    @property
    def entity(self) -> str:
        """The company's name in the truth."""
        return f"account-{self.company.number:06d}"


def make_life(
    rng: Random,
    company: Company,
    numbers: range,
    calendar: Calendar,
    staff: Staff,
    next_sale: Callable[[], int],
    *,
    now_ms: int,
) -> Life:
    """The life until now of a company whose people have these numbers."""
    parts = []
    for number in numbers:
        later = 0 if number == numbers[0] else int(min(rng.expovariate(1 / 70), 300) * DAY_MS)
        # Nobody turns up after now; who would have, came in the last weeks.
        starts_at = min(company.starts_at + later, now_ms - int((0.2 + 20 * rng.random()) * DAY_MS))
        person = make_person(rng, number, company, starts_at)
        interest = make_interest(rng, person, calendar, now_ms=now_ms)
        parts.append(
            Part(person=person, interest=interest, course=make_course(rng, person, interest, staff, now_ms=now_ms))
        )
    life = Life(company=company, parts=parts)
    _sell(rng, life, staff, next_sale, now_ms=now_ms)
    won = next((sale for sale in life.sales if sale.is_won), None)
    if won is not None:
        people = [part.person for part in parts]
        life.customer = make_customer(rng, won, people, staff, next_sale, now_ms=now_ms)
    _place(rng, life)
    return life


def aoba_life(rng: Random, company: Company, calendar: Calendar, staff: Staff, *, now_ms: int) -> Life:
    """The company of 山田 太郎, who is its only person and is being worked by sales."""
    interest = yamada_interest(now_ms, calendar)
    person = taro_yamada(company, interest.touches[0].at)
    assert interest.mql_at is not None
    rng.random()
    return Life(
        company=company,
        parts=[Part(person=person, interest=interest, course=yamada_course(interest.mql_at, staff))],
    )


def _sell(rng: Random, life: Life, staff: Staff, next_sale: Callable[[], int], *, now_ms: int) -> None:
    """The first conversion of a company begins a sale; later ones join it while it is open."""
    converted = [(part.course.converted_at, part) for part in life.parts if part.course and part.course.converted_at]
    for at, part in sorted(converted, key=lambda pair: (pair[0] or 0, pair[1].person.number)):
        assert at is not None
        if any(sale.is_won and (sale.closed_at or 0) <= at for sale in life.sales):
            continue
        sale = next((sale for sale in life.sales if sale.is_open_at(at)), None)
        role = rng.choice(ROLES)
        if sale is not None:
            sale.parties.append(Party(part.person, role, is_primary=False, since=at))
            continue
        sale = make_sale(rng, next_sale(), life.company, at, part.interest.channel, staff, now_ms=now_ms)
        sale.parties.append(Party(part.person, role, is_primary=True, since=at))
        part.sale = sale
        life.sales.append(sale)


def _place(rng: Random, life: Life) -> None:
    """In which vendors each person stands: most in HubSpot, those known to sales in Salesforce, users in Vitally."""
    users = life.customer.users if life.customer else []
    for part in life.parts:
        is_user = any(part.person is user for user in users)
        is_converted = part.course is not None and part.course.converted_at is not None
        if part.person.quirk == "conversion_only" and (life.company.is_sold_in_hubspot or not is_converted):
            # Without a conversion nothing would lead from one address to the other.
            part.person.quirk, part.person.contact_email = "", part.person.email
        if life.company.is_sold_in_hubspot:
            part.is_in_hubspot = part.course is not None or not is_user or happens(rng, 0.85)
        elif part.course is not None:
            is_cold = part.interest.channel in {"Trade Show", "Outbound"} and part.interest.mql_at is None
            part.is_in_hubspot = happens(rng, 0.5 if is_cold else 0.96)
        else:
            part.is_direct_contact = life.customer is not None and happens(rng, 0.4)
            part.is_in_hubspot = not (is_user or part.is_direct_contact) or happens(rng, 0.8)
