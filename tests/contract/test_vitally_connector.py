"""The REST connector with the Vitally preset keeps the connector contract, against the sandbox over real HTTP."""

from __future__ import annotations

import json
from contextlib import contextmanager
from uuid import UUID

import pytest

from connectors.base import Severity, Written
from connectors.rest import connect
from connectors.testing import ConnectorContract, planned
from mapping import vendors
from mapping.errors import SystemDown
from reconcile.changes import Outcome
from sandbox.server import Sandbox
from sandbox.vault import iso_stamp

OBJECTS = ("accounts", "users", "npsResponses")
DAY_MS = 86_400_000


class VitallyVendor:
    """The sandbox's tenant, with 250 users more than its world has."""

    object = "users"
    written = Written(object="users", field="traits.canonical_score", role="score")
    values = (61, 73)
    fresh = None
    absent = None

    def __init__(self, box):
        self.box = box
        self.faults = box.faults.vitally
        now = box.vault.now_ms()
        with box.vault.transaction():
            for number in range(250):
                self.add("users", number, now - (number + 2) * DAY_MS)

    def add(self, object_, number, at, **attributes):
        """One more record, created and changed at an instant."""
        id_ = str(UUID(int=number))
        stamp = iso_stamp(at)
        body = {"id": id_, "createdAt": stamp, "updatedAt": stamp, "traits": {}, **attributes}
        sql = "INSERT OR REPLACE INTO vitally VALUES (?, ?, ?, ?, ?)"
        self.box.vault.execute(sql, (object_, id_, at, at, json.dumps(body)))
        return id_

    def connect(self, *, is_wrong=False, **more):
        """Make a connector to it that never sleeps."""
        settings = {
            "system": "vendor",
            "base_url": self.box.urls["cs"],
            "preset": "vitally",
            "auth": {"flow": "basic", "username": "wrong" if is_wrong else self.box.credentials.vitally_key},
            "fields": {
                "accounts": (*vendors.fields("vitally", "accounts"), "traits.canonical_stage"),
                "users": (*vendors.fields("vitally", "users"), self.written.field),
                "npsResponses": vendors.fields("vitally", "npsResponses"),
            },
            "written": [self.written],
            "has_limits": False,
            "batch_pages": 1,
            "sleep": lambda _: None,
        }
        return connect(**settings | more)

    def ids(self):
        """The ids of its live records."""
        return {id_ for (id_,) in self.box.vault.execute("SELECT id FROM vitally WHERE object = ?", (self.object,))}

    def change(self):
        """Change one record."""
        id_ = min(self.ids())
        self.box.vault.patch_vitally(self.object, id_, {"name": "Aoi Simulated"})
        self.box.vault.commit()
        return id_

    def delete(self):
        """Nothing: lists do not tell deletions."""
        return

    def fail(self, breakage):
        """Break every answer."""
        if breakage == "truncate":
            self.faults.script(truncate=5, times=10_000)
        else:
            self.faults.down = breakage

    def mend(self):
        """End every breakage."""
        self.faults.clear()

    def lure(self, address):
        """Nothing: pages give a token, no address."""
        return False

    def value(self, id_):
        """The present value of the written field."""
        return self.box.vault.body("vitally", self.object, id_)["traits"].get("canonical_score")

    def put(self, id_, value):
        """Give the written field a value, as a person would."""
        self.box.vault.patch_vitally(self.object, id_, {}, traits={"canonical_score": value})
        self.box.vault.commit()

    def lose_answer(self):
        """Carry out the next write without an answer."""
        self.faults.script(method="PUT", when="after", drop=True)

    def writes(self):
        """Requests to write so far."""
        return sum(count for (_, method, _), count in self.box.faults.counts().items() if method == "PUT")


class TestVitallyContract(ConnectorContract):
    """The contract."""

    @contextmanager
    def vendor(self):
        """One with a world of its own."""
        with Sandbox(size="tiny") as box:
            yield VitallyVendor(box)


@pytest.fixture
def vendor():
    """One tenant."""
    with Sandbox(size="tiny") as box:
        yield VitallyVendor(box)


@pytest.fixture
def connector(vendor):
    """A connector to it."""
    opened = vendor.connect()
    yield opened
    opened.close()


def poll(connector, object_, cursor=None):
    """All rows by id, and the last cursor."""
    batches = list(connector.poll(object_, cursor))
    return {row[0]: row for batch in batches for row in batch.rows}, batches[-1].cursor


def change(id_, before, after, field, object_="users"):
    """A change of one field."""
    return planned(object_, id_, field, before, after)


def test_churned_accounts_are_read(vendor, connector):
    """The list hides them unless it is asked."""
    with vendor.box.vault.transaction():
        id_ = vendor.add("accounts", 7, vendor.box.vault.now_ms(), churnedAt="2026-10-01T00:00:00.000Z")

    rows, _ = poll(connector, "accounts")

    assert json.loads(rows[id_][2])["churnedAt"] == "2026-10-01T00:00:00.000Z"


def test_traits_are_flat_and_one_that_was_never_set_is_empty(connector):
    """An empty trait is read as empty; it is not a field that was not read."""
    rows, _ = poll(connector, "accounts")

    for row in rows.values():
        payload = json.loads(row[2])
        assert payload["traits.canonical_stage"] is None
        assert "traits" not in payload


def test_a_feed_stops_where_known_changes_begin(vendor, connector):
    """One page is enough for a few changes, however many records there are."""
    _, cursor = poll(connector, "users")
    changed = vendor.change()
    before = connector.calls

    rows, after = poll(connector, "users", cursor)

    assert rows.keys() == {changed}
    assert connector.calls == before + 1
    assert after.position["watermark"] >= cursor.position["watermark"]


def test_a_feed_with_more_changes_than_a_page_reads_them_all(vendor, connector):
    """Only the last batch moves the cursor: stopped before it, the next poll reads them again."""
    _, loaded = poll(connector, "users")
    position = {**loaded.position, "watermark": loaded.position["watermark"] - 60_000}
    cursor = type(loaded)(position=position, settled_at=loaded.settled_at)
    at = vendor.box.vault.now_ms()
    with vendor.box.vault.transaction():
        for number in range(1000, 1230):
            vendor.add("users", number, at + number - 1230)

    batches = list(connector.poll("users", cursor))

    assert sum(len(batch.rows) for batch in batches) == 230
    assert [batch.cursor.position for batch in batches[:-1]] == [cursor.position] * (len(batches) - 1)
    assert batches[-1].cursor.position["watermark"] > cursor.position["watermark"]


def test_everything_is_read_again_once_a_day(vendor, connector):
    """A computed value that moved no stamp comes to light."""
    _, cursor = poll(connector, "users")
    position = {**cursor.position, "listed": cursor.position["listed"] - DAY_MS - 1}

    rows, after = poll(connector, "users", type(cursor)(position=position, settled_at=cursor.settled_at))

    assert rows.keys() == vendor.ids()
    assert after.position["listed"] >= cursor.position["listed"]


def test_a_page_token_that_expired_begins_the_list_anew(vendor, connector):
    """A reading that was interrupted for long loses nothing."""
    first = next(connector.poll("users", None)).cursor
    stale = type(first)(position={**first.position, "place": "expired"})

    rows, cursor = poll(connector, "users", stale)

    assert rows.keys() == vendor.ids()
    assert cursor.is_loaded


def test_an_empty_page_is_no_outage(vendor, connector):
    """A tenant without a single answer to a survey is loaded all the same."""
    vendor.box.vault.execute("DELETE FROM vitally WHERE object = 'npsResponses'")
    vendor.box.vault.commit()

    rows, cursor = poll(connector, "npsResponses")

    assert rows == {}
    assert cursor.is_loaded


@pytest.mark.parametrize("body", ["{}", '{"results":null}', '{"error":"soon"}', "[]", '{"results":[1]}'])
def test_a_good_answer_of_another_shape_is_an_outage(vendor, connector, body):
    """It never counts as a list without records."""
    vendor.faults.script(path="/resources/users", status=200, body=body, times=10_000)

    with pytest.raises(SystemDown):
        poll(connector, "users")


def test_a_bare_key_is_written_as_a_trait_verbatim(vendor):
    """The configuration names traits without their section; keys may have dots."""
    field = "vitally.custom.stage"
    written = [Written(object="users", field=field, role="stage")]
    connector = vendor.connect(written=written, fields={"users": ("id", field)})
    id_ = min(vendor.ids())

    rows, _ = poll(connector, "users")
    (settled,) = connector.write("users", [change(id_, None, "mql", field)])
    found = connector.read("users", [id_], [field])
    connector.close()

    assert json.loads(rows[id_][2]) == {"id": id_, field: None}
    assert settled.outcome is Outcome.VERIFIED
    assert found == {id_: {field: "mql"}}
    assert vendor.box.vault.body("vitally", "users", id_)["traits"] == {field: "mql"}


def test_changes_of_one_record_travel_in_one_request_and_keep_other_traits(vendor, connector):
    """Traits are merged, not replaced."""
    id_ = min(vendor.ids())
    vendor.box.vault.patch_vitally("users", id_, {}, traits={"tier": "gold"})
    vendor.box.vault.commit()
    changes = [
        change(id_, None, 61, "traits.canonical_score"),
        change(id_, None, "mql", "traits.canonical_stage"),
    ]

    outcomes = [one.outcome for one in connector.write("users", changes)]

    assert outcomes == [Outcome.VERIFIED] * 2
    assert vendor.writes() == 1
    traits = vendor.box.vault.body("vitally", "users", id_)["traits"]
    assert traits == {"tier": "gold", "canonical_score": 61, "canonical_stage": "mql"}


def test_emptying_a_trait_is_verified(vendor, connector):
    """The tool deletes a trait that is set to null; a missing one reads as empty."""
    id_ = min(vendor.ids())
    vendor.put(id_, 61)

    (settled,) = connector.write("users", [change(id_, 61, None, "traits.canonical_score")])

    assert settled.outcome is Outcome.VERIFIED
    assert settled.remote is None


def test_a_record_that_is_gone_is_skipped(vendor, connector):
    """It is found missing before anything is sent."""
    (settled,) = connector.write("users", [change(str(UUID(int=99_999)), None, 61, "traits.canonical_score")])

    assert settled.outcome is Outcome.SKIPPED
    assert vendor.writes() == 0


def test_a_refusal_fails_with_the_tools_own_words(vendor, connector):
    """The person who has to mend it reads what the tool said."""
    vendor.faults.script(method="PUT", status=400, body='{"message":"externalId is required"}')

    (settled,) = connector.write("users", [change(min(vendor.ids()), None, 61, "traits.canonical_score")])

    assert settled.outcome is Outcome.FAILED
    assert "externalId is required" in str(settled.detail)


def test_objects_that_cannot_be_written_fail_without_a_call(vendor, connector):
    """Survey answers belong to those who gave them."""
    settled = list(connector.write("npsResponses", [change("1", None, 61, "score", "npsResponses")]))

    assert [one.outcome for one in settled] == [Outcome.FAILED]
    assert connector.calls == 0


def test_throttling_waits_as_long_as_the_reset_header_says(vendor):
    """Vitally gives seconds in RateLimit-Reset, and no Retry-After."""
    waits = []
    connector = vendor.connect(sleep=waits.append)
    headers = {"RateLimit-Reset": "7"}
    vendor.faults.script(path="/resources/users", status=429, body='{"error":"Too many requests"}', headers=headers)

    rows, _ = poll(connector, "users")
    connector.close()

    assert rows.keys() == vendor.ids()
    assert 7 <= max(waits) <= 8


def test_diagnosis_says_what_cannot_be_written(connector):
    """A field on survey answers is an error before anything is planned."""
    findings = list(connector.diagnose([Written(object="npsResponses", field="x", role="stage")]))

    assert [one.check for one in findings if one.severity is Severity.ERROR] == ["write npsResponses"]


def test_a_field_that_is_newly_asked_for_is_read_of_every_record(vendor, connector):
    """A field that joins a write table is known before anything is planned for it."""
    _, cursor = poll(connector, "users")
    another = vendor.connect(fields={"users": (*vendors.fields("vitally", "users"), "traits.tier")})

    rows, after = poll(another, "users", cursor)
    again, _ = poll(another, "users", after)
    another.close()

    assert vendor.ids() <= rows.keys()
    assert len(again) < len(rows) / 2
