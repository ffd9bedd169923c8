"""The Salesforce connector keeps the contract, against the sandbox over real HTTP."""

from __future__ import annotations

import json
import time
from contextlib import contextmanager
from dataclasses import replace
from threading import Thread

import pytest
import uvicorn

from connectors.base import Severity, Written
from connectors.registry import connector
from connectors.testing import ConnectorContract, planned
from mapping import vendors
from reconcile.changes import Outcome
from sandbox.faults import FaultMiddleware, Faults
from sandbox.ids import salesforce_id
from sandbox.salesforce.app import salesforce_app
from sandbox.server import Sandbox
from sandbox.vault import Vault

DAY_MS = 86_400_000
COUNT = 450
FIELDS = {"Lead": ["LastName", "Company", "Email", "Status"], "LeadHistory": ["LeadId", "Field"]}


@contextmanager
def served(app):
    """The app listens on a free port of this machine; yields its address."""
    server = uvicorn.Server(
        uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off", date_header=False)
    )
    thread = Thread(target=server.run)
    thread.start()
    try:
        while not server.started:
            time.sleep(0.005)
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


class Leads:
    """A simulated org with leads that came in over a day, pages of 200."""

    object = "Lead"
    written = Written(object="Lead", field="Canonical_Stage__c", role="stage", options=("mql", "sql"))
    values = ("mql", "sql")
    fresh = Written(object="Lead", field="Fresh_Stage__c", role="stage", options=("mql", "sql"))
    absent = "Unheard_Of__c"

    def __init__(self, vault, faults, url):
        self.vault = vault
        self.faults = faults
        self.url = url

    def connect(self, *, is_wrong=False, **more):
        """Open a connector, with or without the right secret."""
        known = self.faults.credentials
        auth = {
            "flow": "client_credentials",
            "client_id": known.salesforce_client_id,
            "client_secret": "wrong" if is_wrong else known.salesforce_client_secret,
        }
        settings = {
            "system": "crm",
            "login_url": self.url,
            "auth": auth,
            "fields": {**FIELDS, "Unheard_Of__c": ["Name"]},
            "written": [self.written],
            "sleep": lambda seconds: None,
        }
        return connector("salesforce")(**{**settings, **more})

    def ids(self):
        """Ids of live leads."""
        return {
            row[0] for row in self.vault.execute("SELECT id FROM salesforce WHERE object = 'Lead' AND is_deleted = 0")
        }

    def change(self):
        """Another company name."""
        id_ = max(self.ids())
        self._patch(id_, {"Company": "Another"})
        return id_

    def delete(self):
        """The last but one goes into the bin."""
        id_ = sorted(self.ids())[-2]
        self._patch(id_, {}, is_deleted=True)
        return id_

    def fail(self, breakage):
        """Break everything."""
        if breakage == "truncate":
            self.faults.salesforce.script(truncate=30, times=1000)
        else:
            self.faults.salesforce.down = breakage

    def mend(self):
        """All well again."""
        self.faults.salesforce.clear()
        self.faults.salesforce.options["page_size"] = 200

    def lure(self, address):
        """Name another address as the next page."""
        page = {"totalSize": 9, "done": False, "nextRecordsUrl": f"{address}services/data/v68.0/query/x", "records": []}
        self.faults.salesforce.script(path="/queryAll", status=200, body=json.dumps(page))
        return True

    def value(self, id_):
        """The present stage."""
        return self.vault.body("salesforce", "Lead", id_)[self.written.field]

    def put(self, id_, value):
        """Another stage."""
        self._patch(id_, {self.written.field: value})

    def lose_answer(self):
        """The next update is done without a word."""
        self.faults.salesforce.script(method="PATCH", path="/composite/sobjects", when="after", drop=True)

    def writes(self):
        """Updates so far."""
        return sum(count for (_, method, _), count in self.faults.counts().items() if method == "PATCH")

    def _patch(self, id_, fields, **more):
        with self.vault.transaction():
            self.vault.patch_salesforce("Lead", id_, fields, **more)
        now = self.vault.now_ms() + 60_000
        self.vault.clock = lambda: now


@contextmanager
def leads():
    """A fresh org."""
    vault = Vault()
    faults = Faults()
    faults.salesforce.options["page_size"] = 200
    now = time.time_ns() // 1_000_000 // 1000 * 1000
    try:
        with vault.transaction():
            for n in range(COUNT):
                fields = {"LastName": f"P{n}", "Company": "C", "Email": f"p{n}@example.jp", "Canonical_Stage__c": None}
                vault.put_salesforce("Lead", salesforce_id("Lead", n + 1), fields, at=now - 2 * DAY_MS + n // 3 * 1000)
        vault.index()
        vault.clock = lambda: now
        with served(FaultMiddleware(salesforce_app(vault, faults), faults, "salesforce")) as url:
            yield Leads(vault, faults, url)
    finally:
        vault.close()


class TestSalesforce(ConnectorContract):
    """Every test of the contract."""

    def vendor(self):
        """A fresh org for each test."""
        return leads()


@pytest.fixture
def org():
    """A fresh org, and no connector left open."""
    with leads() as fresh:
        yield fresh


def change(id_, before=None, after="mql"):
    """A change of a lead's stage."""
    return planned("Lead", id_, "Canonical_Stage__c", before, after, system="crm")


def test_jwt_bearer_logs_in(org):
    """A signed assertion instead of a secret."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    org.faults.credentials = replace(org.faults.credentials, salesforce_public_key=public.decode())
    known = org.faults.credentials
    auth = {
        "flow": "jwt_bearer",
        "client_id": known.salesforce_client_id,
        "username": known.salesforce_username,
        "private_key": lambda: private,
    }
    opened = org.connect(auth=auth)

    rows = [row for batch in opened.poll("Lead", None) for row in batch.rows]
    opened.close()

    assert len(rows) == COUNT


def test_token_that_dies_every_few_calls_costs_logins_and_nothing_else(org):
    """Each page may need another login."""
    org.faults.salesforce.options["token_calls"] = 2
    opened = org.connect()

    rows = [row for batch in opened.poll("Lead", None) for row in batch.rows]
    settled = list(opened.write("Lead", [change(id_) for id_ in sorted(org.ids())[:5]]))
    opened.close()

    assert len(rows) == COUNT
    assert {each.outcome for each in settled} == {Outcome.VERIFIED}


def test_record_that_cannot_be_written_fails_alone(org):
    """Its neighbours are written, locks are waited for."""
    one, two, three = sorted(org.ids())[:3]
    org.faults.salesforce.options["row_errors"] = {one: ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Not on Fridays")}
    org.faults.salesforce.options["locked_rows"] = {two: 2}
    opened = org.connect()

    settled = {each.change.ref.id: each for each in opened.write("Lead", [change(id_) for id_ in (one, two, three)])}
    opened.close()

    assert settled[one].outcome is Outcome.FAILED
    assert "Not on Fridays" in str(settled[one].detail)
    assert settled[two].outcome is settled[three].outcome is Outcome.VERIFIED


def test_flow_of_the_org_that_puts_the_value_back_is_found_out(org):
    """Accepted is not kept."""
    org.faults.salesforce.options["flow"] = {"Lead": {"Canonical_Stage__c": "theirs"}}
    opened = org.connect()

    (settled,) = opened.write("Lead", [change(min(org.ids()))])
    opened.close()

    assert settled.outcome is Outcome.FAILED
    assert settled.remote == "theirs"


def test_rules_of_the_org_are_left_alone_by_our_writes(org):
    """Neither assignment nor duplicate rules act on a stage."""
    org.faults.salesforce.options["duplicate_rule"] = True
    id_ = min(org.ids())
    owner = org.vault.body("salesforce", "Lead", id_).get("OwnerId")
    opened = org.connect()

    (settled,) = opened.write("Lead", [change(id_)])
    opened.close()

    assert settled.outcome is Outcome.VERIFIED
    assert org.vault.body("salesforce", "Lead", id_).get("OwnerId") == owner


def test_query_too_large_for_the_org_is_cut_into_slices(org):
    """All records come although no query may find more than 120."""
    org.faults.salesforce.options["query_timeout_rows"] = 120
    opened = org.connect()

    batches = list(opened.poll("Lead", None))
    opened.close()

    assert {row[0] for batch in batches for row in batch.rows} == org.ids()
    assert batches[-1].cursor.is_loaded


def test_locators_that_die_cost_queries_and_nothing_else(org):
    """Every page is asked for anew, from the last record that came."""
    org.faults.salesforce.options["lost_locators"] = True
    opened = org.connect()

    rows = [row[0] for batch in opened.poll("Lead", None) for row in batch.rows]
    opened.close()

    assert sorted(rows) == sorted(org.ids())


def test_hidden_and_locked_fields_are_found(org):
    """What the integration user may not see or write is named."""
    org.faults.salesforce.options["hidden_fields"] = {"Lead.Email"}
    org.faults.salesforce.options["readonly_fields"] = {"Lead.Canonical_Stage__c"}
    opened = org.connect()

    findings = {each.check: each for each in opened.diagnose([org.written])}
    row = next(row for batch in opened.poll("Lead", None) for row in batch.rows)
    opened.close()

    assert findings["read Lead"].severity is Severity.WARNING
    assert "Email" in str(findings["read Lead"].message)
    assert findings["write Lead.Canonical_Stage__c"].severity is Severity.ERROR
    assert "Email" not in json.loads(row[2])


def test_other_org_is_refused_by_poll_write_and_doctor_alike(org):
    """Nothing but the login is asked."""
    opened = org.connect(organization_id="00D000000000009EAA")
    org.faults.forget()

    findings = list(opened.diagnose([org.written]))
    opened.close()

    assert [each.severity for each in findings] == [Severity.ERROR]
    assert all(path.endswith("/token") for _, _, path in org.faults.counts())


@pytest.fixture(scope="module")
def box():
    """A whole simulated company."""
    with Sandbox(size="tiny") as running:
        yield running


def test_every_object_of_a_company_is_read_whole(box):
    """Twelve objects, each record once, with every field that the mapping asks for."""
    known = box.credentials
    objects = vendors.objects("salesforce")
    opened = connector("salesforce")(
        system="salesforce",
        login_url=box.urls["salesforce"],
        auth={
            "flow": "client_credentials",
            "client_id": known.salesforce_client_id,
            "client_secret": known.salesforce_client_secret,
        },
        fields={object_: vendors.fields("salesforce", object_) for object_ in objects},
    )
    box.faults.forget()

    rows = {object_: [row for batch in opened.poll(object_, None) for row in batch.rows] for object_ in objects}
    opened.close()

    for object_ in objects:
        ids = {row[0] for row in box.vault.execute("SELECT id FROM salesforce WHERE object = ?", (object_,))}
        # What was stamped in the second that is just running is for the next poll.
        assert len(ids) * 0.9 <= len(rows[object_]) <= len(ids)
        assert {row[0] for row in rows[object_]} <= ids
        assert set(vendors.fields("salesforce", object_)) <= set(json.loads(rows[object_][0][2]))
    assert opened.calls == sum(box.faults.counts().values()) - 1


def test_poll_costs_the_clock_the_shape_and_the_pages(org):
    """No call more: the first poll of an object asks for its shape as well."""
    opened = org.connect()
    cursor = list(opened.poll("Lead", None))[-1].cursor
    before = opened.calls_by

    list(opened.poll("Lead", cursor))
    after = opened.calls_by
    opened.close()

    assert before["GET /sobjects/{type}/describe"] == after["GET /sobjects/{type}/describe"] == 1
    assert before["GET /queryAll"] == 1
    assert before["GET /queryAll/{locator}"] == 2
    assert sum(after.values()) - sum(before.values()) == 2
