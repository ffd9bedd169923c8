"""What Vitally records tell: the life of a customer.

Sources: Vitally REST API, Accounts, Users and NPS Responses; read 2026-11-21. Traits are the company's own; their names
are those of the shipped preset.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.derived import Beside, Derived, Payload, decimal, money_e4, tell, text
from mapping.events import EventKind, Link, LinkKind, Profile
from mapping.records import record_key

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mapping.derive import Deriver
    from mapping.records import FieldChange

ATTRIBUTES: dict[str, dict[str, str]] = {
    "accounts": {"name": "name", "csmId": "owner", "nextRenewalDate": "renewal_at"},
    "users": {"name": "name", "email": "email"},
}
"""Attributes whose polled differences are told, by the profile column they show in; health and revenue have events."""

_ONCE = (
    (EventKind.CONTRACTED.value, "traits.contracted_at"),
    (EventKind.ONBOARDING_STARTED.value, "traits.onboarding_started_at"),
    (EventKind.ONBOARDED.value, "traits.onboarded_at"),
)
_MONTHS = 12


def _account(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    arr = _arr(p)
    currency = None if arr is None else text(p.get("traits.currency")) or d.currency
    name = text(p.get("name"))
    into.profiles.append(
        Profile(
            key, "account",
            name=name, company=name, owner=text(p.get("csmId")), created_at=d.instant(p.get("createdAt")),
            is_deleted=beside.is_deleted, currency=currency, health=decimal(p.get("healthScore")), arr_e4=arr,
            renewal_at=d.instant(p.get("nextRenewalDate")),
        )
    )  # fmt: skip
    _foreign(d, key, p, {"001": "Account"}, "companies", into)
    for kind, trait in _ONCE:
        at = d.instant(p.get(trait))
        if at is not None:
            tell(into, key, at, kind, amount_e4=arr, currency=currency)
    for kind, trait, reason in (
        (EventKind.RENEWED.value, "traits.renewed_at", None),
        (EventKind.RISK_RAISED.value, "traits.risk_raised_at", "traits.risk_reason"),
    ):
        for value, given in _values(p, trait, reason, beside.changes):
            at = d.instant(value)
            if at is not None:
                tell(into, key, at, kind, reason=given)
    churned = d.instant(p.get("churnedAt"))
    if churned is not None:
        tell(into, key, churned, EventKind.CHURNED.value, reason=text(p.get("traits.churn_reason")))
    _differences(key, p, beside.changes, currency, into)


def _values(
    p: Payload, trait: str, reason: str | None, changes: Sequence[FieldChange]
) -> list[tuple[object, str | None]]:
    """All instants a trait ever held, each with the reason given: a later renewal overwrites the one before it."""
    found: list[tuple[object, str | None]] = [(p.get(trait), text(p.get(reason)) if reason else None)]
    for change in changes:
        if change.field == trait and change.before and all(change.before != value for value, _ in found):
            given = [c.before for c in changes if c.field == reason and c.at_ms == change.at_ms]
            found.append((change.before, text(given[0]) if given else found[0][1]))
    return found


def _differences(key: int, p: Payload, changes: Sequence[FieldChange], currency: str | None, into: Derived) -> None:
    """Health and revenue are told by their polled differences, which is all that the tool keeps of them."""
    revenue = "traits.arr" if p.get("traits.arr") is not None else "mrr"
    times = 1 if revenue == "traits.arr" else _MONTHS
    for field, before, after, since, at in changes:
        if field == "healthScore" and after is not None and before is not None:
            tell(
                into, key, at, EventKind.HEALTH_CHANGED.value,
                since=since, name="health", before=text(before), after=text(after),
            )  # fmt: skip
        elif field == revenue:
            old, new = money_e4(before), money_e4(after)
            if old is not None and new is not None and new > old > 0:
                tell(
                    into, key, at, EventKind.EXPANDED.value,
                    since=since, amount_e4=(new - old) * times, currency=currency,
                )  # fmt: skip


def _arr(p: Payload) -> int | None:
    """The yearly revenue: the trait, else twelve months of the monthly one."""
    yearly = money_e4(p.get("traits.arr"))
    if yearly is not None:
        return yearly
    monthly = money_e4(p.get("mrr"))
    return None if monthly is None else monthly * _MONTHS


def _user(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    address, _ = d.identify(key, (p.get("email"),), into)
    into.profiles.append(
        Profile(
            key, "person",
            name=text(p.get("name")), email=address, domain=d.domain_of(address),
            created_at=d.instant(p.get("createdAt")), is_deleted=beside.is_deleted,
        )
    )  # fmt: skip
    _foreign(d, key, p, {"003": "Contact", "00Q": "Lead"}, "contacts", into)
    accounts = p.get("accounts") or p.get("accountIds") or ()
    for place, account in enumerate(accounts):
        id_ = account.get("id") if isinstance(account, dict) else account
        if id_:
            into.links.append(
                Link(
                    key, LinkKind.EMPLOYED.value, key, d.key("accounts", str(id_)), "vitally.user_account", None,
                    place == 0,
                )
            )  # fmt: skip


def _nps(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    """An answer is told of the account, the actor is the user; of the user where no account is named."""
    del beside
    at = d.instant(p.get("respondedAt"))
    score = text(p.get("score"))
    account, user = text(p.get("accountId")), text(p.get("userId"))
    if at is None or score is None or not (account or user):
        return
    subject = d.key("accounts", account) if account else d.key("users", user or "")
    tell(into, subject, at, EventKind.NPS_ANSWERED.value, origin=key, name="nps", after=score, actor=user)


def _foreign(d: Deriver, key: int, p: Payload, prefixes: dict[str, str], hubspot: str, into: Derived) -> None:
    """The record of another system that the tool names: a Salesforce id by its key prefix, digits for HubSpot."""
    id_ = text(p.get("externalId"))
    if id_ is None:
        return
    if id_.isdigit():
        system, object_ = d.peers.get("hubspot"), hubspot
    else:
        system, object_ = d.peers.get("salesforce"), prefixes.get(id_[:3], "")
        id_ = _long_id(id_)
    if system and object_:
        target = record_key(system, object_, id_)
        into.links.append(Link(key, LinkKind.SAME.value, key, target, "vitally.external_id"))


_SHORT, _CHUNK = 15, 5
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"


def _long_id(id_: str) -> str:
    """The 18 characters of a Salesforce id of 15: each suffix letter tells which of five characters are capitals."""
    if len(id_) != _SHORT:
        return id_
    suffix = ""
    for start in range(0, _SHORT, _CHUNK):
        chunk = id_[start : start + _CHUNK]
        suffix += _LETTERS[sum(1 << place for place, char in enumerate(chunk) if char.isascii() and char.isupper())]
    return id_ + suffix


READINGS = {"accounts": _account, "users": _user, "npsResponses": _nps}
