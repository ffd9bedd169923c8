"""The calls of HubSpot's CRM API that headrace makes, each as one function."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import msgspec

from connectors.http import Transport
from connectors.hubspot.answers import Detail, Rejection, classify, read_error
from connectors.hubspot.payload import AssociationsPage, FoundPage, Page, Paging
from mapping.errors import SystemDown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    import httpx

    from connectors.answers import Answer, Verdict
    from connectors.auth import Auth
    from connectors.budget import Budget
    from connectors.http import Deadlines, Patience
    from connectors.hubspot.answers import Quota

API_VERSION = "2026-09"
"""The one version constant: generally available since 2026-09-08 and supported for 18 months."""

LIST_LIMIT = 100
LIST_LIMIT_HISTORY = 50
SEARCH_LIMIT = 200
BATCH_LIMIT = 100
ASSOCIATIONS_LIMIT = 1000
LONGEST_PROPERTIES = 4500
"""Characters of a list request's properties; from about 8,000 on the address is refused (414)."""
_EARLIEST_MS = 1000  # a search from the epoch itself answers 500


class Account(msgspec.Struct):
    """Which portal a token belongs to."""

    portalId: int  # noqa: N815  # the vendor's names, here and below
    accountType: str = ""  # noqa: N815
    timeZone: str = ""  # noqa: N815


class Quotas(msgspec.Struct):
    """How much of the daily quota is used."""

    results: list[Usage] = []


class Usage(msgspec.Struct):
    """One limit and its use."""

    currentUsage: int = 0  # noqa: N815
    usageLimit: int = 0  # noqa: N815
    name: str = ""


class PlainPage(msgspec.Struct):
    """A page of owners or pipelines."""

    results: list[dict[str, Any]]
    paging: Paging | None = None


class Written(msgspec.Struct, gc=False):
    """One record as a batch update gives it back."""

    id: str


class WrittenPage(msgspec.Struct):
    """A batch update's answer: some versions put errors into a 200, others into a 207."""

    results: list[Written] = []
    errors: list[Detail] = []


_page = msgspec.json.Decoder(Page).decode
_found = msgspec.json.Decoder(FoundPage).decode
_associations = msgspec.json.Decoder(AssociationsPage).decode
_plain = msgspec.json.Decoder(PlainPage).decode
_written = msgspec.json.Decoder(WrittenPage).decode
_account = msgspec.json.Decoder(Account).decode
_usage = msgspec.json.Decoder(Quotas).decode


class Api:
    """One portal's CRM API; a call raises `Rejection` where it is refused, `SystemDown` where it is not answered."""

    def __init__(
        self,
        *,
        system: str,
        base_url: str,
        version: str,
        auth: Auth,
        budget: Budget,
        quota: Quota,
        clock: Callable[[], datetime],
        deadlines: Deadlines | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] | None = None,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        def judge(answer: Answer) -> Verdict:
            return classify(answer, quota)

        self.system = system
        self.clock = clock
        self._version = version
        self._quota = quota
        self._offset = timedelta(0)
        self.transport = Transport(
            system=system,
            origin=base_url,
            auth=auth,
            classify=judge,
            budget=budget,
            deadlines=deadlines,
            patience=patience,
            sleep=sleep,
            wire=wire,
        )

    def now(self) -> datetime:
        """The vendor's present instant, within two seconds of it, as far as `account` was asked."""
        return self.clock() + self._offset

    def account(self) -> Account:
        """Who the token belongs to; also sets our clock by the vendor's."""
        before = self.clock()
        answer = self._ask("GET", f"/account-info/{self._version}/details", "/account-info/details", _account)
        date = answer.server_date
        self._offset = date - before if date and abs(date - before) > timedelta(seconds=2) else timedelta(0)
        account: Account = answer.value
        self._quota.learn(account.timeZone)
        return account

    def usage(self) -> Sequence[Usage]:
        """The daily quota of private apps and its use, since the account's midnight."""
        path = f"/account-info/{self._version}/api-usage/daily/private-apps"
        quotas: Quotas = self._ask("GET", path, "/account-info/api-usage", _usage).value
        return quotas.results

    def list_query(
        self,
        object_: str,
        properties: Sequence[str],
        *,
        histories: Sequence[str] = (),
        associations: Sequence[str] = (),
        archived: bool = False,
        limit: int | None = None,
    ) -> str:
        """The address of an object's list, complete but for `after`."""
        size = limit or (LIST_LIMIT_HISTORY if histories else LIST_LIMIT)
        parts = [f"limit={size}", f"archived={'true' if archived else 'false'}", f"properties={_csv(properties)}"]
        if histories:
            parts.append(f"propertiesWithHistory={_csv(histories)}")
        if associations:
            parts.append(f"associations={_csv(associations)}")
        return f"{self._objects(object_)}?{'&'.join(parts)}"

    def list_page(self, object_: str, query: str, after: str) -> Page:
        """One page of an object's list, by id ascending, that starts at `after` (empty: at the beginning)."""
        address = f"{query}&after={quote(after)}" if after else query
        page: Page = self._ask("GET", address, f"/crm/objects/{object_}", _page).value
        return page

    def search(self, object_: str, stamp: str, low_ms: int, high_ms: int, last_id: str) -> FoundPage:
        """The next ids above `last_id` whose stamp lies in the window, ends included, by id ascending."""
        body = {
            "filterGroups": [
                {
                    "filters": [
                        {
                            "propertyName": stamp,
                            "operator": "BETWEEN",
                            "value": str(max(low_ms, _EARLIEST_MS)),
                            "highValue": str(high_ms),
                        },
                        {"propertyName": "hs_object_id", "operator": "GT", "value": last_id},
                    ]
                }
            ],
            "sorts": [{"propertyName": "hs_object_id", "direction": "ASCENDING"}],
            "properties": ["hs_object_id"],
            "limit": SEARCH_LIMIT,
        }
        path = f"{self._objects(object_)}/search"
        page: FoundPage = self._post(path, f"/crm/objects/{object_}/search", body, _found, lane="search")
        return page

    def batch_read(
        self,
        object_: str,
        ids: Sequence[str],
        properties: Sequence[str],
        *,
        histories: Sequence[str] = (),
        archived: bool = False,
    ) -> Page:
        """Up to 100 records (50 with histories) as they are now; those that are gone are left out."""
        body: dict[str, object] = {"inputs": [{"id": id_} for id_ in ids], "properties": list(properties)}
        if histories:
            body["propertiesWithHistory"] = list(histories)
        path = f"{self._objects(object_)}/batch/read{'?archived=true' if archived else ''}"
        page: Page = self._post(path, f"/crm/objects/{object_}/batch/read", body, _page)
        return page

    def associations(self, object_: str, target: str, inputs: Sequence[Mapping[str, str]]) -> AssociationsPage:
        """One page each of up to 1,000 records' associations; an input is {id} or {id, after}."""
        path = f"/crm/associations/{self._version}/{object_}/{target}/batch/read"
        label = f"/crm/associations/{object_}/{target}/batch/read"
        page: AssociationsPage = self._post(path, label, {"inputs": list(inputs)}, _associations)
        return page

    def owners(self, *, archived: bool, after: str) -> PlainPage:
        """One page of the owners."""
        query = f"limit=100&archived={'true' if archived else 'false'}" + (f"&after={quote(after)}" if after else "")
        page: PlainPage = self._ask("GET", f"/crm/owners/{self._version}?{query}", "/crm/owners", _plain).value
        return page

    def pipelines(self, object_: str) -> PlainPage:
        """All pipelines of an object, with their stages."""
        path = f"/crm/pipelines/{self._version}/{object_}"
        page: PlainPage = self._ask("GET", path, f"/crm/pipelines/{object_}", _plain).value
        return page

    def update(self, object_: str, inputs: Sequence[Mapping[str, object]]) -> WrittenPage:
        """Set properties of up to 100 records; raises `LostAnswer` where nobody knows whether it happened."""
        path = f"{self._objects(object_)}/batch/update"
        body = {"inputs": list(inputs)}
        page: WrittenPage = self._post(
            path, f"/crm/objects/{object_}/batch/update", body, _written, is_idempotent=False
        )
        return page

    def _objects(self, object_: str) -> str:
        return f"/crm/objects/{self._version}/{object_}"

    def _post(
        self,
        path: str,
        label: str,
        body: object,
        decode: Callable[[bytes], Any],
        *,
        lane: str = "",
        is_idempotent: bool = True,
    ) -> Any:
        return self._ask("POST", path, label, decode, body=body, lane=lane, is_idempotent=is_idempotent).value

    def _ask(
        self,
        method: str,
        path: str,
        label: str,
        decode: Callable[[bytes], Any],
        *,
        body: object = None,
        lane: str = "",
        is_idempotent: bool = True,
    ) -> Answer:
        exhausted = self._quota.check(self.now())
        if exhausted:
            raise SystemDown(self.system, exhausted)
        answer = self.transport.request(
            method, path, label=label, json=body, is_idempotent=is_idempotent, lane=lane, decode=decode
        )
        if not answer.is_ok or answer.value is None:
            raise Rejection(self.system, label, answer.status, read_error(answer))
        return answer


def utc_now() -> datetime:
    """This machine's clock."""
    return datetime.now(UTC)


def _csv(names: Sequence[str]) -> str:
    return quote(",".join(names), safe=",")
