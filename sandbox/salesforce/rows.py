"""One record by its id or external id, and the lists of what was updated and deleted.

Source: REST API guide, sObject Rows, sObject Rows by External ID, Get Updated, Get Deleted; read 2026-11-21.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sandbox.salesforce import writing
from sandbox.salesforce.answers import Answer, ApiError, Call, http_date_ms, not_found
from sandbox.salesforce.query import shown
from sandbox.vault import salesforce_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.salesforce.fields import Field
    from sandbox.salesforce.org import Org
    from sandbox.salesforce.schema import View

_MINUTE_MS = 60_000
_REACH_MS = 30 * 24 * 3600 * 1000
_BIN_MS = 15 * 24 * 3600 * 1000


def read(org: Org, call: Call, object_: str, id_: str) -> Answer:
    """The record, whole or with the fields asked for."""
    view = org.schema.view(object_)
    body = writing.existing(org, view, id_)
    since = http_date_ms(call.headers.get("if-modified-since"))
    if since is not None and _modified_ms(body) <= since:
        return Answer(304)
    return Answer(body=shown(org, call, view, chosen(view, call.query.get("fields")), [body])[0])


def create(org: Org, call: Call, object_: str) -> Answer:
    """The record exists; its id is the answer."""
    id_ = writing.create(org, org.schema.view(object_), call.fields(), call)
    _refresh(org, object_)
    return Answer(201, {"id": id_, "success": True, "errors": []})


def update(org: Org, call: Call, object_: str, id_: str) -> Answer:
    """The record has these values, unless it was modified after If-Unmodified-Since."""
    view = org.schema.view(object_)
    guard = http_date_ms(call.headers.get("if-unmodified-since"))
    if guard is not None and _modified_ms(writing.existing(org, view, id_)) > guard:
        message = "The record has been modified since the date and time given in If-Unmodified-Since."
        raise ApiError(412, "PRECONDITION_FAILED", message)
    writing.update(org, view, id_, call.fields(), call)
    _refresh(org, object_)
    return Answer(204)


def delete(org: Org, call: Call, object_: str, id_: str) -> Answer:
    """The record is in the recycle bin."""
    _ = call
    writing.delete(org, org.schema.view(object_), id_)
    _refresh(org, object_)
    return Answer(204)


def read_by(org: Org, call: Call, object_: str, field: str, value: str) -> Answer:
    """The one record with that external id."""
    view = org.schema.view(object_)
    ids = matches(org, view, lookup_field(view, field), value)
    if len(ids) > 1:
        return _several(call, view, ids)
    if not ids:
        raise not_found()
    return read(org, call, object_, ids[0])


def upsert(org: Org, call: Call, object_: str, field: str, value: str) -> Answer:
    """The record with that external id has these values; it is created where there is none."""
    view = org.schema.view(object_)
    key = lookup_field(view, field)
    ids = matches(org, view, key, value)
    if len(ids) > 1:
        return _several(call, view, ids)
    if ids:
        writing.update(org, view, ids[0], call.fields(), call)
        return Answer(200, {"id": ids[0], "success": True, "errors": [], "created": False})
    id_ = writing.create(org, view, {**call.fields(), key.name: value}, call)
    return Answer(201, {"id": id_, "success": True, "errors": [], "created": True})


def lookup_field(view: View, name: str) -> Field:
    """The field by which records may be found for an upsert; raises ApiError."""
    field = view.field(name)
    if field is None or not (field.is_external_id or field.type in ("email", "id")):
        message = (
            f"Field name provided, {name} does not match an External ID, Salesforce Id, or indexed field for "
            f"{view.sobject.name}"
        )
        raise ApiError(400, "INVALID_FIELD", message)
    return field


def matches(org: Org, view: View, field: Field, value: Any) -> list[str]:
    """The ids of the records with that value that are not deleted."""
    if value is None:
        return []
    column = "id" if field.name == "Id" else f"json_extract(body, '$.{field.name}') COLLATE NOCASE"
    rows = org.vault.execute(
        f"SELECT id FROM salesforce WHERE object = ? AND {column} = ? AND is_deleted = 0 ORDER BY id",  # noqa: S608  # a field of the schema
        (view.sobject.name, value),
    )
    return [id_ for (id_,) in rows]


def chosen(view: View, names: str | Sequence[str] | None) -> list[Field]:
    """The fields named (text with commas, or a list), all where none are; raises ApiError INVALID_FIELD."""
    if not names:
        return list(view.fields.values())
    wanted = names.split(",") if isinstance(names, str) else names
    fields: list[Field] = []
    for name in (name.strip() for name in wanted):
        field = view.field(name)
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {view.sobject.name}")
        fields.append(field)
    return fields


def updated(org: Org, call: Call, object_: str) -> Answer:
    """The ids of the records that were created or updated in the window and are not deleted."""
    start, end, covered = _window(org, call)
    rows = org.vault.execute(
        "SELECT id FROM salesforce WHERE object = ? AND modified BETWEEN ? AND ? AND is_deleted = 0"
        " ORDER BY modified, id",
        (org.schema.view(object_).sobject.name, start, min(end, covered)),
    )
    return Answer(body={"ids": [id_ for (id_,) in rows], "latestDateCovered": salesforce_stamp(covered)})


def deleted(org: Org, call: Call, object_: str) -> Answer:
    """The ids of the records that were deleted in the window, and when."""
    start, end, covered = _window(org, call)
    rows = org.vault.execute(
        "SELECT id, modified FROM salesforce WHERE object = ? AND modified BETWEEN ? AND ? AND is_deleted = 1"
        " ORDER BY modified, id",
        (org.schema.view(object_).sobject.name, start, min(end, covered)),
    )
    return Answer(
        body={
            "deletedRecords": [{"id": id_, "deletedDate": salesforce_stamp(modified)} for id_, modified in rows],
            "earliestDateAvailable": salesforce_stamp((org.vault.now_ms() - _BIN_MS) // _MINUTE_MS * _MINUTE_MS),
            "latestDateCovered": salesforce_stamp(covered),
        }
    )


def _window(org: Org, call: Call) -> tuple[int, int, int]:
    """Start and end with their seconds dropped, and until when the answer is whole; raises ApiError."""
    start, end = (_minute(call.query.get(name)) for name in ("start", "end"))
    now = org.vault.now_ms()
    if end - start < _MINUTE_MS:
        message = "startDate and endDate must be at least one minute apart"
        raise ApiError(400, "INVALID_REPLICATION_DATE", message)
    if now - start > _REACH_MS:
        raise ApiError(400, "INVALID_REPLICATION_DATE", "startDate cannot be more than 30 days ago")
    return start, end, min(end, (now - org.faults.lag_ms) // _MINUTE_MS * _MINUTE_MS)


def _minute(text: str | None) -> int:
    try:
        at = datetime.fromisoformat((text or "").replace(" ", "+"))
    except ValueError:
        raise ApiError(400, "INVALID_DATE_FORMAT", f"Invalid date: {text}") from None
    ms = int(at.replace(tzinfo=at.tzinfo or UTC).timestamp() * 1000)
    return ms // _MINUTE_MS * _MINUTE_MS


def _modified_ms(body: dict[str, Any]) -> int:
    stamp = body.get("LastModifiedDate") or body["SystemModstamp"]
    return int(datetime.fromisoformat(stamp).timestamp() * 1000)


def _several(call: Call, view: View, ids: Sequence[str]) -> Answer:
    """The external id is not unique: the records that have it."""
    return Answer(300, [f"{call.root}/sobjects/{view.sobject.name}/{id_}" for id_ in ids])


def _refresh(org: Org, object_: str) -> None:
    if object_.lower() == "fieldpermissions":
        org.schema.changed()
