"""What every request meets first: the key, the limits, the scopes; and how an answer leaves.

Usage guidelines (limits, headers) and authentication guides; read 2026-11-21. Searches carry no rate-limit headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import orjson
from starlette.responses import Response

from sandbox.hubspot.answers import NOT_FOUND, Answer, Refusal, correlation_id
from sandbox.hubspot.catalogue import ENGAGEMENTS, OBJECT_NAMES
from sandbox.hubspot.outages import rate_limited
from sandbox.hubspot.portal import DATED, Call
from sandbox.hubspot.settings import BURST_WINDOW_S
from sandbox.hubspot.writes import settle_late

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    from starlette.requests import Request

    from sandbox.hubspot.portal import Portal

OAUTH_LIFE_S: Final = 1800.0
URL_LIMIT: Final = 8_000
"""Characters of an address: 414 was met from here on, by others only at twice the length."""
_TOO_LONG: Final = 414
_JSON: Final = "application/json;charset=utf-8"
_UNAUTHORIZED: Final = 401
_FORBIDDEN: Final = 403
_SCOPES_PAGE: Final = "https://developers.hubspot.com/scopes"


@dataclass(frozen=True, kw_only=True, slots=True)
class Guard:
    """What an endpoint asks of its callers."""

    access: str = "read"
    """read or write."""
    is_schema: bool = False
    is_search: bool = False
    scope: str | None = None
    """A scope of its own, in place of that of the object in the path."""
    is_open: bool = False
    """Needs no key: the token endpoint."""


def endpoint(
    portal: Portal, handle: Callable[[Call], Answer], guard: Guard, version: str | None
) -> Callable[[Request], Awaitable[Response]]:
    """A Starlette endpoint; `version` where the path has none of its own."""

    async def serve(request: Request) -> Response:
        body = await request.body()
        correlation = correlation_id()
        headers = {"X-HubSpot-Correlation-Id": correlation}
        try:
            called = _version(request, version)
            settle_late(portal)
            if not guard.is_open:
                is_oauth = _authenticate(portal, request.headers.get("authorization", ""))
                headers |= _limit(portal, guard, is_oauth=is_oauth)
                _check_scope(portal, guard, request.path_params)
            answer = handle(_call(portal, request, body, called))
        except Refusal as refusal:
            return _response(refusal.status, refusal.body(correlation), {**headers, **refusal.headers})
        return _response(answer.status, answer.payload, headers)

    return serve


def _response(status: int, payload: object, headers: Mapping[str, str]) -> Response:
    content = b"" if payload is None else orjson.dumps(payload)
    return Response(content, status_code=status, headers=dict(headers), media_type=None if payload is None else _JSON)


def _version(request: Request, version: str | None) -> str:
    if len(str(request.url)) > URL_LIMIT:
        raise Refusal(_TOO_LONG, "URI Too Long", category=None)
    called = version or str(request.path_params["version"])
    if version is None and called not in DATED:
        raise Refusal(NOT_FOUND, "resource not found", category=None)
    return called


def _call(portal: Portal, request: Request, body: bytes, version: str) -> Call:
    decoded = None
    if body and "form" not in request.headers.get("content-type", ""):
        try:
            decoded = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise Refusal(
                400, f"Invalid input JSON on line {error.lineno}, column {error.colno}", category=None
            ) from error
    elif body:
        decoded = body
    return Call(
        portal=portal,
        version=version,
        path=request.path_params,
        query=request.query_params,
        body=decoded,
        body_length=len(body.decode(errors="replace")),
        url=request.url,
    )


def _authenticate(portal: Portal, header: str) -> bool:
    """Whether the caller holds an OAuth token, not the service key; refuses anything else."""
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token:
        message = "Authentication credentials not found. This API supports OAuth 2.0 authentication."
        raise Refusal(_UNAUTHORIZED, message, category="INVALID_AUTHENTICATION")
    faults = portal.settings.faults
    if faults.are_credentials_wrong:
        token = ""
    if token == portal.faults.credentials.hubspot_token:
        return False
    issued_at = portal.tokens.get(token)
    if issued_at is None:
        message = "Authentication credentials are invalid. The token may have been rotated or deactivated."
        raise Refusal(_UNAUTHORIZED, message, category="INVALID_AUTHENTICATION")
    if portal.wall() - issued_at >= OAUTH_LIFE_S or not faults.is_token_live(issued_at):
        age_s = int(portal.wall() - issued_at)
        message = f"The OAuth token used to make this call expired; it was issued {age_s} second(s) ago."
        raise Refusal(_UNAUTHORIZED, message, category="EXPIRED_AUTHENTICATION")
    return True


def _check_scope(portal: Portal, guard: Guard, path: Mapping[str, str]) -> None:
    name = guard.scope or OBJECT_NAMES.get(path.get("object", ""), "")
    if not name or not portal.settings.lacks_scope(name, guard.access):
        return
    family = "schemas" if guard.is_schema else "objects"
    scope = f"crm.{family}.{'contacts' if name in ENGAGEMENTS else name}.{guard.access}"
    raise Refusal(
        _FORBIDDEN,
        f"This app hasn't been granted all required scopes to make this call. Read more here: {_SCOPES_PAGE}.",
        category="MISSING_SCOPES",
        errors=[
            {
                "message": "One or more of the following scopes are required.",
                "context": {"requiredGranularScopes": [scope]},
            }
        ],
        more={"links": {"scopes": _SCOPES_PAGE}},
    )


def _limit(portal: Portal, guard: Guard, *, is_oauth: bool) -> dict[str, str]:
    """The rate-limit headers of this request, which counts; refuses it over a limit while limits hold."""
    settings, faults = portal.settings, portal.settings.faults
    day = datetime.fromtimestamp(portal.wall(), UTC).astimezone(settings.time_zone).date().isoformat()
    used = portal.used_today[1] if portal.used_today[0] == day else 0
    if faults.is_limited and not is_oauth and used >= settings.daily_limit:
        raise rate_limited("DAILY")
    portal.used_today = (day, used + 1)
    if guard.is_search:
        if faults.is_limited:
            is_admitted, _, reset_s = faults.window("search", settings.search_limit, 1.0).take()
            if not is_admitted:
                raise rate_limited("SECONDLY", retry_after_s=_retry_after(portal, reset_s))
        return {}
    left = settings.burst_limit
    if faults.is_limited:
        is_admitted, left, reset_s = faults.window("burst", settings.burst_limit, BURST_WINDOW_S).take()
        if not is_admitted:
            raise rate_limited("TEN_SECONDLY_ROLLING", retry_after_s=_retry_after(portal, reset_s))
    headers = {
        "X-HubSpot-RateLimit-Interval-Milliseconds": str(int(BURST_WINDOW_S * 1000)),
        "X-HubSpot-RateLimit-Max": str(settings.burst_limit),
        "X-HubSpot-RateLimit-Remaining": str(left),
    }
    if not is_oauth:
        headers["X-HubSpot-RateLimit-Daily"] = str(settings.daily_limit)
        headers["X-HubSpot-RateLimit-Daily-Remaining"] = str(max(0, settings.daily_limit - used - 1))
    return headers


def _retry_after(portal: Portal, reset_s: float) -> int | None:
    return max(1, round(reset_s)) if portal.settings.says_retry_after else None
