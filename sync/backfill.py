"""The one-shot full load: reads and never writes to a vendor; cut off half-way, the same command goes on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.errors import OperatorError, Problem
from mapping.instants import to_datetime, to_ms
from mapping.text import say
from sync.pipeline import run_cycle
from sync.steps.poll import Start

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sync.house import House
    from sync.steps.poll import Progress
    from sync.summary import Summary


def backfill(
    house: House,
    progress: Progress,
    *,
    system: str | None = None,
    objects: Sequence[str] | None = None,
    since: str = "",
    is_fresh: bool = False,
) -> Summary:
    """Read everything that is not read yet, everything again with `is_fresh`, and decide and plan over it.

    `since` reads again what changed since a day or an instant (ISO 8601), and of what was never read only that.
    Raises OperatorError where `system` or an object of `objects` is none that is configured.
    """
    if system is not None and system not in house.connectors:
        raise _unknown("--system", system, house.connectors)
    known = {name for connector in house.connectors.values() for name in connector.objects}
    for name in objects or ():
        if name not in known:
            raise _unknown("--object", name, known)
    return run_cycle(
        house,
        progress,
        verb="backfill",
        systems=[system] if system else None,
        objects=objects,
        is_dry=True,
        start=_start(house, since, is_fresh=is_fresh),
    )


def _start(house: House, since: str, *, is_fresh: bool) -> Start:
    if not since:
        return Start(is_fresh=is_fresh)
    try:
        return Start(since=to_datetime(to_ms(since, house.config.company.zone)))
    except ValueError:
        words = say("{text} is no day or instant", text=since)
        raise OperatorError(
            [Problem("--since", words, say("write 2026-10-01 or 2026-10-01T09:00:00Z"))], exit_code=2
        ) from None


def _unknown(option: str, name: str, known: object) -> OperatorError:
    choices = ", ".join(sorted(map(str, known)))  # type: ignore[call-overload]  # an iterable of names
    return OperatorError([Problem(option, say("{name} is none of {choices}", name=name, choices=choices))], exit_code=2)
