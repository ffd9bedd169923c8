"""Eighteen months of a B2B company's life that never was, ending now, as three vendors would have recorded them."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Final, Literal

from sandbox.world.companies import aoba, make_company
from sandbox.world.ledger import Ledger
from sandbox.world.life import aoba_life, make_life
from sandbox.world.marketing import DAY_MS, Calendar
from sandbox.world.staff import Staff
from sandbox.world.write_hubspot import HubSpotWriter
from sandbox.world.write_salesforce import SalesforceWriter
from sandbox.world.write_truth import write_truth
from sandbox.world.write_vitally import VitallyWriter

if TYPE_CHECKING:
    from sandbox.vault import Vault

Size = Literal["tiny", "small", "large"]

PEOPLE: Final[dict[str, int]] = {"tiny": 200, "small": 5_000, "large": 100_000}
"""How many people the sizes have; a third as many companies."""
WINDOW_MS: Final = 548 * DAY_MS
_COMPANY_SHARE: Final = 0.32


def generate(vault: Vault, *, seed: int, size: str, now_ms: int) -> None:
    """The vault holds the world of that seed and size, ending at `now_ms`; the three make its content byte for byte.

    Written company by company, so that memory stays bounded. Raises KeyError on an unknown size.
    """
    people = PEOPLE[size]
    rng = Random(seed)  # noqa: S311  # a simulation must repeat
    starts_at = now_ms - WINDOW_MS
    ledger = Ledger(vault, seed=seed)
    teams = max(1, people // 5_000)
    staff = Staff(rng, teams=min(teams, 8))
    calendar = Calendar(rng, starts_at=starts_at, ends_at=now_ms, per_month=6 if people <= PEOPLE["tiny"] else 24)
    salesforce = SalesforceWriter(rng, ledger, staff, now_ms=now_ms)
    hubspot = HubSpotWriter(rng, ledger, staff, now_ms=now_ms)
    vitally = VitallyWriter(rng, ledger, now_ms=now_ms)
    salesforce.users(starts_at - DAY_MS)
    hubspot.owners(starts_at - DAY_MS)
    salesforce.campaigns(calendar.campaigns)
    vault.commit()
    for number, numbers in enumerate(_shares(rng, people, round(people * _COMPANY_SHARE))):
        if number == 0:
            life = aoba_life(rng, aoba(now_ms - 75 * DAY_MS), calendar, staff, now_ms=now_ms)
        else:
            # More of them come later: the company grows.
            begins_at = starts_at + int(WINDOW_MS * 0.97 * rng.random() ** 0.8)
            company = make_company(rng, number, begins_at)
            life = make_life(rng, company, numbers, calendar, staff, lambda: ledger.number("sale"), now_ms=now_ms)
        account_id = salesforce.life(life)
        company_id = hubspot.life(life)
        vitally.life(life, account_id or str(company_id))
        write_truth(ledger, life)
        ledger.flush()
    ledger.flush(is_last=True)
    vault.index()


def _shares(rng: Random, people: int, companies: int) -> list[range]:
    """The numbers of each company's people: the first has one, the others at least one and together all the rest."""
    counts = [1] * companies
    rest = people - companies
    while rest > 0:
        # A few companies have many people, most have few.
        more = min(rest, 1 + int(rng.expovariate(0.6)))
        counts[1 + int(rng.random() * (companies - 1))] += more
        rest -= more
    shares, first = [], 0
    for count in counts:
        shares.append(range(first, first + count))
        first += count
    return shares
