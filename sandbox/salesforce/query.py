"""query, queryAll and their further pages.

Source: REST API guide, Query, QueryAll and Query Options Header; read 2026-11-21.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from sandbox.salesforce.answers import Answer, ApiError, Call
from sandbox.salesforce.locators import Locator, cut, page_bodies
from sandbox.soql import SoqlError, parse
from sandbox.soql_sql import compile_query, unknown_object

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.salesforce.fields import Field
    from sandbox.salesforce.org import Org
    from sandbox.salesforce.schema import View
    from sandbox.soql_sql import Selection

_DAY_MS = 86_400_000
_PAGE_SIZE = 2_000
_LEAST_PAGE_SIZE = 200
_BATCH_SIZE = re.compile(r"batchSize\s*=\s*(\d+)", re.IGNORECASE)
_LOCATOR = re.compile(r"([0-9A-Za-z]{18})-(\d+)")


def query(org: Org, call: Call) -> Answer:
    """The records that are not deleted."""
    return _query(org, call, with_deleted=False)


def query_all(org: Org, call: Call) -> Answer:
    """The records, deleted and merged ones too."""
    return _query(org, call, with_deleted=True)


def tooling_query(org: Org, call: Call) -> Answer:
    """The records of the Tooling API's objects."""
    return _query(org, call, with_deleted=False, is_tooling=True)


def more(org: Org, call: Call, locator: str) -> Answer:
    """The page of an earlier query that begins at the locator's offset."""
    match = _LOCATOR.fullmatch(locator)
    if not match:
        raise ApiError(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
    found, page = org.locators.find(match.group(1), int(match.group(2)))
    return Answer(body=_page(org, call, found, page, match.group(1)))


def page_size(org: Org, call: Call) -> int:
    """How many records a page has for this caller: 2,000 unless it asks for less, never under 200."""
    match = _BATCH_SIZE.search(call.headers.get("sforce-query-options", ""))
    wanted = int(match.group(1)) if match else _PAGE_SIZE
    size = min(max(wanted, _LEAST_PAGE_SIZE), _PAGE_SIZE)
    return min(size, int(org.faults.options.get("page_size", size)))


def _query(org: Org, call: Call, *, with_deleted: bool, is_tooling: bool = False) -> Answer:
    text = call.query.get("q") if call.method == "GET" else _posted(call)
    if text is None:
        raise ApiError(400, "MALFORMED_QUERY", "A query string has to be specified")
    try:
        selection = _compile(org, text, is_tooling=is_tooling)
    except SoqlError as error:
        raise ApiError(400, error.code, error.message) from None
    where, params = _conditions(org, selection, with_deleted=with_deleted)
    if selection.is_count:
        total = org.vault.execute(f"SELECT count(*) FROM salesforce WHERE {where}", params).fetchone()[0]  # noqa: S608  # compiled, not pasted
        return Answer(body={"totalSize": total, "done": True, "records": []})
    if selection.aggregates:
        return _aggregates(org, selection, where, params)
    return _rows(org, call, selection, where, params)


def _posted(call: Call) -> str | None:
    """The statement in a body, for those too long for an address: a form's or a JSON object's `q`."""
    if call.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return dict(parse_qsl(call.body.decode("utf-8", "replace"))).get("q")
    text = call.fields().get("q")
    return None if text is None else str(text)


def _compile(org: Org, text: str, *, is_tooling: bool) -> Selection:
    parsed = parse(text)
    if not org.schema.has(parsed.entity.name, is_tooling=is_tooling):
        raise unknown_object(parsed)
    view = org.schema.view(parsed.entity.name, is_tooling=is_tooling)
    return compile_query(parsed, view.sobject.name, view.columns)


def _conditions(org: Org, selection: Selection, *, with_deleted: bool) -> tuple[str, tuple[object, ...]]:
    where = f"object = ? AND ({selection.where})"
    params: tuple[object, ...] = (selection.entity, *selection.params)
    if not with_deleted:
        where += " AND is_deleted = 0"
    if org.faults.lag_ms and selection.is_windowed:
        # Stamped when the transaction began, seen when it has committed everywhere.
        where += " AND modified <= ?"
        params = (*params, org.vault.now_ms() - org.faults.lag_ms)
    return where, params


def _aggregates(org: Org, selection: Selection, where: str, params: tuple[object, ...]) -> Answer:
    functions = ", ".join(sql for _, sql in selection.aggregates)
    row = org.vault.execute(f"SELECT {functions} FROM salesforce WHERE {where}", params).fetchone()  # noqa: S608  # compiled, not pasted
    names = [name for name, _ in selection.aggregates]
    record = {"attributes": {"type": "AggregateResult"}, **dict(zip(names, row, strict=True))}
    return Answer(body={"totalSize": 1, "done": True, "records": [record]})


def _rows(org: Org, call: Call, selection: Selection, where: str, params: tuple[object, ...]) -> Answer:
    limit = -1 if selection.limit is None else selection.limit
    sql = f"SELECT id FROM salesforce WHERE {where} ORDER BY {selection.order} LIMIT ? OFFSET ?"  # noqa: S608  # compiled, not pasted
    size = page_size(org, call)
    pages, total = cut(org.vault.execute(sql, (*params, limit, selection.offset)), size)
    most = org.faults.options.get("query_timeout_rows")
    if most is not None and total > most:
        raise ApiError(400, "QUERY_TIMEOUT", "Your query request was running for too long.")
    locator = Locator(selection, total, size, pages, org.vault.now_ms())
    name = org.locators.keep(locator) if len(locator.pages) > 1 else ""
    return Answer(body=_page(org, call, locator, 0, name))


def _page(org: Org, call: Call, locator: Locator, page: int, name: str) -> dict[str, Any]:
    is_last = page + 1 >= len(locator.pages)
    body: dict[str, Any] = {"totalSize": locator.total, "done": is_last}
    if not is_last:
        body["nextRecordsUrl"] = f"{call.root}/query/{name}-{(page + 1) * locator.page_size}"
    selection = locator.selection
    view = _view(org, selection)
    fields = [view.fields[column] for column in selection.columns if column in view.fields]
    bodies = page_bodies(org.vault, selection.entity, locator.pages[page]) if locator.pages else []
    body["records"] = shown(org, call, view, fields, bodies)
    return body


def _view(org: Org, selection: Selection) -> View:
    return org.schema.view(selection.entity, is_tooling=not org.schema.has(selection.entity))


def shown(
    org: Org, call: Call, view: View, fields: Sequence[Field], bodies: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The records with only these fields, `attributes` first; a formula is worked out now."""
    object_ = view.sobject.name
    tooling = "tooling/" if view.sobject.is_tooling else ""
    url = f"{call.root}/{tooling}sobjects/{object_}/"
    columns = [(field.name, field.empty) for field in fields]
    records: list[dict[str, Any]] = []
    for body in bodies:
        record: dict[str, Any] = {"attributes": {"type": object_, "url": url + body["Id"]}}
        for name, empty in columns:
            record[name] = body.get(name, empty)
        records.append(record)
    for name in (field.name for field in fields if field.is_calculated):
        work_out = FORMULAS[object_, name]
        for record, body in zip(records, bodies, strict=True):
            record[name] = work_out(body, org.vault.now_ms())
    return records


def _days_since_created(body: dict[str, Any], now_ms: int) -> float:
    created_ms = datetime.fromisoformat(body["CreatedDate"]).timestamp() * 1000
    return float((now_ms - created_ms) // _DAY_MS)


FORMULAS = {("Lead", "Days_Since_Created__c"): _days_since_created}
"""What the formula fields say of a record now; its stamps do not move with them."""
