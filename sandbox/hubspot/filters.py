"""Search requests compiled to SQL over the vault's `hubspot` table.

Search guide (2026-03): operators, limits, case; read 2026-11-21. What was observed at live accounts is kept: contacts'
`hs_lastmodifieddate` is defined and matches nothing, silently; a last-modified filter from the epoch is answered with a
500. A value that is not there matches no comparison, NEQ and NOT_IN included (a choice: the guide is silent).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot.answers import Refusal, invalid
from sandbox.hubspot.catalogue import OBJECT_NAMES, SEARCHED_TEXT
from sandbox.hubspot.records import marks
from sandbox.hubspot.values import instant_ms
from sandbox.vault import modified_property

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.hubspot.schema import Property

GROUP_LIMIT: Final = 5
GROUP_FILTER_LIMIT: Final = 6
FILTER_LIMIT: Final = 18
_COMPARISONS: Final = {"LT": "<", "LTE": "<=", "GT": ">", "GTE": ">=", "EQ": "=", "NEQ": "<>"}
_LISTS: Final = {"IN": "IN", "NOT_IN": "NOT IN"}
_TOKENS: Final = {"CONTAINS_TOKEN": "LIKE", "NOT_CONTAINS_TOKEN": "NOT LIKE"}
_SEPARATORS: Final = "@.-_,/():;+'\"&"
_PRESENCE: Final = frozenset({"HAS_PROPERTY", "NOT_HAS_PROPERTY"})
_FROM: Final = frozenset({"GT", "GTE", "BETWEEN"})
_ASSOCIATIONS: Final = "associations."
_DIRECTIONS: Final = {"ASCENDING": "ASC", "DESCENDING": "DESC"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Where:
    """A condition on rows of `hubspot`, with its parameters."""

    sql: str
    params: tuple[object, ...] = ()
    columns: frozenset[str] = frozenset()
    """What it looks at: id, modified, created, or the names of properties, for which the record itself is needed."""

    @property
    def is_covered(self) -> bool:
        """Whether the index of last modifications can answer it."""
        return self.columns <= {"id", "modified"}


_NOTHING: Final = Where(sql="id < 0", columns=frozenset({"id"}))
_ANYTHING: Final = Where(sql="id >= 0", columns=frozenset({"id"}))


@dataclass(slots=True)
class Compiler:
    """Turns one object's filters, query and sort into SQL."""

    object_: str
    definitions: Mapping[str, Property]
    _columns: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self._columns = {
            "hs_object_id": "id",
            modified_property(self.object_): "modified",
            "createdate": "created",
            "hs_createdate": "created",
        }

    def where(self, groups: Sequence[Mapping[str, Any]], query: str = "") -> Where:
        """The condition that any of the groups, each with all its filters, and the query set."""
        filters = [group.get("filters") or [] for group in groups]
        if len(groups) > GROUP_LIMIT:
            raise _too_many(f"{len(groups)} filter groups; at most {GROUP_LIMIT}")
        if any(len(group) > GROUP_FILTER_LIMIT for group in filters):
            raise _too_many(f"more than {GROUP_FILTER_LIMIT} filters in a group")
        if sum(map(len, filters)) > FILTER_LIMIT:
            raise _too_many(f"more than {FILTER_LIMIT} filters")
        compiled = [[self.filter(one) for one in group] for group in filters]
        parts = [" AND ".join(one.sql for one in group) or "1" for group in compiled]
        wheres = [one for group in compiled for one in group]
        sql = " OR ".join(f"({part})" for part in parts) or "1"
        if query.strip():
            text = self._query(query)
            sql = f"({sql}) AND {text.sql}"
            wheres.append(text)
        return Where(
            sql=f"({sql})",
            params=tuple(param for one in wheres for param in one.params),
            columns=frozenset().union(*(one.columns for one in wheres)),
        )

    def order(self, sorts: Sequence[Any]) -> str:
        """What to sort by: one rule, else ids, which rise with creation and break ties."""
        if len(sorts) > 1:
            raise invalid("Only one sort is supported.", code="TOO_MANY_SORTS")
        if not sorts:
            return "id ASC"
        name, direction = _sort(sorts[0])
        column = self._columns.get(name)
        if column is None:
            definition = self._definition(name)
            column = self._number(name) if definition.type == "number" else f"lower({self._text(name)})"
        return f"id {direction}" if column == "id" else f"{column} {direction}, id"

    def filter(self, raw: Mapping[str, Any]) -> Where:
        """The condition that one filter sets."""
        name, operator = str(raw.get("propertyName") or ""), str(raw.get("operator") or "")
        if name.startswith(_ASSOCIATIONS):
            return self._association(name.removeprefix(_ASSOCIATIONS), operator, raw)
        definition = self._definition(name)
        if self.object_ == "contacts" and name == "hs_lastmodifieddate":
            return _NOTHING
        if operator in _PRESENCE:
            return self._presence(name, is_wanted=operator == "HAS_PROPERTY")
        if operator in _TOKENS:
            token = str(_given(raw, "value", name))
            return _on_body(name, f"{_spaced(self._text(name))} {_TOKENS[operator]} ?", _pattern(token))
        return self._comparison(definition, operator, raw)

    def _presence(self, name: str, *, is_wanted: bool) -> Where:
        if name in self._columns:
            return _ANYTHING if is_wanted else _NOTHING
        return _on_body(name, f"{self._text(name)} IS {'NOT ' if is_wanted else ''}NULL")

    def _comparison(self, definition: Property, operator: str, raw: Mapping[str, Any]) -> Where:
        name = definition.name
        if operator in _COMPARISONS:
            values = [self._value(definition, _given(raw, "value", name))]
            right = f"{_COMPARISONS[operator]} ?"
        elif operator == "BETWEEN":
            values = [self._value(definition, _given(raw, key, name)) for key in ("value", "highValue")]
            right = "BETWEEN ? AND ?"
        elif operator in _LISTS:
            given = raw.get("values")
            if not isinstance(given, list) or not given:
                raise invalid(f"operator {operator} requires values", context={"propertyName": [name]})
            # Lists hold lower-case values for text: one that is not is compared as it stands, and matches nothing.
            values = [self._value(definition, one, is_folded=False) for one in given]
            right = f"{_LISTS[operator]} ({marks(len(values))})"
        else:
            raise invalid(f"Invalid operator: {operator}", code="INVALID_OPERATOR", context={"propertyName": [name]})
        column = self._columns.get(name)
        if column is None:
            return _on_body(name, f"{self._operand(definition, operator)} {right}", *values)
        if column == "modified" and operator in _FROM and values[0] == 0:
            raise Refusal(500, "internal error", category="INTERNAL_ERROR")
        return Where(sql=f"{column} {right}", params=tuple(values), columns=frozenset({column}))

    def _definition(self, name: str) -> Property:
        definition = self.definitions.get(name)
        if definition is None:
            message = f'Property "{name}" does not exist'
            raise invalid(message, code="PROPERTY_DOESNT_EXIST", context={"propertyName": [name]})
        return definition

    @staticmethod
    def _text(name: str) -> str:
        return f"NULLIF(json_extract(body, '$.{name}'), '')"

    def _number(self, name: str) -> str:
        return f"CAST({self._text(name)} AS REAL)"

    def _operand(self, definition: Property, operator: str) -> str:
        name = definition.name
        text = self._text(name)
        if definition.type == "number":
            return self._number(name)
        if definition.type in ("date", "datetime"):
            # Days since the Julian epoch carry milliseconds to spare; values may also be epochs.
            return (
                f"CASE WHEN {text} NOT GLOB '*[^0-9]*' THEN CAST({text} AS INTEGER)"
                f" ELSE CAST(round((julianday({text}) - 2440587.5) * 86400000.0) AS INTEGER) END"
            )
        if operator in ("EQ", "IN"):
            text = f"json_extract(body, '$.{name}')"  # as the index of e-mails has it; nothing given is empty
        return text if definition.type in ("enumeration", "bool") else f"lower({text})"

    def _value(self, definition: Property, raw: Any, *, is_folded: bool = True) -> str | int | float:
        text = str(raw).lower() if isinstance(raw, bool) else str(raw)
        name = definition.name
        if name == "hs_object_id" or definition.type == "number":
            if not re.fullmatch(r"-?\d+(\.\d+)?", text):
                raise _bad_value(name, text)
            return float(text) if "." in text or name != "hs_object_id" else int(text)
        if definition.type in ("date", "datetime"):
            at = instant_ms(text)
            if at is None:
                raise _bad_value(name, text)
            return at
        return text.lower() if is_folded and definition.type not in ("enumeration", "bool") else text

    def _association(self, to_object: str, operator: str, raw: Mapping[str, Any]) -> Where:
        target = OBJECT_NAMES.get(to_object)
        texts = raw.get("values") if operator == "IN" else [_given(raw, "value", f"associations.{to_object}")]
        if (
            target is None
            or operator not in ("EQ", "IN")
            or not texts
            or not all(str(one).isdecimal() for one in texts)
        ):
            raise invalid(f"Invalid filter on associations.{to_object}", code="INVALID_FILTER")
        return Where(
            sql=(
                "id IN (SELECT to_id FROM hubspot_association WHERE from_object = ?"  # noqa: S608  # no text of the request
                f" AND from_id IN ({marks(len(texts))}) AND to_object = ?)"
            ),
            params=(target, *(int(one) for one in texts), self.object_),
            columns=frozenset({"id"}),
        )

    def _query(self, query: str) -> Where:
        names = [name for name in SEARCHED_TEXT.get(self.object_, ()) if name in self.definitions]
        joined = " || ' ' || ".join(f"coalesce(lower({self._text(name)}), '')" for name in names) or "''"
        words = query.lower().split()
        sql = " AND ".join(f"({joined}) LIKE ? ESCAPE '\\'" for _ in words)
        return _on_body("", f"({sql})", *(f"%{_escaped(word)}%" for word in words))


def _on_body(name: str, sql: str, *params: object) -> Where:
    return Where(sql=sql, params=params, columns=frozenset({name or "body"}))


def _sort(raw: Any) -> tuple[str, str]:
    """A sort rule, an object or (as the specification has it) a name with a minus for descending."""
    if isinstance(raw, str):
        return raw.removeprefix("-"), "DESC" if raw.startswith("-") else "ASC"
    direction = _DIRECTIONS.get(str(raw.get("direction") or "ASCENDING"))
    if direction is None:
        raise invalid("Invalid sort direction", code="INVALID_SORT")
    return str(raw.get("propertyName") or ""), direction


def _given(raw: Mapping[str, Any], key: str, name: str) -> Any:
    value = raw.get(key)
    if value is None or value == "":
        raise invalid(f"{key} of the filter on {name} is missing", context={"propertyName": [name]})
    return value


def _too_many(what: str) -> Refusal:
    return invalid(f"There was a problem with the request: {what}", code="TOO_MANY_FILTERS")


def _bad_value(name: str, text: str) -> Refusal:
    return invalid(f"{text} is no value of {name}", code="INVALID_FILTER_VALUE", context={"propertyName": [name]})


def _spaced(text: str) -> str:
    """A text as words between single separators, one before and one after."""
    sql = f"lower({text})"
    for separator in _SEPARATORS:
        quoted = separator.replace("'", "''")
        sql = f"replace({sql}, '{quoted}', ' ')"
    return f"' ' || {sql} || ' '"


def _pattern(token: str) -> str:
    """A token, in which `*` stands for any text, as a LIKE pattern over words."""
    words = token.lower()
    for separator in _SEPARATORS:
        words = words.replace(separator, " ")
    head = "%" if words.startswith("*") else "% "
    tail = "%" if words.endswith("*") else " %"
    return f"{head}{words.strip('* ').replace('*', '%')}{tail}"


def _escaped(word: str) -> str:
    return re.sub(r"([%_\\])", r"\\\1", word)
