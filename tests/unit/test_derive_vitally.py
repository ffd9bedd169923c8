"""What Vitally records tell."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.derive import Deriver
from mapping.derived import Derived
from mapping.instants import to_ms
from mapping.meaning import Meaning
from mapping.records import FieldChange, record_key

PEERS = {"salesforce": "sf", "hubspot": "hs", "vitally": "cs"}
DERIVER = Deriver("cs", "vitally", Meaning({"cs": "vitally"}), ZoneInfo("Asia/Tokyo"), PEERS, currency="JPY")
JAN, FEB, MAR = (f"2026-0{month}-10T00:00:00.000Z" for month in (1, 2, 3))


def derive(object_: str, payload: dict[str, Any], *changes: FieldChange) -> Derived:
    """What one record tells."""
    into = Derived()
    DERIVER.derive(object_, "a1", payload, changes, False, into)
    return into


def told(derived: Derived) -> list[tuple[str, int, str | None]]:
    """Kinds, instants and reasons, in the order of time."""
    return sorted(((e.kind, e.at, e.reason) for e in derived.events), key=lambda event: (event[1], event[0]))


def test_an_account_tells_the_life_of_a_customer() -> None:
    """Each date that the tool holds is an event; revenue and health stand in the profile."""
    derived = derive(
        "accounts",
        {
            "name": "Aoba", "healthScore": 7.5, "mrr": 100, "churnedAt": MAR, "nextRenewalDate": "2026-12-01",
            "traits.contracted_at": JAN, "traits.onboarding_started_at": JAN, "traits.onboarded_at": FEB,
            "traits.renewed_at": FEB, "traits.churn_reason": "price", "traits.risk_raised_at": FEB,
            "traits.risk_reason": "champion left",
        },
    )  # fmt: skip

    assert told(derived) == [
        ("contracted", to_ms(JAN), None),
        ("onboarding_started", to_ms(JAN), None),
        ("onboarded", to_ms(FEB), None),
        ("renewed", to_ms(FEB), None),
        ("risk_raised", to_ms(FEB), "champion left"),
        ("churned", to_ms(MAR), "price"),
    ]
    profile = derived.profiles[0]
    assert (profile.kind, profile.health, profile.arr_e4, profile.currency) == ("account", 7.5, 12_000_000, "JPY")


def test_an_earlier_renewal_is_not_forgotten_when_the_next_one_overwrites_it() -> None:
    """The field holds one instant; the differences hold the others."""
    change = FieldChange("traits.renewed_at", JAN, MAR, to_ms(FEB), to_ms(MAR))

    derived = derive("accounts", {"traits.renewed_at": MAR}, change)

    assert told(derived) == [("renewed", to_ms(JAN), None), ("renewed", to_ms(MAR), None)]


def test_health_and_revenue_are_told_by_their_differences() -> None:
    """Between the two versions; revenue that shrinks is no expansion."""
    changes = (
        FieldChange("healthScore", 8, 3, 1_000, 2_000),
        FieldChange("traits.arr", 1200, 1500, 2_000, 3_000),
        FieldChange("traits.arr", 1500, 1000, 3_000, 4_000),
    )

    derived = derive("accounts", {"healthScore": 3, "traits.arr": 1000}, *changes)

    assert [(e.kind, e.before, e.after, e.amount_e4, e.since, e.at) for e in derived.events] == [
        ("health_changed", "8", "3", None, 1_000, 2_000),
        ("expanded", None, None, 3_000_000, 2_000, 3_000),
    ]


@pytest.mark.parametrize(
    ("object_", "external", "target"),
    [
        ("accounts", "001000000000001AAA", ("sf", "Account", "001000000000001AAA")),
        ("accounts", "0015f00001AbCdE", ("sf", "Account", "0015f00001AbCdEAAV")),
        ("accounts", "12345", ("hs", "companies", "12345")),
        ("users", "003000000000001AAA", ("sf", "Contact", "003000000000001AAA")),
        ("users", "00Q000000000001AAA", ("sf", "Lead", "00Q000000000001AAA")),
        ("users", "678", ("hs", "contacts", "678")),
    ],
)
def test_a_foreign_id_names_the_record_of_the_other_system(
    object_: str, external: str, target: tuple[str, str, str]
) -> None:
    """Salesforce ids by their prefix, short ones made long; digits for HubSpot."""
    [link] = derive(object_, {"externalId": external}).links

    assert (link.kind, link.target, link.rule) == ("same", record_key(*target), "vitally.external_id")


def test_a_foreign_id_of_no_known_form_joins_nothing() -> None:
    """A product's own account number."""
    assert derive("accounts", {"externalId": "acct_77"}).links == []


def test_a_user_is_a_person_employed_by_their_accounts() -> None:
    """Accounts come as objects or as ids."""
    derived = derive(
        "users", {"email": "Taro@aoba.example", "name": "Taro Yamada", "accounts": [{"id": "a9"}, {"id": "a8"}]}
    )

    assert derived.profiles[0].kind == "person"
    assert [(link.kind, link.target, link.is_primary) for link in derived.links] == [
        ("employed", record_key("cs", "accounts", "a9"), True),
        ("employed", record_key("cs", "accounts", "a8"), False),
    ]


def test_an_answer_is_told_of_the_account_and_names_the_user() -> None:
    """Of the user alone where no account is named."""
    answer = {"userId": "u1", "accountId": "a9", "score": 9, "respondedAt": FEB}

    [event] = derive("npsResponses", answer).events
    [alone] = derive("npsResponses", {**answer, "accountId": None}).events

    assert (event.kind, event.subject, event.after, event.actor) == (
        "nps_answered", record_key("cs", "accounts", "a9"), "9", "u1",
    )  # fmt: skip
    assert alone.subject == record_key("cs", "users", "u1")
