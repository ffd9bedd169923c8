"""The simulated org: what its API remembers between requests besides the records."""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING, NamedTuple

from sandbox.salesforce.answers import ApiError
from sandbox.salesforce.locators import Locators
from sandbox.salesforce.schema import ORGANIZATION_ID, Schema

if TYPE_CHECKING:
    from sandbox.faults import Faults, SystemFaults
    from sandbox.vault import Vault

DAILY_LIMIT = 100_000
SESSION_EXPIRED = "Session expired or invalid"


class _Token(NamedTuple):
    issued_at: float
    first_call: int


class Org:
    """Tokens, the count of calls, open query locators and the schema, over one vault.

    `faults.salesforce.options` that this vendor knows:

    - `token_calls`: a token dies after so many calls.
    - `unfixable_401`: a message; every call is refused with it, whatever the token.
    - `api_used`, `api_max`: what Sforce-Limit-Info says besides our own calls, and of how many.
    - `limit_info`: `plain` (default), `bursts` or `apps`: which form that header has.
    - `request_limit`: `daily` or `concurrent`: every call is refused so.
    - `page_size`: no page is larger, whatever was asked.
    - `lost_locators`: every locator page is refused.
    - `query_timeout_rows`: a query that finds more rows times out.
    - `hidden_fields`, `readonly_fields`: `Lead.Canonical_Stage__c` and the like, gone from (or locked in) describe,
      query and writes.
    - `row_errors`: id -> (statusCode, message); that record cannot be written.
    - `locked_rows`: id -> how many more writes meet UNABLE_TO_LOCK_ROW.
    - `duplicate_rule`: a Lead or Contact write without `Sforce-Duplicate-Rule-Header: allowSave=true` is refused.
    - `flow`: object -> fields that every write of such a record sets too, as a customer's automation would.
    - `assignment`: False switches the lead assignment rule off.
    """

    def __init__(self, vault: Vault, faults: Faults) -> None:
        self.vault = vault
        self.all_faults = faults
        self.schema = Schema(vault, faults)
        self.locators = Locators(vault, faults.salesforce)
        self.calls = 0
        self._tokens: dict[str, _Token] = {}
        self._numbers: dict[str, int] = {}

    @property
    def faults(self) -> SystemFaults:
        """What is wrong with Salesforce now."""
        return self.all_faults.salesforce

    def stamp_ms(self) -> int:
        """Now, in whole seconds as every stamp is."""
        return self.vault.now_ms() // 1000 * 1000

    def issue_token(self) -> str:
        """A new access token, live from now."""
        token = f"{ORGANIZATION_ID[:15]}!{secrets.token_urlsafe(72)}"
        self._tokens[token] = _Token(time.time(), self.calls)
        return token

    def check_token(self, authorization: str | None) -> None:
        """The caller is known; raises ApiError 401."""
        scheme, _, token = (authorization or "").partition(" ")
        if scheme.lower() not in ("bearer", "oauth"):
            raise ApiError(401, "INVALID_AUTH_HEADER", "INVALID_HEADER_TYPE")
        message = self.faults.options.get("unfixable_401")
        if message:
            raise ApiError(401, "INVALID_SESSION_ID", str(message))
        issued = self._tokens.get(token)
        calls = self.faults.options.get("token_calls")
        if (
            issued is None
            or not self.faults.is_token_live(issued.issued_at)
            or (calls is not None and self.calls - issued.first_call >= calls)
        ):
            self._tokens.pop(token, None)
            raise ApiError(401, "INVALID_SESSION_ID", SESSION_EXPIRED)

    def count_call(self) -> None:
        """One more call is used; raises ApiError 403 where a limit is reached."""
        self.calls += 1
        used, limit = self.usage()
        limited = self.faults.options.get("request_limit")
        if limited == "concurrent":
            message = "ConcurrentRequests (Concurrent API Requests) Limit exceeded."
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", message)
        if limited == "daily" or (self.faults.is_limited and used > limit):
            raise ApiError(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")

    def usage(self) -> tuple[int, int]:
        """Calls used and allowed in the last 24 hours."""
        options = self.faults.options
        limit = int(options.get("api_max", DAILY_LIMIT))
        return int(options.get("api_used", 0)) + self.calls, limit

    def limit_info(self) -> str:
        """The Sforce-Limit-Info header's value."""
        used, limit = self.usage()
        plain = f"api-usage={used}/{limit}"
        form = self.faults.options.get("limit_info", "plain")
        if form == "bursts":
            return f"{plain}; api-bursts=1/750"
        if form == "apps":
            return f"{plain}; per-app-api-usage={used}/{limit}(appName=headrace)"
        return plain

    def next_number(self, object_: str) -> int:
        """A number that no record of the object made by the org has had."""
        if object_ not in self._numbers:
            count = self.vault.execute("SELECT count(*) FROM salesforce WHERE object = ?", (object_,)).fetchone()[0]
            self._numbers[object_] = count
        self._numbers[object_] += 1
        return self._numbers[object_]
