"""What a test sets in `faults.hubspot.options`, beside what every vendor has (limits, lag_ms, token_life_s).

| key | meaning |
| --- | --- |
| `missing_scopes` | objects ("deals") or their writing alone ("deals.write") answered with 403 MISSING_SCOPES |
| `errors_in_200` | True: a batch that failed in part answers 200 (201) with errors, not 207 |
| `cleared_as_empty` | True: cleared values are read as "", not null |
| `disorder` | True: searches give neighbouring rows in the wrong order |
| `burst_limit`, `search_limit`, `daily_limit` | requests in 10 s, searches in 1 s, requests in a day of the portal |
| `retry_after` | True: 429 answers carry Retry-After |
| `account_type`, `portal_id`, `time_zone` | of the account details |
| `validations` | `{object: {property: [{"ruleType": "MAX_NUMBER", "ruleArguments": ["9"]}]}}`, for 2026-09 writes |
| `calculated_after_ms` | how long after a stage change its calculated dates appear (12,000) |
| `paging_origin` | the origin that paging links name, to see that no key travels there |
| `association_page` | associated ids of one record on a page (500; inline 100) |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sandbox.faults import SystemFaults

PORTAL_ID: Final = 12345678
TIME_ZONE: Final = "Asia/Tokyo"
CURRENCY: Final = "JPY"
BURST_WINDOW_S: Final = 10.0


class Settings:
    """A reading of the options; never cached, so that a test's change holds from the next request on."""

    def __init__(self, faults: SystemFaults) -> None:
        self.faults = faults

    def _option(self, name: str, default: Any) -> Any:
        return self.faults.options.get(name, default)

    def lacks_scope(self, object_: str, access: str) -> bool:
        """Whether the key was not granted this access (read or write) to an object."""
        missing = self._option("missing_scopes", ())
        return object_ in missing or f"{object_}.{access}" in missing

    @property
    def is_multi_status(self) -> bool:
        """Whether a batch that failed in part answers 207."""
        return not self._option("errors_in_200", default=False)

    @property
    def cleared(self) -> str | None:
        """How a cleared value is read."""
        return "" if self._option("cleared_as_empty", default=False) else None

    @property
    def is_disordered(self) -> bool:
        """Whether searches give rows out of order."""
        return bool(self._option("disorder", default=False))

    @property
    def burst_limit(self) -> int:
        """Requests in ten seconds: 190 in Professional and Enterprise accounts."""
        return int(self._option("burst_limit", 190))

    @property
    def search_limit(self) -> int:
        """Searches in a second, of all apps together."""
        return int(self._option("search_limit", 5))

    @property
    def daily_limit(self) -> int:
        """Requests in a day of the portal's time zone: 625,000 in Professional accounts."""
        return int(self._option("daily_limit", 625_000))

    @property
    def says_retry_after(self) -> bool:
        """Whether a 429 says when to come back; HubSpot does not promise it."""
        return bool(self._option("retry_after", default=False))

    @property
    def portal_id(self) -> int:
        """The account's number."""
        return int(self._option("portal_id", PORTAL_ID))

    @property
    def account_type(self) -> str:
        """STANDARD, DEVELOPER_TEST or SANDBOX."""
        return str(self._option("account_type", "STANDARD"))

    @property
    def time_zone(self) -> ZoneInfo:
        """The account's zone, at whose midnight the daily limit starts anew."""
        return ZoneInfo(self._option("time_zone", TIME_ZONE))

    def validations(self, object_: str) -> Mapping[str, list[dict[str, Any]]]:
        """The rules that an administrator set on an object's properties."""
        rules: Mapping[str, list[dict[str, Any]]] = self._option("validations", {}).get(object_, {})
        return rules

    @property
    def paging_origin(self) -> str | None:
        """The origin that paging links name, None for the sandbox's own."""
        origin: str | None = self._option("paging_origin", None)
        return origin

    @property
    def calculated_after_ms(self) -> int:
        """How late calculated dates are."""
        return int(self._option("calculated_after_ms", 12_000))

    def association_page(self, default: int) -> int:
        """How many associated ids of one record are on a page."""
        return int(self._option("association_page", default))
