"""What the API says: results, refusals with HubSpot's error body, and instants as it writes them.

Error handling guide and "Using object APIs" (developers.hubspot.com); read 2026-11-21.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from uuid import uuid4

from sandbox.vault import iso_stamp

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

Json = dict[str, Any]

BAD_REQUEST: Final = 400
NOT_FOUND: Final = 404
CONFLICT: Final = 409


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """One response; without a payload it has no body."""

    payload: Any = None
    status: int = 200


class Refusal(Exception):  # noqa: N818  # the vendor refuses; nothing failed here
    """The request is answered with HubSpot's error body and this status; every field but message is optional."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        category: str | None = "VALIDATION_ERROR",
        errors: Sequence[Json] = (),
        more: Mapping[str, Any] | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(category or status)
        self.status = status
        self.message = message
        self.category = category
        self.errors = list(errors)
        self.more = dict(more or {})
        self.headers = dict(headers or {})

    def body(self, correlation_id: str) -> Json:
        """The error as HubSpot writes it."""
        body: Json = {"status": "error", "message": self.message, "correlationId": correlation_id}
        if self.errors:
            body["errors"] = self.errors
        if self.category:
            body["category"] = self.category
        return body | self.more


def not_found(message: str = "resource not found") -> Refusal:
    """The refusal of something that does not exist."""
    return Refusal(NOT_FOUND, message, category="OBJECT_NOT_FOUND")


def invalid(message: str, *, code: str | None = None, context: Mapping[str, Sequence[str]] | None = None) -> Refusal:
    """The refusal of a request that breaks a rule."""
    detail: Json = {"message": message}
    if code:
        detail["code"] = code
    if context:
        detail["context"] = context
    return Refusal(BAD_REQUEST, message, errors=[detail] if code or context else ())


def correlation_id() -> str:
    """A new one."""
    return str(uuid4())


def property_stamp(ms: int) -> str:
    """An instant as a datetime property has it: without milliseconds where they are zero."""
    return iso_stamp(ms).replace(".000Z", "Z")


@dataclass(slots=True)
class BatchErrors:
    """The failures of a batch, as rows of its answer.

    The v3 models demand `errors` and `links` in each row; dated answers leave them out where they are empty.
    """

    is_legacy: bool
    rows: list[Json] = field(default_factory=list)

    def add(
        self, category: str, message: str, context: Mapping[str, Sequence[str]], errors: Sequence[Json] = ()
    ) -> None:
        """One more row."""
        row: Json = {"status": "error", "category": category, "message": message, "context": dict(context)}
        if errors or self.is_legacy:
            row["errors"] = list(errors)
        if self.is_legacy:
            row["links"] = {}
        self.rows.append(row)


def batch_answer(
    results: Sequence[Json], errors: BatchErrors, now_ms: int, *, status: int = 200, is_multi_status: bool = True
) -> Answer:
    """A batch's results; where some failed, 207, or the usual status with the errors in the body.

    The guides say 207, the 2026-09 specifications put `errors` in the 2xx body: both are seen.
    """
    at = iso_stamp(now_ms)
    payload: Json = {"status": "COMPLETE", "results": list(results), "startedAt": at, "completedAt": at}
    if errors.rows:
        payload["numErrors"] = len(errors.rows)
        payload["errors"] = errors.rows
        status = 207 if is_multi_status else status
    return Answer(payload=payload, status=status)
