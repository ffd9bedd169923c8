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
    """Credentials that do not change while the process runs: a service key, a private app's token, a name and password.

    `headers` is called for every request. A rejection is final until the configuration is read again: asking again with
    the same key only brings the vendor to lock it.
    """

    def __init__(self, system: str, headers: Callable[[], Mapping[str, str]]) -> None:
        self._system = system
        self._headers = headers
        self._is_refused = False

    def headers(self) -> Mapping[str, str]:
        """The headers; raises `Refused` once they were rejected."""
        if self._is_refused:
            raise refused(self._system)
        return self._headers()

    def refresh(self, rejected: str) -> None:  # noqa: ARG002  # the protocol's
        """Latch the refusal."""
        self._is_refused = True
        raise refused(self._system)

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
    vendor that rejects fresh tokens would lock the account. A `Refused` from `login` is final at once; another
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
        """The header with the token, fetched if there is none yet."""
        token = self._token
        if not token:
            self._replace("")
            token = self._token
        return {"Authorization": f"Bearer {token}"}

    def refresh(self, rejected: str) -> None:
        """Fetch another token, unless another thread did since the rejected one was sent."""
        self._replace(rejected.removeprefix("Bearer "))

    def accepted(self) -> None:
        """Forget earlier failures."""
        self._logins_in_vain = 0

    def _replace(self, rejected: str) -> None:
        with self._lock:
            if self._token != rejected:
                return
            if self._refusal is None and self._logins_in_vain >= self._most_logins:
                self._refusal = refused(self._system)
            if self._refusal is not None:
                raise self._refusal
            try:
                self._token = self._login()
            except Refused as refusal:
                self._refusal = refusal
                raise
            self._logins_in_vain += 1


def refused(system: str) -> Refused:
    """The error that says so, and where to look."""
    return Refused(
        system,
        say("{system} refused the credentials.", system=system),
        hint=say("Check the auth entry of systems.{system}; `headrace doctor` tries it.", system=system),
    )
