"""Writing records: values, stamps and histories, creation, archiving, and the stage rules that HubSpot keeps."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import orjson

from sandbox.hubspot.answers import CONFLICT, Refusal, property_stamp
from sandbox.hubspot.portal import VALIDATED, Late, Portal
from sandbox.hubspot.records import Row, fetch, find_ids, marks, newest_id
from sandbox.hubspot.schema import calculated_suffix
from sandbox.hubspot.values import Problem, check_values
from sandbox.vault import iso_stamp, modified_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.hubspot.answers import Json

SOURCE: Final = ("INTEGRATION", "headrace-sandbox")
_STAGE: Final = {
    "contacts": "lifecyclestage",
    "companies": "lifecyclestage",
    "deals": "dealstage",
    "leads": "hs_pipeline_stage",
}
_STALE: Final = """
CREATE TABLE IF NOT EXISTS temp.hubspot_stale (
  object TEXT NOT NULL, id INTEGER NOT NULL, replaced_at INTEGER NOT NULL, created INTEGER NOT NULL,
  modified INTEGER NOT NULL, archived INTEGER NOT NULL, archived_at INTEGER, body TEXT NOT NULL,
  PRIMARY KEY (object, id, replaced_at)) WITHOUT ROWID
"""
"""Versions of records that the search index still holds though they were replaced; see `search`."""


def prepare_stale(portal: Portal) -> None:
    """The table of replaced versions exists."""
    portal.vault.execute(_STALE)


def check(
    call_version: str, portal: Portal, object_: str, properties: Mapping[str, Any]
) -> tuple[dict[str, str], list[Problem]]:
    """The values as they are stored, and all problems; administrators' rules hold from 2026-09 on."""
    rules = portal.settings.validations(object_) if call_version == VALIDATED else {}
    return check_values(portal.schema.live(object_), properties, rules)


@dataclass(slots=True)
class Writer:
    """Gathers changes of records at one instant; `flush`, inside a transaction, makes them all stand."""

    portal: Portal
    at: int
    rows: dict[tuple[str, int], Row] = field(default_factory=dict)
    replaced: dict[tuple[str, int], Row] = field(default_factory=dict)
    history: list[tuple[str, int, str, int, str | None, str, str | None]] = field(default_factory=list)
    baseline: list[tuple[Any, ...]] = field(default_factory=list)
    created: set[tuple[str, int]] = field(default_factory=set)
    late: list[Late] = field(default_factory=list)

    def change(self, object_: str, row: Row, values: Mapping[str, str], source: tuple[str, str] = SOURCE) -> Row:
        """The record with these checked values and a new last-modified stamp.

        `lifecyclestage` moves forward only: setting it back succeeds and changes nothing (contacts guide). Where that
        was all, nothing is stamped. A value that is equal stamps the record but makes no history (a choice).
        """
        row = self.rows.get((object_, row.id), row)
        kept = {name: value for name, value in values.items() if not self._is_backward(object_, row, name, value)}
        if values and not kept:
            return row
        is_new = (object_, row.id) in self.created
        if not is_new:
            self.replaced.setdefault((object_, row.id), row)
        body = dict(row.body)
        for name, value in kept.items():
            before = body.get(name) or ""
            if before == value:
                continue
            if before and not is_new:
                self.baseline.append(
                    (object_, row.id, name, row.created, before, "CRM_UI", None, object_, row.id, name)
                )
            body[name] = value
            self.history.append((object_, row.id, name, self.at, value, *source))
            if name == _STAGE.get(object_):
                self._follow_stage(object_, row, before, value, body)
        body[modified_property(object_)] = iso_stamp(self.at)
        new = row._replace(modified=self.at, body=body)
        self.rows[object_, row.id] = new
        return new

    def create(self, object_: str, values: Mapping[str, str]) -> Row:
        """A new record with these checked values and an id that was never used."""
        mine = [id_ for name, id_ in self.created if name == object_]
        id_ = (max(mine) if mine else newest_id(self.portal, object_)) + 1
        at = iso_stamp(self.at)
        body: dict[str, str | None] = {
            "hs_object_id": str(id_),
            "createdate": at,
            "hs_createdate": at,
            modified_property(object_): at,
            "hs_object_source": SOURCE[0],
            "hs_object_source_label": SOURCE[0],
            "hs_object_source_id": SOURCE[1],
        }
        self.created.add((object_, id_))
        row = Row(id_, self.at, self.at, 0, None, body)
        self.rows[object_, id_] = row
        if object_ == "contacts" and "lifecyclestage" not in values:
            values = {**values, "lifecyclestage": "lead"}
        return self.change(object_, row, values)

    def flush(self) -> None:
        """All gathered changes stand in the vault; call it inside a transaction."""
        vault = self.portal.vault
        self.portal.late += self.late
        if self.portal.settings.faults.lag_ms:
            prepare_stale(self.portal)
            vault.executemany(
                "INSERT OR IGNORE INTO temp.hubspot_stale VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    (object_, row.id, self.at, row.created, row.modified, row.archived, row.archived_at, _dump(row))
                    for (object_, _), row in self.replaced.items()
                ],
            )
        # A record's first API write must not lose the value that stood there before: HubSpot keeps every version.
        vault.executemany(
            "INSERT INTO hubspot_history SELECT ?, ?, ?, ?, ?, ?, ?"
            " WHERE NOT EXISTS (SELECT 1 FROM hubspot_history WHERE object = ? AND id = ? AND property = ?)",
            self.baseline,
        )
        vault.executemany("INSERT OR REPLACE INTO hubspot_history VALUES (?, ?, ?, ?, ?, ?, ?)", self.history)
        vault.executemany(
            "INSERT OR REPLACE INTO hubspot VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (object_, row.id, row.created, row.modified, row.archived, row.archived_at, _dump(row))
                for (object_, _), row in self.rows.items()
            ],
        )

    def _is_backward(self, object_: str, row: Row, name: str, value: str) -> bool:
        if name != "lifecyclestage" or not value:
            return False
        rank = self.portal.schema.rank
        return rank(object_, name, value) < rank(object_, name, row.body.get(name))

    def _follow_stage(self, object_: str, row: Row, before: str, value: str, body: dict[str, str | None]) -> None:
        """Calculated dates come later and without a stamp; whether a deal is closed is known at once."""
        at = property_stamp(self.at)
        dates = {f"hs_v2_date_entered_{calculated_suffix(value)}": at} if value else {}
        if before:
            dates[f"hs_v2_date_exited_{calculated_suffix(before)}"] = at
        if _STAGE[object_] == "lifecyclestage":
            dates |= {f"hs_lifecyclestage_{value}_date": at} if value else {}
        else:
            dates["hs_v2_date_entered_current_stage"] = at
        due = self.at + self.portal.settings.calculated_after_ms
        self.late.append(Late(due, object_, row.id, dates))
        stage = self.portal.schema.stage(object_, value)
        if object_ == "deals" and stage is not None:
            is_closed = stage.metadata.get("isClosed") == "true"
            is_won = is_closed and float(stage.metadata.get("probability", "0")) == 1
            body |= {"hs_is_closed": str(is_closed).lower(), "hs_is_closed_won": str(is_won).lower()}
            body["hs_deal_stage_probability"] = stage.metadata.get("probability")


def _dump(row: Row) -> str:
    return orjson.dumps(row.body).decode()


def spread_stage(portal: Portal, writer: Writer) -> None:
    """The stage of changed deals and companies reaches the records associated with them, forward only.

    Default account settings: a new deal makes its contacts and companies opportunities, a won one customers, and a
    company's stage is its contacts' (knowledge base, lifecycle stage sync; read 2026-11-21).
    """
    for (object_, id_), row in list(writer.rows.items()):
        before = writer.replaced.get((object_, id_))
        if object_ == "deals":
            if row.body.get("hs_is_closed_won") == "true" and (
                before is None or before.body.get("hs_is_closed_won") != "true"
            ):
                _raise_stage(portal, writer, "deals", id_, "customer")
            elif before is None:
                _raise_stage(portal, writer, "deals", id_, "opportunity")
        elif object_ == "companies" and before is not None:
            stage = row.body.get("lifecyclestage") or ""
            if stage and stage != before.body.get("lifecyclestage"):
                _raise_stage(portal, writer, "companies", id_, stage)


def _raise_stage(portal: Portal, writer: Writer, object_: str, id_: int, stage: str) -> None:
    targets = ("contacts", "companies") if object_ == "deals" else ("contacts",)
    for target in targets:
        rows = portal.vault.execute(
            "SELECT DISTINCT to_id FROM hubspot_association WHERE from_object = ? AND from_id = ? AND to_object = ?",
            (object_, id_, target),
        ).fetchall()
        for row in fetch(portal, target, [to_id for (to_id,) in rows]).values():
            writer.change(target, row, {"lifecyclestage": stage}, (object_.upper(), str(id_)))


def settle_late(portal: Portal) -> None:
    """Calculated values that are due stand in their records, whose last modification is untouched."""
    now = portal.now()
    due = [late for late in portal.late if late.due <= now]
    if not due:
        return
    portal.late = [late for late in portal.late if late.due > now]
    with portal.vault.transaction():
        for late in due:
            for row in fetch(portal, late.object, [late.id], archived=None).values():
                body = {**row.body, **late.properties}
                portal.vault.execute(
                    "UPDATE hubspot SET body = ? WHERE object = ? AND id = ?",
                    (orjson.dumps(body).decode(), late.object, late.id),
                )


def archive(portal: Portal, object_: str, ids: Sequence[int]) -> None:
    """The records are in the recycle bin and associated with nothing; their last modification is untouched.

    Call it inside a transaction.
    """
    now, vault = portal.now(), portal.vault
    vault.execute(
        "UPDATE hubspot SET archived = 1, archived_at = ?"  # noqa: S608  # no text of the request
        f" WHERE object = ? AND archived = 0 AND id IN ({marks(len(ids))})",
        (now, object_, *ids),
    )
    dissociate(portal, object_, ids)


def erase(portal: Portal, object_: str, ids: Sequence[int]) -> None:
    """The records and their histories are gone for good, as after a GDPR delete. Call it inside a transaction."""
    for table in ("hubspot", "hubspot_history"):
        portal.vault.execute(
            f"DELETE FROM {table} WHERE object = ? AND id IN ({marks(len(ids))})",  # noqa: S608  # no text of the request
            (object_, *ids),
        )
    dissociate(portal, object_, ids)


def dissociate(portal: Portal, object_: str, ids: Sequence[int]) -> None:
    """Nothing is associated with the records. Call it inside a transaction."""
    vault = portal.vault
    pairs = vault.execute(
        "SELECT to_object, to_id, from_object, from_id FROM hubspot_association"  # noqa: S608  # as above
        f" WHERE from_object = ? AND from_id IN ({marks(len(ids))})",
        (object_, *ids),
    ).fetchall()
    vault.executemany(
        "DELETE FROM hubspot_association WHERE from_object = ? AND from_id = ? AND to_object = ? AND to_id = ?",
        [*pairs, *((from_object, from_id, to_object, to_id) for to_object, to_id, from_object, from_id in pairs)],
    )


def refuse_taken(portal: Portal, object_: str, values: Mapping[str, str], own_id: int | None) -> None:
    """Returns if no other live record has one of the values that must be unique."""
    for name, value in values.items():
        is_email = object_ == "contacts" and name == "email"
        if not value or not (is_email or portal.schema.live(object_)[name].has_unique_value):
            continue
        holder = find_ids(portal, object_, name, [value]).get(value)
        if holder is None or holder == own_id:
            continue
        if is_email:
            raise Refusal(CONFLICT, f"Contact already exists. Existing ID: {holder}", category="CONFLICT")
        message = f"Cannot set {name} on {own_id or 'a new record'}. {holder} already has that value."
        raise Refusal(CONFLICT, message, category="CONFLICT", errors=[_taken(name, message)])


def _taken(name: str, message: str) -> Json:
    return {"message": message, "code": "DUPLICATE_UNIQUE_VALUE", "context": {"propertyName": [name]}}
