"""The people of the world, and under which addresses each vendor knows them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sandbox.world.dice import happens, one_of
from sandbox.world.names import (
    FAMILY_INT,
    FAMILY_JA,
    FREE_MAIL_INT,
    FREE_MAIL_JA,
    GIVEN_INT,
    GIVEN_JA,
    ROLE_MAILBOXES,
    TITLES_INT,
    TITLES_JA,
)

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.companies import Company

_LEVELS = (("staff", 0.42), ("manager", 0.33), ("director", 0.18), ("executive", 0.07))
_QUIRKS = (
    ("upper_case", 0.05),
    ("plus_tag", 0.03),
    ("full_width", 0.04),
    ("role_mailbox", 0.03),
    ("free_mail", 0.05),
    ("secondary_email", 0.04),
    ("conversion_only", 0.04),
    ("salesforce_merge", 0.02),
    ("hubspot_merge", 0.02),
    ("deleted", 0.01),
    ("", 0.67),
)


@dataclass(kw_only=True, slots=True)
class Person:
    """One human as he or she really is, and the addresses that the vendors have.

    `quirk` names the one difficulty that this person's records hold for whoever wants to join them: "" for most.
    """

    number: int
    company: Company
    family: str
    given: str
    kana: str
    email: str
    """The address in HubSpot, and elsewhere where no quirk says otherwise."""
    title: str
    level: str
    phone: str
    starts_at: int
    quirk: str = ""
    salesforce_email: str = ""
    contact_email: str = ""
    """On the Salesforce contact and in Vitally, where it is not the lead's."""
    other_emails: tuple[str, ...] = ()
    is_opted_out: bool = False
    records: list[tuple[str, str, str]] = field(default_factory=list)
    """(system, object, id) of every record that is this person."""

    @property
    def entity(self) -> str:
        """The person's name in the truth."""
        return f"person-{self.number:06d}"

    @property
    def full_name(self) -> str:
        """Family name first in Japanese, last elsewhere."""
        if self.company.is_japanese:
            return f"{self.family} {self.given}"
        return f"{self.given} {self.family}"


def taro_yamada(company: Company, starts_at: int) -> Person:
    """山田 太郎, the same in every world."""
    return Person(
        number=0,
        company=company,
        family="山田",
        given="太郎",
        kana="ヤマダ タロウ",
        email="yamada@aoba.example",
        title="営業部長",
        level="manager",
        phone="03-0000-0121",
        starts_at=starts_at,
        salesforce_email="yamada@aoba.example",
        contact_email="yamada@aoba.example",
    )


def make_person(rng: Random, number: int, company: Company, starts_at: int) -> Person:
    """The person of that number, with a quirk in about one of four cases; `number` makes the address unique."""
    level = one_of(rng, _LEVELS)
    if company.is_japanese:
        family, family_kana, family_latin = rng.choice(FAMILY_JA)
        given, given_kana, given_latin = rng.choice(GIVEN_JA)
        kana, title, free_mail = f"{family_kana} {given_kana}", rng.choice(TITLES_JA[level]), rng.choice(FREE_MAIL_JA)
        local = f"{given_latin[0]}.{family_latin}{number}"
        free_local = f"sandbox.{given_latin}.{family_latin}.{number}"
    else:
        family, given = rng.choice(FAMILY_INT), rng.choice(GIVEN_INT)
        kana, title, free_mail = "", rng.choice(TITLES_INT[level]), rng.choice(FREE_MAIL_INT)
        plain = "".join(
            char for char in f"{given}.{family}".lower() if char.isascii() and (char.isalpha() or char == ".")
        )
        local = f"{plain}{number}"
        free_local = f"sandbox.{plain}.{number}"
    email = f"{local}@{company.domain}"
    person = Person(
        number=number,
        company=company,
        family=family,
        given=given,
        kana=kana,
        email=email,
        title=title,
        level=level,
        phone=company.phone,
        starts_at=starts_at,
        salesforce_email=email,
        contact_email=email,
        is_opted_out=happens(rng, 0.03),
    )
    _add_quirk(rng, person, f"{free_local}@{free_mail}")
    return person


def _add_quirk(rng: Random, person: Person, free_mail: str) -> None:
    quirk = person.quirk = one_of(rng, _QUIRKS)
    email, domain = person.email, person.company.domain
    local = email.partition("@")[0]
    if quirk == "upper_case":
        person.salesforce_email = email.upper()
    elif quirk == "plus_tag":
        person.email = f"{local}+{rng.choice(('webinar', 'news', 'test'))}@{domain}"
    elif quirk == "role_mailbox":
        # HubSpot allows an address once, so only Salesforce has the mailbox that colleagues share.
        person.salesforce_email = f"{ROLE_MAILBOXES[person.company.number % 2]}@{domain}"
    elif quirk == "free_mail":
        person.email = person.salesforce_email = person.contact_email = free_mail
    elif quirk == "secondary_email":
        person.email, person.other_emails = free_mail, (email,)
    elif quirk == "conversion_only":
        person.contact_email = f"{local}.office@{domain}"
    elif quirk == "hubspot_merge":
        person.other_emails = (f"{local}.old@{domain}",)
