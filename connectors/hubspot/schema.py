"""Property definitions, through HubSpot's own client: what is there, and making what is ours.

`hubspot-api-client` 12 speaks the v3 paths, has no timeout of its own, makes a new connection pool at every access of
an api, and retries by itself; so the api objects are held, every call has a timeout, and retries and redirects are off.
It is imported when it is needed: it costs a second and 50 MB.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.origin import Origin
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from connectors.base import Written

GROUP = "headrace"
GROUP_LABEL = "headrace"
_TIMEOUT_S = (10.0, 60.0)
_NOT_FOUND = 404
_CONFLICT = 409
_FORBIDDEN = 403

TYPES = {
    "stage": ("enumeration", "select"),
    "score": ("number", "number"),
    "stage_at": ("datetime", "date"),
    "id": ("string", "text"),
    "extra": ("string", "text"),
}
"""The type and field type of the property for each role that we create."""
ACCEPTED = {
    "stage": frozenset({"enumeration", "string"}),
    "score": frozenset({"number"}),
    "stage_at": frozenset({"datetime", "string"}),
    "id": frozenset({"string"}),
}
"""The types that a role can live with; any type will do for another role."""
LABELS = {
    "stage": "Canonical stage",
    "score": "Canonical score",
    "stage_at": "Canonical stage since",
    "id": "Canonical id",
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """One property as the portal defines it."""

    name: str
    type: str
    options: tuple[str, ...]
    is_read_only: bool


class SchemaRefused(SystemDown):
    """HubSpot refused to show or change its definitions."""

    def __init__(self, system: str, status: int) -> None:
        self.status = status
        super().__init__(
            system,
            say("{system}: the definitions of properties are refused: HTTP {status}.", system=system, status=status),
            hint=say("The service key needs the scopes crm.schemas.*.read, and .write to create properties.")
            if status == _FORBIDDEN
            else None,
        )


class Schema:
    """The definitions of one portal. `token` is asked at first use, `close` gives up the connections."""

    def __init__(self, *, system: str, base_url: str, token: Callable[[], str]) -> None:
        from hubspot.crm import properties as sdk  # noqa: PLC0415  # costs a second; see above

        self._sdk: Any = sdk
        self._system = system
        configuration = sdk.Configuration(host=str(Origin(base_url)))
        configuration.access_token = token()
        configuration.retries = False
        self._client = sdk.ApiClient(configuration)
        self._properties: Any = sdk.CoreApi(self._client)
        self._groups: Any = sdk.GroupsApi(self._client)

    def definitions(self, object_: str) -> dict[str, Definition]:
        """The properties of an object, by name."""
        found = self._call(self._properties.get_all, object_)
        return {one.name: _definition(one) for one in found.results}

    def create(self, object_: str, written: Written) -> None:
        """Make a property of ours, in the group of ours; one that exists already stays as it is."""
        self._create(self._groups.create, object_, self._sdk.PropertyGroupCreate(name=GROUP, label=GROUP_LABEL))
        kind, field_type = TYPES.get(written.role, TYPES["extra"])
        self._create(
            self._properties.create,
            object_,
            self._sdk.PropertyCreate(
                name=written.field,
                label=LABELS.get(written.role, written.field),
                description="Written by headrace. Changes made here are written over.",
                group_name=GROUP,
                type=kind,
                field_type=field_type,
                options=self._options(written.options) if kind == "enumeration" else None,
                has_unique_value=False,  # two records of one person carry the same values
                form_field=False,
            ),
        )

    def extend(self, object_: str, written: Written, known: Sequence[str]) -> None:
        """Add the options that a property of ours lacks, behind those that it has."""
        names = [*known, *(one for one in written.options if one not in known)]
        update = self._sdk.PropertyUpdate(options=self._options(names))
        self._call(self._properties.update, object_, written.field, update)

    def close(self) -> None:
        """Give up the connections."""
        self._client.rest_client.pool_manager.clear()
        self._client.close()

    def _options(self, names: Sequence[str]) -> list[Any]:
        return [
            self._sdk.OptionInput(label=name, value=name, display_order=order, hidden=False)
            for order, name in enumerate(names)
        ]

    def _create(self, method: Callable[..., Any], object_: str, body: Any) -> None:
        try:
            self._call(method, object_, body)
        except SchemaRefused as refused:
            if refused.status != _CONFLICT:
                raise

    def _call(self, method: Callable[..., Any], *args: Any) -> Any:
        from urllib3.exceptions import HTTPError  # noqa: PLC0415  # comes with the client

        try:
            with warnings.catch_warnings():
                # Reading the headers of an error answer, it calls a method that its own urllib3 deprecates.
                warnings.simplefilter("ignore", DeprecationWarning)
                return method(*args, _request_timeout=_TIMEOUT_S)
        except self._sdk.ApiException as error:
            raise SchemaRefused(self._system, int(error.status or 0)) from None
        except (HTTPError, ValueError, TypeError, AttributeError) as error:
            raise SystemDown(
                self._system,
                say(
                    "{system}: no usable answer on properties ({kind}).", system=self._system, kind=type(error).__name__
                ),
            ) from None


def _definition(one: Any) -> Definition:
    metadata = one.modification_metadata
    return Definition(
        name=one.name,
        type=one.type,
        options=tuple(option.value for option in one.options or ()),
        is_read_only=bool(one.calculated) or bool(metadata and metadata.read_only_value),
    )
