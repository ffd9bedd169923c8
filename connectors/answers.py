"""What a vendor answered, and what is to be made of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mapping.text import Message

_MAIL = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]+")
_LONGEST_QUOTE = 500
_CODE = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """A whole answer: its status, its headers (looked up in any case) and its body, decompressed.

    `value` is what the request's `decode` made of the body. The repr shows no body.
    """

    status: int
    headers: Mapping[str, str]
    content: bytes
    value: Any = None

    def __repr__(self) -> str:
        return f"Answer({self.status}, {len(self.content)} bytes)"

    @property
    def is_ok(self) -> bool:
        """Whether the status is a success."""
        return 200 <= self.status < 300  # noqa: PLR2004  # the class of HTTP statuses

    @property
    def server_date(self) -> datetime | None:
        """The vendor's clock, in whole seconds, from the Date header."""
        return _http_date(self.headers.get("date", ""))

    @property
    def retry_after_s(self) -> float | None:
        """Seconds that the vendor asks to wait: Retry-After in seconds, or as a date measured by the vendor's clock."""
        text = self.headers.get("retry-after", "").strip()
        if not text:
            return None
        try:
            return max(0.0, float(text)) if text[0].isdigit() else self._until(text)
        except ValueError:
            return None

    @property
    def is_json(self) -> bool:
        """Whether the body begins and ends as JSON objects and arrays do: no HTML page, not empty, hardly cut short."""
        body = self.content
        if not body:
            return False
        first, last = body[:64].lstrip()[:1], body[-64:].rstrip()[-1:]
        return (first, last) in {(b"{", b"}"), (b"[", b"]")}

    def _until(self, text: str) -> float | None:
        then = _http_date(text)
        now = self.server_date or datetime.now(UTC)
        return None if then is None else max(0.0, (then - now).total_seconds())


class Course(Enum):
    """What to do after an answer."""

    OK = auto()
    """Take it."""
    REJECTED = auto()
    """Hand it to the caller: this request is refused, and will be again."""
    REFRESH = auto()
    """The credentials are stale: replace them and send the same again. The request was not carried out."""
    RETRY = auto()
    """An outage: try again, if trying twice does no harm."""
    THROTTLED = auto()
    """Asked to slow down: wait and send again. The request was not carried out."""
    DOWN = auto()
    """The system cannot be used; trying again is pointless."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """What a vendor's answer means. `code` is the vendor's own word for it; `wait_s` overrides Retry-After."""

    course: Course
    code: str = ""
    wait_s: float | None = None
    message: Message | None = None
    hint: Message | None = None


OK = Verdict(course=Course.OK)
REJECTED = Verdict(course=Course.REJECTED)


def refresh(code: str = "") -> Verdict:
    """The credentials are stale."""
    return Verdict(course=Course.REFRESH, code=code)


def retry(code: str = "", *, wait_s: float | None = None) -> Verdict:
    """It is an outage."""
    return Verdict(course=Course.RETRY, code=code, wait_s=wait_s)


def throttled(code: str = "", *, wait_s: float | None = None) -> Verdict:
    """It asks to slow down."""
    return Verdict(course=Course.THROTTLED, code=code, wait_s=wait_s)


def down(message: Message, *, code: str = "", hint: Message | None = None) -> Verdict:
    """It is of no use to try again."""
    return Verdict(course=Course.DOWN, code=code, message=message, hint=hint)


def by_status(answer: Answer) -> Verdict:
    """Judge by the status alone, where a body says nothing more; whatever should be JSON and is not is an outage.

    | status                    | verdict                                      |
    | ------------------------- | -------------------------------------------- |
    | 204, 304                  | ok, without a body                           |
    | other 2xx                 | ok as JSON, else retry                       |
    | 401                       | refresh                                      |
    | 429                       | throttled                                    |
    | 408, 425, 5xx             | retry                                        |
    | other 3xx and 4xx         | rejected as JSON, else retry: not the vendor |
    """
    if answer.status in {204, 304}:
        return OK
    if answer.status == 401:  # noqa: PLR2004  # statuses read best as numbers
        return refresh()
    if answer.status == 429:  # noqa: PLR2004
        return throttled()
    if answer.status in {408, 425} or answer.status >= 500 or not answer.is_json:  # noqa: PLR2004
        return retry()
    return OK if answer.is_ok else REJECTED


def of_login(answer: Answer) -> Verdict:
    """Judge an answer of a token endpoint, where there are no credentials to replace.

    400, 401 and 403 refuse the login, but only in JSON: HTML is a proxy's, and no reason never to log in again.
    """
    if answer.status in {400, 401, 403}:
        return REJECTED if answer.is_json else retry()
    return by_status(answer)


def code_of(text: object) -> str:
    """A vendor's error code fit to be shown and logged: one word; anything else (a sentence, a name) is left out."""
    return text if isinstance(text, str) and _CODE.fullmatch(text) else ""


def quotable(words: str) -> str:
    """A vendor's own words fit for the journal: on one line, shortened, with mail addresses left out."""
    return _MAIL.sub("…", " ".join(words.split()))[:_LONGEST_QUOTE]


def _http_date(text: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(text)
    except ValueError:
        return None
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)
