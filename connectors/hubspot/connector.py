"""One HubSpot portal as a connector."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from connectors.budget import Budget
from connectors.hubspot.answers import Quota
from connectors.hubspot.api import API_VERSION, Api, utc_now
from connectors.hubspot.auth import RefreshedAuth, make_auth
from connectors.hubspot.diagnose import Doctor, other_portal
from connectors.hubspot.read import Pace, Reader, Selection
from connectors.hubspot.schema import Schema
from connectors.hubspot.values import adjust
from connectors.hubspot.write import Writer
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    import httpx

    from connectors.auth import Auth, Secret
    from connectors.base import Finding, Written
    from connectors.http import Deadlines, Patience
    from mapping.records import Batch, Cursor
    from reconcile.changes import Change, Settlement, Value

BURST = (170, 10.0)
"""Calls in ten seconds: what Professional and Enterprise portals allow one app (190), less a margin."""
SEARCH = (3, 1.0)
"""Searches in a second: the whole account has 5, for all its apps."""

_properties = msgspec.json.Decoder(dict[str, str | None]).decode


class HubSpot:
    """See `Connector`. `selections` says what is read of each object; a written field's role, how values compare."""

    records_per_write = 100

    def __init__(
        self,
        *,
        api: Api,
        auth: Auth,
        base_url: str,
        selections: Mapping[str, Selection],
        written: Sequence[Written] = (),
        portal_id: int | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.system = api.system
        self.objects: Sequence[str] = tuple(selections)
        self._api = api
        self._auth = auth
        self._base_url = base_url
        self._selections = selections
        self._portal_id = portal_id
        self._is_known = False
        self._roles = {(one.object, one.field): one.role for one in written}
        self._reader = Reader(api, selections, pace or Pace())
        self._writer = Writer(api, self.read, self.adjust)

    @property
    def calls(self) -> int:
        """HTTP requests sent so far."""
        return self._api.transport.calls

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """See `Connector.poll`."""
        self._identify()
        yield from self._reader.poll(object_, cursor)

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Connector.read`. A merged record is missing under its old id: it lives on under another."""
        self._identify()
        asked = frozenset(ids)
        return {
            row.id: {name: value or None for name, value in _properties(row.properties).items() if name in fields}
            for row in self._reader.read(object_, ids, fields)
            if row.id in asked and not row.archived
        }

    def adjust(self, object_: str, field: str, value: Value) -> Value:
        """See `Connector.adjust`."""
        return adjust(value, self._roles.get((object_, field), "extra"))

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """See `Connector.write`."""
        self._identify()
        yield from self._writer.write(object_, changes)

    def diagnose(self, written: Sequence[Written], *, fix: bool = False) -> Iterator[Finding]:
        """See `Connector.diagnose`."""
        doctor = Doctor(self._api, self._selections, self._portal_id, self._open_schema)
        yield from doctor.examine(written, fix=fix)

    def close(self) -> None:
        """See `Connector.close`."""
        self._api.transport.close()
        if isinstance(self._auth, RefreshedAuth):
            self._auth.close()

    def _identify(self) -> None:
        """Ask once whose token this is, and have nothing to do with another portal than the configured one."""
        if self._is_known:
            return
        found = self._api.account().portalId
        if self._portal_id is not None and found != self._portal_id:
            raise SystemDown(
                self.system,
                other_portal(str(found), str(self._portal_id)),
                hint=say("Use a token of the right portal, or mend portal_id of systems.{system}.", system=self.system),
            )
        self._is_known = True

    def _open_schema(self) -> Schema:
        def token() -> str:
            return self._auth.headers()["Authorization"].removeprefix("Bearer ")

        return Schema(system=self.system, base_url=self._base_url, token=token)


def connect(
    *,
    system: str,
    base_url: str,
    auth: Mapping[str, str | Secret | Callable[[], str]],
    fields: Mapping[str, Sequence[str]],
    histories: Mapping[str, Sequence[str]] | None = None,
    associations: Mapping[str, Sequence[str]] | None = None,
    written: Sequence[Written] = (),
    api_version: str = API_VERSION,
    portal_id: int | None = None,
    pace: Pace | None = None,
    has_limits: bool = True,
    in_flight: int = 4,
    deadlines: Deadlines | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], datetime] = utc_now,
    wire: httpx.BaseTransport | None = None,
) -> HubSpot:
    """Make the connector of one portal; calls nobody yet.

    `fields` names the objects to poll, in that order, and the properties to read of each, `histories` those to read
    with their past, `associations` the objects whose ids are read along; `written` ones are read as well. `has_limits`
    is False where the vendor's limits are lifted (the sandbox). Raises `OperatorError` for an `auth` that HubSpot does
    not know, and `SystemDown` for an address that must not be called.
    """
    credentials = make_auth(system=system, origin=base_url, version=api_version, auth=auth, wire=wire)
    budget = (
        Budget([BURST], lanes={"search": [SEARCH]}, in_flight=in_flight) if has_limits else Budget(in_flight=in_flight)
    )
    api = Api(
        system=system,
        base_url=base_url,
        version=api_version,
        auth=credentials,
        budget=budget,
        quota=Quota(),
        clock=clock,
        deadlines=deadlines,
        patience=patience,
        sleep=sleep,
        wire=wire,
    )
    selections = {
        object_: Selection(
            fields=tuple(dict.fromkeys((*names, *(one.field for one in written if one.object == object_)))),
            histories=tuple((histories or {}).get(object_, ())),
            associations=tuple((associations or {}).get(object_, ())),
        )
        for object_, names in fields.items()
    }
    return HubSpot(
        api=api,
        auth=credentials,
        base_url=base_url,
        selections=selections,
        written=written,
        portal_id=portal_id,
        pace=pace,
    )
