"""What is read of each vendor object."""

from __future__ import annotations

import pytest

from mapping import vendors
from mapping.vendors import hubspot, salesforce, vitally


@pytest.mark.parametrize(("kind", "module"), [("salesforce", salesforce), ("hubspot", hubspot), ("vitally", vitally)])
def test_every_reading_and_attribute_belongs_to_a_polled_object_and_field(kind: str, module: object) -> None:
    """A reading of an object that nobody polls would be dead, and an attribute that nobody reads never changes."""
    polled = set(vendors.objects(kind))

    assert set(module.READINGS) <= polled  # type: ignore[attr-defined]
    for object_, columns in module.ATTRIBUTES.items():  # type: ignore[attr-defined]
        assert set(columns) <= set(vendors.fields(kind, object_))


def test_histories_are_read_as_properties_too() -> None:
    """A history without its present value could not be compared with the next page."""
    for object_ in vendors.objects("hubspot"):
        assert set(vendors.histories("hubspot", object_)) <= set(vendors.fields("hubspot", object_))


def test_an_unknown_tool_reads_nothing_and_breaks_nothing() -> None:
    """Its records are stored by its own preset, without a reading."""
    assert vendors.fields("unknown", "accounts") == ()
    assert vendors.volatile("unknown", "accounts") == frozenset()
    assert vendors.objects("unknown") == ()
