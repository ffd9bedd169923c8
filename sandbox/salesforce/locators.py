"""Result sets larger than a page, kept for the locator that the client was given."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from sandbox.ids import checksum
from sandbox.salesforce.answers import ApiError
from sandbox.salesforce.schema import RUN_AS_USER_ID

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.salesforce.org import Org
    from sandbox.soql_sql import Selection

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


def keep(org: Org, locator: Locator) -> str:
    """The name under which the locator is found again: 18 characters, prefix 0r8."""
    number = org.next_number("QueryLocator")
    id15 = f"0r8{RUN_AS_USER_ID[3:9]}{number:06d}"
    name = id15 + checksum(id15)
    org.locators[name] = locator
    kept = sum(each.total for each in org.locators.values())
    while kept > _MOST_IDS and len(org.locators) > 1:
        kept -= org.locators.pop(next(iter(org.locators))).total
    return name


def find(org: Org, name: str, offset: int) -> tuple[Locator, int]:
    """The locator and the index of the page that begins at the offset; raises ApiError INVALID_QUERY_LOCATOR."""
    locator = org.locators.get(name)
    is_alive = locator is not None and org.vault.now_ms() - locator.made_ms < _LIFE_MS
    if locator is None or not is_alive or org.faults.options.get("lost_locators"):
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


def page_bodies(org: Org, object_: str, page: bytes) -> list[dict[str, Any]]:
    """The page's records whole, in the page's order, without those that have gone since."""
    rows = org.vault.execute(
        "SELECT salesforce.body FROM json_each(?) AS wanted CROSS JOIN salesforce"
        " WHERE salesforce.object = ? AND salesforce.id = wanted.value ORDER BY wanted.key",
        (page.decode(), object_),
    ).fetchall()
    joined = "[" + ",".join([body for (body,) in rows]) + "]"
    bodies: list[dict[str, Any]] = orjson.loads(joined)
    return bodies
