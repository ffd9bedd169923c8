"""What really happened, for checking; no vendor shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sandbox.world.ledger import Ledger
    from sandbox.world.life import Life
    from sandbox.world.sales import Sale


def write_truth(ledger: Ledger, life: Life) -> None:
    """The company's and its people's true events are kept."""
    for part in life.parts:
        entity = part.person.entity
        inquiry_at = part.interest.inquiry_at
        if inquiry_at is not None and (part.is_in_hubspot or part.course is not None):
            ledger.happened(entity, "inquiry", inquiry_at, part.interest.channel)
            if part.interest.mql_at is not None:
                ledger.happened(entity, "mql", part.interest.mql_at)
        if part.person.quirk:
            ledger.happened(entity, "quirk", part.person.starts_at, part.person.quirk)
        for step in part.course.steps if part.course else ():
            ledger.happened(entity, step.kind, step.at, step.reason)
    for sale in life.sales + (life.customer.sales if life.customer else []):
        _sale(ledger, sale)
    customer = life.customer
    if customer is not None:
        for kind, at in (
            ("contracted", customer.contracted_at),
            ("onboarding_started", customer.onboarding_started_at),
            ("onboarded", customer.onboarded_at),
            ("risk_raised", customer.risk_raised_at),
            ("renewed", customer.renewed_at),
            ("churned", customer.churned_at),
        ):
            if at is not None:
                ledger.happened(life.entity, kind, at, customer.churn_reason if kind == "churned" else None)


def _sale(ledger: Ledger, sale: Sale) -> None:
    ledger.happened(sale.entity, "created", sale.created_at, sale.type)
    if sale.closed_at is not None:
        ledger.happened(sale.entity, "won" if sale.is_won else "lost", sale.closed_at, sale.loss_reason)
