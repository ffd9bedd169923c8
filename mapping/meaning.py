"""Which vendor value means what: the tables `[meaning.<system>.<object>.<field>]` and the defaults shipped with them.

A vendor's value means an event kind, or `NOTHING`: known, and no news. A value without a meaning is neither: it is set
aside and counted, and never given a default. A key that ends in `*` means every value that begins so; the longest such
beginning wins, an exact value wins over all. Letter case and surrounding blanks do not count.

Sources of the defaults: the vendors' own standard picklists and pipelines (Salesforce object reference: Lead,
CampaignMember, Opportunity, Task; HubSpot default deal and lead pipelines, `hs_lead_status`); read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import xxhash

from mapping.events import EventKind as K

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

NOTHING = "nothing"
"""The meaning of a value that is known and is no event."""

MEANINGS = frozenset({NOTHING, *(kind.value for kind in K)})
"""All that a value can mean."""

Table = dict[str, str]
"""value -> meaning"""

_MOVED = K.OPPORTUNITY_STAGE_CHANGED.value

DEFAULTS: Mapping[str, Mapping[str, Mapping[str, Mapping[str, str]]]] = {
    "salesforce": {
        "Lead": {
            "Status": {
                "Open - Not Contacted": NOTHING,
                "Working - Contacted": K.LEAD_ACCEPTED,
                "Nurturing": K.LEAD_RECYCLED,
                "Closed - Not Converted": K.LEAD_REJECTED,
                "Closed - Converted": K.LEAD_CONVERTED,
            },
        },
        "CampaignMember": {
            "Status": {
                "Sent": NOTHING,
                "Responded": K.CAMPAIGN_RESPONDED,
                "Registered": K.CAMPAIGN_RESPONDED,
                "Attended": K.WEBINAR_ATTENDED,
            },
        },
        "Campaign": {
            "Type": {
                "Webinar": K.WEBINAR_ATTENDED,
                "Content": K.CONTENT_DOWNLOADED,
                "Web Form": K.FORM_SUBMITTED,
                "Trade Show": K.CAMPAIGN_RESPONDED,
                "Conference": K.CAMPAIGN_RESPONDED,
                "Public Relations": K.CAMPAIGN_RESPONDED,
                "Partners": K.CAMPAIGN_RESPONDED,
                "Referral Program": K.CAMPAIGN_RESPONDED,
                "Advertisement": K.CAMPAIGN_RESPONDED,
                "Banner Ads": K.CAMPAIGN_RESPONDED,
                "Direct Mail": K.CAMPAIGN_RESPONDED,
                "Email": K.CAMPAIGN_RESPONDED,
                "Telemarketing": K.CAMPAIGN_RESPONDED,
                "Other": K.CAMPAIGN_RESPONDED,
            },
        },
        "Opportunity": {
            "StageName": {
                "Prospecting": _MOVED,
                "Qualification": _MOVED,
                "Needs Analysis": _MOVED,
                "Value Proposition": _MOVED,
                "Id. Decision Makers": _MOVED,
                "Perception Analysis": _MOVED,
                "Proposal/Price Quote": K.PROPOSAL_SENT,
                "Negotiation/Review": _MOVED,
                "Closed Won": K.OPPORTUNITY_WON,
                "Closed Lost": K.OPPORTUNITY_LOST,
            },
            "Type": {  # what it means for the customer that an opportunity of this type was won
                "New Business": K.CONTRACTED,
                "New Customer": K.CONTRACTED,
                "Expansion": K.EXPANDED,
                "Existing Customer - Upgrade": K.EXPANDED,
                "Existing Customer - Replacement": K.RENEWED,
                "Existing Customer - Downgrade": K.RENEWED,
                "Renewal": K.RENEWED,
            },
        },
        "Task": {
            "TaskSubtype": {
                "Call": K.CALL_MADE,
                "Email": K.MAIL_SENT,
                "ListEmail": NOTHING,
                "Cadence": K.TASK_DONE,
                "LinkedIn": K.TASK_DONE,
                "Task": K.TASK_DONE,
            },
        },
    },
    "hubspot": {
        "contacts": {
            "hs_lead_status": {
                "NEW": NOTHING,
                "OPEN": NOTHING,
                "ATTEMPTED_TO_CONTACT": NOTHING,
                "CONNECTED": NOTHING,
                "IN_PROGRESS": K.LEAD_ACCEPTED,
                "OPEN_DEAL": NOTHING,
                "UNQUALIFIED": K.LEAD_REJECTED,
                "BAD_TIMING": K.LEAD_RECYCLED,
            },
            "recent_conversion_event_name": {
                "資料ダウンロード*": K.CONTENT_DOWNLOADED,
                "ホワイトペーパー*": K.CONTENT_DOWNLOADED,
                "Whitepaper*": K.CONTENT_DOWNLOADED,
                "Webinar*": K.WEBINAR_ATTENDED,
                "ウェビナー*": K.WEBINAR_ATTENDED,
                "*": K.FORM_SUBMITTED,
            },
        },
        "deals": {
            "dealstage": {
                "appointmentscheduled": _MOVED,
                "qualifiedtobuy": _MOVED,
                "presentationscheduled": _MOVED,
                "decisionmakerboughtin": _MOVED,
                "contractsent": K.QUOTE_SENT,
                "closedwon": K.OPPORTUNITY_WON,
                "closedlost": K.OPPORTUNITY_LOST,
            },
            "dealtype": {"newbusiness": K.CONTRACTED, "existingbusiness": K.EXPANDED},
        },
        "leads": {
            "hs_pipeline_stage": {
                "new-stage-id": NOTHING,
                "attempting-stage-id": NOTHING,
                "connected-stage-id": K.LEAD_ACCEPTED,
                "qualified-stage-id": K.LEAD_ACCEPTED,
                "unqualified-stage-id": K.LEAD_REJECTED,
            },
        },
        "meetings": {
            "hs_meeting_outcome": {
                "COMPLETED": K.MEETING_HELD,
                "SCHEDULED": NOTHING,
                "RESCHEDULED": NOTHING,
                "NO_SHOW": NOTHING,
                "CANCELED": NOTHING,
            },
        },
        "emails": {
            "hs_email_direction": {
                "EMAIL": K.MAIL_SENT,
                "FORWARDED_EMAIL": NOTHING,
                "INCOMING_EMAIL": NOTHING,
            },
        },
    },
}


class Meaning:
    """What the values of every configured system mean.

    `kinds` maps a system's configured name to its kind ("salesforce", "hubspot", "vitally"), whose defaults it
    has; `tables` is what the definition file adds, by configured name (or by kind), and wins value by value.
    """

    __slots__ = ("_exact", "_prefixes", "digest")

    def __init__(self, kinds: Mapping[str, str] | None = None, tables: Mapping[str, object] | None = None) -> None:
        self._exact: dict[tuple[str, str, str], dict[str, str]] = {}
        self._prefixes: dict[tuple[str, str, str], list[tuple[str, str]]] = {}
        for kind in DEFAULTS:
            self._add(kind, DEFAULTS[kind])
        for name, kind in (kinds or {}).items():
            if kind in DEFAULTS and kind != name:
                self._add(name, DEFAULTS[kind])
            if tables and kind in tables and kind != name:
                self._add(name, tables[kind])
        for name, objects in (tables or {}).items():
            self._add(name, objects)
        for prefixes in self._prefixes.values():
            prefixes.sort(key=lambda pair: (-len(pair[0]), pair[0]))
        self.digest = xxhash.xxh3_64_hexdigest(
            repr((sorted(_flat(self._exact)), sorted(self._prefixes.items()))).encode()
        )
        """Changes when any meaning does: then what was derived is derived again."""

    def _add(self, system: str, objects: object) -> None:
        for object_, field, table in walk(objects):
            place = (system, object_, field)
            exact = self._exact.setdefault(place, {})
            for value, meaning in table.items():
                key = _fold(value)
                if key.endswith("*"):
                    prefixes = self._prefixes.setdefault(place, [])
                    prefixes[:] = [pair for pair in prefixes if pair[0] != key[:-1]]
                    prefixes.append((key[:-1], str(meaning)))
                else:
                    exact[key] = str(meaning)

    def of(self, system: str, object_: str, field: str, value: str) -> str | None:
        """The event kind that a value means, `NOTHING` where it is no event, None where it has no meaning."""
        place = (system, object_, field)
        exact = self._exact.get(place)
        if exact is None:
            return None
        meaning = exact.get(value)
        if meaning is not None:
            return meaning
        key = _fold(value)
        meaning = exact.get(key)
        if meaning is None:
            for prefix, found in self._prefixes.get(place, ()):
                if key.startswith(prefix):
                    meaning = found
                    break
        if meaning is not None and len(exact) < _REMEMBERED:
            exact[value] = meaning
        return meaning

    def knows(self, system: str, object_: str, field: str) -> bool:
        """Whether any value of this field has a meaning."""
        return (system, object_, field) in self._exact


_REMEMBERED = 4096
"""Spellings kept per field so that each is folded once; a field of free text must not grow without end."""


def _flat(tables: Mapping[tuple[str, str, str], Table]) -> Iterator[tuple[tuple[str, str, str], str, str]]:
    for place, table in tables.items():
        for value, meaning in table.items():
            yield place, value, meaning


def walk(objects: object) -> Iterator[tuple[str, str, Mapping[str, str]]]:
    """Every (object, field, table) below one system's tables; anything that is no table is passed over."""
    if isinstance(objects, dict):
        for object_, fields in objects.items():
            if isinstance(fields, dict):
                for field, table in fields.items():
                    if isinstance(table, dict):
                        yield object_, field, table


def _fold(value: str) -> str:
    return value.strip().casefold()
