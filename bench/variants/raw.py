"""The raw limit of this machine: http.client, orjson, and the driver's executemany into sixteen columns."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING, Any

import orjson

from bench.pages import HUBSPOT_FIELDS, SALESFORCE_FIELDS
from bench.place import store_connection

if TYPE_CHECKING:
    from bench.place import Counters, Place

_PAGES_PER_TRANSACTION = {"salesforce": 1, "hubspot": 10}


def prepare(_n: int, place: Place) -> Any:
    conn = store_connection(place.folder / "raw.db")
    names = SALESFORCE_FIELDS if place.vendor == "salesforce" else ("id", *HUBSPOT_FIELDS)
    conn.execute(f"CREATE TABLE contact ({names[0]} TEXT PRIMARY KEY, {', '.join(names[1:])})")
    return conn


def run(n: int, place: Place, conn: Any) -> Counters:
    take = _salesforce if place.vendor == "salesforce" else _hubspot
    sql = f"INSERT INTO contact VALUES ({', '.join('?' * 16)})"
    rows: list[tuple[Any, ...]] = []
    for number, page in enumerate(place.pages(n), 1):
        rows += take(orjson.loads(page))
        if number % _PAGES_PER_TRANSACTION[place.vendor] == 0:
            _store(conn, sql, rows)
            rows = []
    _store(conn, sql, rows)
    return {"records": conn.execute("SELECT COUNT(*) FROM contact").fetchone()[0]}


def _store(conn: Any, sql: str, rows: list[tuple[Any, ...]]) -> None:
    conn.execute("BEGIN IMMEDIATE")
    conn.executemany(sql, rows)
    conn.execute("COMMIT")


_salesforce_row = itemgetter(*SALESFORCE_FIELDS)
_hubspot_row = itemgetter(*HUBSPOT_FIELDS)


def _salesforce(page: Any) -> list[tuple[Any, ...]]:
    return [_salesforce_row(record) for record in page["records"]]


def _hubspot(page: Any) -> list[tuple[Any, ...]]:
    return [(record["id"], *_hubspot_row(record["properties"])) for record in page["results"]]
