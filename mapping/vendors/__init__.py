"""Each vendor's objects: what is read of them, and what the readings mean.

`kind` is `salesforce`, `hubspot`, or the preset's name of a customer-success tool (`vitally`). What is not known (an
object of a tool without a reading) is empty, never an error: its records are stored and yield no events.
"""

from __future__ import annotations

from mapping.vendors.fields import VENDORS, ObjectFields

_NOTHING = ObjectFields(fields=())


def objects(kind: str) -> tuple[str, ...]:
    """The objects that are polled, parents before children."""
    return tuple(VENDORS.get(kind, ()))


def fields(kind: str, object_: str) -> tuple[str, ...]:
    """The fields to read, without those that headrace writes."""
    return _of(kind, object_).fields


def histories(kind: str, object_: str) -> tuple[str, ...]:
    """The HubSpot properties to read with their history."""
    return _of(kind, object_).histories


def associations(kind: str, object_: str) -> tuple[str, ...]:
    """The HubSpot objects whose associated ids are read along."""
    return _of(kind, object_).associations


def volatile(kind: str, object_: str) -> frozenset[str]:
    """The fields whose change alone is no change."""
    return _of(kind, object_).volatile


def canonical_id(kind: str, object_: str) -> str | None:
    """The payload key of the field into which the canonical id is written by default; None where there is none."""
    return _of(kind, object_).canonical_id


def _of(kind: str, object_: str) -> ObjectFields:
    return VENDORS.get(kind, {}).get(object_, _NOTHING)
