"""What HubSpot's refusals mean."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from connectors.answers import by_status, code_of, down, quotable, throttled
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from connectors.answers import Answer, Verdict
    from mapping.text import Message

QUOTA_HINT = say("All private apps of the account share it; poll less often, or ask HubSpot for more calls.")
_LOCKED_WAIT_S = 2.0
_POLICY_WAIT_S = {"SECONDLY": 1.0, "TEN_SECONDLY_ROLLING": 10.0}


class Detail(msgspec.Struct):
    """One entry of an error's `errors`; of a batch's `errors` likewise. Every field is optional."""

    message: str = ""
    code: str | None = None
    category: str | None = None
    status: Any = None
    context: dict[str, Any] = {}

    def ids(self, name: str) -> tuple[str, ...]:
        """The texts of one entry of the context, which holds a list or a single one."""
        found = self.context.get(name)
        if found is None:
            return ()
        return tuple(str(one) for one in found) if isinstance(found, list) else (str(found),)


class ErrorBody(msgspec.Struct):
    """The body of a refusal. Every field is optional; the samples of 429 have no category."""

    message: str = ""
    category: str | None = None
    subCategory: Any = None  # noqa: N815  # the vendor's name
    policyName: str | None = None  # noqa: N815
    errors: list[Detail] = []

    @property
    def words(self) -> str:
        """The vendor's own words, fit for the journal."""
        return quotable(" · ".join(dict.fromkeys(filter(None, (self.message, *(one.message for one in self.errors))))))

    @property
    def missing_scopes(self) -> tuple[str, ...]:
        """The scopes that the token lacks (any of them would do)."""
        names = ("requiredGranularScopes", "requiredScopes")
        return tuple(dict.fromkeys(scope for one in self.errors for name in names for scope in one.ids(name)))


_decode = msgspec.json.Decoder(ErrorBody).decode


class Rejection(SystemDown):
    """HubSpot refused a request for good; stops the system's run where nobody knows better."""

    def __init__(self, system: str, label: str, status: int, body: ErrorBody) -> None:
        self.status = status
        self.body = body
        scopes = body.missing_scopes
        hint = (
            say("Give the service key one of these scopes: {scopes}.", scopes=", ".join(scopes))
            if scopes
            else say("`headrace doctor` looks closer.")
        )
        super().__init__(
            system,
            say(
                "{system} refused {label}: HTTP {status} {category}.",
                system=system,
                label=label,
                status=status,
                category=code_of(body.category) or "-",
            ),
            hint=hint,
        )

    @property
    def is_absence(self) -> bool:
        """Whether the portal lacks the object: not in its edition, or out of the token's reach."""
        return self.status in {403, 404}


def read_error(answer: Answer) -> ErrorBody:
    """Read a refusal, or an empty one where it is written in no known way."""
    try:
        return _decode(answer.content)
    except ValueError:
        return ErrorBody()


class Quota:
    """The daily quota: once it is used up, nobody calls until the account's midnight.

    `zone` is the account's time zone, as far as it is known; UTC until then.
    """

    def __init__(self) -> None:
        self.zone: ZoneInfo | None = None
        self._resets_at: datetime | None = None

    def learn(self, zone: str) -> None:
        """Take note of the account's time zone; one that this machine does not know stays UTC."""
        try:
            self.zone = ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            self.zone = None

    def exhaust(self, now: datetime) -> Message:
        """Take note that the quota is used up at this instant (aware), and say so."""
        local = now.astimezone(self.zone or UTC)
        self._resets_at = datetime.combine(local.date() + timedelta(days=1), time.min, tzinfo=local.tzinfo)
        return self._words(self._resets_at)

    def check(self, now: datetime) -> Message | None:
        """What to say where the quota is still used up at this instant."""
        if self._resets_at is None or now >= self._resets_at:
            return None
        return self._words(self._resets_at)

    def _words(self, resets_at: datetime) -> Message:
        return say(
            "HubSpot's daily quota of calls is used up; it starts anew at {at}.",
            at=resets_at.astimezone(UTC).isoformat(timespec="minutes").replace("+00:00", "Z"),
        )


def classify(answer: Answer, quota: Quota) -> Verdict:
    """Judge an answer of the CRM API (error handling guide, usage guidelines; read 2026-11-21).

    | status, body                     | verdict                                            |
    | -------------------------------- | -------------------------------------------------- |
    | 429 SECONDLY (search)            | throttled, 1 s                                     |
    | 429 TEN_SECONDLY_ROLLING         | throttled, 10 s, unless Retry-After says otherwise |
    | 429 DAILY                        | down until the account's midnight                  |
    | 423 Locked                       | throttled, 2 s or more                             |
    | 477 Migration in progress        | throttled, Retry-After (up to 24 h)                |
    | everything else                  | by its status                                      |
    """
    if answer.status == 429:  # noqa: PLR2004  # statuses read best as numbers
        policy = read_error(answer).policyName or ""
        if policy == "DAILY":
            return down(
                quota.exhaust(answer.server_date or datetime.now(UTC)),
                code=policy,
                hint=QUOTA_HINT,
            )
        return throttled(policy, wait_s=answer.retry_after_s or _POLICY_WAIT_S.get(policy))
    if answer.status == 423:  # noqa: PLR2004
        return throttled("LOCKED", wait_s=max(answer.retry_after_s or 0.0, _LOCKED_WAIT_S))
    if answer.status == 477:  # noqa: PLR2004
        return throttled("MIGRATION_IN_PROGRESS", wait_s=answer.retry_after_s or _LOCKED_WAIT_S)
    return by_status(answer)


def failures(errors: Iterable[Detail], ids: Sequence[str]) -> dict[str, str]:
    """Which records of a batch were refused, by id, with the vendor's words: told by trace id, which is the record's.

    HubSpot names the records of an error by `objectWriteTraceId` or by `ids`; an error that names none says nothing of
    any record, and reading back decides.
    """
    known = frozenset(ids)
    refused: dict[str, str] = {}
    for one in errors:
        for id_ in (*one.ids("objectWriteTraceId"), *one.ids("ids"), *one.ids("id")):
            if id_ in known:
                refused[id_] = quotable(one.message or one.category or "")
    return refused
