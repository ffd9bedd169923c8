"""sObject Collections: up to 200 records in one call, each with a result of its own.

Source: REST API guide, sObject Collections (Create, Update, Upsert, Retrieve, Delete); read 2026-11-21.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.salesforce import rows, writing
from sandbox.salesforce.answers import Answer, ApiError, Call, is_true
from sandbox.salesforce.locators import page_bodies
from sandbox.salesforce.query import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sandbox.salesforce.org import Org
    from sandbox.salesforce.schema import View

    Row = dict[str, Any]
    Write = Callable[[Row], tuple[str, dict[str, Any]]]

_MOST = 200
_MOST_READ = 2_000
_MOST_CHUNKS = 10
_ROLLED_BACK = ApiError(
    400,
    "ALL_OR_NONE_OPERATION_ROLLED_BACK",
    "Record rolled back because not all records were valid and the request was using AllOrNone header",
    (),
)


def create(org: Org, call: Call) -> Answer:
    """Each record exists, or its row says why not."""

    def write(row: Row) -> tuple[str, dict[str, Any]]:
        return writing.create(org, _view(org, row), _values(row), call), {}

    return _each(org, _records(call), write, is_atomic=_is_atomic(call))


def update(org: Org, call: Call) -> Answer:
    """Each record has its values, or its row says why not."""

    def write(row: Row) -> tuple[str, dict[str, Any]]:
        view = _view(org, row)
        id_ = _id(row)
        if id_ is None:
            raise ApiError(400, "MISSING_ARGUMENT", "Id not specified in an update call", ("Id",))
        return _updated(org, view, id_, row, call), {}

    return _each(org, _records(call), write, is_atomic=_is_atomic(call))


def upsert(org: Org, call: Call, object_: str, field: str) -> Answer:
    """Each record with that external id has its values; those there were not are created."""
    view = org.schema.view(object_)
    key = rows.lookup_field(view, field)

    def write(row: Row) -> tuple[str, dict[str, Any]]:
        value = next((value for name, value in row.items() if name.lower() == key.name.lower()), None)
        ids = rows.matches(org, view, key, value)
        if len(ids) > 1:
            message = f"{key.name}: more than one record found for external id field: [{', '.join(ids)}]"
            raise ApiError(400, "DUPLICATE_EXTERNAL_ID", message, (key.name,))
        if ids:
            return _updated(org, view, ids[0], row, call), {"created": False}
        return writing.create(org, view, row, call), {"created": True}

    return _each(org, _records(call), write, is_atomic=_is_atomic(call))


def delete(org: Org, call: Call) -> Answer:
    """Each record is in the recycle bin, or its row says why not."""
    ids = [id_ for id_ in call.query.get("ids", "").split(",") if id_]
    _check_count(len(ids))
    prefixes = {view.sobject.prefix: view for view in _open_views(org)}

    def write(row: Row) -> tuple[str, dict[str, Any]]:
        view = prefixes.get(row["id"][:3])
        if view is None:
            raise ApiError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
        writing.delete(org, view, row["id"])
        return writing.whole_id(row["id"]), {}

    return _each(org, [{"id": id_} for id_ in ids], write, is_atomic=is_true(call.query.get("allOrNone", False)))


def retrieve(org: Org, call: Call, object_: str) -> Answer:
    """The records in the order of the ids; null where there is none."""
    if call.method == "POST":
        body = call.fields()
        ids, names = list(body.get("ids", ())), list(body.get("fields", ()))
    else:
        ids = [id_ for id_ in call.query.get("ids", "").split(",") if id_]
        names = [name for name in call.query.get("fields", "").split(",") if name]
    if len(ids) > _MOST_READ:
        raise _too_many(_MOST_READ)
    if not names:
        raise ApiError(400, "MISSING_ARGUMENT", "The fields parameter is required.")
    view = org.schema.view(object_)
    fields = rows.chosen(view, names)
    wanted = [writing.whole_id(str(id_)) for id_ in ids]
    bodies = page_bodies(org.vault, view.sobject.name, orjson.dumps(wanted))
    present = [body for body in bodies if not body.get("IsDeleted")]
    found = {body["Id"]: record for body, record in zip(present, shown(org, call, view, fields, present), strict=True)}
    return Answer(body=[found.get(id_) for id_ in wanted])


def _each(org: Org, records: Sequence[Row], write: Write, *, is_atomic: bool) -> Answer:
    """One result a record, in order; with `is_atomic` all or none are written."""
    results: list[dict[str, Any]] = []
    has_failed = False
    org.vault.execute("SAVEPOINT collection")
    for record in records:
        try:
            id_, more = write(record)
        except ApiError as error:
            if error.code == "JSON_PARSER_ERROR":
                raise
            has_failed = True
            results.append({"success": False, "errors": [_as_row(error).row()]})
        else:
            results.append({"id": id_, "success": True, "errors": [], **more})
    if has_failed and is_atomic:
        org.vault.execute("ROLLBACK TO collection")
        rolled_back = {"success": False, "errors": [_ROLLED_BACK.row()]}
        results = [rolled_back if result["success"] else result for result in results]
    org.vault.execute("RELEASE collection")
    return Answer(body=results)


def _as_row(error: ApiError) -> ApiError:
    """The error as a row of a collection has it: an id without a record is a bad reference there."""
    if error.code == "NOT_FOUND":
        return ApiError(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id", ())
    return error


def _updated(org: Org, view: View, id_: str, row: Row, call: Call) -> str:
    values = {name: value for name, value in _values(row).items() if name.lower() != "id"}
    writing.update(org, view, id_, values, call)
    return writing.whole_id(id_)


def _records(call: Call) -> list[Row]:
    records = call.fields().get("records")
    if not isinstance(records, list) or not all(isinstance(record, dict) for record in records):
        raise ApiError(400, "JSON_PARSER_ERROR", "Missing required field: records")
    _check_count(len(records))
    chunks = sum(1 for _ in groupby(records, key=_type))
    if chunks > _MOST_CHUNKS:
        message = (
            f"Cannot have more than {_MOST_CHUNKS} chunks in a single operation. "
            "Please rearrange the data to reduce chunking."
        )
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    return records


def _check_count(count: int) -> None:
    if count > _MOST:
        raise _too_many(_MOST)


def _too_many(most: int) -> ApiError:
    message = f"record limit reached. cannot submit more than {most} records into this call"
    return ApiError(400, "EXCEEDED_ID_LIMIT", message)


def _is_atomic(call: Call) -> bool:
    return is_true(call.fields().get("allOrNone", False))


def _type(row: Row) -> str:
    attributes = row.get("attributes")
    return str(attributes.get("type", "")) if isinstance(attributes, dict) else ""


def _view(org: Org, row: Row) -> View:
    name = _type(row)
    if not name:
        raise ApiError(400, "INVALID_TYPE", "Must send a concrete entity type.", ())
    if not org.schema.has(name):
        raise ApiError(400, "INVALID_TYPE", f"sObject type '{name}' is not supported.", ())
    return org.schema.view(name)


def _values(row: Row) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "attributes"}


def _id(row: Row) -> str | None:
    id_ = next((value for name, value in row.items() if name.lower() == "id"), None)
    return None if id_ is None else str(id_)


def _open_views(org: Org) -> list[View]:
    return [org.schema.view(name) for name in org.schema.names() if not org.schema.view(name).sobject.is_readonly]
