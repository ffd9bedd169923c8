"""A REST tool as a connector, whatever its preset says it is."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.auth import Fixed, Refused, Secret, basic, bearer
from connectors.base import Finding, Severity
from connectors.budget import Budget
from connectors.findings import broken, readable, writable
from connectors.forms import instant, whole_or_text
from connectors.http import LostAnswer
from connectors.rest.client import Client, RestRejection
from connectors.rest.preset import load, load_file
from connectors.rest.read import Reader
from connectors.rest.records import Shape
from connectors.settling import after_sending, before_sending, settle_all, wanted, waves
from mapping.errors import OperatorError, Problem, SystemDown
from mapping.text import say
from reconcile.changes import Outcome, Settlement

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import httpx

    from connectors.auth import Auth
    from connectors.base import Written
    from connectors.http import Deadlines, Patience
    from connectors.rest.preset import ObjectSpec, Preset
    from mapping.records import Batch, Cursor
    from reconcile.changes import Change, Value

_REFUSED = frozenset({400, 403, 404, 409, 410, 422})
"""How tools refuse one record's values; anything else concerns more than the record."""


class RestTool:
    """See `Connector`."""

    records_per_write = 1

    def __init__(
        self,
        *,
        client: Client,
        preset: Preset,
        fields: Mapping[str, Sequence[str]],
        written: Sequence[Written] = (),
        batch_pages: int = 10,
    ) -> None:
        self.system = client.system
        self.objects: Sequence[str] = tuple(fields)
        self._client = client
        self._specs: Mapping[str, ObjectSpec] = {object_: preset.objects[object_] for object_ in fields}
        ours = {object_: [one.field for one in written if one.object == object_] for object_ in fields}
        self._shapes = {object_: Shape(spec, fields[object_], ours[object_]) for object_, spec in self._specs.items()}
        self._roles = {
            (one.object, self._shapes[one.object].place(one.field)): one.role
            for one in written
            if one.object in self._shapes
        }
        self._reader = Reader(client, self._specs, self._shapes, batch_pages)

    @property
    def calls(self) -> int:
        """HTTP requests sent so far."""
        return self._client.transport.calls

    def poll(self, object_: str, cursor: Cursor | None) -> Iterator[Batch]:
        """See `Connector.poll`."""
        yield from self._reader.poll(object_, cursor)

    def read(self, object_: str, ids: Sequence[str], fields: Sequence[str]) -> Mapping[str, Mapping[str, object]]:
        """See `Connector.read`; one call for each record."""
        spec, shape = self._specs[object_], self._shapes[object_]
        found = {}
        for id_ in dict.fromkeys(ids):
            record = self._client.item(spec, id_)
            if record is not None and not shape.is_deleted(record):
                found[id_] = shape.values(record, fields)
        return found

    def adjust(self, object_: str, field: str, value: Value) -> Value:
        """See `Connector.adjust`. Scores are whole numbers, instants ISO 8601 in UTC, an empty text is no value."""
        if value is None or value == "":
            return None
        role = self._roles.get((object_, self._shapes[object_].place(field)), "extra")
        if role == "score" and not isinstance(value, bool):
            return whole_or_text(str(value))  # a stored payload may hold 61.0
        return instant(value) if isinstance(value, str) and not value.isdigit() else value

    def write(self, object_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        """See `Connector.write`; reads, writes and reads again one record after the other."""
        spec = self._specs.get(object_)
        if spec is None or spec.write is None:
            detail = say("{object} cannot be written.", object=object_)
            yield from (Settlement(change=change, outcome=Outcome.FAILED, detail=detail) for change in changes)
            return
        for records in waves(changes):
            for id_, of_record in records.items():
                yield from self._write_one(object_, spec, id_, of_record)

    def diagnose(self, written: Sequence[Written], *, fix: bool = False) -> Iterator[Finding]:
        """See `Connector.diagnose`. Nothing is created: a field of such a tool exists once it is written."""
        del fix
        whole = []
        for object_, spec in self._specs.items():
            try:
                next(self._client.pages(spec, {**spec.params, **spec.first_params}, ""))
            except Refused as refused:
                yield broken("credentials", refused)
                return
            except SystemDown as down:
                yield broken(f"read {object_}", down)
            else:
                whole.append(object_)
        if whole:
            yield readable(whole)
        for object_ in dict.fromkeys(one.object for one in written):
            described = self._specs.get(object_)
            if described is None or described.write is None:
                message = say("{object} cannot be written.", object=object_)
                hint = say("Leave it out of the write tables: its preset knows no way.")
                yield Finding(check=f"write {object_}", severity=Severity.ERROR, message=message, hint=hint)
            else:
                yield writable(object_, [one.field for one in written if one.object == object_])

    def close(self) -> None:
        """See `Connector.close`."""
        self._client.transport.close()

    def _write_one(self, object_: str, spec: ObjectSpec, id_: str, changes: Sequence[Change]) -> Iterator[Settlement]:
        assert spec.write is not None
        fields = [change.field for change in changes]
        current = self.read(object_, [id_], fields).get(id_)
        due = []
        for change in changes:
            settled = before_sending(change, current, self.adjust)  # type: ignore[arg-type]  # decoded JSON
            if settled:
                yield settled
            else:
                due.append(change)
        if not due:
            return
        place = self._shapes[object_].place
        values = {place(change.field)[1]: wanted(change, self.adjust) for change in due}
        try:
            self._client.write(spec.write, id_, values)
        except LostAnswer:
            yield from settle_all({id_: due}, Outcome.UNKNOWN)
            return
        except RestRejection as rejection:
            if rejection.status not in _REFUSED:
                raise
            yield from settle_all({id_: due}, Outcome.FAILED, rejection.words or f"HTTP {rejection.status}")
            return
        try:
            current = self.read(object_, [id_], fields).get(id_)
        except SystemDown:
            yield from settle_all({id_: due}, Outcome.APPLIED)
            raise
        for change in due:
            yield after_sending(change, current, self.adjust, is_accepted=True)  # type: ignore[arg-type]  # decoded JSON


def _utc_now() -> datetime:
    return datetime.now(UTC)


def connect(
    *,
    system: str,
    base_url: str,
    auth: Mapping[str, str | Secret | Callable[[], str]],
    clock: Callable[[], datetime] = _utc_now,
    preset: str | Path,
    fields: Mapping[str, Sequence[str]] | None = None,
    written: Sequence[Written] = (),
    has_limits: bool = True,
    batch_pages: int = 10,
    in_flight: int = 4,
    deadlines: Deadlines | None = None,
    patience: Patience | None = None,
    sleep: Callable[[float], None] | None = None,
    wire: httpx.BaseTransport | None = None,
) -> RestTool:
    """Make the connector of one tenant of a shipped preset, by its name, or of somebody's own, by its path.

    Calls nobody yet.

    `fields` names the objects to poll, in that order, and what to read of each: all attributes where none are named,
    and all objects of the preset where it is empty; `written` fields are read as well, under the names that they have
    there. `batch_pages` is how many pages make a batch, `has_limits` is False
    where the vendor's limits are lifted (the sandbox). Raises `OperatorError` for a preset, an `auth` or an object that
    there is not, and `SystemDown` for an address that must not be called.
    """
    shape = load_file(preset) if isinstance(preset, Path) else load(preset)
    wished = fields or dict.fromkeys(shape.objects, ())
    unknown = [object_ for object_ in wished if object_ not in shape.objects]
    if unknown:
        raise OperatorError(
            [
                Problem(f"systems.{system}", say("{tool} has no object {name}.", tool=shape.title, name=name))
                for name in unknown
            ]
        )
    windows = [(limit.calls, limit.per_s) for limit in shape.limits] if has_limits else []
    client = Client(
        system=system,
        base_url=base_url,
        preset=shape,
        auth=_auth(system, shape, auth),
        budget=Budget(windows, in_flight=in_flight),
        clock=clock,
        deadlines=deadlines,
        patience=patience,
        sleep=sleep,
        wire=wire,
    )
    return RestTool(client=client, preset=shape, fields=wished, written=written, batch_pages=batch_pages)


def _auth(system: str, preset: Preset, auth: Mapping[str, str | Secret | Callable[[], str]]) -> Auth:
    where = f"systems.{system}.auth"
    flow = preset.auth.flow
    if auth.get("flow", flow) != flow:
        raise OperatorError([Problem(f"{where}.flow", say("{tool} wants {flow}.", tool=preset.title, flow=flow))])
    needed = {"basic": ("username",), "bearer": ("token",), "headers": preset.auth.headers}[flow]
    missing = [name for name in needed if name not in auth]
    if missing:
        raise OperatorError([Problem(where, say("{name} is missing.", name=name)) for name in missing])
    secrets = {
        name: value if isinstance(value, Secret) else Secret(value) for name, value in auth.items() if name != "flow"
    }
    if flow == "basic":
        return basic(system, secrets["username"], secrets.get("password", Secret("")))
    if flow == "bearer":
        return bearer(system, secrets["token"])
    return Fixed(system, lambda: {name: secrets[name].reveal() for name in needed})
