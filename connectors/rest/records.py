"""A REST tool's documents: finding records in them, and making rows of these."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import xxhash

from mapping.instants import to_ms

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from connectors.rest.preset import KeyPath, ObjectSpec
    from mapping.records import RecordRow

_MISSING: Any = object()
_encode = msgspec.json.Encoder().encode


class ShapeError(ValueError):
    """A good answer of another shape than the preset says: an outage, never an empty list."""


def at(document: object, path: KeyPath, default: Any = None) -> Any:
    """What stands at a path; `default` where it is missing."""
    for key in (path,) if isinstance(path, str) else path:
        if not isinstance(document, dict) or key not in document:
            return default
        document = document[key]
    return document


def records_of(document: object, spec: ObjectSpec) -> list[dict[str, Any]]:
    """The records of a page; raises `ShapeError` where there is no list of records, which is not an empty page."""
    for path in spec.records:
        found = at(document, path, _MISSING)
        if isinstance(found, list):
            if not all(isinstance(one, dict) for one in found):
                raise ShapeError
            return found
    raise ShapeError


def stamp_of(record: Mapping[str, Any], spec: ObjectSpec) -> str:
    """The record's own stamp; raises ValueError where it has none."""
    for path in spec.version:
        found = at(record, path)
        if isinstance(found, str | int) and not isinstance(found, bool) and found != "":
            return str(found)
    raise ValueError("a record without a stamp")


class Shape:
    """How records of one object become rows. `fields` are the payload's keys; all attributes where none are named.

    A field is an attribute of the record, or `section.key` for an attribute that the preset flattens. A bare name that
    is a field of ours (`ours`) is one of the section into which the preset writes.
    """

    def __init__(self, spec: ObjectSpec, fields: Sequence[str], ours: Sequence[str]) -> None:
        self._spec = spec
        self._ours = frozenset(ours)
        self._places = {name: self.place(name) for name in dict.fromkeys((*fields, *ours))} if fields else {}
        self.digest = xxhash.xxh3_64_hexdigest("\x1f".join(self._places).encode())
        """Changes when something else is read."""

    def place(self, field: str) -> tuple[str, str]:
        """The section (empty: the record itself) and the key of a field."""
        for section in self._spec.flatten:
            if field.startswith(f"{section}."):
                return section, field[len(section) + 1 :]
        under = self._spec.write.under if self._spec.write else ()
        if field in self._ours and isinstance(under, str) and under in self._spec.flatten:
            return under, field
        return "", field

    def values(self, record: Mapping[str, Any], fields: Sequence[str]) -> dict[str, Any]:
        """Some fields of a record; an attribute that is not there is left out, a missing key of a section is null."""
        return self._take(record, {field: self.place(field) for field in fields})

    def row(self, record: Mapping[str, Any]) -> RecordRow:
        """The store's row; raises ValueError where the record has no id or no stamp that can be read."""
        id_ = at(record, self._spec.key)
        if not isinstance(id_, str | int) or isinstance(id_, bool) or id_ == "":
            raise ValueError("a record without an id")
        stamp = stamp_of(record, self._spec)
        to_ms(stamp)
        payload = self._take(record, self._places) if self._places else self._all(record)
        return str(id_), stamp, _encode(payload), self.is_deleted(record)

    def _take(self, record: Mapping[str, Any], places: Mapping[str, tuple[str, str]]) -> dict[str, Any]:
        taken = {}
        for field, (section, key) in places.items():
            if not section:
                if key in record:
                    taken[field] = record[key]
                continue
            fields = record.get(section, _MISSING)
            if isinstance(fields, dict):
                taken[field] = fields.get(key)
            elif fields is None:
                taken[field] = None
        return taken

    def _all(self, record: Mapping[str, Any]) -> dict[str, Any]:
        flat = {}
        for key, value in record.items():
            if key in self._spec.flatten and isinstance(value, dict):
                flat.update({f"{key}.{inner}": one for inner, one in value.items()})
            else:
                flat[key] = value
        return flat

    def is_deleted(self, record: Mapping[str, Any]) -> bool:
        """Whether the record says itself that it is deleted."""
        rule = self._spec.deleted
        if rule is None:
            return False
        found = at(record, rule.field)
        return found is not None if rule.equals is None else found == rule.equals
