"""The simulated Salesforce API over HTTP."""

from __future__ import annotations

import re
import zlib
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from sandbox.salesforce import auth, describe
from sandbox.salesforce.answers import Answer, ApiError, Call, not_found
from sandbox.salesforce.org import Org
from sandbox.salesforce.router import dispatch

if TYPE_CHECKING:
    from starlette.requests import Request

    from sandbox.faults import Faults
    from sandbox.vault import Vault

_VERSIONED = re.compile(r"/services/data/(v(\d+)\.0)(/.*)?")
_LEAST_ZIPPED = 1_024
_GZIP_WINDOW = 31
"""zlib's way of asking for a gzip header."""
_LONGEST_URL = 16_384
_TOO_LONG = b"<h1>Bad Message 414</h1><pre>reason: URI Too Long</pre>"
_METHODS = ["GET", "POST", "PATCH", "DELETE", "PUT"]


def salesforce_app(vault: Vault, faults: Faults) -> Starlette:
    """The API over that vault; `faults.salesforce` says what goes wrong, and `Org` which options it knows."""
    org = Org(vault, faults)

    async def answer(request: Request) -> Response:
        if len(request.url.path) + len(request.url.query) > _LONGEST_URL:
            return Response(_TOO_LONG, 414, media_type="text/html")
        call = Call(
            method=request.method,
            path=request.url.path,
            query=dict(request.query_params),
            headers=request.headers,
            body=await request.body(),
            origin=f"{request.url.scheme}://{request.url.netloc}",
        )
        return _response(org, call, _answer(org, call))

    return Starlette(routes=[Route("/{path:path}", answer, methods=_METHODS)])


def _answer(org: Org, call: Call) -> Answer:
    """The whole answer; what is written by the request is written at once or not at all."""
    path = call.path.rstrip("/")
    try:
        if path == "/services/oauth2/token":
            return auth.token(org, call) if call.method == "POST" else _not_allowed(call)
        if path == "/services/oauth2/userinfo" or path.startswith("/id/"):
            return auth.identity(org, call)
        if path.startswith("/services/Soap/"):
            return auth.soap_login()
        if path == "/services/data":
            return Answer(body=describe.versions())
        with org.vault.lock:
            return _versioned(org, call)
    except ApiError as error:
        return Answer(error.status, error.body())


def _versioned(org: Org, call: Call) -> Answer:
    match = _VERSIONED.fullmatch(call.path)
    if not match or int(match.group(2)) > describe.NEWEST:
        raise not_found()
    if int(match.group(2)) < describe.OLDEST:
        message = f"The API version {match.group(1)} is no longer supported."
        raise ApiError(410, "UNSUPPORTED_API_VERSION", message)
    org.check_token(call.headers.get("authorization"))
    org.count_call()
    below = Call(
        method=call.method,
        path=match.group(3) or "",
        version=match.group(1),
        query=call.query,
        headers=call.headers,
        body=call.body,
        origin=call.origin,
    )
    if call.method == "GET":
        return dispatch(org, below)
    with org.vault.transaction():
        return dispatch(org, below)


def _not_allowed(call: Call) -> Answer:
    return Answer(405, ApiError(405, "METHOD_NOT_ALLOWED", f"HTTP Method '{call.method}' not allowed.").body())


def _response(org: Org, call: Call, answer: Answer) -> Response:
    headers = {"date": formatdate(org.vault.now_ms() / 1000, usegmt=True), **answer.headers}
    if call.path.rstrip("/") != "/services/data":
        headers["sforce-limit-info"] = org.limit_info()
    content = _content(call, answer.body)
    if content:
        headers.setdefault("content-type", "application/json;charset=UTF-8")
    if len(content) >= _LEAST_ZIPPED and "gzip" in call.headers.get("accept-encoding", ""):
        zipper = zlib.compressobj(level=1, wbits=_GZIP_WINDOW)
        content = zipper.compress(content) + zipper.flush()
        headers |= {"content-encoding": "gzip", "vary": "Accept-Encoding"}
    return Response(content, answer.status, headers)


def _content(call: Call, body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, bytes):
        return body
    return orjson.dumps(body, option=orjson.OPT_INDENT_2 if call.headers.get("x-prettyprint") == "1" else None)
