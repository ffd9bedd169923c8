"""What is true in a simulated world, for tests to hold headrace's answers against; no vendor's API shows it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sandbox.vault import Vault


class TrueRecord(NamedTuple):
    """A record that is this person, account or opportunity; `system` is salesforce, hubspot or vitally."""

    system: str
    object: str
    id: str


class TrueEvent(NamedTuple):
    """What really happened, at an epoch in milliseconds."""

    kind: str
    at: int
    detail: str | None


class Entity(NamedTuple):
    """One person, account or opportunity as it is, with all its records, deleted and merged ones included."""

    kind: str
    name: str
    records: tuple[TrueRecord, ...]
    events: tuple[TrueEvent, ...]

    @property
    def quirk(self) -> str | None:
        """The difficulty that a person's records hold for whoever wants to join them, None without one."""
        return next((event.detail for event in self.events if event.kind == "quirk"), None)


def entities(vault: Vault, kind: str) -> Iterator[Entity]:
    """All of one kind (person, account, opportunity), by name."""
    events: dict[str, list[TrueEvent]] = {}
    for name, event_kind, at, detail in vault.execute(
        "SELECT entity, kind, at, detail FROM truth_event WHERE entity LIKE ? ORDER BY entity, at", (f"{kind}-%",)
    ):
        events.setdefault(name, []).append(TrueEvent(event_kind, at, detail))
    records: dict[str, list[TrueRecord]] = {}
    for name, system, object_, id_ in vault.execute(
        "SELECT entity, system, object, id FROM truth WHERE kind = ? ORDER BY entity, system, object, id", (kind,)
    ):
        records.setdefault(name, []).append(TrueRecord(system, object_, id_))
    for name, own in records.items():
        yield Entity(kind, name, tuple(own), tuple(events.get(name, ())))


def entity_of(vault: Vault, system: str, object_: str, id_: str | int) -> str | None:
    """The name of whom or what a record is, None where the truth does not know it."""
    row = vault.execute(
        "SELECT entity FROM truth WHERE system = ? AND object = ? AND id = ?", (system, object_, str(id_))
    ).fetchone()
    return None if row is None else row[0]


def same_pairs(vault: Vault, kind: str) -> Iterator[tuple[TrueRecord, TrueRecord]]:
    """Every pair of records that are one."""
    for entity in entities(vault, kind):
        for place, first in enumerate(entity.records):
            for second in entity.records[place + 1 :]:
                yield first, second
