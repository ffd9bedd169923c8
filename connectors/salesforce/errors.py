"""What Salesforce's answers mean: its error bodies, and what to do after each."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from connectors import answers
from connectors.answers import Answer, Verdict, code_of, quotable
from mapping.text import say

# A fresh token does not help against these, though they share the code of an expired session.
_LASTING_401 = (b"not valid for use with the REST API", b"Connected app is not attached to Agent")


class Fault(NamedTuple):
    """One error of an answer or of one row: the vendor's code, its words, and the fields it names."""

    code: str
    words: str
    fields: tuple[str, ...] = ()


class _Body(msgspec.Struct):
    errorCode: str = ""  # noqa: N815  # the wire's name
    statusCode: str = ""  # noqa: N815  # the same, in rows of collections
    message: str = ""
    fields: list[str] = []


_decode = msgspec.json.Decoder(list[_Body]).decode


def judge(answer: Answer) -> Verdict:  # noqa: PLR0911  # one return for each row of the table
    """Decide what to do after an answer of the data API (REST API guide, Status Codes and Error Responses).

    | answer                                            | verdict                                              |
    | ------------------------------------------------- | ---------------------------------------------------- |
    | 401, session or header rejected                   | refresh                                              |
    | 401 that no token mends                           | down                                                 |
    | 403 REQUEST_LIMIT_EXCEEDED, ConcurrentRequests    | throttled: seconds                                   |
    | 403 REQUEST_LIMIT_EXCEEDED, TotalRequests         | down: a rolling day                                  |
    | 410                                               | down: the API version is retired                     |
    | 420, 429                                          | throttled                                            |
    | 406, 5xx, anything that should be JSON and is not | retry                                                |
    | the rest                                          | as the status says                                   |
    """
    if answer.is_ok or not answer.is_json:
        if answer.status == 420:  # noqa: PLR2004  # odd, seen without a body; nothing was done
            return answers.throttled()
        return answers.by_status(answer)
    code = fault_of(answer).code
    if answer.status == 401:  # noqa: PLR2004
        if any(words in answer.content for words in _LASTING_401):
            return answers.down(
                say("Salesforce refuses this kind of session for its REST API."),
                code=code,
                hint=say("Check the External Client App: it must allow API access for the integration user."),
            )
        return answers.refresh(code)
    if code == "REQUEST_LIMIT_EXCEEDED":
        if b"ConcurrentRequests" in answer.content:
            return answers.throttled(code)
        return answers.down(
            say("The daily API calls of this Salesforce org are used up ({code}).", code=code),
            code=code,
            hint=say("Calls become free again over 24 hours; poll less often, or ask for more calls."),
        )
    if answer.status == 410:  # noqa: PLR2004
        return answers.down(
            say("Salesforce has retired this API version ({code}).", code=code or "GONE"),
            code=code,
            hint=say("Set a newer api_version."),
        )
    if answer.status in {420, 429}:
        return answers.throttled(code)
    if answer.status == 406 or answer.status >= 500:  # noqa: PLR2004
        return answers.retry(code)
    return answers.REJECTED


def fault_of(answer: Answer) -> Fault:
    """The first error of a refused request; an empty code where the body has none."""
    try:
        bodies = _decode(answer.content)
    except msgspec.DecodeError:
        return Fault(f"HTTP_{answer.status}", "")
    return _fault(bodies[0]) if bodies else Fault(f"HTTP_{answer.status}", "")


def _fault(body: _Body) -> Fault:
    return fault(body.errorCode or body.statusCode, body.message, body.fields)


def fault(code: str, words: str, fields: list[str] | tuple[str, ...] = ()) -> Fault:
    """An error fit for the journal, in the admin's own words."""
    return Fault(code_of(code) or "UNKNOWN", quotable(words), tuple(fields))
