"""The step from stored records to events: chunks, two passes, and what makes it derive again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from mapping.derive import Deriver
from mapping.meaning import Meaning
from mapping.records import Batch, Cursor, record_key
from state import history, quarantine, store
from state.sql import execute, fetch
from sync.steps import derive as step

if TYPE_CHECKING:
    from state.engine import Database

NOW = 1_795_000_000_000
LEAD, OPPORTUNITY, ACCOUNT = "00Q000000000001AAA", "006000000000001AAA", "001000000000001AAA"
MONDAY, TUESDAY = "2026-03-02T00:00:00.000+0000", "2026-03-03T00:00:00.000+0000"


def derivers(zone: str = "Asia/Tokyo", **meaning: Any) -> dict[str, Deriver]:
    """A Salesforce system alone."""
    tables = {"sf": {"Lead": {"Status": meaning}}} if meaning else None
    return {"sf": Deriver("sf", "salesforce", Meaning({"sf": "salesforce"}, tables), ZoneInfo(zone), {})}


def put(db: Database, object_: str, id_: str, *, at: str = MONDAY, **fields: Any) -> None:
    """One record is polled."""
    row = (id_, at, orjson.dumps({"Id": id_, **fields}, option=orjson.OPT_SORT_KEYS), False)
    store.save_batch(db, "sf", Batch(object=object_, rows=[row], cursor=Cursor(position={})), run=1)


def status_row(db: Database, new: str, *, id_: str = "h1") -> None:
    """One row of LeadHistory is polled."""
    put(db, "LeadHistory", id_, LeadId=LEAD, Field="Status", NewValue=new, CreatedDate=MONDAY)


def run(db: Database, using: dict[str, Deriver] | None = None) -> step.Derivation:
    """The step, once."""
    return step.derive(db, using or derivers(), now_ms=NOW, run=1)


def told(db: Database, object_: str, id_: str) -> list[tuple[str, str | None]]:
    """Kinds and reasons of what stands of a record, oldest first."""
    with db.read() as conn:
        return [(e.kind, e.reason) for e in history.events_of(conn, [record_key("sf", object_, id_)])]


def test_a_second_run_has_nothing_to_do(db: Database) -> None:
    """The watermark stands at the newest change."""
    put(db, "Lead", LEAD, CreatedDate=MONDAY, Status="Working - Contacted")

    first, second = run(db), run(db)

    assert (first.records, first.events) == (1, 1)
    assert second == step.Derivation()


def test_an_opportunity_is_read_with_rows_that_came_before_and_after_it(db: Database) -> None:
    """Whatever the order in which pages arrive."""
    fields = {"StageName": "Closed Won", "CreatedDate": MONDAY, "Type": "New Business", "IsClosed": True}
    put(db, "OpportunityHistory", "2", OpportunityId=OPPORTUNITY, StageName="Closed Won", CreatedDate=TUESDAY)
    run(db)
    put(db, "Opportunity", OPPORTUNITY, **fields)
    run(db)
    put(db, "OpportunityHistory", "1", OpportunityId=OPPORTUNITY, StageName="Prospecting", CreatedDate=MONDAY)
    run(db)

    assert sorted(told(db, "Opportunity", OPPORTUNITY)) == [
        ("contracted", None),
        ("opportunity_created", None),
        ("opportunity_won", None),
    ]


def test_a_reason_that_is_given_later_reaches_the_rejection(db: Database) -> None:
    """The row is read again with the lead that changed."""
    put(db, "Lead", LEAD, Status="Closed - Not Converted", Rejection_Reason__c=None)
    status_row(db, "Closed - Not Converted")
    run(db)
    before = told(db, "Lead", LEAD)

    put(db, "Lead", LEAD, at=TUESDAY, Status="Closed - Not Converted", Rejection_Reason__c="budget")
    run(db)

    assert before == [("lead_rejected", None)]
    assert told(db, "Lead", LEAD) == [("lead_rejected", "budget")]


@pytest.mark.parametrize("comes_first", ["Campaign", "CampaignMember"])
def test_a_member_knows_its_campaign_whichever_came_first(db: Database, comes_first: str) -> None:
    """And a campaign that changes its type changes what its members did."""
    records = {
        "Campaign": ("701A", {"Type": "Content", "Name": "Guide"}),
        "CampaignMember": (
            "00vA",
            {"CampaignId": "701A", "LeadId": LEAD, "Status": "Responded", "CreatedDate": MONDAY},
        ),
    }
    for object_ in sorted(records, key=lambda name: name != comes_first):
        put(db, object_, records[object_][0], **records[object_][1])
        run(db)
    first = told(db, "Lead", LEAD)

    put(db, "Campaign", "701A", at=TUESDAY, Type="Web Form", Name="Guide")
    run(db)

    assert first == [("content_downloaded", None)]
    assert told(db, "Lead", LEAD) == [("form_submitted", None)]


def test_a_value_without_a_meaning_waits_in_quarantine_until_it_gets_one(db: Database) -> None:
    """Then everything is derived again, and it is released."""
    status_row(db, "Parked")

    unmapped = run(db).unmapped
    with db.read() as conn:
        aside = quarantine.quarantined(conn)
    again = run(db, derivers(Parked="lead_recycled"))

    assert unmapped == 1
    assert [(thing.what, str(thing.ref), thing.field) for thing in aside] == [
        ("meaning", "sf:LeadHistory:h1", "Lead.Status")
    ]
    assert again.events == 1
    assert told(db, "Lead", LEAD) == [("lead_recycled", None)]
    with db.read() as conn:
        assert quarantine.count(conn) == 0


def test_another_zone_derives_everything_again(db: Database) -> None:
    """A date begins at another instant; what was told of the old one is retracted, not lost."""
    put(db, "CampaignMember", "1", LeadId=LEAD, Status="Responded", FirstRespondedDate="2026-03-02")
    run(db)

    again = run(db, derivers("Europe/Berlin"))

    assert (again.events, again.retracted) == (1, 1)
    with db.read() as conn:
        assert fetch(conn, "SELECT COUNT(*) FROM event") == [(2,)]


def test_a_run_that_was_cut_off_goes_on_where_it_was(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store ends as that of a run in one go."""
    monkeypatch.setattr(step, "CHUNK", 2)
    for number in range(5):
        put(db, "CampaignMember", str(number), LeadId=LEAD, Status="Responded", CreatedDate=MONDAY)
    save, calls = history.save_derived, []

    def dies(*args: Any, **rest: Any) -> history.Kept:
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return save(*args, **rest)

    monkeypatch.setattr(history, "save_derived", dies)
    with pytest.raises(KeyboardInterrupt):
        run(db)
    rest = run(db)

    assert rest.records == 3
    assert len(told(db, "Lead", LEAD)) == 5


def test_our_id_joins_records_once_the_journal_shows_that_we_wrote_it(db: Database) -> None:
    """A copy of it, made by cloning, joins nothing."""
    golden = "01J00000000000000000000000"
    ours, clone = "003000000000001AAA", "003000000000002AAA"
    with db.write() as conn:
        execute(
            conn,
            "INSERT INTO change (plan, run, record, entity, field, before, after, reason, rule, kind, outcome)"
            " VALUES ('p', 1, ?, ?, 'Canonical_Id__c', 'null', ?, 'r', 'r', 'first', 'verified')",
            record_key("sf", "Contact", ours),
            golden,
            f'"{golden}"',
        )
    for id_ in (ours, clone):
        put(db, "Contact", id_, Canonical_Id__c=golden)

    run(db)

    with db.read() as conn:
        assert fetch(conn, "SELECT source, rule FROM link") == [
            (record_key("sf", "Contact", ours), "headrace.canonical_id")
        ]
