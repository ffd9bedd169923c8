"""What the org's fields are now: the standard ones, those made through the Tooling API, less those hidden."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import orjson

from sandbox.ids import salesforce_id
from sandbox.salesforce.answers import ApiError, not_found
from sandbox.salesforce.fields import CANONICAL_OBJECTS, Field, SObject, canonical_fields, make_id, standard_objects
from sandbox.soql_sql import Column, column_map

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.faults import Faults
    from sandbox.vault import Vault

ORGANIZATION_ID = make_id("Organization", 1)
RUN_AS_USER_ID = salesforce_id("User", 1)
"""The world's first employee is its integration user."""
PERMISSION_SET_ID = make_id("PermissionSet", 1)
_SCALARS = {
    "Checkbox": "boolean",
    "Currency": "currency",
    "Date": "date",
    "DateTime": "datetime",
    "Email": "email",
    "LongTextArea": "textarea",
    "Number": "double",
    "Percent": "percent",
    "Phone": "phone",
    "Picklist": "picklist",
    "Text": "string",
    "TextArea": "textarea",
    "Url": "url",
}
_METADATA_TYPES = {type_: name for name, type_ in reversed(_SCALARS.items())}


class View:
    """One object as the integration user sees it."""

    def __init__(self, sobject: SObject, fields: Mapping[str, Field]) -> None:
        self.sobject = sobject
        self.fields = fields
        self.names = {name.lower(): name for name in fields}
        self.columns: Mapping[str, Column] = column_map(
            field.column(is_history=sobject.is_history) for field in fields.values()
        )

    def field(self, name: str) -> Field | None:
        """The field of that name in any case; None where there is none or it is hidden."""
        real = self.names.get(name.lower())
        return None if real is None else self.fields[real]


class Schema:
    """The org's objects; custom fields and permissions are rows of the vault, so they outlive the server."""

    def __init__(self, vault: Vault, faults: Faults) -> None:
        self._vault = vault
        self._options = faults.salesforce.options
        self._views: dict[str, View] = {}
        self._names = {name.lower(): name for name in standard_objects()}
        self._seen: tuple[frozenset[str], frozenset[str]] = (frozenset(), frozenset())
        self.changed_ms = vault.now_ms() // 1000 * 1000
        """Since when describe answers are what they are, whole seconds."""
        self._found_rows()

    def view(self, object_: str, *, is_tooling: bool = False) -> View:
        """The object of that name in any case; raises ApiError NOT_FOUND."""
        self._notice()
        name = self._names.get(object_.lower())
        if name is None or standard_objects()[name].is_tooling != is_tooling:
            raise not_found()
        if name not in self._views:
            self._views[name] = View(standard_objects()[name], self._visible(standard_objects()[name]))
        return self._views[name]

    def has(self, object_: str, *, is_tooling: bool = False) -> bool:
        """Whether there is an object of that name."""
        name = self._names.get(object_.lower())
        return name is not None and standard_objects()[name].is_tooling == is_tooling

    def names(self) -> tuple[str, ...]:
        """Every object of the data API."""
        return tuple(name for name, sobject in standard_objects().items() if not sobject.is_tooling)

    def changed(self) -> None:
        """What fields there are is looked up anew."""
        self._views.clear()
        self.changed_ms = self._vault.now_ms() // 1000 * 1000

    def last_change_ms(self) -> int:
        """Since when describe answers are what they are, whole seconds."""
        self._notice()
        return self.changed_ms

    def add_custom_field(self, full_name: str, metadata: Mapping[str, Any]) -> str:
        """The field exists and nobody may see it yet; its id. Raises ApiError where it cannot."""
        object_, _, name = full_name.partition(".")
        if not self.has(object_) or not name.endswith("__c"):
            raise ApiError(400, "FIELD_INTEGRITY_EXCEPTION", f"Invalid fullName: {full_name}", ("FullName",))
        field = field_of(name, metadata)
        developer_name = name.removesuffix("__c")
        if any(taken.name.lower() == name.lower() for taken in self._all(standard_objects()[object_])):
            message = f"There is already a field named {developer_name} on {object_}."
            raise ApiError(400, "DUPLICATE_DEVELOPER_NAME", message, ("FullName",))
        id_ = self._put_custom_field(object_, field, metadata)
        self.changed()
        return id_

    def _put_custom_field(self, object_: str, field: Field, metadata: Mapping[str, Any]) -> str:
        count = self._vault.execute("SELECT count(*) FROM salesforce WHERE object = 'CustomField'").fetchone()[0]
        id_ = make_id("CustomField", count + 1)
        row = {
            "DeveloperName": field.name.removesuffix("__c"),
            "FullName": f"{object_}.{field.name}",
            "TableEnumOrId": object_,
            "ManageableState": "unmanaged",
            "Length": field.length or None,
            "Metadata": dict(metadata),
        }
        self._vault.put_salesforce("CustomField", id_, row)
        return id_

    def _notice(self) -> None:
        """Fields that a fault hides or locks are so from this request on."""
        seen = (
            frozenset(self._options.get("hidden_fields", ())),
            frozenset(self._options.get("readonly_fields", ())),
        )
        if seen != self._seen:
            self._seen = seen
            self.changed()

    def _visible(self, sobject: SObject) -> dict[str, Field]:
        hidden, locked = self._seen
        permissions = self._permissions(sobject.name)
        fields: dict[str, Field] = {}
        for field in self._all(sobject):
            full_name = f"{sobject.name}.{field.name}"
            is_made = field.name not in sobject.fields
            is_readable, is_editable = permissions.get(full_name, (False, False)) if is_made else (True, True)
            if not is_readable or full_name in hidden:
                continue
            is_locked = not is_editable or full_name in locked
            fields[field.name] = replace(field, is_createable=False, is_updateable=False) if is_locked else field
        return fields

    def _all(self, sobject: SObject) -> list[Field]:
        rows = self._vault.execute(
            "SELECT body FROM salesforce WHERE object = 'CustomField' AND is_deleted = 0"
            " AND json_extract(body, '$.TableEnumOrId') = ?",
            (sobject.name,),
        )
        made = [orjson.loads(body) for (body,) in rows]
        return [
            *sobject.fields.values(),
            *(field_of(row["FullName"].partition(".")[2], row["Metadata"]) for row in made),
        ]

    def _permissions(self, object_: str) -> dict[str, tuple[bool, bool]]:
        rows = self._vault.execute(
            "SELECT body FROM salesforce WHERE object = 'FieldPermissions' AND is_deleted = 0"
            " AND json_extract(body, '$.SobjectType') = ?",
            (object_,),
        )
        bodies = [orjson.loads(body) for (body,) in rows]
        return {row["Field"]: (bool(row.get("PermissionsRead")), bool(row.get("PermissionsEdit"))) for row in bodies}

    def _found_rows(self) -> None:
        """The org itself, its permission set and the canonical fields are in the vault, unless they already were."""
        vault = self._vault
        if vault.body("salesforce", "Organization", ORGANIZATION_ID) is not None:
            return
        with vault.transaction():
            vault.put_salesforce("Organization", ORGANIZATION_ID, _ORGANIZATION)
            vault.put_salesforce("PermissionSet", PERMISSION_SET_ID, _PERMISSION_SET)
            assignment = {"PermissionSetId": PERMISSION_SET_ID, "AssigneeId": RUN_AS_USER_ID, "IsActive": True}
            vault.put_salesforce("PermissionSetAssignment", make_id("PermissionSetAssignment", 1), assignment)
            number = 0
            for object_ in CANONICAL_OBJECTS:
                for field in canonical_fields():
                    number += 1
                    self._put_custom_field(object_, field, metadata_of(field))
                    permission = {
                        "ParentId": PERMISSION_SET_ID,
                        "SobjectType": object_,
                        "Field": f"{object_}.{field.name}",
                        "PermissionsRead": True,
                        "PermissionsEdit": True,
                    }
                    vault.put_salesforce("FieldPermissions", make_id("FieldPermissions", number), permission)


def field_of(name: str, metadata: Mapping[str, Any]) -> Field:
    """The field that CustomField metadata describes; raises ApiError where something needed is missing."""
    kind = metadata.get("type")
    type_ = _SCALARS.get(str(kind))
    if type_ is None:
        raise ApiError(400, "INVALID_FIELD_FOR_INSERT_UPDATE", f"Unsupported field type: {kind}", ("type",))
    for needed in ("label", *_NEEDED.get(str(kind), ())):
        if metadata.get(needed) is None:
            message = f"Must specify '{needed}' for a CustomField of type {kind}"
            raise ApiError(400, "FIELD_INTEGRITY_EXCEPTION", message)
    value_set = metadata.get("valueSet") or {}
    values = (value_set.get("valueSetDefinition") or {}).get("value") or ()
    is_number = type_ in ("double", "currency", "percent")
    return Field(
        name=name,
        type=type_,
        label=str(metadata["label"]),
        length=int(metadata["precision"]) if is_number else int(metadata.get("length") or _LENGTHS.get(type_, 0)),
        scale=int(metadata["scale"]) if is_number else 0,
        is_nillable=not metadata.get("required") and type_ != "boolean",
        is_filterable=kind != "LongTextArea",
        is_restricted=bool(value_set.get("restricted")),
        is_external_id=bool(metadata.get("externalId")),
        is_unique=bool(metadata.get("unique")),
        values=tuple(str(value.get("fullName") or value.get("valueName")) for value in values),
    )


def metadata_of(field: Field) -> dict[str, Any]:
    """The CustomField metadata that makes such a field."""
    metadata: dict[str, Any] = {
        "type": _METADATA_TYPES[field.type],
        "label": field.label,
        "externalId": field.is_external_id,
        "unique": field.is_unique,
        "required": not field.is_nillable,
    }
    if field.type == "double":
        return metadata | {"precision": field.length, "scale": field.scale}
    return metadata | {"length": field.length} if field.type == "string" else metadata


_NEEDED = dict.fromkeys(("Number", "Currency", "Percent"), ("precision", "scale")) | {
    "Text": ("length",),
    "LongTextArea": ("length", "visibleLines"),
    "Picklist": ("valueSet",),
}
_LENGTHS = {"email": 80, "phone": 40, "url": 255, "picklist": 255, "textarea": 255}
_ORGANIZATION = {
    "Name": "Headrace Sandbox",
    "Country": "JP",
    "PrimaryContact": "Integration User",
    "DefaultLocaleSidKey": "ja_JP",
    "TimeZoneSidKey": "Asia/Tokyo",
    "LanguageLocaleKey": "ja",
    "FiscalYearStartMonth": 4,
    "OrganizationType": "Enterprise Edition",
    "NamespacePrefix": None,
    "InstanceName": "SIM1",
    "IsSandbox": True,
    "IsReadOnly": False,
    "TrialExpirationDate": None,
}
_PERMISSION_SET = {
    "Name": "Headrace_Integration",
    "Label": "headrace integration",
    "IsOwnedByProfile": False,
    "IsCustom": True,
    "ProfileId": None,
}
