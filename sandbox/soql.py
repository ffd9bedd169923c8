"""A subset of SOQL, parsed; `soql_sql` makes SQL of it.

SELECT with fields or aggregate functions, WHERE (=, !=, <>, <, <=, >, >=, LIKE, IN, NOT IN, AND, OR, NOT, parentheses),
ORDER BY, LIMIT, OFFSET. Source: SOQL and SOSL reference; read 2026-11-21. Refused as MALFORMED_QUERY: relationship
queries, GROUP BY, date literals such as TODAY.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import Any, NamedTuple

from lark import Lark, Token, Transformer
from lark.exceptions import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

_GRAMMAR = r"""
query: SELECT items FROM NAME where? ordering? limit? offset?
items: item ("," item)*
?item: PATH -> column
     | NAME -> column
     | NAME "(" argument? ")" alias? -> function
argument: NAME
alias: NAME
where: WHERE condition
?condition: simple
     | simple (AND simple)+ -> every
     | simple (OR simple)+ -> some
?simple: "(" condition ")"
     | NOT simple -> negation
     | comparison
comparison: path OPERATOR literal -> compare
     | path LIKE STRING -> like
     | path IN "(" literal ("," literal)* ")" -> within
     | path NOT IN "(" literal ("," literal)* ")" -> outside
?path: PATH -> column
     | NAME -> column
literal: STRING | DATETIME | DATE | NUMBER | TRUE | FALSE | NULL
ordering: ORDER BY order ("," order)*
order: path [ASC | DESC] [NULLS (FIRST | LAST)]
limit: LIMIT NUMBER
offset: OFFSET NUMBER

SELECT.3: /select\b/i
FROM.3: /from\b/i
WHERE.3: /where\b/i
AND.3: /and\b/i
OR.3: /or\b/i
NOT.3: /not\b/i
IN.3: /in\b/i
LIKE.3: /like\b/i
ORDER.3: /order\b/i
BY.3: /by\b/i
ASC.3: /asc\b/i
DESC.3: /desc\b/i
NULLS.3: /nulls\b/i
FIRST.3: /first\b/i
LAST.3: /last\b/i
LIMIT.3: /limit\b/i
OFFSET.3: /offset\b/i
TRUE.3: /true\b/i
FALSE.3: /false\b/i
NULL.3: /null\b/i
OPERATOR: "!=" | "<>" | "<=" | ">=" | "=" | "<" | ">"
STRING: /'(?:[^'\\]|\\.)*'/
DATETIME.2: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,9})?(?:Z|[+-]\d\d:?\d\d)/
DATE.1: /\d{4}-\d\d-\d\d(?!T)/
NUMBER: /[+-]?\d+(?:\.\d+)?/
PATH.1: /[A-Za-z]\w*(?:\.[A-Za-z]\w*)+/
NAME: /(?!(?:select|from|where|and|or|not|in|like|order|limit|offset)\b)[a-z]\w*/i
%import common.WS
%ignore WS
"""

_MAX_LENGTH = 100_000
_EXCERPT = 60
"""How much of the statement an error shows before the fault; Salesforce shows a few lines about it."""

_WORDS = {"TRUE": True, "FALSE": False, "NULL": None}
_KINDS = {"STRING": "string", "NUMBER": "number", "DATETIME": "datetime", "DATE": "date", "NULL": "null"}


class SoqlError(Exception):
    """The statement is refused; `code` and the message are what Salesforce would answer."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


class Named(NamedTuple):
    """A name in the statement and where it stands."""

    name: str
    at: int


class Literal(NamedTuple):
    """A value in the statement: its kind (string, number, datetime, date, boolean, null) and text."""

    kind: str
    value: Any
    at: int


class Function(NamedTuple):
    """An aggregate in the select list; `argument` is None in COUNT()."""

    name: Named
    argument: Named | None
    alias: str | None


class Compare(NamedTuple):
    """A field compared with one value; LIKE is an operator too."""

    field: Named
    operator: str
    value: Literal


class Within(NamedTuple):
    """A field that is, or is not, one of some values."""

    field: Named
    values: tuple[Literal, ...]
    is_negated: bool


class Group(NamedTuple):
    """Conditions joined by AND or OR."""

    joined_by: str
    conditions: tuple[Condition, ...]


class Negation(NamedTuple):
    """The opposite of a condition."""

    condition: Condition


Condition = Compare | Within | Group | Negation


class Order(NamedTuple):
    """One key to sort by."""

    field: Named
    is_descending: bool
    nulls: str


class Query(NamedTuple):
    """A parsed statement."""

    text: str
    entity: Named
    items: tuple[Named | Function, ...]
    where: Condition | None
    order: tuple[Order, ...]
    limit: int | None
    offset: int


class _Builder(Transformer[Token, Any]):
    """Turns the parse tree into the values above."""

    def column(self, children: list[Token]) -> Named:
        return Named(str(children[0]), children[0].start_pos or 0)

    def argument(self, children: list[Token]) -> Named:
        return Named(str(children[0]), children[0].start_pos or 0)

    def alias(self, children: list[Token]) -> str:
        return str(children[0])

    def function(self, children: list[Any]) -> Function:
        name, *rest = children
        argument = next((child for child in rest if isinstance(child, Named)), None)
        alias = next((child for child in rest if isinstance(child, str)), None)
        return Function(Named(str(name), name.start_pos or 0), argument, alias)

    def literal(self, children: list[Token]) -> Literal:
        token = children[0]
        at = token.start_pos or 0
        if token.type in ("TRUE", "FALSE"):
            return Literal("boolean", _WORDS[token.type], at)
        return Literal(_KINDS[token.type], str(token), at)

    def compare(self, children: list[Any]) -> Compare:
        return Compare(children[0], str(children[1]), children[2])

    def like(self, children: list[Any]) -> Compare:
        return Compare(children[0], "LIKE", Literal("string", str(children[2]), children[2].start_pos))

    def within(self, children: list[Any]) -> Within:
        return Within(children[0], tuple(children[2:]), is_negated=False)

    def outside(self, children: list[Any]) -> Within:
        return Within(children[0], tuple(children[3:]), is_negated=True)

    def negation(self, children: list[Any]) -> Negation:
        return Negation(children[1])

    def every(self, children: list[Any]) -> Group:
        return Group("AND", tuple(child for child in children if not isinstance(child, Token)))

    def some(self, children: list[Any]) -> Group:
        return Group("OR", tuple(child for child in children if not isinstance(child, Token)))

    def order(self, children: list[Any]) -> Order:
        words = {child.type for child in children[1:] if child is not None}
        return Order(children[0], "DESC" in words, "LAST" if "LAST" in words else "FIRST")


@cache
def _grammar() -> Lark:
    return Lark(_GRAMMAR, start="query", parser="lalr", lexer="contextual", maybe_placeholders=False)


@lru_cache(maxsize=256)
def parse(text: str) -> Query:
    """The statement's meaning, before any object's fields are known; raises SoqlError MALFORMED_QUERY."""
    if len(text) > _MAX_LENGTH:
        raise SoqlError("MALFORMED_QUERY", f"SOQL statements can not be longer than {_MAX_LENGTH} characters.")
    try:
        tree = _grammar().parse(text)
    except UnexpectedInput as error:
        raise SoqlError("MALFORMED_QUERY", _unexpected(text, error)) from None
    items: tuple[Named | Function, ...] = ()
    where: Condition | None = None
    order: tuple[Order, ...] = ()
    numbers = {"limit": -1, "offset": 0}
    from_: Token | None = None
    for child in _Builder().transform(tree).children:
        if isinstance(child, Token):
            from_ = child if child.type == "NAME" else from_
        elif child.data == "items":
            items = tuple(child.children)
        elif child.data == "where":
            where = child.children[1]
        elif child.data == "ordering":
            order = tuple(child.children[2:])
        else:
            numbers[child.data] = _whole(text, child.children[1])
    assert from_ is not None
    limit = None if numbers["limit"] < 0 else numbers["limit"]
    return Query(text, Named(str(from_), from_.start_pos or 0), items, where, order, limit, numbers["offset"])


def _whole(text: str, token: Token) -> int:
    if not token.isdigit():
        raise SoqlError("MALFORMED_QUERY", pointed(text, token.start_pos or 0, f"unexpected token: '{token}'"))
    return int(token)


def _unexpected(text: str, error: UnexpectedInput) -> str:
    if isinstance(error, UnexpectedToken):
        is_end = error.token.type == "$END"
        at = len(text) if is_end else error.token.start_pos or 0
        return pointed(text, at, f"unexpected token: '{'<EOF>' if is_end else error.token}'")
    at = error.pos_in_stream or 0 if isinstance(error, UnexpectedCharacters) else len(text)
    rest = re.match(r"\w+|\S", text[at:])
    return pointed(text, at, f"unexpected token: '{rest.group(0) if rest else '<EOF>'}'")


def pointed(text: str, at: int, message: str) -> str:
    """A message below the part of the statement that it is about, as Salesforce writes it."""
    row = text.count("\n", 0, at) + 1
    start = text.rfind("\n", 0, at) + 1
    end = text.find("\n", at)
    line = text[start : len(text) if end < 0 else end]
    column = at - start
    cut = max(0, column - _EXCERPT)
    shown = line[cut : column + _EXCERPT]
    return f"\n{shown}\n{' ' * (column - cut)}^\nERROR at Row:{row}:Column:{column + 1}\n{message}"
