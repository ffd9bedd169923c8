"""A company's life as HubSpot has it: contacts with behaviour and its history, companies, deals, leads, engagements."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.world.dice import happens
from sandbox.world.ledger import iso
from sandbox.world.marketing import CLICK, DAY_MS, HOUR_MS, OPEN, SHOW, VIEW
from sandbox.world.names import full_width
from sandbox.world.sales import ACCEPTED, CALL, CONVERTED, MAIL, MEETING, NOTE, RECYCLED, REJECTED

if TYPE_CHECKING:
    from random import Random

    from sandbox.world.ledger import Ledger
    from sandbox.world.life import Life, Part
    from sandbox.world.marketing import Touch
    from sandbox.world.sales import Activity, Sale
    from sandbox.world.staff import Staff

Properties = dict[str, str | None]

_CANONICAL: Final[Properties] = dict.fromkeys(
    ("canonical_stage", "canonical_score", "canonical_stage_at", "canonical_id"),
)
_SOURCES: Final = {
    "Organic Search": "ORGANIC_SEARCH",
    "Paid Search": "PAID_SEARCH",
    "Webinar": "EMAIL_MARKETING",
    "Content": "SOCIAL_MEDIA",
    "Trade Show": "OFFLINE",
    "Referral": "REFERRALS",
    "Outbound": "OFFLINE",
}
_LEAD_STATUS: Final = {
    ACCEPTED: "IN_PROGRESS",
    REJECTED: "UNQUALIFIED",
    RECYCLED: "BAD_TIMING",
    CONVERTED: "OPEN_DEAL",
}
_LEAD_STAGES: Final = {
    ACCEPTED: "connected-stage-id",
    REJECTED: "unqualified-stage-id",
    CONVERTED: "qualified-stage-id",
}
_DEAL_STAGES: Final = (
    "appointmentscheduled",
    "qualifiedtobuy",
    "presentationscheduled",
    "decisionmakerboughtin",
    "contractsent",
)
_TYPES: Final = {
    "calls": (194, 193),
    "emails": (198, 197),
    "meetings": (200, 199),
    "notes": (202, 201),
    "tasks": (204, 203),
}
"""Association type ids of an engagement to a contact, there and back."""
_REACHED, _NOT_REACHED = "f240bbac-87c9-4f6e-bf70-924b57d47db7", "73a0d17f-1163-4015-bdd5-ec830791da20"
"""HubSpot's default call outcomes: connected, no answer."""
_STEP = "CRM_UI"


class HubSpotWriter:
    """Writes what HubSpot knows of one life after another."""

    def __init__(self, rng: Random, ledger: Ledger, staff: Staff, *, now_ms: int) -> None:
        self._rng = rng
        self._ledger = ledger
        self._staff = staff
        self._now_ms = now_ms

    def owners(self, created: int) -> None:
        """The employees are owners, but for the integration user."""
        for employee in self._staff.employees[1:]:
            body: dict[str, Any] = {
                "id": str(employee.owner_id),
                "email": employee.email,
                "type": "PERSON",
                "firstName": employee.first_name,
                "lastName": employee.last_name,
                "userId": 900_000 + employee.number if employee.is_active else None,
                "userIdIncludingInactive": 900_000 + employee.number,
                "createdAt": iso(created),
                "updatedAt": iso(created),
                "archived": not employee.is_active,
            }
            self._ledger.owner(employee.owner_id, created, body, archived=not employee.is_active)

    def life(self, life: Life) -> int | None:
        """One company and its people are there; returns the company's id."""
        parts = [part for part in life.parts if part.is_in_hubspot]
        if not parts and not life.company.is_sold_in_hubspot:
            return None
        company_id = self._company(life)
        for part in parts:
            part.hubspot_id = self._contact(life, part, company_id)
        if life.company.is_sold_in_hubspot:
            for sale in life.sales + (life.customer.sales if life.customer else []):
                self._deal(life, sale, company_id)
        return company_id

    def _company(self, life: Life) -> int:
        company, rng = life.company, self._rng
        id_ = self._ledger.number("companies")
        if life.customer is not None:
            stage, modified = "customer", life.customer.contracted_at
        elif life.sales:
            stage, modified = "opportunity", life.sales[-1].created_at
        else:
            stage, modified = "lead", company.starts_at
        is_short = happens(rng, 0.25) and company.number > 0
        self._ledger.hubspot(
            "companies",
            id_,
            company.starts_at,
            max(company.starts_at, modified),
            {
                "name": company.short_name if is_short else company.name,
                "domain": company.domain,
                "hs_additional_domains": None,
                "industry": company.industry,
                "numberofemployees": str(company.employees) if happens(rng, 0.9) or not company.number else None,
                "country": company.country,
                "phone": company.phone,
                "hubspot_owner_id": str(self._staff.of("Field Sales", company.number).owner_id),
                "lifecyclestage": stage,
                "hs_merged_object_ids": None,
                **_CANONICAL,
            },
        )
        self._ledger.truth("account", life.entity, "hubspot", "companies", id_)
        return id_

    def _contact(self, life: Life, part: Part, company_id: int) -> int:
        person, company, rng, ledger = part.person, life.company, self._rng, self._ledger
        touches = part.interest.touches
        inquiry_at = part.interest.inquiry_at
        created = person.starts_at if inquiry_at is None else inquiry_at
        id_ = ledger.number("contacts")
        merged_ids: str | None = None
        if person.quirk == "hubspot_merge":
            # A merge makes a new record that both old ids lead to (since January 2025).
            olds = (id_, ledger.number("contacts"))
            id_ = ledger.number("contacts")
            for old in olds:
                ledger.alias("contacts", old, id_)
            merged_ids = ";".join(map(str, olds))
        is_wide = person.quirk == "full_width"
        has_employees = happens(rng, 0.88) or company.number == 0
        body: Properties = {
            "email": person.email,
            "hs_additional_emails": ";".join(person.other_emails) or None,
            "firstname": full_width(person.given) if is_wide else person.given,
            "lastname": full_width(person.family) if is_wide else person.family,
            "company": full_width(company.name) if is_wide else company.name,
            "jobtitle": person.title,
            "phone": person.phone,
            "country": company.country,
            "industry": company.industry,
            "numberofemployees": str(company.employees) if has_employees else None,
            "website": company.domain if happens(rng, 0.5) else None,
            "hubspot_owner_id": str(part.course.owner.owner_id) if part.course else None,
            "hs_email_optout": "true" if person.is_opted_out else None,
            "hs_merged_object_ids": merged_ids,
            "hs_analytics_source": _SOURCES[part.interest.channel],
            "hs_latest_source": "EMAIL_MARKETING"
            if any(touch.kind == CLICK for touch in touches)
            else _SOURCES[part.interest.channel],
            **_CANONICAL,
        }
        modified = self._behaviour(id_, created, touches, body)
        modified = max(modified, self._lifecycle(life, part, id_, created, body))
        if life.company.is_sold_in_hubspot:
            modified = max(modified, self._lead_status(part, id_, body))
        archived_at = min(modified + DAY_MS, self._now_ms - 1) if person.quirk == "deleted" else None
        # HubSpot stamps a change some hundred milliseconds after it happened.
        modified = min(max(created, modified, archived_at or 0) + 137, self._now_ms)
        ledger.hubspot("contacts", id_, created, modified, body, archived_at=archived_at)
        ledger.truth("person", person.entity, "hubspot", "contacts", id_)
        if person.quirk != "free_mail" or happens(rng, 0.5):
            ledger.associate("contacts", id_, "companies", company_id, 1, 2)
            ledger.associate("contacts", id_, "companies", company_id, 279, 280)
        self._work(life, part, id_)
        return id_

    def _behaviour(self, id_: int, created: int, touches: list[Touch], body: Properties) -> int:
        """Counters and dates of what the contact did, each change with its row of history; returns the last instant."""
        add = self._ledger.history
        conversions: list[tuple[int, str]] = []
        opens: list[int] = []
        clicks: list[int] = []
        views = visits = last_visit = 0
        last = created
        for touch in touches:
            at = max(touch.at, created)
            last = max(last, at)
            if touch.kind == VIEW:
                views += touch.quantity
                visits += 1
                last_visit = at
                add("contacts", id_, "hs_analytics_num_page_views", at, str(views), "ANALYTICS")
                add("contacts", id_, "hs_analytics_num_visits", at, str(visits), "ANALYTICS")
            elif touch.kind == OPEN:
                opens.append(at)
                add("contacts", id_, "hs_email_last_open_date", at, iso(at), "EMAIL")
            elif touch.kind == CLICK:
                clicks.append(at)
                add("contacts", id_, "hs_email_last_click_date", at, iso(at), "EMAIL")
            elif touch.kind != SHOW:
                conversions.append((at, touch.name))
                add("contacts", id_, "recent_conversion_date", at, iso(at), "FORM")
                add("contacts", id_, "recent_conversion_event_name", at, touch.name, "FORM")
        first, recent = (conversions[0], conversions[-1]) if conversions else (None, None)
        body |= {
            "num_conversion_events": str(len(conversions)),
            "first_conversion_date": iso(first[0]) if first else None,
            "first_conversion_event_name": first[1] if first else None,
            "recent_conversion_date": iso(recent[0]) if recent else None,
            "recent_conversion_event_name": recent[1] if recent else None,
            "hs_email_open": str(len(opens)) if opens else None,
            "hs_email_first_open_date": iso(opens[0]) if opens else None,
            "hs_email_last_open_date": iso(opens[-1]) if opens else None,
            "hs_email_click": str(len(clicks)) if clicks else None,
            "hs_email_first_click_date": iso(clicks[0]) if clicks else None,
            "hs_email_last_click_date": iso(clicks[-1]) if clicks else None,
            "hs_analytics_num_page_views": str(views),
            "hs_analytics_num_visits": str(visits),
            "hs_analytics_last_visit_timestamp": iso(last_visit) if last_visit else None,
        }
        return last

    def _lifecycle(self, life: Life, part: Part, id_: int, created: int, body: Properties) -> int:
        """What the portal's own workflows made of it: forward only, so that a churned customer stays one."""
        stages = [(created, "lead")]
        if part.interest.mql_at is not None:
            stages.append((max(part.interest.mql_at, created) + 15_000, "marketingqualifiedlead"))
        converted_at = part.course.converted_at if part.course else None
        if converted_at is not None:
            stages.append((converted_at + 90_000, "opportunity"))
            sale = next((sale for sale in life.sales if sale.is_won), None)
            if sale is not None and any(party.person is part.person for party in sale.parties):
                stages.append((max(sale.closed_at or 0, converted_at) + 120_000, "customer"))
        stages = [(at, stage) for at, stage in stages if at < self._now_ms] or stages[:1]
        for at, stage in stages:
            self._ledger.history("contacts", id_, "lifecyclestage", at, stage, "AUTOMATION_PLATFORM", "workflow-1")
        body["lifecyclestage"] = stages[-1][1]
        return stages[-1][0]

    def _lead_status(self, part: Part, id_: int, body: Properties) -> int:
        course = part.course
        if course is None:
            body["hs_lead_status"] = None
            return 0
        add = self._ledger.history
        add("contacts", id_, "hs_lead_status", course.created_at, "NEW", "AUTOMATION_PLATFORM", "workflow-2")
        status, last = "NEW", course.created_at
        for step in course.steps:
            status, last = _LEAD_STATUS[step.kind], step.at
            add("contacts", id_, "hs_lead_status", last, status, _STEP, f"userId:{900_000 + course.owner.number}")
        body["hs_lead_status"] = status
        return last

    def _work(self, life: Life, part: Part, id_: int) -> None:
        """The lead record and the engagements that sales has in HubSpot."""
        course = part.course
        if course is None:
            return
        is_sold_here = life.company.is_sold_in_hubspot
        if is_sold_here and part.interest.mql_at is not None:
            self._lead(part, id_)
        for activity in course.activities:
            if is_sold_here or activity.kind in {MAIL, NOTE}:
                self._engagement(activity, id_)

    def _lead(self, part: Part, contact_id: int) -> None:
        course = part.course
        assert course is not None
        id_ = self._ledger.number("leads")
        source = f"userId:{900_000 + course.owner.number}"
        stage, last = "new-stage-id", course.created_at
        self._ledger.history("leads", id_, "hs_pipeline_stage", last, stage, "AUTOMATION_PLATFORM", "workflow-2")
        for step in course.steps:
            if step.kind in _LEAD_STAGES:
                stage, last = _LEAD_STAGES[step.kind], step.at
                self._ledger.history("leads", id_, "hs_pipeline_stage", last, stage, _STEP, source)
        self._ledger.hubspot(
            "leads",
            id_,
            course.created_at,
            last,
            {
                "hs_lead_name": part.person.full_name,
                "hs_lead_type": "NEW_BUSINESS",
                "hs_lead_label": "HOT" if part.interest.channel == "Referral" else "WARM",
                "hs_pipeline": "lead-pipeline-id",
                "hs_pipeline_stage": stage,
                "hubspot_owner_id": str(course.owner.owner_id),
            },
        )
        self._ledger.associate("leads", id_, "contacts", contact_id, 578, 579)
        self._ledger.truth("person", part.person.entity, "hubspot", "leads", id_)

    def _engagement(self, activity: Activity, contact_id: int) -> None:
        at = activity.at
        body: Properties = {"hs_timestamp": iso(at), "hubspot_owner_id": str(activity.owner.owner_id)}
        if activity.kind == MEETING:
            object_ = "meetings"
            body |= {
                "hs_meeting_title": "Meeting",
                "hs_meeting_start_time": iso(at),
                "hs_meeting_end_time": iso(at + HOUR_MS),
                "hs_meeting_outcome": "COMPLETED",
            }
        elif activity.kind == MAIL:
            object_ = "emails"
            body |= {"hs_email_subject": "Next steps", "hs_email_direction": "EMAIL", "hs_email_status": "SENT"}
        elif activity.kind == NOTE:
            object_ = "notes"
        elif activity.kind == CALL and (activity.is_reached or happens(self._rng, 0.8)):
            object_ = "calls"
            body |= {
                "hs_call_title": "Call",
                "hs_call_disposition": _REACHED if activity.is_reached else _NOT_REACHED,
                "hs_call_status": "COMPLETED" if activity.is_reached else "NO_ANSWER",
                "hs_call_duration": "300000" if activity.is_reached else "0",
            }
        else:
            object_ = "tasks"
            body |= {
                "hs_task_subject": "Try again",
                "hs_task_status": "COMPLETED",
                "hs_task_completion_date": iso(at),
            }
        id_ = self._ledger.number(object_)
        self._ledger.hubspot(object_, id_, at, at, body)
        self._ledger.associate(object_, id_, "contacts", contact_id, *_TYPES[object_])

    def _deal(self, life: Life, sale: Sale, company_id: int) -> None:
        id_ = self._ledger.number("deals")
        source = f"userId:{900_000 + sale.owner.number}"
        moves = [(at, _DEAL_STAGES[stage]) for at, stage in sale.moves]
        if sale.closed_at is not None:
            moves.append((sale.closed_at, "closedwon" if sale.is_won else "closedlost"))
        for at, stage in moves:
            self._ledger.history("deals", id_, "dealstage", at, stage, _STEP, source)
        modified, stage = moves[-1]
        is_dollar = not sale.company.is_japanese
        self._ledger.hubspot(
            "deals",
            id_,
            sale.created_at,
            modified,
            {
                "dealname": f"{sale.company.short_name} - {sale.type}",
                "dealstage": stage,
                "pipeline": "default",
                "amount": str(sale.amount // 100 if is_dollar else sale.amount),
                "deal_currency_code": "USD" if is_dollar else "JPY",
                "closedate": iso(sale.closed_at if sale.closed_at is not None else sale.due_at),
                "dealtype": "newbusiness" if sale.type == "New Business" else "existingbusiness",
                "closed_lost_reason": sale.loss_reason,
                "hs_is_closed": "true" if sale.closed_at is not None else "false",
                "hs_is_closed_won": "true" if sale.is_won else "false",
                "hubspot_owner_id": str(sale.owner.owner_id),
                **_CANONICAL,
            },
        )
        self._ledger.truth("opportunity", sale.entity, "hubspot", "deals", id_)
        self._ledger.associate("deals", id_, "companies", company_id, 5, 6)
        self._ledger.associate("deals", id_, "companies", company_id, 341, 342)
        by_number = {part.person.number: part.hubspot_id for part in life.parts}
        for party in sale.parties:
            contact_id = by_number.get(party.person.number)
            if contact_id is not None:
                self._ledger.associate("deals", id_, "contacts", contact_id, 3, 4)
