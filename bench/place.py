"""What a variant is given: where the pages are, where it may write, and what was counted."""

from __future__ import annotations

import http.client
import json
from dataclasses import dataclass
from pathlib import Path  # noqa: TC003  # part of the class
from typing import TYPE_CHECKING, Any, Self

from bench.pages import SIZES

if TYPE_CHECKING:
    from collections.abc import Iterator

Counters = dict[str, int]


@dataclass(frozen=True, kw_only=True)
class Place:
    """`vendor` is salesforce or hubspot, `url` the fake's address (empty where none is needed)."""

    vendor: str
    url: str
    folder: Path

    def asked(self) -> Counters:
        """How often each kind of address was asked for since the last time this was; also a warm-up."""
        if not self.url:
            return {}
        with self.connect() as conn:
            conn.request("GET", "/_asked")
            return dict(json.loads(conn.getresponse().read()))

    def connect(self) -> _Connection:
        """A bare connection to the fake."""
        return _Connection(self.url.removeprefix("http://"))

    def pages(self, n: int) -> Iterator[bytes]:
        """The bodies of all pages, by the cheapest client of the standard library."""
        with self.connect() as conn:
            for at in range(0, n, SIZES[self.vendor]):
                conn.request("GET", self._address(at))
                yield conn.getresponse().read()

    def _address(self, at: int) -> str:
        if self.vendor == "salesforce":
            return f"/services/data/v68.0/query/{at}"
        return f"/crm/objects/2026-09/contacts?limit=100&archived=false&after={at}"


class _Connection(http.client.HTTPConnection):
    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def store_connection(path: Path) -> Any:
    """A bare connection of the driver that our own store uses, with the settings of our own store."""
    from state.engine import _PRAGMAS, sqlite_module  # noqa: PLC0415  # a peer must not pay for importing it

    conn = sqlite_module().connect(str(path), isolation_level=None)
    for pragma in _PRAGMAS:
        conn.execute(pragma)
    return conn
