"""What every connector keeps, as tests: derive `ConnectorContract` in a test file and give it a vendor to talk to.

It needs no test framework of its own: any runner that collects `test_*` methods of classes will do. The vendor must
answer over real HTTP on this machine, and be one's own to break: `Vendor` names what the tests do behind the
connector's back.
"""

from __future__ import annotations

import json
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING, Literal, Protocol

from connectors.base import Connector, Severity, Written
from mapping.errors import SystemDown
from mapping.instants import to_ms
from mapping.records import Ref
from reconcile.changes import Change, Kind, Outcome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from mapping.records import Batch, Cursor, RecordRow
    from reconcile.changes import Settlement, Value

Breakage = Literal["html", "503", "refuse", "truncate"]
"""A page of HTML with status 200, an outage, connections that drop, answers that are cut in half."""

_LARGEST_BATCH = 5000


class Vendor(Protocol):
    """A vendor's account with some hundred records of one object, and what tests do to it behind the connector's back.

    `object` has more records than fit on one page. `written` is a field of it that may be written, `values` two values
    for it, in the form of `Connector.adjust`. `fresh` is a field that does not exist there and that the vendor lets one
    create (None where it has no such thing). `absent` is an object that the account lacks (None where none can lack).
    """

    object: str
    written: Written
    values: tuple[Value, Value]
    fresh: Written | None
    absent: str | None

    def connect(self, *, is_wrong: bool = False) -> Connector:
        """Make a connector that waits without sleeping; `is_wrong`: with credentials that the vendor refuses."""
        ...

    def ids(self) -> set[str]:
        """The ids of the object's live records."""
        ...

    def change(self) -> str:
        """Change one live record, let so much time go by that a poll must tell it, and return its id."""
        ...

    def delete(self) -> str | None:
        """Delete one record likewise; None where the vendor does not tell deletions to those who poll."""
        ...

    def fail(self, breakage: Breakage) -> None:
        """Break every answer from now on."""
        ...

    def mend(self) -> None:
        """End every breakage."""
        ...

    def lure(self, address: str) -> bool:
        """Let the next page say that its successor is at that address; False where pages do not say so."""
        ...

    def value(self, id_: str) -> Value | float:
        """The present value of `written` in a record."""
        ...

    def put(self, id_: str, value: Value) -> None:
        """Give `written` a value, as a person at the vendor would."""
        ...

    def lose_answer(self) -> None:
        """Carry out the next write, and drop the connection instead of answering."""
        ...

    def writes(self) -> int:
        """How many requests to write arrived so far."""
        ...


class ConnectorContract:
    """The contract; override `vendor`."""

    def vendor(self) -> AbstractContextManager[Vendor]:
        """A vendor for one test, fresh or as good as fresh."""
        raise NotImplementedError

    def test_it_is_a_connector(self) -> None:
        """It has every method of the protocol, and calls nobody before it is used."""
        with self.opened() as (_, connector):
            assert isinstance(connector, Connector)
            assert connector.calls == 0

    def test_full_poll_yields_every_record_once(self) -> None:
        """Without a cursor everything comes, nothing twice."""
        with self.opened() as (vendor, connector):
            rows = _rows(connector.poll(vendor.object, None))

            live = [row[0] for row in rows if not row[3]]
            assert len(live) == len(set(live))
            assert set(live) == vendor.ids()

    def test_rows_are_flat_json_with_a_readable_version(self) -> None:
        """A payload is one JSON object, the version an instant, and no batch holds an id twice."""
        with self.opened() as (vendor, connector):
            for batch in connector.poll(vendor.object, None):
                ids = [row[0] for row in batch.rows]
                assert len(ids) == len(set(ids)) <= _LARGEST_BATCH
                for id_, version, payload, _ in batch.rows:
                    assert id_
                    assert to_ms(version) > 0
                    record = json.loads(payload)
                    assert isinstance(record, dict)
                    assert "attributes" not in record

    def test_only_the_last_batch_of_a_full_poll_is_settled(self) -> None:
        """Until then the first load is not complete."""
        with self.opened() as (vendor, connector):
            loaded = [batch.cursor.is_loaded for batch in connector.poll(vendor.object, None)]

            assert loaded == [False] * (len(loaded) - 1) + [True]

    def test_second_poll_reads_almost_nothing(self) -> None:
        """From the settled cursor, unchanged records do not come again, save those of the look-back."""
        with self.opened() as (vendor, connector):
            cursor = _last(connector.poll(vendor.object, None))
            before = connector.calls

            rows = _rows(connector.poll(vendor.object, cursor))

            assert len(rows) <= len(vendor.ids()) / 10
            assert connector.calls - before <= 5  # noqa: PLR2004  # the clock, the query, and room for a vendor's ways

    def test_changed_record_comes(self) -> None:
        """What changed after the cursor was settled is in the next poll, with the newer version."""
        with self.opened() as (vendor, connector):
            rows = {row[0]: row for row in _rows(connector.poll(vendor.object, None))}
            cursor = _last(connector.poll(vendor.object, None))
            changed = vendor.change()

            again = {row[0]: row for row in _rows(connector.poll(vendor.object, cursor))}

            assert changed in again
            assert to_ms(again[changed][1]) > to_ms(rows[changed][1])

    def test_resuming_from_any_cursor_loses_nothing(self) -> None:
        """Stopped after any batch, also in another process, the rest comes."""
        with self.opened() as (vendor, connector):
            batches = list(connector.poll(vendor.object, None))
            assert len(batches) > 1, "the vendor must have more than one page"
            every = {row[0] for batch in batches for row in batch.rows}

            for index, batch in enumerate(batches):
                seen = {row[0] for earlier in batches[: index + 1] for row in earlier.rows}
                with _closing(vendor.connect()) as another:
                    rest = {row[0] for row in _rows(another.poll(vendor.object, batch.cursor))}
                assert seen | rest == every

    def test_deleted_record_is_reported(self) -> None:
        """A deletion comes as a row that says so, where the vendor tells."""
        with self.opened() as (vendor, connector):
            cursor = _last(connector.poll(vendor.object, None))
            deleted = vendor.delete()
            if deleted is None:
                return

            rows = _rows(connector.poll(vendor.object, cursor))

            assert [row[3] for row in rows if row[0] == deleted] == [True]

    def test_object_that_the_account_lacks_yields_nothing(self) -> None:
        """It is no error."""
        with self.opened() as (vendor, connector):
            if vendor.absent is not None:
                assert list(connector.poll(vendor.absent, None)) == []

    def test_wrong_credentials_are_system_down_and_never_empty(self) -> None:
        """Nothing is yielded before the error."""
        with self.vendor() as vendor, _closing(vendor.connect(is_wrong=True)) as connector:
            batches, error = _collected(connector.poll(vendor.object, None))

            assert isinstance(error, SystemDown)
            assert batches == []

    def test_outage_is_system_down_and_never_empty(self) -> None:
        """HTML with status 200, 503, dropped connections and cut answers are all no answer; afterwards all is there."""
        with self.opened() as (vendor, connector):
            cursor = _last(connector.poll(vendor.object, None))
            breakages: tuple[Breakage, ...] = ("html", "503", "refuse", "truncate")
            for breakage in breakages:
                vendor.fail(breakage)
                batches, error = _collected(connector.poll(vendor.object, None))
                again, second = _collected(connector.poll(vendor.object, cursor))
                vendor.mend()

                assert isinstance(error, SystemDown), breakage
                assert isinstance(second, SystemDown), breakage
                assert batches == again == [], breakage
            assert {row[0] for row in _rows(connector.poll(vendor.object, None)) if not row[3]} == vendor.ids()

    def test_token_never_travels_to_another_origin(self) -> None:
        """A page whose successor is at another address is an error, and nobody calls there."""
        with self.opened() as (vendor, connector), _decoy() as (address, visits):
            if not vendor.lure(address):
                return

            _, error = _collected(connector.poll(vendor.object, None))

            assert isinstance(error, SystemDown)
            assert visits == []

    def test_read_gives_present_values_and_leaves_out_what_is_gone(self) -> None:
        """A record that is not there is missing, not empty."""
        with self.opened() as (vendor, connector):
            id_ = min(vendor.ids())
            vendor.put(id_, vendor.values[0])
            gone = vendor.delete()
            asked = [id_] if gone is None else [id_, gone]

            found = connector.read(vendor.object, asked, [vendor.written.field])

            assert set(found) == {id_}
            assert self.adjusted(vendor, connector, found[id_][vendor.written.field]) == vendor.values[0]

    def test_adjusting_twice_changes_nothing(self) -> None:
        """Neither wanted values nor stored ones drift."""
        with self.opened() as (vendor, connector):
            for value in (*vendor.values, None, "", "61", 61, " x ", "2026-11-21T10:00:00.123Z", "2026-11-21"):
                once = connector.adjust(vendor.object, vendor.written.field, value)
                assert connector.adjust(vendor.object, vendor.written.field, once) == once

    def test_write_is_verified_and_done_once(self) -> None:
        """A written value is read back; the same change again finds it there and sends nothing."""
        with self.opened() as (vendor, connector):
            changes = [_change(vendor, id_, None, vendor.values[0]) for id_ in sorted(vendor.ids())[:3]]
            for change in changes:
                vendor.put(change.ref.id, None)

            first = list(connector.write(vendor.object, changes))
            sent = vendor.writes()
            second = list(connector.write(vendor.object, changes))

            assert _outcomes(first) == [Outcome.VERIFIED] * 3
            assert _outcomes(second) == [Outcome.SKIPPED] * 3
            assert vendor.writes() == sent
            for change in changes:
                assert self.adjusted(vendor, connector, vendor.value(change.ref.id)) == vendor.values[0]

    def test_adjusted_value_is_what_is_read_back(self) -> None:
        """A written value, read again, is no difference to the wanted one."""
        with self.opened() as (vendor, connector):
            id_ = min(vendor.ids())
            vendor.put(id_, None)
            for before, after in ((None, vendor.values[0]), (vendor.values[0], vendor.values[1])):
                (settlement,) = connector.write(vendor.object, [_change(vendor, id_, before, after)])

                assert settlement.is_read
                assert settlement.remote == connector.adjust(vendor.object, vendor.written.field, after)

    def test_value_that_moved_is_stale_and_not_overwritten(self) -> None:
        """Somebody else's value stays, and is told."""
        with self.opened() as (vendor, connector):
            id_ = min(vendor.ids())
            vendor.put(id_, vendor.values[1])
            sent = vendor.writes()

            (settlement,) = connector.write(vendor.object, [_change(vendor, id_, None, vendor.values[0])])

            assert settlement.outcome is Outcome.STALE
            assert settlement.remote == vendor.values[1]
            assert vendor.writes() == sent

    def test_lost_answer_is_unknown_and_not_sent_again(self) -> None:
        """The value may be there or not; the next write of the same finds out."""
        with self.opened() as (vendor, connector):
            id_ = min(vendor.ids())
            vendor.put(id_, None)
            change = _change(vendor, id_, None, vendor.values[0])
            sent = vendor.writes()
            vendor.lose_answer()

            (lost,) = connector.write(vendor.object, [change])
            (found,) = connector.write(vendor.object, [change])

            assert lost.outcome is Outcome.UNKNOWN
            assert found.outcome is Outcome.SKIPPED
            assert vendor.writes() == sent + 1

    def test_every_change_is_settled_once(self) -> None:
        """A record that is gone does not keep the others from being written."""
        with self.opened() as (vendor, connector):
            gone = vendor.delete()
            ids = [*sorted(vendor.ids())[:2], *([gone] if gone else [])]
            for id_ in ids[:2]:
                vendor.put(id_, None)
            changes = [_change(vendor, id_, None, vendor.values[0]) for id_ in ids]

            settled = {each.change.ref.id: each.outcome for each in connector.write(vendor.object, changes)}

            assert settled == dict(zip(ids, [Outcome.VERIFIED, Outcome.VERIFIED, Outcome.SKIPPED], strict=False))

    def test_diagnosis_finds_a_sound_account_sound(self) -> None:
        """Credentials, identity and the written field are well; what is well of an object is told in one line."""
        with self.opened() as (vendor, connector):
            findings = list(connector.diagnose([vendor.written]))

            assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
            (ours,) = [finding for finding in findings if finding.check == f"write {vendor.object}"]
            assert vendor.written.field in str(ours.message)
            assert len({finding.check for finding in findings}) == len(findings)

    def test_diagnosis_names_wrong_credentials(self) -> None:
        """It is a finding with a hint, not an exception."""
        with self.vendor() as vendor, _closing(vendor.connect(is_wrong=True)) as connector:
            findings = list(connector.diagnose([vendor.written]))

            errors = [finding for finding in findings if finding.severity is Severity.ERROR]
            assert errors
            assert errors[0].hint is not None

    def test_missing_field_is_found_and_mended(self) -> None:
        """With `fix` it is created, and from then on it can be written."""
        with self.opened() as (vendor, connector):
            if vendor.fresh is None:
                return
            written = [vendor.fresh]

            before = [each for each in connector.diagnose(written) if each.severity is Severity.ERROR]
            list(connector.diagnose(written, fix=True))
            after = [each for each in connector.diagnose(written) if each.severity is Severity.ERROR]

            assert [each.is_fixable for each in before] == [True]
            assert after == []

    @contextmanager
    def opened(self) -> Iterator[tuple[Vendor, Connector]]:
        """A vendor and a connector to it."""
        with self.vendor() as vendor, _closing(vendor.connect()) as connector:
            yield vendor, connector

    def adjusted(self, vendor: Vendor, connector: Connector, value: object) -> Value:
        """A raw value of the written field in the form in which values are compared."""
        assert value is None or isinstance(value, str | int | float | bool)
        return connector.adjust(vendor.object, vendor.written.field, value)  # type: ignore[arg-type]  # floats of the wire


@contextmanager
def _closing(connector: Connector) -> Iterator[Connector]:
    try:
        yield connector
    finally:
        connector.close()


def _rows(batches: Iterator[Batch]) -> list[RecordRow]:
    return [row for batch in batches for row in batch.rows]


def _last(batches: Iterator[Batch]) -> Cursor:
    return list(batches)[-1].cursor


def _collected(batches: Iterator[Batch]) -> tuple[list[Batch], Exception | None]:
    """What came before the error, and the error."""
    collected: list[Batch] = []
    try:
        for batch in batches:
            collected.append(batch)  # noqa: PERF402  # what came before the error counts
    except SystemDown as error:
        return collected, error
    return collected, None


def _outcomes(settlements: list[Settlement]) -> list[Outcome]:
    return [each.outcome for each in settlements]


def planned(object_: str, id_: str, field: str, before: Value, after: Value, *, system: str = "vendor") -> Change:
    """A change as a plan would have it."""
    return Change(
        ref=Ref(system, object_, id_),
        field=field,
        before=before,
        after=after,
        reason="contract",
        rule="contract",
        kind=Kind.CORRECT,
        entity="contract",
    )


def _change(vendor: Vendor, id_: str, before: Value, after: Value) -> Change:
    return planned(vendor.object, id_, vendor.written.field, before, after)


@contextmanager
def _decoy() -> Iterator[tuple[str, list[str]]]:
    """A server at another port that only notes who comes: yields its address and the visits."""
    visits: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            visits.append(self.path)
            self.send_response(404)
            self.end_headers()

        do_POST = do_GET  # noqa: N815  # the base class's naming

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the base class's name
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/", visits
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
