"""Faults and the request log, without a socket."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from sandbox.faults import FaultMiddleware, Faults, RateWindow, Scripted, path_template

if TYPE_CHECKING:
    from starlette.requests import Request


class Shop:
    """A vendor that counts what reaches it, behind its faults."""

    def __init__(self) -> None:
        self.served = 0
        self.faults = Faults()
        app = Starlette(routes=[Route("/{rest:path}", self._serve, methods=["GET", "POST"])])
        self.app = FaultMiddleware(app, self.faults, "hubspot")

    async def _serve(self, request: Request) -> PlainTextResponse:
        self.served += 1
        return PlainTextResponse("served")

    def ask(self, path: str = "/x", method: str = "GET") -> httpx.Response:
        """One request."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://shop.example") as client:
                return await client.request(method, path)

        return asyncio.run(ask())


@pytest.fixture
def shop() -> Shop:
    """A vendor with nothing wrong."""
    return Shop()


def test_nothing_wrong_changes_nothing(shop: Shop) -> None:
    """Without a fault the vendor answers for itself."""
    assert shop.ask().text == "served"


@pytest.mark.parametrize(("down", "status", "kind"), [("503", 503, "text/plain"), ("html", 200, "text/html")])
def test_vendor_that_is_down_does_no_work(shop: Shop, down: str, status: int, kind: str) -> None:
    """An outage answers in the vendor's stead, an HTML page even with 200."""
    shop.faults.hubspot.down = down  # type: ignore[assignment]  # a parameter of the test

    response = shop.ask()

    assert response.status_code == status
    assert response.headers["content-type"].startswith(kind)
    assert shop.served == 0


def test_vendor_that_refuses_drops_the_connection(shop: Shop) -> None:
    """Where there is no connection to drop, the request fails."""
    shop.faults.hubspot.down = "refuse"

    with pytest.raises(ConnectionResetError):
        shop.ask()

    assert shop.faults.requests[0].status == 0


def test_script_meets_the_request_that_it_names_and_then_is_gone(shop: Shop) -> None:
    """Others pass; `skip` lets some through first, `times` lets it happen again."""
    shop.faults.hubspot.script(
        path=r"/batch/", method="POST", status=429, body="{}", headers={"Retry-After": "3"}, skip=1
    )

    statuses = [
        shop.ask("/batch/read").status_code,
        shop.ask("/batch/read", "POST").status_code,
        shop.ask("/batch/read", "POST").status_code,
        shop.ask("/batch/read", "POST").status_code,
    ]

    assert statuses == [200, 200, 429, 200]
    assert not shop.faults.hubspot.scripted


def test_scripted_headers_and_body_arrive(shop: Shop) -> None:
    """An answer decided beforehand is given as it stands."""
    shop.faults.hubspot.script(status=429, body='{"a":1}', headers={"Retry-After": "3"})

    response = shop.ask()

    assert response.json() == {"a": 1}
    assert response.headers["retry-after"] == "3"
    assert shop.served == 0


def test_answer_may_be_lost_after_the_work_was_done(shop: Shop) -> None:
    """`when="after"`: the vendor has served, and its client sees an error."""
    shop.faults.hubspot.script(status=502, when="after")

    assert shop.ask().status_code == 502
    assert shop.served == 1


def test_latency_delays_and_the_vendor_still_answers(shop: Shop) -> None:
    """A scripted wait alone leaves the answer as it is."""
    shop.faults.hubspot.script(latency_s=0.05)
    started = time.monotonic()

    response = shop.ask()

    assert response.text == "served"
    assert time.monotonic() - started >= 0.05


def test_log_counts_by_template_and_clear_forgets(shop: Shop) -> None:
    """Ids do not tell requests apart; the sandbox's own door is not logged."""
    for path in ("/crm/objects/2026-09/contacts/5101", "/crm/objects/2026-09/contacts/77", "/_sandbox/health"):
        shop.ask(path)

    assert shop.faults.counts() == {("hubspot", "GET", "/crm/objects/2026-09/contacts/{id}"): 2}

    shop.faults.clear()

    assert shop.faults.counts() == {}
    assert shop.faults.requests == []


@pytest.mark.parametrize(
    ("path", "template"),
    [
        ("/services/data/v68.0/sobjects/Lead/00QHs0000000005MAA", "/services/data/v68.0/sobjects/Lead/{id}"),
        ("/services/data/v68.0/query/01gHs0000000001AAA-2000", "/services/data/v68.0/query/{id}"),
        ("/resources/accounts/74c3bd0e-b324-4f4f-8a99-8a8bff1d454b", "/resources/accounts/{id}"),
        ("/services/data/v68.0/composite/sobjects", "/services/data/v68.0/composite/sobjects"),
        ("/crm/objects/2026-09/contacts/batch/read", "/crm/objects/2026-09/contacts/batch/read"),
        (
            "/services/data/v68.0/sobjects/OpportunityLine/describe",
            "/services/data/v68.0/sobjects/OpportunityLine/describe",
        ),
    ],
)
def test_path_templates_replace_ids_only(path: str, template: str) -> None:
    """Names and versions stay."""
    assert path_template(path) == template


def test_rate_window_admits_its_limit_and_opens_anew() -> None:
    """A window that is spent says when it opens."""
    now = [100.0]
    window = RateWindow(3, 10.0, clock=lambda: now[0])

    taken = [window.take(2), window.take(1), window.take(1)]
    now[0] += 10.0

    assert [admitted for admitted, _, _ in taken] == [True, True, False]
    assert [left for _, left, _ in taken] == [1, 0, 0]
    assert taken[-1][2] == 10.0
    assert window.take(1)[0]


def test_tokens_expire_by_age_and_by_revocation() -> None:
    """A token is good while it is young and was issued after the last revocation."""
    settings = Faults().salesforce
    issued_at = time.time()

    assert settings.is_token_live(issued_at)
    settings.token_life_s = 0
    assert not settings.is_token_live(issued_at)
    settings.token_life_s = 60
    settings.expire_tokens()
    assert not settings.is_token_live(issued_at)
    assert settings.is_token_live(time.time() + 0.01)


def test_unknown_settings_of_a_script_are_refused() -> None:
    """A misspelt setting does not become a fault that never happens."""
    with pytest.raises(TypeError):
        Faults().hubspot.script(stauts=500)


def test_script_matches_method_and_query() -> None:
    """The path is searched with its query."""
    scripted = Scripted(method="get", path=r"limit=1$")

    assert scripted.matches("GET", "/resources/accounts?limit=1")
    assert not scripted.matches("PUT", "/resources/accounts?limit=1")
    assert not scripted.matches("GET", "/resources/accounts?limit=10")
