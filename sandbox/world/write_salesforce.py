"""A company's life as Salesforce has it: leads, accounts, contacts, opportunities, histories, campaigns, activities."""

from __future__ import annotations

from bisect import bisect_left
from typing import TYPE_CHECKING, Any, Final

from sandbox.ids import salesforce_id
from sandbox.world.dice import happens, one_of
from sandbox.world.ledger import day, stamp
from sandbox.world.marketing import DAY_MS, DOWNLOAD, FORM, HOUR_MS, OPEN, SHOW, WEBINAR
from sandbox.world.names import full_width
from sandbox.world.sales import ACCEPTED, CALL, CONVERTED, MAIL, MEETING, NOTE, RECYCLED, REJECTED
from sandbox.world.staff import MARKETING

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.ledger import Ledger
    from sandbox.world.life import Life, Part
    from sandbox.world.marketing import Campaign
    from sandbox.world.people import Person
    from sandbox.world.sales import Activity, Sale
    from sandbox.world.staff import Employee, Staff

_CANONICAL: Final[dict[str, Any]] = dict.fromkeys(
    ("Canonical_Stage__c", "Canonical_Score__c", "Canonical_Stage_At__c", "Canonical_Id__c"),
)
_STATUS: Final = {
    ACCEPTED: "Working - Contacted",
    REJECTED: "Closed - Not Converted",
    RECYCLED: "Nurturing",
    CONVERTED: "Closed - Converted",
}
_COMPANY_FORMS: Final = (("whole", 0.6), ("short", 0.25), ("typed", 0.15))
_OPEN: Final = "Open - Not Contacted"
_STAGES: Final = (
    ("Qualification", 10, "Pipeline"),
    ("Needs Analysis", 20, "Pipeline"),
    ("Value Proposition", 50, "Pipeline"),
    ("Proposal/Price Quote", 75, "BestCase"),
    ("Negotiation/Review", 90, "BestCase"),
)
_CAMPAIGN_NUMBERS_FROM: Final = 1
_RESPONSES: Final = {WEBINAR: "Attended", SHOW: "Responded", DOWNLOAD: "Responded", FORM: "Responded"}


class SalesforceWriter:
    """Writes what Salesforce knows of one life after another."""

    def __init__(self, rng: Random, ledger: Ledger, staff: Staff, *, now_ms: int) -> None:
        self._rng = rng
        self._ledger = ledger
        self._staff = staff
        self._now_ms = now_ms
        self._integration = staff.employees[0].user_id
        self._mailings: list[Campaign] = []

    def users(self, created: int) -> None:
        """The employees are users."""
        for employee in self._staff.employees:
            body = {
                "Username": employee.email,
                "FirstName": employee.first_name,
                "LastName": employee.last_name,
                "Name": employee.name,
                "Email": employee.email,
                "IsActive": employee.is_active,
                "Department": employee.department,
                "Alias": employee.email[:8],
                "UserType": "Standard",
            }
            # Users cannot be deleted, so they have no IsDeleted.
            self._ledger.salesforce("User", employee.user_id, created, created, body, by=self._integration)

    def campaigns(self, campaigns: list[Campaign]) -> None:
        """The campaigns are there, in the order of their numbers."""
        self._mailings = [campaign for campaign in campaigns if campaign.kind == OPEN]
        for campaign in campaigns:
            created = campaign.starts_at - 14 * DAY_MS
            is_over = campaign.starts_at + 7 * DAY_MS < self._now_ms
            owner = self._staff.of(MARKETING, campaign.number).user_id
            body = {
                "Name": campaign.name,
                "Type": campaign.type,
                "Status": "Completed" if is_over else "In Progress",
                "StartDate": day(campaign.starts_at),
                "EndDate": day(campaign.starts_at + 7 * DAY_MS),
                "IsActive": not is_over,
                "OwnerId": owner,
            }
            modified = campaign.starts_at + 7 * DAY_MS if is_over else created
            self._ledger.salesforce("Campaign", _campaign_id(campaign.number), created, modified, body, by=owner)

    def life(self, life: Life) -> str | None:
        """One company and its people are there, unless sales works them in HubSpot; returns the account's id."""
        if life.company.is_sold_in_hubspot:
            return None
        account_id = self._account(life)
        opportunity_ids: dict[int, str] = {}
        for sale in self._sales(life):
            opportunity_ids[sale.number] = self._ledger.salesforce_id("Opportunity")
        for part in life.parts:
            self._person(life, part, account_id, opportunity_ids)
        contact_ids = {part.person.number: part.contact_id for part in life.parts}
        for sale in self._sales(life):
            self._opportunity(sale, opportunity_ids[sale.number], account_id, contact_ids)
        return account_id

    @staticmethod
    def _sales(life: Life) -> list[Sale]:
        return life.sales + (life.customer.sales if life.customer else [])

    def _account(self, life: Life) -> str | None:
        company, rng = life.company, self._rng
        converted = [part.course.converted_at for part in life.parts if part.course and part.course.converted_at]
        is_target = happens(rng, 0.25) and company.number > 0
        if not converted and not is_target and not any(part.is_direct_contact for part in life.parts):
            return None
        created = min([*converted, *([company.starts_at] if is_target or not converted else [])])
        owner = self._owner(life)
        account_id = self._ledger.salesforce_id("Account")
        modified = max([created, *(sale.closed_at or sale.created_at for sale in self._sales(life))])
        body = {
            "MasterRecordId": None,
            "Name": company.name,
            "Type": "Customer - Direct" if life.customer else "Prospect",
            "ParentId": None,
            "BillingCountry": company.country,
            "Phone": company.phone,
            "Website": None if happens(rng, 0.05) else f"https://www.{company.domain}",
            "Industry": company.industry,
            "NumberOfEmployees": company.employees,
            "OwnerId": owner.user_id,
            "Corporate_Number__c": company.corporate_number if happens(rng, 0.7) else None,
            **_CANONICAL,
        }
        self._ledger.salesforce("Account", account_id, created, modified, body, by=owner.user_id)
        self._ledger.truth("account", life.entity, "salesforce", "Account", account_id)
        if happens(rng, 0.02):
            loser = self._ledger.salesforce_id("Account")
            merged_at = min(created + 20 * DAY_MS, self._now_ms - HOUR_MS)
            again = body | {"MasterRecordId": account_id, "Name": company.short_name, "Corporate_Number__c": None}
            self._ledger.salesforce("Account", loser, created, merged_at, again, by=owner.user_id, is_deleted=True)
            self._ledger.truth("account", life.entity, "salesforce", "Account", loser)
        return account_id

    def _owner(self, life: Life) -> Employee:
        return self._staff.of("Field Sales", life.company.number)

    def _person(self, life: Life, part: Part, account_id: str | None, opportunity_ids: dict[int, str]) -> None:
        course = part.course
        if course is None:
            if part.is_direct_contact and account_id is not None:
                created = max(part.person.starts_at, life.customer.contracted_at if life.customer else 0)
                self._contact(part, account_id, min(created, self._now_ms - HOUR_MS), self._owner(life), None)
            return
        lead_id = part.lead_id = self._ledger.salesforce_id("Lead")
        converted_at = course.converted_at
        if converted_at is not None and account_id is not None:
            self._contact(part, account_id, converted_at, self._owner(life), part.interest.channel)
        opportunity_id = opportunity_ids[part.sale.number] if part.sale else None
        assigned_at = min(course.created_at + 30_000 + int(self._rng.random() * 300_000), self._now_ms - 1000)
        self._lead(part, lead_id, account_id, opportunity_id, assigned_at)
        self._lead_history(part, lead_id, assigned_at)
        self._memberships(part, lead_id)
        for activity in course.activities:
            if activity.kind in {CALL, MEETING} or (activity.kind in {MAIL, NOTE} and not part.is_in_hubspot):
                is_later = converted_at is not None and activity.at > converted_at
                self._activity(activity, part.contact_id or lead_id, opportunity_id if is_later else None)

    def _lead(
        self, part: Part, lead_id: str, account_id: str | None, opportunity_id: str | None, assigned_at: int
    ) -> None:
        person, course, rng = part.person, part.course, self._rng
        assert course is not None
        company = person.company
        status, reason = _OPEN, None
        for step in course.steps:
            status, reason = _STATUS[step.kind], step.reason
        is_converted = course.converted_at is not None
        last = max([assigned_at, *(step.at for step in course.steps)])
        body = self._named(person) | {
            "MasterRecordId": None,
            "Title": person.title,
            "Company": self._company_name(person),
            "Email": person.salesforce_email,
            "Website": company.domain if happens(rng, 0.6) else None,
            "Country": company.country,
            "Industry": company.industry,
            "NumberOfEmployees": company.employees if happens(rng, 0.93) or company.number == 0 else None,
            "LeadSource": part.interest.channel,
            "Status": status,
            "Rejection_Reason__c": reason,
            "OwnerId": course.owner.user_id,
            "HasOptedOutOfEmail": person.is_opted_out,
            "IsConverted": is_converted,
            "ConvertedDate": day(course.converted_at) if course.converted_at is not None else None,
            "ConvertedAccountId": account_id if is_converted else None,
            "ConvertedContactId": part.contact_id,
            "ConvertedOpportunityId": opportunity_id,
            **_CANONICAL,
        }
        is_deleted = person.quirk == "deleted" and not is_converted
        self._ledger.salesforce(
            "Lead", lead_id, course.created_at, last, body, by=course.owner.user_id, is_deleted=is_deleted
        )
        self._known(person, "Lead", lead_id)
        if person.quirk == "salesforce_merge":
            loser = self._ledger.salesforce_id("Lead")
            merged_at = min(course.created_at + 3 * DAY_MS, self._now_ms - HOUR_MS)
            again = body | dict.fromkeys(("ConvertedDate", "ConvertedAccountId", "ConvertedContactId"))
            again |= {
                "MasterRecordId": lead_id,
                "Status": _OPEN,
                "Rejection_Reason__c": None,
                "IsConverted": False,
                "ConvertedOpportunityId": None,
                "Email": person.salesforce_email.replace("@", ".dup@"),
            }
            created = course.created_at - HOUR_MS
            self._ledger.salesforce("Lead", loser, created, merged_at, again, by=self._integration, is_deleted=True)
            self._known(person, "Lead", loser)

    def _contact(self, part: Part, account_id: str, created: int, owner: Employee, source: str | None) -> None:
        person = part.person
        part.contact_id = self._ledger.salesforce_id("Contact")
        body = self._named(person) | {
            "MasterRecordId": None,
            "AccountId": account_id,
            "Email": person.contact_email,
            "Title": person.title,
            "LeadSource": source,
            "OwnerId": owner.user_id,
            "HasOptedOutOfEmail": person.is_opted_out,
            **_CANONICAL,
        }
        self._ledger.salesforce("Contact", part.contact_id, created, created, body, by=owner.user_id)
        self._known(person, "Contact", part.contact_id)

    def _named(self, person: Person) -> dict[str, Any]:
        is_wide = person.quirk == "full_width"
        return {
            "LastName": full_width(person.family) if is_wide else person.family,
            "FirstName": full_width(person.given) if is_wide else person.given,
            "Name": full_width(person.full_name) if is_wide else person.full_name,
            "Phone": full_width(person.phone) if is_wide else person.phone,
        }

    def _company_name(self, person: Person) -> str:
        company, form = person.company, one_of(self._rng, _COMPANY_FORMS)
        if company.number == 0 or form == "whole":
            return full_width(company.name) if person.quirk == "full_width" else company.name
        if form == "short":
            return company.short_name
        return f"(株){company.short_name}" if company.is_japanese else company.short_name.upper()

    def _known(self, person: Person, object_: str, id_: str) -> None:
        self._ledger.truth("person", person.entity, "salesforce", object_, id_)

    def _lead_history(self, part: Part, lead_id: str, assigned_at: int) -> None:
        course = part.course
        assert course is not None
        owner, queue = course.owner.user_id, self._staff.of(MARKETING, part.person.number).user_id
        self._history(lead_id, course.created_at, "created", None, None, by=queue)
        self._history(lead_id, assigned_at, "Owner", queue, owner, by=self._integration)
        status = _OPEN
        for step in course.steps:
            after = _STATUS[step.kind]
            if after != status:
                self._history(lead_id, step.at, "Status", status, after, by=owner)
            if step.kind == CONVERTED:
                self._history(lead_id, step.at, "leadConverted", None, None, by=owner)
            status = after

    def _history(self, lead_id: str, at: int, field: str, before: str | None, after: str | None, *, by: str) -> None:
        body = {"LeadId": lead_id, "Field": field, "DataType": "Text", "OldValue": before, "NewValue": after}
        self._ledger.salesforce_history("LeadHistory", self._ledger.salesforce_id("LeadHistory"), at, body, by=by)

    def _memberships(self, part: Part, lead_id: str) -> None:
        """One membership for each campaign that the person answered; marketing carries it over within the hour."""
        course = part.course
        assert course is not None
        seen: list[int] = []
        for touch in part.interest.touches:
            if touch.campaign < 0 or touch.campaign in seen or touch.kind not in _RESPONSES:
                continue
            seen.append(touch.campaign)
            created = max(touch.at, course.created_at) + HOUR_MS // 2
            self._membership(part, lead_id, touch.campaign, created, _RESPONSES[touch.kind], responded=day(touch.at))
        since = bisect_left(self._mailings, course.created_at, key=lambda campaign: campaign.starts_at)
        for mailing in self._mailings[since : since + 1]:
            if mailing.starts_at < self._now_ms and happens(self._rng, 0.5):
                self._membership(part, lead_id, mailing.number, mailing.starts_at, "Sent", responded=None)

    def _membership(
        self, part: Part, lead_id: str, campaign: int, created: int, status: str, *, responded: str | None
    ) -> None:
        created = min(created, self._now_ms - 1000)
        body = {
            "CampaignId": _campaign_id(campaign),
            "LeadId": lead_id,
            "ContactId": part.contact_id,
            "Status": status,
            "HasResponded": responded is not None,
            "FirstRespondedDate": responded,
        }
        id_ = self._ledger.salesforce_id("CampaignMember")
        self._ledger.salesforce("CampaignMember", id_, created, created, body, by=self._integration)

    def _activity(self, activity: Activity, who_id: str, what_id: str | None) -> None:
        owner = activity.owner.user_id
        at = activity.at
        if activity.kind == MEETING:
            body = {
                "WhoId": who_id,
                "WhatId": what_id,
                "Subject": "Meeting",
                "StartDateTime": stamp(at),
                "EndDateTime": stamp(at + HOUR_MS),
                "ActivityDateTime": stamp(at),
                "ActivityDate": day(at),
                "DurationInMinutes": 60,
                "EventSubtype": "Event",
                "OwnerId": owner,
            }
            created = at - DAY_MS
            self._ledger.salesforce("Event", self._ledger.salesforce_id("Event"), created, at, body, by=owner)
            return
        is_call = activity.kind == CALL
        body = {
            "WhoId": who_id,
            "WhatId": what_id,
            "Subject": {CALL: "Call", MAIL: "Email: next steps"}.get(activity.kind, "Write up"),
            "TaskSubtype": {CALL: "Call", MAIL: "Email"}.get(activity.kind, "Task"),
            "Status": "Completed",
            "Priority": "Normal",
            "ActivityDate": day(at),
            "CompletedDateTime": stamp(at),
            "IsClosed": True,
            "CallDisposition": ("Connected" if activity.is_reached else "No Answer") if is_call else None,
            "CallDurationInSeconds": (300 if activity.is_reached else 0) if is_call else None,
            "OwnerId": owner,
        }
        self._ledger.salesforce("Task", self._ledger.salesforce_id("Task"), at, at, body, by=owner)

    def _opportunity(
        self, sale: Sale, opportunity_id: str, account_id: str | None, contact_ids: dict[int, str | None]
    ) -> None:
        owner = sale.owner.user_id
        amount = float(sale.amount)
        close_day = day(sale.closed_at if sale.closed_at is not None else sale.due_at)
        moves = [(at, *_STAGES[stage]) for at, stage in sale.moves]
        if sale.closed_at is not None:
            won = ("Closed Won", 100, "Closed") if sale.is_won else ("Closed Lost", 0, "Omitted")
            moves.append((sale.closed_at, *won))
        for place, (at, stage, probability, forecast) in enumerate(moves):
            row = {
                "OpportunityId": opportunity_id,
                "StageName": stage,
                # The first figure is a guess that the proposal corrects.
                "Amount": amount if place or len(moves) == 1 else amount / 2,
                "ExpectedRevenue": amount * probability / 100,
                "Probability": float(probability),
                "CloseDate": close_day if place + 1 == len(moves) else day(sale.due_at),
                "ForecastCategory": forecast,
                "SystemModstamp": stamp(at),
            }
            history_id = self._ledger.salesforce_id("OpportunityHistory")
            self._ledger.salesforce_history("OpportunityHistory", history_id, at, row, by=owner)
        modified, stage, probability, forecast = moves[-1]
        body = {
            "Name": f"{sale.company.short_name} - {sale.type}",
            "AccountId": account_id,
            "StageName": stage,
            "Amount": amount,
            "Probability": float(probability),
            "ExpectedRevenue": amount * probability / 100,
            "CloseDate": close_day,
            "IsClosed": sale.closed_at is not None,
            "IsWon": sale.is_won,
            "Type": sale.type,
            "LeadSource": sale.channel,
            "ForecastCategory": forecast,
            "Loss_Reason__c": sale.loss_reason,
            "LastStageChangeDate": stamp(modified),
            "OwnerId": owner,
            **_CANONICAL,
        }
        self._ledger.salesforce("Opportunity", opportunity_id, sale.created_at, modified, body, by=owner)
        self._ledger.truth("opportunity", sale.entity, "salesforce", "Opportunity", opportunity_id)
        for party in sale.parties:
            contact_id = contact_ids.get(party.person.number)
            if contact_id is not None:
                row = {
                    "OpportunityId": opportunity_id,
                    "ContactId": contact_id,
                    "Role": party.role,
                    "IsPrimary": party.is_primary,
                }
                role_id = self._ledger.salesforce_id("OpportunityContactRole")
                self._ledger.salesforce("OpportunityContactRole", role_id, party.since, party.since, row, by=owner)


def _campaign_id(number: int) -> str:
    return salesforce_id("Campaign", number + _CAMPAIGN_NUMBERS_FROM)
