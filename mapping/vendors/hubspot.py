"""What HubSpot records tell.

Behaviour is read from the contact properties that count and date it, and from their histories: a history entry dates a
value exactly (CRM API guide, Properties with history; read 2026-11-21). HubSpot keeps a limited number of entries for
each property; what was derived from entries that it has dropped since stands (`Derived.floors`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import orjson

from mapping.derived import Beside, Derived, Payload, money_e4, tell, tell_plainly, text, truth, whole
from mapping.events import CUSTOMER_MOTIONS, EventKind, Link, LinkKind, Profile
from mapping.titles import level

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mapping.derive import Deriver

ATTRIBUTES: dict[str, dict[str, str]] = {
    "contacts": {
        "email": "email", "firstname": "given_name", "lastname": "family_name", "company": "company",
        "jobtitle": "title", "phone": "phone", "country": "country", "industry": "industry",
        "numberofemployees": "employees", "website": "domain", "hubspot_owner_id": "owner",
        "hs_analytics_source": "channel", "hs_email_optout": "is_opted_out",
    },
    "companies": {
        "name": "name", "domain": "domain", "industry": "industry", "numberofemployees": "employees",
        "country": "country", "phone": "phone", "hubspot_owner_id": "owner", "lifecyclestage": "native_stage",
    },
    "deals": {
        "dealname": "name", "amount": "amount_e4", "closedate": "closed_at", "hubspot_owner_id": "owner",
    },
}  # fmt: skip
"""Properties whose polled differences are told, by the profile column they show in; those read with history are not."""

Entry = list[Any]
"""One entry of a property's history, as the connector leaves it: since when, which value, and who set it."""

_CHANGED = EventKind.ATTRIBUTE_CHANGED.value
_MOVED = EventKind.OPPORTUNITY_STAGE_CHANGED.value
_LIKE_NAMED_MS = 60_000
"""A form's name and date are two properties of one submission; their entries may be some seconds apart."""


def _entries(p: Payload, name: str) -> list[Entry]:
    """The history of a property, oldest first."""
    found = p.get(f"history.{name}")
    return found if isinstance(found, list) else []


def _contact(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    more = p.get("hs_additional_emails")
    address, others = d.identify(key, (p.get("email"), *(more.split(";") if more else ())), into)
    title = text(p.get("jobtitle"))
    into.profiles.append(
        Profile(
            key, "person",
            given_name=text(p.get("firstname")), family_name=text(p.get("lastname")), email=address,
            other_emails=orjson.dumps(others).decode() if others else None,
            domain=d.domain_of(address) or d.domain_of(p.get("website")), company=text(p.get("company")), title=title,
            level=level(title), phone=text(p.get("phone")), country=text(p.get("country")),
            industry=text(p.get("industry")), employees=whole(p.get("numberofemployees")),
            owner=text(p.get("hubspot_owner_id")), channel=text(p.get("hs_analytics_source")),
            created_at=d.instant(p.get("createdate")), is_opted_out=truth(p.get("hs_email_optout")),
            is_deleted=beside.is_deleted,
            native_stage=text(p.get("lifecyclestage")),
        )
    )  # fmt: skip
    _merges(d, key, "contacts", p, into)
    for place, company in enumerate(p.get("associations.companies") or ()):
        into.links.append(
            Link(
                key, LinkKind.EMPLOYED.value, key, d.key("companies", company), "hubspot.contact_company", None,
                place == 0,
            )
        )  # fmt: skip
    _conversions(d, key, p, into)
    for kind, last, first in _DATED:
        given = {p.get(first), p.get(last), *[entry[1] for entry in _entries(p, last)]}
        instants = {at for value in given if value and (at := d.instant(value)) is not None}
        tell_plainly(into, key, kind, [(at, 1) for at in instants])
    for kind, counter in _COUNTED:
        _increments(key, kind, _entries(p, counter), into)
    _lead_status(d, key, p, into)
    if beside.changes:
        _set_floors(d, key, p, into)
    if "lifecyclestage" not in d.written.get("contacts", ()):
        _lifecycle(key, _entries(p, "lifecyclestage"), into)


def _lifecycle(key: int, entries: Sequence[Entry], into: Derived) -> None:
    """Every step but the first, at which the contact was created."""
    before: str | None = None
    for at, value, *_ in entries:
        if before is not None and value != before:
            tell(into, key, at, _CHANGED, name="native_stage", before=before or None, after=value)
        before = value or ""


_DATED = (
    (EventKind.MAIL_OPENED.value, "hs_email_last_open_date", "hs_email_first_open_date"),
    (EventKind.MAIL_CLICKED.value, "hs_email_last_click_date", "hs_email_first_click_date"),
)
_COUNTED = (
    (EventKind.PAGE_VIEWED.value, "hs_analytics_num_page_views"),
    (EventKind.SITE_VISITED.value, "hs_analytics_num_visits"),
)


def _set_floors(d: Deriver, key: int, p: Payload, into: Derived) -> None:
    """What happened before the oldest entry that HubSpot still holds was derived from entries that it has dropped."""
    for kinds, name in _BEHAVIOUR:
        entries = p.get(f"history.{name}")
        if isinstance(entries, list) and entries:
            floor = (
                min(entries[0][0], d.instant(entries[0][1]) or entries[0][0])
                if name.endswith("date")
                else entries[0][0]
            )
            for kind in kinds:
                into.floors[key, kind] = floor


_BEHAVIOUR = (
    ((EventKind.MAIL_OPENED.value,), "hs_email_last_open_date"),
    ((EventKind.MAIL_CLICKED.value,), "hs_email_last_click_date"),
    ((EventKind.PAGE_VIEWED.value,), "hs_analytics_num_page_views"),
    ((EventKind.SITE_VISITED.value,), "hs_analytics_num_visits"),
    (
        (EventKind.FORM_SUBMITTED.value, EventKind.CONTENT_DOWNLOADED.value, EventKind.WEBINAR_ATTENDED.value),
        "recent_conversion_date",
    ),
    (
        (EventKind.LEAD_ACCEPTED.value, EventKind.LEAD_REJECTED.value, EventKind.LEAD_RECYCLED.value),
        "hs_lead_status",
    ),
)


def _conversions(d: Deriver, key: int, p: Payload, into: Derived) -> None:
    """Forms, downloads and webinars: the latest, the first, and all that the histories hold; each instant once."""
    found: dict[int, str | None] = {}
    for prefix in ("first", "recent"):
        at = d.instant(p.get(f"{prefix}_conversion_date"))
        if at is not None:
            found[at] = text(p.get(f"{prefix}_conversion_event_name"))
    dates = _entries(p, "recent_conversion_date")
    if dates:
        names = _entries(p, "recent_conversion_event_name")
        for date in dates:
            at = d.instant(date[1])
            if at is not None and found.get(at) is None:
                found[at] = _name_at(names, date[0] + _LIKE_NAMED_MS)
    for at, name in found.items():
        kind = EventKind.FORM_SUBMITTED.value if name is None else _named(d, into, key, name)
        if kind is not None:
            tell(into, key, at, kind, name=name)


def _name_at(names: Sequence[Entry], at: int) -> str | None:
    """The name that stood at an instant."""
    for name in reversed(names):
        if name[0] <= at:
            return name[1]  # type: ignore[no-any-return]  # an entry's value is text or nothing
    return None


def _named(d: Deriver, into: Derived, key: int, name: str) -> str | None:
    return d.mean(into, key, "contacts", "recent_conversion_event_name", name)


def _increments(key: int, kind: str, entries: Sequence[Entry], into: Derived) -> None:
    """By how much a counter grew at each entry of its history; a counter that was set back starts anew."""
    grown, count = [], 0
    for entry in entries:
        number = whole(entry[1]) or 0
        if number > count:
            grown.append((entry[0], number - count))
        count = number
    tell_plainly(into, key, kind, grown)


def _lead_status(d: Deriver, key: int, p: Payload, into: Derived) -> None:
    if "hs_lead_status" in d.written.get("contacts", ()):
        return
    before: str | None = None
    for at, value, *_ in _entries(p, "hs_lead_status"):
        if value and value != before:
            kind = d.mean(into, key, "contacts", "hs_lead_status", value)
            if kind is not None:
                tell(into, key, at, kind, name=value, before=before, after=value)
        before = value or None


def _company(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    more = p.get("hs_additional_domains")
    name = text(p.get("name"))
    into.profiles.append(
        Profile(
            key, "account",
            name=name, company=name, domain=d.locate(key, (p.get("domain"), *(more.split(";") if more else ())), into),
            phone=text(p.get("phone")), country=text(p.get("country")), industry=text(p.get("industry")),
            employees=whole(p.get("numberofemployees")), owner=text(p.get("hubspot_owner_id")),
            created_at=d.instant(p.get("createdate")), is_deleted=beside.is_deleted,
            native_stage=text(p.get("lifecyclestage")),
        )
    )  # fmt: skip
    _merges(d, key, "companies", p, into)


def _deal(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    amount = money_e4(p.get("amount"))
    currency = None if amount is None else text(p.get("deal_currency_code")) or d.currency
    created = d.instant(p.get("createdate"))
    owner = text(p.get("hubspot_owner_id"))
    into.profiles.append(
        Profile(
            key, "opportunity",
            name=text(p.get("dealname")), owner=owner, created_at=created, is_deleted=beside.is_deleted,
            native_stage=text(p.get("dealstage")), amount_e4=amount, currency=currency,
            closed_at=d.instant(p.get("closedate")),
        )
    )  # fmt: skip
    for place, contact in enumerate(p.get("associations.contacts") or ()):
        into.links.append(
            Link(key, LinkKind.PARTY.value, d.key("contacts", contact), key, "hubspot.deal_contact", None, place == 0)
        )
    companies = p.get("associations.companies") or ()
    for place, company in enumerate(companies):
        into.links.append(
            Link(key, LinkKind.OWNED.value, key, d.key("companies", company), "hubspot.deal_company", None, place == 0)
        )
    type_ = text(p.get("dealtype"))
    motion = d.mean(into, key, "deals", "dealtype", type_) if type_ else None
    is_new = motion not in CUSTOMER_MOTIONS
    entries = list(_steps(_entries(p, "dealstage")))
    if created is not None and is_new:
        tell(
            into, key, created, EventKind.OPPORTUNITY_CREATED.value,
            name=type_, after=entries[0][1] if entries else text(p.get("dealstage")), actor=owner, amount_e4=amount,
            currency=currency,
        )  # fmt: skip
    before: str | None = None
    for at, stage in entries:
        kind = d.mean(into, key, "deals", "dealstage", stage)
        was, before = before, stage
        if kind is None or (was is None and kind == _MOVED):
            continue
        reason = text(p.get("closed_lost_reason")) if kind == EventKind.OPPORTUNITY_LOST.value else None
        if is_new:
            tell(
                into, key, at, kind,
                name=type_, before=was, after=stage, reason=reason, actor=owner, amount_e4=amount, currency=currency,
            )  # fmt: skip
        if kind == EventKind.OPPORTUNITY_WON.value and motion is not None:
            account = d.key("companies", companies[0]) if companies else None
            tell(
                into, account or key, at, motion,
                origin=key if account else None, name=type_, actor=owner, amount_e4=amount, currency=currency,
            )  # fmt: skip


def _steps(entries: Sequence[Entry]) -> Iterator[tuple[int, str]]:
    """The entries at which a value changed to another one that is not empty."""
    before: str | None = None
    for at, value, *_ in entries:
        if value and value != before:
            yield at, value
        before = value


def _lead(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    """A lead is the person of its contact, of whom it is told: HubSpot requires one (CRM API guide, Leads; read
    2026-11-21).
    """
    created = d.instant(p.get("createdate"))
    into.profiles.append(
        Profile(
            key, "person",
            owner=text(p.get("hubspot_owner_id")), created_at=created, is_deleted=beside.is_deleted,
            native_stage=text(p.get("hs_pipeline_stage")),
        )
    )  # fmt: skip
    for place, subject in enumerate(_contacts(d, p)):
        if place == 0:
            into.links.append(Link(key, LinkKind.SAME.value, key, subject, "hubspot.lead_contact", None, True))
        if created is not None:
            tell(into, subject, created, EventKind.LEAD_CREATED.value, origin=key, name=text(p.get("hs_lead_type")))
        before: str | None = None
        for at, stage in _steps(_entries(p, "hs_pipeline_stage")):
            kind = d.mean(into, key, "leads", "hs_pipeline_stage", stage)
            if kind is not None:
                tell(
                    into, subject, at, kind,
                    origin=key, name=stage, before=before, after=stage, actor=text(p.get("hubspot_owner_id")),
                )  # fmt: skip
            before = stage


def _call(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    if p.get("hs_call_status") in {None, "", "COMPLETED"}:
        _engagement(d, key, p, EventKind.CALL_MADE.value, "hs_call_title", "hs_call_disposition", into)


def _meeting(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    """A meeting without an outcome was logged after it was held; a planned one is SCHEDULED."""
    del beside
    outcome = p.get("hs_meeting_outcome")
    kind = d.mean(into, key, "meetings", "hs_meeting_outcome", outcome) if outcome else EventKind.MEETING_HELD.value
    if kind is not None:
        _engagement(d, key, p, kind, "hs_meeting_title", "hs_meeting_outcome", into, "hs_meeting_start_time")


def _email(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    direction = p.get("hs_email_direction")
    kind = d.mean(into, key, "emails", "hs_email_direction", direction) if direction else None
    if kind is not None and p.get("hs_email_status") in {None, "", "SENT"}:
        _engagement(d, key, p, kind, "hs_email_subject", "hs_email_status", into)


def _note(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    _engagement(d, key, p, EventKind.NOTE_ADDED.value, "", "", into)


def _task(d: Deriver, key: int, p: Payload, into: Derived, beside: Beside) -> None:
    del beside
    if p.get("hs_task_status") == "COMPLETED":
        _engagement(
            d, key, p, EventKind.TASK_DONE.value, "hs_task_subject", "hs_task_status", into, "hs_task_completion_date"
        )


def _engagement(
    d: Deriver, key: int, p: Payload, kind: str, name: str, after: str, into: Derived, dated: str = "hs_timestamp"
) -> None:
    """One event for each contact that took part."""
    at = d.instant(p.get(dated)) or d.instant(p.get("hs_timestamp"))
    if at is None:
        return
    title, outcome, actor = text(p.get(name)), text(p.get(after)), text(p.get("hubspot_owner_id"))
    for subject in _contacts(d, p):
        tell(into, subject, at, kind, origin=key, name=title, after=outcome, actor=actor)


def _contacts(d: Deriver, p: Payload) -> Iterator[int]:
    for contact in p.get("associations.contacts") or ():
        yield d.key("contacts", contact)


def _merges(d: Deriver, key: int, object_: str, p: Payload, into: Derived) -> None:
    """The ids that were merged into this record; a merge gives the survivor a new id and keeps the old ones here."""
    merged = p.get("hs_merged_object_ids")
    if merged:
        for id_ in str(merged).split(";"):
            if id_.strip():
                into.links.append(
                    Link(key, LinkKind.SAME.value, key, d.key(object_, id_.strip()), "hubspot.merged", None, False)
                )


READINGS = {
    "companies": _company,
    "contacts": _contact,
    "deals": _deal,
    "leads": _lead,
    "calls": _call,
    "meetings": _meeting,
    "emails": _email,
    "notes": _note,
    "tasks": _task,
}
