"""A customer's life as Vitally has it: the account, its users, and their answers to the NPS question."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.world.ledger import day, iso

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.ledger import Ledger
    from sandbox.world.life import Life


class VitallyWriter:
    """Writes what Vitally knows of one life after another."""

    def __init__(self, rng: Random, ledger: Ledger, *, now_ms: int) -> None:
        self._rng = rng
        self._ledger = ledger
        self._now_ms = now_ms

    def life(self, life: Life, external_id: str) -> None:
        """The customer is there, under the id that Salesforce or HubSpot has for it; who never bought is not."""
        customer = life.customer
        if customer is None:
            return
        divisor = 100 if customer.currency == "USD" else 1
        arr = customer.arr // divisor
        account_id = self._ledger.vitally_id("accounts")
        created = customer.contracted_at
        modified = min(max(customer.modified_at, created), self._now_ms - 1)
        traits: dict[str, Any] = {
            "contracted_at": iso(customer.contracted_at),
            "onboarding_started_at": _iso(customer.onboarding_started_at),
            "onboarded_at": _iso(customer.onboarded_at),
            "renewed_at": _iso(customer.renewed_at),
            "churn_reason": customer.churn_reason,
            "risk_raised_at": _iso(customer.risk_raised_at),
            "risk_reason": customer.risk_reason,
            "arr": arr,
            "currency": customer.currency,
        }
        body = {
            "externalId": external_id,
            "name": life.company.name,
            "organizationId": None,
            "churnedAt": _iso(customer.churned_at),
            "healthScore": customer.health,
            "mrr": round(arr / 12),
            "nextRenewalDate": day(customer.next_renewal_at),
            "npsScore": customer.nps,
            "usersCount": len(customer.users),
            "trialEndDate": None,
            "csmId": customer.manager.email,
            "accountExecutiveId": customer.sale.owner.email,
            "lastSeenTimestamp": iso(modified),
            "traits": {key: value for key, value in traits.items() if value is not None},
        }
        self._ledger.vitally("accounts", account_id, created, modified, body)
        self._ledger.truth("account", life.entity, "vitally", "accounts", account_id)
        user_ids = self._users(life, account_id, external_id, created)
        for answer in customer.answers:
            body = {
                "userId": user_ids[answer.person.number],
                "accountId": account_id,
                "score": answer.score,
                "feedback": None,
                "respondedAt": iso(answer.at),
            }
            self._ledger.vitally("npsResponses", self._ledger.vitally_id("npsResponses"), answer.at, answer.at, body)

    def _users(self, life: Life, account_id: str, external_id: str, created: int) -> dict[int, str]:
        customer = life.customer
        assert customer is not None
        ids: dict[int, str] = {}
        account = {"id": account_id, "externalId": external_id, "name": life.company.name}
        end = customer.churned_at or self._now_ms
        for person in customer.users:
            user_id = ids[person.number] = self._ledger.vitally_id("users")
            since = max(created, min(person.starts_at, end - 1))
            seen = since + int(self._rng.random() * max(0, end - since))
            body = {
                "externalId": f"app-{10_000 + person.number}",
                "name": person.full_name,
                "email": person.contact_email,
                "accounts": [account],
                "accountIds": [account_id],
                "organizations": [],
                "lastSeenTimestamp": iso(seen),
                "traits": {"role": person.title},
            }
            self._ledger.vitally("users", user_id, since, max(since, seen), body)
            self._ledger.truth("person", person.entity, "vitally", "users", user_id)
        return ids


def _iso(ms: int | None) -> str | None:
    return None if ms is None else iso(ms)
