"""One org, logged in when first needed: its transport, its API version and its clock."""

from __future__ import annotations

from datetime import UTC, datetime
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.http import Transport
from connectors.salesforce.errors import fault_of, judge
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from connectors.answers import Answer
    from connectors.budget import Budget
    from connectors.salesforce.auth import Login

_CALL_OPTIONS = {"Sforce-Call-Options": "client=headrace"}


class _Version(msgspec.Struct):
    version: str


_versions = msgspec.json.Decoder(list[_Version]).decode


class Session:
    """Requests to one org's data API. `api_version` is a ceiling: an org that is older is spoken to in its own."""

    def __init__(
        self,
        *,
        system: str,
        login: Login,
        api_version: str,
        budget: Budget,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = monotonic,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self.system = system
        self.login = login
        self.api_version = api_version
        self._budget = budget
        self._sleep = sleep
        self._clock = clock
        self._wire = wire
        self._lock = Lock()
        self._transport: Transport | None = None
        self._is_version_known = False
        self._is_closed = False

    @property
    def calls(self) -> int:
        """Requests sent, logins left out."""
        return self._transport.calls if self._transport else 0

    @property
    def calls_by(self) -> Mapping[str, int]:
        """Requests sent by method and label."""
        return self._transport.calls_by if self._transport else {}

    @property
    def origin(self) -> str:
        """Where the org's API lives."""
        return str(self.login.instance)

    def request(
        self,
        method: str,
        path: str,
        *,
        label: str,
        params: Mapping[str, str] | None = None,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        is_idempotent: bool | None = None,
        decode: Callable[[bytes], Any] | None = None,
    ) -> Answer:
        """Send a request below `/services/data/vNN.N`, or to a paging link that begins with `/services/` or `http`."""
        transport = self._connected()
        if not path.startswith(("/services/", "http")):
            path = f"/services/data/v{self.api_version}{path}"
        return transport.request(
            method,
            path,
            label=label,
            params=params,
            json=json,
            headers={**_CALL_OPTIONS, **(headers or {})},
            is_idempotent=is_idempotent,
            decode=decode,
        )

    def server_now(self) -> datetime:
        """The org's clock, in whole seconds rounded down, from a request that counts against no limit."""
        return self._probe(self._connected())

    def refuse(self, answer: Answer, label: str) -> SystemDown:
        """The error for a refusal that leaves nothing to do."""
        return SystemDown(
            self.system,
            say(
                "{system} refused {label}: HTTP {status} {code}.",
                system=self.system,
                label=label,
                status=answer.status,
                code=fault_of(answer).code,
            ),
            hint=say("`headrace doctor` looks closer."),
        )

    def rest(self, seconds: float) -> None:
        """Wait before trying a row again; raises `SystemDown` where the session is closed."""
        self._connected().rest(seconds)

    def close(self) -> None:
        """Give up connections; without the lock, which whoever waits for the org may hold."""
        self._is_closed = True
        self.login.close()
        if self._transport is not None:
            self._transport.close()

    def _connected(self) -> Transport:
        with self._lock:
            if self._transport is None:
                self._transport = Transport(
                    system=self.system,
                    origin=self.origin,
                    auth=self.login.auth,
                    classify=judge,
                    budget=self._budget,
                    sleep=self._sleep,
                    clock=self._clock,
                    wire=self._wire,
                )
                if self._is_closed:  # meanwhile, by another thread that saw no transport yet
                    self._transport.close()
            if not self._is_version_known:
                self._probe(self._transport)
                self._is_version_known = True
            return self._transport

    def _probe(self, transport: Transport) -> datetime:
        answer = transport.request("GET", "/services/data/", label="/services/data", decode=_versions)
        if not answer.is_ok:
            raise self.refuse(answer, "/services/data")
        newest = max((_number(each.version) for each in answer.value), default=_number(self.api_version))
        if newest < _number(self.api_version):
            self.api_version = f"{newest[0]}.{newest[1]}"
        if answer.server_date is None:
            raise SystemDown(self.system, say("{system} does not tell the time (no Date header).", system=self.system))
        return answer.server_date.astimezone(UTC)


def _number(version: str) -> tuple[int, int]:
    major, _, minor = version.partition(".")
    return int(major), int(minor or 0)
