"""Custom fields, made and removed as an administrator's tool does through the Tooling API.

A new field is seen by nobody until a permission set grants it: `POST /sobjects/FieldPermissions`.
Source: Tooling API, CustomField; Object Reference, FieldPermissions; read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.salesforce import rows, writing
from sandbox.salesforce.answers import Answer, ApiError, Call
from sandbox.salesforce.query import shown
from sandbox.salesforce.schema import field_of

if TYPE_CHECKING:
    from sandbox.salesforce.org import Org


def create_field(org: Org, call: Call) -> Answer:
    """The field exists; its id is the answer."""
    full_name, metadata = _definition(call)
    if full_name is None:
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [FullName]", ("FullName",))
    id_ = org.schema.add_custom_field(full_name, metadata)
    return Answer(201, {"id": id_, "success": True, "errors": [], "warnings": [], "infos": []})


def read_field(org: Org, call: Call, id_: str) -> Answer:
    """The field's definition with its metadata."""
    view = org.schema.view("CustomField", is_tooling=True)
    body = writing.existing(org, view, id_)
    return Answer(body=shown(org, call, view, rows.chosen(view, call.query.get("fields")), [body])[0])


def update_field(org: Org, call: Call, id_: str) -> Answer:
    """The field has this metadata instead."""
    view = org.schema.view("CustomField", is_tooling=True)
    body = writing.existing(org, view, id_)
    _, metadata = _definition(call)
    field = field_of(body["FullName"].partition(".")[2], metadata)
    org.vault.patch_salesforce("CustomField", body["Id"], {"Metadata": metadata, "Length": field.length or None})
    org.schema.changed()
    return Answer(204)


def delete_field(org: Org, call: Call, id_: str) -> Answer:
    """The field is gone from its object, and with it who might see it; the values stay, unseen."""
    _ = call
    view = org.schema.view("CustomField", is_tooling=True)
    body = writing.existing(org, view, id_)
    org.vault.patch_salesforce("CustomField", body["Id"], {}, is_deleted=True)
    granted = org.vault.execute(
        "SELECT id FROM salesforce WHERE object = 'FieldPermissions' AND json_extract(body, '$.Field') = ?",
        (body["FullName"],),
    ).fetchall()
    for (permission,) in granted:
        org.vault.patch_salesforce("FieldPermissions", permission, {}, is_deleted=True)
    org.schema.changed()
    return Answer(204)


def _definition(call: Call) -> tuple[str | None, dict[str, Any]]:
    body = call.fields()
    metadata = body.get("Metadata")
    if not isinstance(metadata, dict):
        raise ApiError(400, "REQUIRED_FIELD_MISSING", "Required fields are missing: [Metadata]", ("Metadata",))
    return body.get("FullName"), metadata
