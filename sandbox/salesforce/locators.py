"""Result sets larger than a page, kept for the locator that the client was given."""

from __future__ import annotations

from itertools import count, islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from sandbox.ids import checksum
from sandbox.salesforce.answers import ApiError
from sandbox.salesforce.schema import RUN_AS_USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.faults import SystemFaults
    from sandbox.soql_sql import Selection
    from sandbox.vault import Vault

_LIFE_MS = 2 * 24 * 3600 * 1000
"""App limits cheat sheet, API query cursors: results are kept two days; read 2026-11-21."""
_MOST_IDS = 10_000_000
"""Beyond so many ids in all (about 200 MB) the oldest locators are dropped; a real org keeps them all."""


class Locator(NamedTuple):
    """The ids that a query found, cut into pages: the set is fixed, what the records say is read page by page."""

    selection: Selection
    total: int
    page_size: int
    pages: Sequence[bytes]
    """One JSON array of ids for each page."""
    made_ms: int


class Locators:
    """The locators that are open in one org."""

    def __init__(self, vault: Vault, faults: SystemFaults) -> None:
        self._vault = vault
        self._faults = faults
        self._open: dict[str, Locator] = {}
        self._numbers = count(1)

    def keep(self, locator: Locator) -> str:
        """The name under which the locator is found again: 18 characters, prefix 0r8."""
        id15 = f"0r8{RUN_AS_USER_ID[3:9]}{next(self._numbers):06d}"
        name = id15 + checksum(id15)
        self._open[name] = locator
        kept = sum(each.total for each in self._open.values())
        while kept > _MOST_IDS and len(self._open) > 1:
            kept -= self._open.pop(next(iter(self._open))).total
        return name

    def find(self, name: str, offset: int) -> tuple[Locator, int]:
        """The locator and the index of the page that begins at the offset; raises ApiError INVALID_QUERY_LOCATOR."""
        locator = self._open.get(name)
        is_alive = locator is not None and self._vault.now_ms() - locator.made_ms < _LIFE_MS
        if locator is None or not is_alive or self._faults.options.get("lost_locators"):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        page, rest = divmod(offset, locator.page_size)
        if rest or page >= len(locator.pages):
            raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return locator, page


def cut(rows: Iterable[tuple[str]], page_size: int) -> tuple[list[bytes], int]:
    """The ids as pages of JSON, and how many there are; never all of them in memory as texts of their own."""
    left = iter(rows)
    pages: list[bytes] = []
    total = 0
    while ids := [id_ for (id_,) in islice(left, page_size)]:
        pages.append(orjson.dumps(ids))
        total += len(ids)
    return pages, total


def page_bodies(vault: Vault, object_: str, page: bytes) -> list[dict[str, Any]]:
    """The page's records whole, in the page's order, without those that have gone since."""
    rows = vault.execute(
        "SELECT salesforce.body FROM json_each(?) AS wanted CROSS JOIN salesforce"
        " WHERE salesforce.object = ? AND salesforce.id = wanted.value ORDER BY wanted.key",
        (page.decode(), object_),
    ).fetchall()
    joined = "[" + ",".join([body for (body,) in rows]) + "]"
    bodies: list[dict[str, Any]] = orjson.loads(joined)
    return bodies
