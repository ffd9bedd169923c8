"""The companies of the world: prospects and customers, each with its size, trade, country and mail domain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sandbox.world.dice import happens, one_of
from sandbox.world.names import COUNTRIES, MIDDLES_INT, PLACES_JA, STEMS_INT, STEMS_JA, TRADES_INT, TRADES_JA

if TYPE_CHECKING:
    from random import Random

_BANDS = (((5, 49), 0.17), ((50, 200), 0.53), ((201, 1000), 0.22), ((1001, 12_000), 0.08))
_FORMS_JA = (("株式会社{}", 0.5), ("{}株式会社", 0.4), ("有限会社{}", 0.05), ("合同会社{}", 0.05))


@dataclass(frozen=True, kw_only=True, slots=True)
class Company:
    """One company as it really is; its vendors' records say so more or less well."""

    number: int
    name: str
    short_name: str
    """The name without its legal form."""
    domain: str
    industry: str
    employees: int
    country: str
    is_japanese: bool
    corporate_number: str | None
    """Thirteen digits, of companies in Japan."""
    phone: str
    starts_at: int
    """Its first person turns up then; epoch milliseconds."""
    warmth: float
    """How readily its people engage, between 0.55 and 1.25."""
    is_sold_in_hubspot: bool
    """Its leads and deals are worked in HubSpot and not in Salesforce."""


def aoba(starts_at: int) -> Company:
    """The company of 山田 太郎, the same in every world."""
    return Company(
        number=0,
        name="青葉商事株式会社",
        short_name="青葉商事",
        domain="aoba.example",
        industry="Wholesale",
        employees=120,
        country="Japan",
        is_japanese=True,
        corporate_number="6010001000000",
        phone="03-0000-0120",
        starts_at=starts_at,
        warmth=1.0,
        is_sold_in_hubspot=False,
    )


def make_company(rng: Random, number: int, starts_at: int) -> Company:
    """The company of that number (1 and up): names and domains are unique, since each number has its own."""
    is_japanese = happens(rng, 0.5)
    short_name, slug, industry, legal, country, phone = (_japanese if is_japanese else _international)(rng, number)
    return Company(
        number=number,
        name=legal,
        short_name=short_name,
        domain=f"{slug}.example",
        industry=industry,
        employees=_employees(rng),
        country=country,
        is_japanese=is_japanese,
        corporate_number=f"{rng.randrange(1, 10)}{10_000_000_000 + number:012d}" if is_japanese else None,
        phone=phone,
        starts_at=starts_at,
        warmth=0.55 + 0.7 * rng.random(),
        is_sold_in_hubspot=happens(rng, 0.2),
    )


def _employees(rng: Random) -> int:
    low, high = one_of(rng, _BANDS)
    return int(low * (high / low) ** rng.random())


def _draw(number: int, stems: int, trades: int, middles: int) -> tuple[int, int, int, int]:
    """Three words and a round for a number: no two numbers share all four, and neighbours share few."""
    rest, stem = divmod(number * 7, stems)
    rest, trade = divmod(rest, trades)
    round_, middle = divmod(rest, middles)
    trade = (trade + 3 * stem) % trades
    return stem, trade, (middle + stem + trade) % middles, round_


def _japanese(rng: Random, number: int) -> tuple[str, str, str, str, str, str]:
    stem, trade, place, round_ = _draw(number, len(STEMS_JA), len(TRADES_JA), len(PLACES_JA))
    stem_name, stem_slug = STEMS_JA[stem]
    trade_name, trade_slug, industry = TRADES_JA[trade]
    place_name, place_slug = PLACES_JA[place]
    short_name = f"{place_name}{stem_name}{trade_name}"
    ordinal = ""
    if round_:
        ordinal = str(round_ + 1)
        short_name += f"第{ordinal}"
    slug = "-".join(part for part in (stem_slug, trade_slug, place_slug, ordinal) if part)
    legal = one_of(rng, _FORMS_JA).format(short_name)
    # Numbers that go on with 0000 are given to nobody.
    phone = f"{rng.choice(('03', '06', '052', '092'))}-0000-{number % 10_000:04d}"
    return short_name, slug, industry, legal, "Japan", phone


def _international(rng: Random, number: int) -> tuple[str, str, str, str, str, str]:
    stem, trade, middle, round_ = _draw(number, len(STEMS_INT), len(TRADES_INT), len(MIDDLES_INT))
    trade_name, industry = TRADES_INT[trade]
    words = [word for word in (STEMS_INT[stem], MIDDLES_INT[middle], trade_name) if word]
    if round_:
        words.append(str(round_ + 1))
    short_name = " ".join(words)
    country, form, phone = rng.choice(COUNTRIES)
    slug = "-".join(words).lower().replace(" ", "-")
    return short_name, slug, industry, f"{short_name} {form}", country, f"{phone}{number % 100:02d}"
