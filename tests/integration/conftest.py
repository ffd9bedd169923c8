"""A simulated Salesforce org with rows of a test's own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
import pytest

from sandbox.faults import Faults
from sandbox.ids import salesforce_id
from sandbox.salesforce import salesforce_app
from sandbox.vault import Vault

if TYPE_CHECKING:
    from collections.abc import Iterator

V = "/services/data/v68.0"
NOW = 1_795_255_200_000
"""2026-11-21T10:00:00Z."""


class Wire:
    """The simulated org with a few leads, asked without a network between."""

    def __init__(self) -> None:
        self.vault = Vault()
        self.now = NOW
        self.vault.clock = lambda: self.now
        self.faults = Faults()
        self.app = salesforce_app(self.vault, self.faults)
        self.headers: dict[str, str] = {}

    def add_leads(self, count: int, **fields: object) -> None:
        """So many leads, a second apart, ending a day before now."""
        for number in range(1, count + 1):
            body = {
                "FirstName": "Ada",
                "LastName": f"Number {number}",
                "Company": "Acme",
                "Email": f"ada{number}@example.com",
                "Status": "Open - Not Contacted",
                "OwnerId": salesforce_id("User", 7),
                "IsConverted": False,
                **fields,
            }
            self.vault.put_salesforce("Lead", salesforce_id("Lead", number), body, at=NOW - 86_400_000 + number * 1000)
        self.vault.commit()
        self.vault.index()

    def send(self, method: str, path: str, **settings: object) -> httpx.Response:
        """One request's answer."""

        async def ask() -> httpx.Response:
            transport = httpx.ASGITransport(app=self.app)
            async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1:8001") as client:
                headers = {**self.headers, **settings.pop("headers", {})}
                return await client.request(method, path, headers=headers, **settings)

        return asyncio.run(ask())

    def log_in(self, **form: str) -> httpx.Response:
        """The token endpoint's answer; a token is used from then on."""
        credentials = self.faults.credentials
        known = {
            "grant_type": "client_credentials",
            "client_id": credentials.salesforce_client_id,
            "client_secret": credentials.salesforce_client_secret,
        }
        answer = self.send("POST", "/services/oauth2/token", data={**known, **form})
        if answer.status_code == 200:
            self.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return answer

    def query(self, soql: str, *, deleted: bool = False, **settings: object) -> dict:
        """A query's first page."""
        answer = self.send("GET", f"{V}/{'queryAll' if deleted else 'query'}", params={"q": soql}, **settings)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def patch_rows(self, rows: list[dict], *, headers: dict[str, str] | None = None, **body: object) -> httpx.Response:
        """A collections update of leads."""
        records = [{"attributes": {"type": "Lead"}, **row} for row in rows]
        return self.send(
            "PATCH",
            f"{V}/composite/sobjects",
            json={"allOrNone": False, "records": records, **body},
            headers={"Sforce-Auto-Assign": "FALSE"} if headers is None else headers,
        )


@pytest.fixture
def salesforce_wire() -> Iterator[Wire]:
    """Five leads and a token; the clock stands at 2026-11-21T10:00:00Z until it is moved."""
    made = Wire()
    made.add_leads(5)
    made.log_in()
    yield made
    made.vault.close()
