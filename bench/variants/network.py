"""The pages fetched and thrown away: shows that the fake bounds nobody."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from bench.place import Counters, Place


def run(n: int, place: Place, _ready: None) -> Counters:
    return {"bytes": sum(len(page) for page in place.pages(n))}
