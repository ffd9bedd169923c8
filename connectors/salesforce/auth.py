"""Logging in to Salesforce: client credentials and JWT bearer, both through an External Client App."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlencode

import msgspec

from connectors import answers
from connectors.answers import Answer, Verdict, code_of
from connectors.auth import Anonymous, Refused, Secret, TokenAuth
from connectors.http import LOGIN_DEADLINES, LOGIN_PATIENCE, Transport
from connectors.origin import Origin, OriginRefused
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx

    from connectors.budget import Budget
    from mapping.text import Message

_PATH = "/services/oauth2/token"
_JWT_GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_ASSERTION_S = 180
_TRANSIENT = frozenset({"server_error", "temporarily_unavailable", "unknown_error"})
_ORG_ID_LENGTH = 15
"""An org id has 15 characters; 18 add a checksum of their case."""


class ClientCredentials(NamedTuple):
    """The app's own key and secret; runs as the app's "Run As" user, and needs the My Domain address."""

    client_id: Secret
    client_secret: Secret

    def form(self, audience: str) -> dict[str, str]:  # noqa: ARG002  # as `JwtBearer`
        """The body of a token request."""
        return {
            "grant_type": "client_credentials",
            "client_id": self.client_id.reveal(),
            "client_secret": self.client_secret.reveal(),
        }


class JwtBearer(NamedTuple):
    """A private key whose certificate the app knows; runs as `username`, who must be pre-authorised."""

    client_id: Secret
    username: Secret
    private_key: Secret

    def form(self, audience: str) -> dict[str, str]:
        """The body of a token request: an assertion that holds for three minutes.

        Raises ValueError where the private key is no RSA key in PEM.
        """
        import jwt  # noqa: PLC0415  # it brings all of cryptography, which the other flow does without

        claims = {
            "iss": self.client_id.reveal(),
            "sub": self.username.reveal(),
            "aud": audience,
            "exp": int(time.time()) + _ASSERTION_S,
        }
        try:
            assertion = jwt.encode(claims, self.private_key.reveal(), algorithm="RS256")
        except (jwt.PyJWTError, TypeError, ValueError):
            raise ValueError("the private key is no RSA key in PEM") from None
        return {"grant_type": _JWT_GRANT, "assertion": assertion}


class _Token(msgspec.Struct):
    access_token: str
    instance_url: str
    id: str = ""


_decode = msgspec.json.Decoder(_Token).decode


class Login:
    """Fetches access tokens, and learns from them where the org lives and which org it is.

    `audience` is what a JWT names; by default production or sandbox, as the address tells. Not safe for two threads:
    `TokenAuth` calls it one at a time.
    """

    def __init__(
        self,
        *,
        system: str,
        login_url: str,
        grant: ClientCredentials | JwtBearer,
        organization_id: str | None,
        budget: Budget,
        audience: str | None = None,
        sleep: Callable[[float], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        wire: httpx.BaseTransport | None = None,
    ) -> None:
        self._system = system
        self._grant = grant
        self._organization_id = organization_id
        self._instance: Origin | None = None
        self.organization_id = ""
        self.user_id = ""
        self._transport = Transport(
            system=system,
            origin=login_url,
            auth=Anonymous(),
            classify=_judge,
            budget=budget,
            deadlines=LOGIN_DEADLINES,
            patience=LOGIN_PATIENCE,
            sleep=sleep,
            clock=clock,
            wire=wire,
        )
        self._audience = audience or _audience(self._transport.origin)
        self.auth = TokenAuth(system, self._log_in)

    @property
    def instance(self) -> Origin:
        """Where the org's API lives; logs in if that is not known yet."""
        if self._instance is None:
            self.auth.headers()
        if self._instance is None:
            raise AssertionError("a login always says where the org lives")
        return self._instance

    def close(self) -> None:
        """Give up connections."""
        self._transport.close()

    def _log_in(self) -> str:
        try:
            body = urlencode(self._grant.form(self._audience)).encode()
        except ValueError:
            raise Refused(
                self._system,
                say("{system}: the private key is no RSA key in PEM.", system=self._system),
                hint=_hint(self._system),
            ) from None
        answer = self._transport.request(
            "POST",
            _PATH,
            label=_PATH,
            content=body,
            headers={"Content-Type": "application/x-www-form-urlencoded"},
            is_idempotent=True,
            decode=_decode,
        )
        if not answer.is_ok:
            raise Refused(
                self._system,
                say(
                    "{system} refused the login ({code}).", system=self._system, code=_error_of(answer) or answer.status
                ),
                hint=_hint(self._system),
            )
        token: _Token = answer.value
        self._check_organization(token.id)
        self._pin(token.instance_url)
        return token.access_token

    def _pin(self, instance_url: str) -> None:
        """Accept the org's address once; a login that later names another one is refused."""
        try:
            instance = Origin(instance_url)
        except OriginRefused:
            instance = None
        login = self._transport.origin
        is_allowed = instance is not None and (instance == login or instance.host.endswith(".salesforce.com"))
        if instance is None or not is_allowed:
            raise SystemDown(
                self._system,
                say("{system} named an address for its data that is not Salesforce's.", system=self._system),
                hint=_hint(self._system),
            )
        if self._instance is not None and self._instance != instance:
            raise SystemDown(
                self._system,
                say("{system} has moved to another address since the start.", system=self._system),
                hint=say("If the org was migrated, start headrace again."),
            )
        self._instance = instance

    def _check_organization(self, identity: str) -> None:
        """Refuse another org than the configured one, before anything is read from it or written to it."""
        parts = identity.rstrip("/").split("/")
        self.organization_id, self.user_id = parts[-2:] if len(parts) > 1 else ("", "")
        expected = self._organization_id
        if expected and self.organization_id[:_ORG_ID_LENGTH] != expected[:_ORG_ID_LENGTH]:
            raise Refused(
                self._system,
                say(
                    "{system} is the org {found}, not {expected}; nothing was read or written.",
                    system=self._system,
                    found=code_of(self.organization_id) or self.organization_id[:18] or "?",
                    expected=expected,
                ),
                hint=say("Check login_url and organization_id of systems.{system}.", system=self._system),
            )


def _judge(answer: Answer) -> Verdict:
    """Judge an answer of the token endpoint; some of its refusals are outages by their code."""
    code = _error_of(answer)
    return answers.retry(code) if code in _TRANSIENT else answers.of_login(answer)


def _error_of(answer: Answer) -> str:
    try:
        body = msgspec.json.decode(answer.content, type=dict[str, object])
    except msgspec.DecodeError:
        return ""
    return code_of(body.get("error"))


def _audience(login: Origin) -> str:
    """Who a JWT is addressed to (help: OAuth 2.0 JWT Bearer Flow): production, or sandboxes and scratch orgs."""
    if login.is_loopback:
        return str(login)
    is_test = login.host == "test.salesforce.com" or ".sandbox." in login.host or ".scratch." in login.host
    return "https://test.salesforce.com" if is_test else "https://login.salesforce.com"


def _hint(system: str) -> Message:
    return say(
        "Check login_url and the auth entry of systems.{system}: client credentials need the My Domain address, a JWT "
        "needs a user who is pre-authorised for the app.",
        system=system,
    )
