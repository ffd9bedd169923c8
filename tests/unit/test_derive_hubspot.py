"""What HubSpot records tell."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

import pytest

from mapping.derive import Deriver
from mapping.derived import Derived
from mapping.instants import to_ms
from mapping.meaning import Meaning
from mapping.records import FieldChange, record_key

DERIVER = Deriver("hs", "hubspot", Meaning({"hs": "hubspot"}), ZoneInfo("Asia/Tokyo"), {"hubspot": "hs"})
T = to_ms("2026-03-02T01:30:00.000Z")
ISO = "2026-03-02T01:30:00Z"
HOUR = 3_600_000


def key(object_: str, id_: str) -> int:
    """The key of a record of this system."""
    return record_key("hs", object_, id_)


def derive(object_: str, payload: dict[str, Any], *changes: FieldChange, is_deleted: bool = False) -> Derived:
    """What one record tells."""
    into = Derived()
    DERIVER.derive(object_, "1", payload, changes, is_deleted, into)
    return into


def told(derived: Derived) -> list[tuple[str, int]]:
    """Kinds and instants, in the order of time."""
    return sorted(((event.kind, event.at) for event in derived.events), key=lambda pair: (pair[1], pair[0]))


def test_all_addresses_of_a_contact_are_identifiers() -> None:
    """The primary one stands in the profile, the others beside it."""
    derived = derive(
        "contacts", {"email": "Taro@aoba.example", "hs_additional_emails": "taro@home.example;info@aoba.example;"}
    )

    assert derived.profiles[0].email == "taro@aoba.example"
    assert derived.profiles[0].other_emails == '["taro@home.example","info@aoba.example"]'
    assert {ident.value for ident in derived.idents} == {"taro@aoba.example", "taro@home.example"}


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("資料ダウンロード: 導入ガイド", "content_downloaded"),
        ("Whitepaper: Guide", "content_downloaded"),
        ("ウェビナー: 入門", "webinar_attended"),
        ("お問い合わせフォーム", "form_submitted"),
    ],
)
def test_a_conversion_is_what_its_name_says(name: str, kind: str) -> None:
    """Dated by HubSpot; once, though it stands in the property and in its history."""
    payload = {
        "recent_conversion_date": ISO,
        "recent_conversion_event_name": name,
        "first_conversion_date": ISO,
        "first_conversion_event_name": name,
        "history.recent_conversion_date": [[T + 5, ISO, "FORM"]],
        "history.recent_conversion_event_name": [[T + 6, name, "FORM"]],
    }

    derived = derive("contacts", payload)

    assert told(derived) == [(kind, T)]
    assert derived.events[0].name == name


def test_earlier_conversions_are_read_from_the_histories_with_the_name_they_had() -> None:
    """A repeated form leaves a date without a new name."""
    second, third = T + HOUR, T + 2 * HOUR
    payload = {
        "recent_conversion_date": str(third),
        "recent_conversion_event_name": "Webinar: Start",
        "history.recent_conversion_date": [[T, str(T), "F"], [second, str(second), "F"], [third, str(third), "F"]],
        "history.recent_conversion_event_name": [[T, "Whitepaper: Guide", "F"], [third, "Webinar: Start", "F"]],
    }

    assert told(derive("contacts", payload)) == [
        ("content_downloaded", T),
        ("content_downloaded", second),
        ("webinar_attended", third),
    ]


def test_mails_are_told_by_every_date_they_were_opened_at() -> None:
    """First, last, and all in the history; each instant once."""
    payload = {
        "hs_email_first_open_date": str(T),
        "hs_email_last_open_date": str(T + 2 * HOUR),
        "history.hs_email_last_open_date": [
            [T + 1, str(T), "E"], [T + HOUR, str(T + HOUR), "E"], [T + 2 * HOUR, str(T + 2 * HOUR), "E"],
        ],
        "hs_email_last_click_date": str(T + HOUR),
    }  # fmt: skip

    assert told(derive("contacts", payload)) == [
        ("mail_opened", T),
        ("mail_clicked", T + HOUR),
        ("mail_opened", T + HOUR),
        ("mail_opened", T + 2 * HOUR),
    ]


def test_page_views_count_by_how_much_the_counter_grew() -> None:
    """A counter that was set back starts anew."""
    entries = [[T, "3", "A"], [T + 1, "5", "A"], [T + 2, "1", "A"], [T + 3, "4", "A"]]

    derived = derive("contacts", {"history.hs_analytics_num_page_views": entries})

    assert [(event.at, event.quantity) for event in derived.events] == [(T, 3), (T + 1, 2), (T + 3, 3)]


def test_lead_status_is_told_by_its_history_and_a_polled_difference_adds_nothing() -> None:
    """The history covers the field."""
    payload = {
        "hs_lead_status": "UNQUALIFIED",
        "history.hs_lead_status": [
            [T, "NEW", "CRM"], [T + 1, "IN_PROGRESS", "CRM"], [T + 2, "IN_PROGRESS", "CRM"],
            [T + 3, "BAD_TIMING", "CRM"], [T + 4, "UNQUALIFIED", "CRM"],
        ],
    }  # fmt: skip
    change = FieldChange("hs_lead_status", "BAD_TIMING", "UNQUALIFIED", T, T + 9)

    assert told(derive("contacts", payload, change)) == [
        ("lead_accepted", T + 1),
        ("lead_recycled", T + 3),
        ("lead_rejected", T + 4),
    ]


def test_an_unknown_lead_status_is_set_aside() -> None:
    """With the value that nobody gave a meaning."""
    derived = derive("contacts", {"history.hs_lead_status": [[T, "PARKED", "CRM"]]})

    assert derived.events == []
    assert derived.unmapped == [(key("contacts", "1"), "contacts.hs_lead_status", "PARKED")]


def test_the_lifecycle_stage_is_an_attribute_dated_by_its_history() -> None:
    """What marketing called it, when; the first value is no change."""
    entries = [[T, "lead", "F"], [T + 1, "marketingqualifiedlead", "W"]]

    [event] = derive("contacts", {"history.lifecyclestage": entries}).events

    assert (event.kind, event.name, event.before, event.after, event.since) == (
        "attribute_changed", "native_stage", "lead", "marketingqualifiedlead", None,
    )  # fmt: skip


def test_what_hubspot_has_forgotten_is_marked_as_standing() -> None:
    """The instant at which the held entries begin, for every kind that they tell."""
    change = FieldChange("hs_analytics_num_page_views", "4", "5", T, T + HOUR)

    derived = derive("contacts", {"history.hs_analytics_num_page_views": [[T, "4", "A"], [T + 1, "5", "A"]]}, change)

    assert derived.floors == {(key("contacts", "1"), "page_viewed"): T}


def test_a_contact_is_employed_by_its_companies_the_first_of_them_being_primary() -> None:
    """As the associations come."""
    links = derive("contacts", {"associations.companies": ["11", "12"]}).links

    assert [(link.kind, link.target, link.is_primary) for link in links] == [
        ("employed", key("companies", "11"), True),
        ("employed", key("companies", "12"), False),
    ]


def test_merged_ids_are_the_same_record() -> None:
    """All ids that went into it."""
    links = derive("contacts", {"hs_merged_object_ids": "5;6"}).links

    assert [(link.kind, link.target) for link in links] == [
        ("same", key("contacts", "5")),
        ("same", key("contacts", "6")),
    ]


def test_a_company_is_found_by_all_its_private_domains() -> None:
    """A mail provider's domain is nobody's."""
    derived = derive(
        "companies", {"name": "Aoba", "domain": "www.aoba.example", "hs_additional_domains": "gmail.com;aoba.co.jp"}
    )

    assert [(ident.kind, ident.value) for ident in derived.idents] == [
        ("domain", "aoba.example"),
        ("domain", "aoba.co.jp"),
    ]
    assert derived.profiles[0].domain == "aoba.example"


def test_a_deal_is_told_by_the_history_of_its_stage() -> None:
    """With amount and currency, and with what it means for the company that it was won."""
    payload = {
        "dealname": "Line 1", "amount": "1500.5", "deal_currency_code": "USD", "dealtype": "newbusiness",
        "createdate": ISO, "associations.contacts": ["7"], "associations.companies": ["11"],
        "history.dealstage": [
            [T, "appointmentscheduled", "CRM"], [T + 1, "qualifiedtobuy", "CRM"], [T + 2, "contractsent", "CRM"],
            [T + 3, "closedwon", "CRM"],
        ],
    }  # fmt: skip

    derived = derive("deals", payload)

    assert told(derived) == [
        ("opportunity_created", T),
        ("opportunity_stage_changed", T + 1),
        ("quote_sent", T + 2),
        ("contracted", T + 3),
        ("opportunity_won", T + 3),
    ]
    assert {(event.amount_e4, event.currency) for event in derived.events} == {(15_005_000, "USD")}
    deal = key("deals", "1")
    assert {(link.kind, link.source, link.target) for link in derived.links} == {
        ("party", key("contacts", "7"), deal),
        ("owned", deal, key("companies", "11")),
    }


def test_a_lost_deal_carries_its_reason() -> None:
    """As sales gave it."""
    payload = {
        "closed_lost_reason": "price",
        "history.dealstage": [[T, "qualifiedtobuy", "C"], [T + 1, "closedlost", "C"]],
    }

    assert [(event.kind, event.reason) for event in derive("deals", payload).events] == [("opportunity_lost", "price")]


def test_a_lead_object_is_its_contact_and_tells_of_it() -> None:
    """Its pipeline stages accept and reject."""
    payload = {
        "createdate": ISO, "associations.contacts": ["7"],
        "history.hs_pipeline_stage": [[T, "new-stage-id", "C"], [T + 1, "connected-stage-id", "C"]],
    }  # fmt: skip

    derived = derive("leads", payload)

    assert told(derived) == [("lead_created", T), ("lead_accepted", T + 1)]
    assert {event.subject for event in derived.events} == {key("contacts", "7")}
    assert [(link.kind, link.target) for link in derived.links] == [("same", key("contacts", "7"))]


@pytest.mark.parametrize(
    ("object_", "fields", "kind"),
    [
        ("calls", {"hs_call_status": "COMPLETED"}, "call_made"),
        ("meetings", {"hs_meeting_outcome": "COMPLETED"}, "meeting_held"),
        ("meetings", {"hs_meeting_outcome": None}, "meeting_held"),
        ("emails", {"hs_email_direction": "EMAIL", "hs_email_status": "SENT"}, "mail_sent"),
        ("notes", {}, "note_added"),
        ("tasks", {"hs_task_status": "COMPLETED"}, "task_done"),
    ],
)
def test_an_engagement_is_told_of_each_of_its_contacts(object_: str, fields: dict[str, Any], kind: str) -> None:
    """Once for each, with the engagement as origin."""
    derived = derive(object_, {"hs_timestamp": ISO, "associations.contacts": ["7", "8"], **fields})

    assert told(derived) == [(kind, T), (kind, T)]
    assert {event.subject for event in derived.events} == {key("contacts", "7"), key("contacts", "8")}
    assert {event.origin for event in derived.events} == {key(object_, "1")}


@pytest.mark.parametrize(
    ("object_", "fields"),
    [
        ("calls", {"hs_call_status": "NO_ANSWER"}),
        ("meetings", {"hs_meeting_outcome": "SCHEDULED"}),
        ("meetings", {"hs_meeting_outcome": "NO_SHOW"}),
        ("emails", {"hs_email_direction": "INCOMING_EMAIL"}),
        ("tasks", {"hs_task_status": "NOT_STARTED"}),
    ],
)
def test_an_engagement_that_did_not_take_place_tells_nothing(object_: str, fields: dict[str, Any]) -> None:
    """Planned, missed and received ones are not the seller's doing."""
    assert derive(object_, {"hs_timestamp": ISO, "associations.contacts": ["7"], **fields}).events == []


def test_an_opt_out_is_a_change_of_consent() -> None:
    """Between the two versions."""
    change = FieldChange("hs_email_optout", None, "true", T, T + HOUR)

    [event] = derive("contacts", {"hs_email_optout": "true"}, change).events

    assert (event.kind, event.after, event.since, event.at) == ("consent_changed", "true", T, T + HOUR)
