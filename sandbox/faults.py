"""What can go wrong at a vendor, set by a test or by hand, and applied before or after the vendor's own answer.

Each vendor has a `SystemFaults`; `FaultMiddleware` stands before its app and applies what does not depend on the
vendor (latency, outages, scripted answers, dropped and truncated connections) and writes the request log. What does
depend on it (bodies and headers of a 429, expired tokens, an index that lags) its app asks for here:
`window(...)`, `token_life_s`, `is_token_live`, `lag_ms`.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections import Counter, deque
from dataclasses import dataclass, field
from threading import RLock
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, MutableMapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SYSTEMS = ("salesforce", "hubspot", "vitally")

_HTML = (
    b"<!DOCTYPE html><html><head><title>Down for maintenance</title></head>"
    b"<body><h1>We will be back shortly</h1></body></html>"
)
_LOG_LENGTH = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Credentials:
    """What the sandbox accepts; anything else is refused. The private key's half for JWT is made by the server."""

    salesforce_client_id: str = "3MVGsandboxConsumerKey"
    salesforce_client_secret: str = "sandbox-consumer-secret"  # noqa: S105  # opens nothing but a simulation
    salesforce_username: str = "integration@headrace.example"
    salesforce_public_key: str = ""
    hubspot_token: str = "pat-sandbox-1f0c2a9e-headrace"  # noqa: S105  # as above
    vitally_key: str = "sk_live_sandbox_headrace"


@dataclass(kw_only=True, slots=True)
class Scripted:
    """One answer decided beforehand: it meets the next `times` requests that match, then it is gone.

    `when` is before (the vendor never sees the request) or after (the vendor has done its work, and its answer is
    lost or replaced). `drop` ends the connection without an answer; `truncate` ends it after that many bytes of the
    vendor's answer (or of `body`). Without a `status` the vendor answers for itself, after `latency_s`.
    """

    method: str | None = None
    path: str = ""
    """A regular expression that the path (with its query) must contain."""
    status: int | None = None
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    when: Literal["before", "after"] = "before"
    drop: bool = False
    truncate: int | None = None
    latency_s: float = 0.0
    skip: int = 0
    """How many matching requests pass unharmed first."""
    times: int = 1

    def matches(self, method: str, target: str) -> bool:
        """Whether this is a request that the script is waiting for."""
        return (self.method is None or self.method.upper() == method) and re.search(self.path, target) is not None


class Request(NamedTuple):
    """One request as the vendor's log has it; `at` in epoch milliseconds, status 0 where there was no answer."""

    at: int
    system: str
    method: str
    path: str
    template: str
    status: int
    elapsed_ms: float


class RateWindow:
    """A fixed window that admits so many units; thread-safe. `clock` gives monotonic seconds."""

    def __init__(self, limit: int, window_s: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.limit = limit
        self.window_s = window_s
        self._clock = clock
        self._opened_at = 0.0
        self._used = 0
        self._lock = RLock()

    def take(self, units: int = 1) -> tuple[bool, int, float]:
        """Whether the units were admitted, how many are left, and in how many seconds the window opens anew."""
        with self._lock:
            now = self._clock()
            if now - self._opened_at >= self.window_s:
                self._opened_at, self._used = now, 0
            reset_s = self.window_s - (now - self._opened_at)
            if self._used + units > self.limit:
                return False, max(0, self.limit - self._used), reset_s
            self._used += units
            return True, self.limit - self._used, reset_s


class SystemFaults:
    """What is wrong with one vendor now; every attribute may be set at any time, from any thread."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.limits: Literal["off", "real"] = "off"
        """Whether the vendor's real rate limits hold; its app asks `is_limited` and keeps its own windows."""
        self.latency_s = 0.0
        self.down: Literal["refuse", "503", "html"] | None = None
        self.lag_ms = 0
        """A change is seen by searches and queries only so long after it happened."""
        self.token_life_s = 7200.0
        self.tokens_revoked_at = 0.0
        """Tokens issued before this instant (time.time) are expired; see `is_token_live`."""
        self.are_credentials_wrong = False
        """As if the key had been rotated: even the right credentials are refused."""
        self.options: dict[str, Any] = {}
        """Further settings that one vendor's app defines and documents."""
        self.scripted: deque[Scripted] = deque()
        self._windows: dict[str, RateWindow] = {}
        self.lock = RLock()

    @property
    def is_limited(self) -> bool:
        """Whether the vendor's real limits hold."""
        return self.limits == "real"

    def window(self, name: str, limit: int, window_s: float) -> RateWindow:
        """The rate window of that name, made on first use."""
        with self.lock:
            if name not in self._windows:
                self._windows[name] = RateWindow(limit, window_s)
            return self._windows[name]

    def is_token_live(self, issued_at: float) -> bool:
        """Whether a token issued at that instant (time.time) is still accepted."""
        return issued_at >= self.tokens_revoked_at and time.time() - issued_at < self.token_life_s

    def expire_tokens(self) -> None:
        """Every token issued until now is expired."""
        self.tokens_revoked_at = time.time()

    def script(self, **settings: Any) -> Scripted:
        """One more scripted answer is waiting; settings as `Scripted` has them."""
        scripted = Scripted(**settings)
        with self.lock:
            self.scripted.append(scripted)
        return scripted

    def clear(self) -> None:
        """Nothing is wrong any more."""
        with self.lock:
            self.limits, self.latency_s, self.down, self.lag_ms = "off", 0.0, None, 0
            self.token_life_s, self.tokens_revoked_at, self.are_credentials_wrong = 7200.0, 0.0, False
            self.options.clear()
            self.scripted.clear()
            self._windows.clear()

    def take_script(self, method: str, target: str) -> Scripted | None:
        """The first waiting script that this request meets, counted down; None if it meets none."""
        with self.lock:
            for scripted in self.scripted:
                if not scripted.matches(method, target):
                    continue
                if scripted.skip > 0:
                    scripted.skip -= 1
                    continue
                scripted.times -= 1
                if scripted.times <= 0:
                    self.scripted.remove(scripted)
                return scripted
        return None


class Faults:
    """The three vendors' faults, the credentials they accept, and one request log."""

    def __init__(self, credentials: Credentials | None = None) -> None:
        self.credentials = credentials or Credentials()
        self.salesforce = SystemFaults("salesforce")
        self.hubspot = SystemFaults("hubspot")
        self.vitally = SystemFaults("vitally")
        self._requests: deque[Request] = deque(maxlen=_LOG_LENGTH)
        self._counts: Counter[tuple[str, str, str]] = Counter()
        self._lock = RLock()

    def of(self, system: str) -> SystemFaults:
        """One vendor's; raises KeyError on an unknown name."""
        return {"salesforce": self.salesforce, "hubspot": self.hubspot, "vitally": self.vitally}[system]

    def clear(self) -> None:
        """Nothing is wrong anywhere; the request log is empty."""
        for system in SYSTEMS:
            self.of(system).clear()
        self.forget()

    def note(self, request: Request) -> None:
        """The request stands in the log."""
        with self._lock:
            self._requests.append(request)
            self._counts[request.system, request.method, request.template] += 1

    @property
    def requests(self) -> list[Request]:
        """The latest requests, oldest first (at most 20,000)."""
        with self._lock:
            return list(self._requests)

    def counts(self) -> dict[tuple[str, str, str], int]:
        """How many requests there were since the log was emptied, by (system, method, path template)."""
        with self._lock:
            return dict(self._counts)

    def forget(self) -> None:
        """The request log is empty."""
        with self._lock:
            self._requests.clear()
            self._counts.clear()


_SEGMENT_ID = re.compile(
    r"^(?:[0-9]+|[a-zA-Z0-9]{15}(?:[a-zA-Z0-9]{3})?(?:-[0-9]+)?|[0-9a-f]{8}-[0-9a-f-]{27})$",
)


def path_template(path: str) -> str:
    """A path with its ids replaced: `/resources/accounts/{id}`."""
    return "/".join("{id}" if _is_id(segment) else segment for segment in path.split("/"))


def _is_id(segment: str) -> bool:
    return bool(_SEGMENT_ID.match(segment)) and any(char.isdigit() for char in segment)


class FaultMiddleware:
    """Stands outermost before one vendor's app; a request under `/_sandbox` passes untouched and unlogged."""

    def __init__(self, app: ASGIApp, faults: Faults, system: str) -> None:
        self._app = app
        self._faults = faults
        self._settings = faults.of(system)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: D102  # ASGI's own contract
        if scope["type"] != "http" or scope["path"].startswith("/_sandbox"):
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()

        def note(status: int) -> None:
            elapsed_ms = (time.perf_counter() - started) * 1000
            at, method, path = time.time_ns() // 1_000_000, scope["method"], scope["path"]
            template = path_template(path)
            self._faults.note(Request(at, self._settings.name, method, path, template, status, elapsed_ms))

        answer = _Answer(send, note)
        try:
            await self._answer(scope, receive, answer)
        finally:
            answer.noted(0)

    async def _answer(self, scope: Scope, receive: Receive, answer: _Answer) -> None:
        settings = self._settings
        query = scope["query_string"].decode("latin-1")
        target = scope["path"] + (f"?{query}" if query else "")
        scripted = settings.take_script(scope["method"], target)
        latency_s = settings.latency_s + (scripted.latency_s if scripted else 0.0)
        if latency_s:
            await asyncio.sleep(latency_s)
        if settings.down == "refuse":
            await answer.drop()
        elif settings.down == "503":
            await answer.whole(503, b"Service Unavailable", {"content-type": "text/plain"})
        elif settings.down == "html":
            await answer.whole(200, _HTML, {"content-type": "text/html; charset=utf-8"})
        elif scripted is None:
            await self._app(scope, receive, answer.pass_on)
        else:
            await self._scripted(scripted, scope, receive, answer)

    async def _scripted(self, scripted: Scripted, scope: Scope, receive: Receive, answer: _Answer) -> None:
        is_silent = not scripted.drop and scripted.truncate is None and scripted.status is None
        if is_silent:
            await self._app(scope, receive, answer.pass_on)
            return
        if scripted.when == "after" or (scripted.truncate is not None and scripted.status is None):
            await self._app(scope, receive, answer.hold)
        if scripted.status is not None:
            answer.replace(scripted.status, scripted.body.encode(), scripted.headers)
        if scripted.drop:
            await answer.drop()
        elif scripted.truncate is not None:
            await answer.cut(scripted.truncate)
        else:
            await answer.release()


class _Answer:
    """The answer on its way out: passed on, or held back to be replaced, cut short or lost."""

    def __init__(self, send: Send, note: Callable[[int], None]) -> None:
        self._send = send
        self._note = note
        self._is_noted = False
        self._start: MutableMapping[str, Any] = {"type": "http.response.start", "status": 200, "headers": []}
        self._body = b""

    def noted(self, status: int) -> None:
        """The request stands in the log, once: before its client can know the answer, so that no count lags behind."""
        if not self._is_noted:
            self._is_noted = True
            self._note(status)

    async def pass_on(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.noted(message["status"])
        await self._send(message)

    async def hold(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._start = message
        elif message["type"] == "http.response.body":
            self._body += message.get("body", b"")

    def replace(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        lines = {"content-type": "application/json;charset=UTF-8", **{k.lower(): v for k, v in headers.items()}}
        lines["content-length"] = str(len(body))
        self._start = {
            "type": "http.response.start",
            "status": status,
            "headers": [(k.encode("latin-1"), v.encode("latin-1")) for k, v in lines.items()],
        }
        self._body = body

    async def whole(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.replace(status, body, headers)
        await self.release()

    async def release(self) -> None:
        await self.pass_on(self._start)
        await self._send({"type": "http.response.body", "body": self._body, "more_body": False})

    async def cut(self, length: int) -> None:
        """The head and so many bytes of the body, then the connection ends though more was announced."""
        await self.pass_on(self._start)
        await self._send({"type": "http.response.body", "body": self._body[:length], "more_body": True})
        await self._hang_up(abort=False)

    async def drop(self) -> None:
        """The connection ends without an answer."""
        self.noted(0)
        await self._hang_up(abort=True)

    async def _hang_up(self, *, abort: bool) -> None:
        # uvicorn hands the app a bound method of its request cycle; the connection hangs on that.
        transport = getattr(getattr(self._send, "__self__", None), "transport", None)
        if transport is None:
            raise ConnectionResetError
        if abort:
            transport.abort()
        else:
            transport.close()
        for _ in range(3):
            await asyncio.sleep(0)  # so that uvicorn knows the client as gone before the app returns
