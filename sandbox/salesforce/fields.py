"""The objects and fields of the simulated org, as `objects.toml` lists them and describe shows them.

Attributes of the describe answer follow the sObject Describe resource of the REST API guide and a real org's answers;
read 2026-11-21.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Final

from sandbox.ids import PREFIXES, checksum
from sandbox.soql_sql import NUMERIC, Column

if TYPE_CHECKING:
    from collections.abc import Mapping

MORE_PREFIXES: Final = {"PermissionSet": "0PS", "PermissionSetAssignment": "0Pa", "FieldPermissions": "01k"} | {
    "CustomField": "00N",
    "Group": "00G",
}
CANONICAL_OBJECTS: Final = ("Lead", "Contact", "Account", "Opportunity")
_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SOAP_TYPES = {
    "id": "tns:ID",
    "reference": "tns:ID",
    "boolean": "xsd:boolean",
    "int": "xsd:int",
    "date": "xsd:date",
    "datetime": "xsd:dateTime",
} | dict.fromkeys(("double", "currency", "percent"), "xsd:double")
_NAME_PARTS = frozenset({"Salutation", "FirstName", "LastName"})
_STAMPS = {"SystemModstamp": "modified", "CreatedDate": "created"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Field:
    """One field of an object; `length` is in characters, or in digits where the type is a number."""

    name: str
    type: str
    label: str
    length: int = 0
    scale: int = 0
    is_nillable: bool = True
    is_createable: bool = True
    is_updateable: bool = True
    is_filterable: bool = True
    is_calculated: bool = False
    is_restricted: bool = False
    is_external_id: bool = False
    is_unique: bool = False
    is_name: bool = False
    values: tuple[str, ...] = ()
    default: Any = None
    refers: tuple[str, ...] = ()
    formula: str | None = None

    @property
    def is_custom(self) -> bool:
        """Whether an administrator made the field."""
        return self.name.endswith("__c")

    @property
    def empty(self) -> Any:
        """What the field shows where the record says nothing."""
        return False if self.type == "boolean" else None

    def column(self, *, is_history: bool) -> Column:
        """The field as SOQL compiles it; a history row never changes, so its stamp is its creation."""
        if self.name == "Id":
            return Column("Id", "id", "id", is_nullable=False)
        if self.name == "IsDeleted":
            return Column("IsDeleted", "boolean", "is_deleted", is_nullable=False)
        if self.name in _STAMPS:
            sql = "modified" if is_history else _STAMPS[self.name]
            return Column(self.name, "datetime", sql, is_stamp=True, is_nullable=False)
        return Column(
            self.name,
            self.type,
            f"json_extract(body, '$.{self.name}')",
            is_nullable=self.is_nillable,
            is_filterable=self.is_filterable,
        )

    def describe(self) -> dict[str, Any]:
        """The field's entry in a describe answer."""
        is_number = self.type in NUMERIC
        is_text = not is_number and self.type not in ("boolean", "date", "datetime")
        length = self.length if is_text else 0
        relationship = None
        if self.refers:
            relationship = self.name[:-3] + "__r" if self.is_custom else self.name.removesuffix("Id")
        return {
            "aggregatable": self.is_filterable and self.type != "boolean",
            "aiPredictionField": False,
            "autoNumber": False,
            "byteLength": length if self.type in ("id", "reference") else length * 3,
            "calculated": self.is_calculated,
            "calculatedFormula": self.formula,
            "cascadeDelete": False,
            "caseSensitive": False,
            "compoundFieldName": "Name" if self.name in _NAME_PARTS and self.is_createable else None,
            "controllerName": None,
            "createable": self.is_createable,
            "custom": self.is_custom,
            "defaultValue": self.empty if self.default in (None, "@user") else self.default,
            "defaultValueFormula": None,
            "defaultedOnCreate": self.default is not None
            or self.type == "boolean"
            or not (self.is_nillable or self.is_createable),
            "dependentPicklist": False,
            "deprecatedAndHidden": False,
            "digits": self.length if self.type == "int" else 0,
            "displayLocationInDecimal": False,
            "encrypted": False,
            "externalId": self.is_external_id,
            "extraTypeInfo": None,
            "filterable": self.is_filterable,
            "filteredLookupInfo": None,
            "formulaTreatNullNumberAsZero": False,
            "groupable": self.is_filterable and self.type not in ("datetime", "double", "currency", "percent"),
            "highScaleNumber": False,
            "htmlFormatted": False,
            "idLookup": self.name == "Id" or self.type == "email" or self.is_external_id,
            "inlineHelpText": None,
            "label": self.label,
            "length": length,
            "mask": None,
            "maskType": None,
            "name": self.name,
            "nameField": self.is_name,
            "namePointing": len(self.refers) > 1,
            "nillable": self.is_nillable,
            "permissionable": self.is_nillable and self.is_updateable,
            "picklistValues": [self._choice(value) for value in self.values],
            "polymorphicForeignKey": len(self.refers) > 1,
            "precision": self.length if is_number and self.type != "int" else 0,
            "queryByDistance": False,
            "referenceTargetField": None,
            "referenceTo": list(self.refers),
            "relationshipName": relationship,
            "relationshipOrder": None,
            "restrictedDelete": False,
            "restrictedPicklist": self.is_restricted,
            "scale": self.scale,
            "searchPrefilterable": False,
            "soapType": _SOAP_TYPES.get(self.type, "xsd:string"),
            "sortable": self.is_filterable,
            "type": self.type,
            "unique": self.is_unique,
            "updateable": self.is_updateable,
            "writeRequiresMasterRead": False,
        }

    def _choice(self, value: str) -> dict[str, Any]:
        return {"active": True, "defaultValue": value == self.default, "label": value, "validFor": None, "value": value}


@dataclass(frozen=True, kw_only=True, slots=True)
class SObject:
    """One object with its fields by name, in describe's order."""

    name: str
    label: str
    plural: str
    prefix: str | None
    fields: Mapping[str, Field]
    is_readonly: bool = False
    is_tooling: bool = False
    is_merged: bool = False

    @property
    def is_history(self) -> bool:
        """Whether its rows are written once and never change."""
        return self.name.endswith("History")

    def describe_briefly(self, version: str) -> dict[str, Any]:
        """The object's entry in the list of all objects."""
        path = f"/services/data/{version}/sobjects/{self.name}"
        is_open = not self.is_readonly
        return {
            "activateable": False,
            "associateEntityType": None,
            "associateParentEntity": None,
            "createable": is_open,
            "custom": False,
            "customSetting": False,
            "deepCloneable": False,
            "deletable": is_open,
            "deprecatedAndHidden": False,
            "feedEnabled": False,
            "hasSubtypes": False,
            "isInterface": False,
            "isSubtype": False,
            "keyPrefix": self.prefix,
            "label": self.label,
            "labelPlural": self.plural,
            "layoutable": is_open,
            "mergeable": self.is_merged,
            "mruEnabled": is_open,
            "name": self.name,
            "queryable": True,
            "replicateable": True,
            "retrieveable": True,
            "searchable": is_open,
            "triggerable": is_open,
            "undeletable": is_open,
            "updateable": is_open,
            "urls": {"rowTemplate": f"{path}/{{ID}}", "describe": f"{path}/describe", "sobject": path},
        }


def make_id(object_: str, number: int, pod: str = "Hs0001") -> str:
    """The 18-character id of a record that the org made itself; the world's own ids have another pod."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    id15 = f"{prefix_of(object_)}{pod}{digits:0>6}"
    return id15 + checksum(id15)


def prefix_of(object_: str) -> str:
    """The three characters that every id of the object begins with."""
    return PREFIXES.get(object_) or MORE_PREFIXES[object_]


def canonical_fields() -> tuple[Field, ...]:
    """The four fields that headrace writes, as its doctor would make them."""
    return (
        Field(name="Canonical_Stage__c", type="string", label="Canonical Stage", length=80),
        Field(name="Canonical_Score__c", type="double", label="Canonical Score", length=18),
        Field(name="Canonical_Stage_At__c", type="datetime", label="Canonical Stage At"),
        Field(name="Canonical_Id__c", type="string", label="Canonical Id", length=64, is_external_id=True),
    )


@cache
def standard_objects() -> Mapping[str, SObject]:
    """The objects of `objects.toml` by name, system fields added."""
    text = resources.files("sandbox.salesforce").joinpath("objects.toml").read_text(encoding="utf-8")
    return {name: _object(name, entry) for name, entry in tomllib.loads(text).items()}


def _object(name: str, entry: Mapping[str, Any]) -> SObject:
    id_ = _field("Id", {"type": "id required readonly", "label": f"{entry['label']} ID"})
    own = [_field(key, value if isinstance(value, dict) else {"type": value}) for key, value in entry["fields"].items()]
    system = [_field(key, _SYSTEM[key]) for key in _SETS[entry.get("system", "full")]]
    return SObject(
        name=name,
        label=entry["label"],
        plural=entry["plural"],
        prefix=None if name.endswith("History") else prefix_of(name),
        fields={field.name: field for field in (id_, *own, *system)},
        is_readonly=entry.get("readonly", False),
        is_tooling=entry.get("tooling", False),
        is_merged=entry.get("is_merged", False),
    )


def _field(name: str, entry: Mapping[str, Any]) -> Field:
    type_, *rest = entry["type"].split()
    size = rest[0] if rest and rest[0][0].isdigit() else "0"
    flags = set(rest)
    digits, _, scale = size.partition(".")
    is_fixed = bool(flags & {"readonly", "calculated"})
    return Field(
        name=name,
        type=type_,
        label=entry.get("label", name),
        length=18 if type_ in ("id", "reference") else int(digits),
        scale=int(scale or 0),
        is_nillable="required" not in flags and type_ != "boolean",
        is_createable=not is_fixed and "updateonly" not in flags,
        is_updateable=not is_fixed and "createonly" not in flags,
        is_filterable="unfilterable" not in flags,
        is_calculated="calculated" in flags,
        is_restricted="restricted" in flags,
        is_external_id="external" in flags,
        is_unique="unique" in flags,
        is_name="name" in flags,
        values=tuple(entry.get("values", ())),
        default=entry.get("default"),
        refers=tuple(entry.get("refers", ())),
        formula=entry.get("formula"),
    )


_SYSTEM: Final[Mapping[str, Mapping[str, Any]]] = {
    "IsDeleted": {"type": "boolean readonly", "label": "Deleted"},
    "CreatedDate": {"type": "datetime required readonly", "label": "Created Date"},
    "CreatedById": {"type": "reference required readonly", "label": "Created By ID", "refers": ["User"]},
    "LastModifiedDate": {"type": "datetime required readonly", "label": "Last Modified Date"},
    "LastModifiedById": {"type": "reference required readonly", "label": "Last Modified By ID", "refers": ["User"]},
    "SystemModstamp": {"type": "datetime required readonly", "label": "System Modstamp"},
}
_SETS = {
    "full": tuple(_SYSTEM),
    "no_delete": tuple(name for name in _SYSTEM if name != "IsDeleted"),
    "history": ("IsDeleted", "CreatedDate", "CreatedById", "SystemModstamp"),
    "lead_history": ("IsDeleted", "CreatedDate", "CreatedById"),
    "stamp_only": ("SystemModstamp",),
}
