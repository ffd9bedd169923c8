"""What Salesforce records tell."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.derive import Deriver
from mapping.derived import Derived, Facts
from mapping.instants import to_ms
from mapping.meaning import Meaning
from mapping.records import FieldChange, record_key

DERIVER = Deriver(
    "sf", "salesforce", Meaning({"sf": "salesforce"}), ZoneInfo("Asia/Tokyo"), {"salesforce": "sf"}, currency="JPY"
)
LEAD, CONTACT, ACCOUNT, OPPORTUNITY = (
    "00Q000000000001AAA",
    "003000000000001AAA",
    "001000000000001AAA",
    "006000000000001AAA",
)
AT = "2026-03-02T01:30:00.000+0000"


def key(object_: str, id_: str) -> int:
    """The key of a record of this system."""
    return record_key("sf", object_, id_)


def derive(
    object_: str, payload: dict[str, Any], *, id_: str = "x1", changes: tuple[FieldChange, ...] = (), **rest: Any
) -> Derived:
    """What one record tells."""
    into = Derived()
    facts = rest.pop("facts", Facts())
    rest.pop("deriver", DERIVER).derive(object_, id_, payload, changes, rest.pop("is_deleted", False), into, facts)
    assert not rest
    return into


def kinds(derived: Derived) -> list[str]:
    """The kinds of events, in the order of time."""
    return [event.kind for event in sorted(derived.events, key=lambda event: (event.at, event.kind))]


def history(stage: str, at: str, *, id_: str, amount: float | None = None) -> dict[str, Any]:
    """One row of OpportunityHistory."""
    return {"Id": id_, "OpportunityId": OPPORTUNITY, "StageName": stage, "CreatedDate": at, "Amount": amount}


def opportunity(**fields: Any) -> dict[str, Any]:
    """One Opportunity of new business, created on the first of March."""
    return {
        "Id": OPPORTUNITY, "Name": "Line 1", "AccountId": ACCOUNT, "StageName": "Closed Won", "Amount": 1200000.5,
        "CloseDate": "2026-03-20", "IsClosed": True, "IsWon": True, "Type": "New Business", "OwnerId": "005A",
        "CreatedDate": "2026-03-01T00:00:00.000+0000", **fields,
    }  # fmt: skip


def with_rows(payload: dict[str, Any], *rows: dict[str, Any]) -> Derived:
    """What an opportunity tells together with its history rows."""
    facts = Facts(rows={key("Opportunity", OPPORTUNITY): rows})
    return derive("Opportunity", payload, id_=OPPORTUNITY, facts=facts)


def test_a_lead_tells_its_creation_and_who_it_is() -> None:
    """The profile holds canonical columns, the identifier is the canonical address."""
    derived = derive(
        "Lead",
        {"Id": LEAD, "Email": "Taro+x@Aoba.example", "FirstName": "太郎", "LastName": "山田", "Title": "営業部長",
         "Status": "Working - Contacted", "LeadSource": "Web", "NumberOfEmployees": 120, "CreatedDate": AT},
        id_=LEAD,
    )  # fmt: skip

    profile = derived.profiles[0]
    assert (profile.kind, profile.email, profile.domain) == ("person", "taro@aoba.example", "aoba.example")
    assert (profile.level, profile.employees, profile.native_stage) == ("manager", 120, "Working - Contacted")
    assert derived.idents == [("email", "taro@aoba.example", key("Lead", LEAD))]
    assert [(event.kind, event.at, event.channel) for event in derived.events] == [("lead_created", to_ms(AT), "Web")]


def test_a_role_mailbox_is_no_identifier() -> None:
    """It stays in the profile and joins nobody."""
    derived = derive("Lead", {"Id": LEAD, "Email": "info@aoba.example"}, id_=LEAD)

    assert derived.profiles[0].email == "info@aoba.example"
    assert derived.idents == []


@pytest.mark.parametrize(
    ("status", "kind", "reason"),
    [
        ("Working - Contacted", "lead_accepted", None),
        ("Closed - Not Converted", "lead_rejected", "budget"),
        ("Nurturing", "lead_recycled", "budget"),
    ],
)
def test_a_status_row_is_the_event_that_the_status_means(status: str, kind: str, reason: str | None) -> None:
    """Dated by the row, told of the lead, with the lead's reason where the status asks for one."""
    lead = key("Lead", LEAD)
    row = {"LeadId": LEAD, "Field": "Status", "OldValue": "Open - Not Contacted", "NewValue": status,
           "CreatedDate": AT, "CreatedById": "005A"}  # fmt: skip

    derived = derive("LeadHistory", row, facts=Facts(payloads={lead: {"Rejection_Reason__c": "budget"}}))

    [event] = derived.events
    assert (event.subject, event.kind, event.at, event.reason) == (lead, kind, to_ms(AT), reason)
    assert (event.origin, event.before, event.after, event.since) == (
        key("LeadHistory", "x1"), "Open - Not Contacted", status, None,
    )  # fmt: skip


def test_a_status_without_a_meaning_is_set_aside_and_tells_nothing() -> None:
    """No stage is guessed."""
    row = {"LeadId": LEAD, "Field": "Status", "NewValue": "Parked", "CreatedDate": AT}

    derived = derive("LeadHistory", row)

    assert derived.events == []
    assert derived.unmapped == [(key("LeadHistory", "x1"), "Lead.Status", "Parked")]


def test_a_change_of_owner_is_told_once_of_its_two_rows() -> None:
    """Salesforce writes one row with ids and one with names."""
    ids = {"LeadId": LEAD, "Field": "Owner", "OldValue": None, "NewValue": "005000000000001AAA", "CreatedDate": AT}

    assert kinds(derive("LeadHistory", ids)) == ["lead_assigned"]
    assert derive("LeadHistory", {**ids, "NewValue": "Hanako Mori"}).events == []


def test_where_no_history_is_read_polled_differences_of_the_status_are_told_with_their_bounds() -> None:
    """The event lies between the two versions."""
    deriver = Deriver("sf", "salesforce", Meaning({"sf": "salesforce"}), None, {}, histories=frozenset())
    change = FieldChange("Status", "Open - Not Contacted", "Working - Contacted", 1_000, 2_000)
    lead = {"Id": LEAD, "Status": "Working - Contacted"}

    [event] = derive("Lead", lead, id_=LEAD, changes=(change,), deriver=deriver).events

    assert (event.kind, event.since, event.at) == ("lead_accepted", 1_000, 2_000)
    assert derive("Lead", lead, id_=LEAD, changes=(change,)).events == []


def test_a_conversion_is_dated_by_its_row_and_else_by_its_day_in_the_company_zone() -> None:
    """One event either way, and links to contact, account and opportunity."""
    lead = {"Id": LEAD, "IsConverted": True, "ConvertedDate": "2026-03-02", "ConvertedContactId": CONTACT,
            "ConvertedAccountId": ACCOUNT, "ConvertedOpportunityId": OPPORTUNITY}  # fmt: skip
    row = {"LeadId": LEAD, "Field": "leadConverted", "CreatedDate": AT}

    alone = derive("Lead", lead, id_=LEAD)
    at_once = derive("Lead", {**lead, "CreatedDate": "2026-03-02T03:00:00.000+0000"}, id_=LEAD)
    with_row = derive("Lead", lead, id_=LEAD, facts=Facts(rows={key("Lead", LEAD): [row]}))

    assert [(event.kind, event.at) for event in alone.events] == [
        ("lead_converted", to_ms("2026-03-01T15:00:00.000+0000"))
    ]
    assert {event.at for event in at_once.events} == {to_ms("2026-03-02T03:00:00.000+0000")}
    assert [(event.kind, event.at) for event in with_row.events] == [("lead_converted", to_ms(AT))]
    me = key("Lead", LEAD)
    assert {(link.kind, link.source, link.target) for link in alone.links} == {
        ("same", me, key("Contact", CONTACT)),
        ("employed", me, key("Account", ACCOUNT)),
        ("party", me, key("Opportunity", OPPORTUNITY)),
    }
    assert alone.profiles[0].merged_into == key("Contact", CONTACT)


def test_a_merged_record_is_the_same_as_its_master() -> None:
    """The loser names the survivor."""
    derived = derive("Contact", {"Id": CONTACT, "MasterRecordId": "003M"}, id_=CONTACT, is_deleted=True)

    assert [(link.kind, link.target, link.rule) for link in derived.links] == [
        ("same", key("Contact", "003M"), "salesforce.merged")
    ]
    assert derived.profiles[0].is_deleted


@pytest.mark.parametrize(
    ("status", "type_", "kind"),
    [
        ("Responded", "Content", "content_downloaded"),
        ("Responded", "Web Form", "form_submitted"),
        ("Responded", "Trade Show", "campaign_responded"),
        ("Registered", "Webinar", "campaign_responded"),
        ("Attended", "Webinar", "webinar_attended"),
        ("Responded", None, "campaign_responded"),
    ],
)
def test_a_response_is_refined_by_the_type_of_its_campaign(status: str, type_: str | None, kind: str) -> None:
    """Who registered for a webinar has not attended it."""
    member = {"CampaignId": "701A", "LeadId": LEAD, "ContactId": CONTACT, "Status": status, "HasResponded": True,
              "FirstRespondedDate": "2026-03-02", "CreatedDate": AT}  # fmt: skip
    facts = Facts(payloads={key("Campaign", "701A"): {"Name": "Spring", "Type": type_}} if type_ else {})

    [event] = derive("CampaignMember", member, facts=facts).events

    assert (event.kind, event.subject, event.channel) == (kind, key("Lead", LEAD), type_)
    assert event.at == to_ms("2026-03-01T15:00:00.000+0000")


def test_who_was_only_sent_to_did_not_respond() -> None:
    """Nothing happened."""
    assert (
        derive("CampaignMember", {"CampaignId": "701A", "LeadId": LEAD, "Status": "Sent", "CreatedDate": AT}).events
        == []
    )


@pytest.mark.parametrize(("subtype", "kind"), [("Call", "call_made"), ("Email", "mail_sent"), ("Task", "task_done")])
def test_a_completed_task_is_what_its_subtype_says(subtype: str, kind: str) -> None:
    """Of the lead or contact, when it was completed; an open one is nothing yet."""
    task = {"WhoId": CONTACT, "TaskSubtype": subtype, "Status": "Completed", "CompletedDateTime": AT, "OwnerId": "005A"}

    [event] = derive("Task", task).events

    assert (event.kind, event.subject, event.at, event.actor) == (kind, key("Contact", CONTACT), to_ms(AT), "005A")
    assert derive("Task", {**task, "Status": "Not Started", "CompletedDateTime": None}).events == []


def test_a_meeting_is_dated_by_its_start_and_a_deleted_one_was_called_off() -> None:
    """With whom it was arranged."""
    meeting = {"WhoId": LEAD, "StartDateTime": AT, "EndDateTime": AT}

    assert [(event.kind, event.at) for event in derive("Event", meeting).events] == [("meeting_held", to_ms(AT))]
    assert derive("Event", meeting, is_deleted=True).events == []


def test_an_opportunity_is_told_by_its_rows_and_a_changed_amount_is_no_stage() -> None:
    """Created in its first stage; each change of stage is what the stage means; the amount is the row's own."""
    derived = with_rows(
        opportunity(),
        history("Proposal/Price Quote", "2026-03-10T00:00:00.000+0000", id_="3", amount=900),
        history("Prospecting", "2026-03-01T00:00:00.000+0000", id_="1", amount=500),
        history("Closed Won", "2026-03-20T00:00:00.000+0000", id_="5", amount=1000),
        history("Qualification", "2026-03-05T00:00:00.000+0000", id_="2", amount=500),
        history("Qualification", "2026-03-06T00:00:00.000+0000", id_="2a", amount=900),
    )

    told = [event for event in sorted(derived.events) if event.subject == key("Opportunity", OPPORTUNITY)]
    assert [(event.kind, event.before, event.after, event.amount_e4) for event in sorted(told, key=lambda e: e.at)] == [
        ("opportunity_created", None, "Prospecting", 12_000_005_000),
        ("opportunity_stage_changed", "Prospecting", "Qualification", 5_000_000),
        ("proposal_sent", "Qualification", "Proposal/Price Quote", 9_000_000),
        ("opportunity_won", "Proposal/Price Quote", "Closed Won", 10_000_000),
    ]
    assert {event.currency for event in told} == {"JPY"}
    [contracted] = [event for event in derived.events if event.subject == key("Account", ACCOUNT)]
    assert (contracted.kind, contracted.at) == ("contracted", to_ms("2026-03-20T00:00:00.000+0000"))


def test_a_lost_opportunity_carries_its_reason() -> None:
    """The loss reason at hand on the opportunity."""
    derived = with_rows(
        opportunity(StageName="Closed Lost", IsWon=False, Loss_Reason__c="price"),
        history("Prospecting", "2026-03-01T00:00:00.000+0000", id_="1"),
        history("Closed Lost", "2026-03-20T00:00:00.000+0000", id_="2"),
    )

    assert [(event.kind, event.reason) for event in derived.events if event.kind == "opportunity_lost"] == [
        ("opportunity_lost", "price")
    ]


@pytest.mark.parametrize(
    ("type_", "stage", "kind"),
    [
        ("Renewal", "Closed Won", "renewed"),
        ("Renewal", "Closed Lost", "churned"),
        ("Expansion", "Closed Won", "expanded"),
    ],
)
def test_a_customers_opportunity_is_told_of_the_account_and_is_no_new_business(
    type_: str, stage: str, kind: str
) -> None:
    """A renewal must not take its people back to the beginning of the funnel."""
    derived = with_rows(
        opportunity(Type=type_, StageName=stage),
        history("Prospecting", "2026-03-01T00:00:00.000+0000", id_="1"),
        history(stage, "2026-03-20T00:00:00.000+0000", id_="2"),
    )

    assert [(event.kind, event.subject) for event in derived.events] == [(kind, key("Account", ACCOUNT))]


def test_a_lost_expansion_changes_nothing_for_the_customer() -> None:
    """They stay who they are."""
    derived = with_rows(
        opportunity(Type="Expansion", StageName="Closed Lost"),
        history("Prospecting", "2026-03-01T00:00:00.000+0000", id_="1"),
        history("Closed Lost", "2026-03-20T00:00:00.000+0000", id_="2"),
    )

    assert derived.events == []


def test_a_closed_opportunity_without_rows_is_dated_by_its_close_date() -> None:
    """Its history may be older than what is kept."""
    derived = with_rows(opportunity())

    won = [event for event in derived.events if event.kind == "opportunity_won"]
    assert [event.at for event in won] == [to_ms("2026-03-19T15:00:00.000+0000")]


def test_a_contact_role_makes_a_party_until_it_is_taken_away() -> None:
    """The role and whether it is the primary one come along."""
    role = {"OpportunityId": OPPORTUNITY, "ContactId": CONTACT, "Role": "Economic Buyer", "IsPrimary": True}

    [link] = derive("OpportunityContactRole", role).links

    assert (link.kind, link.source, link.target) == ("party", key("Contact", CONTACT), key("Opportunity", OPPORTUNITY))
    assert (link.role, link.is_primary) == ("Economic Buyer", True)
    assert derive("OpportunityContactRole", role, is_deleted=True).links == []


def test_a_polled_difference_of_a_profile_field_is_an_attribute_that_changed() -> None:
    """By its canonical name, between the two versions; a covered or unmapped field tells nothing."""
    changes = (
        FieldChange("Title", "課長", "部長", 1_000, 2_000),
        FieldChange("HasOptedOutOfEmail", False, True, 1_000, 2_000),  # decoded JSON
        FieldChange("Status", "Open - Not Contacted", "Nurturing", 1_000, 2_000),
        FieldChange("SomethingElse__c", 1, 2, 1_000, 2_000),
    )

    derived = derive("Lead", {"Id": LEAD}, id_=LEAD, changes=changes)

    assert [(event.kind, event.name, event.before, event.after, event.since, event.at) for event in derived.events] == [
        ("attribute_changed", "title", "課長", "部長", 1_000, 2_000),
        ("consent_changed", "email", "false", "true", 1_000, 2_000),
    ]


def test_a_field_that_headrace_writes_never_tells_anything() -> None:
    """Else its own writes would be news."""
    deriver = Deriver(
        "sf", "salesforce", Meaning({"sf": "salesforce"}), None, {}, written={"Account": frozenset({"Type"})}
    )
    change = FieldChange("Type", "Prospect", "customer", 1_000, 2_000)

    assert derive("Account", {"Id": ACCOUNT}, id_=ACCOUNT, changes=(change,), deriver=deriver).events == []
    assert len(derive("Account", {"Id": ACCOUNT}, id_=ACCOUNT, changes=(change,)).events) == 1


def test_our_own_id_counts_only_where_the_journal_shows_that_we_wrote_it() -> None:
    """A cloned record carries a copy."""
    golden = "01J00000000000000000000000"
    payload = {"Id": CONTACT, "Canonical_Id__c": golden}

    copied = derive("Contact", payload, id_=CONTACT)
    ours = derive("Contact", payload, id_=CONTACT, facts=Facts(written={(key("Contact", CONTACT), golden)}))

    assert copied.links == []
    assert [(link.kind, link.rule) for link in ours.links] == [("same", "headrace.canonical_id")]


def test_deriving_again_gives_the_same_events() -> None:
    """An event's id is a function of what it says, and of nothing else."""
    first, second = with_rows(opportunity()), with_rows(opportunity())

    assert first.events == second.events
    assert len({event.id for event in first.events}) == len(first.events)


def test_an_object_without_a_reading_tells_nothing() -> None:
    """Users are read for their names alone."""
    derived = derive("User", {"Id": "005A", "Email": "rep@seller.example"})

    assert derived == Derived()
