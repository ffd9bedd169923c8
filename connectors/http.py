"""The one transport: every record that is read or written goes through here, whatever the vendor.

What it guarantees, so that no connector has to: a deadline on everything; a token that never leaves its origin; the
same headers on a request that is sent again; a bounded number of tries; an answer that is whole and readable, or an
error, never something that looks empty; and a write whose answer was lost is not sent twice.
"""

from __future__ import annotations

import logging
import ssl
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from socket import SHUT_RDWR, socket
from threading import Event, Lock
from time import monotonic
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.request import getproxies, proxy_bypass
from weakref import WeakSet

import httpx
import msgspec
import tenacity

from connectors.answers import Answer, Course, Verdict, code_of
from connectors.auth import Refused, refused
from connectors.origin import Origin, OriginRefused
from mapping.errors import SystemDown
from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from connectors.auth import Auth
    from connectors.budget import Budget

    Classify = Callable[[Answer], Verdict]

# Their info and debug lines carry addresses with queries, and headers with tokens.
for _name in ("httpx", "httpcore"):
    logging.getLogger(_name).setLevel(logging.WARNING)

_encode = msgspec.json.Encoder().encode
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_SAFE = frozenset({"GET", "HEAD"})
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "gzip", "User-Agent": "headrace"}
_KEEPALIVE_S = 3.0  # shorter than any server's, so that a write does not go into a connection that is just being closed
_LARGEST_BODY = 256 * 1024 * 1024
_MOST_REFRESHES = 2


@dataclass(frozen=True, kw_only=True, slots=True)
class Deadlines:
    """How long to wait for a connection, for the next bytes, and for one whole exchange; seconds."""

    connect_s: float = 10.0
    read_s: float = 60.0
    total_s: float = 180.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How often to try the same request, and how long a wait that the vendor asks for is still borne; seconds."""

    tries: int = 5
    throttled_tries: int = 10
    longest_wait_s: float = 120.0


LOGIN_DEADLINES = Deadlines(connect_s=10, read_s=30, total_s=60)
LOGIN_PATIENCE = Patience(tries=3, throttled_tries=3)
"""For addresses that give tokens: a stalled login holds up every thread that waits for its token."""


class LostAnswer(SystemDown):
    """A request that may have been carried out got no usable answer; it was not sent again."""


class _Again(Exception):  # noqa: N818  # not an error: one try that failed
    def __init__(self, cause: Message, *, wait_s: float | None = None, is_throttled: bool = False) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.wait_s = wait_s
        self.is_throttled = is_throttled


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ask:
    method: str
    url: httpx.URL
    label: str
    headers: Mapping[str, str]
    content: bytes | None
    is_idempotent: bool
    cost: int
    lane: str
    decode: Callable[[bytes], Any] | None = field(default=None)


class Transport:
    """One origin, one budget, one retry policy. Safe for several threads; `close` ends waits at once.

    `origin` may carry a path, behind which every path is put. `wire` replaces the network in tests. `sleep` and `clock`
    (monotonic seconds) replace time.
    """

    def __init__(
        self,
        *,
        system: str,
        origin: str,
        auth: Auth,
        classify: Classify,
        budget: Budget,
        deadlines: Deadlines | None = None,
        patience: Patience | None = None,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = monotonic,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._system = system
        self._auth = auth
        self._classify = classify
        self._budget = budget
        self._deadlines = deadlines or Deadlines()
        self._patience = patience or Patience()
        self._sleep = sleep
        self._clock = clock
        self._closed = Event()
        self._lock = Lock()  # of the counts and the sockets
        self._calls: Counter[str] = Counter()
        self._sockets: WeakSet[socket] = WeakSet()
        try:
            self.origin = Origin(origin)
        except OriginRefused as error:
            raise SystemDown(
                system,
                say("The address of {system} is refused: {why}.", system=system, why=error.why),
                hint=say("Check the address of systems.{system}.", system=system),
            ) from None
        # Without a client around it: we want none of its redirects, cookies and credentials, and pay a third less.
        self._wire = wire or httpx.HTTPTransport(
            # An empty trust store costs nothing to make, and plain http needs none.
            verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            if self.origin.is_loopback and str(self.origin).startswith("http:")
            else True,
            trust_env=not self.origin.is_loopback,
            limits=httpx.Limits(keepalive_expiry=_KEEPALIVE_S),
            proxy=_proxy_to(self.origin),
        )
        timeout = httpx.Timeout(self._deadlines.read_s, connect=self._deadlines.connect_s)
        self._extensions: dict[str, Any] = {"timeout": timeout.as_dict(), "trace": self._trace}

    @property
    def calls(self) -> int:
        """Requests sent so far, those that were sent again included."""
        return self._calls.total()

    @property
    def calls_by(self) -> Mapping[str, int]:
        """Requests sent so far by method and label, as `GET /queryAll`."""
        return dict(self._calls)

    def request(
        self,
        method: str,
        path_or_url: str,
        *,
        label: str,
        params: Mapping[str, str] | None = None,
        json: object = None,
        content: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        is_idempotent: bool | None = None,
        cost: int = 1,
        lane: str = "",
        decode: Callable[[bytes], Any] | None = None,
    ) -> Answer:
        """Return the whole answer, which the vendor's classification found good or rejected for good.

        `label` is the path as a template, for counts and messages. `json` is encoded unless it is bytes already.
        `is_idempotent` says that sending it twice does no harm (a search by POST); by default only GET and HEAD.
        `decode` reads the body of a good answer into `Answer.value`; where it raises ValueError the answer was
        truncated, and counts as none. Raises `SystemDown`, or `LostAnswer` for a request that must not be repeated.
        """
        try:
            url = self.origin.resolve(path_or_url)
        except OriginRefused as error:
            raise SystemDown(
                self._system,
                say("{system}: {label} is not called: {why}.", system=self._system, label=label, why=error.why),
            ) from None
        if params:
            url = url.copy_merge_params(params)
        own = dict(headers or {})
        if json is not None:
            content = json if isinstance(json, bytes) else _encode(json)
            own.setdefault("Content-Type", "application/json")
        return self._insist(
            _Ask(
                method=method,
                url=url,
                label=label,
                headers=own,
                content=content,
                is_idempotent=method in _SAFE if is_idempotent is None else is_idempotent,
                cost=cost,
                lane=lane,
                decode=decode,
            )
        )

    def close(self) -> None:
        """Give up connections; whoever waits gets `SystemDown`."""
        self._closed.set()
        # Closing a socket does not wake the thread that waits for it; shutting it down does, under TLS as well.
        with self._lock:
            opened = list(self._sockets)
        for each in opened:
            with suppress(OSError):
                socket.shutdown(each, SHUT_RDWR)
        self._wire.close()

    def _insist(self, ask: _Ask) -> Answer:
        """Try until there is an answer or patience ends."""
        try:
            return self._attempt(ask)  # mostly that is all, and making ready to try again costs as much
        except _Again as again:
            failed = [again]

        def attempt() -> Answer:
            if failed:
                raise failed.pop()
            return self._attempt(ask)

        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception_type(_Again),
            stop=self._is_over,
            wait=self._wait,
            sleep=self.rest,
            reraise=True,
        )
        try:
            return retrying(attempt)
        except _Again as again:
            tries = retrying.statistics.get("attempt_number", 1)
            cause = again.cause
            if (again.wait_s or 0.0) > self._patience.longest_wait_s:
                cause = say("{cause}, and asks to wait {wait_s:.0f} s", cause=cause, wait_s=again.wait_s)
            raise SystemDown(
                self._system,
                say(
                    "{system}: no usable answer to {method} {label} (tries: {tries}): {cause}.",
                    system=self._system,
                    method=ask.method,
                    label=ask.label,
                    tries=tries,
                    cause=cause,
                ),
                hint=say(
                    "The next poll tries again. If it lasts, look at the vendor's status page, the network, and the "
                    "address of systems.{system}.",
                    system=self._system,
                ),
            ) from again.__cause__

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        again = _again_of(state)
        tries = self._patience.throttled_tries if again.is_throttled else self._patience.tries
        return state.attempt_number >= tries or (again.wait_s or 0.0) > self._patience.longest_wait_s

    def _wait(self, state: tenacity.RetryCallState) -> float:
        again = _again_of(state)
        jittered = tenacity.wait_random_exponential(multiplier=0.5, max=30)(state)
        return jittered if again.wait_s is None else again.wait_s + min(jittered, 1.0)

    def _attempt(self, ask: _Ask) -> Answer:
        """One try: refreshes rejected credentials and sends the same request, with the same headers, again."""
        for _ in range(_MOST_REFRESHES + 1):
            credentials = self._auth.headers()
            answer = self._exchange(ask, credentials)
            verdict = self._judge(ask, answer)
            if verdict.course is not Course.REFRESH:
                return self._conclude(ask, answer, verdict)
            self._auth.refresh("\n".join(credentials.values()))
        raise refused(self._system)

    def _judge(self, ask: _Ask, answer: Answer) -> Verdict:
        if answer.status in _REDIRECTS:
            raise SystemDown(
                self._system,
                say(
                    "{system} answered {label} with a redirect (HTTP {status}), which is never followed.",
                    system=self._system,
                    label=ask.label,
                    status=answer.status,
                ),
                hint=say("Check the address of systems.{system}.", system=self._system),
            )
        return self._classify(answer)

    def _conclude(self, ask: _Ask, answer: Answer, verdict: Verdict) -> Answer:
        """Turn a verdict into the answer, another try or an error."""
        if verdict.course is Course.OK:
            self._auth.accepted()
            return self._decoded(ask, answer)
        if verdict.course is Course.REJECTED:
            return answer
        cause = _cause(answer.status, code_of(verdict.code))
        if verdict.course is Course.THROTTLED:
            wait_s = verdict.wait_s if verdict.wait_s is not None else answer.retry_after_s
            if wait_s is not None and wait_s <= self._patience.longest_wait_s:
                self._budget.pause(self._clock() + wait_s)
            raise _Again(cause, wait_s=wait_s, is_throttled=True)
        if verdict.course is Course.RETRY:
            wait_s = verdict.wait_s if verdict.wait_s is not None else answer.retry_after_s
            self._give_up(ask, cause, wait_s=wait_s)
        raise SystemDown(
            self._system,
            verdict.message or say("{system} cannot be used: {cause}.", system=self._system, cause=cause),
            hint=verdict.hint,
        )

    def _decoded(self, ask: _Ask, answer: Answer) -> Answer:
        if ask.decode is None:
            return answer
        try:
            value = ask.decode(answer.content)
        except ValueError:
            self._give_up(
                ask, say("HTTP {status} with a body that is truncated or of another shape", status=answer.status)
            )
        return replace(answer, value=value)

    def _exchange(self, ask: _Ask, credentials: Mapping[str, str]) -> Answer:
        """Send once and read the whole answer before the deadline."""
        now = self._clock()
        while wait_s := self._budget.take(now, cost=ask.cost, lane=ask.lane):
            self.rest(wait_s)
            now = max(self._clock(), now + wait_s)  # also where a test's sleep takes no time
        request = httpx.Request(
            ask.method,
            ask.url,
            content=ask.content,
            headers={**_HEADERS, **ask.headers, **credentials},
            extensions=self._extensions,
        )
        with self._budget.in_flight:
            self._check_open()
            with self._lock:
                self._calls[f"{ask.method} {ask.label}"] += 1
            try:
                return self._receive(request)
            except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
                raise _Again(say("no connection ({kind})", kind=type(error).__name__)) from error
            except httpx.RequestError as error:
                self._check_open()
                self._give_up(ask, say("the answer was lost ({kind})", kind=type(error).__name__), error)
            except RuntimeError:
                self._check_open()  # the connection was closed while we were at it
                raise
            except _Overdue as error:
                self._give_up(ask, say("the answer took too long or too much room"), error)

    def _trace(self, event: str, info: Mapping[str, Any]) -> None:
        """Keep hold of new connections' sockets, so that `close` reaches them."""
        if event.endswith(("connect_tcp.complete", "start_tls.complete")):
            opened = info["return_value"].get_extra_info("socket")
            with self._lock:
                self._sockets.add(opened)
            if self._closed.is_set():
                with suppress(OSError):
                    socket.shutdown(opened, SHUT_RDWR)

    def _receive(self, request: httpx.Request) -> Answer:
        due = self._clock() + self._deadlines.total_s
        response = self._wire.handle_request(request)
        try:
            chunks = []
            size = 0
            for chunk in _body(response):
                chunks.append(chunk)
                size += len(chunk)
                if size > _LARGEST_BODY or self._clock() > due:
                    raise _Overdue
        finally:
            response.close()
        return Answer(status=response.status_code, headers=response.headers, content=b"".join(chunks))

    def _give_up(
        self, ask: _Ask, cause: Message, error: Exception | None = None, *, wait_s: float | None = None
    ) -> NoReturn:
        """Try again where that does no harm; otherwise say that the answer is lost."""
        if ask.is_idempotent:
            raise _Again(cause, wait_s=wait_s) from error
        raise LostAnswer(
            self._system,
            say(
                "{system}: the answer to {method} {label} was lost: {cause}.",
                system=self._system,
                method=ask.method,
                label=ask.label,
                cause=cause,
            ),
        ) from error

    def rest(self, seconds: float) -> None:
        """Wait; raises `SystemDown` as soon as the transport is closed."""
        if self._sleep is not None:
            self._sleep(seconds)
        else:
            self._closed.wait(seconds)
        self._check_open()

    def _check_open(self) -> None:
        if self._closed.is_set():
            raise SystemDown(self._system, say("{system}: the connection was closed.", system=self._system))


class _Overdue(Exception):  # noqa: N818  # carries no message; see its one handler
    pass


def _body(response: httpx.Response) -> Iterable[bytes]:
    """The parts of the body, decompressed; what is not compressed takes the shorter way."""
    if "content-encoding" in response.headers or not isinstance(response.stream, httpx.SyncByteStream):
        return response.iter_bytes()
    return response.stream


def _proxy_to(origin: Origin) -> str | None:
    """The proxy that the environment names for an origin; this machine is always reached directly."""
    if origin.is_loopback or proxy_bypass(origin.host):
        return None
    known = getproxies()
    address = known.get(str(origin).partition(":")[0]) or known.get("all")
    return address if not address or "://" in address else f"http://{address}"


def _cause(status: int, code: str) -> Message:
    """What came instead of an answer, in words."""
    if status < HTTPStatus.MULTIPLE_CHOICES:
        return say("HTTP {status} with a page that is no answer", status=status)
    return say("HTTP {status} {code}", status=status, code=code) if code else say("HTTP {status}", status=status)


def _again_of(state: tenacity.RetryCallState) -> _Again:
    error = state.outcome.exception() if state.outcome else None
    if not isinstance(error, _Again):
        raise TypeError(error)
    return error


__all__ = [
    "LOGIN_DEADLINES",
    "LOGIN_PATIENCE",
    "Answer",
    "Course",
    "Deadlines",
    "LostAnswer",
    "Patience",
    "Refused",
    "Transport",
    "Verdict",
]
