"""However late records become visible and wherever polls stop, the newest version of every record is seen."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import httpx
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.salesforce import connect

START = datetime(2026, 11, 21, 10, 0, 0, tzinfo=UTC)
HOME = "https://acme.my.salesforce.com"
LARGEST_DELAY_S = 599


class Org:
    """Versions of leads, each with the second of its stamp and the second from which queries show it."""

    def __init__(self):
        self.now = START
        self.versions = []
        self.cursors = {}

    def write(self, number, delay_s):
        """Commit a version of one lead that becomes visible late."""
        self.versions.append((f"00Q{number:015d}", self.now, self.now + timedelta(seconds=delay_s)))

    def shown(self):
        """The newest visible version of each lead, in the order of the query."""
        newest = {}
        for id_, at, visible_at in self.versions:
            if visible_at <= self.now and newest.get(id_, START) <= at:
                newest[id_] = at
        return sorted((at, id_) for id_, at in newest.items())

    def __call__(self, request):
        """Answer one request."""
        return httpx.Response(200, json=self.answer(request), headers={"Date": format_datetime(self.now, usegmt=True)})

    def answer(self, request):
        """The body for one request."""
        path = request.url.path
        if path.endswith("/token"):
            return {"access_token": "t", "instance_url": HOME, "id": f"{HOME}/id/00D000000000001EAA/005"}
        if path.endswith("/services/data/"):
            return [{"version": "68.0"}]
        if path.endswith("/describe"):
            return {"name": "Lead", "fields": [{"name": name, "type": "string"} for name in ("Id", "SystemModstamp")]}
        if path.endswith("/queryAll"):
            locator = str(len(self.cursors))
            self.cursors[locator] = self.found(request.url.params["q"])
            return self.page(locator, 0)
        locator, _, start = path.rpartition("/")[2].partition("-")
        return self.page(locator, int(start))

    def found(self, soql):
        """The rows of a query."""
        until = datetime.fromisoformat(re.search(r"SystemModstamp < (\S+)", soql)[1])
        since = re.search(r"SystemModstamp >=? ([^ )]+)", soql)
        after = re.search(r"Id > '(\w+)'", soql)
        low = (datetime.fromisoformat(since[1]) if since else START, after[1] if after else "")
        return [row for row in self.shown() if low < row and row[0] < until]

    def page(self, locator, start):
        """Three rows of it."""
        rows = self.cursors[locator]
        end = start + 3
        return {
            "totalSize": len(rows),
            "done": end >= len(rows),
            "nextRecordsUrl": f"/services/data/v68.0/query/{locator}-{end}" if end < len(rows) else None,
            "records": [
                {"attributes": {}, "Id": id_, "SystemModstamp": at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")}
                for at, id_ in rows[start:end]
            ],
        }


writes = st.lists(st.tuples(st.integers(0, 9), st.integers(0, LARGEST_DELAY_S)), max_size=12)
steps = st.lists(st.tuples(writes, st.integers(0, 900), st.integers(0, 5)), min_size=1, max_size=12)


@settings(max_examples=150, deadline=None)
@given(steps)
def test_newest_version_of_every_record_is_seen(history):
    """Each step writes, lets time go by and polls, stopping after some batches; the last poll is a day later."""
    org = Org()
    connector = connect(
        system="crm",
        login_url=HOME,
        auth={"flow": "client_credentials", "client_id": "a", "client_secret": "b"},
        fields={"Lead": []},
        clock=lambda: 0.0,
        wire=httpx.MockTransport(org),
    )
    seen = set()
    cursor = None
    for written, pause_s, batches in [*history, ((), 86_400, 10_000)]:
        for number, delay_s in written:
            org.write(number, delay_s)
        org.now += timedelta(seconds=pause_s)
        for taken, batch in enumerate(connector.poll("Lead", cursor)):
            if taken >= batches:
                break
            seen.update((row[0], row[1]) for row in batch.rows)
            cursor = batch.cursor
    connector.close()

    newest = {(id_, at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")) for at, id_ in org.shown()}
    assert newest <= seen
    assert cursor is not None
    assert cursor.settled_at == org.now
