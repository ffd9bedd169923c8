"""The search endpoint: an index beside the records, which may lag behind them.

With `lag_ms` a change is found only so long after it happened: until then the index holds the version that was
replaced, while the properties shown are those of now, so rows can lie outside the window they were asked for; new
records are not found at all. A change that did not come through this API leaves no old version behind.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot.answers import Answer, Json, invalid
from sandbox.hubspot.filters import Compiler, Where
from sandbox.hubspot.records import fetch, prepare_live, prepare_values, show, wanted
from sandbox.hubspot.writes import prepare_stale

if TYPE_CHECKING:
    from sandbox.hubspot.portal import Call, Portal

PAGE: Final = 10
PAGE_LIMIT: Final = 200
RESULT_LIMIT: Final = 10_000
TEXT_LIMIT: Final = 3_000
_FEW: Final = 5_000
"""So many matches are sorted faster than as many more records are passed over."""


def search(call: Call) -> Answer:
    """Records that match, at most 10,000 by offsets; never archived ones, never with associations."""
    object_, portal, fields = call.object, call.portal, call.fields()
    query = str(fields.get("query") or "")
    if max(len(query), call.body_length) > TEXT_LIMIT:
        # The guide limits the body, the specification the query: the smaller holds.
        raise invalid(f"The request is longer than {TEXT_LIMIT} characters.", code="QUERY_TOO_LONG")
    limit = _number(fields, "limit", PAGE)
    if not 0 <= limit <= PAGE_LIMIT:
        raise invalid(f"limit must be at most {PAGE_LIMIT}", code="INVALID_LIMIT", context={"limit": [str(limit)]})
    offset = _number(fields, "after", 0)
    if offset >= RESULT_LIMIT:
        raise invalid(f"paging beyond {RESULT_LIMIT} results is not supported", context={"after": [str(offset)]})
    compiler = Compiler(object_, portal.schema.live(object_))
    where = compiler.where(fields.get("filterGroups") or [], query)
    order = compiler.order(fields.get("sorts") or [])
    prepare_live(portal)
    if "email" in where.columns:
        prepare_values(portal, object_, "email")
    total, ids = _find(portal, object_, where, order, limit, offset)
    rows = fetch(portal, object_, ids)
    if portal.settings.is_disordered:
        ids = [id_ for pair in zip(ids[1::2], ids[::2], strict=False) for id_ in pair] + ids[len(ids) // 2 * 2 :]
    names = wanted(portal, object_, [str(name) for name in fields.get("properties") or ()])
    body: Json = {"total": total, "results": [show(portal, object_, rows[id_], names) for id_ in ids if id_ in rows]}
    if offset + limit < total and limit:
        body["paging"] = {"next": {"after": str(offset + limit)}}
    return Answer(payload=body)


def _number(fields: dict[str, Any], name: str, default: int) -> int:
    text = str(fields.get(name) or default)
    if not text.isdecimal():
        raise invalid(f"{name} must be a whole number", code="INVALID_INTEGER", context={name: [text]})
    return int(text)


def _find(portal: Portal, object_: str, where: Where, order: str, limit: int, offset: int) -> tuple[int, list[int]]:
    """How many match, and the ids of one page of them."""
    lag_ms = portal.settings.faults.lag_ms
    if lag_ms:
        return _find_lagging(portal, object_, where, order, limit, offset, portal.now() - lag_ms)
    execute = portal.vault.execute
    condition = f"object = '{object_}' AND archived = 0 AND {where.sql}"
    index = "INDEXED BY hubspot_live" if where.is_covered else ""
    total = execute(f"SELECT count(*) FROM hubspot {index} WHERE {condition}", where.params).fetchone()[0]  # noqa: S608  # filters came through the compiler
    if where.is_covered and total > _FEW and order.startswith("id"):
        index = "NOT INDEXED"  # in the order of the primary key, until the page is full
    elif not order.startswith(("id", "modified")):
        index = ""
    rows = execute(
        f"SELECT id FROM hubspot {index} WHERE {condition} ORDER BY {order} LIMIT ? OFFSET ?",  # noqa: S608  # as above
        (*where.params, limit, offset),
    )
    return total, [id_ for (id_,) in rows.fetchall()]


def _find_lagging(
    portal: Portal, object_: str, where: Where, order: str, limit: int, offset: int, seen_until: int
) -> tuple[int, list[int]]:
    prepare_stale(portal)
    index = "INDEXED BY hubspot_live" if where.is_covered else ""
    columns = "id, modified" if where.is_covered else "id, modified, created, body"
    found = (
        f"SELECT {columns} FROM hubspot {index} WHERE object = ? AND archived = 0 AND modified <= ? AND {where.sql}"  # noqa: S608  # as above
        f" UNION ALL SELECT {columns} FROM temp.hubspot_stale WHERE object = ? AND archived = 0"
        f" AND modified <= ? AND replaced_at > ? AND {where.sql}"
    )
    params = (object_, seen_until, *where.params, object_, seen_until, seen_until, *where.params)
    execute = portal.vault.execute
    total = execute(f"SELECT count(*) FROM ({found})", params).fetchone()[0]  # noqa: S608  # as above
    rows = execute(f"SELECT id FROM ({found}) ORDER BY {order} LIMIT ? OFFSET ?", (*params, limit, offset))  # noqa: S608  # as above
    return total, [id_ for (id_,) in rows.fetchall()]
