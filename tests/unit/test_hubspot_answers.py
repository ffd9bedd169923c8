"""What HubSpot's refusals mean, and the form in which its values are compared."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from connectors.answers import Answer, Course
from connectors.hubspot.answers import Detail, Quota, Rejection, classify, failures, read_error
from connectors.hubspot.values import adjust, to_text

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)


def answer(status, body=None, **headers):
    """An answer as the transport hands it on."""
    content = b"" if body is None else json.dumps(body).encode()
    return Answer(status=status, headers=httpx.Headers(headers), content=content)


@pytest.mark.parametrize(
    ("given", "course", "wait_s"),
    [
        (answer(429, {"policyName": "SECONDLY"}), Course.THROTTLED, 1.0),
        (answer(429, {"policyName": "TEN_SECONDLY_ROLLING"}), Course.THROTTLED, 10.0),
        (answer(429, {"policyName": "TEN_SECONDLY_ROLLING"}, **{"retry-after": "3"}), Course.THROTTLED, 3.0),
        (answer(429), Course.THROTTLED, None),
        (answer(423, {"status": "error"}), Course.THROTTLED, 2.0),
        (answer(477, {"status": "error"}, **{"retry-after": "86400"}), Course.THROTTLED, 86_400.0),
        (answer(502), Course.RETRY, None),
        (answer(530), Course.RETRY, None),
        (answer(401, {"category": "EXPIRED_AUTHENTICATION"}), Course.REFRESH, None),
        (answer(401, {"category": "INVALID_AUTHENTICATION"}), Course.REFRESH, None),
        (answer(403, {"category": "MISSING_SCOPES"}), Course.REJECTED, None),
        (answer(400, {"category": "VALIDATION_ERROR"}), Course.REJECTED, None),
        (answer(207, {"results": []}), Course.OK, None),
        (answer(200, {"results": []}), Course.OK, None),
    ],
)
def test_answers_are_judged_as_hubspot_means_them(given, course, wait_s):
    """The table of `classify`."""
    verdict = classify(given, Quota())

    assert (verdict.course, verdict.wait_s) == (course, wait_s)


def test_page_of_html_is_an_outage():
    """Also with status 200."""
    page = Answer(status=200, headers=httpx.Headers(), content=b"<html></html>")

    assert classify(page, Quota()).course is Course.RETRY


def test_daily_quota_is_down_until_midnight_in_the_portals_zone():
    """The reset is told in UTC; afterwards calls are allowed again."""
    quota = Quota()
    quota.learn("Asia/Tokyo")
    verdict = classify(answer(429, {"policyName": "DAILY"}, date="Sat, 21 Nov 2026 10:00:00 GMT"), quota)

    assert verdict.course is Course.DOWN
    assert "2026-11-21T15:00Z" in str(verdict.message)
    assert quota.check(NOW) is not None
    assert quota.check(datetime(2026, 11, 21, 15, 0, tzinfo=UTC)) is None


def test_unknown_time_zone_counts_as_utc():
    """A zone that this machine does not know is no reason to stop."""
    quota = Quota()
    quota.learn("US/Nowhere")

    assert "2026-11-22T00:00Z" in str(quota.exhaust(NOW))


def test_missing_scopes_are_named_in_the_hint():
    """The operator learns what to grant."""
    body = {
        "category": "MISSING_SCOPES",
        "errors": [{"message": "m", "context": {"requiredGranularScopes": ["crm.objects.deals.read"]}}],
    }
    rejection = Rejection("hubspot", "/crm/objects/deals", 403, read_error(answer(403, body)))

    assert rejection.is_absence
    assert "crm.objects.deals.read" in str(rejection.hint)
    assert "MISSING_SCOPES" in str(rejection)


def test_refusal_in_no_known_form_is_still_a_refusal():
    """Every field of an error is optional."""
    assert read_error(Answer(status=400, headers={}, content=b"<html>")).words == ""


def test_failures_name_records_by_trace_id_or_id():
    """An error that names no record of the batch says nothing of any; what is quoted has no addresses."""
    errors = [
        Detail(message="one", context={"objectWriteTraceId": ["1"]}),
        Detail(message="hanako@example.jp\nis no number", context={"ids": "2"}),
        Detail(message="three", context={"ids": ["99"]}),
        Detail(message="four"),
    ]

    assert failures(errors, ["1", "2", "3"]) == {"1": "one", "2": "… is no number"}


@pytest.mark.parametrize(
    ("value", "role", "form"),
    [
        ("61", "score", 61),
        (61, "score", 61),
        ("61.0", "score", 61),
        ("61.50", "score", "61.5"),
        ("high", "score", "high"),
        ("", "stage", None),
        (None, "score", None),
        ("1795255200123", "stage_at", "2026-11-21T10:00:00.123Z"),
        ("2026-11-21T19:00:00+09:00", "stage_at", "2026-11-21T10:00:00.000Z"),
        ("2026-11-21T10:00:00.123Z", "stage_at", "2026-11-21T10:00:00.123Z"),
        ("soon", "stage_at", "soon"),
        ("mql", "stage", "mql"),
        (True, "extra", "true"),
        (5, "extra", "5"),
        ("1250.00", "extra", "1250"),
        ("2026-11-21T10:00:00Z", "extra", "2026-11-21T10:00:00.000Z"),
        ("01H0000000000", "id", "01H0000000000"),
    ],
)
def test_values_are_compared_in_one_form(value, role, form):
    """And bringing a value to that form twice changes nothing."""
    assert adjust(value, role) == form
    assert adjust(adjust(value, role), role) == form


def test_values_are_sent_as_text():
    """HubSpot takes strings only, and clears a property by an empty one."""
    assert [to_text(value) for value in (None, True, False, 61, "mql")] == ["", "true", "false", "61", "mql"]
