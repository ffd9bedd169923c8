"""Vitally's API, spoken to without a socket."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from sandbox.faults import Faults
from sandbox.success import vitally_app
from sandbox.vault import Vault, iso_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = 1_795_000_000_000
COUNT = 250


class Office:
    """Vitally with 250 accounts, every tenth of them churned, each modified a second after the one before."""

    def __init__(self) -> None:
        self.vault = Vault()
        self.vault.clock = lambda: NOW
        self.faults = Faults()
        self.app = vitally_app(self.vault, self.faults)
        for number in range(COUNT):
            body = {
                "id": f"account-{number:03d}",
                "name": f"Company {number}",
                "createdAt": iso_stamp(NOW - 10_000_000 - number),
                "updatedAt": iso_stamp(NOW - 1_000_000 + number * 1000),
                "churnedAt": iso_stamp(NOW) if number % 10 == 0 else None,
                "healthScore": 5,
                "mrr": 10,
                "externalId": str(number),
                "traits": {"arr": 120, "vitally.custom.x": "y"},
            }
            row = ("accounts", body["id"], NOW - 10_000_000 - number, NOW - 1_000_000 + number * 1000, json.dumps(body))
            self.vault.execute("INSERT INTO vitally VALUES (?, ?, ?, ?, ?)", row)
        self.vault.index()

    def ask(self, path: str, method: str = "GET", *, key: str | None = None, **sent: Any) -> httpx.Response:
        """One request, with the right key unless another is given."""
        name = self.faults.credentials.vitally_key if key is None else key

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://vitally.example") as client:
                return await client.request(method, path, auth=(name, sent.pop("password", "")), **sent)

        return asyncio.run(ask())

    def walk(self, query: str = "") -> list[dict[str, Any]]:
        """All records of a list, page by page."""
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.ask(f"/resources/accounts?{query}{cursor}").json()
            found += page["results"]
            if page["next"] is None:
                return found
            cursor = f"&from={page['next']}"


@pytest.fixture
def office() -> Iterator[Office]:
    """Vitally."""
    made = Office()
    yield made
    made.vault.close()


def test_list_is_newest_first_and_hides_the_churned(office: Office) -> None:
    """A reader who does not ask for them never sees who has left."""
    found = office.walk()

    stamps = [body["updatedAt"] for body in found]
    assert len(found) == COUNT * 9 // 10
    assert stamps == sorted(stamps, reverse=True)
    assert not [body for body in found if body["churnedAt"]]


@pytest.mark.parametrize(("status", "count"), [("churned", 25), ("activeOrChurned", 250), ("active", 225)])
def test_status_chooses(office: Office, status: str, count: int) -> None:
    """Each account once, over as many pages as it takes."""
    found = office.walk(f"status={status}&limit=40")

    assert len({body["id"] for body in found}) == len(found) == count


def test_list_may_be_sorted_by_creation(office: Office) -> None:
    """A stable order for a full read."""
    stamps = [body["createdAt"] for body in office.walk("sortBy=createdAt")]

    assert stamps == sorted(stamps, reverse=True)


def test_page_holds_a_hundred_at_most(office: Office) -> None:
    """More is not given, and the last page says so."""
    page = office.ask("/resources/accounts?limit=500").json()
    empty = office.ask("/resources/users").json()

    assert len(page["results"]) == 100
    assert page["next"]
    assert empty == {"results": [], "next": None, "atEnd": True}


def test_record_changed_between_pages_moves_to_the_head(office: Office) -> None:
    """It is missed by the walk under way and found by the next, as with the vendor."""
    first = office.ask("/resources/accounts?limit=100").json()
    office.ask("/resources/accounts/account-001", "PUT", json={"traits": {"a": 1}})

    second = office.walk(f"limit=100&from={first['next']}")

    assert "account-001" not in {body["id"] for body in second}
    assert office.ask("/resources/accounts?limit=1").json()["results"][0]["id"] == "account-001"


def test_put_merges_traits_and_moves_the_stamp(office: Office) -> None:
    """Traits that are not named stay; null deletes one; a write that changes nothing still moves updatedAt."""
    wanted = {"traits": {"canonical_stage": "mql", "arr": None}}

    first = office.ask("/resources/accounts/account-005", "PUT", json=wanted).json()
    office.vault.clock = lambda: NOW + 5
    second = office.ask("/resources/accounts/account-005", "PUT", json=wanted).json()

    assert first["traits"] == second["traits"] == {"vitally.custom.x": "y", "canonical_stage": "mql"}
    assert (first["updatedAt"], second["updatedAt"]) == (iso_stamp(NOW), iso_stamp(NOW + 5))
    assert office.ask("/resources/accounts/account-005").json() == second


def test_put_reaches_only_what_is_editable(office: Office) -> None:
    """Revenue (mrr) goes through traits; health and the external id cannot be written."""
    wanted = {"healthScore": 1, "externalId": "other", "name": "New", "traits": {"mrr": 99}}

    body = office.ask("/resources/accounts/account-005", "PUT", json=wanted).json()

    assert (body["healthScore"], body["externalId"], body["name"], body["mrr"]) == (5, "5", "New", 99)
    assert "mrr" not in body["traits"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"traits": 3}', b"not json"])
def test_bad_body_is_refused_and_changes_nothing(office: Office, content: bytes) -> None:
    """400 with a message."""
    response = office.ask("/resources/accounts/account-005", "PUT", content=content)

    assert response.status_code == 400
    assert set(response.json()) == {"message"}
    assert office.ask("/resources/accounts/account-005").json()["updatedAt"] == iso_stamp(NOW - 995_000)


@pytest.mark.parametrize(
    ("path", "method", "status"),
    [
        ("/resources/accounts/nobody", "GET", 404),
        ("/resources/accounts/nobody", "PUT", 404),
        ("/resources/conversations", "GET", 404),
        ("/resources/accounts/account-005", "DELETE", 405),
        ("/nowhere", "GET", 404),
        ("/resources/accounts?sortBy=name", "GET", 400),
        ("/resources/accounts?status=gone", "GET", 400),
        ("/resources/accounts?limit=none", "GET", 400),
        ("/resources/accounts?from=nonsense", "GET", 400),
    ],
)
def test_wrong_requests_are_answered_in_json(office: Office, path: str, method: str, status: int) -> None:
    """With `error` or `message`, as the vendor mixes them."""
    response = office.ask(path, method, content=b"{}")

    assert response.status_code == status
    assert set(response.json()) <= {"error", "message"}


def test_wrong_key_is_refused(office: Office) -> None:
    """So is a right key with a password, and every key while the credentials are wrong."""
    wrong = office.ask("/resources/accounts", key="other")
    with_password = office.ask("/resources/accounts", password="x")
    office.faults.vitally.are_credentials_wrong = True
    rotated = office.ask("/resources/accounts")

    assert [each.status_code for each in (wrong, with_password, rotated)] == [401, 401, 401]
    assert wrong.json() == {"error": "Unauthorized"}


def test_real_limit_ends_in_429_with_headers(office: Office) -> None:
    """A thousand units a minute; a write takes two."""
    office.faults.vitally.limits = "real"
    first = office.ask("/resources/accounts?limit=1")
    office.faults.vitally.window("minute", 1000, 60.0).take(998)

    refused = office.ask("/resources/accounts/account-005", "PUT", json={"traits": {"a": 1}})
    last = office.ask("/resources/accounts?limit=1")
    over = office.ask("/resources/accounts?limit=1")

    assert first.headers["ratelimit-remaining"] == "999"
    assert first.headers["ratelimit-limit"] == "1000, 1000;window=60"
    assert [refused.status_code, last.status_code, over.status_code] == [429, 200, 429]
    assert 0 < int(over.headers["ratelimit-reset"]) <= 60
    assert "retry-after" not in over.headers
    assert "a" not in office.ask("/resources/accounts/account-005", key="").json()


def test_lag_hides_what_is_too_new(office: Office) -> None:
    """A list shows a change only when it is old enough; reading by id shows it at once."""
    office.ask("/resources/accounts/account-001", "PUT", json={"traits": {"a": 1}})
    office.faults.vitally.lag_ms = 1000

    listed = {body["id"] for body in office.walk("status=activeOrChurned")}

    assert "account-001" not in listed
    assert office.ask("/resources/accounts/account-001").json()["traits"]["a"] == 1
