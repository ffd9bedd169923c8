"""From records to what they tell: events, profiles, links and identifiers.

A pure function of a record's payload, its earlier values and the few facts of other records that it refers to. What
each vendor's fields tell stands in `mapping.vendors`, one small reading per object.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from mapping.derived import NO_FACTS, Beside, Derived, Facts, Ident, Payload, tell, text
from mapping.events import EventKind, Link, LinkKind, Unmapped
from mapping.instants import to_ms
from mapping.meaning import NOTHING
from mapping.normalise import domain, email, is_personal, is_private
from mapping.records import record_key
from mapping.vendors import canonical_id, hubspot, salesforce, vitally

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from zoneinfo import ZoneInfo

    from mapping.meaning import Meaning
    from mapping.records import FieldChange

_READINGS = {"salesforce": salesforce.READINGS, "hubspot": hubspot.READINGS, "vitally": vitally.READINGS}
_ATTRIBUTES = {"salesforce": salesforce.ATTRIBUTES, "hubspot": hubspot.ATTRIBUTES, "vitally": vitally.ATTRIBUTES}
_REFERENCES = {"salesforce": salesforce.REFERENCES}
_ROWS = {"salesforce": salesforce.ROWS}
_PARENTS = {"salesforce": salesforce.PARENTS}
_LOOKUPS = {"salesforce": salesforce.LOOKUPS}

_ATTRIBUTE_CHANGED = EventKind.ATTRIBUTE_CHANGED.value
_CONSENT_CHANGED = EventKind.CONSENT_CHANGED.value
_OURS = "headrace"

READINGS_VERSION = 1
"""Raised whenever a reading changes what it tells of the same record, so that stores catch up by themselves."""


class Deriver:
    """Reads the records of one system.

    `kind` names the vendor; `peers` the configured systems by their kind, for records that name another system's ids.
    `written` are the fields that headrace writes, by object: their changes yield no event. `ids` are the fields that
    carry the canonical id, by object, where they are not the usual ones. `histories` are the history objects that are
    read in this system: what they cover yields no event from polled differences. `currency` is the company's own,
    for amounts that name none.
    """

    __slots__ = (
        "_days", "_meaning", "_readers", "currency", "histories", "ids", "key", "kind", "peers", "reading", "system",
        "written", "zone",
    )  # fmt: skip

    def __init__(
        self,
        system: str,
        kind: str,
        meaning: Meaning,
        zone: ZoneInfo | None,
        peers: Mapping[str, str],
        *,
        written: Mapping[str, frozenset[str]] | None = None,
        ids: Mapping[str, str] | None = None,
        histories: frozenset[str] = frozenset({"LeadHistory", "OpportunityHistory"}),
        currency: str | None = None,
    ) -> None:
        self.system = system
        self.kind = kind
        self.zone = zone
        self.peers = peers
        self.written = written or {}
        self.ids = ids or {}
        self.histories = histories
        self.currency = currency
        self._meaning = meaning
        self.key: Callable[[str, str], int] = partial(record_key, system)
        """The key of a record of this system, by its object and id."""
        self._days: dict[str, int] = {}
        self._readers: dict[str, Reader] = {}
        self.reading = repr(
            (
                READINGS_VERSION, system, kind, meaning.digest, str(zone), sorted(peers.items()),
                sorted((object_, sorted(fields)) for object_, fields in self.written.items()), sorted(self.ids.items()),
                sorted(histories), currency,
            )
        )  # fmt: skip
        """All that a reading depends on beside the records: when it differs, everything is derived again."""

    def reader(self, object_: str) -> Reader:
        """How the records of one object are read."""
        found = self._readers.get(object_)
        if found is None:
            found = self._readers[object_] = Reader(self, object_)
        return found

    def derive(
        self,
        object_: str,
        id_: str,
        payload: Payload,
        changes: Sequence[FieldChange],
        is_deleted: bool,  # noqa: FBT001  # a column of the record, as in its row
        into: Derived,
        facts: Facts = NO_FACTS,
    ) -> None:
        """Append to `into` all that one record tells; see `Reader.read`."""
        record = Record(self.key(object_, id_), payload, changes, is_deleted)
        self.reader(object_).read((record,), into, facts)

    # What readings use

    def mean(self, into: Derived, record: int, object_: str, field: str, value: str) -> str | None:
        """The event kind of a vendor's value; None where it is no event. A value without a meaning is set aside."""
        meaning = self._meaning.of(self.system, object_, field, value)
        if meaning is None:
            into.unmapped.append(Unmapped(record, f"{object_}.{field}", value))
            return None
        return None if meaning == NOTHING else meaning

    def meaning_of(self, object_: str, field: str, value: str | None) -> str | None:
        """The event kind of a value that only refines another; None also where it has no meaning."""
        if not value:
            return None
        meaning = self._meaning.of(self.system, object_, field, value)
        return None if meaning == NOTHING else meaning

    def instant(self, value: object) -> int | None:
        """A vendor's instant or date in milliseconds, a date at its start in the company's zone; None if none."""
        if not value:
            return None
        if type(value) is not str:
            return value if isinstance(value, int) else None
        try:
            if len(value) != _DATE:
                return to_ms(value)
            known = self._days
            if value not in known:
                known[value] = to_ms(value, self.zone)
            return known[value]
        except ValueError:
            return None

    def identify(self, record: int, addresses: Sequence[object], into: Derived) -> tuple[str | None, list[str]]:
        """The first address in canonical form and the others; the personal ones become identifiers of the record."""
        found: list[str] = []
        for address in addresses:
            canonical = email(address) if isinstance(address, str) else None
            if canonical is not None and canonical not in found:
                found.append(canonical)
                if is_personal(canonical):
                    into.idents.append(Ident("email", canonical, record))
        return (found[0] if found else None), found[1:]

    def domain_of(self, value: object) -> str | None:
        """The registrable domain of an address or host."""
        # By host, since that is what is remembered: many addresses share one.
        return domain(value.rpartition("@")[2]) if isinstance(value, str) else None

    def locate(self, record: int, hosts: Sequence[object], into: Derived) -> str | None:
        """The first registrable domain; those that can be one company's become identifiers of the account record."""
        found: list[str] = []
        for host in hosts:
            name = domain(host) if isinstance(host, str) else None
            if name is not None and name not in found:
                found.append(name)
                if is_private(name):
                    into.idents.append(Ident("domain", name, record))
        return found[0] if found else None


class Record(NamedTuple):
    """One record as it is to be read.

    `changes` are all differences ever stored of it, oldest first: what is derived depends on nothing else, so that
    deriving it again gives the same.
    """

    key: int
    payload: Payload
    changes: Sequence[FieldChange] = ()
    is_deleted: bool = False


class Reader:
    """How the records of one object of one system are read: what is the same for all of them, looked up once.

    `parent` gives the record (object, id) whose reading takes a history row in, None where the row is read by itself.
    `has_rows` says whether the reading of a record takes in history rows that are records themselves. `lookup` is how
    the readings of other records look these up. `id_field` is the field that carries the canonical id, by its name in
    the configuration. Each is None where there is nothing of the kind.
    """

    __slots__ = (
        "_columns", "_deriver", "_reading", "_reference", "_trait", "has_rows", "id_field", "lookup", "object",
        "parent", "system",
    )  # fmt: skip

    def __init__(self, deriver: Deriver, object_: str) -> None:
        kind = deriver.kind
        self.system = deriver.system
        self.object = object_
        self.parent = _PARENTS.get(kind, {}).get(object_)
        self.has_rows = _ROWS.get(kind, {}).get(object_)
        self.lookup = _LOOKUPS.get(kind, {}).get(object_)
        self.id_field = deriver.ids.get(object_) or canonical_id(kind, object_)
        self._trait = f"traits.{self.id_field}"
        self._deriver = deriver
        self._reading = _READINGS.get(kind, {}).get(object_)
        self._reference = _REFERENCES.get(kind, {}).get(object_)
        written = deriver.written.get(object_, frozenset())
        columns = _ATTRIBUTES.get(kind, {}).get(object_, {})
        self._columns = {field: column for field, column in columns.items() if field not in written}

    def read(self, records: Iterable[Record], into: Derived, facts: Facts = NO_FACTS) -> None:
        """Append to `into` all that the records tell; those of an object without a reading tell nothing."""
        if self._reading is None:
            return
        reading, deriver = self._reading, self._deriver
        alone = Beside((), is_deleted=False, facts=facts)  # most records have nothing else beside them
        for key, payload, changes, is_deleted in records:
            beside = Beside(changes, bool(is_deleted), facts) if changes or is_deleted else alone
            reading(deriver, key, payload, into, beside)
            if changes and self._columns:
                self._tell_differences(key, changes, into)
            if facts.written and (ours := self.canonical_id(payload)) and (key, ours) in facts.written:
                golden = record_key(_OURS, "golden", ours)
                into.links.append(Link(key, LinkKind.SAME.value, key, golden, "headrace.canonical_id"))

    def canonical_id(self, payload: Payload) -> str | None:
        """The canonical id that a record carries."""
        if self.id_field is None:
            return None
        found = payload.get(self.id_field) or payload.get(self._trait)
        return found if isinstance(found, str) else None

    def references(self, records: Iterable[Record]) -> set[int]:
        """The records whose payloads these readings need, by key."""
        if self._reference is None:
            return set()
        reference, deriver = self._reference, self._deriver
        return {key for record in records if (key := reference(deriver, record.payload)) is not None}

    def _tell_differences(self, key: int, changes: Sequence[FieldChange], into: Derived) -> None:
        """One `attribute_changed` for every difference of a profile field that no history covers."""
        for field, before, after, since, at in changes:
            column = self._columns.get(field)
            if column is None:
                continue
            old, new = text(before), text(after)
            if old == new:
                continue
            if column == "is_opted_out":
                tell(into, key, at, _CONSENT_CHANGED, since=since, name="email", before=old, after=new)
            else:
                tell(into, key, at, _ATTRIBUTE_CHANGED, since=since, name=column, before=old, after=new)


_DATE = len("2026-11-21")
