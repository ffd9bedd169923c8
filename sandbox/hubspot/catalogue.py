"""The objects, properties, pipelines and association types that an account has before anyone adds to them.

Property names, types and options are those of HubSpot's default properties; association type ids of contacts,
companies and deals as observed (279, 280, 1 to 6, 341, 342), of leads and engagements as the Associations guide lists
them; read 2026-11-21. The canonical properties are those that headrace writes.
"""

from __future__ import annotations

from typing import Final, NamedTuple

TYPE_IDS: Final = {
    "contacts": "0-1",
    "companies": "0-2",
    "deals": "0-3",
    "leads": "0-136",
    "calls": "0-48",
    "meetings": "0-47",
    "emails": "0-49",
    "notes": "0-46",
    "tasks": "0-27",
}
SINGULAR: Final = {
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "leads": "lead",
    "calls": "call",
    "meetings": "meeting",
    "emails": "email",
    "notes": "note",
    "tasks": "task",
}
OBJECTS: Final = tuple(TYPE_IDS)
ENGAGEMENTS: Final = frozenset({"calls", "meetings", "emails", "notes", "tasks"})
OBJECT_NAMES: Final = {
    **{name: name for name in OBJECTS},
    **{singular: name for name, singular in SINGULAR.items()},
    **{type_id: name for name, type_id in TYPE_IDS.items()},
}
"""Every way to name an object in a path, and its plural."""

DEFAULTS: Final = {
    "contacts": ("createdate", "email", "firstname", "hs_object_id", "lastmodifieddate", "lastname"),
    "companies": ("createdate", "domain", "hs_lastmodifieddate", "hs_object_id", "name"),
    "deals": (
        "amount",
        "closedate",
        "createdate",
        "dealname",
        "dealstage",
        "hs_lastmodifieddate",
        "hs_object_id",
        "pipeline",
    ),
}
"""The properties that come without being asked for."""
OTHER_DEFAULTS: Final = ("hs_createdate", "hs_lastmodifieddate", "hs_object_id")

SEARCHED_TEXT: Final = {
    "contacts": ("firstname", "lastname", "email", "phone", "hs_additional_emails", "company"),
    "companies": ("name", "domain", "website", "phone"),
    "deals": ("dealname", "pipeline", "dealstage", "description"),
    "leads": ("hs_lead_name", "hs_lead_type"),
}
"""The properties that a search's `query` looks into."""

LIFECYCLE: Final = (
    "subscriber|Subscriber lead|Lead marketingqualifiedlead|Marketing_Qualified_Lead"
    " salesqualifiedlead|Sales_Qualified_Lead opportunity|Opportunity customer|Customer evangelist|Evangelist"
    " other|Other"
)
CANONICAL_STAGES: Final = (
    "inquiry|Inquiry mql|MQL sal|SAL sql|SQL closed_won|Closed_won closed_lost|Closed_lost onboarding|Onboarding"
    " adopted|Adopted renewal|Renewal churned|Churned"
)
OPTIONS: Final = {
    "lifecycle": LIFECYCLE,
    "leadstatus": (
        "NEW|New OPEN|Open IN_PROGRESS|In_Progress OPEN_DEAL|Open_Deal UNQUALIFIED|Unqualified"
        " ATTEMPTED_TO_CONTACT|Attempted_to_Contact CONNECTED|Connected BAD_TIMING|Bad_Timing"
    ),
    "sources": (
        "ORGANIC_SEARCH PAID_SEARCH EMAIL_MARKETING SOCIAL_MEDIA REFERRALS OTHER_CAMPAIGNS DIRECT_TRAFFIC OFFLINE"
        " PAID_SOCIAL"
    ),
    "boolean": "true|True false|False",
    "dealtype": "newbusiness|New_Business existingbusiness|Existing_Business",
    "leadtype": "NEW_BUSINESS|New_business RE_ATTEMPT|Re-attempt UPSELL|Upsell RENEWAL|Renewal",
    "leadlabel": "WARM|Warm HOT|Hot COLD|Cold",
    "callstatus": (
        "BUSY CALLING_CRM_USER CANCELED COMPLETED CONNECTING FAILED IN_PROGRESS MISSED NO_ANSWER QUEUED RINGING"
    ),
    "outcome": "SCHEDULED|Scheduled COMPLETED|Completed RESCHEDULED|Rescheduled NO_SHOW|No_Show CANCELED|Canceled",
    "direction": "EMAIL|Email INCOMING_EMAIL|Incoming_Email FORWARDED_EMAIL|Forwarded_Email DRAFT_EMAIL|Draft_Email",
    "emailstatus": "BOUNCED FAILED SCHEDULED SENDING SENT",
    "taskstatus": (
        "NOT_STARTED|Not_started IN_PROGRESS|In_progress WAITING|Waiting COMPLETED|Completed DEFERRED|Deferred"
    ),
    "canonical": CANONICAL_STAGES,
    "pipelines": "",
    "owners": "",
}
"""Options as `value|Label_with_underscores`, in their order; empty where they live elsewhere."""

_EVERYWHERE = """
hs_object_id Record_ID number number ro
hs_createdate Object_create_date/time datetime date ro
hs_lastmodifieddate Last_modified_date datetime date ro
createdate Create_date datetime date ro
hs_merged_object_ids Merged_record_IDs enumeration checkbox ro external
hs_object_source Record_source enumeration select ro external
hs_object_source_label Record_source_label string text ro
hs_object_source_id Record_source_ID string text ro
hubspot_owner_id Owner enumeration select external owners
hubspot_owner_assigneddate Owner_assigned_date datetime date ro
"""
_CANONICAL = """
canonical_stage Canonical_stage enumeration select canonical
canonical_score Canonical_score number number
canonical_stage_at Canonical_stage_since datetime date
canonical_id Canonical_ID string text
"""
PROPERTIES: Final = {
    "contacts": _EVERYWHERE
    + _CANONICAL
    + """
lastmodifieddate Last_modified_date datetime date ro
email Email string text
hs_additional_emails Additional_email_addresses enumeration checkbox ro external
hs_email_domain Email_domain string text ro
firstname First_name string text
lastname Last_name string text
company Company_name string text
jobtitle Job_title string text
phone Phone_number string phonenumber
mobilephone Mobile_phone_number string phonenumber
country Country/Region string text
city City string text
industry Industry string text
numberofemployees Number_of_employees number number
website Website_URL string text
lifecyclestage Lifecycle_stage enumeration radio lifecycle
hs_lead_status Lead_status enumeration radio leadstatus
num_conversion_events Number_of_form_submissions number number ro
num_unique_conversion_events Number_of_unique_forms_submitted number number ro
first_conversion_date First_conversion_date datetime date ro
first_conversion_event_name First_conversion string text ro
recent_conversion_date Recent_conversion_date datetime date ro
recent_conversion_event_name Recent_conversion string text ro
hs_email_delivered Marketing_emails_delivered number number ro
hs_email_open Marketing_emails_opened number number ro
hs_email_first_open_date First_marketing_email_open_date datetime date ro
hs_email_last_open_date Last_marketing_email_open_date datetime date ro
hs_email_click Marketing_emails_clicked number number ro
hs_email_first_click_date First_marketing_email_click_date datetime date ro
hs_email_last_click_date Last_marketing_email_click_date datetime date ro
hs_analytics_num_page_views Number_of_pageviews number number ro
hs_analytics_num_visits Number_of_sessions number number ro
hs_analytics_first_timestamp Time_first_seen datetime date ro
hs_analytics_last_timestamp Time_last_seen datetime date ro
hs_analytics_last_visit_timestamp Time_of_last_session datetime date ro
hs_analytics_source Original_traffic_source enumeration select sources ro
hs_latest_source Latest_traffic_source enumeration select sources ro
hs_email_optout Unsubscribed_from_all_email bool booleancheckbox boolean ro
hs_calculated_merged_vids Merged_contact_IDs_with_timestamps enumeration checkbox ro calc external
hubspotscore HubSpot_score number number ro calc
associatedcompanyid Primary_associated_company_ID number number
notes_last_contacted Last_contacted datetime date ro
""",
    "companies": _EVERYWHERE
    + _CANONICAL
    + """
name Company_name string text
domain Company_domain_name string text
hs_additional_domains Additional_domains enumeration checkbox ro external
industry Industry enumeration select external
numberofemployees Number_of_employees number number
annualrevenue Annual_revenue number number
country Country/Region string text
city City string text
phone Phone_number string phonenumber
website Website_URL string text
lifecyclestage Lifecycle_stage enumeration radio lifecycle
hs_lead_status Lead_status enumeration radio leadstatus
num_associated_contacts Number_of_associated_contacts number number ro calc
num_associated_deals Number_of_associated_deals number number ro calc
""",
    "deals": _EVERYWHERE
    + _CANONICAL
    + """
dealname Deal_name string text
dealstage Deal_stage enumeration radio external pipelines
pipeline Pipeline enumeration select external pipelines
amount Amount number number
deal_currency_code Currency enumeration select external
closedate Close_date datetime date
dealtype Deal_type enumeration radio dealtype
description Deal_description string textarea
closed_lost_reason Closed_lost_reason string textarea
closed_won_reason Closed_won_reason string textarea
hs_is_closed Is_deal_closed? bool calculation_equation boolean ro calc
hs_is_closed_won Is_closed_won bool calculation_equation boolean ro calc
hs_deal_stage_probability Deal_probability number number ro calc
""",
    "leads": _EVERYWHERE
    + """
hs_lead_name Lead_name string text
hs_lead_type Lead_type enumeration select leadtype
hs_lead_label Lead_label enumeration select leadlabel
hs_pipeline Pipeline enumeration select external pipelines
hs_pipeline_stage Pipeline_stage enumeration select external pipelines
hs_lead_disqualification_reason Disqualification_reason enumeration select external
""",
    "calls": _EVERYWHERE
    + """
hs_timestamp Activity_date datetime date
hs_call_title Call_title string text
hs_call_body Call_notes string html
hs_call_disposition Call_outcome enumeration select external
hs_call_status Call_status enumeration select callstatus
hs_call_duration Call_duration number number
hs_call_direction Call_direction enumeration select external
""",
    "meetings": _EVERYWHERE
    + """
hs_timestamp Activity_date datetime date
hs_meeting_title Meeting_name string text
hs_meeting_body Meeting_description string html
hs_meeting_start_time Meeting_start_time datetime date
hs_meeting_end_time Meeting_end_time datetime date
hs_meeting_outcome Meeting_outcome enumeration select outcome
""",
    "emails": _EVERYWHERE
    + """
hs_timestamp Activity_date datetime date
hs_email_subject Email_subject string text
hs_email_text Email_body string textarea
hs_email_direction Email_direction enumeration select direction
hs_email_status Email_send_status enumeration select emailstatus
""",
    "notes": _EVERYWHERE
    + """
hs_timestamp Activity_date datetime date
hs_note_body Note_body string html
""",
    "tasks": _EVERYWHERE
    + """
hs_timestamp Due_date datetime date
hs_task_subject Task_title string text
hs_task_body Task_notes string html
hs_task_status Task_status enumeration select taskstatus
hs_task_type Task_type enumeration select external
hs_task_completion_date Completed_at datetime date
""",
}
"""One property a line: name, label with underscores, type, field type, then flags and the name of its options."""

GROUPS: Final = {
    "contacts": "contactinformation|Contact_information",
    "companies": "companyinformation|Company_information",
    "deals": "dealinformation|Deal_information",
    "leads": "leadinformation|Lead_information",
}
CANONICAL_GROUP: Final = ("canonical", "Canonical stage")

DEAL_STAGES: Final = (
    ("appointmentscheduled", "Appointment Scheduled", "0.2"),
    ("qualifiedtobuy", "Qualified To Buy", "0.4"),
    ("presentationscheduled", "Presentation Scheduled", "0.6"),
    ("decisionmakerboughtin", "Decision Maker Bought-In", "0.8"),
    ("contractsent", "Contract Sent", "0.9"),
    ("closedwon", "Closed Won", "1.0"),
    ("closedlost", "Closed Lost", "0.0"),
)
LEAD_PIPELINE: Final = "lead-pipeline-id"
LEAD_STAGES: Final = (
    ("new-stage-id", "New", "NEW"),
    ("attempting-stage-id", "Attempting", "IN_PROGRESS"),
    ("connected-stage-id", "Connected", "IN_PROGRESS"),
    ("qualified-stage-id", "Qualified", "QUALIFIED"),
    ("unqualified-stage-id", "Disqualified", "UNQUALIFIED"),
)


class AssociationType(NamedTuple):
    """One way in which a record of one object can be associated with one of another."""

    type_id: int
    label: str | None
    category: str = "HUBSPOT_DEFINED"


_PAIRS: Final = (
    ("contacts", "companies", (1, 279), (2, 280)),
    ("deals", "contacts", (3,), (4,)),
    ("deals", "companies", (5, 341), (6, 342)),
    ("leads", "contacts", (578, 608), (579, 609)),
    ("leads", "companies", (610,), (611,)),
    ("calls", "contacts", (194,), (193,)),
    ("calls", "companies", (182,), (181,)),
    ("calls", "deals", (206,), (205,)),
    ("emails", "contacts", (198,), (197,)),
    ("emails", "companies", (186,), (185,)),
    ("emails", "deals", (210,), (209,)),
    ("meetings", "contacts", (200,), (199,)),
    ("meetings", "companies", (188,), (187,)),
    ("meetings", "deals", (212,), (211,)),
    ("notes", "contacts", (202,), (201,)),
    ("notes", "companies", (190,), (189,)),
    ("notes", "deals", (214,), (213,)),
    ("tasks", "contacts", (204,), (203,)),
    ("tasks", "companies", (192,), (191,)),
    ("tasks", "deals", (216,), (215,)),
    ("contacts", "contacts", (449,), (449,)),
)


def association_types() -> dict[tuple[str, str], list[AssociationType]]:
    """HubSpot's own association types of each pair of objects, the primary one first where there is one."""
    types: dict[tuple[str, str], list[AssociationType]] = {}
    for from_object, to_object, there, back in _PAIRS:
        for pair, ids in (((from_object, to_object), there), ((to_object, from_object), back)):
            has_primary = len(ids) > 1
            types[pair] = [
                AssociationType(type_id, "Primary" if has_primary and place == 0 else None)
                for place, type_id in enumerate(ids)
            ]
    return types


INVERSE: Final = {
    type_id: inverse
    for _, _, there, back in _PAIRS
    for type_id, inverse in (*zip(there, back), *zip(back, there))  # noqa: B905  # the pairs above are of one length
}
"""Each association type's id in the other direction."""

PRIMARY: Final = frozenset(ids[0] for _, _, *ways in _PAIRS for ids in ways if len(ids) > 1)
"""The types of primary associations: one company of a contact or a deal, one contact of a lead."""
