"""Endpoints of the account: its details, its usage, and OAuth tokens.

Account information and OAuth guides; read 2026-11-21.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from secrets import token_urlsafe
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs

from sandbox.hubspot.answers import BAD_REQUEST, Answer, Json, Refusal, invalid
from sandbox.hubspot.catalogue import OBJECTS
from sandbox.hubspot.gate import OAUTH_LIFE_S
from sandbox.hubspot.settings import CURRENCY
from sandbox.vault import iso_stamp

if TYPE_CHECKING:
    from datetime import date

    from sandbox.hubspot.portal import Call

CLIENT_ID: Final = "6f9d1c52-sandbox-client"
CLIENT_SECRET: Final = "sandbox-client-secret"  # noqa: S105  # opens nothing but a simulation
REFRESH_TOKEN: Final = "na1-sandbox-refresh-token"  # noqa: S105  # as above


def read_details(call: Call) -> Answer:
    """Which account this is."""
    settings = call.portal.settings
    zone = settings.time_zone
    offset = datetime.fromtimestamp(call.portal.wall(), UTC).astimezone(zone).utcoffset() or timedelta()
    minutes = int(offset.total_seconds()) // 60
    sign = "-" if minutes < 0 else "+"
    return Answer(
        payload={
            "portalId": settings.portal_id,
            "accountType": settings.account_type,
            "timeZone": zone.key,
            "companyCurrency": CURRENCY,
            "additionalCurrencies": [],
            "utcOffset": f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}",
            "utcOffsetMilliseconds": minutes * 60_000,
            "uiDomain": "app.hubspot.com",
            "dataHostingLocation": "na1",
        }
    )


def read_usage(call: Call) -> Answer:
    """How many requests were made today, of how many."""
    settings, portal = call.portal.settings, call.portal
    now = datetime.fromtimestamp(portal.wall(), UTC).astimezone(settings.time_zone)
    return Answer(
        payload={
            "results": [
                {
                    "name": "private-apps-api-calls-daily",
                    "usageLimit": settings.daily_limit,
                    "currentUsage": portal.used_today[1],
                    "collectedAt": iso_stamp(int(portal.wall() * 1000)),
                    "fetchStatus": "SUCCESS",
                    "resetsAt": _midnight(now.date() + timedelta(days=1), now),
                }
            ]
        }
    )


def _midnight(day: date, now: datetime) -> str:
    return iso_stamp(int(datetime(day.year, day.month, day.day, tzinfo=now.tzinfo).timestamp() * 1000))


def _form(call: Call) -> dict[str, str]:
    if set(call.query) & {"client_secret", "refresh_token", "code"} and call.is_dated:
        raise invalid("Credentials belong in the body, not in the query.")
    body = call.body if isinstance(call.body, bytes) else b""
    return {name: values[0] for name, values in parse_qs(body.decode()).items()}


def issue_token(call: Call) -> Answer:
    """A new access token for half an hour, against a refresh token (or a code) and the app's secret."""
    form = _form(call)
    portal = call.portal
    if (form.get("client_id"), form.get("client_secret")) != (CLIENT_ID, CLIENT_SECRET):
        raise _refuse("BAD_CLIENT_SECRET", "missing or invalid client secret")
    grant = form.get("grant_type")
    if grant not in ("refresh_token", "authorization_code"):
        raise _refuse("BAD_GRANT_TYPE", "missing or unknown grant type")
    if portal.settings.faults.are_credentials_wrong or form.get("refresh_token", form.get("code")) != REFRESH_TOKEN:
        raise _refuse("BAD_REFRESH_TOKEN", "missing or invalid refresh token")
    token = "CJ" + token_urlsafe(225)  # tokens of 300 characters and more are to be expected
    portal.tokens[token] = portal.wall()
    payload: Json = {
        "token_type": "bearer",
        "access_token": token,
        "refresh_token": REFRESH_TOKEN,
        "expires_in": int(min(OAUTH_LIFE_S, portal.settings.faults.token_life_s)),
    }
    if call.is_dated:
        payload |= {"hub_id": portal.settings.portal_id, "scopes": _scopes(call)}
    return Answer(payload=payload)


def _refuse(status: str, message: str) -> Refusal:
    return Refusal(BAD_REQUEST, message, category=None, more={"status": status})


def _scopes(call: Call) -> list[str]:
    lacks = call.portal.settings.lacks_scope
    return [
        f"crm.objects.{object_}.{access}"
        for object_ in (*OBJECTS[:4], "owners")
        for access in ("read", "write")
        if not lacks(object_, access)
    ]


def introspect(call: Call) -> Answer:
    """Whether an access token is live, and for how long."""
    token = _form(call).get("token", "")
    issued_at = call.portal.tokens.get(token)
    if issued_at is None:
        return Answer(payload={"active": False})
    left_s = int(OAUTH_LIFE_S - (call.portal.wall() - issued_at))
    return Answer(
        payload={
            "active": left_s > 0 and call.portal.settings.faults.is_token_live(issued_at),
            "token_use": "access_token",
            "client_id": CLIENT_ID,
            "hub_id": call.portal.settings.portal_id,
            "expires_in": max(0, left_s),
            "scopes": _scopes(call),
        }
    )
