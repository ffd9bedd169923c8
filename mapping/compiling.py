"""Checked expressions turned into plain Python functions, once per definition.

The source is generated from our own tree: names come from the vocabulary, and every value that a user wrote reaches the
function through its namespace, never as text. Unknown needs no third value at run time: for each part two sources
exist, one that is true where the part is true and one that is true where it is false, and where it is unknown neither
is. `bench/` measures why a function and not a tree of closures (nine times slower) or an evaluator (a hundred times).
"""

from __future__ import annotations

from bisect import bisect_left
from math import floor
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.events import EventKind
from mapping.expressions import EVENT_FACTS, MEASURES, Node, scaled, walk
from mapping.facts import CHANGING, FACT_NAMES, Type

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

OPPORTUNITY_KINDS = frozenset(
    {EventKind.OPPORTUNITY_CREATED.value, EventKind.OPPORTUNITY_WON.value, EventKind.OPPORTUNITY_LOST.value}
)


class Wants(NamedTuple):
    """After which events a rule may have become true. `is_timed`: after any, since time alone can make it so."""

    kinds: frozenset[str]
    needs_score: bool
    needs_facts: bool
    is_timed: bool


def wants(node: Node) -> Wants:
    """After which events the condition may have become true, having been false."""
    kinds: set[str] = set()
    needs_score = needs_facts = is_timed = False
    for part in walk(node):
        if part.kind in {"happened", "any", "count"}:
            kinds.update(part.value[1])
            is_timed = is_timed or part.value[2] is not None
        elif part.kind == "measure":
            needs_score = needs_score or part.value == "score"
            if part.value == "open_opportunities":
                kinds |= OPPORTUNITY_KINDS
        elif part.kind == "fact":
            needs_facts = True
    if needs_score:  # decay makes a score fall without any event
        is_timed = is_timed or any(
            part.kind == "not" or (part.kind == "compare" and part.value not in {">=", ">"})
            for part in walk(node)
            if any(inner.kind == "measure" and inner.value == "score" for inner in walk(part))
        )
    return Wants(frozenset(kinds), needs_score, needs_facts, is_timed)


class Sources:
    """Functions in the making: add every expression, then compile all of them at once."""

    def __init__(self, slots: Mapping[str, int]) -> None:
        self._slots = slots
        self._lines: list[str] = []
        self._namespace: dict[str, Any] = {"__builtins__": {}, "len": len, "_since": _since, "_least": min}
        self._constants: dict[tuple[str, Any], str] = {}
        self._names: list[str] = []
        self._score = "S.score()"

    def rule(self, node: Node) -> int:
        """The number under which `compile` will give the test of a rule.

        The test takes the facts, the instants of the cycle's events by slot, and the state of the fold.
        """
        return self._add("F, C, S", node)

    def condition(self, node: Node) -> int:
        """The number of the test of a condition on one event."""
        return self._add("E", node)

    def judge(
        self,
        attributes: Iterable[tuple[Node, int]],
        behaviours: Iterable[tuple[Sequence[str], int, int | None]],
        entries: Iterable[tuple[Node, int]],
    ) -> int:
        """The number of a function (facts, instants by slot, state) -> (the first stage whose rule holds, score).

        Points count as they were earned; `behaviours` are (kinds, points, cap) without conditions.
        """
        terms = [f"({self._constant(points)} if {self.true(node)} else 0)" for node, points in attributes]
        for kinds, points, cap in behaviours:
            earned = f"{self._constant(points)} * ({' + '.join(f'len(C[{self._slots[kind]}])' for kind in kinds)})"
            terms.append(f"({earned})" if cap is None else f"_least({earned}, {self._constant(cap)})")
        lines = [f"score = {' + '.join(terms) or '0'}"]
        self._score = "score"
        for node, stage in entries:
            lines += [f"if {self.true(node)}:", f"    return {self._constant(stage)}, score"]
        self._score = "S.score()"
        return self._define("F, C, S", *lines, "return 0, score")

    def compile(self) -> list[Callable[..., Any]]:
        """Every function added, in order."""
        source = "\n".join(self._lines)
        exec(compile(source, "<definition>", "exec"), self._namespace)  # noqa: S102  # generated from our own tree, no text of a user in it
        return [self._namespace[name] for name in self._names]

    def _add(self, parameters: str, node: Node) -> int:
        return self._define(parameters, f"return {self.true(node)}")

    def _define(self, parameters: str, *body: str) -> int:
        name = f"r{len(self._names)}"
        self._names.append(name)
        self._lines += [f"def {name}({parameters}):", *(f"    {line}" for line in body)]
        return len(self._names) - 1

    def _constant(self, value: Any) -> str:
        if value is None or value is True or value is False:
            return repr(value)
        key = (type(value).__name__, value)
        if key not in self._constants:
            name = f"k{len(self._constants)}"
            self._constants[key] = name
            self._namespace[name] = value
        return self._constants[key]

    def true(self, node: Node) -> str:  # noqa: PLR0911  # one answer for each form
        """The source that is true where the condition is."""
        match node.kind:
            case "and":
                return f"({' and '.join(self.true(part) for part in sorted(node.parts, key=_cost))})"
            case "or":
                return f"({' or '.join(self.true(part) for part in sorted(node.parts, key=_cost))})"
            case "not":
                return self.false(node.parts[0])
            case "unknown":
                return f"({self._value(node.parts[0])} is None)"
            case "compare":
                return self._comparison(node, _PYTHON[node.value])
            case "in":
                return self._membership(node, "in")
            case "contains":
                return self._containment(node, "in")
        return f"({self._truth(node)})"

    def false(self, node: Node) -> str:  # noqa: PLR0911  # one answer for each form
        """The source that is true where the condition is false: neither true nor unknown."""
        match node.kind:
            case "and":
                return f"({' or '.join(self.false(part) for part in sorted(node.parts, key=_cost))})"
            case "or":
                return f"({' and '.join(self.false(part) for part in sorted(node.parts, key=_cost))})"
            case "not":
                return self.true(node.parts[0])
            case "unknown":
                return f"({self._value(node.parts[0])} is not None)"
            case "compare":
                return self._comparison(node, _OPPOSITE[node.value])
            case "in":
                return self._membership(node, "not in")
            case "contains":
                return self._containment(node, "not in")
            case "fact":
                return f"({self._value(node)} is False)"
        return f"(not {self._truth(node)})"

    def _comparison(self, node: Node, sign: str) -> str:
        left, right = node.parts
        is_bound = left.kind == "measure" and left.value == "score" and right.kind == "const" and sign in {">=", ">"}
        if is_bound and self._score != "score":
            least = scaled(right) if sign == ">=" else floor(scaled(right)) + 1  # points are whole
            return f"S.reaches({self._constant(least)})"
        checks = [f"{self._value(side)} is not None and " for side in node.parts if _can_be_unknown(side)]
        return f"({''.join(checks)}{self._folded(left)} {sign} {self._folded(right)})"

    def _membership(self, node: Node, word: str) -> str:
        left, *items = node.parts
        values = self._constant(frozenset(scaled(item._replace(type=left.type)) for item in items))
        check = f"{self._value(left)} is not None and " if _can_be_unknown(left) else ""
        return f"({check}{self._folded(left)} {word} {values})"

    def _containment(self, node: Node, word: str) -> str:
        left, right = node.parts
        check = f"{self._value(left)} is not None and " if _can_be_unknown(left) else ""
        return f"({check}{self._folded(right)} {word} {self._folded(left)})"

    def _truth(self, node: Node) -> str:
        match node.kind:
            case "happened":
                return f"({' or '.join(f'C[{self._slots[kind]}]' for kind in node.value[1])})"
            case "any":
                _, kinds, within = node.value
                if within is None:
                    return f"({' or '.join(f'C[{self._slots[kind]}]' for kind in kinds)})"
                since = f"S.at - {self._constant(within)}"
                terms = [f"(C[{self._slots[k]}] and C[{self._slots[k]}][-1] >= {since})" for k in kinds]
                return f"({' or '.join(terms)})"
            case "reached":
                return f"({self._constant(node.value)} in S.reached)"
        return self._value(node)

    def _value(self, node: Node) -> str:  # noqa: PLR0911  # one answer for each form
        match node.kind:
            case "fact":
                return f"F[{FACT_NAMES.index(node.value)}]"
            case "event_fact":
                return f"E[{EVENT_FACTS[node.value][1]}]"
            case "const":
                return self._constant(scaled(node))
            case "measure":
                assert node.value in MEASURES
                if node.value == "score":
                    return self._score
                return f"S.{node.value}" if node.value == "cycle" else f"S.{node.value}()"
            case "count":
                _, kinds, within = node.value
                if within is None:
                    return f"({' + '.join(f'len(C[{self._slots[kind]}])' for kind in kinds)})"
                since = f"S.at - {self._constant(within)}"
                return f"({' + '.join(f'_since(C[{self._slots[kind]}], {since})' for kind in kinds)})"
        return self._truth_value(node)

    def _truth_value(self, node: Node) -> str:
        # A condition compared with true or false: known on both sides, or unknown.
        return f"(True if {self.true(node)} else False if {self.false(node)} else None)"

    def _folded(self, node: Node) -> str:
        value = self._value(node)
        return f"{value}.casefold()" if node.type is Type.TEXT and node.kind != "const" else value


def slots_of(nodes: Iterable[Node]) -> dict[str, int]:
    """A number for every event kind that any of the rules asks about."""
    kinds = {
        kind
        for node in nodes
        for part in walk(node)
        if part.kind in {"happened", "any", "count"}
        for kind in part.value[1]
    }
    return {kind: number for number, kind in enumerate(sorted(kinds))}


def triggers(found: Wants, scored: frozenset[str]) -> frozenset[str] | None:
    """The event kinds after which a rule is tested, None for all."""
    if found.is_timed:
        return None
    kinds = set(found.kinds)
    if found.needs_score:
        kinds |= scored
    if found.needs_facts or found.needs_score:
        kinds |= {kind.value for kind in CHANGING}
    return frozenset(kinds)


_PYTHON = {"=": "==", "!=": "!=", "<": "<", "<=": "<=", ">": ">", ">=": ">="}
_OPPOSITE = {"=": "!=", "!=": "==", "<": ">=", "<=": ">", ">": "<=", ">=": "<"}
_COSTS = {"fact": 0, "const": 0, "event_fact": 0, "happened": 1, "any": 2, "reached": 2, "count": 3, "measure": 4}


def _cost(node: Node) -> int:
    """How dear a part is to test: what is cheap and often false goes first; the order does not change the answer."""
    return max(_COSTS.get(part.kind, 0) for part in walk(node))


def _can_be_unknown(node: Node) -> bool:
    return node.kind in {"fact", "event_fact"} or node.type is Type.TRUTH


def _since(instants: list[int], since: int) -> int:
    return len(instants) - bisect_left(instants, since)
