"""Events, profiles and links in the store: derived again, only what differs changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mapping.derived import Derived, Ident, tell
from mapping.events import Link, Profile
from state import graph, history, pending
from state.sql import fetch

if TYPE_CHECKING:
    from state.engine import Database

LEAD, MEMBER, CONTACT, OPPORTUNITY, ACCOUNT = 10, 11, 12, 13, 14


def lead(*, title: str = "課長", email: str = "taro@aoba.example") -> Derived:
    """What one lead tells: two events, a profile, an identifier."""
    into = Derived(profiles=[Profile(LEAD, "person", given_name="Taro", email=email, title=title, is_opted_out=False)])
    into.idents.append(Ident("email", email, LEAD))
    tell(into, LEAD, 1_000, "mail_opened")
    tell(into, LEAD, 2_000, "form_submitted", name="Demo", channel="web")
    return into


def member(status: str | None = "Responded") -> Derived:
    """What a campaign member tells of the lead."""
    into = Derived()
    if status is not None:
        tell(into, LEAD, 3_000, "campaign_responded", origin=MEMBER, after=status)
    return into


def save(db: Database, derived: Derived, *again: int, known_at: int = 1, is_first_load: bool = False) -> history.Kept:
    """Store what was derived."""
    with db.write() as conn:
        return history.save_derived(conn, derived, known_at=known_at, again=again, is_first_load=is_first_load)


def resolve(db: Database) -> None:
    """Everyone who waits has an entity, and nobody waits for a decision."""
    with db.write() as conn:
        graph.resolve_chunk(conn, pending.take(conn, pending.RESOLVE, 100), 1, is_first_load=True)
        pending.remove(conn, pending.DECIDE, pending.take(conn, pending.DECIDE, 100))


def waiting(db: Database, step: str) -> list[int]:
    """The keys that wait for a step."""
    with db.read() as conn:
        return pending.take(conn, step, 100)


def entity(db: Database, record: int) -> int:
    """The entity of a record."""
    with db.read() as conn:
        return int(fetch(conn, "SELECT entity FROM membership WHERE record = ?", record)[0][0])


def test_what_was_derived_is_read_back_whole(db: Database) -> None:
    """Rows with and without their optional columns."""
    told = lead()

    kept = save(db, told)

    with db.read() as conn:
        assert history.events_of(conn, [LEAD]) == told.events
        assert fetch(conn, "SELECT title, is_deleted, company FROM profile") == [("課長", False, None)]
    assert kept == (2, 0)
    assert waiting(db, pending.RESOLVE) == [LEAD]


def test_deriving_again_changes_nothing(db: Database) -> None:
    """No event twice, nobody waits anew."""
    save(db, lead())
    resolve(db)

    kept = save(db, lead(), LEAD, known_at=2)

    assert kept == (0, 0)
    assert waiting(db, pending.RESOLVE) == waiting(db, pending.DECIDE) == []


def test_an_event_that_is_told_no_more_is_retracted_and_stays(db: Database) -> None:
    """It was known from then to now; told again, it stands again."""
    save(db, member("Responded"), known_at=1)

    gone = save(db, member(None), MEMBER, known_at=2)
    with db.read() as conn:
        standing = history.events_of(conn, [LEAD])
        kept = fetch(conn, "SELECT known_at, retracted_at FROM event")
    back = save(db, member("Responded"), MEMBER, known_at=3)

    assert (gone, standing, kept) == ((0, 1), [], [(1, 2)])
    assert back == (1, 0)
    with db.read() as conn:
        assert len(history.events_of(conn, [LEAD])) == 1


def test_during_the_first_load_a_contradicted_event_leaves_no_trace(db: Database) -> None:
    """Nobody has seen it."""
    save(db, member("Responded"), is_first_load=True)

    save(db, member(None), MEMBER, is_first_load=True)

    with db.read() as conn:
        assert fetch(conn, "SELECT * FROM event") == []


def test_what_the_vendor_has_forgotten_stands(db: Database) -> None:
    """HubSpot's histories lose their oldest entries; counters then begin with all that was before."""
    first, later = Derived(), Derived()
    for at in (1_000, 2_000, 3_000):
        tell(first, LEAD, at, "page_viewed")
    tell(later, LEAD, 2_000, "page_viewed", quantity=2)
    tell(later, LEAD, 3_000, "page_viewed")
    tell(later, LEAD, 4_000, "page_viewed")
    later.floors[LEAD, "page_viewed"] = 2_000
    save(db, first)

    kept = save(db, later, LEAD, known_at=2)

    assert kept == (1, 0)
    with db.read() as conn:
        assert [(event.at, event.quantity) for event in history.events_of(conn, [LEAD])] == [
            (1_000, 1),
            (2_000, 1),
            (3_000, 1),
            (4_000, 1),
        ]


def test_a_changed_fact_waits_for_a_decision_and_a_changed_name_for_identity_too(db: Database) -> None:
    """A title says nothing of who someone is."""
    save(db, lead())
    resolve(db)
    person = entity(db, LEAD)

    save(db, lead(title="部長"), LEAD)
    after_title = waiting(db, pending.RESOLVE), waiting(db, pending.DECIDE)
    save(db, lead(title="部長", email="t@aoba.example"), LEAD)

    assert after_title == ([], [person])
    assert waiting(db, pending.RESOLVE) == [LEAD]
    with db.read() as conn:
        assert fetch(conn, "SELECT value FROM ident") == [("t@aoba.example",)]


def test_links_of_a_record_are_replaced_whole(db: Database) -> None:
    """An association that is gone is gone."""
    one, other = Derived(), Derived()
    one.links.append(Link(OPPORTUNITY, "party", CONTACT, OPPORTUNITY, "test", "User", True))
    other.links.append(Link(OPPORTUNITY, "party", LEAD, OPPORTUNITY, "test"))
    save(db, one)

    save(db, other, OPPORTUNITY)

    with db.read() as conn:
        assert fetch(conn, "SELECT source, role, is_primary FROM link") == [(LEAD, None, False)]


def test_what_happens_to_an_opportunity_or_account_concerns_their_people(db: Database) -> None:
    """The party of an opportunity, its account, and those the account employs."""
    into = Derived()
    into.profiles += [
        Profile(CONTACT, "person"),
        Profile(LEAD, "person"),
        Profile(OPPORTUNITY, "opportunity"),
        Profile(ACCOUNT, "account"),
    ]
    into.links += [
        Link(1, "party", CONTACT, OPPORTUNITY, "test"),
        Link(OPPORTUNITY, "owned", OPPORTUNITY, ACCOUNT, "test"),
        Link(LEAD, "employed", LEAD, ACCOUNT, "test"),
    ]
    save(db, into)
    resolve(db)
    won, churned = Derived(), Derived()
    won.profiles.append(into.profiles[2])
    won.links.append(into.links[1])
    tell(won, OPPORTUNITY, 5_000, "opportunity_won")
    tell(churned, ACCOUNT, 6_000, "churned")
    churned.profiles.append(into.profiles[3])

    save(db, won, OPPORTUNITY)
    after_won = set(waiting(db, pending.DECIDE))
    with db.write() as conn:
        pending.remove(conn, pending.DECIDE, list(after_won))
    save(db, churned, ACCOUNT)

    assert after_won == {entity(db, key) for key in (OPPORTUNITY, ACCOUNT, CONTACT)}
    assert set(waiting(db, pending.DECIDE)) == {entity(db, ACCOUNT), entity(db, LEAD)}
