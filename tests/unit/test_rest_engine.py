"""The primitives of presets, each against a tool of a few lines."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import httpx
import pytest

from connectors.base import Written
from connectors.rest import connect
from connectors.testing import planned
from mapping.errors import SystemDown
from mapping.records import Cursor
from reconcile.changes import Outcome

NOW = datetime(2026, 11, 21, 10, 0, tzinfo=UTC)
NOW_MS = 1_795_255_200_000
HEAD = """
name = "tool"
title = "Tool"
[auth]
flow = "headers"
headers = ["X-Key"]
[objects.things]
path = "/things"
version = ["updated"]
"""
FULL = 'changes = { type = "full" }\n'


def thing(number, at=NOW_MS - 86_400_000, **more):
    """A record of the tool."""
    return {"id": number, "updated": at, **more}


class Tool:
    """A tool that answers as a function says, and remembers what it was asked."""

    def __init__(self, answer):
        self.answer = answer
        self.requests = []

    def __call__(self, request):
        """Answer one request."""
        self.requests.append(request)
        found = self.answer(request)
        return found if isinstance(found, httpx.Response) else httpx.Response(200, json=found)


@pytest.fixture
def opened(tmp_path):
    """Makes connectors to a tool, by the lines of its preset."""
    connectors = []

    def make(lines, tool, **more):
        path = tmp_path / "tool.toml"
        path.write_text(HEAD + lines, encoding="utf-8")
        settings = {
            "system": "cs",
            "base_url": "https://tool.example/api",
            "preset": path,
            "auth": {"X-Key": "k"},
            "clock": lambda: NOW,
            "sleep": lambda _: None,
            "wire": httpx.MockTransport(tool),
        }
        connectors.append(connect(**settings | more))
        return connectors[-1]

    yield make
    for connector in connectors:
        connector.close()


def poll(connector, cursor=None):
    """The ids of all rows, and the last cursor."""
    batches = list(connector.poll("things", cursor))
    return [row[0] for batch in batches for row in batch.rows], batches[-1].cursor


def test_offset_pages_end_with_one_that_is_not_full(opened):
    """Size and offset go into the query; a bare array is a page."""

    def answer(request):
        offset, size = int(request.url.params["skip"]), int(request.url.params["take"])
        return [thing(number) for number in range(offset, min(offset + size, 5))]

    pages = 'pages = { type = "offset", size = 2, size_into = "take", into = "skip" }\n'
    tool = Tool(answer)

    ids, cursor = poll(opened("records = [[]]\n" + pages + FULL, tool))

    assert ids == ["0", "1", "2", "3", "4"]
    assert [request.url.params["skip"] for request in tool.requests] == ["0", "2", "4"]
    assert cursor.is_loaded
    assert tool.requests[0].headers["X-Key"] == "k"


def test_full_last_page_by_offset_is_followed_by_an_empty_one(opened):
    """Nobody says how many there are."""
    tool = Tool(lambda request: [thing(1), thing(2)] if request.url.params["offset"] == "0" else [])

    ids, _ = poll(opened('records = [[]]\npages = { type = "offset", size = 2 }\n' + FULL, tool))

    assert ids == ["1", "2"]
    assert len(tool.requests) == 2


def test_link_pages_follow_the_address_as_it_stands(opened):
    """The parameters of the first page are not put behind it."""

    def answer(request):
        if "page" in request.url.params:
            return {"value": [thing(2)]}
        return {"value": [thing(1)], "@next": "https://tool.example/api/things?page=2"}

    tool = Tool(answer)
    lines = 'records = ["value"]\nparams = { top = 1 }\npages = { type = "link", link = "@next" }\n'

    ids, _ = poll(opened(lines + FULL, tool))

    assert ids == ["1", "2"]
    assert dict(tool.requests[1].url.params) == {"page": "2"}


def test_link_to_another_host_is_an_error_and_nobody_calls_there(opened):
    """Links are data, not orders."""
    tool = Tool(lambda _: {"value": [thing(1)], "@next": "https://elsewhere.example/things"})
    connector = opened('records = ["value"]\npages = { type = "link", link = "@next" }\n' + FULL, tool)

    with pytest.raises(SystemDown):
        poll(connector)

    assert {request.url.host for request in tool.requests} == {"tool.example"}


def test_list_that_does_not_move_on_is_an_error(opened):
    """A token that repeats would go on for ever."""
    tool = Tool(lambda _: {"value": [thing(1)], "next": "same"})
    connector = opened('records = ["value"]\npages = { type = "cursor", token = "next", into = "from" }\n' + FULL, tool)

    with pytest.raises(SystemDown, match="does not move on"):
        poll(connector)


def test_records_are_found_at_the_first_alternative_that_is_there(opened):
    """One tool answers in two shapes."""
    tool = Tool(lambda _: {"data": {"records": [thing(1)]}})
    lines = 'records = ["data", ["data", "records"]]\npages = { type = "one" }\n'

    assert poll(opened(lines + FULL, tool))[0] == ["1"]


def test_tool_that_cannot_tell_changes_is_read_whole_each_time(opened):
    """The store finds what changed."""
    tool = Tool(lambda _: [thing(1)])
    connector = opened('records = [[]]\npages = { type = "one" }\n' + FULL, tool)

    _, cursor = poll(connector)

    assert poll(connector, cursor)[0] == ["1"]


def test_since_asks_for_what_changed_with_an_overlap(opened):
    """From the last reading on, less the overlap."""
    tool = Tool(lambda request: [] if "after" in request.url.params else [thing(1)])
    lines = (
        'records = [[]]\npages = { type = "one" }\n'
        'changes = { type = "since", into = "after", form = "epoch_ms", overlap_s = 60 }\n'
    )
    connector = opened(lines, tool)

    _, cursor = poll(connector)
    ids, after = poll(connector, cursor)

    assert ids == []
    assert tool.requests[1].url.params["after"] == str(NOW_MS - 60_000)
    assert after.position["watermark"] == NOW_MS


def test_feed_that_is_not_in_order_is_read_to_its_end(opened):
    """Stopping at the first old record would skip the newer ones behind it."""
    pages = {"": ([thing(1, NOW_MS - 9_000_000)], "b"), "b": ([thing(2, NOW_MS)], "c"), "c": ([thing(3, NOW_MS)], None)}

    def answer(request):
        found, following = pages[request.url.params.get("from", "")]
        return {"value": [*found, thing(9, NOW_MS)], "next": following}

    lines = (
        'records = ["value"]\npages = { type = "cursor", token = "next", into = "from" }\n'
        'changes = { type = "desc_feed", field = "updated", overlap_s = 60 }\n'
    )
    connector = opened(lines, Tool(answer))
    cursor = Cursor(position={"watermark": NOW_MS - 1_000_000, "listed": NOW_MS}, settled_at=NOW)

    ids, _ = poll(connector, cursor)

    assert set(ids) == {"2", "3", "9"}


def test_stamp_in_the_future_does_not_move_the_watermark_there(opened):
    """What changes until then would be skipped."""
    tool = Tool(lambda _: {"value": [thing(1, NOW_MS + 86_400_000), thing(2, 0)], "next": None})
    lines = (
        'records = ["value"]\npages = { type = "cursor", token = "next", into = "from" }\n'
        'changes = { type = "desc_feed", field = "updated" }\n'
    )
    connector = opened(lines, tool)
    cursor = Cursor(position={"watermark": NOW_MS - 1000, "listed": NOW_MS}, settled_at=NOW)

    _, after = poll(connector, cursor)

    assert after.position["watermark"] == NOW_MS


def test_record_without_id_or_stamp_is_set_aside(opened):
    """The others of its page are taken."""
    tool = Tool(lambda _: [thing(1), {"id": 2}, {"updated": NOW_MS}, {"id": 3, "updated": "soon"}])
    connector = opened('records = [[]]\npages = { type = "one" }\n' + FULL, tool)

    (batch,) = connector.poll("things", None)

    assert [row[0] for row in batch.rows] == ["1"]
    assert [rejected.id for rejected in batch.rejected] == ["2", "", "3"]


def test_deleted_record_is_told_by_the_field_that_says_so(opened):
    """By a value, or by any value at all."""
    tool = Tool(lambda _: [thing(1, state="gone"), thing(2, state="here"), thing(3)])
    lines = 'records = [[]]\npages = { type = "one" }\ndeleted = { field = "state", equals = "gone" }\n'

    (batch,) = opened(lines + FULL, tool).poll("things", None)

    assert [row[3] for row in batch.rows] == [True, False, False]


def test_without_named_fields_every_attribute_is_taken_flat(opened):
    """Keys with dots stay as they are."""
    tool = Tool(lambda _: [thing(1, custom={"a.b": 1}, tags=["x"])])
    lines = 'records = [[]]\npages = { type = "one" }\nflatten = ["custom"]\n'

    (batch,) = opened(lines + FULL, tool).poll("things", None)

    assert json.loads(batch.rows[0][2]) == {"id": 1, "updated": thing(1)["updated"], "custom.a.b": 1, "tags": ["x"]}


def test_attribute_that_is_not_there_was_not_read(opened):
    """A missing attribute is unknown; a missing key of a section that is there is empty."""
    tool = Tool(lambda _: [thing(1, custom={}), thing(2, custom=None), thing(3)])
    lines = 'records = [[]]\npages = { type = "one" }\nflatten = ["custom"]\n'
    connector = opened(lines + FULL, tool, fields={"things": ("name", "custom.stage")})

    (batch,) = connector.poll("things", None)

    assert [json.loads(row[2]) for row in batch.rows] == [{"custom.stage": None}, {"custom.stage": None}, {}]


WRITING = (
    'records = [[]]\npages = { type = "one" }\nflatten = ["custom"]\n'
    'item = { path = "/things/{id}", record = ["data"] }\n'
    'write = { method = "PATCH", path = "/things/{id}", under = ["custom"] }\n'
)


class Store:
    """A tool with one record, which can refuse or lose writes."""

    def __init__(self):
        self.custom = {}
        self.keeps = True
        self.status = 200

    def __call__(self, request):
        """Read or write it."""
        if request.url.raw_path != b"/api/things/a%2Fb":
            return httpx.Response(404, json={"message": "no"})
        if request.method == "GET":
            return {"data": thing("a/b", custom=self.custom)}
        if self.status == 200 and self.keeps:
            self.custom |= json.loads(request.content)["custom"]
        return httpx.Response(self.status, json={"message": "no, thank you"})


def change(before, after, field="custom.stage", id_="a/b"):
    """A change of one field."""
    return planned("things", id_, field, before, after, system="cs")


@pytest.mark.parametrize(
    ("status", "keeps", "outcome"),
    [(200, True, Outcome.VERIFIED), (200, False, Outcome.FAILED), (422, True, Outcome.FAILED)],
)
def test_write_is_judged_by_what_is_read_back(opened, status, keeps, outcome):
    """An answer alone proves nothing; ids are quoted in addresses."""
    store = Store()
    store.status, store.keeps = status, keeps
    tool = Tool(store)
    connector = opened(WRITING + FULL, tool)

    (settled,) = connector.write("things", [change(None, "mql")])

    assert settled.outcome is outcome
    assert [request.method for request in tool.requests][:2] == ["GET", "PATCH"]
    assert b"/things/a%2Fb" in tool.requests[0].url.raw_path


def test_record_that_says_it_is_deleted_is_not_written(opened):
    """It is gone, though the tool still gives it out."""
    store = Store()
    store.custom["state"] = "gone"
    tool = Tool(store)
    connector = opened(WRITING + 'deleted = { field = ["custom", "state"], equals = "gone" }\n' + FULL, tool)

    (settled,) = connector.write("things", [change(None, "mql")])

    assert settled.outcome is Outcome.SKIPPED
    assert [request.method for request in tool.requests] == ["GET"]


def test_change_of_an_object_that_cannot_be_written_fails_without_a_call(opened):
    """And the vendor is not said to have refused it."""
    tool = Tool(lambda _: [])
    connector = opened('records = [[]]\npages = { type = "one" }\n' + FULL, tool)

    (settled,) = connector.write("things", [change(None, "mql")])

    assert settled.outcome is Outcome.FAILED
    assert "vendor" not in str(settled.detail)
    assert tool.requests == []


def test_refused_credentials_while_writing_stop_the_system(opened):
    """That is no fault of the record."""
    store = Store()
    store.status = 401
    connector = opened(WRITING + FULL, Tool(store))

    with pytest.raises(SystemDown):
        list(connector.write("things", [change(None, "mql")]))


def test_score_of_a_tool_is_a_whole_number(opened):
    """However it comes back."""
    written = [Written(object="things", field="custom.score", role="score")]
    connector = opened(WRITING + FULL, Tool(Store()), written=written)

    assert [connector.adjust("things", "custom.score", value) for value in (61, "61", "61.0", "")] == [61, 61, 61, None]
    assert connector.adjust("things", "custom.at", "2026-11-21T19:00:00+09:00") == "2026-11-21T10:00:00.000Z"
    assert connector.adjust("things", "custom.stage", "01") == "01"


def test_answer_about_another_record_is_an_outage(opened):
    """A cache that mixes records up must not make headrace write to the wrong one."""
    connector = opened(WRITING + FULL, Tool(lambda _: {"data": thing("other")}))

    with pytest.raises(SystemDown):
        connector.read("things", ["a/b"], ["id"])
