"""Which function answers which address, and the composite resources that carry several requests in one.

Source: REST API guide, Composite, Composite Batch; read 2026-11-21.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from sandbox.salesforce import collections, describe, query, rows, tooling
from sandbox.salesforce.answers import Answer, ApiError, Call, is_true, not_found

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sandbox.salesforce.org import Org

    Handler = Callable[..., Answer]

_MOST_SUBREQUESTS = 25
_MOST_QUERIES = 5
_OK = range(200, 300)
_REFERENCE = re.compile(r"@\{(\w+)((?:\.\w+|\[\d+\])*)\}")
_STEP = re.compile(r"\.(\w+)|\[(\d+)\]")


def dispatch(org: Org, call: Call) -> Answer:
    """The answer to one request below a version; raises ApiError."""
    path = call.path.strip("/")
    for pattern, handlers in _ROUTES:
        match = pattern.fullmatch(path)
        if not match:
            continue
        handler = handlers.get(call.method)
        if handler is None:
            allowed = ",".join(handlers)
            message = f"HTTP Method '{call.method}' not allowed. Allowed are {allowed}"
            raise ApiError(405, "METHOD_NOT_ALLOWED", message)
        return handler(org, call, *(unquote(part) for part in match.groups()))
    raise not_found()


def composite(org: Org, call: Call) -> Answer:
    """Each subrequest's answer, in order; a later one may use what an earlier one answered. It counts as one call."""
    body = call.fields()
    requests = _subrequests(body, "compositeRequest", ("method", "url", "referenceId"))
    queries = sum(1 for request in requests if re.search(r"/(query|queryAll|composite/sobjects)\b", request["url"]))
    if queries > _MOST_QUERIES:
        message = f"Cannot have more than {_MOST_QUERIES} query, queryAll or sObject Collections operations."
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    is_atomic = is_true(body.get("allOrNone", False))
    answers: dict[str, Answer] = {}
    failed: str | None = None
    org.vault.execute("SAVEPOINT composite")
    for request in requests:
        name = request["referenceId"]
        answers[name] = _halted() if failed and is_atomic else _subanswer(org, call, request, answers)
        if answers[name].status not in _OK and failed is None:
            failed = name
    if failed is not None and is_atomic:
        org.vault.execute("ROLLBACK TO composite")
        answers = {name: answer if name == failed else _halted() for name, answer in answers.items()}
    org.vault.execute("RELEASE composite")
    responses = [
        {"body": answer.body, "httpHeaders": {}, "httpStatusCode": answer.status, "referenceId": name}
        for name, answer in answers.items()
    ]
    return Answer(body={"compositeResponse": responses})


def batch(org: Org, call: Call) -> Answer:
    """Each subrequest's answer, in order, independent of each other; each counts as a call."""
    body = call.fields()
    requests = _subrequests(body, "batchRequests", ("method", "url"))
    results: list[dict[str, Any]] = []
    has_errors = False
    for index, request in enumerate(requests):
        if has_errors and is_true(body.get("haltOnError", False)):
            error = {"errorCode": "BATCH_PROCESSING_HALTED", "message": "Batch processing halted per request"}
            results.append({"statusCode": 412, "result": [error]})
            continue
        if index:
            org.calls += 1
        url = request["url"]
        path = url.removeprefix("/").removeprefix("services/data/").partition("/")[2]
        answer = _answered(org, _subcall(call, request["method"], path, {}, request.get("richInput")))
        has_errors = has_errors or answer.status not in _OK
        results.append({"statusCode": answer.status, "result": answer.body})
    return Answer(body={"hasErrors": has_errors, "results": results})


def _subanswer(org: Org, call: Call, request: Mapping[str, Any], answers: Mapping[str, Answer]) -> Answer:
    prefix = f"{call.root}/"
    try:
        url = _filled(request["url"], answers)
        body = _filled(request.get("body"), answers)
    except LookupError as error:
        message = f"Invalid reference specified. No value for {error.args[0]} found."
        return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": message}])
    if not url.startswith(prefix):
        return Answer(404, not_found().body())
    # A subrequest inherits authorization and content type only: other headers must be its own.
    headers = {str(name).lower(): str(value) for name, value in (request.get("httpHeaders") or {}).items()}
    return _answered(org, _subcall(call, request["method"], url.removeprefix(prefix), headers, body))


def _answered(org: Org, call: Call) -> Answer:
    try:
        if call.path.strip("/") in ("composite", "composite/batch"):
            raise not_found()
        return dispatch(org, call)
    except ApiError as error:
        return Answer(error.status, error.body())


def _subcall(call: Call, method: str, url: str, headers: Mapping[str, str], body: Any) -> Call:
    parts = urlsplit(url)
    return Call(
        method=method.upper(),
        path=parts.path,
        version=call.version,
        query=dict(parse_qsl(parts.query, keep_blank_values=True)),
        headers=headers,
        body=body,
        origin=call.origin,
    )


def _filled(value: Any, answers: Mapping[str, Answer]) -> Any:
    """The value with `@{reference.path}` replaced; raises LookupError."""
    if isinstance(value, dict):
        return {name: _filled(part, answers) for name, part in value.items()}
    if isinstance(value, list):
        return [_filled(part, answers) for part in value]
    if not isinstance(value, str) or "@{" not in value:
        return value
    return _REFERENCE.sub(lambda match: str(_looked_up(match.group(1), match.group(2), answers)), value)


def _looked_up(name: str, path: str, answers: Mapping[str, Answer]) -> Any:
    if name not in answers or answers[name].status not in _OK:
        raise LookupError(name)
    found = answers[name].body
    for key, index in _STEP.findall(path):
        try:
            found = found[key] if key else found[int(index)]
        except (KeyError, IndexError, TypeError):
            raise LookupError(f"{name}{path}") from None
    return found


def _halted() -> Answer:
    message = "The transaction was rolled back since another operation in the same transaction failed."
    return Answer(400, [{"errorCode": "PROCESSING_HALTED", "message": message}])


def _subrequests(body: Mapping[str, Any], name: str, needed: tuple[str, ...]) -> list[dict[str, Any]]:
    """The subrequests, each with what it needs; raises ApiError."""
    requests = body.get(name)
    if not isinstance(requests, list):
        raise ApiError(400, "JSON_PARSER_ERROR", f"Missing required field: {name}")
    for request in requests:
        missing = [key for key in needed if not isinstance(request, dict) or not isinstance(request.get(key), str)]
        if missing:
            raise ApiError(400, "JSON_PARSER_ERROR", f"Missing required field: {missing[0]}")
    if len(requests) > _MOST_SUBREQUESTS:
        message = f"Limit of {_MOST_SUBREQUESTS} subrequests exceeded."
        raise ApiError(400, "LIMIT_EXCEEDED", message)
    return requests


_OBJECT = r"(\w+)"
_VALUE = r"([^/]+)"
_ROUTES: tuple[tuple[re.Pattern[str], Mapping[str, Handler]], ...] = tuple(
    (re.compile(pattern), handlers)
    for pattern, handlers in (
        (r"", {"GET": describe.resources}),
        (r"limits", {"GET": describe.limits}),
        (r"limits/recordCount", {"GET": describe.record_count}),
        (r"query", {"GET": query.query, "POST": query.query}),
        (r"queryAll", {"GET": query.query_all, "POST": query.query_all}),
        (rf"(?:query|queryAll)/{_VALUE}", {"GET": query.more}),
        (r"composite", {"POST": composite}),
        (r"composite/batch", {"POST": batch}),
        (
            r"composite/sobjects",
            {"POST": collections.create, "PATCH": collections.update, "DELETE": collections.delete},
        ),
        (rf"composite/sobjects/{_OBJECT}", {"GET": collections.retrieve, "POST": collections.retrieve}),
        (rf"composite/sobjects/{_OBJECT}/{_VALUE}", {"PATCH": collections.upsert}),
        (r"sobjects", {"GET": describe.objects}),
        (rf"sobjects/{_OBJECT}", {"GET": describe.basics, "POST": rows.create}),
        (rf"sobjects/{_OBJECT}/describe", {"GET": describe.describe}),
        (rf"sobjects/{_OBJECT}/updated", {"GET": rows.updated}),
        (rf"sobjects/{_OBJECT}/deleted", {"GET": rows.deleted}),
        (rf"sobjects/{_OBJECT}/{_VALUE}", {"GET": rows.read, "PATCH": rows.update, "DELETE": rows.delete}),
        (rf"sobjects/{_OBJECT}/{_VALUE}/{_VALUE}", {"GET": rows.read_by, "PATCH": rows.upsert}),
        (r"tooling/query", {"GET": query.tooling_query}),
        (r"tooling/sobjects/CustomField", {"POST": tooling.create_field}),
        (
            rf"tooling/sobjects/CustomField/{_VALUE}",
            {"GET": tooling.read_field, "PATCH": tooling.update_field, "DELETE": tooling.delete_field},
        ),
    )
)
