"""OAuth for a daemon: client credentials and JWT bearer; passwords are refused.

Source: Salesforce Help, OAuth 2.0 JWT Bearer Flow and Client Credentials Flow, 000886201; read 2026-11-21.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from binascii import Error as NotBase64
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import jwt

from sandbox.salesforce.answers import Answer, ApiError, Call
from sandbox.salesforce.schema import ORGANIZATION_ID, RUN_AS_USER_ID

if TYPE_CHECKING:
    from sandbox.salesforce.org import Org

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_REFUSED_GRANTS = {
    "password": ("invalid_grant", "authentication failure"),
    "refresh_token": ("invalid_grant", "expired access/refresh token"),
}
_AUDIENCES = ("https://login.salesforce.com", "https://test.salesforce.com")


class _RefusedError(Exception):
    """A token is refused; the OAuth error and its description."""

    def __init__(self, error: str, description: str) -> None:
        super().__init__(error)
        self.answer = Answer(400, {"error": error, "error_description": description})


def token(org: Org, call: Call) -> Answer:
    """A new access token for credentials that hold."""
    form = dict(parse_qsl((call.body or b"").decode("utf-8", "replace")))
    grant = form.get("grant_type", "")
    try:
        _check_grant(org, call, grant, form)
    except _RefusedError as refused:
        return refused.answer
    return Answer(body=_issued(org, call, is_signed=grant == "client_credentials"))


def _check_grant(org: Org, call: Call, grant: str, form: dict[str, str]) -> None:
    if grant == "client_credentials":
        _check_client(org, call, form)
    elif grant == JWT_BEARER:
        _check_assertion(org, call, form.get("assertion", ""))
    else:
        raise _RefusedError(*_REFUSED_GRANTS.get(grant, ("unsupported_grant_type", "grant type not supported")))


def _issued(org: Org, call: Call, *, is_signed: bool) -> dict[str, Any]:
    identity = f"{call.origin}/id/{ORGANIZATION_ID}/{RUN_AS_USER_ID}"
    answer: dict[str, Any] = {
        "access_token": org.issue_token(),
        "scope": "id api",
        "instance_url": call.origin,
        "id": identity,
        "token_type": "Bearer",
    }
    if is_signed:
        issued_at = str(org.vault.now_ms())
        secret = org.all_faults.credentials.salesforce_client_secret.encode()
        digest = hmac.new(secret, (identity + issued_at).encode(), hashlib.sha256).digest()
        answer |= {"signature": base64.b64encode(digest).decode(), "issued_at": issued_at}
    return answer


def _check_client(org: Org, call: Call, form: dict[str, str]) -> None:
    client_id, secret = form.get("client_id", ""), form.get("client_secret", "")
    scheme, _, basic = call.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            client_id, _, secret = base64.b64decode(basic, validate=True).decode().partition(":")
        except (NotBase64, UnicodeDecodeError):
            raise _RefusedError("invalid_client", "invalid client credentials") from None
    known = org.all_faults.credentials
    if client_id != known.salesforce_client_id or org.faults.are_credentials_wrong:
        raise _RefusedError("invalid_client_id", "client identifier invalid")
    if not hmac.compare_digest(secret.encode(), known.salesforce_client_secret.encode()):
        raise _RefusedError("invalid_client", "invalid client credentials")


def _check_assertion(org: Org, call: Call, assertion: str) -> None:
    known = org.all_faults.credentials
    try:
        claims = jwt.decode(
            assertion,
            known.salesforce_public_key,
            algorithms=["RS256"],
            audience=[*_AUDIENCES, call.origin],
            options={"require": ["exp", "iss", "sub", "aud"]},
        )
    except jwt.InvalidAudienceError:
        raise _RefusedError("invalid_grant", "audience is invalid") from None
    except jwt.ExpiredSignatureError:
        raise _RefusedError("invalid_grant", "expired authorization code") from None
    except (jwt.PyJWTError, ValueError):
        raise _RefusedError("invalid_grant", "invalid assertion") from None
    if claims["iss"] != known.salesforce_client_id or org.faults.are_credentials_wrong:
        raise _RefusedError("invalid_client_id", "client identifier invalid")
    if claims["sub"] != known.salesforce_username:
        raise _RefusedError("invalid_grant", "user hasn't approved this consumer")


def identity(org: Org, call: Call) -> Answer:
    """Who the token runs as, and in which org; in plain text where the token is no good."""
    try:
        org.check_token(call.headers.get("authorization"))
    except ApiError:
        return Answer(403, b"Bad_OAuth_Token", {"content-type": "text/html;charset=UTF-8"})
    username = org.all_faults.credentials.salesforce_username
    return Answer(
        body={
            "sub": f"{call.origin}/id/{ORGANIZATION_ID}/{RUN_AS_USER_ID}",
            "user_id": RUN_AS_USER_ID,
            "organization_id": ORGANIZATION_ID,
            "preferred_username": username,
            "nickname": "integration",
            "name": "Integration User",
            "email": username,
            "email_verified": True,
            "zoneinfo": "Asia/Tokyo",
            "user_type": "STANDARD",
            "language": "ja",
            "locale": "ja_JP",
            "active": True,
            "urls": {
                "rest": f"{call.origin}/services/data/v{{version}}/",
                "query": f"{call.origin}/services/data/v{{version}}/query/",
                "sobjects": f"{call.origin}/services/data/v{{version}}/sobjects/",
            },
        }
    )


def soap_login() -> Answer:
    """SOAP login() is off in new orgs and gone from version 65.0."""
    fault = (
        '<?xml version="1.0" encoding="UTF-8"?><soapenv:Envelope '
        'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:sf="urn:fault.partner.soap.sforce.com">'
        "<soapenv:Body><soapenv:Fault><faultcode>sf:INVALID_OPERATION</faultcode><faultstring>INVALID_OPERATION: SOAP "
        "API login() is disabled by default in this org.</faultstring></soapenv:Fault></soapenv:Body>"
        "</soapenv:Envelope>"
    )
    return Answer(500, fault.encode(), {"content-type": "text/xml;charset=UTF-8"})
