"""Messages as the store keeps them: a sentence within a sentence stays one, so that all of it can be translated."""

from __future__ import annotations

from typing import Any

import orjson

from mapping.text import Message


def dump(message: Message) -> str:
    """The message as a JSON text."""
    return orjson.dumps(message, default=str).decode()  # orjson writes a dataclass, also an inner one, as an object


def load(text: str) -> Message:
    """The message of a JSON text that `dump` wrote."""
    return _message(orjson.loads(text))


def dump_values(message: Message) -> str:
    """What stands in the places of the message, for those who keep its template in a column of its own."""
    return orjson.dumps(message.values, default=str).decode()


def load_values(text: str) -> dict[str, Any]:
    """What `dump_values` wrote."""
    return {name: _value(value) for name, value in orjson.loads(text).items()}


def _message(said: dict[str, Any]) -> Message:
    return Message(said["template"], {name: _value(value) for name, value in said["values"].items()})


def _value(value: Any) -> Any:
    return _message(value) if isinstance(value, dict) and value.keys() == {"template", "values"} else value
