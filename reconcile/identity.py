"""Who is who: which records are one person, account or opportunity, and why.

A pure function of what the records of a neighbourhood carry and declare, never of the order in which they came: the
same records give the same parts, whatever was known before.

| evidence                                          | joins                                    | tier |
| ------------------------------------------------- | ---------------------------------------- | ---- |
| declared: conversion, merge, foreign id, our id   | always, records of one kind              | 0    |
| equal personal e-mail address                     | people whose names are not in conflict   | 1    |
| equal corporate number                            | accounts                                 | 1    |
| equal private domain                              | accounts whose names are not in conflict | 1    |

Where the names of those who share an address or domain are in conflict, only equal names are joined, and the others
are doubts for a person to decide; more than three names on one address make it a mailbox of many, which joins nobody.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from mapping.names import PersonName, companies_conflict, company_name, names_conflict, person_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

EMAIL = "email"
DOMAIN = "domain"
NUMBER = "corporate_number"

DECLARED = "T0"
EXACT = "T1"

_MANY_NAMES = 3
_MANY_RECORDS = {EMAIL: 25, DOMAIN: 200, NUMBER: 200}
"""More carriers of one value than this are no longer evidence of anything."""


class Node(NamedTuple):
    """What identity needs to know of a record: the columns of its profile that name it."""

    kind: str
    name: str | None
    given_name: str | None
    family_name: str | None
    company: str | None


class Edge(NamedTuple):
    """Why two records are held to be one; `a < b`. `evidence` is what they share, as `kind=value`."""

    a: int
    b: int
    rule: str
    tier: str
    evidence: str


class Doubt(NamedTuple):
    """Two records that share an identifier though their names are in conflict; `a < b`."""

    a: int
    b: int
    rule: str
    evidence: str


class Parts(NamedTuple):
    """The parts into which the records fall, each sorted and of one kind, in the order of their first records."""

    parts: list[list[int]]
    edges: list[Edge]
    doubts: list[Doubt]


class Declared(NamedTuple):
    """One record says that another is the same."""

    source: int
    target: int
    rule: str


def find_parts(
    nodes: Mapping[int, Node], carriers: Mapping[tuple[str, str], Sequence[int]], declared: Iterable[Declared]
) -> Parts:
    """Join what the evidence joins.

    `carriers` holds all records that carry an identifier, by (kind, value). Declared ends need not be nodes: an id that
    a merge has done away with still joins those who name it.
    """
    edges: dict[tuple[int, int, str], Edge] = {}
    doubts: dict[tuple[int, int, str], Doubt] = {}
    parents: dict[int, int] = {}
    for source, target, rule in declared:
        if source == target or _kind(nodes, source) != (_kind(nodes, target) or _kind(nodes, source)):
            continue
        a, b = (source, target) if source < target else (target, source)
        edges[a, b, rule] = Edge(a, b, rule, DECLARED, "")
        _join(parents, a, b)
    for (kind, value), records in sorted(item for item in carriers.items() if len(item[1]) > 1):
        joined, doubted = _judge(kind, [record for record in records if record in nodes], nodes)
        for a, b in joined:
            edges[a, b, kind] = Edge(a, b, kind, EXACT, f"{kind}={value}")
            _join(parents, a, b)
        for a, b in doubted:
            doubts[a, b, kind] = Doubt(a, b, kind, f"{kind}={value}")
    parts = _parts(nodes, parents)
    place = {record: number for number, part in enumerate(parts) for record in part}
    open_doubts = [doubt for doubt in doubts.values() if place[doubt.a] != place[doubt.b]]
    return Parts(parts, sorted(edges.values()), sorted(open_doubts))


Pairs = list[tuple[int, int]]
Name = TypeVar("Name")


def _judge(kind: str, records: Sequence[int], nodes: Mapping[int, Node]) -> tuple[Pairs, Pairs]:
    """The pairs that the carriers of one identifier make: those that join, and those that are in doubt."""
    records = sorted(set(records))
    if len(records) > _MANY_RECORDS.get(kind, 0):
        return [], []
    if kind == NUMBER:
        return _chain(records), []
    if kind == EMAIL:
        return _judge_by_name(records, [_person(nodes[record]) for record in records], names_conflict, _spelling)
    return _judge_by_name(
        records, [company_name(nodes[record].company) for record in records], companies_conflict, _as_it_is
    )


def _judge_by_name(
    records: Sequence[int],
    names: Sequence[Name | None],
    is_conflict: Callable[[Name | None, Name | None], bool],
    spelling: Callable[[Name], str],
) -> tuple[Pairs, Pairs]:
    first: dict[str, int] = {}
    distinct: list[Name] = []
    spellings = [None if name is None else spelling(name) for name in names]
    for record, name, spelt in zip(records, names, spellings, strict=True):
        if name is not None and spelt is not None and spelt not in first:
            first[spelt] = record
            distinct.append(name)
    conflicts = {
        (spelling(one), spelling(other))
        for place, one in enumerate(distinct)
        for other in distinct[place + 1 :]
        if is_conflict(one, other)
    }
    if not conflicts:
        return _chain(records), []
    if len(distinct) > _MANY_NAMES:
        return [], []
    # Nobody can say to whom a record without a name belongs, nor one whose name agrees with both of two.
    joined = [
        (first[spelt], record)
        for record, spelt in zip(records, spellings, strict=True)
        if spelt is not None and record != first[spelt]
    ]
    doubted = [tuple(sorted((first[one], first[other]))) for one, other in conflicts]
    return joined, [(a, b) for a, b in doubted]


def _chain(records: Sequence[int]) -> Pairs:
    return [(records[0], record) for record in records[1:]]


def _person(node: Node) -> PersonName | None:
    return person_name(node.given_name, node.family_name, node.name)


def _spelling(name: PersonName) -> str:
    return name.whole


def _as_it_is(name: str) -> str:
    return name


def _kind(nodes: Mapping[int, Node], record: int) -> str | None:
    node = nodes.get(record)
    return None if node is None else node.kind


def _parts(nodes: Mapping[int, Node], parents: dict[int, int]) -> list[list[int]]:
    """The components; one that spans kinds, through an id that both name, falls into one part for each kind."""
    by_root: defaultdict[tuple[int, str], list[int]] = defaultdict(list)
    for record in sorted(nodes):
        by_root[_root(parents, record) if record in parents else record, nodes[record].kind].append(record)
    return list(by_root.values())


def _root(parents: dict[int, int], record: int) -> int:
    root = record
    while parents.get(root, root) != root:
        root = parents[root]
    while parents.get(record, record) != root:
        parents[record], record = root, parents[record]
    return root


def _join(parents: dict[int, int], a: int, b: int) -> None:
    """The smaller root stays, so that the outcome does not depend on the order."""
    one, other = _root(parents, a), _root(parents, b)
    low, high = min(one, other), max(one, other)
    parents[low] = low
    parents[high] = low
    parents.setdefault(a, low)
    parents.setdefault(b, low)


class Standing(NamedTuple):
    """An entity as it stands: its anchor record, its kind, and the entity it was merged into, None while it lives."""

    anchor: int
    kind: str
    merged_into: int | None


class Assignment(NamedTuple):
    """Who each part is: the entity's key, or None for one that is new; and which entities ended in which."""

    owners: list[int | None]
    merged: dict[int, int]
    revived: list[int]


def assign(
    parts: Sequence[Sequence[int]],
    members: Mapping[int, int],
    entities: Mapping[int, Standing],
    former: Mapping[int, Sequence[int]],
) -> Assignment:
    """Give every part its entity, so that ids stay with those they were given to.

    `members` are the present memberships, `entities` all that are named anywhere, `former` the entities a record
    belonged to earlier. An entity stays with the part that holds its anchor, else with the one that holds most of
    its records.
    Of several entities in a part the oldest (lowest key) survives, the others are merged into it. A part that no
    entity claims gets back the one that was merged away and is anchored in it, else a new one.
    """
    part_of = {record: number for number, part in enumerate(parts) for record in part}
    held: defaultdict[int, list[int]] = defaultdict(list)
    for record, entity in members.items():
        if record in part_of:
            held[entity].append(record)
    claims: defaultdict[int, list[int]] = defaultdict(list)
    for entity in sorted(held):
        anchor = entities[entity].anchor
        if anchor in part_of:
            claims[part_of[anchor]].append(entity)
        else:
            numbers = [part_of[record] for record in held[entity]]
            claims[max(sorted(set(numbers)), key=numbers.count)].append(entity)
    owners: list[int | None] = []
    merged: dict[int, int] = {}
    revived: list[int] = []
    for number, part in enumerate(parts):
        claimants = claims.get(number)
        if claimants:
            owners.append(claimants[0])
            merged.update((loser, claimants[0]) for loser in claimants[1:])
            continue
        back = sorted(
            entity
            for record in part
            for entity in former.get(record, ())
            if entity not in held and entities[entity].merged_into is not None and entities[entity].anchor in part
        )
        owners.append(back[0] if back else None)
        revived += back[:1]
    return Assignment(owners, merged, revived)
