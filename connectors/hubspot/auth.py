"""How a portal is told who we are: a service key, or OAuth with a refresh token."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec

from connectors.answers import of_login
from connectors.auth import Anonymous, Secret, TokenAuth, bearer, refused
from connectors.budget import Budget
from connectors.http import LOGIN_DEADLINES, LOGIN_PATIENCE, Transport
from mapping.errors import OperatorError, Problem
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import httpx

    from connectors.auth import Auth

_EARLY = 0.8
"""The share of a token's life after which it is replaced: a 401 is no valid sign that it ended (usage guidelines)."""


class Token(msgspec.Struct):
    """The token endpoint's answer; `expires_in` in seconds (1,800 in 2026)."""

    access_token: str
    expires_in: float = 1800.0


class RefreshedAuth:
    """A bearer token from a refresh token (`POST /oauth/{version}/token`), replaced before it ends.

    `close` gives up the connection to the token endpoint.
    """

    def __init__(
        self,
        *,
        system: str,
        origin: str,
        version: str,
        client_id: Secret,
        client_secret: Secret,
        refresh_token: Secret,
        clock: Callable[[], float] = monotonic,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._system = system
        self._path = f"/oauth/{version}/token"
        self._form = (client_id, client_secret, refresh_token)
        self._clock = clock
        self._renew_at = float("inf")
        self._transport = Transport(
            system=system,
            origin=origin,
            auth=Anonymous(),
            classify=of_login,
            budget=Budget(),
            deadlines=LOGIN_DEADLINES,
            patience=LOGIN_PATIENCE,
            wire=wire,
        )
        self._tokens = TokenAuth(system, self._login)

    def headers(self) -> Mapping[str, str]:
        """The header with a token that has a fifth of its life left at least."""
        headers = self._tokens.headers()
        if self._clock() >= self._renew_at:
            self._tokens.renew(headers["Authorization"])
            headers = self._tokens.headers()
        return headers

    def refresh(self, rejected: str) -> None:
        """Fetch another token, unless that was done since."""
        self._tokens.refresh(rejected)

    def accepted(self) -> None:
        """Forget earlier failures."""
        self._tokens.accepted()

    def close(self) -> None:
        """Give up the connection."""
        self._transport.close()

    def _login(self) -> str:
        client_id, client_secret, refresh_token = (secret.reveal() for secret in self._form)
        form = {
            "grant_type": "refresh_token",
            "client_id": client_id,
            "client_secret": client_secret,
            "refresh_token": refresh_token,
        }
        answer = self._transport.request(
            "POST",
            self._path,
            label="/oauth/token",
            content=urlencode(form).encode(),
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            is_idempotent=True,
            decode=msgspec.json.Decoder(Token).decode,
        )
        if not answer.is_ok:
            raise refused(self._system)
        token: Token = answer.value
        self._renew_at = self._clock() + token.expires_in * _EARLY
        return token.access_token


def make_auth(
    *,
    system: str,
    origin: str,
    version: str,
    auth: Mapping[str, str | Secret | Callable[[], str]],
    wire: httpx.BaseTransport | None = None,
) -> Auth:
    """Make what the configuration's `auth` entry describes: `flow` is service_key (with token) or refresh_token.

    A secret may be given as a function that reads it anew at every use. Raises
    `OperatorError` for another flow, or where a part of it is missing.
    """
    flow = auth.get("flow", "service_key")
    needed = {"service_key": ("token",), "refresh_token": ("client_id", "client_secret", "refresh_token")}
    where = f"systems.{system}.auth"
    if not isinstance(flow, str) or flow not in needed:
        raise OperatorError([Problem(f"{where}.flow", say("HubSpot knows the flows service_key and refresh_token."))])
    missing = [name for name in needed[flow] if name not in auth]
    if missing:
        raise OperatorError([Problem(where, say("{name} is missing.", name=name)) for name in missing])
    parts = {name: _secret(auth[name]) for name in needed[flow]}
    if flow == "service_key":
        return bearer(system, parts["token"])
    return RefreshedAuth(
        system=system,
        origin=origin,
        version=version,
        client_id=parts["client_id"],
        client_secret=parts["client_secret"],
        refresh_token=parts["refresh_token"],
        wire=wire,
    )


def _secret(value: str | Secret | Callable[[], str]) -> Secret:
    return value if isinstance(value, Secret) else Secret(value)
