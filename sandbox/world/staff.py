"""The people who work at the simulated company itself: who owns leads, deals and customers."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sandbox.ids import salesforce_id
from sandbox.world.dice import happens
from sandbox.world.names import FAMILY_INT, FAMILY_JA, GIVEN_INT, GIVEN_JA

if TYPE_CHECKING:
    from random import Random

INSIDE, FIELD, SUCCESS, MARKETING = "Inside Sales", "Field Sales", "Customer Success", "Marketing"
_OWNER_BASE = 70_001


class Employee(NamedTuple):
    """One employee: a Salesforce user and, but for the integration user, a HubSpot owner."""

    number: int
    first_name: str
    last_name: str
    email: str
    department: str
    is_active: bool

    @property
    def user_id(self) -> str:
        """The Salesforce user."""
        return salesforce_id("User", self.number)

    @property
    def owner_id(self) -> int:
        """The HubSpot owner."""
        return _OWNER_BASE + self.number

    @property
    def name(self) -> str:
        """As shown in Salesforce."""
        return (
            f"{self.first_name} {self.last_name}"
            if self.first_name.isascii()
            else f"{self.last_name} {self.first_name}"
        )


class Staff:
    """All employees; number 1 is the integration user, which owns nothing."""

    def __init__(self, rng: Random, *, teams: int) -> None:
        self.employees = [Employee(1, "Integration", "User", "integration@headrace.example", MARKETING, True)]
        for department, count in (
            (INSIDE, 4 * teams),
            (FIELD, 5 * teams),
            (SUCCESS, 2 * teams),
            (MARKETING, 2 * teams),
        ):
            for place in range(count):
                number = len(self.employees) + 1
                if happens(rng, 0.6):
                    family, _, latin = rng.choice(FAMILY_JA)
                    given = rng.choice(GIVEN_JA)[0]
                else:
                    family, given = rng.choice(FAMILY_INT), rng.choice(GIVEN_INT)
                    latin = "".join(char for char in family.lower() if char.isascii() and char.isalpha())
                email = f"{latin}.{number}@simulated-vendor.example"
                # The last of a team has left; old records still name him or her.
                self.employees.append(
                    Employee(number, given, family, email, department, place + 1 < count or count == 1)
                )
        self._by_department = {
            department: [employee for employee in self.employees[1:] if employee.department == department]
            for department in (INSIDE, FIELD, SUCCESS, MARKETING)
        }

    def of(self, department: str, number: int) -> Employee:
        """The one responsible for the company or person of that number."""
        employees = self._by_department[department]
        return employees[number % len(employees)]
