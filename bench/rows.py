"""The same contacts as rows: for the store alone, without any wire."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from bench.pages import salesforce_record

if TYPE_CHECKING:
    from mapping.records import RecordRow

PER_TRANSACTION = 2_000
_MORE = ("MobilePhone", "MailingCity", "Description", "ReportsToId")
COLUMNS = (*(name for name in salesforce_record(0) if name != "attributes"), *_MORE)


def rows_of(start: int, end: int) -> list[tuple[Any, ...]]:
    """Twenty columns each."""
    return [tuple(_record(number).values()) for number in range(start, end)]


def payloads_of(start: int, end: int) -> list[RecordRow]:
    """The same as the connectors give them."""
    found = []
    for number in range(start, end):
        record = _record(number)
        payload = json.dumps(record, separators=(",", ":")).encode()
        found.append((record["Id"], record["SystemModstamp"], payload, False))
    return found


def _record(number: int) -> dict[str, Any]:
    record = salesforce_record(number)
    del record["attributes"]
    more = (f"+81 90 {number % 10_000:04d}", "Osaka", None, f"003{number // 9:012d}AAA")
    return {**record, **dict(zip(_MORE, more, strict=True))}
