"""What a written property value must be, and what it becomes: HubSpot keeps all values as strings."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from sandbox.hubspot.answers import BAD_REQUEST, Json, Refusal, property_stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sandbox.hubspot.schema import Property

DAY_MS: Final = 86_400_000
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_EPOCH: Final = re.compile(r"-?\d+")
_EMAIL: Final = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


class Problem(NamedTuple):
    """Why one property value is refused."""

    name: str
    code: str
    message: str

    def row(self, portal_id: int) -> Json:
        """As the error's message embeds it."""
        return {
            "isValid": False,
            "message": self.message,
            "error": self.code,
            "name": self.name,
            "localizedErrorMessage": self.message,
            "portalId": portal_id,
        }

    def detail(self) -> Json:
        """As the error's list has it."""
        return {"message": self.message, "code": self.code, "context": {"propertyName": [self.name]}}


def describe(problems: Sequence[Problem], portal_id: int) -> str:
    """The message of a refusal for these."""
    rows = orjson.dumps([problem.row(portal_id) for problem in problems]).decode()
    return f"Property values were not valid: {rows}"


def refuse(problems: Sequence[Problem], portal_id: int) -> Refusal:
    """The refusal of a whole request for these."""
    return Refusal(BAD_REQUEST, describe(problems, portal_id), errors=[problem.detail() for problem in problems])


def instant_ms(text: str) -> int | None:
    """An instant or a date in milliseconds, from ISO 8601 or an epoch in milliseconds; None if it is neither."""
    if _EPOCH.fullmatch(text):
        return int(text)
    try:
        instant = datetime.fromisoformat(text)
    except ValueError:
        return None
    return int((instant if instant.tzinfo else instant.replace(tzinfo=UTC)).timestamp() * 1000)


def read_value(definition: Property, raw: Any) -> str | Problem:
    """The value as it is stored, "" for a cleared one, or why it is refused."""
    text = "" if raw is None else str(raw).lower() if isinstance(raw, bool) else str(raw).strip()
    if text == "":
        return ""
    if definition.type in _READERS:
        return _READERS[definition.type](definition, text)
    if definition.name == "email":
        is_email = _EMAIL.fullmatch(text) is not None
        return text.lower() if is_email else Problem("email", "INVALID_EMAIL", f"Email address {text} is invalid")
    return text


def _read_number(definition: Property, text: str) -> str | Problem:
    is_number = _NUMBER.fullmatch(text) is not None
    return text if is_number else Problem(definition.name, "INVALID_DOUBLE", f"{text} was not a valid number.")


def _read_instant(definition: Property, text: str) -> str | Problem:
    at = instant_ms(text)
    return property_stamp(at) if at is not None else Problem(definition.name, "INVALID_LONG", f"{text} is no instant.")


def _read_date(definition: Property, text: str) -> str | Problem:
    at = instant_ms(text)
    if at is None or at % DAY_MS:
        return Problem(definition.name, "INVALID_DATE", f"{text} is at no midnight UTC")
    return datetime.fromtimestamp(at // 1000, UTC).date().isoformat()


def _read_option(definition: Property, text: str) -> str | Problem:
    if definition.has_external_options:
        return text
    allowed = [option.value for option in definition.options] or ["true", "false"]
    values = text.split(";") if definition.field_type == "checkbox" else [text]
    if all(value in allowed for value in values):
        return text
    message = f"{text} was not one of the allowed options: [{', '.join(allowed)}]"
    return Problem(definition.name, "INVALID_OPTION", message)


_READERS: Final[dict[str, Callable[[Property, str], str | Problem]]] = {
    "number": _read_number,
    "datetime": _read_instant,
    "date": _read_date,
    "bool": _read_option,
    "enumeration": _read_option,
}


def check_values(
    definitions: Mapping[str, Property],
    properties: Mapping[str, Any],
    rules: Mapping[str, list[dict[str, Any]]],
) -> tuple[dict[str, str], list[Problem]]:
    """The values as they are stored, and all problems with them."""
    clean: dict[str, str] = {}
    problems: list[Problem] = []
    for name, raw in properties.items():
        definition = definitions.get(name)
        if definition is None:
            problems.append(Problem(name, "PROPERTY_DOESNT_EXIST", f'Property "{name}" does not exist'))
            continue
        if definition.is_read_only or definition.is_calculated:
            message = f'"{name}" is a read only property; its value cannot be set.'
            problems.append(Problem(name, "READ_ONLY_VALUE", message))
            continue
        value = read_value(definition, raw)
        if isinstance(value, Problem):
            problems.append(value)
        else:
            clean[name] = value
            problems.extend(_broken(name, value, rules.get(name, ())))
    return clean, problems


def _broken(name: str, value: str, rules: Sequence[Mapping[str, Any]]) -> list[Problem]:
    return [
        Problem(name, str(rule["ruleType"]), f"{name} breaks the validation rule {rule['ruleType']}")
        for rule in rules
        if value and not _holds(str(rule["ruleType"]), [str(one) for one in rule.get("ruleArguments", ())], value)
    ]


def _holds(rule: str, arguments: Sequence[str], value: str) -> bool:
    argument = arguments[0] if arguments else ""
    if rule == "MAX_NUMBER":
        return float(value) <= float(argument)
    if rule == "MIN_NUMBER":
        return float(value) >= float(argument)
    if rule == "MAX_LENGTH":
        return len(value) <= int(argument)
    if rule == "MIN_LENGTH":
        return len(value) >= int(argument)
    if rule == "REGEX":
        return re.fullmatch(argument, value) is not None
    return True
