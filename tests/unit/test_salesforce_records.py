"""The Salesforce connector against leads in memory: what the sandbox is too well-behaved to show."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
import pytest

from connectors.base import Connector, Written
from connectors.salesforce import connect
from connectors.testing import planned
from mapping.errors import SystemDown
from reconcile.changes import Outcome

HOME = "https://acme.my.salesforce.com"
ORG_ID = "00D000000000001EAA"
NOW = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
FIELDS = ["Id", "Email", "Canonical_Stage__c", "Canonical_Score__c", "SystemModstamp", "IsDeleted"]
WRITTEN = [
    Written(object="Lead", field="Canonical_Stage__c", role="stage", options=("mql", "sql")),
    Written(object="Lead", field="Canonical_Score__c", role="score"),
]
TYPES = {"Id": "id", "Email": "email", "Canonical_Score__c": "double", "SystemModstamp": "datetime"}


def stamp(instant):
    """An instant as the org writes it."""
    return instant.strftime("%Y-%m-%dT%H:%M:%S.000+0000")


def error(status, code, message="no"):
    """A refused request."""
    return httpx.Response(status, json=[{"errorCode": code, "message": message}])


class Org:
    """Leads in memory behind the wire format of the data API; `faults` answer first, by the method and path."""

    def __init__(self, count=0, page_size=3):
        self.now = NOW
        self.page_size = page_size
        self.fields = list(FIELDS)
        self.leads = {}
        self.requests = []
        self.faults = []
        self.cursors = {}
        self.tokens = 0
        self.instance = HOME
        self.logins = []
        for n in range(count):
            self.add(n, NOW - timedelta(days=30) + timedelta(seconds=n // 4))

    def add(self, n, at, **values):
        """Put a lead in."""
        id_ = f"00Q{n:015d}"
        self.leads[id_] = {
            "Id": id_,
            "Email": f"p{n}@example.jp",
            "Canonical_Stage__c": None,
            "Canonical_Score__c": None,
            "SystemModstamp": stamp(at),
            "IsDeleted": False,
            **values,
        }
        return id_

    def __call__(self, request):
        """Answer one request."""
        response = self.token(request) if request.url.path.endswith("/token") else self.answer(request)
        response.headers["Date"] = format_datetime(self.now, usegmt=True)
        return response

    def answer(self, request):
        """Route a request."""
        path = request.url.path
        self.requests.append(request)
        for fault in self.faults:
            method, pattern, response = fault
            if method == request.method and re.search(pattern, str(request.url)):
                self.faults.remove(fault)
                return response() if callable(response) else response
        assert request.headers["authorization"] == f"Bearer token{self.tokens}"
        if path == "/services/data/":
            return httpx.Response(200, json=[{"version": "67.0"}, {"version": "68.0"}])
        assert request.headers["sforce-call-options"] == "client=headrace"
        return self.data(request, path.removeprefix("/services/data/v68.0"))

    def data(self, request, route):
        """Route a request of the data API."""
        response = error(404, "NOT_FOUND")
        if route == "/sobjects/Lead/describe":
            response = self.describe()
        elif route == "/queryAll":
            response = self.query(request.url.params["q"])
        elif route.startswith("/query/"):
            response = self.page(route.removeprefix("/query/"))
        elif route == "/composite/sobjects/Lead":
            asked = json.loads(request.content)
            response = httpx.Response(200, json=[self.retrieve(id_, asked["fields"]) for id_ in asked["ids"]])
        elif route == "/composite/sobjects":
            response = httpx.Response(200, json=[self.update(row) for row in json.loads(request.content)["records"]])
        return response

    def token(self, request):
        """Hand out the next token; only the newest is good."""
        self.logins.append(dict(httpx.QueryParams(request.content.decode())))
        self.tokens += 1
        return httpx.Response(
            200,
            json={
                "access_token": f"token{self.tokens}",
                "instance_url": self.instance,
                "id": f"https://login.salesforce.com/id/{ORG_ID}/005000000000001AAA",
            },
        )

    def describe(self):
        """The fields that the org shows."""
        fields = [{"name": name, "type": TYPES.get(name, "string"), "updateable": True} for name in self.fields]
        return httpx.Response(200, json={"name": "Lead", "queryable": True, "fields": fields})

    def query(self, soql):
        """Run the one form of query that the connector sends."""
        fields = re.match(r"SELECT (.*) FROM Lead", soql)[1].split(", ")
        low = re.search(r"SystemModstamp >=? ([0-9TZ:.-]+)", soql)
        high = re.search(r"SystemModstamp < ([0-9TZ:.-]+)", soql)[1]
        after = re.search(r"Id > '(\w+)'", soql)

        def key(text):
            return datetime.fromisoformat(text)

        rows = []
        for lead in sorted(self.leads.values(), key=lambda lead: (lead["SystemModstamp"], lead["Id"])):
            at = key(lead["SystemModstamp"])
            if at >= key(high) or (low and at < key(low[1])):
                continue
            if after and at == key(low[1]) and lead["Id"] <= after[1]:
                continue
            attributes = {"type": "Lead", "url": f"/services/data/v68.0/sobjects/Lead/{lead['Id']}"}
            rows.append({"attributes": attributes, **{name: lead[name] for name in fields}})
        locator = f"0r8{len(self.cursors):015d}"
        self.cursors[locator] = rows
        return self.page(f"{locator}-0")

    def page(self, locator):
        """One page of a query."""
        name, _, start = locator.partition("-")
        rows = self.cursors[name]
        end = int(start) + self.page_size
        body = {"totalSize": len(rows), "done": end >= len(rows), "records": rows[int(start) : end]}
        if end < len(rows):
            body["nextRecordsUrl"] = f"/services/data/v68.0/query/{name}-{end}"
        return httpx.Response(200, content=json.dumps(body, separators=(",", ":")).encode())

    def retrieve(self, id_, fields):
        """One record as it is, None where it is gone."""
        lead = self.leads.get(id_)
        return None if lead is None or lead["IsDeleted"] else {name: lead[name] for name in fields}

    def update(self, row):
        """Take over one row."""
        lead = self.leads[row.pop("id")]
        row.pop("attributes")
        lead.update(row)
        lead["SystemModstamp"] = stamp(self.now)
        return {"id": lead["Id"], "success": True, "errors": []}

    def sent(self, method, pattern):
        """The requests so far of a method and an address."""
        return [each for each in self.requests if each.method == method and re.search(pattern, str(each.url))]


@pytest.fixture
def open_connector():
    """Make connectors of an org, and close them afterwards."""
    opened = []

    def make(org, **more):
        settings = {
            "system": "crm",
            "login_url": HOME,
            "auth": {"flow": "client_credentials", "client_id": "key", "client_secret": lambda: "s3cret"},
            "fields": {"Lead": ["Email", "Missing__c"], "LeadHistory": ["Field"]},
            "written": WRITTEN,
            "organization_id": ORG_ID,
            "sleep": lambda seconds: None,
            "wire": httpx.MockTransport(org),
        }
        connector = connect(**{**settings, **more})
        opened.append(connector)
        return connector

    yield make
    for connector in opened:
        connector.close()


def change(n, before=None, after="mql", field="Canonical_Stage__c"):
    """A change of one lead."""
    return planned("Lead", f"00Q{n:015d}", field, before, after, system="crm")


def outcomes(connector, *changes):
    """What became of each change."""
    return {(s.change.ref.id[-1], s.change.field): s.outcome for s in connector.write("Lead", changes)}


def test_connector_keeps_the_protocol(open_connector):
    """It is a `Connector`, and asks nobody anything before it is used."""
    org = Org()
    connector = open_connector(org)

    assert isinstance(connector, Connector)
    assert connector.objects == ("Lead", "LeadHistory")
    assert connector.calls == 0
    assert org.logins == []


def test_full_poll_yields_every_record_once_without_attributes(open_connector):
    """Payloads are flat, have the asked fields that exist, and end in a settled cursor."""
    org = Org(10)
    batches = list(open_connector(org).poll("Lead", None))

    rows = [row for batch in batches for row in batch.rows]
    assert [row[0] for row in rows] == sorted(org.leads)
    assert json.loads(rows[0][2]) == {name: org.leads[rows[0][0]][name] for name in FIELDS}
    assert rows[0][1] == org.leads[rows[0][0]]["SystemModstamp"]
    assert batches[-1].cursor.settled_at == NOW
    assert all(not batch.cursor.is_loaded for batch in batches[:-1])


def test_second_poll_reads_the_look_back_only(open_connector):
    """From a settled cursor, records older than ten minutes are left alone; younger ones come again."""
    org = Org(10)
    connector = open_connector(org)
    cursor = list(connector.poll("Lead", None))[-1].cursor
    late = org.add(99, NOW - timedelta(minutes=5))
    org.now += timedelta(minutes=5)

    batches = list(connector.poll("Lead", cursor))

    assert [row[0] for batch in batches for row in batch.rows] == [late]
    assert batches[-1].cursor.settled_at == org.now


def test_window_ends_at_the_vendors_clock(open_connector):
    """A record of the running second waits for the next poll, whatever this machine's clock says."""
    org = Org()
    org.add(1, NOW)
    connector = open_connector(org)

    first = list(connector.poll("Lead", None))
    org.now += timedelta(seconds=1)
    second = list(connector.poll("Lead", first[-1].cursor))

    assert [len(batch.rows) for batch in first] == [0]
    assert [len(batch.rows) for batch in second] == [1]


def test_dead_locator_resumes_from_the_last_record(open_connector):
    """A query cursor that the org dropped costs one more query and no record."""
    org = Org(10)
    org.faults = [("GET", r"/query/.*-6$", error(400, "INVALID_QUERY_LOCATOR"))]

    rows = [row[0] for batch in open_connector(org).poll("Lead", None) for row in batch.rows]

    assert rows == sorted(org.leads)
    assert len(org.sent("GET", "/queryAll")) == 2


def test_query_that_takes_too_long_is_cut_into_slices(open_connector):
    """After two time-outs the window is read in quarters, and nothing is missed or settled early."""
    org = Org()
    for n in range(20):
        org.add(n, NOW - timedelta(days=400 * n + 1))
    org.faults = [("GET", "/queryAll", error(400, "QUERY_TIMEOUT"))] * 2

    batches = list(open_connector(org).poll("Lead", None))

    assert {row[0] for batch in batches for row in batch.rows} == set(org.leads)
    assert [batch.cursor.is_loaded for batch in batches] == [False] * (len(batches) - 1) + [True]
    assert len(org.sent("GET", "/queryAll")) > 3


def test_field_that_vanished_is_left_out_from_then_on(open_connector):
    """The org is asked again what it shows; a hidden field is unknown, not empty."""
    org = Org(1)
    connector = open_connector(org)
    cursor = list(connector.poll("Lead", None))[-1].cursor
    org.fields.remove("Email")
    org.add(2, NOW)
    org.now += timedelta(seconds=5)
    org.faults = [("GET", "/queryAll", error(400, "INVALID_FIELD", "No such column 'Email'"))]

    rows = [row for batch in connector.poll("Lead", cursor) for row in batch.rows]

    assert "Email" not in json.loads(rows[0][2])


def test_pages_with_fewer_records_than_counted_are_read_again(open_connector):
    """Records that a page dropped without a word are no deletions; the cursor goes back to before them."""
    org = Org(10)
    connector = open_connector(org)
    drop = {"totalSize": 10, "done": True, "records": []}
    org.faults = [("GET", r"/query/.*-3$", httpx.Response(200, json=drop))]

    batches = []
    stream = connector.poll("Lead", None)
    with pytest.raises(SystemDown):
        batches.extend(iter(lambda: next(stream), None))
    rest = [row[0] for batch in connector.poll("Lead", batches[-1].cursor) for row in batch.rows]

    assert set(rest) == set(org.leads)


@pytest.mark.parametrize(
    "link", ["https://evil.example/services/data/v68.0/query/x", "//evil.example/x", "http://acme.my.salesforce.com/x"]
)
def test_paging_link_to_another_host_is_refused(open_connector, link):
    """The token stays at home."""
    org = Org(1)
    page = {"totalSize": 2, "done": False, "records": [], "nextRecordsUrl": link}
    org.faults = [("GET", "/queryAll", httpx.Response(200, json=page))]

    with pytest.raises(SystemDown):
        list(open_connector(org).poll("Lead", None))

    assert {request.url.host for request in org.requests} == {"acme.my.salesforce.com"}


def test_connector_closed_while_it_logs_in_asks_nothing_more(open_connector):
    """The transport that is made after the close is closed as well."""
    org = Org(2)
    connector = open_connector(org)
    token = org.token

    def close(request):
        connector.close()
        return token(request)

    org.token = close
    with pytest.raises(SystemDown):
        list(connector.poll("Lead", None))

    assert org.requests == []


def test_expired_session_is_replaced_and_the_write_keeps_its_headers(open_connector):
    """The assignment rules stay off when the request is sent again."""
    org = Org(1)
    connector = open_connector(org)
    org.faults = [("PATCH", "", error(401, "INVALID_SESSION_ID", "Session expired or invalid"))]

    found = outcomes(connector, change(0))

    first, second = org.sent("PATCH", "/composite/sobjects$")
    assert found == {("0", "Canonical_Stage__c"): Outcome.VERIFIED}
    assert org.tokens == 2
    for name in ("sforce-auto-assign", "sforce-duplicate-rule-header", "sforce-call-options"):
        assert first.headers[name] == second.headers[name]
    assert second.headers["sforce-auto-assign"] == "FALSE"
    assert second.headers["sforce-duplicate-rule-header"] == "allowSave=true"


def test_session_that_no_login_mends_is_not_logged_in_again(open_connector):
    """Known words for it end at once."""
    org = Org(1)
    connector = open_connector(org)
    org.faults = [
        ("GET", "/describe", error(401, "INVALID_SESSION_ID", "This session is not valid for use with the REST API"))
    ]

    with pytest.raises(SystemDown):
        list(connector.poll("Lead", None))

    assert org.tokens == 1


def test_used_up_day_is_system_down_and_crowding_is_waited_for(open_connector):
    """One code, two meanings."""
    org = Org(1)
    connector = open_connector(org)
    org.faults = [
        ("GET", "/describe", error(403, "REQUEST_LIMIT_EXCEEDED", "ConcurrentRequests (Concurrent API Requests) Limit"))
    ]
    assert len(list(connector.poll("Lead", None))) == 1
    org.faults = [("GET", "/queryAll", error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."))]

    with pytest.raises(SystemDown, match="used up"):
        list(connector.poll("Lead", None))


def test_all_fields_of_a_record_travel_in_one_row(open_connector):
    """And the same field twice in the order given, in two requests."""
    org = Org(2)
    changes = [
        change(0),
        change(0, after=61, field="Canonical_Score__c"),
        change(1),
        change(1, before="mql", after="sql"),
    ]

    settled = list(open_connector(org).write("Lead", changes))

    assert [each.outcome for each in settled] == [Outcome.VERIFIED] * 4
    first, second = (json.loads(each.content) for each in org.sent("PATCH", "/composite/sobjects$"))
    assert first["allOrNone"] is False
    assert [len(row) for row in first["records"]] == [4, 3]
    assert [row["Canonical_Stage__c"] for row in second["records"]] == ["sql"]


def test_refused_row_fails_alone_with_the_vendors_words_without_addresses(open_connector):
    """The others of the batch are written; the words carry no mail address."""
    org = Org(2)
    keep = org.update

    def update(row):
        if row["id"].endswith("0"):
            words = "Ask hanako@example.jp first"
            return {"success": False, "errors": [{"statusCode": "FIELD_CUSTOM_VALIDATION_EXCEPTION", "message": words}]}
        return keep(row)

    org.update = update
    settled = {s.change.ref.id[-1]: s for s in open_connector(org).write("Lead", [change(0), change(1)])}

    assert settled["0"].outcome is Outcome.FAILED
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in str(settled["0"].detail)
    assert "hanako" not in str(settled["0"].detail)
    assert settled["1"].outcome is Outcome.VERIFIED


def test_one_unreadable_value_does_not_fail_the_others(open_connector):
    """A request that is refused as a whole is halved until the row that spoils it stands alone."""
    org = Org(5)
    data = org.data

    def refuse(request, route):
        if route == "/composite/sobjects" and b"wrong" in request.content:
            return error(400, "JSON_PARSER_ERROR", "Cannot deserialize instance of double")
        return data(request, route)

    org.data = refuse
    changes = [change(n, after="wrong" if n == 3 else "mql") for n in range(5)]
    settled = {s.change.ref.id[-1]: s for s in open_connector(org).write("Lead", changes)}

    assert {n for n, each in settled.items() if each.outcome is Outcome.VERIFIED} == set("0124")
    assert settled["3"].outcome is Outcome.FAILED
    assert "JSON_PARSER_ERROR" in str(settled["3"].detail)


def test_refusal_of_the_writer_fails_no_record(open_connector):
    """What concerns the user or the org is the system's trouble: no change is set aside for it."""
    org = Org(2)
    org.faults = [("PATCH", "/composite/sobjects$", error(403, "API_DISABLED_FOR_ORG"))]

    with pytest.raises(SystemDown, match="API_DISABLED_FOR_ORG") as caught:
        list(open_connector(org).write("Lead", [change(0), change(1)]))

    assert caught.value.hint is not None


def test_locked_row_is_sent_again_alone(open_connector):
    """Only the row that found its record locked goes again."""
    org = Org(2)
    keep = org.update
    locks = iter([True, True])

    def update(row):
        if row["id"].endswith("0") and next(locks, False):
            return {"success": False, "errors": [{"statusCode": "UNABLE_TO_LOCK_ROW", "message": "busy"}]}
        return keep(row)

    org.update = update
    found = outcomes(open_connector(org), change(0), change(1))

    assert set(found.values()) == {Outcome.VERIFIED}
    assert [len(json.loads(each.content)["records"]) for each in org.sent("PATCH", "")] == [2, 1, 1]


def test_more_than_two_hundred_records_travel_in_several_requests(open_connector):
    """The most rows of one request."""
    org = Org(450)
    found = outcomes(open_connector(org), *(change(n) for n in range(450)))

    assert set(found.values()) == {Outcome.VERIFIED}
    assert [len(json.loads(each.content)["records"]) for each in org.sent("PATCH", "")] == [200, 200, 50]


@pytest.mark.parametrize(
    "instance", ["https://evil.example", "http://acme.my.salesforce.com", "https://salesforce.com.evil.example"]
)
def test_address_named_by_the_login_must_be_salesforces(open_connector, instance):
    """The token is not taken elsewhere."""
    org = Org(1)
    org.instance = instance

    with pytest.raises(SystemDown):
        list(open_connector(org).poll("Lead", None))

    assert org.requests == []


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("Canonical_Stage__c", " mql ", "mql"),
        ("Canonical_Stage__c", "", None),
        ("Canonical_Stage__c", "61", "61"),
        ("Canonical_Score__c", "61", 61),
        ("Canonical_Score__c", 61.0, 61),
        ("Canonical_Score__c", 61, 61),
        ("At__c", "2026-11-21T10:00:00.123Z", "2026-11-21T10:00:00.000+0000"),
        ("At__c", "2026-11-21T19:00:00+09:00", "2026-11-21T10:00:00.000+0000"),
        ("At__c", "2026-11-21T10:00:00.000+0000", "2026-11-21T10:00:00.000+0000"),
        ("On__c", "2026-11-21", "2026-11-21"),
        ("Is__c", True, True),
        ("Is__c", None, None),
    ],
)
def test_adjusted_value_is_what_the_org_would_report(open_connector, field, value, expected):
    """And adjusting it again changes nothing."""
    connector = open_connector(Org())

    once = connector.adjust("Lead", field, value)

    assert once == expected
    assert type(once) is type(expected)
    assert connector.adjust("Lead", field, once) == once
