"""Step 5 on a store: what waits is decided, differences alone are written, and what ceased to be true is dated."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson
import pytest

from mapping.decide import Program, compile_definition
from mapping.definitions import load_definition, shipped, shipped_text
from mapping.events import Event, Link, Profile, event_id
from mapping.records import record_key
from state import pending
from state.decisions import standings
from state.sql import execute, fetch, insert
from sync.steps.decide import Decided, decide

if TYPE_CHECKING:
    from state.engine import Database

DAY = 86_400_000
START = 1_790_000_000_000
NOW = START + 100 * DAY
PROGRAM = compile_definition(shipped(), ZoneInfo("Asia/Tokyo"))
OBJECTS = {"Contact": ("salesforce", 1), "Account": ("salesforce", 2), "Opportunity": ("salesforce", 3)} | {
    "contacts": ("hubspot", 4),
    "Lead": ("salesforce", 5),
}


def key(object_: str, id_: str) -> int:
    """The key of one of the company's records."""
    return record_key(OBJECTS[object_][0], object_, id_)


class Company:
    """A store that is filled by hand."""

    def __init__(self, db: Database) -> None:
        self.db = db
        with db.write() as conn:
            rows = [(number, system, object_, 0, 0) for object_, (system, number) in OBJECTS.items()]
            insert(conn, "source", ("id", "system", "object", "live", "deleted"), rows)

    def entity(self, number: int, kind: str, *records: tuple[str, str]) -> None:
        """An entity of some records, which wait to be decided."""
        with self.db.write() as conn:
            row = (number, f"golden{number}", kind, 0, START)
            insert(conn, "entity", ("key", "id", "kind", "anchor", "known_at"), [row])
            for object_, id_ in records:
                row = (key(object_, id_), OBJECTS[object_][1], id_, "v", 1, "{}", False, number)
                columns = ("key", "source", "id", "version", "hash", "payload", "is_deleted", "seq")
                insert(conn, "record", columns, [row])
                insert(conn, "membership", ("record", "entity"), [(key(object_, id_), number)])
            pending.add(conn, pending.DECIDE, [number])

    def profile(self, object_: str, id_: str, kind: str = "person", **fields: Any) -> None:
        """What a record says."""
        row = tuple(Profile(key(object_, id_), kind, **fields))
        with self.db.write() as conn:
            insert(conn, "profile", Profile._fields, [row])

    def link(self, kind: str, source: tuple[str, str], target: tuple[str, str]) -> None:
        """One record refers to another."""
        row = tuple(Link(key(*source), kind, key(*source), key(*target), "test"))
        with self.db.write() as conn:
            insert(conn, "link", Link._fields, [row])

    def happen(self, object_: str, id_: str, kind: str, day: float, **rest: Any) -> bytes:
        """Something happened to a record."""
        at = START + int(day * DAY)
        event = Event(key(object_, id_), at, event_id(key(object_, id_), at, kind, None), kind, **rest)
        with self.db.write() as conn:
            insert(conn, "event", (*Event._fields, "known_at"), [(*event, START)])
        return event.id

    def retract(self, event: bytes) -> None:
        """An event turned out not to have happened."""
        with self.db.write() as conn:
            execute(conn, "UPDATE event SET retracted_at = ? WHERE id = ?", NOW, event)

    def decide(self, day: float = 100, *entities: int, program: Program = PROGRAM) -> Decided:
        """Run the step at the beginning of a cycle."""
        with self.db.write() as conn:
            pending.add(conn, pending.DECIDE, entities)
        return decide(self.db, program, now_ms=START + int(day * DAY))

    def stage(self, entity: int) -> str | None:
        """Where an entity stands."""
        rows = self.rows("SELECT stage FROM decision WHERE entity = ?", entity)
        return str(rows[0][0]) if rows else None

    def steps(self, entity: int) -> list[tuple[Any, ...]]:
        """The steps that are held to be true."""
        sql = "SELECT before, after, rule FROM transition WHERE entity = ? AND gone_at IS NULL ORDER BY at, n"
        return self.rows(sql, entity)

    def waiting(self, step: str) -> list[int]:
        """Who waits for a step."""
        with self.db.read() as conn:
            return pending.take(conn, step, 100)

    def rows(self, sql: str, *params: object) -> list[tuple[Any, ...]]:
        """What the store holds."""
        with self.db.read() as conn:
            return fetch(conn, sql, *params)


@pytest.fixture
def company(db: Database) -> Company:
    """One person in two systems, its company, and their opportunity."""
    made = Company(db)
    made.entity(1, "person", ("Contact", "003"), ("contacts", "51"))
    made.entity(2, "account", ("Account", "001"))
    made.entity(3, "opportunity", ("Opportunity", "006"))
    made.profile("Contact", "003", email="t.yamada@aoba.example", level="manager", created_at=START)
    made.profile("contacts", "51", email="t.yamada@aoba.example", employees=4, created_at=START)
    made.profile("Account", "001", "account", employees=120, domain="aoba.example")
    made.link("employed", ("Contact", "003"), ("Account", "001"))
    made.link("owned", ("Opportunity", "006"), ("Account", "001"))
    made.link("party", ("Contact", "003"), ("Opportunity", "006"))
    return made


def test_person_follows_its_opportunities_and_its_company(company: Company) -> None:
    """A person's history is its own, its opportunities' and its account's as a customer; so is an account's."""
    company.happen("contacts", "51", "form_submitted", 1)
    company.happen("Opportunity", "006", "opportunity_created", 10)
    company.happen("Opportunity", "006", "opportunity_won", 20)
    company.happen("Account", "001", "onboarding_started", 30)

    counts = company.decide()

    assert (counts.people, counts.accounts, counts.opportunities) == (1, 1, 1)
    assert company.stage(1) == company.stage(2) == "onboarding"
    assert company.stage(3) == "closed_won"
    assert company.steps(1) == [
        (None, "inquiry", "inquiry.hand_raised"),
        ("inquiry", "mql", "sql.opportunity"),
        ("mql", "sal", "sql.opportunity"),
        ("sal", "sql", "sql.opportunity"),
        ("sql", "closed_won", "closed_won.won"),
        ("closed_won", "onboarding", "onboarding.started"),
    ]
    assert company.steps(2)[0] == (None, "inquiry", "inquiry.hand_raised")
    assert counts.transitions == len(company.rows("SELECT 1 FROM transition"))


def test_what_was_decided_waits_for_the_plan(company: Company) -> None:
    """The queue for deciding is empty afterwards, the queue for planning holds everyone decided."""
    company.decide()

    assert company.waiting(pending.DECIDE) == []
    assert company.waiting(pending.PLAN) == [1, 2, 3]


def test_deciding_again_writes_nothing(company: Company) -> None:
    """The same events under the same definition leave every row as it is."""
    company.happen("contacts", "51", "form_submitted", 1)
    company.decide(100)
    tables = ("decision", "transition", "score_entry")
    before = [company.rows(f"SELECT * FROM {table}") for table in tables]

    counts = company.decide(100.01, 1, 2, 3)

    assert [company.rows(f"SELECT * FROM {table}") for table in tables] == before
    assert counts.transitions == 0


def test_contradicted_step_is_dated_not_deleted(company: Company) -> None:
    """A transition whose event was retracted is kept with the instant at which that was known."""
    company.happen("contacts", "51", "form_submitted", 1)
    accepted = company.happen("Contact", "003", "lead_accepted", 2)
    company.decide(100)
    assert company.stage(1) == "sal"
    company.retract(accepted)

    company.decide(101, 1)

    assert company.stage(1) == company.stage(2) == "inquiry"
    gone = company.rows("SELECT after, known_at, gone_at FROM transition WHERE entity = 1 AND gone_at IS NOT NULL")
    assert sorted(gone) == [
        ("mql", START + 100 * DAY, START + 101 * DAY),
        ("sal", START + 100 * DAY, START + 101 * DAY),
    ]


def test_late_event_adds_what_was_true_earlier(company: Company) -> None:
    """A step that becomes known late is dated by when it was true and by when it was known."""
    company.happen("contacts", "51", "form_submitted", 5)
    company.decide(100)
    company.happen("contacts", "51", "content_downloaded", 1)

    company.decide(101, 1)

    sql = "SELECT at, known_at, gone_at FROM transition WHERE entity = 1 ORDER BY at"
    assert company.rows(sql) == [
        (START + DAY, START + 101 * DAY, None),
        (START + 5 * DAY, START + 100 * DAY, START + 101 * DAY),
    ]


def test_score_falls_when_it_is_due(company: Company) -> None:
    """Nobody touched the person: it is decided again because its points were due to fall."""
    company.happen("contacts", "51", "form_submitted", 90)
    company.decide(91)
    score, due_at = company.rows("SELECT score, due_at FROM decision WHERE entity = 1")[0]
    assert score == 10 + 10

    early = decide(company.db, PROGRAM, now_ms=due_at - 1)
    late = decide(company.db, PROGRAM, now_ms=due_at)

    assert (early.people, late.people) == (0, 1)
    assert company.rows("SELECT score FROM decision WHERE entity = 1") == [(19,)]


def test_score_that_time_alone_moved_says_so(company: Company) -> None:
    """The guard lets decay pass, and nothing else under its name."""
    sql = "SELECT score_rule FROM decision WHERE entity = 1"
    company.happen("contacts", "51", "webinar_attended", 90)
    company.decide(100)
    first = company.rows(sql)
    with company.db.write() as conn:
        pending.remove(conn, pending.PLAN, [1, 2, 3])
    company.decide(150)
    decayed = company.rows(sql)
    company.decide(150, 1)
    looked_again = company.rows(sql)
    company.happen("Contact", "003", "form_submitted", 151)
    company.decide(152, 1)

    assert (first, decayed, looked_again) == ([("score",)], [("score.decay",)], [("score.decay",)])
    assert company.rows(sql) == [("score",)]


def test_score_that_another_definition_lets_fade_did_not_decay(company: Company) -> None:
    """A shorter half-life moves every score at once: that is for the guard to see."""
    company.happen("contacts", "51", "webinar_attended", 90)
    company.decide(100)
    text = shipped_text().replace('half_life = "30d"', 'half_life = "3d"')
    other = compile_definition(load_definition(text), ZoneInfo("Asia/Tokyo"))

    before = company.rows("SELECT score FROM decision WHERE entity = 1")
    company.decide(100, program=other)

    assert company.rows("SELECT score FROM decision WHERE entity = 1") < before
    assert company.rows("SELECT score_rule FROM decision WHERE entity = 1") == [("score",)]


def test_earned_points_that_were_not_written_yet_do_not_turn_into_decay(company: Company) -> None:
    """A plan that waits for a person may not slip past the guard at midnight."""
    sql = "SELECT score_rule FROM decision WHERE entity = 1"
    company.happen("contacts", "51", "webinar_attended", 90)
    company.decide(100)

    company.decide(150)
    while_it_waits = company.rows(sql)
    with company.db.write() as conn:
        pending.remove(conn, pending.PLAN, [1, 2, 3])
    company.decide(170)

    assert (while_it_waits, company.rows(sql)) == ([("score",)], [("score.decay",)])


def test_what_happened_to_the_company_before_its_person_was_known_is_not_the_persons(company: Company) -> None:
    """A new lead at an old customer is a lead."""
    company.entity(50, "account", ("Account", "50"))
    company.entity(51, "person", ("Contact", "51"))
    company.profile("Account", "50", "account")
    company.profile("Contact", "51", created_at=START + 40 * DAY)
    company.link("employed", ("Contact", "51"), ("Account", "50"))
    company.happen("Account", "50", "onboarding_started", 10)
    company.happen("Contact", "51", "form_submitted", 41)
    company.decide(100)

    assert (company.stage(50), company.stage(51)) == ("onboarding", "inquiry")


def test_ledger_in_the_store_sums_up_to_the_score(company: Company) -> None:
    """The entries as they are kept, with what is left of them, make up the score exactly."""
    for day in range(40, 90, 3):
        company.happen("contacts", "51", "mail_opened", day)
    company.happen("contacts", "51", "form_submitted", 77)
    company.decide(95)

    from mapping.scores import Entry

    rows = company.rows("SELECT rule, at, event, points FROM score_entry WHERE entity = 1")
    entries = [Entry(rule, at, bytes(event), points) for rule, at, event, points in rows]
    left = PROGRAM.remaining(entries, START + 95 * DAY)
    assert company.rows("SELECT score FROM decision WHERE entity = 1") == [(sum(line.points for line in left),)]


def test_second_system_is_kept_as_evidence_without_points(company: Company) -> None:
    """What two systems saw of one happening scores once, and the ledger names both events."""
    company.happen("contacts", "51", "meeting_held", 50)
    company.happen("Contact", "003", "meeting_held", 50.001)

    company.decide(60)

    sql = "SELECT points FROM score_entry WHERE entity = 1 AND rule = 'meeting' ORDER BY points"
    assert company.rows(sql) == [(0,), (15,)]


def test_merged_entity_stands_nowhere(company: Company) -> None:
    """An entity that became part of another loses its decision and keeps what was held of it."""
    company.happen("contacts", "51", "form_submitted", 1)
    company.decide(100)
    with company.db.write() as conn:
        execute(conn, "UPDATE entity SET merged_into = 9 WHERE key = 1")

    company.decide(101, 1)

    assert company.stage(1) is None
    assert company.rows("SELECT gone_at FROM transition WHERE entity = 1") == [(START + 101 * DAY,)]
    assert company.rows("SELECT 1 FROM score_entry WHERE entity = 1") == []
    assert company.waiting(pending.DECIDE) == []


def test_another_definition_decides_everyone_again(company: Company) -> None:
    """A new version puts everyone into the queue; steps that stay true keep the version that made them."""
    company.happen("contacts", "51", "form_submitted", 1)
    company.decide(100)
    text = (
        shipped_text().replace('name = "waterfall-2006"', 'name = "2026-Q4"').replace("points = 10\n", "points = 11\n")
    )
    other = compile_definition(load_definition(text), ZoneInfo("Asia/Tokyo"))

    counts = company.decide(100, program=other)

    assert (counts.people, counts.accounts, counts.opportunities, counts.transitions) == (1, 1, 1, 0)
    assert company.rows("SELECT DISTINCT definition FROM decision") == [(other.version,)]
    assert company.rows("SELECT DISTINCT definition FROM transition") == [(PROGRAM.version,)]
    assert len(company.rows("SELECT 1 FROM definition")) == 2


def test_facts_are_kept_beside_the_decision(company: Company) -> None:
    """Reports read facts as they are now: the person's own before those of its company."""
    company.decide()

    facts = orjson.loads(company.rows("SELECT facts FROM decision WHERE entity = 1")[0][0])
    assert facts["employees"] == 4
    assert facts["level"] == "manager"
    assert facts["domain"] == "aoba.example"


def test_standings_read_back_what_was_saved(company: Company) -> None:
    """An account is decided from its people's steps as the store has them."""
    event = company.happen("contacts", "51", "form_submitted", 1)
    company.decide(30)

    with company.db.read() as conn:
        standing = standings(conn, PROGRAM.model, [1, 2])[1]

    assert standing.transitions[0].events == (event,)
    assert standing.score == company.rows("SELECT score FROM decision WHERE entity = 1")[0][0]
