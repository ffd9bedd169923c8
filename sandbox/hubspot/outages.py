"""Answers in HubSpot's words for `faults.hubspot.script(**locked())`; each is the `Scripted` settings of one answer.

Error handling guide: 423, 477, 5xx; usage guidelines: 429; read 2026-11-21. 530 is Cloudflare's, seen for malformed
tokens, as are 521 to 526 and 502 with a page instead of JSON.
"""

from __future__ import annotations

from typing import Any, Final

import orjson

from sandbox.hubspot.answers import Refusal, correlation_id

LOCKED: Final = 423
MIGRATING: Final = 477
_PAGE: Final = "<html><head><title>{status}</title></head><body><center><h1>{status}</h1></center></body></html>"


def _scripted(refusal: Refusal) -> dict[str, Any]:
    return {
        "status": refusal.status,
        "body": orjson.dumps(refusal.body(correlation_id())).decode(),
        "headers": refusal.headers,
    }


def locked() -> dict[str, Any]:
    """423: the records are being written by a bulk operation; a lock lasts two seconds."""
    return _scripted(Refusal(LOCKED, "This resource is temporarily locked.", category="LOCKED"))


def migrating(retry_after_s: int) -> dict[str, Any]:
    """477: the account moves between data centres, and says for how long (up to a day)."""
    message = "This account is currently being migrated between data hosting locations."
    return _scripted(
        Refusal(MIGRATING, message, category="MIGRATION_IN_PROGRESS", headers={"Retry-After": str(retry_after_s)})
    )


def gateway_error(status: int = 502) -> dict[str, Any]:
    """502, 504, 521 to 526, 530: a proxy's page, not JSON."""
    return {"status": status, "body": _PAGE.format(status=status), "headers": {"content-type": "text/html"}}


_LIMITS: Final = {"TEN_SECONDLY_ROLLING": "ten_secondly_rolling", "SECONDLY": "secondly", "DAILY": "daily"}


def rate_limited(policy: str, *, retry_after_s: int | None = None) -> Refusal:
    """429 under a policy (TEN_SECONDLY_ROLLING, SECONDLY, DAILY); its body has no category."""
    request_id = correlation_id()
    return Refusal(
        429,
        f"You have reached your {_LIMITS[policy]} limit.",
        category=None,
        more={
            "errorType": "RATE_LIMIT",
            "policyName": policy,
            "groupName": "publicapi:sandbox:service-key",
            "requestId": request_id,
        },
        headers={} if retry_after_s is None else {"Retry-After": str(retry_after_s)},
    )


def limited(policy: str, *, retry_after_s: int | None = None) -> dict[str, Any]:
    """429 as a scripted answer."""
    return _scripted(rate_limited(policy, retry_after_s=retry_after_s))
