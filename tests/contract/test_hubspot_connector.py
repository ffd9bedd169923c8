"""HubSpot keeps the connector contract, against the sandbox over real HTTP."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import timedelta

import pytest

from connectors.base import Written
from connectors.hubspot import connect
from connectors.hubspot.read import Pace
from connectors.testing import ConnectorContract, planned
from mapping import vendors
from mapping.errors import SystemDown
from reconcile.changes import Outcome
from sandbox.server import Sandbox

CANONICAL = ("canonical_stage", "canonical_score", "canonical_stage_at", "canonical_id")
OBJECTS = ("companies", "contacts", "deals", "leads")


class HubSpotVendor:
    """The sandbox's portal."""

    object = "contacts"
    written = Written(object="contacts", field="canonical_score", role="score")
    values = (61, 73)
    fresh = Written(object="contacts", field="fresh_stage", role="stage", options=("mql", "sql"))
    absent = "leads"

    def __init__(self, box):
        self.box = box
        self.faults = box.faults.hubspot
        self.faults.options["missing_scopes"] = ["leads"]

    def connect(self, *, is_wrong=False, **more):
        """Make a connector to it that never sleeps."""
        settings = {
            "system": "vendor",
            "base_url": self.box.urls["hubspot"],
            "auth": {"flow": "service_key", "token": "pat-wrong" if is_wrong else self.box.credentials.hubspot_token},
            "fields": {
                object_: (*vendors.fields("hubspot", object_), *(CANONICAL if object_ != "leads" else ()))
                for object_ in OBJECTS
            },
            "histories": {object_: vendors.histories("hubspot", object_) for object_ in OBJECTS},
            "associations": {object_: vendors.associations("hubspot", object_) for object_ in OBJECTS},
            "written": [self.written],
            "has_limits": False,
            "pace": Pace(archived=timedelta(0), batch_pages=1),
            "sleep": lambda _: None,
        }
        return connect(**settings | more)

    def ids(self):
        """The ids of its live records."""
        sql = "SELECT id FROM hubspot WHERE object = ? AND archived = 0"
        return {str(id_) for (id_,) in self.box.vault.execute(sql, (self.object,))}

    def change(self):
        """Change one record."""
        id_ = min(self.ids())
        self.box.vault.patch_hubspot(self.object, int(id_), {"jobtitle": "Head of Simulation"})
        self.box.vault.commit()
        return id_

    def delete(self):
        """Archive one record."""
        id_ = max(self.ids())
        self.box.vault.archive_hubspot(self.object, int(id_))
        self.box.vault.commit()
        return id_

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
        return self.box.vault.body("hubspot", self.object, int(id_)).get(self.written.field)

    def put(self, id_, value):
        """Give the written field a value, as a person would."""
        text = None if value is None else str(value)
        self.box.vault.patch_hubspot(self.object, int(id_), {self.written.field: text})
        self.box.vault.commit()

    def lose_answer(self):
        """Carry out the next write without an answer."""
        self.faults.script(method="POST", path="/batch/update", when="after", drop=True)

    def writes(self):
        """Requests to write so far."""
        counts = self.box.faults.counts()
        return sum(count for (_, _, path), count in counts.items() if path.endswith("/batch/update"))


class TestHubSpotContract(ConnectorContract):
    """The contract."""

    @contextmanager
    def vendor(self):
        """One with a world of its own."""
        with Sandbox(size="tiny") as box:
            yield HubSpotVendor(box)


@pytest.fixture
def vendor():
    """One portal."""
    with Sandbox(size="tiny") as box:
        yield HubSpotVendor(box)


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


def change(id_, before, after, field="canonical_score", object_="contacts"):
    """A change of one field."""
    return planned(object_, id_, field, before, after)


def test_a_changed_record_read_by_search_has_the_payload_that_the_list_gives(vendor, connector):
    """Both ways of reading give the same bytes, or every poll would store an empty change."""
    _, cursor = poll(connector, "contacts")
    stamps = {}
    for id_ in sorted(vendor.ids())[:20]:
        vendor.box.vault.patch_hubspot("contacts", int(id_), {})
        stamps[id_] = None
    vendor.box.vault.commit()

    searched, _ = poll(connector, "contacts", cursor)
    listed, _ = poll(connector, "contacts")

    assert stamps.keys() <= searched.keys()
    assert {id_: searched[id_] for id_ in stamps} == {id_: listed[id_] for id_ in stamps}


def test_more_changes_than_a_search_may_page_through_are_all_read(vendor, connector):
    """One stamp on more records than fit on a page is no obstacle: paging goes by id."""
    _, cursor = poll(connector, "contacts")
    at = vendor.box.vault.now_ms()
    with vendor.box.vault.transaction():
        for number in range(450):
            vendor.box.vault.put_hubspot("contacts", 900_000 + number, {"email": f"bulk{number}@example.com"}, at=at)

    changed, after = poll(connector, "contacts", cursor)

    assert len([id_ for id_ in changed if int(id_) >= 900_000]) == 450
    assert after.settled_at > cursor.settled_at


def test_disordered_searches_skip_nothing(vendor, connector):
    """Neighbours in the wrong order, also over the edge of a page, are all read."""
    _, cursor = poll(connector, "contacts")
    vendor.faults.options["disorder"] = True
    with vendor.box.vault.transaction():
        for number in range(450):
            vendor.box.vault.put_hubspot("contacts", 900_000 + number, {"email": f"bulk{number}@example.com"})

    changed, _ = poll(connector, "contacts", cursor)

    assert len([id_ for id_ in changed if int(id_) >= 900_000]) == 450


def test_a_change_that_the_index_shows_late_is_read_by_a_later_poll(vendor, connector):
    """What was not to be seen within the settle lag is not skipped."""
    _, cursor = poll(connector, "contacts")
    vendor.faults.lag_ms = 60_000
    changed = vendor.change()

    early, cursor = poll(connector, "contacts", cursor)
    vendor.faults.lag_ms = 0
    late, _ = poll(connector, "contacts", cursor)

    assert changed not in early
    assert changed in late


def test_archived_records_are_listed_at_most_once_in_an_interval(vendor):
    """The pass over the recycle bin is made when it is due, not at every poll."""
    connector = vendor.connect(pace=Pace(archived=timedelta(hours=1)))
    _, cursor = poll(connector, "contacts")
    gone = vendor.delete()

    rows, _ = poll(connector, "contacts", cursor)
    connector.close()

    assert gone not in rows


def test_everything_is_listed_again_when_it_is_due(vendor):
    """An association that changed moved no stamp; the list finds it."""
    connector = vendor.connect(pace=Pace(relist=timedelta(0)))
    rows, cursor = poll(connector, "contacts")

    again, _ = poll(connector, "contacts", cursor)
    connector.close()

    assert {id_ for id_ in rows if not rows[id_][3]} <= again.keys()


def test_associations_that_the_list_cuts_short_are_read_whole(vendor, connector):
    """Every page of them is asked for."""
    vault = vendor.box.vault
    vendor.faults.options["association_page"] = 2
    deal = vault.execute("SELECT min(id) FROM hubspot WHERE object = 'deals'").fetchone()[0]
    contacts = [int(id_) for id_ in sorted(vendor.ids())[:7]]
    with vault.transaction():
        for contact in contacts:
            vault.associate("deals", deal, "contacts", contact, types=(3, 4))

    listed, _ = poll(connector, "deals")

    assert all(f'"{contact}"'.encode() in listed[str(deal)][2] for contact in contacts)


def test_missing_scopes_stop_the_system_and_are_named(vendor, connector):
    """The operator is told what the key lacks."""
    vendor.faults.options["missing_scopes"] = ["contacts"]

    with pytest.raises(SystemDown) as caught:
        poll(connector, "contacts")

    assert "crm.objects.contacts.read" in str(caught.value.hint)


def test_another_portal_is_neither_read_nor_written(vendor):
    """A token that was swapped is noticed before anything else happens."""
    connector = vendor.connect(portal_id=999)
    id_ = min(vendor.ids())

    with pytest.raises(SystemDown, match="not to 999"):
        list(connector.write("contacts", [change(id_, None, 61)]))
    with pytest.raises(SystemDown):
        poll(connector, "contacts")
    connector.close()

    assert vendor.writes() == 0


@pytest.mark.parametrize("errors_in_200", [False, True])
def test_one_refused_record_does_not_fail_the_others(vendor, connector, errors_in_200):
    """Partial failure is read from a 207 and from a 200 alike."""
    vendor.faults.options["errors_in_200"] = errors_in_200
    ids = sorted(vendor.ids())[:5]
    field = "canonical_stage_at"
    changes = [change(id_, None, "2026-11-21T10:00:00.000Z", field) for id_ in ids[:4]]
    changes.append(change(ids[4], None, "not an instant", field))

    settled = {one.change.ref.id: one for one in connector.write("contacts", changes)}

    assert [settled[id_].outcome for id_ in ids] == [Outcome.VERIFIED] * 4 + [Outcome.FAILED]
    assert settled[ids[4]].detail is not None


def test_a_property_that_does_not_exist_fails_by_name_and_sends_nothing(vendor, connector):
    """It is found by reading, before anything is sent."""
    (settled,) = connector.write("contacts", [change(min(vendor.ids()), None, "x", "no_such_property")])

    assert settled.outcome is Outcome.FAILED
    assert "no_such_property" in str(settled.detail)
    assert vendor.writes() == 0


def test_a_value_that_hubspot_accepts_and_drops_is_failed(vendor, connector):
    """Lifecyclestage moves forward only: going back answers 200 and changes nothing."""
    vault = vendor.box.vault
    id_ = min(vendor.ids())
    vault.patch_hubspot("contacts", int(id_), {"lifecyclestage": "customer"})
    vault.commit()

    (settled,) = connector.write("contacts", [change(id_, "customer", "lead", "lifecyclestage")])

    assert settled.outcome is Outcome.FAILED
    assert settled.remote == "customer"


def test_a_locked_record_is_waited_for(vendor):
    """423 was not carried out: it is sent again, after two seconds or more."""
    waits = []
    connector = vendor.connect(sleep=waits.append)
    id_ = min(vendor.ids())
    vendor.faults.script(method="POST", path="/batch/update", status=423, body='{"status":"error","message":"locked"}')

    (settled,) = connector.write("contacts", [change(id_, None, 61)])
    connector.close()

    assert settled.outcome is Outcome.VERIFIED
    assert max(waits) >= 2


def test_the_daily_quota_ends_calls_until_the_portals_midnight(vendor, connector):
    """It says until when, and the next poll asks nobody."""
    vendor.faults.limits = "real"
    vendor.faults.options["daily_limit"] = 1
    with pytest.raises(SystemDown, match="daily quota"):
        connector.read("contacts", ["5101"], ["email"])
    before = connector.calls

    with pytest.raises(SystemDown, match="daily quota"):
        poll(connector, "contacts")

    assert connector.calls == before


def test_owners_and_pipelines_are_read_whole(vendor):
    """Archived owners too: old records are theirs."""
    fields = {object_: vendors.fields("hubspot", object_) for object_ in ("owners", "pipelines")}
    connector = vendor.connect(fields=fields)

    owners, _ = poll(connector, "owners")
    pipelines, cursor = poll(connector, "pipelines")
    connector.close()

    assert {row[3] for row in owners.values()} == {True, False}
    assert "deals:default" in pipelines
    assert cursor.is_loaded


def test_a_merged_away_record_is_gone_under_its_old_id(vendor, connector):
    """Nothing is written to it, and the record that it lives on in is not mistaken for it."""
    vault = vendor.box.vault
    ids = sorted(vendor.ids())
    old, new = ids[0], ids[1]
    vault.archive_hubspot("contacts", int(old))
    vault.execute("INSERT INTO hubspot_alias VALUES ('contacts', ?, ?)", (int(old), int(new)))
    vault.commit()

    found = connector.read("contacts", [old], ["email"])
    (settled,) = connector.write("contacts", [change(old, None, 61)])

    assert found == {}
    assert settled.outcome is Outcome.SKIPPED
    assert vendor.writes() == 0


def test_a_field_that_is_newly_asked_for_is_read_of_every_record(vendor, connector):
    """A field that joins a write table is known before anything is planned for it."""
    _, cursor = poll(connector, "contacts")
    another = vendor.connect(fields={"contacts": (*vendors.fields("hubspot", "contacts"), "hs_persona")})

    rows, after = poll(another, "contacts", cursor)
    again, _ = poll(another, "contacts", after)
    another.close()

    assert vendor.ids() <= rows.keys()
    assert len(again) < len(rows) / 2


def test_a_window_that_was_left_halfway_is_finished_and_then_what_is_newer_is_read(vendor, connector):
    """Stopped between two batches, the next poll goes on above the last id, in the same window."""
    _, cursor = poll(connector, "companies")
    with vendor.box.vault.transaction():
        for number in range(1100):
            vendor.box.vault.put_hubspot("companies", 900_000 + number, {"name": f"Simulated {number}"})
    first = next(connector.poll("companies", cursor))
    with vendor.box.vault.transaction():
        vendor.box.vault.put_hubspot("companies", 800_000, {"name": "Late"})

    rest, after = poll(connector, "companies", first.cursor)

    seen = {row[0] for row in first.rows} | rest.keys()
    assert first.cursor.settled_at == cursor.settled_at
    assert first.cursor.position["last"] > 900_000
    assert {str(900_000 + number) for number in range(1100)} | {"800000"} <= seen
    assert "last" not in after.position
