"""Create, update and delete of one record, with the refusals of a real org.

Sources: REST API guide, sObject Rows and Status Codes; SOAP API guide, Core Data Types; read 2026-11-21.
"""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from sandbox.ids import salesforce_id18
from sandbox.salesforce.answers import ApiError, Call, not_found
from sandbox.salesforce.fields import make_id
from sandbox.salesforce.schema import RUN_AS_USER_ID
from sandbox.soql_sql import NUMERIC
from sandbox.vault import salesforce_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.salesforce.fields import Field
    from sandbox.salesforce.org import Org
    from sandbox.salesforce.schema import View

ASSIGNMENT_OWNER_ID = make_id("Group", 1)
"""The queue to which the lead assignment rule gives every lead that it is let loose on."""

_ID = re.compile(r"[0-9A-Za-z]{15}(?:[0-9A-Za-z]{3})?")
_NAMED = ("Lead", "Contact")
_WON = {"Closed Won": (True, True, 100), "Closed Lost": (True, False, 0)}


def whole_id(id_: str) -> str:
    """The id with 18 characters; raises ApiError MALFORMED_ID."""
    if not _ID.fullmatch(id_):
        raise ApiError(400, "MALFORMED_ID", f"malformed id {id_}", ("Id",))
    return salesforce_id18(id_)


def existing(org: Org, view: View, id_: str) -> dict[str, Any]:
    """The record whole; raises ApiError NOT_FOUND, or ENTITY_IS_DELETED where it is in the recycle bin."""
    body = org.vault.body("salesforce", view.sobject.name, whole_id(id_))
    if body is None:
        raise not_found()
    if body.get("IsDeleted"):
        raise ApiError(404, "ENTITY_IS_DELETED", "entity is deleted", ())
    return body


def create(org: Org, view: View, values: Mapping[str, Any], call: Call) -> str:
    """The record exists; its id. Raises ApiError. Not committed."""
    object_ = view.sobject.name
    if view.sobject.is_readonly:
        raise ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be inserted: {object_}", ())
    fields = _checked(view, values, is_create=True)
    missing = [
        field.name
        for field in view.fields.values()
        if field.is_createable and not field.is_nillable and field.type != "boolean"
        and field.default is None and fields.get(field.name) is None
    ]  # fmt: skip
    if missing:
        message = f"Required fields are missing: [{', '.join(missing)}]"
        raise ApiError(400, "REQUIRED_FIELD_MISSING", message, tuple(missing))
    _check_duplicate_rule(org, view, call)
    _check_unique(org, view, fields, "")
    body = {field.name: _default(field) for field in view.fields.values()} | fields
    body |= {"CreatedById": RUN_AS_USER_ID, "LastModifiedById": RUN_AS_USER_ID}
    body |= _consequences(org, view, body, fields, call)
    for stamp in ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp", "IsDeleted"):
        body.pop(stamp, None)
    id_ = make_id(object_, org.next_number(object_))
    org.vault.put_salesforce(object_, id_, body)
    return id_


def update(org: Org, view: View, id_: str, values: Mapping[str, Any], call: Call) -> None:
    """The record has these values and new stamps. Raises ApiError. Not committed."""
    object_ = view.sobject.name
    body = existing(org, view, id_)
    if view.sobject.is_readonly:
        raise ApiError(400, "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY", f"entity type cannot be updated: {object_}", ())
    fields = _checked(view, values, is_create=False)
    if object_ == "Lead" and body.get("IsConverted"):
        raise ApiError(400, "CANNOT_UPDATE_CONVERTED_LEAD", "cannot reference converted lead", ())
    _check_faults(org, body["Id"])
    _check_duplicate_rule(org, view, call)
    _check_unique(org, view, fields, body["Id"])
    merged = {**body, **fields}
    changes = {**fields, "LastModifiedById": RUN_AS_USER_ID, **_consequences(org, view, merged, fields, call)}
    org.vault.patch_salesforce(object_, body["Id"], changes)


def delete(org: Org, view: View, id_: str) -> None:
    """The record is in the recycle bin: hidden from query, shown by queryAll. Raises ApiError. Not committed."""
    body = existing(org, view, id_)
    if view.sobject.is_readonly:
        raise ApiError(400, "INSUFFICIENT_ACCESS_OR_READONLY", "insufficient access rights on object id", ())
    _check_faults(org, body["Id"])
    org.vault.patch_salesforce(view.sobject.name, body["Id"], {}, is_deleted=True)


def _consequences(
    org: Org, view: View, body: Mapping[str, Any], fields: Mapping[str, Any], call: Call
) -> dict[str, Any]:
    """What the org sets by itself when a record is written."""
    object_ = view.sobject.name
    changes: dict[str, Any] = {}
    if object_ in _NAMED and {"FirstName", "LastName"} & fields.keys():
        changes["Name"] = " ".join(part for part in (body.get("FirstName"), body.get("LastName")) if part)
    if object_ == "Opportunity" and "StageName" in fields:
        is_closed, is_won, probability = _WON.get(fields["StageName"], (False, False, body.get("Probability")))
        changes |= {"IsClosed": is_closed, "IsWon": is_won, "Probability": probability}
    is_assigned = call.headers.get("sforce-auto-assign", "").upper() != "FALSE"
    if object_ == "Lead" and is_assigned and org.faults.options.get("assignment", True):
        changes["OwnerId"] = ASSIGNMENT_OWNER_ID
    return changes | dict(org.faults.options.get("flow", {}).get(object_, {}))


def _default(field: Field) -> Any:
    return RUN_AS_USER_ID if field.default == "@user" else field.empty if field.default is None else field.default


def _check_faults(org: Org, id_: str) -> None:
    refused = org.faults.options.get("row_errors", {}).get(id_)
    if refused:
        raise ApiError(400, refused[0], refused[1], ())
    locked = org.faults.options.get("locked_rows", {})
    if locked.get(id_, 0) > 0:
        locked[id_] -= 1
        raise ApiError(400, "UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", ())


def _check_duplicate_rule(org: Org, view: View, call: Call) -> None:
    object_ = view.sobject.name
    is_allowed = "allowsave=true" in call.headers.get("sforce-duplicate-rule-header", "").replace(" ", "").lower()
    if object_ not in _NAMED or is_allowed or not org.faults.options.get("duplicate_rule"):
        return
    message = "Use one of these records?"
    error = ApiError(400, "DUPLICATES_DETECTED", message)
    # The key is spelled so by Salesforce.
    error.more["duplicateResut"] = {
        "allowSave": True,
        "duplicateRule": f"Standard_{object_}_Duplicate_Rule",
        "duplicateRuleEntityType": object_,
        "errorMessage": message,
        "matchResults": [],
    }
    raise error


def _check_unique(org: Org, view: View, fields: Mapping[str, Any], id_: str) -> None:
    for field in view.fields.values():
        value = fields.get(field.name)
        if not field.is_unique or value is None:
            continue
        other = org.vault.execute(
            "SELECT id FROM salesforce WHERE object = ? AND json_extract(body, ?) = ? AND is_deleted = 0 AND id <> ?",
            (view.sobject.name, f"$.{field.name}", value, id_),
        ).fetchone()
        if other:
            message = f"duplicate value found: {field.name} duplicates value on record with id: {other[0][:15]}"
            raise ApiError(400, "DUPLICATE_VALUE", message, ())


def _checked(view: View, values: Mapping[str, Any], *, is_create: bool) -> dict[str, Any]:
    """The values under the fields' real names, as stored; raises ApiError for the first that cannot be."""
    fields: dict[str, Any] = {}
    locked: list[str] = []
    for name, value in values.items():
        if name == "attributes" or (name.lower() == "id" and value is None):
            continue
        field = view.field(name)
        if field is None:
            raise ApiError(400, "INVALID_FIELD", f"No such column '{name}' on sobject of type {view.sobject.name}")
        if not (field.is_createable if is_create else field.is_updateable):
            locked.append(field.name)
            continue
        fields[field.name] = _stored(field, value)
    if locked:
        message = (
            f"Unable to create/update fields: {', '.join(locked)}. Please check the security settings of this field "
            "and verify that it is read/write for your profile or permission set."
        )
        raise ApiError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", message, tuple(locked))
    return fields


def _stored(field: Field, value: Any) -> Any:
    """The value as the record keeps it; raises ApiError."""
    if value is None or value == "":
        if field.type == "boolean" or not field.is_nillable:
            raise ApiError(400, "REQUIRED_FIELD_MISSING", f"Required fields are missing: [{field.name}]", (field.name,))
        return None
    if field.type in NUMERIC:
        return _number(field, value)
    convert = _CONVERSIONS.get(field.type)
    if convert is not None:
        return convert(value)
    return _text(field, str(value).lower() if isinstance(value, bool) else str(value))


def _text(field: Field, value: str) -> str:
    if field.type == "reference":
        if not _ID.fullmatch(value):
            raise ApiError(400, "MALFORMED_ID", f"{field.label}: id value of incorrect type: {value}", (field.name,))
        return salesforce_id18(value)
    if field.is_restricted and value not in field.values:
        message = f"{field.label}: bad value for restricted picklist field: {value}"
        raise ApiError(400, "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", message, (field.name,))
    if field.length and len(value) > field.length:
        message = f"{field.label}: data value too large: {value} (max length={field.length})"
        raise ApiError(400, "STRING_TOO_LONG", message, (field.name,))
    return value


def _boolean(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if str(value).lower() in ("true", "false", "1", "0"):
        return str(value).lower() in ("true", "1")
    raise _not_an_instance("boolean", value)


def _number(field: Field, value: Any) -> float | int:
    kind = "int" if field.type == "int" else "double"
    if isinstance(value, bool):
        raise _not_an_instance(kind, str(value).lower())
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _not_an_instance(kind, value) from None
    digits = field.length - field.scale
    if digits and abs(number) >= 10**digits:
        message = f"{field.label}: value outside of valid range on numeric field: {value}"
        raise ApiError(400, "NUMBER_OUTSIDE_VALID_RANGE", message, (field.name,))
    return round(number) if field.type == "int" else round(number, field.scale)


def _instant(value: Any) -> str:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise _not_an_instance("datetime", value) from None
    if at.tzinfo is None:
        raise _not_an_instance("datetime", value)
    return salesforce_stamp(int(at.timestamp() * 1000))


def _day(value: Any) -> str:
    text = str(value)
    try:
        return date.fromisoformat(text[:10]).isoformat()
    except ValueError:
        raise _not_an_instance("date", value) from None


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {"boolean": _boolean, "datetime": _instant, "date": _day}


def _not_an_instance(kind: str, value: Any) -> ApiError:
    token = "VALUE_STRING" if isinstance(value, str) else "VALUE_NUMBER_INT"
    message = (
        f"Cannot deserialize instance of {kind} from {token} value {value} or request may be missing a required field"
        " at [line:1, column:2]"
    )
    return ApiError(400, "JSON_PARSER_ERROR", message)
