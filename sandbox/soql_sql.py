"""Parsed SOQL as SQL over the vault's JSON bodies.

Meaning follows Salesforce, not SQL: text compares without case, `!=` and NOT IN admit empty values, '' is empty, AND
and OR do not mix without parentheses, empty values sort first in either direction.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sandbox.ids import salesforce_id18
from sandbox.soql import Function, Group, Named, Negation, SoqlError, Within, pointed

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sandbox.soql import Compare, Condition, Literal, Order, Query

NUMERIC = frozenset({"int", "double", "currency", "percent"})
_IDS = frozenset({"id", "reference"})
_NO_TEXT = NUMERIC | _IDS | {"datetime", "date", "boolean"}
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t", "b": "\b", "f": "\f"}
_ID_LENGTHS = (15, 18)
_MAX_OFFSET = 2_000


class Column(NamedTuple):
    """One field of an object as SOQL may name it and SQL reads it."""

    name: str
    type: str
    sql: str
    is_stamp: bool = False
    """Whether `sql` is a vault column in epoch milliseconds, not text in a body."""
    is_nullable: bool = True
    is_filterable: bool = True


class Selection(NamedTuple):
    """A compiled statement: SQL conditions over the vault's `salesforce` table, without the object's own."""

    entity: str
    columns: tuple[str, ...]
    aggregates: tuple[tuple[str, str], ...]
    """(name in the answer, SQL) of each function; COUNT() alone has none and `is_count`."""
    is_count: bool
    where: str
    params: tuple[object, ...]
    order: str
    limit: int | None
    offset: int
    is_windowed: bool
    """Whether it filters on a stamp, as replication does."""


def column_map(columns: Iterable[Column]) -> dict[str, Column]:
    """The columns by lower-case name, as `compile_query` takes them."""
    return {column.name.lower(): column for column in columns}


def compile_query(query: Query, object_: str, columns: Mapping[str, Column]) -> Selection:
    """The statement as SQL over the fields of its object, keyed by lower-case name; raises SoqlError."""
    if query.offset > _MAX_OFFSET:
        raise SoqlError("NUMBER_OUTSIDE_VALID_RANGE", f"Maximum SOQL offset allowed is {_MAX_OFFSET}")
    return _Compiler(query, object_, columns).selection()


class _Compiler:
    """One statement being compiled; collects its parameters in the order of their question marks."""

    def __init__(self, query: Query, object_: str, columns: Mapping[str, Column]) -> None:
        self._query = query
        self._object = object_
        self._columns = columns
        self._params: list[object] = []
        self._is_windowed = False

    def selection(self) -> Selection:
        query = self._query
        functions = [item for item in query.items if isinstance(item, Function)]
        if functions and len(functions) != len(query.items):
            plain = next(item for item in query.items if isinstance(item, Named))
            raise self._refused(plain.at, f"Field must be grouped or aggregated: {plain.name}", "MALFORMED_QUERY")
        names = [self._column(item).name for item in query.items if isinstance(item, Named)]
        self._refuse_doubles(names)
        is_count = len(functions) == 1 and functions[0].argument is None
        aggregates = () if is_count else tuple(self._aggregate(index, item) for index, item in enumerate(functions))
        where = self._condition(query.where) if query.where is not None else "1"
        order = ", ".join(self._ordered(key) for key in query.order)
        if not any(key.field.name.lower() == "id" for key in query.order):
            order = f"{order}, id" if order else "id"
        return Selection(
            self._object, tuple(names), aggregates, is_count, where, tuple(self._params),
            order, query.limit, query.offset, self._is_windowed,
        )  # fmt: skip

    def _refuse_doubles(self, names: list[str]) -> None:
        for index, name in enumerate(names):
            if name in names[:index]:
                raise SoqlError("INVALID_FIELD", f"duplicate field selected: {name}")

    def _column(self, named: Named) -> Column:
        if "." in named.name:
            relationship = named.name.split(".", maxsplit=1)[0]
            message = f"Didn't understand relationship '{relationship}' in field path. {_BE_SURE['relationship']}"
            raise self._refused(named.at, message)
        column = self._columns.get(named.name.lower())
        if column is None:
            message = f"No such column '{named.name}' on entity '{self._object}'. {_BE_SURE['field']}"
            raise self._refused(named.at, message)
        return column

    def _aggregate(self, index: int, function: Function) -> tuple[str, str]:
        name = function.name.name.upper()
        template = _AGGREGATES.get(name)
        if template is None or function.argument is None:
            raise self._refused(function.name.at, f"unexpected token: '{function.name.name}'", "MALFORMED_QUERY")
        column = self._column(function.argument)
        return function.alias or f"expr{index}", template.format(f"json_extract(body, '$.{column.name}')")

    def _condition(self, condition: Condition) -> str:
        if isinstance(condition, Group):
            return "(" + f" {condition.joined_by} ".join(map(self._condition, condition.conditions)) + ")"
        if isinstance(condition, Negation):
            return f"NOT coalesce({self._condition(condition.condition)}, 0)"
        column = self._column(condition.field)
        if not column.is_filterable:
            message = f"field '{condition.field.name}' can not be filtered in a query call"
            raise self._refused(condition.field.at, message)
        self._is_windowed = self._is_windowed or column.is_stamp
        if isinstance(condition, Within):
            return self._within(column, condition)
        return self._compare(column, condition)

    def _compare(self, column: Column, condition: Compare) -> str:
        operator = "!=" if condition.operator == "<>" else condition.operator
        if operator == "LIKE":
            return self._like(column, condition)
        value = self._value(column, condition.value, condition.field)
        if value is None:
            return {"=": f"{column.sql} IS NULL", "!=": f"{column.sql} IS NOT NULL"}.get(operator, "0")
        self._params.append(value)
        sql = f"coalesce({column.sql}, 0)" if column.type == "boolean" else column.sql
        if operator == "!=" and column.is_nullable:
            operator = "IS NOT"
        return f"{sql} {operator} ?{_collation(column)}"

    def _like(self, column: Column, condition: Compare) -> str:
        if column.type in _NO_TEXT:
            raise self._refused(condition.field.at, "invalid operator on id field", "INVALID_QUERY_FILTER_OPERATOR")
        self._params.append(_unescape(condition.value.value, keep="%_"))
        return f"{column.sql} LIKE ? ESCAPE '\\'"

    def _within(self, column: Column, condition: Within) -> str:
        values = [self._value(column, literal, condition.field) for literal in condition.values]
        has_null = None in values
        present = [value for value in values if value is not None]
        self._params.extend(present)
        marks = ", ".join("?" * len(present))
        sql = f"{column.sql}{_collation(column)}"
        if condition.is_negated:
            null = f"{column.sql} IS NOT NULL AND " if has_null else f"{column.sql} IS NULL OR "
            return f"({null}{sql} NOT IN ({marks}))"
        return f"({column.sql} IS NULL OR {sql} IN ({marks}))" if has_null else f"{sql} IN ({marks})"

    def _value(self, column: Column, literal: Literal, field: Named) -> object:
        """The literal as the column's SQL holds it; raises where the kinds do not fit."""
        if literal.kind == "null":
            return None
        if column.type == "boolean":
            return int(bool(self._expect("boolean", column, literal, field)))
        if column.type in NUMERIC:
            return float(self._expect("number", column, literal, field))
        if column.type == "datetime":
            at = self._instant(self._expect("datetime", column, literal, field), literal)
            return int(at.timestamp() * 1000) if column.is_stamp else at.strftime("%Y-%m-%dT%H:%M:%S.000+0000")
        if column.type == "date":
            return self._expect("date", column, literal, field)
        text = _unescape(self._expect("string", column, literal, field))
        if column.type in _IDS:
            if len(text) not in _ID_LENGTHS and text:
                raise self._refused(field.at, f"invalid ID field: {text}", "INVALID_QUERY_FILTER_OPERATOR")
            text = salesforce_id18(text)
        return text or None

    def _expect(self, kind: str, column: Column, literal: Literal, field: Named) -> Any:
        if literal.kind == kind:
            return literal.value
        type_ = {"datetime": "dateTime"}.get(column.type, column.type if column.type in _NO_TEXT else "string")
        type_ = "ID" if column.type in _IDS else type_
        quotes = "should be enclosed in quotes" if kind == "string" else "should not be enclosed in quotes"
        message = f"value of filter criterion for field '{field.name}' must be of type {type_} and {quotes}"
        raise self._refused(literal.at, message)

    def _instant(self, text: str, literal: Literal) -> datetime:
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except ValueError:
            raise self._refused(literal.at, f"line {1}: invalid date: {text}", "MALFORMED_QUERY") from None

    def _ordered(self, key: Order) -> str:
        column = self._column(key.field)
        if not column.is_filterable:
            message = f"field '{key.field.name}' can not be sorted in a query call"
            raise self._refused(key.field.at, message)
        direction = " DESC" if key.is_descending else ""
        nulls = f" NULLS {key.nulls}" if column.is_nullable else ""
        return f"{column.sql}{_collation(column)}{direction}{nulls}"

    def _refused(self, at: int, message: str, code: str = "INVALID_FIELD") -> SoqlError:
        return SoqlError(code, pointed(self._query.text, at, message))


_AGGREGATES = {
    "COUNT": "count({})",
    "COUNT_DISTINCT": "count(DISTINCT {})",
    "MIN": "min({})",
    "MAX": "max({})",
    "SUM": "sum({})",
    "AVG": "avg({})",
}
_REFERENCE = "Please reference your WSDL or the describe call for the appropriate names."
_BE_SURE = {
    "field": (
        "If you are attempting to use a custom field, be sure to append the '__c' after the custom field name. "
        + _REFERENCE
    ),
    "relationship": (
        "If you are attempting to use a custom relationship, be sure to append the '__r' after the custom "
        "relationship name. " + _REFERENCE
    ),
    "object": (
        "If you are attempting to use a custom object, be sure to append the '__c' after the entity name. " + _REFERENCE
    ),
}


def unknown_object(query: Query) -> SoqlError:
    """What Salesforce answers when FROM names an object it does not have, or does not show."""
    message = f"sObject type '{query.entity.name}' is not supported. {_BE_SURE['object']}"
    return SoqlError("INVALID_TYPE", pointed(query.text, query.entity.at, message))


def _collation(column: Column) -> str:
    return "" if column.type in _NO_TEXT else " COLLATE NOCASE"


def _unescape(literal: str, keep: str = "") -> str:
    """The text between the quotes, escapes resolved; those before a character of `keep` stay, for LIKE."""

    def resolve(match: re.Match[str]) -> str:
        char = match.group(1)
        if char in keep or (keep and char == "\\"):
            return match.group(0)
        return _ESCAPES.get(char.lower(), char)

    return re.sub(r"\\(.)", resolve, literal[1:-1], flags=re.DOTALL)
