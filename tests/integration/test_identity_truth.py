"""Read through the real connectors, a whole simulated company comes out as it really is."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from mapping.records import record_key
from state import history
from state.sql import fetch
from sync import config
from sync.house import House
from sync.steps.derive import derive
from sync.steps.poll import WHERE_IT_WAS, Reading, poll
from sync.steps.resolve import resolve

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sandbox.server import Sandbox
    from sandbox.truth import Entity

SYSTEMS = {"salesforce": "salesforce", "hubspot": "hubspot", "vitally": "cs"}
MINUTE_MS = 60_000
TOLD = {
    "accepted": "lead_accepted",
    "rejected": "lead_rejected",
    "recycled": "lead_recycled",
    "contracted": "contracted",
    "onboarding_started": "onboarding_started",
    "onboarded": "onboarded",
    "renewed": "renewed",
    "risk_raised": "risk_raised",
    "churned": "churned",
}
"""What really happened, and the event that tells it."""


class Silent:
    """Progress that nobody watches."""

    def read(self, system: str, object_: str, count: int) -> None:
        """Nothing is shown."""

    def finish(self, system: str, object_: str) -> None:
        """Nothing is shown."""

    def step(self, name: str) -> None:
        """Nothing is shown."""


@pytest.fixture(scope="module")
def house(shared_sandbox: Sandbox, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """The tiny world, read, derived and resolved once."""
    shared_sandbox.faults.clear()
    path: Path = shared_sandbox.write_config(tmp_path_factory.mktemp("truth"))
    with House.open(config.load(path), path, needs_lease=True) as opened:
        reading = Reading(
            db=opened.db,
            run=1,
            volatile=opened.volatile,
            progress=Silent(),
            stop=opened.stop,
            start=WHERE_IT_WAS,
            only=None,
        )
        counts = poll(reading, opened.connectors)
        assert [count.error for count in counts.values()] == [None, None, None]
        assert derive(opened.db, opened.derivers, now_ms=opened.clock(), run=1).unmapped == 0
        resolve(opened.db, now_ms=opened.clock())
        yield opened


def entities(sandbox: Sandbox, kind: str) -> list[Entity]:
    """All that really are of one kind."""
    from sandbox import truth

    return list(truth.entities(sandbox.vault, kind))


def keys(entity: Entity) -> list[int]:
    """The records of a true entity."""
    return [record_key(SYSTEMS[record.system], record.object, record.id) for record in entity.records]


@pytest.mark.parametrize("kind", ["person", "account", "opportunity"])
def test_nobody_is_merged_with_somebody_else(house: House, sandbox: Sandbox, kind: str) -> None:
    """Two people in one are worse than one person in two."""
    with house.db.read() as conn:
        members = dict(fetch(conn, "SELECT record, entity FROM membership"))
    real = entities(sandbox, kind)

    held: defaultdict[int, set[str]] = defaultdict(set)
    for entity in real:
        for key in keys(entity):
            held[members[key]].add(entity.name)

    assert len(real) > 50
    assert [names for names in held.values() if len(names) > 1] == []


def test_only_who_gave_a_mailbox_of_many_is_found_twice(house: House, sandbox: Sandbox) -> None:
    """Tags, width, case, second addresses, merges and conversions are all seen through."""
    with house.db.read() as conn:
        members = dict(fetch(conn, "SELECT record, entity FROM membership"))

    split = [entity for entity in entities(sandbox, "person") if len({members[key] for key in keys(entity)}) > 1]

    assert {entity.quirk for entity in split} <= {"role_mailbox"}
    quirks = {entity.quirk for entity in entities(sandbox, "person")}
    assert {"plus_tag", "upper_case", "secondary_email"} & quirks


def test_what_happened_is_told_to_the_minute(house: House, sandbox: Sandbox) -> None:
    """Each acceptance, rejection and step of a customer's life, in at least one of the records."""
    missing, found = [], 0
    with house.db.read() as conn:
        for entity in [*entities(sandbox, "person"), *entities(sandbox, "account")]:
            told = history.events_of(conn, keys(entity))
            for real in entity.events:
                kind = TOLD.get(real.kind)
                if kind is None:
                    continue
                found += 1
                if not any(event.kind == kind and abs(event.at - real.at) < MINUTE_MS for event in told):
                    missing.append((entity.name, real.kind))

    assert found > 100
    assert missing == []
