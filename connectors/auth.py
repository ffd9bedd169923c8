"""Who we are to a vendor: secrets that never show, and tokens fetched once for all threads."""

from __future__ import annotations

import base64
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


class Secret:
    """A text that is never shown: not by repr, str, format or a traceback's locals. Read anew at every use."""

    __slots__ = ("_read",)

    def __init__(self, value: str | Callable[[], str]) -> None:
        self._read: Callable[[], str] = value if callable(value) else value.__str__

    def __repr__(self) -> str:
        return "Secret(***)"

    def reveal(self) -> str:
        """The text itself, for the one place that sends it."""
        return self._read()


class Refused(SystemDown):
    """The system refused the credentials."""


class Auth(Protocol):
    """What puts credentials on a request. Safe for several threads."""

    def headers(self) -> Mapping[str, str]:
        """The headers that carry the credentials; may log in, and raises `SystemDown` where that fails."""
        ...

    def refresh(self, rejected: str) -> None:
        """Replace credentials that the vendor rejected: `rejected` is the values of their headers, joined by newlines.

        Does nothing where they were replaced since. Raises `Refused` where there is nothing better to offer.
        """
        ...

    def accepted(self) -> None:
        """Take note that the vendor accepted the present credentials."""
        ...


class Anonymous:
    """No credentials: for the addresses where one fetches them."""

    def headers(self) -> Mapping[str, str]:
        """No headers."""
        return {}

    def refresh(self, rejected: str) -> None:  # noqa: ARG002  # the protocol's
        """Leave it to the caller: there is nothing to replace."""
        raise Refused("anonymous", say("Credentials are asked for where there are none."))

    def accepted(self) -> None:
        """Nothing to note."""


class Fixed:
    """Credentials that nobody fetches: a service key, a private app's token, a name and password.

    `headers` is called for every request. What was rejected is not offered again: that only brings the vendor to lock
    it. A key that was put in its place since is.
    """

    def __init__(self, system: str, headers: Callable[[], Mapping[str, str]]) -> None:
        self._system = system
        self._headers = headers
        self._rejected: Secret | None = None

    def headers(self) -> Mapping[str, str]:
        """The headers; raises `Refused` where these were rejected."""
        headers = self._headers()
        if self._rejected is not None and "\n".join(headers.values()) == self._rejected.reveal():
            raise refused(self._system)
        return headers

    def refresh(self, rejected: str) -> None:
        """Remember the rejection; raises `Refused` unless there are other credentials by now."""
        self._rejected = Secret(rejected)
        self.headers()

    def accepted(self) -> None:
        """Nothing to note: one refusal is enough, whatever came before."""


def bearer(system: str, token: Secret) -> Fixed:
    """Send a token that does not change."""
    return Fixed(system, lambda: {"Authorization": f"Bearer {token.reveal()}"})


def basic(system: str, username: Secret, password: Secret) -> Fixed:
    """Send a user name and password (RFC 7617, in UTF-8)."""

    def headers() -> Mapping[str, str]:
        pair = f"{username.reveal()}:{password.reveal()}".encode()
        return {"Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    return Fixed(system, headers)


class TokenAuth:
    """A bearer token fetched by `login`, once for all threads, and again when the vendor rejects it.

    After `most_logins` logins without one accepted request in between it gives up for the life of this object: a
    vendor that rejects fresh tokens would lock the account. Renewals of tokens that nobody rejected do not count: an
    outage may last for many of them. A `Refused` from `login` is final at once; another
    `SystemDown` (the login address is out of reach) is not, and does not count.
    """

    def __init__(self, system: str, login: Callable[[], str], *, most_logins: int = 3) -> None:
        self._system = system
        self._login = login
        self._most_logins = most_logins
        self._lock = Lock()
        self._token = ""
        self._logins_in_vain = 0
        self._refusal: Refused | None = None

    def headers(self) -> Mapping[str, str]:
        """The header with the token, fetched if there is none yet; raises `Refused` once logins were given up."""
        if self._refusal is not None:
            raise self._refusal.with_traceback(None)
        token = self._token
        if not token:
            self._replace("")
            token = self._token
        return {"Authorization": f"Bearer {token}"}

    def refresh(self, rejected: str) -> None:
        """Fetch another token, unless another thread did since the rejected one was sent."""
        self._replace(rejected.removeprefix("Bearer "))

    def renew(self, ending: str) -> None:
        """Fetch another token in place of one that is about to end, unless another thread did."""
        self._replace(ending.removeprefix("Bearer "), is_rejected=False)

    def accepted(self) -> None:
        """Forget earlier failures."""
        self._logins_in_vain = 0

    def _replace(self, held: str, *, is_rejected: bool = True) -> None:
        with self._lock:
            if self._token != held:
                return
            if self._refusal is None and self._logins_in_vain >= self._most_logins:
                self._refusal = refused(self._system)
            if self._refusal is not None:
                raise self._refusal.with_traceback(None)  # or it would grow with every raise
            try:
                self._token = self._login()
            except Refused as refusal:
                self._refusal = refusal
                raise
            self._logins_in_vain += is_rejected


def refused(system: str) -> Refused:
    """The error that says so, and where to look."""
    return Refused(
        system,
        say("{system} refused the credentials.", system=system),
        hint=say(
            "Mend the auth entry of systems.{system} (`headrace doctor` tries it), then reload the daemon: it does not "
            "offer refused credentials again.",
            system=system,
        ),
    )
