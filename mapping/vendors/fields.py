"""What is read of each vendor object: fields, histories, associations, and the fields that tell of no change.

Salesforce names are those of the Object Reference, HubSpot's those of the default properties, Vitally's those of its
REST API pages (Accounts, Users, NPS responses). Objects stand in the order in which they are polled: parents first.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True, slots=True)
class ObjectFields:
    """What is asked for of one object.

    `histories` are HubSpot properties read with their history; `associations` are the HubSpot objects whose ids are
    read along. A change of `volatile` fields alone is no change. `canonical_id` is the field into which the canonical
    id is written by default.
    """

    fields: tuple[str, ...]
    histories: tuple[str, ...] = ()
    associations: tuple[str, ...] = ()
    volatile: frozenset[str] = frozenset()
    canonical_id: str | None = None


def _salesforce(
    *fields: str, stamp: str = "SystemModstamp", canonical: bool = False, deletable: bool = True
) -> ObjectFields:
    always = ("Id", stamp, "IsDeleted") if deletable else ("Id", stamp)
    return ObjectFields(
        fields=(*always, *fields),
        volatile=frozenset({"SystemModstamp", "LastModifiedDate"}),
        canonical_id="Canonical_Id__c" if canonical else None,
    )


SALESFORCE: dict[str, ObjectFields] = {
    "User": _salesforce("Name", "Email", "IsActive", "Department", deletable=False),
    "Account": _salesforce(
        "Name",
        "Website",
        "Industry",
        "NumberOfEmployees",
        "BillingCountry",
        "Phone",
        "OwnerId",
        "ParentId",
        "Type",
        "MasterRecordId",
        "Corporate_Number__c",
        "CreatedDate",
        canonical=True,
    ),
    "Contact": _salesforce(
        "AccountId",
        "Email",
        "FirstName",
        "LastName",
        "Name",
        "Title",
        "Phone",
        "LeadSource",
        "OwnerId",
        "HasOptedOutOfEmail",
        "MasterRecordId",
        "CreatedDate",
        canonical=True,
    ),
    "Lead": _salesforce(
        "Email",
        "FirstName",
        "LastName",
        "Name",
        "Company",
        "Title",
        "Phone",
        "Website",
        "Country",
        "Industry",
        "NumberOfEmployees",
        "LeadSource",
        "Status",
        "Rejection_Reason__c",
        "OwnerId",
        "IsConverted",
        "ConvertedDate",
        "ConvertedAccountId",
        "ConvertedContactId",
        "ConvertedOpportunityId",
        "HasOptedOutOfEmail",
        "MasterRecordId",
        "CreatedDate",
        canonical=True,
    ),
    "Opportunity": _salesforce(
        "Name",
        "AccountId",
        "StageName",
        "Amount",
        "CloseDate",
        "IsClosed",
        "IsWon",
        "Type",
        "LeadSource",
        "Loss_Reason__c",
        "OwnerId",
        "CreatedDate",
        canonical=True,
    ),
    "OpportunityContactRole": _salesforce("OpportunityId", "ContactId", "Role", "IsPrimary", "CreatedDate"),
    "OpportunityHistory": _salesforce(
        "OpportunityId", "StageName", "Amount", "Probability", "CloseDate", "CreatedById", stamp="CreatedDate"
    ),
    "LeadHistory": _salesforce("LeadId", "Field", "OldValue", "NewValue", "CreatedById", stamp="CreatedDate"),
    "Campaign": _salesforce("Name", "Type", "Status", "StartDate"),
    "CampaignMember": _salesforce(
        "CampaignId", "LeadId", "ContactId", "Status", "HasResponded", "FirstRespondedDate", "CreatedDate"
    ),
    "Task": _salesforce(
        "WhoId",
        "WhatId",
        "Subject",
        "TaskSubtype",
        "Status",
        "ActivityDate",
        "CompletedDateTime",
        "CallDisposition",
        "OwnerId",
    ),
    "Event": _salesforce("WhoId", "WhatId", "Subject", "StartDateTime", "EndDateTime", "EventSubtype", "OwnerId"),
}


def _hubspot(
    *fields: str,
    histories: tuple[str, ...] = (),
    associations: tuple[str, ...] = (),
    stamp: str = "hs_lastmodifieddate",
    canonical: bool = False,
) -> ObjectFields:
    return ObjectFields(
        fields=(*fields, *(name for name in histories if name not in fields), stamp),
        histories=histories,
        associations=associations,
        volatile=frozenset({"hs_lastmodifieddate", "lastmodifieddate", "updatedAt"}),
        canonical_id="canonical_id" if canonical else None,
    )


HUBSPOT: dict[str, ObjectFields] = {
    "owners": ObjectFields(
        fields=("id", "email", "firstName", "lastName", "userId", "archived", "createdAt"),
        volatile=frozenset({"updatedAt"}),
    ),
    "pipelines": ObjectFields(
        fields=("id", "label", "displayOrder", "stages", "archived", "createdAt"), volatile=frozenset({"updatedAt"})
    ),
    "companies": _hubspot(
        "name",
        "domain",
        "hs_additional_domains",
        "industry",
        "numberofemployees",
        "country",
        "phone",
        "hubspot_owner_id",
        "lifecyclestage",
        "hs_merged_object_ids",
        "createdate",
        canonical=True,
    ),
    "contacts": _hubspot(
        "email",
        "hs_additional_emails",
        "firstname",
        "lastname",
        "company",
        "jobtitle",
        "phone",
        "country",
        "industry",
        "numberofemployees",
        "website",
        "hubspot_owner_id",
        "lifecyclestage",
        "hs_lead_status",
        "num_conversion_events",
        "first_conversion_date",
        "first_conversion_event_name",
        "recent_conversion_date",
        "recent_conversion_event_name",
        "hs_email_open",
        "hs_email_first_open_date",
        "hs_email_last_open_date",
        "hs_email_click",
        "hs_email_first_click_date",
        "hs_email_last_click_date",
        "hs_analytics_num_page_views",
        "hs_analytics_num_visits",
        "hs_analytics_last_visit_timestamp",
        "hs_analytics_source",
        "hs_latest_source",
        "hs_email_optout",
        "hs_merged_object_ids",
        "hs_object_id",
        "createdate",
        histories=(
            "lifecyclestage",
            "hs_lead_status",
            "recent_conversion_date",
            "recent_conversion_event_name",
            "hs_email_last_open_date",
            "hs_email_last_click_date",
            "hs_analytics_num_page_views",
            "hs_analytics_num_visits",
        ),
        associations=("companies",),
        stamp="lastmodifieddate",
        canonical=True,
    ),
    "deals": _hubspot(
        "dealname",
        "dealstage",
        "pipeline",
        "amount",
        "deal_currency_code",
        "closedate",
        "dealtype",
        "closed_lost_reason",
        "hs_is_closed_won",
        "hs_is_closed",
        "hubspot_owner_id",
        "createdate",
        histories=("dealstage",),
        associations=("contacts", "companies"),
        canonical=True,
    ),
    "leads": _hubspot(
        "hs_lead_name",
        "hs_lead_type",
        "hs_lead_label",
        "hs_pipeline",
        "hs_pipeline_stage",
        "hubspot_owner_id",
        "createdate",
        histories=("hs_pipeline_stage",),
        associations=("contacts",),
    ),
    "calls": _hubspot(
        "hs_timestamp",
        "hs_call_title",
        "hs_call_disposition",
        "hs_call_status",
        "hs_call_duration",
        "hubspot_owner_id",
        associations=("contacts",),
    ),
    "meetings": _hubspot(
        "hs_timestamp",
        "hs_meeting_title",
        "hs_meeting_start_time",
        "hs_meeting_outcome",
        "hubspot_owner_id",
        associations=("contacts",),
    ),
    "emails": _hubspot(
        "hs_timestamp",
        "hs_email_subject",
        "hs_email_direction",
        "hs_email_status",
        "hubspot_owner_id",
        associations=("contacts",),
    ),
    "notes": _hubspot("hs_timestamp", "hubspot_owner_id", associations=("contacts",)),
    "tasks": _hubspot(
        "hs_timestamp",
        "hs_task_subject",
        "hs_task_status",
        "hs_task_completion_date",
        "hubspot_owner_id",
        associations=("contacts",),
    ),
}

VITALLY: dict[str, ObjectFields] = {
    "accounts": ObjectFields(
        fields=(
            "id",
            "externalId",
            "name",
            "createdAt",
            "updatedAt",
            "churnedAt",
            "healthScore",
            "mrr",
            "nextRenewalDate",
            "npsScore",
            "csmId",
            "traits.onboarding_started_at",
            "traits.onboarded_at",
            "traits.contracted_at",
            "traits.renewed_at",
            "traits.churn_reason",
            "traits.arr",
            "traits.currency",
            "traits.risk_raised_at",
            "traits.risk_reason",
        ),
        volatile=frozenset({"updatedAt"}),
        canonical_id="traits.canonical_id",
    ),
    "users": ObjectFields(
        fields=("id", "externalId", "name", "email", "accounts", "createdAt", "updatedAt", "lastSeenTimestamp"),
        volatile=frozenset({"updatedAt"}),
        canonical_id="traits.canonical_id",
    ),
    "npsResponses": ObjectFields(
        fields=("id", "userId", "accountId", "score", "respondedAt", "updatedAt"), volatile=frozenset({"updatedAt"})
    ),
}

VENDORS = {"salesforce": SALESFORCE, "hubspot": HUBSPOT, "vitally": VITALLY}
