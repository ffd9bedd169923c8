"""Rows on their way into the vault, kept in bounded number, and the vendors' ways of writing an instant, fast."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

import orjson

from sandbox.ids import salesforce_id, vitally_id
from sandbox.vault import modified_property
from sandbox.world.marketing import DAY_MS, JAPAN_MS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.vault import Vault

_FLUSH_AT: Final = 20_000
_MINUTES: Final = [f"{hour:02d}:{minute:02d}" for hour in range(24) for minute in range(60)]
_FIRST_NUMBER: Final = {
    "contacts": 5101, "companies": 3301, "deals": 1201, "leads": 901,
    "calls": 20_001, "meetings": 30_001, "emails": 40_001, "notes": 50_001, "tasks": 60_001,
}  # fmt: skip

_INSERTS: Final = {
    "salesforce": "INSERT INTO salesforce VALUES (?, ?, ?, ?, ?, ?)",
    "hubspot": "INSERT INTO hubspot VALUES (?, ?, ?, ?, ?, ?, ?)",
    "history": "INSERT OR REPLACE INTO hubspot_history VALUES (?, ?, ?, ?, ?, ?, ?)",
    "association": "INSERT OR REPLACE INTO hubspot_association VALUES (?, ?, ?, ?, ?, ?, ?)",
    "alias": "INSERT INTO hubspot_alias VALUES (?, ?, ?)",
    "vitally": "INSERT INTO vitally VALUES (?, ?, ?, ?, ?)",
    "truth": "INSERT INTO truth VALUES (?, ?, ?, ?, ?)",
    "truth_event": "INSERT INTO truth_event VALUES (?, ?, ?, ?)",
}


@lru_cache(maxsize=2048)
def _day(number: int) -> str:
    return datetime.fromtimestamp(number * 86_400, UTC).strftime("%Y-%m-%d")


def day(ms: int) -> str:
    """The day of an instant where the company is, in Japan: `2026-11-21`."""
    return _day((ms + JAPAN_MS) // DAY_MS)


def stamp(ms: int) -> str:
    """As Salesforce writes an instant, whole seconds."""
    seconds = ms // 1000 % 86_400
    return f"{_day(ms // DAY_MS)}T{_MINUTES[seconds // 60]}:{seconds % 60:02d}.000+0000"


def iso(ms: int) -> str:
    """As HubSpot and Vitally write an instant, milliseconds."""
    seconds = ms // 1000 % 86_400
    return f"{_day(ms // DAY_MS)}T{_MINUTES[seconds // 60]}:{seconds % 60:02d}.{ms % 1000:03d}Z"


class Ledger:
    """Takes rows for every table of the vault and writes them by the thousand; numbers records as they come."""

    def __init__(self, vault: Vault, *, seed: int) -> None:
        self._vault = vault
        self._seed = seed
        self._rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in _INSERTS}
        self._count = 0
        self._numbers = dict(_FIRST_NUMBER)

    def number(self, kind: str) -> int:
        """The next number of a kind: 1 and up, HubSpot's objects from where theirs begin."""
        number = self._numbers.get(kind, 1)
        self._numbers[kind] = number + 1
        return number

    def salesforce_id(self, object_: str) -> str:
        """The next id of a Salesforce object."""
        return salesforce_id(object_, self.number(object_))

    def vitally_id(self, object_: str) -> str:
        """The next id of a Vitally object."""
        return vitally_id(object_, self.number(f"vitally.{object_}"), self._seed)

    def _add(self, table: str, row: tuple[Any, ...]) -> None:
        self._rows[table].append(row)
        self._count += 1

    def salesforce(
        self,
        object_: str,
        id_: str,
        created: int,
        modified: int,
        body: Mapping[str, Any],
        *,
        by: str | None,
        is_deleted: bool = False,
    ) -> None:
        """One Salesforce record, with the audit fields that all objects have."""
        created, modified = created // 1000 * 1000, modified // 1000 * 1000
        modified_stamp = stamp(modified)
        whole = {
            "Id": id_,
            "IsDeleted": is_deleted,
            "CreatedDate": stamp(created),
            "CreatedById": by,
            "LastModifiedDate": modified_stamp,
            "LastModifiedById": by,
            "SystemModstamp": modified_stamp,
            **body,
        }
        self._add("salesforce", (object_, id_, created, modified, int(is_deleted), orjson.dumps(whole).decode()))

    def salesforce_history(self, object_: str, id_: str, created: int, body: Mapping[str, Any], *, by: str) -> None:
        """One row of a field history, which is never changed and so has no modification stamp."""
        created = created // 1000 * 1000
        whole = {"Id": id_, "IsDeleted": False, "CreatedDate": stamp(created), "CreatedById": by, **body}
        self._add("salesforce", (object_, id_, created, created, 0, orjson.dumps(whole).decode()))

    def hubspot(
        self,
        object_: str,
        id_: int,
        created: int,
        modified: int,
        properties: Mapping[str, str | None],
        *,
        archived_at: int | None = None,
    ) -> None:
        """One HubSpot record, with the properties that all objects have."""
        stamps = {"createdate": iso(created), modified_property(object_): iso(modified)}
        whole = {"hs_object_id": str(id_), **stamps, **properties}
        is_archived = int(archived_at is not None)
        self._add("hubspot", (object_, id_, created, modified, is_archived, archived_at, orjson.dumps(whole).decode()))

    def owner(self, id_: int, created: int, body: Mapping[str, Any], *, archived: bool) -> None:
        """One HubSpot owner, whose body is no set of properties."""
        archived_at = created if archived else None
        text = orjson.dumps(body).decode()
        self._add("hubspot", ("owners", id_, created, created, int(archived), archived_at, text))

    def history(
        self,
        object_: str,
        id_: int,
        property_: str,
        at: int,
        value: str,
        source_type: str,
        source_id: str | None = None,
    ) -> None:
        """One value that a HubSpot property once had."""
        self._add("history", (object_, id_, property_, at, value, source_type, source_id))

    def associate(self, from_object: str, from_id: int, to_object: str, to_id: int, there: int, back: int) -> None:
        """Two HubSpot records belong together, in both directions."""
        self._add("association", (from_object, from_id, to_object, to_id, there, "HUBSPOT_DEFINED", None))
        self._add("association", (to_object, to_id, from_object, from_id, back, "HUBSPOT_DEFINED", None))

    def alias(self, object_: str, old_id: int, new_id: int) -> None:
        """A HubSpot id that a merge took away answers with the record that survived."""
        self._add("alias", (object_, old_id, new_id))

    def vitally(self, object_: str, id_: str, created: int, modified: int, body: Mapping[str, Any]) -> None:
        """One Vitally record."""
        whole = {"id": id_, "createdAt": iso(created), "updatedAt": iso(modified), **body}
        self._add("vitally", (object_, id_, created, modified, orjson.dumps(whole).decode()))

    def truth(self, kind: str, entity: str, system: str, object_: str, id_: str | int) -> None:
        """The record is this person, account or opportunity."""
        self._add("truth", (kind, entity, system, object_, str(id_)))

    def happened(self, entity: str, kind: str, at: int, detail: str | None = None) -> None:
        """What really happened, whatever the vendors say of it."""
        self._add("truth_event", (entity, kind, at, detail))

    def flush(self, *, is_last: bool = False) -> None:
        """What was taken is in the vault, if it has become much or is the last."""
        if self._count < _FLUSH_AT and not is_last:
            return
        for table, rows in self._rows.items():
            if rows:
                self._vault.executemany(_INSERTS[table], rows)
                rows.clear()
        self._count = 0
        if is_last:
            self._vault.commit()
