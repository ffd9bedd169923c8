"""Endpoints of properties and their groups, pipelines, owners, limits and validation rules.

Properties, pipelines and owners guides; read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

import orjson

from sandbox.hubspot.answers import CONFLICT, Answer, BatchErrors, Json, Refusal, batch_answer, invalid, not_found
from sandbox.hubspot.catalogue import TYPE_IDS
from sandbox.hubspot.portal import object_name
from sandbox.hubspot.schema import (
    CUSTOM_LIMIT,
    NAME,
    UNIQUE_LIMIT,
    Group,
    Pipeline,
    Property,
    Stage,
    new_property,
    read_options,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.hubspot.portal import Call

OWNER_LIMIT: Final = 500
PIPELINE_LIMIT: Final = 100


def read_properties(call: Call) -> Answer:
    """All properties of an object, or its archived ones."""
    archived = call.flag("archived")
    found = call.portal.schema.properties[call.object].values()
    return Answer(payload={"results": [one.body() for one in found if (one.archived_at is not None) == archived]})


def read_property(call: Call) -> Answer:
    """One property."""
    return Answer(payload=call.portal.schema.find(call.object, call.path["name"]).body())


def create_property(call: Call) -> Answer:
    """One more property."""
    return Answer(payload=_create(call, call.fields()).body(), status=201)


def _create(call: Call, raw: Mapping[str, Any]) -> Property:
    schema = call.portal.schema
    definition = new_property(schema, call.object, raw, call.portal.now(), is_dated=call.is_dated)
    call.portal.define(call.object, definition)
    return definition


def create_properties(call: Call) -> Answer:
    """Up to 100 more properties; each fails for itself."""
    errors, results = BatchErrors(is_legacy=not call.is_dated), []
    for raw in call.inputs(100):
        try:
            results.append(_create(call, raw).body())
        except Refusal as refusal:
            errors.add(refusal.category or "VALIDATION_ERROR", refusal.message, {"name": [str(raw.get("name"))]})
    multi = call.portal.settings.is_multi_status
    return batch_answer(results, errors, call.portal.now(), status=201, is_multi_status=multi)


def read_some_properties(call: Call) -> Answer:
    """Up to 100 properties by name."""
    errors, live = BatchErrors(is_legacy=not call.is_dated), call.portal.schema.live(call.object)
    names = [str(one.get("name")) for one in call.inputs(100)]
    missing = [name for name in names if name not in live]
    if missing:
        errors.add("OBJECT_NOT_FOUND", "Some properties do not exist.", {"name": missing})
    results = [live[name].body() for name in names if name in live]
    return batch_answer(results, errors, call.portal.now(), is_multi_status=call.portal.settings.is_multi_status)


def update_property(call: Call) -> Answer:
    """One property is changed; the definitions of HubSpot's own are read-only, but for options and groups."""
    schema, raw = call.portal.schema, call.fields()
    old = schema.find(call.object, call.path["name"])
    if old.is_standard and set(raw) - {"options", "groupName", "displayOrder", "description", "label"}:
        raise invalid(f"The definition of {old.name} is read only.", code="READ_ONLY_DEFINITION")
    group = str(raw.get("groupName", old.group))
    if group not in schema.groups[call.object]:
        raise invalid(f'Property group "{group}" does not exist', code="GROUP_DOES_NOT_EXIST")
    new = replace(
        old,
        label=str(raw.get("label", old.label)),
        description=str(raw.get("description", old.description)),
        group=group,
        type=str(raw.get("type", old.type)),
        field_type=str(raw.get("fieldType", old.field_type)),
        display_order=int(raw.get("displayOrder", old.display_order)),
        hidden=bool(raw.get("hidden", old.hidden)),
        options=read_options(raw["options"], is_dated=call.is_dated) if "options" in raw else old.options,
        updated_at=call.portal.now(),
    )
    call.portal.define(call.object, new)
    return Answer(payload=new.body())


def delete_property(call: Call) -> Answer:
    """One property is archived."""
    portal, object_ = call.portal, call.object
    portal.define(object_, portal.schema.archived(object_, call.path["name"], portal.now()))
    return Answer(status=204)


def read_groups(call: Call) -> Answer:
    """The property groups of an object."""
    return Answer(payload={"results": [group.body() for group in call.portal.schema.groups[call.object].values()]})


def read_group(call: Call) -> Answer:
    """One property group."""
    return Answer(payload=_group(call).body())


def _group(call: Call) -> Group:
    group = call.portal.schema.groups[call.object].get(call.path["name"])
    if group is None:
        raise not_found(f"Property group {call.path['name']} does not exist")
    return group


def create_group(call: Call) -> Answer:
    """One more property group."""
    raw, groups = call.fields(), call.portal.schema.groups[call.object]
    name = str(raw.get("name") or "")
    if not NAME.fullmatch(name) or not raw.get("label"):
        raise invalid("A property group needs a label and a valid name.", code="INVALID_GROUP")
    if name in groups:
        raise Refusal(CONFLICT, f"A property group named '{name}' already exists.", category="OBJECT_ALREADY_EXISTS")
    groups[name] = Group(name, str(raw["label"]), int(raw.get("displayOrder", -1)))
    return Answer(payload=groups[name].body(), status=201)


def update_group(call: Call) -> Answer:
    """One property group is changed."""
    group, raw = _group(call), call.fields()
    group.label = str(raw.get("label", group.label))
    group.display_order = int(raw.get("displayOrder", group.display_order))
    return Answer(payload=group.body())


def delete_group(call: Call) -> Answer:
    """One property group is gone; refused while properties stand under it."""
    group = _group(call)
    if any(one.group == group.name for one in call.portal.schema.live(call.object).values()):
        raise invalid(f"Property group {group.name} has properties.", code="GROUP_NOT_EMPTY")
    del call.portal.schema.groups[call.object][group.name]
    return Answer(status=204)


def read_pipelines(call: Call) -> Answer:
    """The pipelines of an object."""
    pipelines = call.portal.schema.pipelines.get(call.object, {})
    return Answer(payload={"results": [one.body() for one in pipelines.values()]})


def _pipeline(call: Call) -> Pipeline:
    pipeline = call.portal.schema.pipelines.get(call.object, {}).get(call.path["pipeline"])
    if pipeline is None:
        raise not_found(f"Pipeline {call.path['pipeline']} does not exist")
    return pipeline


def read_pipeline(call: Call) -> Answer:
    """One pipeline."""
    return Answer(payload=_pipeline(call).body())


def read_stages(call: Call) -> Answer:
    """The stages of one pipeline."""
    return Answer(payload={"results": [stage.body() for stage in _pipeline(call).stages]})


def read_stage(call: Call) -> Answer:
    """One stage of one pipeline."""
    for stage in _pipeline(call).stages:
        if stage.id == call.path["stage"]:
            return Answer(payload=stage.body())
    raise not_found(f"Stage {call.path['stage']} does not exist")


def create_stage(call: Call) -> Answer:
    """One more stage, with a numeric id; a deal stage must say its probability."""
    pipeline, raw, schema = _pipeline(call), call.fields(), call.portal.schema
    if not raw.get("label"):
        raise invalid("Some required fields were not set: [label]")
    metadata = {str(key): str(value) for key, value in (raw.get("metadata") or {}).items()}
    if call.object == "deals":
        if "probability" not in metadata:
            raise invalid("metadata.probability is required", code="INVALID_METADATA")
        metadata.setdefault("isClosed", str(metadata["probability"] in ("0.0", "1.0")).lower())
    order = int(raw.get("displayOrder", len(pipeline.stages)))
    stage = Stage(str(schema.next_stage_id), str(raw["label"]), order, metadata, call.portal.now())
    schema.next_stage_id += 1
    pipeline.stages.append(stage)
    return Answer(payload=stage.body(), status=201)


def read_owners(call: Call) -> Answer:
    """Owners page by page; those who left only with `archived=true`."""
    limit = call.number("limit", 100, OWNER_LIMIT)
    archived, after = call.flag("archived"), call.query.get("after") or "0"
    if not after.isdecimal():
        raise invalid(f"Invalid paging cursor: {after}")
    email = (call.query.get("email") or "").lower()
    rows = call.portal.vault.execute(
        "SELECT id, body FROM hubspot WHERE object = 'owners' AND archived = ? AND id >= ?"
        " AND (? = '' OR lower(json_extract(body, '$.email')) = ?) ORDER BY id LIMIT ?",
        (int(archived), int(after), email, email, limit + 1),
    ).fetchall()
    body: Json = {"results": [_owner(text, archived=archived) for _, text in rows[:limit]]}
    if len(rows) > limit:
        next_id = rows[limit][0]
        body["paging"] = call.next_page(next_id)
    return Answer(payload=body)


def _owner(text: str, *, archived: bool) -> Json:
    owner: Json = orjson.loads(text)
    owner["archived"] = archived
    if archived:
        # One who left has no user any more; the number stands in userIdIncludingInactive alone.
        owner["userIdIncludingInactive"] = owner.get("userIdIncludingInactive") or owner.get("userId")
        owner["userId"] = None
    return owner


def read_owner(call: Call) -> Answer:
    """One owner, by owner id or (idProperty=userId) by user id."""
    archived, text = call.flag("archived"), call.path["id"]
    column = "json_extract(body, '$.userId')" if call.query.get("idProperty") == "userId" else "id"
    row = call.portal.vault.execute(
        f"SELECT body FROM hubspot WHERE object = 'owners' AND archived = ? AND CAST({column} AS TEXT) = ?",  # noqa: S608  # two constants
        (int(archived), text),
    ).fetchone()
    if row is None:
        raise not_found(f"Owner {text} does not exist")
    return Answer(payload=_owner(row[0], archived=archived))


def read_limits(call: Call) -> Answer:
    """How much of a limit is used: custom or calculated properties, records, pipelines."""
    kind, portal = call.path["kind"], call.portal
    results = []
    for object_, type_id in TYPE_IDS.items():
        live = portal.schema.live(object_).values()
        if kind == "custom-properties":
            used, limit = sum(1 for one in live if not one.is_standard), CUSTOM_LIMIT
        elif kind == "calculated-properties":
            used, limit = sum(1 for one in live if one.is_calculated and not one.is_standard), 200
        elif kind == "pipelines":
            used, limit = len(portal.schema.pipelines.get(object_, {})), PIPELINE_LIMIT
        elif kind == "records":
            count = portal.vault.execute("SELECT count(*) FROM hubspot WHERE object = ? AND archived = 0", (object_,))
            used, limit = count.fetchone()[0], 15_000_000
        else:
            raise not_found()
        entry: Json = {
            "objectTypeId": type_id,
            "usage": used,
            "limit": limit,
            "percentage": round(100 * used / limit, 2),
        }
        if kind == "custom-properties":
            unique = sum(1 for one in live if one.has_unique_value and not one.is_standard)
            entry["uniqueValueProperties"] = {"usage": unique, "limit": UNIQUE_LIMIT}
        results.append(entry)
    return Answer(payload={"results": results})


def read_validations(call: Call) -> Answer:
    """The validation rules of an object's properties."""
    rules = call.portal.settings.validations(object_name(call.path["object"]))
    return Answer(
        payload={"results": [{"propertyName": name, "propertyValidationRules": ones} for name, ones in rules.items()]}
    )
