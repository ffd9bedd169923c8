"""Chance, from the one source of randomness that a world has."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from random import Random

T = TypeVar("T")


def happens(rng: Random, share: float) -> bool:
    """True in that share of cases."""
    return rng.random() < share


def one_of(rng: Random, shares: tuple[tuple[T, float], ...]) -> T:
    """One of the values, each in its share of cases; the last takes what the shares leave."""
    draw = rng.random()
    for value, share in shares:
        if draw < share:
            return value
        draw -= share
    return shares[-1][0]
