"""Queries, pages and lags of the simulated Salesforce."""

from __future__ import annotations

import time

import pytest

from sandbox.ids import salesforce_id

V = "/services/data/v68.0"


def lead(number):
    """The id of the lead of that number."""
    return salesforce_id("Lead", number)


@pytest.fixture
def wire(salesforce_wire):
    """The simulated org."""
    return salesforce_wire


def test_pages_cover_a_result_exactly_once(wire):
    """The locator has 18 characters and the offset; totalSize stays; the last page has no further address."""
    wire.add_leads(5_000)

    pages = [wire.query("SELECT Id, LastName FROM Lead ORDER BY SystemModstamp, Id")]
    while not pages[-1]["done"]:
        pages.append(wire.send("GET", pages[-1]["nextRecordsUrl"]).json())

    assert [len(page["records"]) for page in pages] == [2_000, 2_000, 1_000]
    assert {page["totalSize"] for page in pages} == {5_000}
    locator, offset = pages[0]["nextRecordsUrl"].removeprefix(f"{V}/query/").split("-")
    assert (len(locator), locator[:3], offset) == (18, "0r8", "2000")
    assert "nextRecordsUrl" not in pages[-1]
    ids = [record["Id"] for page in pages for record in page["records"]]
    assert ids == [lead(number) for number in range(1, 5_001)]
    assert pages[0]["records"][0] == {
        "attributes": {"type": "Lead", "url": f"{V}/sobjects/Lead/{lead(1)}"},
        "Id": lead(1),
        "LastName": "Number 1",
    }


def test_a_page_is_as_small_as_asked_but_not_under_two_hundred(wire):
    """Sforce-Query-Options is a wish; a fault may give less than was asked for."""
    wire.add_leads(700)
    soql = "SELECT Id FROM Lead"

    def size(batch):
        return len(wire.query(soql, headers={"Sforce-Query-Options": f"batchSize={batch}"})["records"])

    assert [size(250), size(50), size(9_999)] == [250, 200, 700]
    wire.faults.salesforce.options["page_size"] = 10
    assert size(250) == 10


def test_a_lost_locator_is_a_code_of_its_own(wire):
    """After two days, when never given, or by fault."""
    wire.add_leads(300)
    page = wire.query("SELECT Id FROM Lead", headers={"Sforce-Query-Options": "batchSize=200"})

    def code(url):
        answer = wire.send("GET", url)
        return (answer.status_code, answer.json()[0]["errorCode"] if answer.status_code != 200 else None)

    assert code(page["nextRecordsUrl"]) == (200, None)
    assert code(page["nextRecordsUrl"].replace("-200", "-201")) == (400, "INVALID_QUERY_LOCATOR")
    assert code(f"{V}/query/nonsense") == (400, "INVALID_QUERY_LOCATOR")
    wire.faults.salesforce.options["lost_locators"] = True
    assert code(page["nextRecordsUrl"]) == (400, "INVALID_QUERY_LOCATOR")
    wire.faults.salesforce.options["lost_locators"] = False
    wire.now += 3 * 86_400_000
    wire.faults.salesforce.token_life_s = 1e9
    assert code(page["nextRecordsUrl"]) == (400, "INVALID_QUERY_LOCATOR")


def test_a_page_of_two_thousand_wide_rows_is_quick(wire):
    """The simulator must not be what a test waits for: the fastest of several, with a wide margin."""
    wire.add_leads(2_000)
    names = [field["name"] for field in wire.send("GET", f"{V}/sobjects/Lead/describe").json()["fields"]]
    soql = f"SELECT {', '.join(names[:30])} FROM Lead ORDER BY SystemModstamp, Id"

    spent = []
    for _ in range(5):
        started = time.process_time()
        wire.query(soql, deleted=True)
        spent.append(time.process_time() - started)

    assert min(spent) < 0.15


def test_deleted_records_are_shown_by_query_all_alone(wire):
    """Deleting moves the stamp, so a window on it sees the deletion."""
    wire.now += 5_000
    answer = wire.send("DELETE", f"{V}/sobjects/Lead/{lead(2)}")

    kept = wire.query("SELECT Id FROM Lead")
    seen = wire.query("SELECT Id, IsDeleted, SystemModstamp FROM Lead WHERE IsDeleted = true", deleted=True)
    read = wire.send("GET", f"{V}/sobjects/Lead/{lead(2)}")

    assert answer.status_code == 204
    assert lead(2) not in [record["Id"] for record in kept["records"]]
    assert [(r["Id"], r["SystemModstamp"]) for r in seen["records"]] == [(lead(2), "2026-11-21T10:00:05.000+0000")]
    assert read.status_code == 404
    assert read.json() == [{"message": "entity is deleted", "errorCode": "ENTITY_IS_DELETED", "fields": []}]


def test_counts_and_aggregates_have_their_own_shapes(wire):
    """COUNT() answers with a number alone, the others with one AggregateResult."""
    assert wire.query("SELECT COUNT() FROM Lead") == {"totalSize": 5, "done": True, "records": []}
    assert wire.query("SELECT COUNT(Id) n, MAX(SystemModstamp) FROM Lead")["records"] == [
        {"attributes": {"type": "AggregateResult"}, "n": 5, "expr1": "2026-11-20T10:00:05.000+0000"}
    ]


@pytest.mark.parametrize(
    ("soql", "code"),
    [
        ("SELECT Id FRM Lead", "MALFORMED_QUERY"),
        ("SELECT Nope FROM Lead", "INVALID_FIELD"),
        ("SELECT Id FROM Nope__c", "INVALID_TYPE"),
        ("SELECT Id FROM CustomField", "INVALID_TYPE"),
        ("SELECT IsDeleted FROM User", "INVALID_FIELD"),
        ("SELECT SystemModstamp FROM LeadHistory", "INVALID_FIELD"),
        ("SELECT Id FROM Lead OFFSET 2001", "NUMBER_OUTSIDE_VALID_RANGE"),
    ],
)
def test_a_bad_query_is_a_list_of_one_error(wire, soql, code):
    """HTTP 400, message before errorCode, no fields."""
    answer = wire.send("GET", f"{V}/query", params={"q": soql})

    assert answer.status_code == 400
    assert [list(error) for error in answer.json()] == [["message", "errorCode"]]
    assert answer.json()[0]["errorCode"] == code


def test_a_long_query_may_be_posted(wire):
    """The statement goes in the body when the address is too short for it."""
    posted = wire.send("POST", f"{V}/queryAll", json={"q": "SELECT COUNT() FROM Lead"})

    assert posted.json()["totalSize"] == 5


def test_a_row_is_seen_only_after_its_lag(wire):
    """Stamped now, visible later: what a look-back is for. A query without a window sees it at once."""
    wire.faults.salesforce.lag_ms = 30_000
    wire.patch_rows([{"id": lead(1), "Canonical_Stage__c": "mql"}])
    soql = "SELECT Id FROM Lead WHERE SystemModstamp >= 2026-11-21T10:00:00Z"

    early = wire.query(soql)["totalSize"]
    plain = wire.query("SELECT Id FROM Lead WHERE Canonical_Stage__c = 'mql'")["totalSize"]
    wire.now += 30_000
    late = wire.query(soql)["totalSize"]

    assert (early, plain, late) == (0, 1, 1)


def test_a_query_over_too_much_times_out(wire):
    """By fault, above so many rows."""
    wire.faults.salesforce.options["query_timeout_rows"] = 4

    refused = wire.send("GET", f"{V}/query", params={"q": "SELECT Id FROM Lead"})

    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "QUERY_TIMEOUT")
    assert wire.query("SELECT Id FROM Lead LIMIT 4")["totalSize"] == 4


def test_a_formula_is_worked_out_when_read(wire):
    """Its value moves, the record's stamps do not."""
    soql = f"SELECT Days_Since_Created__c, SystemModstamp FROM Lead WHERE Id = '{lead(1)}'"

    before = wire.query(soql)["records"][0]
    wire.now += 7 * 86_400_000
    wire.faults.salesforce.token_life_s = 1e9
    after = wire.query(soql)["records"][0]

    assert (before["Days_Since_Created__c"], after["Days_Since_Created__c"]) == (0.0, 7.0)
    assert before["SystemModstamp"] == after["SystemModstamp"]
