"""The small language of rules: parsed by a grammar, checked for types, never evaluated as text.

    score >= 60 and employees >= 50 and not is_free_mail
    lead_accepted                          such an event happened in this cycle
    any(form_submitted, within = 30d)      ... at most thirty days ago
    count(meeting_held) >= 2
    reached(closed_won)                    the stage was entered at some time
    industry in ["Software", "Retail"] and title contains "情報システム" and owner is not unknown

A comparison with an unknown fact is unknown; so is `not` of it; a rule fires on what is true only. In texts, letter
case does not count. Columns of a problem count from the beginning of the expression.
"""

from __future__ import annotations

import difflib
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any, NamedTuple

from mapping.events import CUSTOMER_EVENTS, INQUIRIES, EventKind
from mapping.facts import FACTS, Type
from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from lark import Lark, Token, Tree

GROUPS: Mapping[str, frozenset[EventKind]] = {"inquiry": INQUIRIES, "customer_event": CUSTOMER_EVENTS}
"""Names that stand for several event kinds."""

KINDS = tuple(kind.value for kind in EventKind)

MEASURES: Mapping[str, Type] = {
    "score": Type.NUMBER,
    "cycle": Type.NUMBER,
    "open_opportunities": Type.NUMBER,
}
"""What the fold itself knows at an instant; never unknown."""

EVENT_FACTS: Mapping[str, tuple[Type, int]] = {
    "name": (Type.TEXT, 6),
    "reason": (Type.TEXT, 9),
    "channel": (Type.TEXT, 10),
    "amount": (Type.MONEY, 12),
    "quantity": (Type.NUMBER, 14),
}
"""What a behaviour rule's condition may ask about its event, and the column of `Event` in which it stands."""

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}

MONEY_SCALE = 10_000
"""Money is kept as an integer of ten-thousandths."""

_GRAMMAR = r"""
?start: either
?either: both ("or" both)*
?both: negated ("and" negated)*
?negated: "not" negated -> no
        | comparison
?comparison: operand
           | operand SIGN operand         -> compare
           | operand "in" list            -> among
           | operand "not" "in" list      -> not_among
           | operand "contains" operand   -> contains
           | operand "is" "unknown"       -> unknown
           | operand "is" "not" "unknown" -> known
?operand: NUMBER   -> number
        | DURATION -> duration
        | STRING   -> string
        | "true"   -> true
        | "false"  -> false
        | NAME     -> name
        | NAME "(" [either ("," either)*] ")" -> call
        | "(" either ")"
list: "[" [operand ("," operand)*] "]"
SIGN: ">=" | "<=" | "==" | "!=" | "=" | "<" | ">"
DURATION.2: /\d+(s|m|h|d|w)\b/
NUMBER: /-?\d+(\.\d+)?/
STRING: /"[^"\n]*"|'[^'\n]*'/
NAME: /[a-z_][a-z0-9_]*/
%ignore /[ \t\r\n]+/
"""


class Flaw(Exception):  # noqa: N818  # collected and turned into a Problem, never shown as it is
    """A mistake in an expression, and the character at which it begins."""

    def __init__(self, at: int, message: Message, hint: Message | None = None) -> None:
        self.at = at
        self.message = message
        self.hint = hint
        super().__init__(str(message))


class Node(NamedTuple):
    """One part of a checked expression. `kind` names its form, `value` what is particular to it."""

    kind: str
    type: Type
    parts: tuple[Node, ...] = ()
    value: Any = None
    at: int = 0

    def __str__(self) -> str:
        return render(self)


class Names(NamedTuple):
    """What an expression may speak of: the stages of its model, or the one event that a behaviour rule looks at."""

    stages: tuple[str, ...] = ()
    is_event: bool = False


def parse(text: str, names: Names = Names()) -> Node:  # noqa: B008  # immutable
    """Read and check a condition; raises Flaw at the first mistake."""
    import lark  # noqa: PLC0415  # a command that reads no definition need not load it

    try:
        tree = _parser().parse(text)
    except lark.UnexpectedCharacters as error:
        at = error.pos_in_stream or 0
        raise _misread(text, at, text[at]) from None
    except lark.UnexpectedToken as error:
        at = error.token.start_pos if error.token.type != "$END" else len(text)
        raise _misread(text, at or 0, str(error.token)) from None
    node = _Checker(names).check(tree)
    if node.type is not Type.TRUTH:
        raise Flaw(node.at, say("this is a {type}, not a condition", type=node.type), say("compare it with something"))
    return node


def duration_ms(text: str) -> int | None:
    """A duration such as `24h` or `30d` in milliseconds, None where it is none."""
    number, unit = text[:-1], text[-1:]
    return int(number) * UNITS_MS[unit] if unit in UNITS_MS and number.isascii() and number.isdigit() else None


def kinds_of(name: str) -> tuple[str, ...] | None:
    """The event kinds that a name stands for, None where it is neither a kind nor a group."""
    if name in GROUPS:
        return tuple(sorted(GROUPS[name]))
    return (name,) if name in KINDS else None


def nearest(name: str, known: Collection[str]) -> Message | None:
    """The hint that names the nearest valid name, None where nothing is near."""
    near = difflib.get_close_matches(name, known, n=1)
    return say("did you mean {name}?", name=near[0]) if near else None


def conjuncts(node: Node) -> tuple[Node, ...]:
    """The conditions that must all be true for this one to be."""
    return tuple(inner for part in node.parts for inner in conjuncts(part)) if node.kind == "and" else (node,)


def walk(node: Node) -> list[Node]:
    """The node and everything below it."""
    return [node, *(inner for part in node.parts for inner in walk(part))]


def render(node: Node) -> str:
    """The expression in its one canonical spelling."""
    return _RENDER[node.kind](node)


def _inner(node: Node, *looser: str) -> str:
    return f"({render(node)})" if node.kind in looser else render(node)


def _call(name: str, value: tuple[str, tuple[str, ...], int | None]) -> str:
    within = value[2]
    return f"{name}({value[0]}{'' if within is None else f', within = {_duration(within)}'})"


def _duration(ms: int) -> str:
    for unit in ("d", "h", "m"):
        if ms % UNITS_MS[unit] == 0:
            return f"{ms // UNITS_MS[unit]}{unit}"
    return f"{ms // 1_000}s"


def _literal(node: Node) -> str:
    if node.type is Type.TEXT:
        return f"'{node.value}'" if '"' in node.value else f'"{node.value}"'
    if node.type is Type.TRUTH:
        return "true" if node.value else "false"
    return _duration(node.value) if node.type is Type.DURATION else str(node.value)


_RENDER: Mapping[str, Callable[[Node], str]] = {
    "and": lambda n: " and ".join(_inner(p, "or") for p in n.parts),
    "or": lambda n: " or ".join(map(render, n.parts)),
    "not": lambda n: f"not {_inner(n.parts[0], 'or', 'and')}",
    "compare": lambda n: f"{render(n.parts[0])} {n.value} {render(n.parts[1])}",
    "in": lambda n: f"{render(n.parts[0])} in [{', '.join(map(render, n.parts[1:]))}]",
    "contains": lambda n: f"{render(n.parts[0])} contains {render(n.parts[1])}",
    "unknown": lambda n: f"{render(n.parts[0])} is unknown",
    "const": _literal,
    "fact": lambda n: n.value,
    "measure": lambda n: n.value,
    "event_fact": lambda n: n.value,
    "happened": lambda n: n.value[0],
    "any": lambda n: _call("any", n.value),
    "count": lambda n: _call("count", n.value),
    "reached": lambda n: f"reached({n.value})",
}


@cache
def _parser() -> Lark:
    import lark  # noqa: PLC0415  # see parse

    return lark.Lark(_GRAMMAR, parser="lalr", propagate_positions=True, maybe_placeholders=False)


def _misread(text: str, at: int, found: str) -> Flaw:
    if at >= len(text.rstrip()):
        return Flaw(at, say("the expression ends too early"))
    return Flaw(at, say('"{found}" cannot stand here', found=found))


class _Checker:
    def __init__(self, names: Names) -> None:
        self.names = names

    def check(self, tree: Tree[Token]) -> Node:
        at = tree.meta.start_pos if not tree.meta.empty else 0
        found: Node = getattr(self, f"_{tree.data}")(at, tree.children)
        return found

    def _truths(self, children: list[Any]) -> tuple[Node, ...]:
        return tuple(self._truth(child) for child in children)

    def _truth(self, child: Any) -> Node:
        node = self.check(child)
        if node.type is not Type.TRUTH:
            raise Flaw(node.at, say("{part} is a {type}, not a condition", part=render(node), type=node.type))
        return node

    def _either(self, at: int, children: list[Any]) -> Node:
        return Node("or", Type.TRUTH, self._truths(children), None, at)

    def _both(self, at: int, children: list[Any]) -> Node:
        return Node("and", Type.TRUTH, self._truths(children), None, at)

    def _no(self, at: int, children: list[Any]) -> Node:
        return Node("not", Type.TRUTH, self._truths(children), None, at)

    def _compare(self, at: int, children: list[Any]) -> Node:
        left, right = self.check(children[0]), self.check(children[2])
        sign = "=" if children[1] == "==" else str(children[1])
        left, right = _alike(left, right)
        if sign not in {"=", "!="} and left.type in {Type.TEXT, Type.TRUTH}:
            raise Flaw(int(children[1].start_pos), say("a {type} has no order", type=left.type), say("use = or !="))
        return Node("compare", Type.TRUTH, (left, right), sign, at)

    def _among(self, at: int, children: list[Any]) -> Node:
        left = self.check(children[0])
        items = [_alike(left, self.check(child))[1] for child in children[1].children]
        for item in items:
            if item.kind != "const":
                raise Flaw(item.at, say("a list holds values, and {part} is none", part=render(item)))
        return Node("in", Type.TRUTH, (left, *items), None, at)

    def _not_among(self, at: int, children: list[Any]) -> Node:
        return Node("not", Type.TRUTH, (self._among(at, children),), None, at)

    def _contains(self, at: int, children: list[Any]) -> Node:
        left, right = self.check(children[0]), self.check(children[1])
        for side in (left, right):
            if side.type is not Type.TEXT:
                raise Flaw(side.at, say("{part} is a {type}, not a text", part=render(side), type=side.type))
        if right.kind != "const":
            raise Flaw(right.at, say("a text in quotes must stand here"))
        return Node("contains", Type.TRUTH, (left, right), None, at)

    def _unknown(self, at: int, children: list[Any]) -> Node:
        left = self.check(children[0])
        if left.kind not in {"fact", "event_fact"}:
            raise Flaw(left.at, say("{part} is never unknown", part=render(left)))
        return Node("unknown", Type.TRUTH, (left,), None, at)

    def _known(self, at: int, children: list[Any]) -> Node:
        return Node("not", Type.TRUTH, (self._unknown(at, children),), None, at)

    def _number(self, at: int, children: list[Any]) -> Node:
        text = str(children[0])
        return Node("const", Type.NUMBER, (), float(text) if "." in text else int(text), at)

    def _duration(self, at: int, children: list[Any]) -> Node:
        return Node("const", Type.DURATION, (), duration_ms(str(children[0])), at)

    def _string(self, at: int, children: list[Any]) -> Node:
        return Node("const", Type.TEXT, (), str(children[0])[1:-1], at)

    def _true(self, at: int, _children: list[Any]) -> Node:
        return Node("const", Type.TRUTH, (), value=True, at=at)

    def _false(self, at: int, _children: list[Any]) -> Node:
        return Node("const", Type.TRUTH, (), value=False, at=at)

    def _name(self, at: int, children: list[Any]) -> Node:
        name = str(children[0])
        if self.names.is_event:
            if name not in EVENT_FACTS:
                known = list(EVENT_FACTS)
                raise Flaw(at, say('unknown fact "{name}" of an event', name=name), nearest(name, known))
            return Node("event_fact", EVENT_FACTS[name][0], (), name, at)
        if name in MEASURES:
            return Node("measure", MEASURES[name], (), name, at)
        if name in FACTS:
            return Node("fact", FACTS[name].type, (), name, at)
        kinds = kinds_of(name)
        if kinds is not None:
            return Node("happened", Type.TRUTH, (), (name, kinds, None), at)
        if name in _FUNCTIONS:
            raise Flaw(at, say("{name} needs something in brackets", name=name), say("write {name}(…)", name=name))
        raise Flaw(at, say('unknown fact "{name}"', name=name), nearest(name, _all_names()))

    def _call(self, at: int, children: list[Any]) -> Node:
        name, arguments = str(children[0]), children[1:]
        if name not in _FUNCTIONS or self.names.is_event:
            raise Flaw(at, say('unknown function "{name}"', name=name), nearest(name, _FUNCTIONS))
        if not arguments:
            raise Flaw(at, say("{name} needs something in brackets", name=name))
        first = _bare_name(arguments[0])
        if name == "reached":
            stages = self.names.stages
            if first not in stages:
                raise Flaw(_start(arguments[0]), say('unknown stage "{name}"', name=first), nearest(first, stages))
            return Node("reached", Type.TRUTH, (), first, at)
        kinds = kinds_of(first)
        if kinds is None:
            known = (*GROUPS, *KINDS)
            raise Flaw(_start(arguments[0]), say('unknown event "{name}"', name=first), nearest(first, known))
        within = None
        for argument in arguments[1:]:
            within = self._within(name, argument)
        type_ = Type.TRUTH if name == "any" else Type.NUMBER
        return Node(name, type_, (), (first, kinds, within), at)

    def _within(self, function: str, argument: Any) -> int:
        at = _start(argument)
        if argument.data != "compare" or argument.children[1] != "=" or _bare_name(argument.children[0]) != "within":
            raise Flaw(at, say("{name} takes an event and within = a duration", name=function))
        value = self.check(argument.children[2])
        if value.type is not Type.DURATION:
            raise Flaw(value.at, say("within takes a duration"), say("write 30d, 24h or 90m"))
        return int(value.value)


_FUNCTIONS = ("any", "count", "reached")


def _all_names() -> tuple[str, ...]:
    return (*FACTS, *MEASURES, *GROUPS, *KINDS)


def _start(tree: Any) -> int:
    return tree.meta.start_pos if not tree.meta.empty else 0


def _bare_name(tree: Any) -> str:
    return str(tree.children[0]) if tree.data == "name" else ""


def _alike(left: Node, right: Node) -> tuple[Node, Node]:
    """Both sides of a comparison, where they can be compared; a number beside money becomes money."""
    if {left.type, right.type} == {Type.MONEY, Type.NUMBER}:
        if left.type is Type.NUMBER and left.kind == "const":
            return left._replace(type=Type.MONEY), right
        if right.type is Type.NUMBER and right.kind == "const":
            return left, right._replace(type=Type.MONEY)
    if left.type is not right.type:
        message = say(
            "{left} is a {left_type} and cannot be compared with {right}, a {right_type}",
            left=render(left), left_type=left.type, right=render(right), right_type=right.type,
        )  # fmt: skip
        raise Flaw(right.at, message)
    if left.type is Type.DURATION:
        raise Flaw(left.at, say("durations stand behind within only"))
    for fact, other in ((left, right), (right, left)):
        options = FACTS[fact.value].options if fact.kind == "fact" else ()
        if options and other.kind == "const" and other.value not in options:
            message = say('{fact} is never "{value}"', fact=fact.value, value=other.value)
            choice = nearest(other.value, options) or say("one of {options}", options=", ".join(options))
            raise Flaw(other.at, message, choice)
    return left, right


def scaled(node: Node) -> Any:
    """The value of a constant in the form in which facts are kept: money in ten-thousandths, texts without case."""
    if node.type is Type.MONEY:
        exact = Fraction(str(node.value)) * MONEY_SCALE
        return int(exact) if exact.denominator == 1 else float(exact)
    return node.value.casefold() if node.type is Type.TEXT else node.value
