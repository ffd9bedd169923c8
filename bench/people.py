"""Made-up people with what is known and what happened: the input of both functions that judge them."""

from __future__ import annotations

import random
from typing import Any

SLOTS = (
    "form_submitted", "content_downloaded", "campaign_responded", "webinar_attended", "mail_opened", "mail_clicked",
    "page_viewed", "call_made", "meeting_held", "lead_accepted", "opportunity_created", "opportunity_won",
    "opportunity_lost", "contracted", "onboarding_started", "onboarded", "renewed", "churned",
)  # fmt: skip
_MOST = (3, 2, 1, 1, 9, 5, 14, 3, 2, 1, 2, 1, 1, 1, 1, 1, 1, 1)
_CHANCE = (0.5, 0.3, 0.2, 0.2, 0.7, 0.4, 0.8, 0.2, 0.15, 0.2, 0.15, 0.06, 0.05, 0.02, 0.05, 0.04, 0.02, 0.01)
_EMPLOYEES = (None, 8, 40, 120, 500, 3_000)
_LEVELS = (None, "staff", "manager", "director", "c_level")
_NOTHING: list[int] = []

Person = tuple[list[Any], list[list[int]]]
"""Facts in the order of `mapping.facts.FACTS`, and the instants of each kind in the order of `SLOTS`."""


def people(n: int) -> list[Person]:
    """So many people, the same ones every time."""
    dice = random.Random(2006)
    return [_person(dice) for _ in range(n)]


def _person(dice: random.Random) -> Person:
    facts: list[Any] = [None] * 14
    facts[0], facts[4] = dice.choice(_EMPLOYEES), dice.choice(_LEVELS)
    instants = [
        list(range(dice.randint(1, most))) if dice.random() < chance else _NOTHING
        for most, chance in zip(_MOST, _CHANCE, strict=True)
    ]
    return facts, instants
