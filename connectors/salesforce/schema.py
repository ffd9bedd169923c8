"""Administration of an org's schema through simple-salesforce, behind a session of our own.

The library is used in its direct mode: given a token, it neither logs in nor tries again by itself (both are faulty in
1.12.10). What it lacks is added underneath it: deadlines, and the origin that a token must not leave. It is imported
when first used: 23 MB and a third of a second that polling does without.
"""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce as Client
from simple_salesforce.exceptions import SalesforceError, SalesforceExpiredSession
from simple_salesforce.format import format_soql

from connectors.origin import Origin, OriginRefused
from connectors.salesforce.errors import Fault, fault
from connectors.salesforce.shapes import Shape
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from connectors.salesforce.session import Session

# Its debug lines carry addresses with queries.
logging.getLogger("urllib3").setLevel(logging.WARNING)

_CONNECT_S = 10.0
_READ_S = 60.0
_TEXT_LENGTH = 80
_KEY_LENGTH = 64
_NOT_FOUND = 404
_REFUSALS = frozenset({300, 400, 403, 404})

T = TypeVar("T")


class RefusedCall(Exception):  # noqa: N818  # carries the vendor's fault to the finding that shows it
    """The org refused a request of an administrator."""

    def __init__(self, status: int, reason: Fault) -> None:
        super().__init__(reason.code)
        self.status = status
        self.fault = reason


class _Pinned(HTTPAdapter):
    """Sends to one origin, with deadlines and without redirects, whatever the library asks for.

    The library writes https into every address; to a sandbox on this machine it goes as plain http.
    """

    def __init__(self, origin: Origin) -> None:
        super().__init__(max_retries=0)
        self._origin = origin

    def send(self, request: requests.PreparedRequest, *args: Any, **kwargs: Any) -> requests.Response:
        url = request.url or ""
        if self._origin.is_loopback and str(self._origin).startswith("http:"):
            url = url.replace("https:", "http:", 1)
        try:
            request.url = str(self._origin.resolve(url))
        except OriginRefused as error:
            raise requests.exceptions.InvalidURL(str(error)) from None
        kwargs["timeout"] = (_CONNECT_S, _READ_S)
        return super().send(request, *args, **kwargs)


class _Session(requests.Session):
    """A session that follows no redirect and reads no credentials file."""

    def __init__(self, origin: Origin) -> None:
        super().__init__()
        self.trust_env = not origin.is_loopback
        self.auth = _as_it_is  # otherwise a netrc file's entry would replace the token
        adapter = _Pinned(origin)
        self.mount("https://", adapter)
        self.mount("http://", adapter)

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        kwargs["allow_redirects"] = False
        return super().request(*args, **kwargs)


def _as_it_is(request: requests.PreparedRequest) -> requests.PreparedRequest:
    return request


class Admin:
    """Describes objects, reads limits and creates our own fields in one org. Close it after use."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._http = _Session(session.login.instance)

    def close(self) -> None:
        """Give up connections."""
        self._http.close()

    def describe(self, object_: str) -> Shape | None:
        """The shape of an object; None where the org has none."""
        try:
            return self._call(lambda client: msgspec.convert(client.restful(f"sobjects/{object_}/describe"), Shape))
        except RefusedCall as refused:
            if refused.status == _NOT_FOUND:
                return None
            raise

    def limits(self) -> Mapping[str, Mapping[str, int]]:
        """The org's limits by name, each with Max and Remaining (REST API guide, Limits)."""
        return self._call(lambda client: msgspec.convert(client.limits(), dict[str, dict[str, Any]]))

    def create(self, object_: str, field: str, role: str, options: tuple[str, ...]) -> None:
        """Create one of our fields (Tooling API, CustomField). Raises `RefusedCall` where the org declines.

        Created this way a field is visible to nobody; see `grant`.
        """
        body = {"FullName": f"{object_}.{field}", "Metadata": metadata(field, role, options)}
        self._call(lambda client: client.toolingexecute("sobjects/CustomField", method="POST", data=body))

    def grant(self, object_: str, field: str) -> bool:
        """Let our own user read and edit a field, through a permission set of its own (object FieldPermissions).

        False where the user has no permission set of its own, or may not change it: then an administrator must.
        """
        user = self._session.login.user_id
        try:
            assigned = self._ids("SELECT PermissionSetId FROM PermissionSetAssignment WHERE AssigneeId = {}", user)
            own = assigned and self._ids(
                "SELECT Id FROM PermissionSet WHERE Id IN {} AND IsOwnedByProfile = false", assigned
            )
            if not own:
                return False
            body = {
                "ParentId": own[0],
                "SobjectType": object_,
                "Field": f"{object_}.{field}",
                "PermissionsRead": True,
                "PermissionsEdit": True,
            }
            data = json.dumps(body)
            self._call(lambda client: client.restful("sobjects/FieldPermissions", method="POST", data=data))
        except RefusedCall:
            return False
        return True

    def _ids(self, soql: str, value: str | list[str]) -> list[str]:
        """The only column of a query."""
        query = format_soql(soql, value)
        rows = self._call(lambda client: client.query(query))["records"]
        return [text for row in rows for name, text in row.items() if name != "attributes"]

    def _call(self, ask: Callable[[Client], T]) -> T:
        """Ask with the present token, and once more with a fresh one where it has expired.

        Raises `RefusedCall` where the org refuses the request, `SystemDown` where there is no usable answer.
        """
        auth = self._session.login.auth
        try:
            headers = auth.headers()
            try:
                return ask(self._client(headers))
            except SalesforceExpiredSession:
                auth.refresh("\n".join(headers.values()))
                return ask(self._client(auth.headers()))
        except SalesforceError as error:
            if error.status in _REFUSALS:
                raise RefusedCall(error.status, _fault(error)) from None
            raise self._down(f"HTTP {error.status}") from None
        except (requests.RequestException, ValueError) as error:
            raise self._down(type(error).__name__) from None

    def _down(self, why: str) -> SystemDown:
        system = self._session.system
        return SystemDown(system, say("{system}: no usable answer about its schema ({why}).", system=system, why=why))

    def _client(self, headers: Mapping[str, str]) -> Client:
        return Client(
            session_id=headers["Authorization"].removeprefix("Bearer "),
            instance_url=str(self._session.login.instance),
            version=self._session.api_version,
            session=self._http,
        )


def metadata(field: str, role: str, options: tuple[str, ...]) -> dict[str, object]:
    """The definition of one of our fields (Metadata API, CustomField), by what it carries."""
    shown: dict[str, object] = {
        "label": field.removesuffix("__c").replace("_", " "),
        "description": "Written by headrace. Do not edit by hand.",
        "required": False,
    }
    if role == "score":
        return {**shown, "type": "Number", "precision": 18, "scale": 0}
    if role == "stage_at":
        return {**shown, "type": "DateTime"}
    if role == "id":
        # Not unique: the records of one person carry the same id.
        return {**shown, "type": "Text", "length": _KEY_LENGTH, "unique": False, "externalId": True}
    if role == "stage" and options:
        values = [{"fullName": option, "label": option, "default": False} for option in options]
        return {
            **shown,
            "type": "Picklist",
            "valueSet": {"restricted": False, "valueSetDefinition": {"sorted": False, "value": values}},
        }
    return {**shown, "type": "Text", "length": _TEXT_LENGTH}


def _fault(error: SalesforceError) -> Fault:
    """The library keeps the decoded body of a refused request as `content`."""
    content: object = error.content  # annotated as bytes, which it never is
    first: dict[str, object] = {}
    if isinstance(content, list) and content and isinstance(content[0], dict):
        first = content[0]
    return fault(str(first.get("errorCode", f"HTTP_{error.status}")), str(first.get("message", "")))
