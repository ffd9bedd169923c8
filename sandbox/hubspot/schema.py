"""The account's definitions: properties and their groups, pipelines and association types, as they stand now.

Properties that were added or changed are kept in the vault; groups, stages and labels live as long as the app.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot import catalogue
from sandbox.hubspot.answers import CONFLICT, Refusal, invalid, not_found
from sandbox.vault import iso_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.hubspot.answers import Json
    from sandbox.hubspot.catalogue import AssociationType

NAME: Final = re.compile(r"[a-z][a-z0-9_]*")
TYPES: Final = frozenset({"bool", "date", "datetime", "enumeration", "number", "phone_number", "string"})
FIELD_TYPES: Final = frozenset(
    {
        "booleancheckbox",
        "calculation_equation",
        "checkbox",
        "date",
        "file",
        "html",
        "number",
        "phonenumber",
        "radio",
        "select",
        "text",
        "textarea",
    }
)
UNIQUE_LIMIT: Final = 10
CUSTOM_LIMIT: Final = 1000
_STAGED: Final = {"contacts": "lifecycle", "companies": "lifecycle", "deals": "stages", "leads": "stages"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Option:
    """One value that an enumeration takes."""

    value: str
    label: str
    display_order: int
    hidden: bool = False
    description: str | None = None

    def body(self) -> Json:
        """As the API shows it."""
        return {
            "label": self.label,
            "value": self.value,
            "description": self.description or "",
            "displayOrder": self.display_order,
            "hidden": self.hidden,
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class Property:
    """One property of an object."""

    name: str
    label: str
    type: str
    field_type: str
    group: str
    created_at: int
    updated_at: int
    description: str = ""
    options: tuple[Option, ...] = ()
    is_standard: bool = True
    """HubSpot's own (`hubspotDefined`), not the customer's."""
    is_read_only: bool = False
    is_calculated: bool = False
    has_unique_value: bool = False
    has_external_options: bool = False
    referenced: str | None = None
    display_order: int = -1
    hidden: bool = False
    form_field: bool = False
    archived_at: int | None = None

    def body(self) -> Json:
        """As the API shows it."""
        body: Json = {
            "updatedAt": iso_stamp(self.updated_at),
            "createdAt": iso_stamp(self.created_at),
            "name": self.name,
            "label": self.label,
            "type": self.type,
            "fieldType": self.field_type,
            "description": self.description,
            "groupName": self.group,
            "options": [option.body() for option in self.options],
            "displayOrder": self.display_order,
            "calculated": self.is_calculated,
            "externalOptions": self.has_external_options,
            "archived": self.archived_at is not None,
            "hasUniqueValue": self.has_unique_value,
            "hidden": self.hidden,
            "hubspotDefined": self.is_standard,
            "modificationMetadata": {
                "archivable": not self.is_standard,
                "readOnlyDefinition": self.is_standard,
                "readOnlyOptions": self.is_standard and not self.options,
                "readOnlyValue": self.is_read_only,
            },
            "formField": self.form_field,
        }
        if self.archived_at is not None:
            body["archivedAt"] = iso_stamp(self.archived_at)
        if self.referenced:
            body["referencedObjectType"] = self.referenced
        return body


@dataclass(slots=True)
class Group:
    """A heading under which properties stand."""

    name: str
    label: str
    display_order: int = -1

    def body(self) -> Json:
        """As the API shows it."""
        return {"name": self.name, "label": self.label, "displayOrder": self.display_order, "archived": False}


@dataclass(slots=True)
class Stage:
    """One step of a pipeline; `metadata` is a map of strings."""

    id: str
    label: str
    display_order: int
    metadata: dict[str, str]
    at: int
    write_permissions: str = "CRM_PERMISSIONS_ENFORCEMENT"

    def body(self) -> Json:
        """As the API shows it."""
        return {
            "label": self.label,
            "displayOrder": self.display_order,
            "metadata": self.metadata,
            "id": self.id,
            "createdAt": iso_stamp(self.at),
            "updatedAt": iso_stamp(self.at),
            "writePermissions": self.write_permissions,
            "archived": False,
        }


@dataclass(slots=True)
class Pipeline:
    """A pipeline with its stages in order."""

    id: str
    label: str
    display_order: int
    stages: list[Stage]
    at: int

    def body(self) -> Json:
        """As the API shows it."""
        return {
            "label": self.label,
            "displayOrder": self.display_order,
            "id": self.id,
            "stages": [stage.body() for stage in self.stages],
            "createdAt": iso_stamp(self.at),
            "updatedAt": iso_stamp(self.at),
            "archived": False,
        }


@dataclass(slots=True)
class Schema:
    """What is defined in the account."""

    properties: dict[str, dict[str, Property]] = field(default_factory=dict)
    groups: dict[str, dict[str, Group]] = field(default_factory=dict)
    pipelines: dict[str, dict[str, Pipeline]] = field(default_factory=dict)
    associations: dict[tuple[str, str], list[AssociationType]] = field(default_factory=dict)
    next_stage_id: int = 100_001
    _live: dict[str, dict[str, Property]] = field(default_factory=dict)

    def live(self, object_: str) -> Mapping[str, Property]:
        """The properties that are not archived, by name."""
        found = self._live.get(object_)
        if found is None:
            found = {name: one for name, one in self.properties[object_].items() if one.archived_at is None}
            self._live[object_] = found
        return found

    def put(self, object_: str, definition: Property) -> None:
        """The property stands as given."""
        self.properties[object_][definition.name] = definition
        self._live.clear()

    def archived(self, object_: str, name: str, now: int) -> Property:
        """A property as it is once archived; HubSpot's own cannot be."""
        definition = self.find(object_, name)
        if definition.is_standard:
            raise invalid(f"Property {name} is HubSpot defined and cannot be deleted.", code="PROPERTY_NOT_ARCHIVABLE")
        return replace(definition, archived_at=now)

    def find(self, object_: str, name: str) -> Property:
        """A property that is not archived; refuses where there is none."""
        definition = self.live(object_).get(name)
        if definition is None:
            raise not_found(f'Property "{name}" does not exist on {object_}')
        return definition

    def rank(self, object_: str, name: str, value: str | None) -> int:
        """The place of an option in its property's order, -1 for none."""
        for option in self.live(object_)[name].options:
            if option.value == value:
                return option.display_order
        return -1

    def stage(self, object_: str, stage_id: str | None) -> Stage | None:
        """A pipeline stage of an object by its id."""
        return next(
            (s for p in self.pipelines.get(object_, {}).values() for s in p.stages if s.id == stage_id),
            None,
        )


def standard_schema(now: int) -> Schema:
    """The schema of a fresh account that has the canonical properties."""
    schema = Schema(associations=catalogue.association_types())
    schema.pipelines = _pipelines(now)
    for object_ in catalogue.OBJECTS:
        name, _, label = catalogue.GROUPS.get(object_, "engagement|Engagement_information").partition("|")
        canonical, canonical_label = catalogue.CANONICAL_GROUP
        schema.groups[object_] = {name: Group(name, label.replace("_", " "), 0)}
        schema.properties[object_] = {}
        for line in catalogue.PROPERTIES[object_].split("\n"):
            if line:
                is_canonical = line.startswith("canonical_")
                schema.put(object_, _standard(line, canonical if is_canonical else name, now))
                if is_canonical:
                    schema.groups[object_][canonical] = Group(canonical, canonical_label)
        for definition in _calculated(object_, schema, name, now):
            schema.put(object_, definition)
    return schema


def _standard(line: str, group: str, now: int) -> Property:
    name, label, type_, field_type, *flags = line.split(" ")
    key = next((flag for flag in flags if flag in catalogue.OPTIONS), "")
    pairs = [option.partition("|") for option in catalogue.OPTIONS.get(key, "").split()]
    return Property(
        name=name,
        label=label.replace("_", " "),
        type=type_,
        field_type=field_type,
        group=group,
        created_at=now,
        updated_at=now,
        options=tuple(
            Option(value=value, label=(text or value).replace("_", " "), display_order=place)
            for place, (value, _, text) in enumerate(pairs)
        ),
        is_standard=not name.startswith("canonical_"),
        is_read_only="ro" in flags,
        is_calculated="calc" in flags,
        has_unique_value="unique" in flags,
        has_external_options="external" in flags,
        referenced="OWNER" if key == "owners" else None,
    )


def _calculated(object_: str, schema: Schema, group: str, now: int) -> list[Property]:
    """The dates that HubSpot computes for each stage of an object that has stages."""
    kind = _STAGED.get(object_)
    if kind is None:
        return []
    if kind == "lifecycle":
        stages = [option.value for option in schema.properties[object_]["lifecyclestage"].options]
        names = [f"hs_lifecyclestage_{stage}_date" for stage in stages]
    else:
        stages = [stage.id for pipeline in schema.pipelines[object_].values() for stage in pipeline.stages]
        names = ["hs_v2_date_entered_current_stage"]
    names += [f"hs_v2_date_{way}_{calculated_suffix(stage)}" for stage in stages for way in ("entered", "exited")]
    return [
        Property(
            name=name,
            label=name,
            type="datetime",
            field_type="calculation_equation",
            group=group,
            created_at=now,
            updated_at=now,
            is_read_only=True,
            is_calculated=True,
        )
        for name in names
    ]


def calculated_suffix(stage: str) -> str:
    """A stage's id as it stands in the names of calculated properties."""
    return stage.replace("-", "_")


def _pipelines(now: int) -> dict[str, dict[str, Pipeline]]:
    closed = {"closedwon", "closedlost"}
    deals = [
        Stage(id_, label, place, {"isClosed": str(id_ in closed).lower(), "probability": probability}, now)
        for place, (id_, label, probability) in enumerate(catalogue.DEAL_STAGES)
    ]
    leads = [
        Stage(id_, label, place, {"leadState": state}, now)
        for place, (id_, label, state) in enumerate(catalogue.LEAD_STAGES)
    ]
    return {
        "deals": {"default": Pipeline("default", "Sales Pipeline", 0, deals, now)},
        "leads": {catalogue.LEAD_PIPELINE: Pipeline(catalogue.LEAD_PIPELINE, "Lead pipeline", 0, leads, now)},
    }


def restore_property(fields: dict[str, Any]) -> Property:
    """A definition from its fields."""
    options = tuple(Option(**one) for one in fields.pop("options"))
    return Property(**fields, options=options)


def read_options(raw: Sequence[Mapping[str, Any]], *, is_dated: bool) -> tuple[Option, ...]:
    """Options as given; dated versions require label, value, hidden and displayOrder of each."""
    options = []
    for place, one in enumerate(raw):
        needed = ("label", "value", "hidden", "displayOrder") if is_dated else ("label", "value")
        missing = [name for name in needed if one.get(name) is None]
        if missing:
            message = f"Invalid input JSON: options[{place}] misses {', '.join(missing)}"
            raise invalid(message, code="REQUIRED_FIELD", context={"propertyName": [f"options[{place}].{missing[0]}"]})
        options.append(
            Option(
                value=str(one["value"]),
                label=str(one["label"]),
                display_order=int(one.get("displayOrder", place)),
                hidden=bool(one.get("hidden", False)),
                description=one.get("description"),
            )
        )
    values = [option.value for option in options]
    if len(set(values)) < len(values):
        raise invalid("Property option values must be unique.", code="INVALID_OPTION")
    return tuple(options)


def new_property(schema: Schema, object_: str, raw: Mapping[str, Any], now: int, *, is_dated: bool) -> Property:
    """A definition as a creating request gives it, checked; it is not in the schema yet."""
    missing = [name for name in ("name", "label", "groupName", "type", "fieldType") if not raw.get(name)]
    if missing:
        raise invalid(f"Some required fields were not set: {missing}", context={"propertyName": missing})
    name = str(raw["name"])
    if not NAME.fullmatch(name):
        message = f"Invalid property name '{name}': it must start with a letter and have only a-z, 0-9 and _"
        raise invalid(message, code="INVALID_PROPERTY_NAME", context={"propertyName": [name]})
    if raw["type"] not in TYPES or raw["fieldType"] not in FIELD_TYPES:
        message = f"Invalid type {raw['type']} or fieldType {raw['fieldType']}"
        raise invalid(message, code="INVALID_TYPE", context={"propertyName": [name]})
    if raw["groupName"] not in schema.groups[object_]:
        message = f'Property group "{raw["groupName"]}" does not exist'
        raise invalid(message, code="GROUP_DOES_NOT_EXIST", context={"groupName": [str(raw["groupName"])]})
    if name in schema.live(object_):
        raise Refusal(CONFLICT, f"A property named '{name}' already exists.", category="OBJECT_ALREADY_EXISTS")
    options = read_options(raw.get("options") or (), is_dated=is_dated)
    if raw["type"] == "enumeration" and not options and not raw.get("externalOptions"):
        raise invalid("Enumeration properties need options.", code="INVALID_OPTION", context={"propertyName": [name]})
    live = schema.live(object_).values()
    is_unique = bool(raw.get("hasUniqueValue", False))
    if is_unique and sum(1 for one in live if one.has_unique_value and not one.is_standard) >= UNIQUE_LIMIT:
        message = f"There are already {UNIQUE_LIMIT} properties with unique values."
        raise invalid(message, code="UNIQUE_PROPERTY_LIMIT", context={"propertyName": [name]})
    if sum(1 for one in live if not one.is_standard) >= CUSTOM_LIMIT:
        raise invalid("The limit of custom properties is reached.", code="PROPERTY_LIMIT")
    return Property(
        name=name,
        label=str(raw["label"]),
        type=str(raw["type"]),
        field_type=str(raw["fieldType"]),
        group=str(raw["groupName"]),
        created_at=now,
        updated_at=now,
        description=str(raw.get("description") or ""),
        options=options,
        is_standard=False,
        has_unique_value=is_unique,
        has_external_options=bool(raw.get("externalOptions", False)),
        display_order=int(raw.get("displayOrder", -1)),
        hidden=bool(raw.get("hidden", False)),
        form_field=bool(raw.get("formField", False)),
    )
