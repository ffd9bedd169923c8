"""The step from what records tell to who is who, in the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.derived import Derived, Ident
from mapping.events import Link, Profile
from state import graph, history, pending
from state.sql import fetch
from sync.steps import resolve as step

if TYPE_CHECKING:
    import pytest

    from state.engine import Database

NOW = 1_795_000_000_000


def tell(db: Database, record: int, *emails: str, given: str | None = None, same: int | None = None) -> None:
    """One person's record is derived."""
    into = Derived(profiles=[Profile(record, "person", given_name=given, family_name=given and "Yamada")])
    into.idents += [Ident("email", email, record) for email in emails]
    if same is not None:
        into.links.append(Link(record, "same", record, same, "test.merged"))
    with db.write() as conn:
        history.save_derived(conn, into, known_at=NOW, again=[record])


def resolve(db: Database, now_ms: int = NOW) -> step.Resolution:
    """The step, once."""
    return step.resolve(db, now_ms=now_ms)


def golden(db: Database, record: int) -> str:
    """The golden id of a record."""
    with db.read() as conn:
        sql = "SELECT e.id FROM membership m JOIN entity e ON e.key = m.entity WHERE m.record = ?"
        return str(fetch(conn, sql, record)[0][0])


def test_one_person_in_two_systems_has_one_id_and_the_evidence_is_kept(db: Database) -> None:
    """Both wait for a decision as one."""
    tell(db, 1, "taro@aoba.example", given="Taro")
    tell(db, 2, "taro@aoba.example", given="Taro")

    done = resolve(db)

    assert (done.records, done.people, done.doubts) == (2, 1, 0)
    assert golden(db, 1) == golden(db, 2)
    with db.read() as conn:
        assert fetch(conn, "SELECT a, b, rule, tier, evidence, state FROM edge") == [
            (1, 2, "email", "T1", "email=taro@aoba.example", "active")
        ]
        assert len(pending.take(conn, pending.DECIDE, 10)) == 1


def test_nothing_waits_afterwards_and_nothing_is_done_twice(db: Database) -> None:
    """A second run looks at no record."""
    tell(db, 1, "taro@aoba.example")
    resolve(db)

    assert resolve(db).records == 0


def test_a_later_link_merges_and_the_loser_leads_to_the_survivor(db: Database) -> None:
    """The older id lives on; the move is recorded; both wait for a decision."""
    tell(db, 1, given="Taro")
    resolve(db)
    tell(db, 2, given="Jiro")
    resolve(db)
    old, young = golden(db, 1), golden(db, 2)
    with db.write() as conn:
        pending.remove(conn, pending.DECIDE, pending.take(conn, pending.DECIDE, 10))

    tell(db, 2, given="Jiro", same=1)
    done = resolve(db)

    assert done.people == 1
    assert golden(db, 2) == golden(db, 1) == old
    with db.read() as conn:
        found = graph.follow(conn, young)
        assert found is not None
        assert found[1] == old
        assert len(fetch(conn, "SELECT * FROM membership_change WHERE record = 2 AND rule = 'test.merged'")) == 1
        assert len(pending.take(conn, pending.DECIDE, 10)) == 2


def test_a_correction_parts_what_was_joined(db: Database) -> None:
    """The evidence is retracted, not deleted; who leaves gets an id of their own."""
    tell(db, 1, "taro@aoba.example", given="Taro")
    tell(db, 2, "taro@aoba.example", given="Taro")
    resolve(db)
    before = golden(db, 1)

    tell(db, 2, "t.yamada@aoba.example", given="Taro")
    done = resolve(db, NOW + 1)

    assert done.people == 2
    assert {golden(db, 1), golden(db, 2)} > {before}
    with db.read() as conn:
        assert fetch(conn, "SELECT state, known_at FROM edge") == [("retracted", NOW + 1)]


def test_a_withdrawn_link_to_no_record_of_ours_is_retracted(db: Database) -> None:
    """A merge may name an id that was never read, and its key may come before the record's own."""
    for orphan in (1, 9):
        tell(db, 5, given="Taro", same=orphan)
        resolve(db)
        tell(db, 5, given="Taro")
        resolve(db)

    with db.read() as conn:
        assert fetch(conn, "SELECT a, b, state FROM edge ORDER BY a") == [(1, 5, "retracted"), (5, 9, "retracted")]


def test_names_in_conflict_open_a_doubt_that_goes_when_the_conflict_does(db: Database) -> None:
    """A person decides; or the record is corrected."""
    tell(db, 1, "family@aoba.example", given="Taro")
    tell(db, 2, "family@aoba.example", given="Hanako")

    doubts = resolve(db).doubts
    tell(db, 2, "family@aoba.example", given="Taro")
    mended = resolve(db)

    assert doubts == 1
    assert (mended.doubts, mended.people) == (0, 1)


def test_small_portions_come_to_the_same(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A neighbourhood is taken whole, whatever the size of a portion."""
    monkeypatch.setattr(step, "CHUNK", 1)
    for record in range(1, 7):
        tell(db, record, f"p{record // 2}@aoba.example", f"q{(record + 1) // 2}@aoba.example")

    assert resolve(db).people == 1


def test_golden_ids_are_ulids_of_the_instant_and_never_alike() -> None:
    """As the library reads them."""
    from ulid import ULID

    ids = graph.golden_ids(NOW, 5_000)

    assert len(set(ids)) == 5_000
    assert {ULID.from_str(each).milliseconds for each in ids} == {NOW}
