"""Writes to the simulated Salesforce, one by one, in collections and composites."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import format_datetime

import pytest

from sandbox.ids import salesforce_id
from sandbox.salesforce import ASSIGNMENT_OWNER_ID, RUN_AS_USER_ID

V = "/services/data/v68.0"
OWNER = salesforce_id("User", 7)
QUIET = {"Sforce-Auto-Assign": "FALSE"}
CHECK_SECURITY = (
    "Please check the security settings of this field and verify that it is read/write for your profile or permission "
    "set."
)


def lead(number):
    """The id of the lead of that number."""
    return salesforce_id("Lead", number)


@pytest.fixture
def wire(salesforce_wire):
    """The simulated org."""
    return salesforce_wire


def test_an_update_moves_both_stamps_in_whole_seconds(wire):
    """And answers with nothing."""
    wire.now += 12_345
    answer = wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", json={"FirstName": "Grace"}, headers=QUIET)

    record = wire.send(
        "GET",
        f"{V}/sobjects/lead/{lead(1)[:15]}",
        params={"fields": "Name,OwnerId,LastModifiedDate,SystemModstamp,LastModifiedById,CreatedDate"},
    ).json()

    assert (answer.status_code, answer.content) == (204, b"")
    assert record == {
        "attributes": {"type": "Lead", "url": f"{V}/sobjects/Lead/{lead(1)}"},
        "Name": "Grace Number 1",
        "OwnerId": OWNER,
        "LastModifiedDate": "2026-11-21T10:00:12.000+0000",
        "SystemModstamp": "2026-11-21T10:00:12.000+0000",
        "LastModifiedById": RUN_AS_USER_ID,
        "CreatedDate": "2026-11-20T10:00:01.000+0000",
    }


def test_a_forgotten_header_lets_the_assignment_rule_take_the_lead(wire):
    """On single writes and on collections alike; with the header the owner stays."""
    wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", json={"Canonical_Score__c": 1})
    wire.patch_rows([{"id": lead(2), "Canonical_Score__c": 1}], headers={})
    wire.patch_rows([{"id": lead(3), "Canonical_Score__c": 1}])

    owners = {r["Id"]: r["OwnerId"] for r in wire.query("SELECT Id, OwnerId FROM Lead")["records"]}

    assert [owners[lead(n)] for n in (1, 2, 3)] == [ASSIGNMENT_OWNER_ID, ASSIGNMENT_OWNER_ID, OWNER]


def test_a_record_modified_since_is_not_overwritten(wire):
    """If-Unmodified-Since compares whole seconds; equal is unmodified."""
    url = f"{V}/sobjects/Lead/{lead(1)}"
    stamp = datetime(2026, 11, 20, 10, 0, 1, tzinfo=UTC)

    def write(at):
        guard = {"If-Unmodified-Since": format_datetime(at, usegmt=True)}
        return wire.send("PATCH", url, json={"Title": "CTO"}, headers={**QUIET, **guard}).status_code

    assert write(stamp.replace(second=0)) == 412
    assert write(stamp) == 204
    assert write(stamp) == 412


@pytest.mark.parametrize(
    ("fields", "code", "message"),
    [
        ({"Nope__c": 1}, "INVALID_FIELD", "No such column 'Nope__c' on sobject of type Lead"),
        (
            {"CreatedDate": "2026-01-01T00:00:00Z", "Days_Since_Created__c": 3},
            "INVALID_FIELD_FOR_INSERT_UPDATE",
            "Unable to create/update fields: CreatedDate, Days_Since_Created__c. " + CHECK_SECURITY,
        ),
        (
            {"Rejection_Reason__c": "mood"},
            "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST",
            "Rejection Reason: bad value for restricted picklist field: mood",
        ),
        ({"LastName": None}, "REQUIRED_FIELD_MISSING", "Required fields are missing: [LastName]"),
        (
            {"Canonical_Id__c": "x" * 65},
            "STRING_TOO_LONG",
            f"Canonical Id: data value too large: {'x' * 65} (max length=64)",
        ),
        (
            {"Canonical_Score__c": 10**18},
            "NUMBER_OUTSIDE_VALID_RANGE",
            f"Canonical Score: value outside of valid range on numeric field: {10**18}",
        ),
        ({"OwnerId": "nobody"}, "MALFORMED_ID", "OwnerId: id value of incorrect type: nobody"),
    ],
)
def test_a_refused_value_names_its_field(wire, fields, code, message):
    """Nothing of the record is written, and its stamp stays."""
    answer = wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", json={"FirstName": "Eve", **fields}, headers=QUIET)

    record = wire.send("GET", f"{V}/sobjects/Lead/{lead(1)}").json()

    assert answer.status_code == 400
    assert (answer.json()[0]["errorCode"], answer.json()[0]["message"]) == (code, message)
    assert record["FirstName"] == "Ada"
    assert record["SystemModstamp"] == "2026-11-20T10:00:01.000+0000"


def test_values_are_kept_as_the_org_writes_them(wire):
    """A double has a fraction, an instant is UTC in whole seconds, an empty text is null."""
    fields = {"Canonical_Score__c": 42, "Canonical_Stage_At__c": "2026-11-21T19:00:00.500+09:00", "Title": ""}
    wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", json=fields, headers=QUIET)

    answer = wire.send("GET", f"{V}/sobjects/Lead/{lead(1)}")

    record = answer.json()
    assert '"Canonical_Score__c":42.0' in answer.text
    assert record["Canonical_Stage_At__c"] == "2026-11-21T10:00:00.000+0000"
    assert record["Title"] is None


def test_a_body_that_is_no_json_is_a_parser_error(wire):
    """As is a value of another kind than its field's."""
    torn = wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", content=b'{"Title": ')
    typed = wire.send("PATCH", f"{V}/sobjects/Lead/{lead(1)}", json={"Canonical_Score__c": "many"})

    assert [answer.status_code for answer in (torn, typed)] == [400, 400]
    assert {answer.json()[0]["errorCode"] for answer in (torn, typed)} == {"JSON_PARSER_ERROR"}


def test_a_record_is_created_with_its_defaults(wire):
    """It has an id of its object, an owner, and is found at once; what is required must be there."""
    made = wire.send("POST", f"{V}/sobjects/Contact", json={"LastName": "Lovelace", "Email": "l@example.com"})
    bare = wire.send("POST", f"{V}/sobjects/Contact/", json={"Email": "m@example.com"})

    assert made.status_code == 201
    assert made.json() == {"id": made.json()["id"], "success": True, "errors": []}
    assert made.json()["id"][:3] == "003"
    record = wire.send("GET", f"{V}/sobjects/Contact/{made.json()['id']}").json()
    assert (record["Name"], record["OwnerId"], record["HasOptedOutOfEmail"]) == ("Lovelace", RUN_AS_USER_ID, False)
    assert bare.json() == [
        {
            "message": "Required fields are missing: [LastName]",
            "errorCode": "REQUIRED_FIELD_MISSING",
            "fields": ["LastName"],
        }
    ]


def test_an_external_id_updates_creates_or_is_ambiguous(wire):
    """200, 201 or 300 with the addresses of those that share it."""
    url = f"{V}/sobjects/Lead/Canonical_Id__c"
    fresh = {"LastName": "New", "Company": "Acme"}

    made = wire.send("PATCH", f"{url}/p-1", json=fresh, headers=QUIET)
    again = wire.send("PATCH", f"{url}/p-1", json={"Title": "CEO"}, headers=QUIET)
    wire.patch_rows([{"id": lead(1), "Canonical_Id__c": "p-1"}])
    shared = wire.send("PATCH", f"{url}/p-1", json={"Title": "CFO"}, headers=QUIET)

    assert (made.status_code, made.json()["created"]) == (201, True)
    assert (again.status_code, again.json()["created"], again.json()["id"]) == (200, False, made.json()["id"])
    assert shared.status_code == 300
    assert shared.json() == sorted(f"{V}/sobjects/Lead/{id_}" for id_ in (lead(1), made.json()["id"]))
    assert wire.send("GET", f"{url}/p-2").json()[0]["errorCode"] == "NOT_FOUND"


def test_the_updated_and_deleted_lists_cover_whole_minutes(wire):
    """Seconds are dropped from the window, which must be a minute long and within thirty days."""
    wire.now += 90_000
    wire.patch_rows([{"id": lead(1), "Title": "CTO"}])
    wire.send("DELETE", f"{V}/sobjects/Lead/{lead(2)}")
    wire.now += 120_000

    def ask(kind, start, end):
        return wire.send("GET", f"{V}/sobjects/Lead/{kind}/", params={"start": start, "end": end})

    updated = ask("updated", "2026-11-21T10:00:59Z", "2026-11-21T10:03:10+00:00").json()
    deleted = ask("deleted", "2026-11-21T10:00:00Z", "2026-11-21T10:03:00Z").json()
    short = ask("updated", "2026-11-21T10:00:00Z", "2026-11-21T10:00:59Z")
    old = ask("deleted", "2026-10-01T10:00:00Z", "2026-11-21T10:00:00Z")

    assert updated == {"ids": [lead(1)], "latestDateCovered": "2026-11-21T10:03:00.000+0000"}
    assert deleted["deletedRecords"] == [{"id": lead(2), "deletedDate": "2026-11-21T10:01:30.000+0000"}]
    assert {short.json()[0]["errorCode"], old.json()[0]["errorCode"]} == {"INVALID_REPLICATION_DATE"}


def test_each_row_of_a_collection_has_its_own_result_in_order(wire):
    """A converted, a deleted, an unknown, a malformed and a nameless one fail; the rest are written."""
    wire.vault.patch_salesforce("Lead", lead(2), {"IsConverted": True})
    wire.vault.patch_salesforce("Lead", lead(3), {}, is_deleted=True)
    wire.vault.commit()

    results = wire.patch_rows(
        [
            {"id": lead(1), "Canonical_Stage__c": "mql"},
            {"id": lead(2), "Canonical_Stage__c": "mql"},
            {"id": lead(3), "Canonical_Stage__c": "mql"},
            {"id": lead(99), "Canonical_Stage__c": "mql"},
            {"id": "short", "Canonical_Stage__c": "mql"},
            {"Canonical_Stage__c": "mql"},
            {"id": lead(5), "Canonical_Stage__c": "mql"},
        ]
    )

    assert results.status_code == 200
    rows = results.json()
    assert rows[0] == {"id": lead(1), "success": True, "errors": []}
    assert [row["errors"][0]["statusCode"] for row in rows if not row["success"]] == [
        "CANNOT_UPDATE_CONVERTED_LEAD",
        "ENTITY_IS_DELETED",
        "INVALID_CROSS_REFERENCE_KEY",
        "MALFORMED_ID",
        "MISSING_ARGUMENT",
    ]
    assert rows[1]["errors"] == [
        {"statusCode": "CANNOT_UPDATE_CONVERTED_LEAD", "message": "cannot reference converted lead", "fields": []}
    ]
    assert all("id" not in row for row in rows if not row["success"])
    assert wire.query("SELECT Id FROM Lead WHERE Canonical_Stage__c = 'mql'")["totalSize"] == 2


def test_all_or_none_writes_nothing_when_one_row_fails(wire):
    """The others say that they were rolled back."""
    results = wire.patch_rows(
        [{"id": lead(1), "Canonical_Stage__c": "mql"}, {"id": lead(2), "Nope__c": 1}], allOrNone=True
    ).json()

    assert [row["errors"][0]["statusCode"] for row in results] == ["ALL_OR_NONE_OPERATION_ROLLED_BACK", "INVALID_FIELD"]
    assert wire.query("SELECT Id FROM Lead WHERE Canonical_Stage__c = 'mql'")["totalSize"] == 0


def test_a_collection_has_its_limits(wire):
    """200 rows, and 10 runs of one type; beyond, nothing is written."""
    too_many = wire.patch_rows([{"id": lead(1), "Title": "x"}] * 201)
    mixed = [{"attributes": {"type": type_}, "id": lead(1), "Title": "x"} for type_ in ("Lead", "Contact") * 6]
    chunked = wire.send("PATCH", f"{V}/composite/sobjects", json={"records": mixed}, headers=QUIET)

    assert (too_many.status_code, too_many.json()[0]["errorCode"]) == (400, "EXCEEDED_ID_LIMIT")
    assert chunked.status_code == 400
    assert "more than 10 chunks" in chunked.json()[0]["message"]
    assert wire.query("SELECT Id FROM Lead WHERE Title = 'x'")["totalSize"] == 0


def test_records_are_retrieved_in_the_order_of_their_ids(wire):
    """By GET or POST; null where there is none or it is deleted."""
    wire.send("DELETE", f"{V}/sobjects/Lead/{lead(2)}")
    ids, fields = [lead(3), lead(2), lead(99), lead(1)], ["Id", "LastName"]

    posted = wire.send("POST", f"{V}/composite/sobjects/Lead", json={"ids": ids, "fields": fields}).json()
    got = wire.send(
        "GET", f"{V}/composite/sobjects/Lead", params={"ids": ",".join(ids), "fields": ",".join(fields)}
    ).json()

    assert posted == got
    assert [row and row["LastName"] for row in posted] == ["Number 3", None, None, "Number 1"]


def test_faults_meet_single_rows(wire):
    """A validation rule, a lock that lets go, a duplicate rule that the header calms."""
    options = wire.faults.salesforce.options
    options["row_errors"] = {lead(1): ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Budget first")}
    options["locked_rows"] = {lead(2): 1}
    rows = [{"id": lead(n), "Title": "x"} for n in (1, 2, 3)]

    first = [row["errors"][0]["statusCode"] if row["errors"] else "ok" for row in wire.patch_rows(rows).json()]
    second = [row["errors"][0]["statusCode"] if row["errors"] else "ok" for row in wire.patch_rows(rows).json()]
    options["duplicate_rule"] = True
    refused = wire.patch_rows(rows[2:]).json()[0]
    allowed = wire.patch_rows(rows[2:], headers={**QUIET, "Sforce-Duplicate-Rule-Header": "allowSave=true"}).json()[0]

    assert first == ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "UNABLE_TO_LOCK_ROW", "ok"]
    assert second == ["FIELD_CUSTOM_VALIDATION_EXCEPTION", "ok", "ok"]
    assert refused["errors"][0]["statusCode"] == "DUPLICATES_DETECTED"
    assert "duplicateResut" in refused["errors"][0]
    assert allowed["success"] is True


def test_a_flow_of_the_customer_rewrites_a_field(wire):
    """What was accepted is not always what is kept."""
    wire.faults.salesforce.options["flow"] = {"Lead": {"Canonical_Stage__c": "customer"}}

    result = wire.patch_rows([{"id": lead(1), "Canonical_Stage__c": "mql"}]).json()[0]

    assert result["success"] is True
    assert wire.send("GET", f"{V}/sobjects/Lead/{lead(1)}").json()["Canonical_Stage__c"] == "customer"


def test_a_composite_counts_once_and_later_parts_use_earlier_ones(wire):
    """Five queries at most; a subrequest has only the headers it brings itself."""
    parts = [
        {"method": "GET", "url": f"{V}/query?q=SELECT+Id+FROM+Lead+ORDER+BY+Id+LIMIT+1", "referenceId": "first"},
        {
            "method": "PATCH",
            "url": f"{V}/sobjects/Lead/@{{first.records[0].Id}}",
            "referenceId": "write",
            "body": {"Title": "@{first.totalSize}"},
        },
        {
            "method": "GET",
            "url": f"{V}/sobjects/Lead/@{{first.records[0].Id}}?fields=Title,OwnerId",
            "referenceId": "read",
        },
        {"method": "GET", "url": f"{V}/sobjects/Lead/@{{nothing.id}}", "referenceId": "lost"},
    ]
    before = wire.send("GET", f"{V}/limits/").headers["Sforce-Limit-Info"]
    answer = wire.send("POST", f"{V}/composite", json={"compositeRequest": parts}, headers=QUIET)
    queries = [{"method": "GET", "url": f"{V}/query?q=x", "referenceId": f"r{n}"} for n in range(6)]
    too_many = wire.send("POST", f"{V}/composite", json={"compositeRequest": queries})

    responses = answer.json()["compositeResponse"]
    assert before.startswith("api-usage=1/")
    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=2/")
    assert [(r["referenceId"], r["httpStatusCode"]) for r in responses] == [
        ("first", 200),
        ("write", 204),
        ("read", 200),
        ("lost", 400),
    ]
    assert responses[1]["body"] is None
    assert responses[2]["body"]["Title"] == "1"
    assert responses[2]["body"]["OwnerId"] == ASSIGNMENT_OWNER_ID
    assert responses[3]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert too_many.status_code == 400


def test_an_atomic_composite_undoes_what_came_before(wire):
    """One failure halts all."""
    parts = [
        {"method": "PATCH", "url": f"{V}/sobjects/Lead/{lead(1)}", "referenceId": "a", "body": {"Title": "x"}},
        {"method": "PATCH", "url": f"{V}/sobjects/Lead/{lead(99)}", "referenceId": "b", "body": {"Title": "x"}},
    ]

    answer = wire.send("POST", f"{V}/composite", json={"allOrNone": True, "compositeRequest": parts}).json()

    assert [r["httpStatusCode"] for r in answer["compositeResponse"]] == [400, 404]
    assert answer["compositeResponse"][0]["body"][0]["errorCode"] == "PROCESSING_HALTED"
    assert wire.query("SELECT Id FROM Lead WHERE Title = 'x'")["totalSize"] == 0


def test_each_part_of_a_batch_counts(wire):
    """Parts are independent; halting is asked for."""
    parts = [
        {"method": "GET", "url": "v68.0/sobjects/Lead/" + lead(1) + "?fields=Id"},
        {"method": "GET", "url": "v68.0/sobjects/Lead/" + lead(99)},
        {"method": "PATCH", "url": "v68.0/sobjects/Lead/" + lead(1), "richInput": {"Title": "x"}},
    ]

    answer = wire.send("POST", f"{V}/composite/batch", json={"batchRequests": parts})
    halted = wire.send("POST", f"{V}/composite/batch", json={"batchRequests": parts, "haltOnError": True}).json()

    assert answer.headers["Sforce-Limit-Info"].startswith("api-usage=3/")
    assert answer.json()["hasErrors"] is True
    assert [part["statusCode"] for part in answer.json()["results"]] == [200, 404, 204]
    assert halted["results"][2]["result"][0]["errorCode"] == "BATCH_PROCESSING_HALTED"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("composite", {}),
        ("composite", {"compositeRequest": [{"method": "GET", "url": f"{V}/limits"}]}),
        ("composite/batch", {"batchRequests": ["limits"]}),
        ("composite/sobjects", {"records": [1]}),
        ("composite/sobjects", []),
    ],
)
def test_a_request_without_its_parts_is_a_parser_error(wire, path, body):
    """HTTP 400 for the whole, nothing done."""
    answer = wire.send("POST", f"{V}/{path}", json=body)

    assert (answer.status_code, answer.json()[0]["errorCode"]) == (400, "JSON_PARSER_ERROR")


def test_a_composite_cannot_hold_another_or_leave_its_version(wire):
    """Nested composites and foreign addresses are not found; 26 parts are too many."""
    parts = [
        {"method": "POST", "url": f"{V}/composite", "referenceId": "a", "body": {"compositeRequest": []}},
        {"method": "GET", "url": "/services/data/v60.0/limits", "referenceId": "b"},
    ]
    many = [{"method": "GET", "url": f"{V}/limits", "referenceId": f"r{n}"} for n in range(26)]

    answer = wire.send("POST", f"{V}/composite", json={"compositeRequest": parts}).json()
    refused = wire.send("POST", f"{V}/composite", json={"compositeRequest": many})

    assert [part["httpStatusCode"] for part in answer["compositeResponse"]] == [404, 404]
    assert (refused.status_code, refused.json()[0]["errorCode"]) == (400, "LIMIT_EXCEEDED")


def test_a_method_that_does_not_fit_is_named(wire):
    """405 with those that would."""
    answer = wire.send("PUT", f"{V}/sobjects/Lead/{lead(1)}", json={})

    assert answer.status_code == 405
    assert answer.json()[0]["message"] == "HTTP Method 'PUT' not allowed. Allowed are GET,PATCH,DELETE"
