"""Reading records: by id, alias, e-mail or unique property, and showing them with properties and histories."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from sandbox.hubspot.answers import Json, invalid
from sandbox.hubspot.catalogue import DEFAULTS, ENGAGEMENTS, OTHER_DEFAULTS, TYPE_IDS
from sandbox.vault import iso_stamp, modified_property

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sandbox.hubspot.portal import Portal

_LONGEST_ID: Final = 18
COLUMNS: Final = "id, created, modified, archived, archived_at, body"
_LIVE: Final = "CREATE INDEX IF NOT EXISTS hubspot_live ON hubspot (object, archived, modified, id)"
_ARCHIVED: Final = "CREATE INDEX IF NOT EXISTS hubspot_archived ON hubspot (object, id) WHERE archived = 1"
_SPLIT: Final = (
    "json_each('[' || replace(json_quote(lower(json_extract({0}, '$.hs_additional_emails'))), ';', '\",\"') || ']')"
    " AS one WHERE one.value <> ''"
)
_FILL: Final = "CREATE TABLE hubspot_email AS SELECT one.value AS email, hubspot.id FROM hubspot, "
_KEEP: Final = "DELETE FROM hubspot_email WHERE id = NEW.id; INSERT INTO hubspot_email SELECT one.value, NEW.id FROM "
_KEPT: Final = f" ON hubspot WHEN NEW.object = 'contacts' BEGIN {_KEEP}{_SPLIT.format('NEW.body')}; END"
_EMAILS: Final = (
    f"{_FILL}{_SPLIT.format('body')} AND object = 'contacts'",
    "CREATE INDEX hubspot_email_value ON hubspot_email (email)",
    "CREATE INDEX hubspot_email_id ON hubspot_email (id)",
    f"CREATE TRIGGER hubspot_email_new AFTER INSERT {_KEPT}",
    f"CREATE TRIGGER hubspot_email_changed AFTER UPDATE OF body {_KEPT}",
)
"""Secondary e-mails, filled once and kept by the database itself, so that writes past this API count too."""


class Row(NamedTuple):
    """One record as the vault has it."""

    id: int
    created: int
    modified: int
    archived: int
    archived_at: int | None
    body: dict[str, str | None]


def read_row(raw: tuple[int, int, int, int, int | None, str]) -> Row:
    """A row of the vault with its body decoded."""
    return Row(raw[0], raw[1], raw[2], raw[3], raw[4], orjson.loads(raw[5]))


def prepare_live(portal: Portal) -> None:
    """The index that searches read exists. Like the others it is built on first use: it slows the making of a world."""
    portal.vault.execute(_LIVE)


def prepare_archived(portal: Portal) -> None:
    """The index of archived records exists."""
    portal.vault.execute(_ARCHIVED)


def prepare_values(portal: Portal, object_: str, property_: str) -> None:
    """The index of a unique property's values, in lower case, exists."""
    portal.vault.execute(
        f"CREATE INDEX IF NOT EXISTS hubspot_{object_}_{property_} ON hubspot"
        f" (lower(json_extract(body, '$.{property_}'))) WHERE object = '{object_}'"
    )


def _prepare_emails(portal: Portal) -> None:
    vault = portal.vault
    known = vault.execute("SELECT 1 FROM sqlite_master WHERE name = 'hubspot_email_changed'")
    if known.fetchone() is None:
        for statement in _EMAILS:
            vault.execute(statement)


def marks(count: int) -> str:
    """So many places for parameters."""
    return ",".join("?" * count)


def fetch(portal: Portal, object_: str, ids: Sequence[int], *, archived: bool | None = False) -> dict[int, Row]:
    """The records with these ids; archived ones alone, or both where None."""
    wanted = "" if archived is None else f" AND archived = {int(archived)}"
    rows = portal.vault.execute(
        f"SELECT {COLUMNS} FROM hubspot WHERE object = ? AND id IN ({marks(len(ids))}){wanted}",  # noqa: S608  # no text of the request
        (object_, *ids),
    )
    return {row[0]: read_row(row) for row in rows.fetchall()}


def resolve(portal: Portal, object_: str, ids: Iterable[int]) -> dict[int, int]:
    """Each id with that of the record it stands for now: merged-away ids lead to the record of the merge."""
    current = {id_: id_ for id_ in ids}
    while current:
        rows = portal.vault.execute(
            f"SELECT old_id, new_id FROM hubspot_alias WHERE object = ? AND old_id IN ({marks(len(current))})",  # noqa: S608  # as above
            (object_, *current.values()),
        )
        moved = dict(rows.fetchall())
        if not moved:
            break
        current = {asked: moved.get(now, now) for asked, now in current.items()}
    return current


def find_ids(portal: Portal, object_: str, property_: str, values: Iterable[str]) -> dict[str, int]:
    """Each value with the id of the live record that has it; secondary e-mails are their contact's too.

    The property must be unique; refuses any other.
    """
    is_email = object_ == "contacts" and property_ == "email"
    definition = portal.schema.live(object_).get(property_)
    if definition is None or not (is_email or definition.has_unique_value):
        message = f"Unable to perform update/upsert by non-unique {TYPE_IDS[object_]} property {property_}"
        raise invalid(message, code="INVALID_ID_PROPERTY", context={"propertyName": [property_]})
    wanted = {value.strip().lower(): value for value in values}
    prepare_values(portal, object_, property_)
    column = f"lower(json_extract(body, '$.{property_}'))"
    rows = portal.vault.execute(
        f"SELECT {column}, id FROM hubspot INDEXED BY hubspot_{object_}_{property_}"  # noqa: S608  # known names
        f" WHERE object = '{object_}' AND archived = 0 AND {column} IN ({marks(len(wanted))})",
        tuple(wanted),
    )
    found = {wanted[value]: id_ for value, id_ in rows.fetchall()}
    if is_email and len(found) < len(wanted):
        _prepare_emails(portal)
        rows = portal.vault.execute(
            "SELECT email, id FROM hubspot_email CROSS JOIN hubspot USING (id)"  # noqa: S608  # no text of the request
            f" WHERE object = 'contacts' AND archived = 0 AND email IN ({marks(len(wanted))})",
            tuple(wanted),
        )
        for value, id_ in rows.fetchall():
            found.setdefault(wanted[value], id_)
    return found


def is_id(text: str) -> bool:
    """Whether a text can be a record's id."""
    return text.isdecimal() and len(text) <= _LONGEST_ID


def locate(portal: Portal, object_: str, texts: Sequence[str], id_property: str | None) -> dict[str, int]:
    """Each text with the id of the record it names, by its id (or an alias of it) or by a unique property.

    What names nothing that could exist is missing; an id need not exist.
    """
    if id_property and id_property != "hs_object_id":
        return find_ids(portal, object_, id_property, texts)
    numbers = {text: int(text) for text in texts if is_id(text)}
    current = resolve(portal, object_, numbers.values())
    return {text: current[number] for text, number in numbers.items()}


def wanted(portal: Portal, object_: str, asked: Iterable[str]) -> tuple[str, ...]:
    """The properties to show: those that always come, and those asked for that are defined."""
    defaults = DEFAULTS.get(object_, OTHER_DEFAULTS)
    definitions = portal.schema.live(object_)
    asked = [name for name in asked if name in definitions]
    if not asked:
        return defaults
    always = ("createdate", "hs_object_id", modified_property(object_))
    if object_ in ENGAGEMENTS or object_ == "leads":
        always = ("hs_createdate", "hs_object_id", "hs_lastmodifieddate")
    return tuple(dict.fromkeys((*always, *asked)))


def show(portal: Portal, object_: str, row: Row, names: Sequence[str]) -> Json:
    """The record as the API shows it; a property without a value is null."""
    body, cleared = row.body, portal.settings.cleared
    properties: dict[str, str | None] = {}
    for name in names:
        value = body.get(name)
        properties[name] = cleared if value == "" else value
    if "hs_createdate" in properties and properties["hs_createdate"] is None:
        properties["hs_createdate"] = iso_stamp(row.created)
    shown: Json = {
        "id": str(row.id),
        "properties": properties,
        "createdAt": iso_stamp(row.created),
        "updatedAt": iso_stamp(row.modified),
        "archived": bool(row.archived),
    }
    if row.archived and row.archived_at is not None:
        shown["archivedAt"] = iso_stamp(row.archived_at)
    portal_id = portal.settings.portal_id
    shown["url"] = f"https://app.hubspot.com/contacts/{portal_id}/record/{TYPE_IDS[object_]}/{row.id}"
    return shown


def histories(
    portal: Portal, object_: str, rows: Sequence[Row], names: Sequence[str]
) -> dict[int, dict[str, list[Json]]]:
    """The versions of these properties of these records, newest first.

    A value without a stored history has one version, as old as its record: HubSpot has at least that.
    """
    defined = [name for name in names if name in portal.schema.live(object_)]
    found = portal.vault.execute(
        "SELECT id, property, at, value, source_type, source_id FROM hubspot_history"  # noqa: S608  # no text of the request
        f" WHERE object = ? AND id IN ({marks(len(rows))}) AND property IN ({marks(len(defined))})"
        " ORDER BY id, property, at DESC",
        (object_, *(row.id for row in rows), *defined),
    )
    versions: defaultdict[tuple[int, str], list[Json]] = defaultdict(list)
    for id_, name, at, value, source_type, source_id in found.fetchall():
        version: Json = {"value": value or "", "timestamp": iso_stamp(at), "sourceType": source_type}
        if source_id is not None:
            version["sourceId"] = source_id
        versions[id_, name].append(version)
    return {
        row.id: {name: versions.get((row.id, name)) or _only_version(row, name) for name in defined} for row in rows
    }


def _only_version(row: Row, name: str) -> list[Json]:
    value = row.body.get(name)
    if not value:
        return []
    return [{"value": value, "timestamp": iso_stamp(row.created), "sourceType": "CRM_UI"}]


def newest_id(portal: Portal, object_: str) -> int:
    """The highest id that the object ever gave out, 100 where there is none."""
    newest = portal.vault.execute("SELECT max(id) FROM hubspot WHERE object = ?", (object_,)).fetchone()[0]
    aliased = portal.vault.execute(
        "SELECT max(max(old_id), max(new_id)) FROM hubspot_alias WHERE object = ?", (object_,)
    ).fetchone()[0]
    return max(newest or 100, aliased or 100)
