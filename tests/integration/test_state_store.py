"""Records, their field changes and cursors, as the pages of the systems bring them."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from mapping.errors import RetryLater
from mapping.records import Batch, Cursor, Ref, Rejected, record_key
from mapping.text import say
from state import quarantine, store, targets
from state.engine import Database, upgrade
from state.sql import execute, fetch, fetch_one

if TYPE_CHECKING:
    from collections.abc import Iterable

    from mapping.records import RecordRow

VOLATILE = frozenset({"SystemModstamp"})
MONDAY, TUESDAY = "2026-11-16T00:00:00.000+0000", "2026-11-17T00:00:00.000+0000"


def lead(id_: str, *, at: str = MONDAY, is_deleted: bool = False, **fields: object) -> RecordRow:
    """One Lead as a page brings it."""
    return id_, at, orjson.dumps({"Id": id_, "SystemModstamp": at, **fields}), is_deleted


def page(rows: Iterable[RecordRow], *, position: int = 1, rejected: Iterable[Rejected] = ()) -> Batch:
    """One page of Leads."""
    return Batch(object="Lead", rows=list(rows), cursor=Cursor(position={"n": position}), rejected=list(rejected))


def save(db: Database, *rows: RecordRow, **rest: Any) -> store.Saved:
    """Store one page."""
    return store.save_batch(db, "salesforce", page(rows, **rest), run=7, volatile=VOLATILE)


def key(id_: str) -> int:
    """The key of a Lead."""
    return record_key("salesforce", "Lead", id_)


def everything(db: Database) -> list[tuple[Any, ...]]:
    """All that the store knows of records."""
    with db.read() as conn:
        return [
            fetch(conn, "SELECT * FROM record ORDER BY key"),
            fetch(conn, "SELECT * FROM record_change ORDER BY id"),
            fetch(conn, "SELECT * FROM cursor"),
            fetch(conn, "SELECT * FROM source"),
        ]


def news(db: Database, after: int = 0) -> list[str]:
    """The ids of what is new or changed, in order."""
    with db.read() as conn:
        return [changed.id for changed in store.changed_records(conn, after, 100)]


def fields_of(db: Database, id_: str) -> list[tuple[str, object, object]]:
    """The field changes of a Lead."""
    with db.read() as conn:
        found = store.record_changes(conn, [key(id_)]).get(key(id_), [])
    return [(change.field, change.before, change.after) for change in found]


def test_first_page_is_stored_with_its_cursor(db: Database) -> None:
    """Rows, names, payloads and the resume point are there, in the order of the page."""
    settled_at = datetime(2026, 11, 17, 3, tzinfo=UTC)
    batch = Batch(
        object="Lead",
        rows=[lead("b", Name="渡辺"), lead("a", is_deleted=True)],
        cursor=Cursor(position={"at": "x", "ids": ["1"]}, settled_at=settled_at),
    )

    saved = store.save_batch(db, "salesforce", batch, run=7)

    assert saved == store.Saved(read=2, changed=1, deleted=1, quarantined=0)
    with db.read() as conn:
        assert store.load_cursor(conn, "salesforce", "Lead") == batch.cursor
        assert store.load_cursor(conn, "hubspot", "contacts") is None
        changed = store.changed_records(conn, 0, 10)
        assert store.refs(conn, [key("a"), key("b"), 5]) == {
            key("a"): Ref("salesforce", "Lead", "a"),
            key("b"): Ref("salesforce", "Lead", "b"),
        }
        assert orjson.loads(store.payloads(conn, [key("b")])[key("b")])["Name"] == "渡辺"
        assert store.counts(conn) == {("salesforce", "Lead"): (1, 1)}
    assert [(c.key, c.system, c.object, c.id, c.is_deleted) for c in changed] == [
        (key("b"), "salesforce", "Lead", "b", False),
        (key("a"), "salesforce", "Lead", "a", True),
    ]
    assert changed[0].seq < changed[1].seq


def test_page_that_says_nothing_new_changes_nothing(db: Database) -> None:
    """The same page again: no row differs, save what the cursor counts."""
    rows = [lead(f"{n}", Name=f"N{n}") for n in range(50)]
    save(db, *rows)
    before = everything(db)

    saved = save(db, *rows)

    assert saved == store.Saved(read=50, changed=0, deleted=0, quarantined=0)
    after = everything(db)
    assert (after[0], after[1], after[3]) == (before[0], before[1], before[3])


def cursor_of(db: Database) -> tuple[object, int]:
    """The stored position, and how many rows were read up to it."""
    with db.read() as conn:
        cursor = store.load_cursor(conn, "salesforce", "Lead")
        [(read,)] = fetch(conn, "SELECT read FROM cursor")
    assert cursor
    return cursor.position["n"], read


def test_cursor_of_unchanged_pages_waits_for_the_end_or_for_news(db: Database) -> None:
    """Such a page costs no transaction; the cursor moves with the next change, and at the end."""
    pages = [[lead(f"{n}-{i}") for i in range(5)] for n in range(4)]
    save(db, *[row for rows in pages for row in rows])

    with store.Intake(db, "salesforce", "Lead", run=8) as intake:
        assert intake.save(page(pages[0], position=2)).changed == 0
        assert intake.save(page(pages[1], position=3)).changed == 0
        assert cursor_of(db) == (1, 20)
        assert intake.save(page([*pages[2], lead("new")], position=4)).changed == 1
        assert cursor_of(db) == (4, 36)
        intake.save(page(pages[3], position=5))
        assert cursor_of(db) == (4, 36)

    assert cursor_of(db) == (5, 41)


def test_cursor_of_unchanged_pages_is_stored_after_many_rows(db: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever is killed does not read everything again."""
    monkeypatch.setattr(store, "_MOST_AHEAD", 10)
    rows = [lead(f"{n}") for n in range(5)]
    save(db, *rows)

    intake = store.Intake(db, "salesforce", "Lead", run=8)
    intake.save(page(rows, position=2))
    assert cursor_of(db) == (1, 5)
    intake.save(page(rows, position=3))

    assert cursor_of(db) == (3, 15)


def test_reading_that_breaks_off_keeps_the_cursor_it_came_to(db: Database) -> None:
    """Also one that was sent back to where it began: the later word counts, not the larger."""
    rows = [lead(f"{n}") for n in range(5)]
    save(db, *rows)

    def read() -> None:
        with store.Intake(db, "salesforce", "Lead", run=8) as intake:
            intake.save(page(rows, position=2))
            intake.save(page([], position=0))
            raise RetryLater(say("x"))

    with pytest.raises(RetryLater):
        read()
    assert cursor_of(db) == (0, 10)


def test_page_of_which_some_changed_before_is_still_read_right(db: Database) -> None:
    """Those that moved behind the others since, the first of them too, are found; only what differs is news."""
    rows = [lead(f"{n}", X=0) for n in range(6)]
    save(db, *rows)
    for moved in (2, 0):
        rows[moved] = lead(f"{moved}", X=1)
        assert save(db, *rows).changed == 1
        assert save(db, *rows).changed == 0

    rows[2], rows[5] = lead("2", X=2), lead("5", X=2)

    assert save(db, *rows, lead("6")).changed == 3
    assert news(db) == ["1", "3", "4", "0", "2", "5", "6"]


@pytest.mark.parametrize("change", ["swapped", "deleted", "fewer", "other order"])
def test_page_of_the_same_length_is_known_only_record_for_record(db: Database, change: str) -> None:
    """Neither two records that took each other's values, nor a deletion, nor a gap is taken for no change."""
    rows = [(f"{n}", MONDAY, orjson.dumps({"X": n}), False) for n in range(4)]
    save(db, *rows)
    bodies = [row[2] for row in rows]

    found = {
        "swapped": [("0", MONDAY, bodies[1], False), ("1", MONDAY, bodies[0], False), *rows[2:]],
        "deleted": [(*rows[0][:3], True), *rows[1:]],
        "fewer": [rows[0], rows[2], rows[3]],
        "other order": rows[::-1],
    }[change]
    saved = save(db, *found)

    assert (saved.changed, saved.deleted) == {"swapped": (2, 0), "deleted": (0, 1)}.get(change, (0, 0))


def test_changed_field_is_kept_with_both_values_and_bounds(db: Database) -> None:
    """A changed record is news again; each field has before, after and the stamps between which it changed."""
    save(db, lead("a", Status="New", Score=1, Name="x"), lead("b"))

    saved = save(db, lead("a", at=TUESDAY, Status="Working", Score=None, Name="x"), lead("b"))

    assert saved.changed == 1
    assert news(db) == ["b", "a"]
    with db.read() as conn:
        (status, score) = store.record_changes(conn, [key("a"), key("b")])[key("a")]
        assert store.record_changes(conn, [key("a")], store.changed_records(conn, 0, 9)[-1].seq) == {}
    assert (status.field, status.before, status.after) == ("Status", "New", "Working")
    assert (status.since_ms, status.at_ms) == (1794787200000, 1794873600000)
    assert (score.field, score.before, score.after) == ("Score", 1, None)


def test_volatile_fields_and_order_alone_are_no_news(db: Database) -> None:
    """The payload is refreshed, the record is not news, so that the next page costs one comparison again."""
    save(db, lead("a", X=1, Y=2))
    (before,) = store_rows(db)

    saved = save(db, lead("a", at=TUESDAY, Y=2, X=1))

    (after,) = store_rows(db)
    assert saved.changed == 0
    assert after["seq"] == before["seq"]
    assert after["version"] == TUESDAY
    assert after["payload"] != before["payload"]
    assert fields_of(db, "a") == []


def store_rows(db: Database) -> list[dict[str, Any]]:
    """The stored records."""
    names = ("version", "payload", "seq")
    with db.read() as conn:
        return [dict(zip(names, row, strict=True)) for row in fetch(conn, "SELECT version, payload, seq FROM record")]


@pytest.mark.parametrize(
    ("before", "after"),
    [(61, "61"), (61.0, 61), (True, "true"), ("2026-11-16T00:00:00.000+0000", "2026-11-16T09:00:00+09:00")],
)
def test_one_value_in_two_notations_is_no_change(db: Database, before: object, after: object) -> None:
    """What was read back may be noted otherwise than what the page says."""
    save(db, lead("a", F=before))

    assert save(db, lead("a", at=TUESDAY, F=after)).changed == 0


@pytest.mark.parametrize(
    ("before", "after"), [("0612", "612"), (1, True), ("", None), ("a", "A"), ([1], [2]), (0, None)]
)
def test_two_values_that_merely_look_alike_are_a_change(db: Database, before: object, after: object) -> None:
    """Telephone numbers, blanks and spelling are kept apart."""
    save(db, lead("a", F=before))

    assert save(db, lead("a", at=TUESDAY, F=after)).changed == 1
    assert fields_of(db, "a") == [("F", before, after)]


def test_field_that_was_not_read_before_is_news_but_no_change(db: Database) -> None:
    """Unknown is no value: nothing changed, and yet the later steps have more to read."""
    save(db, lead("a"))

    saved = save(db, lead("a", at=TUESDAY, Status="New"))

    assert saved.changed == 1
    assert fields_of(db, "a") == []


def test_history_is_news_and_no_field_change(db: Database) -> None:
    """A longer history is to be derived again; it is itself the record of what changed."""
    save(db, lead("a", **{"history.stage": [[1, "x", "CRM"]]}))

    saved = save(db, lead("a", at=TUESDAY, **{"history.stage": [[1, "x", "CRM"], [2, "y", "CRM"]]}))

    assert saved.changed == 1
    assert fields_of(db, "a") == []


def test_deletion_and_return_are_news(db: Database) -> None:
    """A record that was deleted, and one that came back, are to be derived again, and are counted."""
    save(db, lead("a"), lead("b"))

    gone = save(db, lead("a", is_deleted=True))
    with db.read() as conn:
        between = store.counts(conn)
    back = save(db, lead("a"))

    assert (gone.changed, gone.deleted) == (0, 1)
    assert between == {("salesforce", "Lead"): (1, 1)}
    assert (back.changed, back.deleted) == (1, 0)
    with db.read() as conn:
        assert store.counts(conn) == {("salesforce", "Lead"): (2, 0)}
    assert news(db) == ["b", "a"]


def test_object_that_lost_its_last_record_is_still_counted(db: Database) -> None:
    """The guard must see that a source is empty now; one that is missing from the count would pass."""
    save(db, lead("a"))
    save(db, lead("a", is_deleted=True))

    with db.read() as conn:
        assert targets.populations(conn) == {("salesforce", "Lead"): 0}


def test_of_equal_ids_in_a_page_the_last_counts(db: Database) -> None:
    """A page may repeat a record."""
    saved = save(db, lead("a", F=1), lead("a", at=TUESDAY, F=2))

    assert saved.changed == 1
    with db.read() as conn:
        assert orjson.loads(store.payloads(conn, [key("a")])[key("a")])["F"] == 2


def test_rejected_rows_are_set_aside_and_freed_when_they_come_well(db: Database) -> None:
    """The cause and its detail are kept; a later good reading releases them."""
    saved = save(db, lead("a"), rejected=[Rejected("z", say("Not JSON at byte {at}.", at=3))])

    assert saved == store.Saved(read=2, changed=1, deleted=0, quarantined=1)
    with db.read() as conn:
        (cause,) = quarantine.causes(conn)
        (entry,) = quarantine.quarantined(conn)
    assert (cause.cause, cause.things, cause.example) == ("Not JSON at byte {at}.", 1, Ref("salesforce", "Lead", "z"))
    assert str(entry.reason) == "Not JSON at byte 3."
    save(db, lead("z"))
    with db.read() as conn:
        assert quarantine.causes(conn) == []


def test_record_with_anothers_key_is_set_aside(db: Database) -> None:
    """Two ids with one hash: the first stays as it is, the second is counted and kept apart."""
    save(db, lead("a", F=1))
    with db.write() as conn:
        execute(conn, "UPDATE record SET id = 'other'")

    saved = save(db, lead("a", at=TUESDAY, F=2))

    assert (saved.changed, saved.quarantined) == (0, 1)
    with db.read() as conn:
        assert fetch(conn, "SELECT id FROM record") == [("other",)]


def test_what_was_read_back_after_a_write_is_no_news_when_it_is_polled(db: Database) -> None:
    """Our own echo changes nothing but the volatile fields."""
    save(db, lead("a", Canonical_Stage__c=None))
    with db.write() as conn:
        store.refresh_payload(conn, {key("a"): {"Canonical_Stage__c": "mql"}})

    echo = save(db, lead("a", at=TUESDAY, Canonical_Stage__c="mql"))
    drift = save(db, lead("a", at=TUESDAY, Canonical_Stage__c="sql"))

    assert echo.changed == 0
    assert drift.changed == 1
    assert fields_of(db, "a") == [("Canonical_Stage__c", "mql", "sql")]


def test_dropped_cursor_reads_from_the_beginning_and_only_differences_are_news(db: Database) -> None:
    """A fresh load over a filled store is no second first load."""
    save(db, lead("a"), lead("b"))
    with db.write() as conn:
        store.drop_cursor(conn, "salesforce", "Lead")
    with db.read() as conn:
        assert store.load_cursor(conn, "salesforce", "Lead") is None

    assert save(db, lead("a"), lead("b", at=TUESDAY, F=1)).changed == 1


def test_full_disk_leaves_rows_and_cursor_of_the_page_before(sqlite_db: Database) -> None:
    """The page that does not fit is not there in part, and its cursor has not moved."""
    save(sqlite_db, lead("a"), position=1)
    before = everything(sqlite_db)
    sqlite_db.close()

    # The limit belongs to a connection, and the pool hands out the one that was given back last.
    with sqlite_db.write() as conn:
        pages = fetch_one(conn, "PRAGMA page_count")
        assert pages
        execute(conn, f"PRAGMA max_page_count = {pages[0] + 3}")
    with pytest.raises(RetryLater):
        save(sqlite_db, *[lead(f"{n}", Note="x" * 900) for n in range(500)], position=2)

    assert everything(sqlite_db) == before
    sqlite_db.close()
    save(sqlite_db, *[lead(f"{n}", Note="x" * 900) for n in range(500)], position=2)
    assert len(news(sqlite_db)) == 100


LOADER = """
import sys, orjson
from mapping.records import Batch, Cursor
from state.engine import Database
from state.store import load_cursor, save_batch
db = Database.open(sys.argv[1])
with db.read() as conn:
    cursor = load_cursor(conn, "s", "Lead")
n = cursor.position["n"] if cursor else 0
while True:
    rows = [(f"{n}-{i}", "2026-11-16", orjson.dumps({"Id": f"{n}-{i}", "Note": "x" * 400}), False) for i in range(50)]
    n += 1
    save_batch(db, "s", Batch(object="Lead", rows=rows, cursor=Cursor(position={"n": n})), run=1)
    print(n, flush=True)
"""


def test_killed_loader_leaves_exactly_the_rows_of_its_cursor(store_url: str) -> None:
    """Signal 9 at arbitrary moments: rows, their numbers and the cursor are always of one page's end, none is lost."""
    dice = random.Random(1)
    with Database.open(store_url) as db:
        upgrade(db)
        acknowledged = 0
        for _ in range(4):
            with subprocess.Popen([sys.executable, "-c", LOADER, store_url], stdout=subprocess.PIPE) as process:
                assert process.stdout is not None
                first = process.stdout.readline()
                time.sleep(dice.random() * 0.15)
                process.send_signal(signal.SIGKILL)
                rest = process.stdout.read().splitlines()
            acknowledged = int((rest[-1] if rest and rest[-1] else first) or acknowledged)

            with db.read() as conn:
                cursor = store.load_cursor(conn, "s", "Lead")
                counted = fetch_one(conn, "SELECT COUNT(*), MIN(seq), MAX(seq) FROM record")
                kept = store.counts(conn)
            assert cursor
            n = cursor.position["n"]
            assert isinstance(n, int)
            assert counted == (n * 50, 1, n * 50)
            assert kept == {("s", "Lead"): (n * 50, 0)}
            # A line that the kill cut short may name fewer pages than there are, never more.
            assert n >= acknowledged > 0
        assert db.integrity() == []


def test_reader_with_a_watermark_misses_nothing_that_two_writers_store(db: Database) -> None:
    """Whoever reads on from the last number it saw meets every record once, in whatever order writers commit."""

    def write(object_: str) -> None:
        other = Database(db.engine, path=None, key_path=None, errors=())
        other._lock = threading.Lock()  # queues for itself, as another process does
        for n in range(20):
            rows = [lead(f"{n}-{i}") for i in range(5)]
            store.save_batch(other, "s", Batch(object=object_, rows=rows, cursor=Cursor(position={"n": n})), run=1)

    with db.write() as conn:
        store.source_id(conn, "s", "a")
        store.source_id(conn, "s", "b")
    writers = [threading.Thread(target=write, args=(object_,)) for object_ in "ab"]
    for writer in writers:
        writer.start()
    seen: list[tuple[int, int]] = []
    deadline = time.monotonic() + 30
    while len(seen) < 200 and time.monotonic() < deadline:
        with db.read() as conn:
            seen += [(found.seq, found.key) for found in store.changed_records(conn, seen[-1][0] if seen else 0, 7)]
    for writer in writers:
        writer.join()

    assert [seq for seq, _ in seen] == list(range(1, 201))
    assert len({key for _, key in seen}) == 200
