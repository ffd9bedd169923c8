"""The vocabulary of what can happen, and the columns in which it travels and is kept.

Instants on the data plane are integers: milliseconds since 1970-01-01 UTC. Records are named by their key
(`mapping.records.record_key`). Money is an integer of ten-thousandths of the currency's unit.
"""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

import xxhash


class EventKind(StrEnum):
    """One thing that can happen to a record."""

    LEAD_CREATED = "lead_created"
    FORM_SUBMITTED = "form_submitted"
    CONTENT_DOWNLOADED = "content_downloaded"
    CAMPAIGN_RESPONDED = "campaign_responded"
    WEBINAR_ATTENDED = "webinar_attended"
    MAIL_OPENED = "mail_opened"
    MAIL_CLICKED = "mail_clicked"
    PAGE_VIEWED = "page_viewed"
    SITE_VISITED = "site_visited"
    CALL_MADE = "call_made"
    MAIL_SENT = "mail_sent"
    MEETING_HELD = "meeting_held"
    NOTE_ADDED = "note_added"
    TASK_DONE = "task_done"
    LEAD_ASSIGNED = "lead_assigned"
    LEAD_ACCEPTED = "lead_accepted"
    LEAD_REJECTED = "lead_rejected"
    LEAD_RECYCLED = "lead_recycled"
    LEAD_CONVERTED = "lead_converted"
    OPPORTUNITY_CREATED = "opportunity_created"
    OPPORTUNITY_STAGE_CHANGED = "opportunity_stage_changed"
    PROPOSAL_SENT = "proposal_sent"
    QUOTE_SENT = "quote_sent"
    OPPORTUNITY_WON = "opportunity_won"
    OPPORTUNITY_LOST = "opportunity_lost"
    CONTRACTED = "contracted"
    ONBOARDING_STARTED = "onboarding_started"
    ONBOARDED = "onboarded"
    HEALTH_CHANGED = "health_changed"
    NPS_ANSWERED = "nps_answered"
    RISK_RAISED = "risk_raised"
    EXPANDED = "expanded"
    RENEWED = "renewed"
    CHURNED = "churned"
    CONSENT_CHANGED = "consent_changed"
    ATTRIBUTE_CHANGED = "attribute_changed"
    DEADLINE_PASSED = "deadline_passed"


INQUIRIES = frozenset(
    {
        EventKind.FORM_SUBMITTED,
        EventKind.CONTENT_DOWNLOADED,
        EventKind.CAMPAIGN_RESPONDED,
        EventKind.WEBINAR_ATTENDED,
    }
)
"""What a definition means by `inquiry`."""

CUSTOMER_EVENTS = frozenset(
    {
        EventKind.CONTRACTED,
        EventKind.ONBOARDING_STARTED,
        EventKind.ONBOARDED,
        EventKind.HEALTH_CHANGED,
        EventKind.NPS_ANSWERED,
        EventKind.RISK_RAISED,
        EventKind.EXPANDED,
        EventKind.RENEWED,
        EventKind.CHURNED,
    }
)
"""What happens to an account as a customer, and so to each of its people."""


CUSTOMER_MOTIONS = frozenset({EventKind.RENEWED.value, EventKind.EXPANDED.value})
"""What a customer's opportunity comes to when it is won: it is no new business, and yields no events of its own."""


class Event(NamedTuple):
    """One thing that happened to one record at one instant; the columns of table `event`.

    `subject` is the record it happened to, `origin` the record it was derived from (None: the subject itself).
    `since` is None where the vendor dates the event; else the event was first seen as a difference between two
    versions and happened after `since` and not after `at`. `id` is a function of the content (`event_id`), so that
    deriving an event again changes nothing. `name` is what it was about (form, campaign, field, stage); `actor` the
    vendor's user or owner id; `quantity` how many happened within the instant (page views between two readings).
    """

    subject: int
    at: int
    id: bytes
    kind: str
    since: int | None = None
    origin: int | None = None
    name: str | None = None
    before: str | None = None
    after: str | None = None
    reason: str | None = None
    channel: str | None = None
    actor: str | None = None
    amount_e4: int | None = None
    currency: str | None = None
    quantity: int = 1


class Profile(NamedTuple):
    """What one record says of a person, an account or an opportunity; the columns of table `profile`.

    `kind` is person, account or opportunity. None: the record says nothing about it. `other_emails` is a JSON list.
    `merged_into` is the key of the record that survived a merge or conversion inside the vendor.
    """

    record: int
    kind: str
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    other_emails: str | None = None
    domain: str | None = None
    company: str | None = None
    title: str | None = None
    level: str | None = None
    phone: str | None = None
    country: str | None = None
    industry: str | None = None
    employees: int | None = None
    owner: str | None = None
    channel: str | None = None
    created_at: int | None = None
    is_opted_out: bool | None = None
    is_deleted: bool = False
    merged_into: int | None = None
    native_stage: str | None = None
    amount_e4: int | None = None
    currency: str | None = None
    closed_at: int | None = None
    health: float | None = None
    arr_e4: int | None = None
    renewal_at: int | None = None


class LinkKind(StrEnum):
    """How one record refers to another."""

    SAME = "same"
    """Declared to be one person, account or opportunity: a conversion, a merge, a foreign id kept by the vendor."""
    EMPLOYED = "employed"
    """A person's record to an account's."""
    PARTY = "party"
    """A person's record to an opportunity's."""
    OWNED = "owned"
    """An opportunity's record to its account's."""
    PARENT = "parent"
    """An account's record to its parent's."""
    PART = "part"
    """A history row to the record it belongs to, whose reading takes it in."""


class Link(NamedTuple):
    """One record's reference to another; the columns of table `link`.

    `origin` is the record that says so: its links are replaced whole when it is derived again. `rule` names the
    vendor's own statement (`salesforce.lead_converted`).
    """

    origin: int
    kind: str
    source: int
    target: int
    rule: str
    role: str | None = None
    is_primary: bool = False


class Unmapped(NamedTuple):
    """A vendor value without a meaning: it is quarantined and counted, and never given a default stage."""

    record: int
    field: str
    value: str


def event_id(subject: int, at: int, kind: str, origin: int | None, discriminator: str = "") -> bytes:
    """Name an event by its content: 16 bytes, equal for equal content; nothing in it tells when it was first seen."""
    return xxhash.xxh3_128_digest(f"{subject}|{at}|{kind}|{origin}|{discriminator}".encode())
