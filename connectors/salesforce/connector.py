"""One Salesforce org as a connector."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

from connectors.auth import Secret
from connectors.budget import Budget
from connectors.salesforce.auth import ClientCredentials, JwtBearer, Login
from connectors.salesforce.diagnose import Doctor
from connectors.salesforce.read import Reader
from connectors.salesforce.session import Session
from connectors.salesforce.shapes import Shapes
from connectors.salesforce.values import adjust
from connectors.salesforce.write import Writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from connectors.base import Finding, Written
    from mapping.records import Batch, Cursor
    from reconcile.changes import Change, Settlement, Value

OBJECTS = (
    "User",
    "Account",
    "Contact",
    "Lead",
    "Opportunity",
    "OpportunityContactRole",
    "OpportunityHistory",
    "LeadHistory",
    "Campaign",
    "CampaignMember",
    "Task",
    "Event",
)
"""What is polled, parents before children."""

_IN_FLIGHT = 4


class Salesforce:
    """The connector of one org; see `connectors.base.Connector`."""

    records_per_write = 200

    def __init__(
        self,
        session: Session,
        *,
        fields: Mapping[str, Sequence[str]],
        written: Sequence[Written],
        organization_id: str | None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.system = session.system
        self.objects: Sequence[str] = tuple(name for name in OBJECTS if name in fields) + tuple(
            name for name in fields if name not in OBJECTS
        )
        self._session = session
        self._roles = {(each.object, each.field): each.role for each in written}
        asked = {
            object_: (*names, *(each.field for each in written if each.object == object_))
            for object_, names in fields.items()
        }
        shapes = Shapes(session, clock=clock)
        self._reader = Reader(session, shapes, asked)
        self._writer = Writer(session, self._reader, self.adjust)
        self._doctor = Doctor(session, shapes, fields, organization_id=organization_id)

    @property
    def calls(self) -> int:
        """HTTP requests sent so far, those for tokens left out."""
        return self._session.calls

    @property
    def calls_by(self) -> Mapping[str, int]:
        """The same by method and path, as `GET /queryAll`."""
        return self._session.calls_by

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """See `Connector.poll`."""
        return self._reader.poll(object_, cursor)

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Connector.read`."""
        return self._reader.read(object_, ids, fields)

    def adjust(self, object_: str, field: str, value: Value) -> Value:
        """See `Connector.adjust`."""
        return adjust(value, self._roles.get((object_, field), "extra"))

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """See `Connector.write`."""
        return self._writer.write(object_, changes)

    def diagnose(self, written: Sequence[Written], *, fix: bool = False) -> Iterator[Finding]:
        """See `Connector.diagnose`."""
        return self._doctor.examine(written, fix=fix)

    def close(self) -> None:
        """See `Connector.close`."""
        self._session.close()


def connect(
    *,
    system: str,
    login_url: str,
    auth: Mapping[str, str | Callable[[], str]],
    fields: Mapping[str, Sequence[str]],
    written: Sequence[Written] = (),
    api_version: str = "68.0",
    organization_id: str | None = None,
    budget: Budget | None = None,
    sleep: Callable[[float], None] | None = None,
    clock: Callable[[], float] = monotonic,
    wire: httpx.BaseTransport | None = None,
) -> Salesforce:
    """Make a connector; nobody is called yet.

    `auth` has `flow` and its entries as in the configuration (`client_id`, `client_secret`; or `client_id`, `username`,
    `private_key` and, rarely, `audience`), each a text or a function that reads it. `fields` names what to read of each
    object to poll; the fields of `written` are read as well. `sleep`, `clock` and `wire` are for tests.
    Raises ValueError for another flow, KeyError for an entry that its flow needs; the configuration checks both before.
    """
    budget = budget or Budget(in_flight=_IN_FLIGHT)
    secrets = {name: Secret(value) for name, value in auth.items()}
    login = Login(
        system=system,
        login_url=login_url,
        grant=_grant(secrets),
        organization_id=organization_id,
        budget=budget,
        audience=secrets["audience"].reveal() if "audience" in secrets else None,
        sleep=sleep,
        clock=clock,
        wire=wire,
    )
    session = Session(
        system=system, login=login, api_version=api_version, budget=budget, sleep=sleep, clock=clock, wire=wire
    )
    return Salesforce(session, fields=fields, written=written, organization_id=organization_id, clock=clock)


def _grant(secrets: Mapping[str, Secret]) -> ClientCredentials | JwtBearer:
    flow = secrets["flow"].reveal()
    if flow == "client_credentials":
        return ClientCredentials(secrets["client_id"], secrets["client_secret"])
    if flow == "jwt_bearer":
        return JwtBearer(secrets["client_id"], secrets["username"], secrets["private_key"])
    raise ValueError(f"there is no flow {flow}")
