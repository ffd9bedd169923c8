"""Stage and score of single records by a function written by hand for the shipped definition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from bench.people import people

if TYPE_CHECKING:
    from bench.people import Person
    from bench.place import Counters, Place


def prepare(n: int, _place: Place) -> list[Person]:
    return people(n)


def run(_n: int, _place: Place, ready: list[Person]) -> Counters:
    points = stages = 0
    for facts, instants in ready:
        stage, score = judge(facts, instants)
        points += score
        stages += stage is not None
    return {"points": points, "with_stage": stages}


def judge(facts: list[Any], instants: list[list[int]]) -> tuple[str | None, int]:  # noqa: C901, PLR0911, PLR0912  # as one would write it by hand
    """What `waterfall-2006` says of a record alone."""
    (
        form, download, campaign, webinar, opened, clicked, viewed, called, met, accepted, created, won, lost,
        _contracted, started, onboarded, renewed, churned,
    ) = instants  # fmt: skip
    employees, level = facts[0], facts[4]
    score = 0
    if employees is not None:
        if employees > 200:
            score = 25
        elif employees >= 50:
            score = 20
    if level == "manager":
        score += 10
    elif level in {"director", "c_level"}:
        score += 15
    score += 10 * len(form) + 12 * len(download) + 16 * len(webinar) + 8 * len(campaign)
    score += min(len(opened), 8) + min(3 * len(clicked), 12) + min(len(viewed), 10)
    score += min(15 * len(met), 30) + min(2 * len(called), 6)
    if churned:
        return "churned", score
    if renewed:
        return "renewal", score
    if onboarded:
        return "adopted", score
    if started:
        return "onboarding", score
    if lost and not won and len(created) <= len(lost):
        return "closed_lost", score
    if won:  # a contract counts after an opportunity only, of which a record alone knows nothing
        return "closed_won", score
    if created:
        return "sql", score
    if accepted:
        return "sal", score
    if score >= 60 and employees is not None and employees >= 50:
        return "mql", score
    if form or download or webinar or campaign:
        return "inquiry", score
    return None, score
