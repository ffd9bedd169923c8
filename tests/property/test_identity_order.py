"""Identity does not depend on the order in which records become known, nor on how they are portioned."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from mapping.derived import Derived, Ident
from mapping.events import Link, Profile
from state import graph, history, pending
from state.engine import Database, upgrade
from state.sql import fetch
from sync.steps import resolve as step

NAMES = [("Taro", "Yamada"), ("Hanako", "Yamada"), ("T", "Yamada"), ("太郎", "山田"), (None, None)]
VALUES = ["a@x.example", "b@x.example", "c@x.example", "d@x.example"]


class Said(NamedTuple):
    """What one person's record says: a name, addresses, and another record that it declares to be the same."""

    name: int
    addresses: frozenset[str]
    same: int | None


said = st.builds(
    Said,
    st.integers(0, len(NAMES) - 1),
    st.frozensets(st.sampled_from(VALUES), max_size=2),
    st.one_of(st.none(), st.none(), st.integers(1, 8)),
)
worlds = st.lists(said, min_size=2, max_size=8)


def derived(number: int, what: Said) -> Derived:
    """What the derivation of a record would leave."""
    given_name, family_name = NAMES[what.name]
    into = Derived(profiles=[Profile(number, "person", given_name=given_name, family_name=family_name)])
    into.idents.extend(Ident("email", value, number) for value in sorted(what.addresses))
    if what.same is not None:
        into.links.append(Link(number, "same", number, what.same, "test.declared"))
    return into


def take_in(db: Database, number: int, what: Said, now_ms: int) -> None:
    """One record becomes known, or changes, and is resolved."""
    with db.write() as conn:
        history.save_derived(conn, derived(number, what), known_at=now_ms, again=[number])
    step.resolve(db, now_ms=now_ms)


def partition(db: Database) -> set[frozenset[int]]:
    """Who is held to be one."""
    with db.read() as conn:
        parts: dict[int, set[int]] = {}
        for record, entity in fetch(conn, "SELECT record, entity FROM membership"):
            parts.setdefault(entity, set()).add(record)
    return {frozenset(part) for part in parts.values()}


def check(db: Database) -> None:
    """What must hold of every graph."""
    with db.read() as conn:
        members = dict(fetch(conn, "SELECT record, entity FROM membership"))
        entities = fetch(conn, "SELECT key, id, merged_into FROM entity")
        assert pending.take(conn, pending.RESOLVE, 1) == []
        assert graph.living(conn, "person") == len(set(members.values()))
    assert len({row[1] for row in entities}) == len(entities)
    assert {row[0] for row in entities if row[2] is None} == set(members.values())


def fresh(folder: str, name: str) -> Database:
    """An empty store."""
    db = Database.open(f"sqlite:///{Path(folder) / name}.db")
    upgrade(db)
    return db


slow = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@slow
@given(world=worlds, order=st.randoms(use_true_random=False))
def test_the_partition_does_not_depend_on_the_order_of_arrival(world: list[Said], order: object) -> None:
    """One by one in any order, or all at once: the same people."""
    numbers = list(range(1, len(world) + 1))
    with tempfile.TemporaryDirectory() as folder:
        with fresh(folder, "batch") as batch:
            with batch.write() as conn:
                for number in numbers:
                    history.save_derived(conn, derived(number, world[number - 1]), known_at=1, again=())
            step.resolve(batch, now_ms=1)
            expected = partition(batch)
            check(batch)
        order.shuffle(numbers)
        with fresh(folder, "one_by_one") as single:
            for at, number in enumerate(numbers):
                take_in(single, number, world[number - 1], at)
            found = partition(single)
            check(single)

    assert found == expected


# The second record gives up the address under which its name kept the other two apart.
_APART = [
    Said(0, frozenset(), None),
    Said(0, frozenset({"b@x.example"}), None),
    Said(3, frozenset({"b@x.example"}), None),
]
_TOGETHER = [Said(1, frozenset({"b@x.example"}), None), Said(0, frozenset(), None)]


@slow
@given(world=worlds, later=worlds)
@example(world=_APART, later=_TOGETHER)
def test_what_changed_leads_to_what_a_fresh_start_would_find(world: list[Said], later: list[Said]) -> None:
    """Joined and parted again by new names, addresses and links, the graph is as if it had always been so."""
    count = min(len(world), len(later))
    with tempfile.TemporaryDirectory() as folder:
        with fresh(folder, "changed") as changed:
            for number, what in enumerate(world, 1):
                take_in(changed, number, what, 1)
            for number, what in enumerate(later[:count], 1):
                take_in(changed, number, what, 2)
            found = partition(changed)
            check(changed)
        with fresh(folder, "fresh") as anew:
            for number, what in enumerate([*later[:count], *world[count:]], 1):
                take_in(anew, number, what, 1)
            expected = partition(anew)

    assert found == expected


@slow
@given(world=worlds)
def test_a_merge_that_is_taken_back_restores_the_ids(world: list[Said]) -> None:
    """Joined by a link and parted again, everyone has the id they had."""
    alone = [Said(what.name, frozenset(), None) for what in world]
    numbers = range(1, len(alone) + 1)
    with tempfile.TemporaryDirectory() as folder, fresh(folder, "unmerge") as db:
        for number in numbers:
            take_in(db, number, alone[number - 1], 1)
        with db.read() as conn:
            before = dict(fetch(conn, "SELECT record, entity FROM membership"))
        for number in numbers:
            take_in(db, number, alone[number - 1]._replace(same=1), 2)
        merged = partition(db)
        for number in numbers:
            take_in(db, number, alone[number - 1], 3)
        with db.read() as conn:
            after = dict(fetch(conn, "SELECT record, entity FROM membership"))
        check(db)

    assert merged == {frozenset(numbers)}
    assert after == before
