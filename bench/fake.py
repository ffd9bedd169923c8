"""Both vendors' list pages from memory, in a process of their own: fast enough to bound no client.

It knows one object (contacts) and looks at nothing but the address: no filter, no limit, no token. What vendors really
do is the sandbox's job; this one only keeps the price of serving out of what is measured.

Run as `python -m bench.fake N CORE`; prints its address and serves until standard input ends.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
from collections import Counter
from email.utils import formatdate
from functools import lru_cache
from urllib.parse import parse_qs

from bench.pages import HUBSPOT_PAGE, SALESFORCE_FIELDS, SALESFORCE_PAGE, hubspot_page, salesforce_page

KEPT = 250_000
"""Records up to which every page stands ready; beyond, pages are made when asked for (memory is measured there)."""

_TYPES = {"Id": "id", "SystemModstamp": "datetime", "CreatedDate": "datetime", "IsDeleted": "boolean"}


class Vendors:
    """Every answer, ready made, and how often each kind of address was asked for."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.url = ""
        self.asked: Counter[str] = Counter()
        self._salesforce = lru_cache(maxsize=None if total <= KEPT else 8)(lambda at: salesforce_page(at, total))
        self._hubspot = lru_cache(maxsize=None if total <= KEPT else 8)(lambda at: hubspot_page(at, total))
        if total <= KEPT:
            for at in range(0, total, SALESFORCE_PAGE):
                self._salesforce(at)
            for at in range(0, total, HUBSPOT_PAGE):
                self._hubspot(at)

    def answer(self, method: str, address: str) -> bytes:
        path, _, query = address.partition("?")
        if path.startswith("/services/data/v68.0/query/"):
            return self._say("query", self._salesforce(int(path.rpartition("/")[2])))
        if path.startswith("/crm/objects/"):
            asked = parse_qs(query)
            if asked.get("archived") == ["true"]:
                return self._say("list archived", b'{"results":[]}')
            return self._say("list", self._hubspot(int(asked.get("after", ["0"])[0])))
        if path == "/services/data/v68.0/queryAll":
            return self._say("query", self._salesforce(0))
        if path == "/_asked":
            found = json.dumps(self.asked).encode()
            self.asked.clear()
            return found
        return self._say(f"{method} {path}", json.dumps(self._small(path)).encode())

    def _say(self, name: str, body: bytes) -> bytes:
        self.asked[name] += 1
        return body

    def _small(self, path: str) -> object:
        if path == "/services/oauth2/token":
            return {"access_token": "t", "instance_url": self.url, "id": f"{self.url}/id/00D000000000001EAA/005"}
        if path == "/services/data/":
            return [{"label": "Winter '27", "url": "/services/data/v68.0", "version": "68.0"}]
        if path == "/services/data/v68.0/sobjects/Contact/describe":
            fields = [{"name": name, "type": _TYPES.get(name, "string")} for name in SALESFORCE_FIELDS]
            return {"name": "Contact", "queryable": True, "fields": fields}
        if path.startswith("/account-info/"):
            return {"portalId": 1, "accountType": "STANDARD", "timeZone": "UTC"}
        return {}


class _Door(asyncio.Protocol):
    """Just enough HTTP/1.1: one request at a time on a connection that stays open."""

    def __init__(self, vendors: Vendors) -> None:
        self._vendors = vendors
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._received += data
        while (end := self._received.find(b"\r\n\r\n")) >= 0:
            head = self._received[:end].decode("latin-1")
            first, *lines = head.split("\r\n")
            length = next((int(line[15:]) for line in lines if line.lower().startswith("content-length:")), 0)
            if len(self._received) < end + 4 + length:
                return
            self._received = self._received[end + 4 + length :]
            method, address, _ = first.split(" ", 2)
            body = self._vendors.answer(method, address)
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=UTF-8\r\nDate: %b\r\n"
                b"Content-Length: %d\r\n\r\n" % (formatdate(usegmt=True).encode(), len(body))
            )
            self._transport.write(body)


async def _serve(total: int) -> None:
    vendors = Vendors(total)
    server = await asyncio.get_running_loop().create_server(lambda: _Door(vendors), "127.0.0.1", 0)
    vendors.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    print(vendors.url, flush=True)
    await server.serve_forever()


def _end_with_parent() -> None:
    sys.stdin.buffer.read()
    os._exit(0)


def main() -> None:
    """Serve so many records, on one core where the machine lets us choose."""
    total, core = int(sys.argv[1]), int(sys.argv[2])
    if core >= 0:
        os.sched_setaffinity(0, {core})
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        import uvloop  # noqa: PLC0415  # quicker where it happens to be installed
    except ImportError:
        asyncio.run(_serve(total))
    else:
        uvloop.run(_serve(total))


if __name__ == "__main__":
    main()
