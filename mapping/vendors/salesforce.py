"""What Salesforce records tell.

Sources: Object Reference, standard objects, and Lead conversion in the Change Data Capture guide; read 2026-11-21.
History objects hold what field tracking kept (LeadHistory) or every snapshot (OpportunityHistory); the latter repeats a
stage when only the amount changed, so that an opportunity is read together with all its rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.derived import Beside, Derived, Facts, Ident, Lookup, Payload, money_e4, tell, text, truth, whole
from mapping.events import CUSTOMER_MOTIONS, EventKind, Link, LinkKind, Profile
from mapping.normalise import corporate_number
from mapping.titles import level

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from mapping.derive import Deriver
    from mapping.records import FieldChange


ATTRIBUTES: dict[str, dict[str, str]] = {
    "Lead": {
        "Email": "email", "FirstName": "given_name", "LastName": "family_name", "Company": "company", "Title": "title",
        "Phone": "phone", "Website": "domain", "Country": "country", "Industry": "industry",
        "NumberOfEmployees": "employees", "LeadSource": "channel", "HasOptedOutOfEmail": "is_opted_out",
    },
    "Contact": {
        "Email": "email", "FirstName": "given_name", "LastName": "family_name", "Title": "title", "Phone": "phone",
        "LeadSource": "channel", "OwnerId": "owner", "HasOptedOutOfEmail": "is_opted_out",
    },
    "Account": {
        "Name": "name", "Website": "domain", "Industry": "industry", "NumberOfEmployees": "employees",
        "BillingCountry": "country", "Phone": "phone", "OwnerId": "owner", "Type": "native_stage",
    },
    "Opportunity": {
        "Name": "name", "Amount": "amount_e4", "CloseDate": "closed_at", "LeadSource": "channel", "OwnerId": "owner",
    },
}  # fmt: skip
"""Fields whose polled differences are told, by the profile column they show in. Status, Owner and StageName are not
among them where a history covers them."""

LOOKUPS: dict[str, Lookup] = {
    "Campaign": Lookup("CampaignMember", "CampaignId", frozenset({"Type", "Name"}), is_subject=False),
    "Lead": Lookup("LeadHistory", "LeadId", frozenset({"Rejection_Reason__c"}), is_subject=True),
}


_CONVERSION = "leadConverted"
_RESPONSES = frozenset({EventKind.CAMPAIGN_RESPONDED.value, EventKind.WEBINAR_ATTENDED.value})


def _lead_row_parent(row: Payload) -> tuple[str, str] | None:
    return ("Lead", row["LeadId"]) if row.get("Field") == _CONVERSION and row.get("LeadId") else None


def _opportunity_row_parent(row: Payload) -> tuple[str, str] | None:
    return ("Opportunity", row["OpportunityId"]) if row.get("OpportunityId") else None


PARENTS: dict[str, Callable[[Payload], tuple[str, str] | None]] = {
    "LeadHistory": _lead_row_parent,
    "OpportunityHistory": _opportunity_row_parent,
}
ROWS: dict[str, Callable[[Payload], bool]] = {
    "Lead": lambda payload: bool(payload.get("IsConverted")),
    "Opportunity": lambda _: True,
}
"""Whether a record is read together with its history rows."""


def _member_campaign(d: Deriver, member: Payload) -> int | None:
    return d.key("Campaign", member["CampaignId"]) if member.get("CampaignId") else None


def _row_lead(d: Deriver, row: Payload) -> int | None:
    """The lead has the reason, and few statuses ask for one."""
    if row.get("Field") != "Status" or not row.get("LeadId"):
        return None
    kind = d.meaning_of("Lead", "Status", text(row.get("NewValue")))
    return d.key("Lead", row["LeadId"]) if kind in _WITH_REASON else None


REFERENCES: dict[str, Callable[[Deriver, Payload], int | None]] = {
    "CampaignMember": _member_campaign,
    "LeadHistory": _row_lead,
}
"""The record whose payload a reading needs, by key."""


def _account(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    number = corporate_number(p.get("Corporate_Number__c"))
    if number is not None:
        into.idents.append(Ident("corporate_number", number, key))
    name = text(p.get("Name"))
    merged = _merged(d, key, "Account", p, into)
    into.profiles.append(
        Profile(
            key, "account",
            name=name, company=name, domain=d.locate(key, (p.get("Website"),), into), phone=text(p.get("Phone")),
            country=text(p.get("BillingCountry")), industry=text(p.get("Industry")),
            employees=whole(p.get("NumberOfEmployees")), owner=text(p.get("OwnerId")),
            created_at=d.instant(p.get("CreatedDate")), is_deleted=beside.is_deleted, merged_into=merged,
            native_stage=text(p.get("Type")),
        )
    )  # fmt: skip
    if p.get("ParentId"):
        into.links.append(
            Link(key, LinkKind.PARENT.value, key, d.key("Account", p["ParentId"]), "salesforce.account_parent")
        )


def _contact(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    address, _ = d.identify(key, (p.get("Email"),), into)
    title = text(p.get("Title"))
    merged = _merged(d, key, "Contact", p, into)
    into.profiles.append(
        Profile(
            key, "person",
            name=text(p.get("Name")), given_name=text(p.get("FirstName")), family_name=text(p.get("LastName")),
            email=address, domain=d.domain_of(address), title=title, level=level(title), phone=text(p.get("Phone")),
            owner=text(p.get("OwnerId")), channel=text(p.get("LeadSource")), created_at=d.instant(p.get("CreatedDate")),
            is_opted_out=truth(p.get("HasOptedOutOfEmail")), is_deleted=beside.is_deleted, merged_into=merged,
        )
    )  # fmt: skip
    if p.get("AccountId"):
        into.links.append(
            Link(
                key, LinkKind.EMPLOYED.value, key, d.key("Account", p["AccountId"]), "salesforce.contact_account",
                None, True,
            )
        )  # fmt: skip


def _lead(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    address, _ = d.identify(key, (p.get("Email"),), into)
    title = text(p.get("Title"))
    channel = text(p.get("LeadSource"))
    created = d.instant(p.get("CreatedDate"))
    contact = p.get("ConvertedContactId")
    merged = _merged(d, key, "Lead", p, into)
    if contact:
        merged = merged or d.key("Contact", contact)
    into.profiles.append(
        Profile(
            key, "person",
            name=text(p.get("Name")), given_name=text(p.get("FirstName")), family_name=text(p.get("LastName")),
            email=address, domain=d.domain_of(address) or d.domain_of(p.get("Website")), company=text(p.get("Company")),
            title=title, level=level(title), phone=text(p.get("Phone")), country=text(p.get("Country")),
            industry=text(p.get("Industry")), employees=whole(p.get("NumberOfEmployees")), owner=text(p.get("OwnerId")),
            channel=channel, created_at=created, is_opted_out=truth(p.get("HasOptedOutOfEmail")),
            is_deleted=beside.is_deleted,
            merged_into=merged, native_stage=text(p.get("Status")),
        )
    )  # fmt: skip
    if created is not None:
        tell(into, key, created, EventKind.LEAD_CREATED.value, channel=channel)
    status = p.get("Status")
    if status:
        d.mean(into, key, "Lead", "Status", status)  # sets an unknown status aside with the lead that has it
    if p.get("IsConverted"):
        _conversion(d, key, p, into, beside.facts, created)
    if "LeadHistory" not in d.histories:
        for change in beside.changes:
            if change.field == "Status" and isinstance(change.after, str):
                _status(
                    d, key, p, into, change.after, at=change.at_ms, since=change.since_ms, before=text(change.before)
                )


def _conversion(d: Deriver, key: int, p: Payload, into: Derived, facts: Facts, created: int | None) -> None:
    """One event, dated by the history row where there is one and else by the day of the conversion; and three links."""
    rows = facts.rows.get(key, ())
    instants = [at for row in rows if (at := d.instant(row.get("CreatedDate"))) is not None]
    at = min(instants) if instants else d.instant(p.get("ConvertedDate"))
    if at is not None:
        at = max(at, created or at)  # the day on which it was created begins before it was
        tell(into, key, at, EventKind.LEAD_CONVERTED.value)
    for field, kind, target, rule in _CONVERTED:
        if p.get(field):
            into.links.append(Link(key, kind, key, d.key(target, p[field]), rule, None, kind != LinkKind.SAME.value))


_CONVERTED = (
    ("ConvertedContactId", LinkKind.SAME.value, "Contact", "salesforce.lead_converted"),
    ("ConvertedAccountId", LinkKind.EMPLOYED.value, "Account", "salesforce.lead_converted"),
    ("ConvertedOpportunityId", LinkKind.PARTY.value, "Opportunity", "salesforce.lead_converted"),
)


def _status(
    d: Deriver,
    lead: int,
    p: Payload,
    into: Derived,
    status: str,
    *,
    at: int,
    before: str | None,
    since: int | None = None,
    origin: int | None = None,
    actor: str | None = None,
) -> None:
    """The event of a lead's new status; the reason is the one at hand on the lead, where the status asks for one."""
    kind = d.meaning_of("Lead", "Status", status)
    if kind is None or kind == EventKind.LEAD_CONVERTED.value:
        return  # the conversion is told by the lead itself
    reason = text(p.get("Rejection_Reason__c")) if kind in _WITH_REASON else None
    tell(
        into, lead, at, kind,
        since=since, origin=origin, name=status, before=before, after=status, reason=reason, actor=actor,
    )  # fmt: skip


_WITH_REASON = frozenset({EventKind.LEAD_REJECTED.value, EventKind.LEAD_RECYCLED.value})


def _lead_history(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    at, lead_id, new = d.instant(p.get("CreatedDate")), p.get("LeadId"), text(p.get("NewValue"))
    if at is None or not lead_id:
        return
    lead = d.key("Lead", lead_id)
    field = p.get("Field")
    actor = text(p.get("CreatedById"))
    if field == _CONVERSION:
        into.links.append(Link(key, LinkKind.PART.value, key, lead, "salesforce.lead_history"))
    elif field == "Status" and new is not None:
        if d.mean(into, key, "Lead", "Status", new) is not None:
            _status(
                d, lead, beside.facts.payloads.get(lead, {}), into, new,
                at=at, before=text(p.get("OldValue")), origin=key, actor=actor,
            )  # fmt: skip
    elif field == "Owner" and new is not None and _is_id(new):
        # A change of owner leaves two rows, one with names and one with ids; the names tell nothing more.
        tell(
            into, lead, at, EventKind.LEAD_ASSIGNED.value,
            origin=key, before=text(p.get("OldValue")), after=new, actor=actor,
        )  # fmt: skip


def _opportunity(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    amount = money_e4(p.get("Amount"))
    created = d.instant(p.get("CreatedDate"))
    stage = text(p.get("StageName"))
    channel = text(p.get("LeadSource"))
    owner = text(p.get("OwnerId"))
    into.profiles.append(
        Profile(
            key, "opportunity",
            name=text(p.get("Name")), owner=owner, channel=channel, created_at=created, is_deleted=beside.is_deleted,
            native_stage=stage, amount_e4=amount, currency=None if amount is None else d.currency,
            closed_at=d.instant(p.get("CloseDate")),
        )
    )  # fmt: skip
    account = d.key("Account", p["AccountId"]) if p.get("AccountId") else None
    if account is not None:
        into.links.append(Link(key, LinkKind.OWNED.value, key, account, "salesforce.opportunity_account", None, True))
    type_ = text(p.get("Type"))
    motion = d.mean(into, key, "Opportunity", "Type", type_) if type_ else None
    is_new = motion not in CUSTOMER_MOTIONS
    moves = _moves(d, p, beside.changes, beside.facts.rows.get(key, ()))
    if created is not None and is_new:
        first = moves[0][1] if moves else stage
        tell(
            into, key, created, EventKind.OPPORTUNITY_CREATED.value,
            name=type_, after=first, channel=channel, actor=owner, amount_e4=amount,
            currency=None if amount is None else d.currency,
        )  # fmt: skip
    before: str | None = None
    for at, after, since, then, actor in moves:
        kind = d.mean(into, key, "Opportunity", "StageName", after)
        is_first, was, before = before is None, before, after
        if kind is None or (is_first and kind == EventKind.OPPORTUNITY_STAGE_CHANGED.value):
            continue  # an opportunity is created in its first stage
        value = amount if then is None else then
        reason = text(p.get("Loss_Reason__c")) if kind == EventKind.OPPORTUNITY_LOST.value else None
        currency = None if value is None else d.currency
        if is_new:
            tell(
                into, key, at, kind,
                since=since, name=type_, before=was, after=after, reason=reason, channel=channel, actor=actor or owner,
                amount_e4=value, currency=currency,
            )  # fmt: skip
        outcome = _outcome(kind, motion)
        if outcome is not None:
            tell(
                into, account or key, at, outcome,
                since=since, origin=key if account else None, name=type_, reason=reason, actor=actor or owner,
                amount_e4=value, currency=currency,
            )  # fmt: skip


def _moves(
    d: Deriver, p: Payload, changes: Sequence[FieldChange], rows: Sequence[Payload]
) -> list[tuple[int, str, int | None, int | None, str | None]]:
    """The stages an opportunity went through, oldest first, as (at, stage, since, amount, actor); created in the first.

    Out of the history rows; where there are none, out of polled differences, and where these are missing
    too, out of the day on which a closed opportunity was closed.
    """
    found: list[tuple[int, str, int | None, int | None, str | None]] = []
    dated = [
        (at, row) for row in rows if (at := d.instant(row.get("CreatedDate"))) is not None and row.get("StageName")
    ]
    if dated:
        dated.sort(key=lambda pair: (pair[0], pair[1].get("Id", "")))
        for at, row in dated:
            if not found or found[-1][1] != row["StageName"]:
                found.append((at, row["StageName"], None, money_e4(row.get("Amount")), text(row.get("CreatedById"))))
        return found
    created = d.instant(p.get("CreatedDate"))
    stage = text(p.get("StageName"))
    if created is None or stage is None:
        return found
    if "OpportunityHistory" not in d.histories:
        steps = [change for change in changes if change.field == "StageName"]
        if steps:
            found.append((created, text(steps[0].before) or stage, None, None, None))
            found.extend((c.at_ms, after, c.since_ms, None, None) for c in steps if (after := text(c.after)))
            return found
    closed = d.instant(p.get("CloseDate")) if p.get("IsClosed") else None
    if closed is not None:
        found.append((max(closed, created), stage, None, None, None))
    return found


def _outcome(kind: str, motion: str | None) -> str | None:
    """What a won or lost opportunity means for the customer: a renewal that is lost is a customer who leaves."""
    if kind == EventKind.OPPORTUNITY_WON.value:
        return motion
    if kind == EventKind.OPPORTUNITY_LOST.value and motion == EventKind.RENEWED.value:
        return EventKind.CHURNED.value
    return None


def _opportunity_history(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    if p.get("OpportunityId"):
        into.links.append(
            Link(
                key, LinkKind.PART.value, key, d.key("Opportunity", p["OpportunityId"]),
                "salesforce.opportunity_history",
            )
        )  # fmt: skip


def _contact_role(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    if p.get("ContactId") and p.get("OpportunityId") and not beside.is_deleted:
        into.links.append(
            Link(
                key, LinkKind.PARTY.value, d.key("Contact", p["ContactId"]), d.key("Opportunity", p["OpportunityId"]),
                "salesforce.contact_role", text(p.get("Role")), bool(p.get("IsPrimary")),
            )
        )  # fmt: skip


def _campaign(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    if p.get("Type"):
        d.mean(into, key, "Campaign", "Type", p["Type"])


def _campaign_member(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    """A response is refined by the campaign's type; who only registered for a webinar did not attend it."""
    subject = _person(d, p.get("LeadId") or p.get("ContactId"))
    status = text(p.get("Status"))
    if subject is None or status is None:
        return
    kind = d.mean(into, key, "CampaignMember", "Status", status)
    at = d.instant(p.get("FirstRespondedDate")) or d.instant(p.get("CreatedDate"))
    if kind is None or at is None:
        return
    campaign_key = _member_campaign(d, p)
    campaign = {} if campaign_key is None else beside.facts.payloads.get(campaign_key, {})
    type_ = text(campaign.get("Type"))
    refined = d.meaning_of("Campaign", "Type", type_)
    if kind in _RESPONSES and refined is not None and refined != EventKind.WEBINAR_ATTENDED.value:
        kind = refined
    tell(into, subject, at, kind, origin=key, name=text(campaign.get("Name")), after=status, channel=type_)


def _task(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    subject = _person(d, p.get("WhoId")) or _related(d, p.get("WhatId"))
    at = d.instant(p.get("CompletedDateTime")) or d.instant(p.get("ActivityDate"))
    if subject is None or at is None or not (p.get("Status") == "Completed" or p.get("CompletedDateTime")):
        return
    kind = d.mean(into, key, "Task", "TaskSubtype", p.get("TaskSubtype") or "Task")
    if kind is not None:
        tell(
            into, subject, at, kind,
            origin=key, name=text(p.get("Subject")), after=text(p.get("CallDisposition")), actor=text(p.get("OwnerId")),
        )  # fmt: skip


def _event(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    """A meeting is dated by its start; a deleted one was called off."""
    subject = _person(d, p.get("WhoId")) or _related(d, p.get("WhatId"))
    at = d.instant(p.get("StartDateTime"))
    if subject is not None and at is not None and not beside.is_deleted:
        tell(
            into, subject, at, EventKind.MEETING_HELD.value,
            origin=key, name=text(p.get("Subject")), actor=text(p.get("OwnerId")),
        )  # fmt: skip


def _merged(d: Deriver, key: int, object_: str, p: Payload, into: Derived) -> int | None:
    """The record that survived a merge; the loser names it (REST API guide, merge: MasterRecordId)."""
    if not p.get("MasterRecordId"):
        return None
    master = d.key(object_, p["MasterRecordId"])
    into.links.append(Link(key, LinkKind.SAME.value, key, master, "salesforce.merged"))
    return master


_PEOPLE = {"00Q": "Lead", "003": "Contact"}
_RELATED = {"006": "Opportunity", "001": "Account"}


def _person(d: Deriver, id_: str | None) -> int | None:
    """The lead or contact that an id names, told by the key prefix."""
    if not id_:
        return None
    object_ = _PEOPLE.get(id_[:3])
    return d.key(object_, id_) if object_ else None


def _related(d: Deriver, id_: str | None) -> int | None:
    """The opportunity or account that an id names, told by the key prefix."""
    if not id_:
        return None
    object_ = _RELATED.get(id_[:3])
    return d.key(object_, id_) if object_ else None


def _is_id(value: str) -> bool:
    """Whether a value is the id of a user or queue."""
    return value[:3] in {"005", "00G"} and len(value) in {15, 18}


READINGS = {
    "Account": _account,
    "Contact": _contact,
    "Lead": _lead,
    "Opportunity": _opportunity,
    "OpportunityContactRole": _contact_role,
    "OpportunityHistory": _opportunity_history,
    "LeadHistory": _lead_history,
    "Campaign": _campaign,
    "CampaignMember": _campaign_member,
    "Task": _task,
    "Event": _event,
}
