"""Vitally's REST API, as far as a sync needs it: accounts, users and NPS answers, listed, read one by one, and written.

Facts (docs.vitally.io, "REST API" and "REST API: Accounts"; read 2026-11-21): Basic authentication with the key as the
user name; lists by cursor (`next`, given back as `from`), at most 100 a page, sorted by updatedAt descending unless
`sortBy=createdAt`; `status` is active unless asked otherwise, so that a list hides who has churned; 1,000 requests a
minute with `RateLimit-*` headers; traits are merged and null deletes one; mrr, nextRenewalDate, churnedAt and
trialEndDate are written through traits; healthScore, npsScore and csmId are read-only.

Unverified there, and so settable in `faults.vitally.options`: `retry_after` (seconds, sent with a 429; none by
default) and `write_cost` (units that a write takes of the limit; 2).
"""

from __future__ import annotations

import binascii
import hmac
from base64 import b64decode, urlsafe_b64decode, urlsafe_b64encode
from math import ceil
from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request

    from sandbox.faults import Faults, SystemFaults
    from sandbox.vault import Vault

OBJECTS: Final = ("accounts", "users", "npsResponses")
_PAGE: Final = 100
_LIMIT: Final = 1000
_WINDOW_S: Final = 60.0
_THROUGH_TRAITS: Final = ("mrr", "nextRenewalDate", "churnedAt", "trialEndDate")
_STATUS: Final = {
    "active": " AND json_extract(body, '$.churnedAt') IS NULL",
    "churned": " AND json_extract(body, '$.churnedAt') IS NOT NULL",
    "activeOrChurned": "",
}
_SORTS: Final = {"updatedAt": "modified", "createdAt": "created"}


def vitally_app(vault: Vault, faults: Faults) -> Starlette:
    """The API over the vault's accounts, users and NPS answers."""
    desk = _Desk(vault, faults)
    return Starlette(
        routes=[
            Route("/resources/{object}", desk.admit(desk.list_records), methods=["GET"]),
            Route("/resources/{object}/{id}", desk.admit(desk.read_record), methods=["GET"]),
            Route("/resources/{object}/{id}", desk.admit(desk.write_record), methods=["PUT"]),
        ],
        exception_handlers={HTTPException: _refuse},
    )


class _Desk:
    def __init__(self, vault: Vault, faults: Faults) -> None:
        self._vault = vault
        self._all_faults = faults

    @property
    def _faults(self) -> SystemFaults:
        return self._all_faults.vitally

    def admit(self, answer: Callable[[Request, str], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        """The answer, for who has the key and is within the limit."""

        async def admitted(request: Request) -> Response:
            if not self._is_known(request.headers.get("authorization", "")):
                return _json(401, {"error": "Unauthorized"})
            headers = {"RateLimit-Limit": f"{_LIMIT}, {_LIMIT};window=60"}
            remaining, reset_s = _LIMIT, _WINDOW_S
            if self._faults.is_limited:
                units = 1 if request.method == "GET" else int(self._faults.options.get("write_cost", 2))
                window = self._faults.window("minute", _LIMIT, _WINDOW_S)
                is_admitted, remaining, reset_s = window.take(units)
                if not is_admitted:
                    headers |= {"RateLimit-Remaining": str(remaining), "RateLimit-Reset": str(ceil(reset_s))}
                    retry_after = self._faults.options.get("retry_after")
                    if retry_after is not None:
                        headers["Retry-After"] = str(retry_after)
                    return _json(429, {"error": "Too many requests, please try again later."}, headers)
            object_ = request.path_params["object"]
            if object_ not in OBJECTS:
                return _json(404, {"error": "Not found"}, headers)
            response = await answer(request, object_)
            response.headers.update(
                headers | {"RateLimit-Remaining": str(remaining), "RateLimit-Reset": str(ceil(reset_s))},
            )
            return response

        return admitted

    def _is_known(self, authorization: str) -> bool:
        scheme, _, encoded = authorization.partition(" ")
        if scheme.lower() != "basic" or self._faults.are_credentials_wrong:
            return False
        try:
            name, _, password = b64decode(encoded, validate=True).decode().partition(":")
        except (binascii.Error, UnicodeDecodeError):
            return False
        return password == "" and hmac.compare_digest(name, self._all_faults.credentials.vitally_key)

    async def list_records(self, request: Request, object_: str) -> Response:
        """One page, newest first, and the cursor of the next one or null."""
        asked = request.query_params
        column = _SORTS.get(asked.get("sortBy", "updatedAt"))
        status = _STATUS.get(asked.get("status", "active"))
        if column is None or status is None:
            return _json(
                400, {"message": "sortBy must be updatedAt or createdAt, status active, churned or activeOrChurned"}
            )
        limit_text = asked.get("limit", str(_PAGE))
        if not limit_text.isdigit() or int(limit_text) < 1:
            return _json(400, {"message": "limit must be a positive number"})
        limit = min(int(limit_text), _PAGE)
        sql = f"SELECT {column}, id, body FROM vitally WHERE object = ? AND modified <= ?"  # noqa: S608  # of our own two
        params: list[object] = [object_, self._vault.now_ms() - self._faults.lag_ms]
        if object_ == "accounts":
            sql += status
        cursor = asked.get("from")
        if cursor:
            position = _read_cursor(cursor)
            if position is None:
                return _json(400, {"message": "from is not a cursor"})
            sql += f" AND ({column}, id) < (?, ?)"
            params += position
        sql += f" ORDER BY {column} DESC, id DESC LIMIT ?"
        rows = self._vault.execute(sql, [*params, limit + 1]).fetchall()
        page = rows[:limit]
        next_ = _write_cursor(page[-1][0], page[-1][1]) if len(rows) > limit else None
        text = b",".join(row[2].encode() for row in page)
        tail = orjson.dumps({"next": next_, "atEnd": next_ is None})[1:]
        return Response(b'{"results":[' + text + b"]," + tail, media_type="application/json")

    async def read_record(self, request: Request, object_: str) -> Response:
        """One record whole."""
        body = self._vault.body("vitally", object_, request.path_params["id"])
        if body is None:
            return _json(404, {"error": "Not found"})
        return _json(200, body)

    async def write_record(self, request: Request, object_: str) -> Response:
        """The record with its traits merged, its name set, and a new updatedAt even where nothing differs."""
        if object_ == "npsResponses":
            return _json(404, {"error": "Not found"})
        try:
            wanted = orjson.loads(await request.body())
        except orjson.JSONDecodeError:
            return _json(400, {"message": "The body is not JSON"})
        if not isinstance(wanted, dict):
            return _json(400, {"message": "The body must be an object"})
        traits = wanted.get("traits") or {}
        if not isinstance(traits, dict):
            return _json(400, {"message": "traits must be an object"})
        attributes: dict[str, Any] = {name: wanted[name] for name in ("name",) if isinstance(wanted.get(name), str)}
        if object_ == "accounts":
            attributes |= {name: traits[name] for name in _THROUGH_TRAITS if name in traits}
        traits = {name: value for name, value in traits.items() if name not in attributes}
        try:
            with self._vault.transaction():
                body = self._vault.patch_vitally(object_, request.path_params["id"], attributes, traits=traits)
        except KeyError:
            return _json(404, {"error": "Not found"})
        return _json(200, body)


def _read_cursor(text: str) -> list[object] | None:
    try:
        at, _, id_ = urlsafe_b64decode(text).decode().partition("|")
        return [int(at), id_]
    except (ValueError, binascii.Error):
        return None


def _write_cursor(at: int, id_: str) -> str:
    return urlsafe_b64encode(f"{at}|{id_}".encode()).decode()


def _json(status: int, body: object, headers: dict[str, str] | None = None) -> Response:
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


async def _refuse(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json(error.status_code, {"error": error.detail})
