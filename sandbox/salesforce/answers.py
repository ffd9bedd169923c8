"""What a request is and what it is answered with, apart from HTTP: composite requests carry several in one."""

from __future__ import annotations

from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

if TYPE_CHECKING:
    from collections.abc import Mapping


class ApiError(Exception):
    """The request, or one row of it, is refused as Salesforce would; the constants name what is common."""

    def __init__(self, status: int, code: str, message: str, fields: tuple[str, ...] | None = None) -> None:
        super().__init__(f"{code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.fields = fields
        self.more: dict[str, Any] = {}

    def body(self) -> list[dict[str, Any]]:
        """The error as the body of a whole answer."""
        error: dict[str, Any] = {**self.more, "message": self.message, "errorCode": self.code}
        if self.fields is not None:
            error["fields"] = list(self.fields)
        return [error]

    def row(self) -> dict[str, Any]:
        """The error as one of a row's in a collection: `statusCode`, not `errorCode`."""
        return {**self.more, "statusCode": self.code, "message": self.message, "fields": list(self.fields or ())}


@dataclass(frozen=True, kw_only=True, slots=True)
class Call:
    """One request; header names in lower case, `path` below `/services/data/vNN.N/`."""

    method: str
    path: str
    version: str = "v68.0"
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: Any = None
    """Decoded JSON, or bytes not yet decoded."""
    origin: str = ""

    @property
    def root(self) -> str:
        """`/services/data/v68.0`, as links in answers begin."""
        return f"/services/data/{self.version}"

    def json(self) -> Any:
        """The body decoded; raises ApiError JSON_PARSER_ERROR."""
        if not isinstance(self.body, bytes):
            return self.body
        try:
            return orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            message = f"{error.msg} at [line:{error.lineno}, column:{error.colno}]"
            raise ApiError(400, "JSON_PARSER_ERROR", message) from None

    def fields(self) -> dict[str, Any]:
        """The body as one record's fields; raises ApiError JSON_PARSER_ERROR."""
        body = self.json()
        if not isinstance(body, dict):
            message = "The HTTP entity body is required, but this request has no entity body."
            raise ApiError(400, "JSON_PARSER_ERROR", message)
        return body


class Answer(NamedTuple):
    """Status, body (None for an empty one) and headers beyond the usual."""

    status: int = 200
    body: Any = None
    headers: Mapping[str, str] = {}


def not_found() -> ApiError:
    """There is nothing at that address."""
    return ApiError(404, "NOT_FOUND", "The requested resource does not exist")


def is_true(value: Any) -> bool:
    """Whether a flag, given as a JSON or a text value, is set."""
    return str(value).lower() == "true"


def http_date_ms(text: str | None) -> int | None:
    """An HTTP date in epoch milliseconds; None where there is none or it cannot be read."""
    if not text:
        return None
    try:
        return int(parsedate_to_datetime(text).timestamp() * 1000)
    except ValueError:
        return None
