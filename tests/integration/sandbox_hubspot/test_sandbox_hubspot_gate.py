"""Keys, scopes, limits and outages of the simulated HubSpot."""

from __future__ import annotations

import httpx
import pytest

from sandbox.hubspot.account import CLIENT_ID, CLIENT_SECRET, REFRESH_TOKEN
from sandbox.hubspot.outages import gateway_error, locked, migrating

V = "2026-09"
CONTACTS = f"/crm/objects/{V}/contacts"


def test_wrong_and_expired_keys_are_told_apart(bench):
    """A wrong key is INVALID_AUTHENTICATION, an OAuth token after half an hour EXPIRED_AUTHENTICATION."""
    form = {
        "grant_type": "refresh_token",
        "client_id": CLIENT_ID,
        "client_secret": CLIENT_SECRET,
        "refresh_token": REFRESH_TOKEN,
    }
    issued = bench.http.post(f"/oauth/{V}/token", data=form).json()
    oauth = {"Authorization": f"Bearer {issued['access_token']}"}

    live = bench.http.get(CONTACTS, headers=oauth)
    bench.faults.hubspot.expire_tokens()
    expired = bench.http.get(CONTACTS, headers=oauth)
    wrong = bench.http.get(CONTACTS, headers={"Authorization": "Bearer pat-na1-other"})

    assert issued["expires_in"] == 1800
    assert live.status_code == 200
    assert "X-HubSpot-RateLimit-Daily" not in live.headers
    assert (expired.status_code, expired.json()["category"]) == (401, "EXPIRED_AUTHENTICATION")
    assert (wrong.status_code, wrong.json()["category"]) == (401, "INVALID_AUTHENTICATION")
    assert wrong.json()["correlationId"] == wrong.headers["X-HubSpot-Correlation-Id"]
    bad = bench.http.post(f"/oauth/{V}/token", data={**form, "refresh_token": "other"})
    assert (bad.status_code, bad.json()["status"]) == (400, "BAD_REFRESH_TOKEN")


def test_missing_scopes_name_what_is_needed(bench):
    """Per object, and for writing alone."""
    bench.faults.hubspot.options["missing_scopes"] = {"deals", "contacts.write"}

    deals = bench.get(f"/crm/objects/{V}/deals", 403)
    bench.get(CONTACTS)
    contacts = bench.update("contacts", [(1, {"firstname": "A"})], status=403)

    assert deals["category"] == "MISSING_SCOPES"
    assert deals["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.deals.read"]
    assert contacts["errors"][0]["context"]["requiredGranularScopes"] == ["crm.objects.contacts.write"]


def test_rate_limits_name_their_policy(bench):
    """Ten-secondly with headers, secondly for searches without any, and daily."""
    bench.faults.hubspot.limits = "real"
    bench.faults.hubspot.options |= {"burst_limit": 2, "search_limit": 1}

    answers = [bench.http.get(CONTACTS) for _ in range(3)]
    searches = [bench.http.post(f"{CONTACTS}/search", json={}) for _ in range(2)]
    bench.faults.hubspot.options["daily_limit"] = 1
    daily = bench.http.get(CONTACTS)

    assert [one.status_code for one in answers] == [200, 200, 429]
    assert [one.headers["X-HubSpot-RateLimit-Remaining"] for one in answers[:2]] == ["1", "0"]
    assert answers[0].headers["X-HubSpot-RateLimit-Interval-Milliseconds"] == "10000"
    body = answers[2].json()
    assert (body["policyName"], body["errorType"]) == ("TEN_SECONDLY_ROLLING", "RATE_LIMIT")
    assert "category" not in body
    assert "Retry-After" not in answers[2].headers
    assert [one.status_code for one in searches] == [200, 429]
    assert not [name for name in searches[0].headers if "ratelimit" in name]
    assert searches[1].json()["policyName"] == "SECONDLY"
    assert daily.json()["policyName"] == "DAILY"


def test_scripted_outages_speak_as_hubspot_does(bench):
    """423, 477 with its Retry-After, and a proxy's page."""
    hubspot = bench.faults.hubspot
    for settings in (locked(), migrating(3600), gateway_error(502)):
        hubspot.script(path="/contacts", **settings)

    lock, move, page = (bench.http.get(CONTACTS) for _ in range(3))

    assert (lock.status_code, lock.json()["status"]) == (423, "error")
    assert (move.status_code, move.headers["Retry-After"]) == (477, "3600")
    assert (page.status_code, page.headers["content-type"]) == (502, "text/html")
    assert bench.http.get(CONTACTS).status_code == 200


def test_a_lost_answer_leaves_what_was_written(bench):
    """The connection ends after the commit: the client does not know, the record does."""
    bench.put("contacts", 1)
    bench.faults.hubspot.script(path="batch/update", when="after", drop=True)

    with pytest.raises(httpx.TransportError):
        bench.update("contacts", [(1, {"firstname": "Aoi"})])

    assert bench.read("contacts", 1, properties=["firstname"])["1"]["properties"]["firstname"] == "Aoi"


def test_answers_are_compressed_where_asked(bench):
    """Gzip when the client accepts it, plain when not."""
    for id_ in range(20):
        bench.put("contacts", id_ + 1)

    zipped = bench.http.get(CONTACTS, params={"limit": 20})
    plain = bench.http.get(CONTACTS, params={"limit": 20}, headers={"Accept-Encoding": "identity"})

    assert zipped.headers["content-encoding"] == "gzip"
    assert "content-encoding" not in plain.headers
    assert [row["id"] for row in zipped.json()["results"]] == [row["id"] for row in plain.json()["results"]]


def test_unknown_paths_versions_and_objects_are_refused(bench):
    """Each with a JSON error."""
    assert bench.get("/crm/nothing", 404)["status"] == "error"
    assert bench.get("/crm/objects/2020-01/contacts", 404)["status"] == "error"
    assert "Unable to infer object type" in bench.get(f"/crm/objects/{V}/gizmos", 400)["message"]


def test_paging_links_can_lead_elsewhere(bench):
    """So that a client shows that it carries its key nowhere else; else they keep the query."""
    for id_ in (1, 2):
        bench.put("contacts", id_)

    own = bench.get(CONTACTS, limit=1, properties="email")["paging"]["next"]["link"]
    bench.faults.hubspot.options["paging_origin"] = "http://elsewhere.example"
    other = bench.get(CONTACTS, limit=1)["paging"]["next"]["link"]

    assert own == f"{bench.origin}{CONTACTS}?limit=1&properties=email&after=2"
    assert other == f"http://elsewhere.example{CONTACTS}?limit=1&after=2"


def test_long_addresses_are_refused(bench):
    """Too many properties in a query are a 414."""
    answer = bench.http.get(CONTACTS, params={"properties": ",".join(["email"] * 2_000)})

    assert answer.status_code == 414
