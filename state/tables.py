"""Every table of the store, declared once.

SQLModel declares them and serves small reads; the data plane writes driver-level tuples into them
(`bench/` measures why). Instants are BIGINT milliseconds since 1970-01-01 UTC, so that they sort, subtract and
travel into Arrow as they are. Records are named by key (`mapping.records.record_key`).
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, LargeBinary, SmallInteger, Text, UniqueConstraint, text
from sqlmodel import Field, SQLModel


def _big(*, primary_key: bool = False, nullable: bool = False, index: bool = False, unique: bool = False) -> Column:  # type: ignore[type-arg]
    return Column(
        BigInteger, primary_key=primary_key, nullable=nullable, index=index, unique=unique, autoincrement=False
    )


def _serial() -> Column:  # type: ignore[type-arg]
    """A number that the database gives, 64 bits in both: SQLite takes only INTEGER for its row number."""
    return Column(BigInteger().with_variant(Integer, "sqlite"), primary_key=True)


class Meta(SQLModel, table=True):
    """Single values the store keeps about itself."""

    name: str = Field(primary_key=True)
    value: str


class Source(SQLModel, table=True):
    """One object of one system, by a small number, and how many of its records the store holds."""

    __table_args__ = (UniqueConstraint("system", "object"),)

    id: int | None = Field(default=None, primary_key=True)
    system: str
    object: str
    live: int = 0
    deleted: int = 0


class Record(SQLModel, table=True):
    """One vendor row as it was last read. `seq` grows with every change and orders the work of the later steps.

    `hash` is of the payload and the key; the index holds it, so that it alone tells the sum over neighbours.
    """

    __table_args__ = (Index("ix_record_seq", "seq", "hash"),)

    key: int = Field(sa_column=_big(primary_key=True))
    source: int = Field(sa_column=Column(SmallInteger, nullable=False))
    id: str
    version: str
    hash: int = Field(sa_column=_big())
    payload: str = Field(sa_column=Column(Text, nullable=False))
    is_deleted: bool = False
    seq: int = Field(sa_column=_big())


class RecordChange(SQLModel, table=True):
    """One field of one record that a later version gave another value; values are JSON texts."""

    __tablename__ = "record_change"

    id: int | None = Field(default=None, sa_column=_serial())
    record: int = Field(sa_column=_big(index=True))
    seq: int = Field(sa_column=_big())
    field: str
    before: str | None
    after: str | None
    since: int = Field(sa_column=_big())
    at: int = Field(sa_column=_big())
    run: int


class Cursor(SQLModel, table=True):
    """The resume point of one source; committed together with the rows that it covers."""

    source: int = Field(sa_column=Column(Integer, primary_key=True, autoincrement=False))
    position: str
    settled_at: int | None = Field(default=None, sa_column=_big(nullable=True))
    read: int = Field(default=0, sa_column=_big())


class Event(SQLModel, table=True):
    """What happened; see `mapping.events.Event`. Kept in the order in which a subject's history is read."""

    __table_args__ = (
        Index(
            "ix_event_origin",
            "origin",
            sqlite_where=text("origin IS NOT NULL"),
            postgresql_where=text("origin IS NOT NULL"),
        ),
        {"sqlite_with_rowid": False},
    )

    subject: int = Field(sa_column=_big(primary_key=True))
    at: int = Field(sa_column=_big(primary_key=True))
    id: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    kind: str
    since: int | None = Field(default=None, sa_column=_big(nullable=True))
    origin: int | None = Field(default=None, sa_column=_big(nullable=True))
    name: str | None = None
    before: str | None = None
    after: str | None = None
    reason: str | None = None
    channel: str | None = None
    actor: str | None = None
    amount_e4: int | None = Field(default=None, sa_column=_big(nullable=True))
    currency: str | None = None
    quantity: int = 1
    known_at: int = Field(sa_column=_big())
    retracted_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Profile(SQLModel, table=True):
    """What a record says of a person, account or opportunity; see `mapping.events.Profile`."""

    record: int = Field(sa_column=_big(primary_key=True))
    kind: str
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    other_emails: str | None = None
    domain: str | None = None
    company: str | None = None
    title: str | None = None
    level: str | None = None
    phone: str | None = None
    country: str | None = None
    industry: str | None = None
    employees: int | None = Field(default=None, sa_column=_big(nullable=True))
    owner: str | None = None
    channel: str | None = None
    created_at: int | None = Field(default=None, sa_column=_big(nullable=True))
    is_opted_out: bool | None = None
    is_deleted: bool = False
    merged_into: int | None = Field(default=None, sa_column=_big(nullable=True))
    native_stage: str | None = None
    amount_e4: int | None = Field(default=None, sa_column=_big(nullable=True))
    currency: str | None = None
    closed_at: int | None = Field(default=None, sa_column=_big(nullable=True))
    health: float | None = None
    arr_e4: int | None = Field(default=None, sa_column=_big(nullable=True))
    renewal_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Link(SQLModel, table=True):
    """One record's reference to another; see `mapping.events.Link`."""

    __table_args__ = (
        Index("ix_link_source", "source"),
        Index("ix_link_target", "target"),
        {"sqlite_with_rowid": False},
    )

    origin: int = Field(sa_column=_big(primary_key=True))
    kind: str = Field(primary_key=True)
    source: int = Field(sa_column=_big(primary_key=True))
    target: int = Field(sa_column=_big(primary_key=True))
    rule: str
    role: str | None = None
    is_primary: bool = False


class Pending(SQLModel, table=True):
    """Work a step has left for the next: resolve a record, decide an entity, plan an entity. Idempotent."""

    __table_args__ = ({"sqlite_with_rowid": False},)

    step: str = Field(primary_key=True)
    key: int = Field(sa_column=_big(primary_key=True))


class Ident(SQLModel, table=True):
    """An identifier that a record carries, normalised: the way to the other records that carry it."""

    __table_args__ = (Index("ix_ident_record", "record"), {"sqlite_with_rowid": False})

    kind: str = Field(primary_key=True)
    value: str = Field(primary_key=True)
    record: int = Field(sa_column=_big(primary_key=True))


class Edge(SQLModel, table=True):
    """Why two records are held to be one. `a < b`. `weight` is in millibits, None for a declared or exact rule."""

    __table_args__ = (Index("ix_edge_b", "b"), {"sqlite_with_rowid": False})

    a: int = Field(sa_column=_big(primary_key=True))
    b: int = Field(sa_column=_big(primary_key=True))
    rule: str = Field(primary_key=True)
    tier: str
    weight: int | None = None
    evidence: str
    state: str = "active"
    model: str | None = None
    known_at: int = Field(sa_column=_big())


class Entity(SQLModel, table=True):
    """One person, account, unit or opportunity. `id` is the golden id (a ULID): minted once, never reused."""

    key: int | None = Field(default=None, primary_key=True)
    id: str = Field(unique=True)
    kind: str
    anchor: int = Field(sa_column=_big())
    merged_into: int | None = None
    known_at: int = Field(sa_column=_big())


class Membership(SQLModel, table=True):
    """The entity to which a record belongs now."""

    record: int = Field(sa_column=_big(primary_key=True))
    entity: int = Field(index=True)


class MembershipChange(SQLModel, table=True):
    """A record that moved from one entity to another, and when that was known: identity can be read as of any day."""

    __tablename__ = "membership_change"

    id: int | None = Field(default=None, sa_column=_serial())
    record: int = Field(sa_column=_big(index=True))
    before: int | None
    after: int | None
    rule: str
    known_at: int = Field(sa_column=_big())


class Doubt(SQLModel, table=True):
    """Two records that may be one; a person decides. `a < b`. `state` is open, accepted or rejected."""

    __table_args__ = (UniqueConstraint("a", "b", "rule"),)

    id: int | None = Field(default=None, primary_key=True)
    a: int = Field(sa_column=_big())
    b: int = Field(sa_column=_big())
    rule: str
    evidence: str
    state: str = "open"
    known_at: int = Field(sa_column=_big())


class Definition(SQLModel, table=True):
    """A version of the definition document. `decides_from` is the instant from which it decides, None if never."""

    version: str = Field(primary_key=True)
    name: str
    model: str
    text: str = Field(sa_column=Column(Text, nullable=False))
    known_at: int = Field(sa_column=_big())
    decides_from: int | None = Field(default=None, sa_column=_big(nullable=True))


class Decision(SQLModel, table=True):
    """Where one entity stands under one model. `due_at`: when it changes though nothing happens (decay, deadline).

    `score_rule` tells what moved the score last: events (`score`), or decay alone (`score.decay`).
    """

    __table_args__ = (Index("ix_decision_due_at", "due_at"), {"sqlite_with_rowid": False})

    entity: int = Field(primary_key=True)
    model: str = Field(primary_key=True)
    definition: str
    stage: str | None = None
    since: int | None = Field(default=None, sa_column=_big(nullable=True))
    furthest: str | None = None
    rule: str | None = None
    score: int = 0
    score_rule: str = "score"
    facts: str | None = None
    decided_at: int = Field(sa_column=_big())
    due_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Transition(SQLModel, table=True):
    """One dated step between stages. `at`: when it was true; `known_at`: when it was known; `gone_at`: when it ceased
    to be held true (a correction), None while it stands. `events`: JSON list of hex event ids.
    """

    __table_args__ = ({"sqlite_with_rowid": False},)

    entity: int = Field(primary_key=True)
    model: str = Field(primary_key=True)
    at: int = Field(sa_column=_big(primary_key=True))
    n: int = Field(primary_key=True)
    known_at: int = Field(sa_column=_big(primary_key=True))
    before: str | None
    after: str | None
    rule: str
    definition: str
    events: str
    cycle: int = 1
    is_backfilled: bool = False
    gone_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class ScoreEntry(SQLModel, table=True):
    """One line of the score's ledger: points when they were earned. What is left of them is computed for an instant."""

    __tablename__ = "score_entry"
    __table_args__ = ({"sqlite_with_rowid": False},)

    entity: int = Field(primary_key=True)
    model: str = Field(primary_key=True)
    rule: str = Field(primary_key=True)
    at: int = Field(sa_column=_big(primary_key=True))
    event: bytes = Field(sa_column=Column(LargeBinary, primary_key=True))
    points: int


class Plan(SQLModel, table=True):
    """A plan that was held, approved or applied. `state`: held, approved, applied, superseded.

    `author` is who made the plan, where a person did. An approval that has expired is none.
    """

    digest: str = Field(primary_key=True)
    run: int
    kind: str = "sync"
    state: str
    why: str | None = None
    changes: int
    author: str | None = None
    created_at: int = Field(sa_column=_big())
    approved_by: str | None = None
    approved_at: int | None = Field(default=None, sa_column=_big(nullable=True))
    expires_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Change(SQLModel, table=True):
    """One field write, from plan to outcome. Values are JSON texts.

    `intended_at` None: part of a plan that is held, nothing was sent. `outcome` None with `intended_at`: intended and
    not settled, the vendor may have received it.
    """

    __table_args__ = (
        Index(
            "ix_change_unsettled",
            "id",
            sqlite_where=text("intended_at IS NOT NULL AND (outcome IS NULL OR outcome = 'unknown')"),
            postgresql_where=text("intended_at IS NOT NULL AND (outcome IS NULL OR outcome = 'unknown')"),
        ),
    )

    id: int | None = Field(default=None, sa_column=_serial())
    plan: str = Field(index=True)
    run: int = Field(index=True)
    record: int = Field(sa_column=_big(index=True))
    entity: str
    field: str
    before: str | None
    after: str | None
    reason: str
    rule: str
    kind: str
    outcome: str | None = None
    detail: str | None = None
    intended_at: int | None = Field(default=None, sa_column=_big(nullable=True, index=True))
    settled_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Journal(SQLModel, table=True):
    """The chain: every intention, outcome and decision of a person, each line sealed with the one before it.

    `body` holds ids and keyed hashes of values, never values, so that erasing a person leaves the chain whole.
    """

    id: int | None = Field(default=None, sa_column=_serial())
    at: int = Field(sa_column=_big())
    act: str
    body: str
    seal: bytes = Field(sa_column=Column(LargeBinary, nullable=False))


class Run(SQLModel, table=True):
    """One execution of the pipeline. `status`: running, done, partial, held, failed."""

    id: int | None = Field(default=None, primary_key=True)
    verb: str
    status: str = "running"
    started_at: int = Field(sa_column=_big())
    finished_at: int | None = Field(default=None, sa_column=_big(nullable=True))
    summary: str | None = None


class Quarantine(SQLModel, table=True):
    """A record or change that was set aside with its cause, until a person or a fix releases it.

    `cause` is the template of the message that says why, so that equal causes group and can be translated; `detail`
    is a JSON object of what stands in its places.
    """

    __table_args__ = (
        UniqueConstraint("what", "record", "field", "cause"),
        Index(
            "ix_quarantine_open",
            "what",
            "record",
            sqlite_where=text("released_at IS NULL"),
            postgresql_where=text("released_at IS NULL"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    what: str
    record: int = Field(sa_column=_big(index=True))
    ref: str
    field: str = ""
    cause: str
    detail: str
    run: int
    since: int = Field(sa_column=_big())
    released_at: int | None = Field(default=None, sa_column=_big(nullable=True))


class Lease(SQLModel, table=True):
    """Who may write to this store. `fence` grows with every taking and is checked in every writing transaction."""

    name: str = Field(primary_key=True)
    owner: str
    since: int = Field(sa_column=_big())
    expires_at: int = Field(sa_column=_big())
    fence: int
