"""Records one by one: list, get, create, update, archive, merge, GDPR delete.

"Using object APIs", contacts and merge guides (2026-03 and 2026-09); read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot import associations
from sandbox.hubspot.answers import Answer, Json, invalid, not_found
from sandbox.hubspot.records import (
    COLUMNS,
    Row,
    fetch,
    histories,
    is_id,
    locate,
    newest_id,
    prepare_archived,
    read_row,
    show,
    wanted,
)
from sandbox.hubspot.values import refuse
from sandbox.hubspot.writes import Writer, archive, check, dissociate, erase, refuse_taken, spread_stage
from sandbox.vault import iso_stamp, modified_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.hubspot.portal import Call, Portal

PAGE: Final = 10
PAGE_LIMIT: Final = 100
HISTORY_LIMIT: Final = 50
MERGED: Final = frozenset({"contacts", "companies", "deals"})


def show_all(
    call: Call,
    object_: str,
    rows: Sequence[Row],
    properties: Sequence[str],
    with_history: Sequence[str] = (),
    linked: Sequence[str] = (),
) -> list[Json]:
    """Records as the API shows them, with the histories and associations asked for."""
    names = wanted(call.portal, object_, [*properties, *with_history])
    shown = [show(call.portal, object_, row, names) for row in rows]
    if with_history and rows:
        versions = histories(call.portal, object_, rows, with_history)
        for row, one in zip(rows, shown, strict=True):
            one["propertiesWithHistory"] = versions[row.id]
    if linked and rows:
        blocks = associations.inline(call, object_, [row.id for row in rows], linked)
        for row, one in zip(rows, shown, strict=True):
            if row.id in blocks:
                one["associations"] = blocks[row.id]
    return shown


def list_page(call: Call) -> Answer:
    """Records in the order of their ids; `after` is the id of the next one, to be held for opaque."""
    object_, portal = call.object, call.portal
    with_history = call.listed("propertiesWithHistory")
    limit = call.number("limit", PAGE, HISTORY_LIMIT if with_history else PAGE_LIMIT)
    after = call.query.get("after") or "0"
    if not is_id(after):
        raise invalid(f"Invalid paging cursor: {after}", context={"after": [after]})
    archived = call.flag("archived")
    if archived:
        prepare_archived(portal)
    index = "INDEXED BY hubspot_archived" if archived else ""
    rows = portal.vault.execute(
        f"SELECT {COLUMNS} FROM hubspot {index} WHERE object = ? AND archived = {int(archived)} AND id >= ?"  # noqa: S608  # a number and constants
        " ORDER BY id LIMIT ?",
        (object_, int(after), limit + 1),
    ).fetchall()
    page = [read_row(row) for row in rows[:limit]]
    body: Json = {
        "results": show_all(call, object_, page, call.listed("properties"), with_history, call.listed("associations"))
    }
    if len(rows) > limit:
        next_id = rows[limit][0]
        body["paging"] = call.next_page(next_id)
    return Answer(payload=body)


def find(call: Call, *, archived: bool = False) -> Row:
    """The record that the path names, by id, alias or unique property."""
    text = call.path["id"]
    id_ = locate(call.portal, call.object, [text], call.query.get("idProperty")).get(text)
    row = None if id_ is None else fetch(call.portal, call.object, [id_], archived=archived).get(id_)
    if row is None:
        raise not_found("Object not found.  objectId are usually numeric.")
    return row


def get(call: Call) -> Answer:
    """One record."""
    row = find(call, archived=call.flag("archived"))
    shown = show_all(
        call,
        call.object,
        [row],
        call.listed("properties"),
        call.listed("propertiesWithHistory"),
        call.listed("associations"),
    )
    return Answer(payload=shown[0])


def properties_of(fields: Mapping[str, Any]) -> dict[str, Any]:
    """The properties of a writing request."""
    properties = fields.get("properties")
    if not isinstance(properties, dict):
        raise invalid("Some required fields were not set: [properties]", context={"propertyName": ["properties"]})
    return properties


def update(call: Call) -> Answer:
    """One record has these properties."""
    object_, portal = call.object, call.portal
    values, problems = check(call.version, portal, object_, properties_of(call.fields()))
    if problems:
        raise refuse(problems, portal.settings.portal_id)
    row = find(call)
    refuse_taken(portal, object_, values, row.id)
    writer = Writer(portal, portal.now())
    row = writer.change(object_, row, values)
    spread_stage(portal, writer)
    with portal.vault.transaction():
        writer.flush()
    return Answer(payload=show(portal, object_, row, wanted(portal, object_, values)))


def new_record(call: Call, writer: Writer, fields: Mapping[str, Any], values: Mapping[str, str]) -> Row:
    """A record made of checked values, with the associations given. Call it inside a transaction."""
    object_, portal = call.object, call.portal
    refuse_taken(portal, object_, values, None)
    links = fields.get("associations") or []
    targets = [_target(call, link) for link in links]
    if object_ == "leads":
        if not values.get("hs_lead_name"):
            raise invalid(
                "hs_lead_name is required", code="REQUIRED_PROPERTY", context={"propertyName": ["hs_lead_name"]}
            )
        if not any(to_object == "contacts" for to_object, _, _ in targets):
            raise invalid("A lead needs an association with an existing contact.", code="REQUIRED_ASSOCIATION")
    row = writer.create(object_, values)
    for to_object, to_id, type_ in targets:
        associations.put(portal, object_, row.id, to_object, to_id, [type_])
    return row


def _target(call: Call, link: Mapping[str, Any]) -> tuple[str, int, Any]:
    text = str((link.get("to") or {}).get("id", ""))
    types = link.get("types") or [{}]
    type_id = int(types[0].get("associationTypeId") or 0)
    for (from_object, to_object), known in call.portal.schema.associations.items():
        if from_object != call.object:
            continue
        for one in known:
            if one.type_id == type_id:
                id_ = locate(call.portal, to_object, [text], None).get(text)
                if id_ is None or not fetch(call.portal, to_object, [id_]):
                    raise invalid(
                        f"Object of type {to_object} with id {text} does not exist", code="INVALID_OBJECT_IDS"
                    )
                return to_object, id_, one
    raise invalid(f"association type id {type_id} doesn't exist for {call.object}", code="INVALID_ASSOCIATION_TYPE")


def create(call: Call) -> Answer:
    """One more record."""
    object_, portal = call.object, call.portal
    fields = call.fields()
    values, problems = check(call.version, portal, object_, properties_of(fields))
    if problems:
        raise refuse(problems, portal.settings.portal_id)
    writer = Writer(portal, portal.now())
    with portal.vault.transaction():
        row = new_record(call, writer, fields, values)
        spread_stage(portal, writer)
        writer.flush()
    return Answer(payload=show(portal, object_, row, wanted(portal, object_, values)), status=201)


def delete(call: Call) -> Answer:
    """One record is archived; repeating it changes nothing."""
    text = call.path["id"]
    id_ = locate(call.portal, call.object, [text], None).get(text)
    if id_ is None or not fetch(call.portal, call.object, [id_], archived=None):
        raise not_found()
    with call.portal.vault.transaction():
        archive(call.portal, call.object, [id_])
    return Answer(status=204)


def gdpr_delete(call: Call) -> Answer:
    """One contact is gone for good; an unknown one is no error."""
    fields = call.fields()
    text = str(fields.get("objectId", ""))
    id_ = locate(call.portal, call.object, [text], fields.get("idProperty")).get(text)
    if id_ is not None:
        with call.portal.vault.transaction():
            erase(call.portal, call.object, [id_])
    return Answer(status=204)


def merge(call: Call) -> Answer:
    """Two records became a new one with an id of its own; both old ids lead to it.

    Changelog, "Updated merge functionality for contacts and companies" (January 2025): the primary's values win, the
    other's primary associations are dropped. The last modification is that of the merge.
    """
    object_, portal = call.object, call.portal
    if object_ not in MERGED:
        raise invalid(f"{object_} cannot be merged")
    fields = call.fields()
    texts = [str(fields.get(name, "")) for name in ("primaryObjectId", "objectIdToMerge")]
    ids = locate(portal, object_, texts, None)
    rows = fetch(portal, object_, list(ids.values()))
    if len(ids) < 2 or len(rows) < 2:  # noqa: PLR2004  # two records
        if len(ids) == 2 and len(set(ids.values())) == 1:  # noqa: PLR2004
            raise invalid("Cannot merge an object with itself", code="CANNOT_MERGE")
        raise not_found()
    primary, other = rows[ids[texts[0]]], rows[ids[texts[1]]]
    with portal.vault.transaction():
        new = _merged(portal, object_, primary, other)
        _replace(portal, object_, (primary, other), new)
    return Answer(payload=show(portal, object_, new, wanted(portal, object_, ["hs_merged_object_ids"])))


def _merged(portal: Portal, object_: str, primary: Row, other: Row) -> Row:
    now, new_id = portal.now(), newest_id(portal, object_) + 1
    body = {**other.body, **{name: value for name, value in primary.body.items() if value not in (None, "")}}
    older = [
        text for row in (primary, other) for text in (row.body.get("hs_merged_object_ids") or "").split(";") if text
    ]
    body["hs_merged_object_ids"] = ";".join(dict.fromkeys([str(primary.id), str(other.id), *older]))
    if "lifecyclestage" in portal.schema.live(object_):
        stages = [row.body.get("lifecyclestage") for row in (primary, other)]
        body["lifecyclestage"] = max(stages, key=lambda stage: portal.schema.rank(object_, "lifecyclestage", stage))
    if object_ == "contacts":
        emails = [
            email
            for row in (primary, other)
            for email in (row.body.get("email"), *(row.body.get("hs_additional_emails") or "").split(";"))
            if email and email != body.get("email")
        ]
        body["hs_additional_emails"] = ";".join(dict.fromkeys(emails)) or None
        body["hs_calculated_merged_vids"] = ";".join(f"{row.id}:{now}" for row in (primary, other))
    created = min(primary.created, other.created)
    body |= {"hs_object_id": str(new_id), "createdate": iso_stamp(created)}
    body[modified_property(object_)] = iso_stamp(now)
    return Row(new_id, created, now, 0, None, body)


def _replace(portal: Portal, object_: str, olds: tuple[Row, Row], new: Row) -> None:
    vault, (primary, other) = portal.vault, olds
    for old in olds:  # the primary's versions first: of two at one instant they stay
        vault.execute(
            "INSERT OR IGNORE INTO hubspot_history SELECT object, ?, property, at, value, source_type, source_id"
            " FROM hubspot_history WHERE object = ? AND id = ?",
            (new.id, object_, old.id),
        )
    latest = vault.execute(
        "SELECT property, value, max(at) FROM hubspot_history WHERE object = ? AND id = ? GROUP BY property",
        (object_, new.id),
    ).fetchall()
    vault.executemany(
        "INSERT OR REPLACE INTO hubspot_history VALUES (?, ?, ?, ?, ?, ?, ?)",
        [
            (object_, new.id, name, new.modified, new.body.get(name), "MERGE_OBJECTS", str(other.id))
            for name, value, _ in latest
            if (new.body.get(name) or "") != (value or "")
        ],
    )
    associations.repoint(portal, object_, primary.id, other.id, new.id)
    for old in olds:
        dissociate(portal, object_, [old.id])
        vault.execute("DELETE FROM hubspot WHERE object = ? AND id = ?", (object_, old.id))
        vault.execute("DELETE FROM hubspot_history WHERE object = ? AND id = ?", (object_, old.id))
        vault.execute("UPDATE hubspot_alias SET new_id = ? WHERE object = ? AND new_id = ?", (new.id, object_, old.id))
        vault.execute("INSERT OR REPLACE INTO hubspot_alias VALUES (?, ?, ?)", (object_, old.id, new.id))
    writer = Writer(portal, new.modified)
    writer.rows[object_, new.id] = new
    writer.flush()
