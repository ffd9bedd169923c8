"""Ids as the vendors write them."""

from __future__ import annotations

import uuid

import pytest

from sandbox.ids import PREFIXES, checksum, salesforce_id, salesforce_id18, vitally_id


@pytest.mark.parametrize(
    ("id15", "letters"),
    [("0012000001Hyq7P", "AAR"), ("aaaaaaaaaaaaaaa", "AAA"), ("AAAAAAAAAAAAAAA", "555"), ("Aaaaaaaaaaaaaaa", "BAA")],
)
def test_checksum_tells_upper_case_letters_of_each_five(id15: str, letters: str) -> None:
    """Each letter encodes which of five characters are capitals, the first one in the lowest bit."""
    assert checksum(id15) == letters


@pytest.mark.parametrize("object_", sorted(PREFIXES))
def test_salesforce_ids_are_unique_sorted_and_case_safe(object_: str) -> None:
    """Ids of one object keep the order of their numbers, also when compared without their checksum."""
    ids = [salesforce_id(object_, number) for number in (1, 2, 61, 62, 63, 3844, 1_000_000)]

    assert all(len(id_) == 18 and id_.startswith(PREFIXES[object_]) for id_ in ids)
    assert sorted(ids) == ids
    assert len({id_.lower() for id_ in ids}) == len(ids)
    assert all(salesforce_id18(id_[:15]) == id_ for id_ in ids)


def test_vitally_ids_are_uuids_of_their_seed() -> None:
    """The same number has another id in the world of another seed, and the same one each time."""
    first = vitally_id("accounts", 1, seed=1)

    assert uuid.UUID(first).version == 4
    assert first == vitally_id("accounts", 1, seed=1)
    assert len({first, vitally_id("users", 1, seed=1), vitally_id("accounts", 1, seed=2)}) == 3
