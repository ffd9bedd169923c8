"""Step 4: who is who. Only what changed is looked at, with everything that could be one with it."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from state import graph, meta, pending
from sync.steps import NEVER

if TYPE_CHECKING:
    from threading import Event

    from state.engine import Database

CHUNK = 1_000
_LOADED = "resolve.loaded"


class Resolution(NamedTuple):
    """Records looked at, people and accounts known now, and doubts that wait for a person."""

    records: int
    people: int
    accounts: int
    doubts: int


def resolve(db: Database, *, now_ms: int, stop: Event = NEVER) -> Resolution:
    """Every record that waited belongs to its person, account or opportunity; whoever changed waits for `decide`.

    Each chunk is one transaction with its neighbourhood; a run that is cut off goes on with what still waits. `stop`
    ends it between two chunks.
    """
    records = 0
    while not stop.is_set():
        with db.write() as conn:
            is_first_load = meta.get(conn, _LOADED) is None
            seeds = pending.take(conn, pending.RESOLVE, CHUNK)
            if not seeds:
                if is_first_load:
                    meta.put(conn, _LOADED, "1")
                break
            done = graph.resolve_chunk(conn, seeds, now_ms, is_first_load=is_first_load)
            graph.add_to_counts(conn, done.came)
            records += done.records
    with db.read() as conn:
        return Resolution(records, graph.living(conn, "person"), graph.living(conn, "account"), graph.open_doubts(conn))
