"""What objects and fields an org shows us."""

from __future__ import annotations

from time import monotonic
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from connectors.salesforce.session import Session

_LIFETIME_S = 3600.0


class Option(msgspec.Struct, frozen=True):
    """One value of a picklist."""

    value: str
    active: bool = True


class Field(msgspec.Struct, frozen=True, rename="camel"):
    """A field as describe shows it (REST API guide, sObject Describe)."""

    name: str
    type: str
    length: int = 0
    updateable: bool = False
    filterable: bool = True
    restricted_picklist: bool = False
    picklist_values: tuple[Option, ...] = ()


class Shape(msgspec.Struct, rename="camel"):
    """An object as describe shows it to this user: fields hidden from the user are not there."""

    name: str
    fields: tuple[Field, ...]
    queryable: bool = True

    @property
    def by_name(self) -> dict[str, Field]:
        """The fields by their API names."""
        return {field.name: field for field in self.fields}

    def offered(self, fields: Iterable[str]) -> tuple[str, ...]:
        """Those fields that exist and are no compounds, each once, in the given order."""
        known = self.by_name
        return tuple(
            name for name in dict.fromkeys(fields) if name in known and known[name].type not in {"address", "location"}
        )


_decode = msgspec.json.Decoder(Shape).decode


class Shapes:
    """Shapes of objects, asked for once an hour, and again when the org says that a field is gone."""

    def __init__(self, session: Session, *, clock: Callable[[], float] = monotonic) -> None:
        self._session = session
        self._clock = clock
        self._known: dict[str, tuple[float, Shape | None]] = {}

    def of(self, object_: str) -> Shape | None:
        """The shape of an object, None where the org has none that can be queried."""
        known = self._known.get(object_)
        if known and self._clock() - known[0] < _LIFETIME_S:
            return known[1]
        label = "/sobjects/{type}/describe"
        answer = self._session.request("GET", f"/sobjects/{object_}/describe", label=label, decode=_decode)
        shape: Shape | None = None
        if answer.is_ok:
            shape = answer.value if answer.value.queryable else None
        elif answer.status != 404:  # noqa: PLR2004  # not found: an edition or licence without this object
            raise self._session.refuse(answer, label)
        self._known[object_] = (self._clock(), shape)
        return shape

    def forget(self, object_: str) -> None:
        """Ask again next time."""
        self._known.pop(object_, None)
