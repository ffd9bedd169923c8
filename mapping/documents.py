"""Reading a TOML document with every mistake kept, each with its line and column.

A reader never stops at a mistake: it notes a problem, answers with a default and goes on, so that a person sees all of
them at once.
"""

from __future__ import annotations

import re
import tomllib
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from mapping.errors import OperatorError, Problem
from mapping.expressions import Flaw, Names, Node, duration_ms, nearest, parse
from mapping.facts import Type
from mapping.instants import DAY_MS
from mapping.text import Message, say
from mapping.toml_lines import Lines, Path

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

IDENTIFIER = re.compile(r"[a-z][a-z0-9_]*")


class Document:
    """A TOML text, its places, and the problems found in it so far; `where` names the file."""

    def __init__(self, text: str, where: str) -> None:
        self.where = where
        self.problems: list[tuple[tuple[int, int], Problem]] = []
        try:
            data = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
            raise OperatorError([_syntax(error, where)]) from None
        self.lines = Lines(text)
        self.root = Table(self, (), data, None)

    def note(self, at: tuple[int, int], message: Message, hint: Message | None = None) -> None:
        """The document has one more problem."""
        self.problems.append((at, Problem(f"{self.where}:{at[0]}:{at[1]}", message, hint)))

    def finish(self) -> None:
        """Raise OperatorError with every problem in the order of the lines, if there is any."""
        if self.problems:
            raise OperatorError([problem for _, problem in sorted(self.problems, key=lambda found: found[0])])


class Table:
    """One table of a document. `title` says what it is to a person: `stage sal`; None for the document itself."""

    def __init__(self, document: Document, path: Path, data: dict[str, Any], title: str | None) -> None:
        self.document = document
        self.path = path
        self.data = data
        self.title = title

    def wrong(self, key: str, message: Message, hint: Message | None = None, *, offset: int | None = 0) -> None:
        """Note a problem of a value (of the key itself where `offset` is None)."""
        lines, path = self.document.lines, (*self.path, key)
        at = lines.key(path) if offset is None else lines.value(path, offset)
        self.document.note(at, say("{place}: {what}", place=self._place(key), what=message), hint)

    def _place(self, key: str) -> str:
        return f"{self.title}, {key}" if self.title else key

    def only(self, *known: str) -> None:
        """Note every key that is not among the known ones."""
        for key in self.data:
            if key not in known:
                self.wrong(key, say("unknown key"), nearest(key, known), offset=None)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.data

    def text(self, key: str, default: str = "", *, is_required: bool = False) -> str:
        """The text under a key."""
        if not self._is_there(key, is_required=is_required):
            return default
        value = self.data[key]
        if not isinstance(value, str) or not value.strip():
            self.wrong(key, say("must be a text"))
            return default
        return value

    def identifier(self, key: str, *, is_required: bool = True, reserved: Collection[str] = ()) -> str:
        """The text under a key, of small letters, digits and underscores."""
        value = self.text(key, is_required=is_required)
        if value and (not IDENTIFIER.fullmatch(value) or value in reserved):
            self.wrong(key, say('"{value}" cannot be used as a name here', value=value),
                       say("use small letters, digits and _, beginning with a letter"))  # fmt: skip
        return value

    def choice(self, key: str, choices: Collection[str], default: str) -> str:
        """One of some words."""
        value = self.text(key, default)
        if value not in choices:
            self.wrong(key, say('"{value}" is not one of {choices}', value=value, choices=", ".join(choices)),
                       nearest(value, choices))  # fmt: skip
            return default
        return value

    def whole(self, key: str, default: int | None = None, *, is_required: bool = False) -> int | None:
        """A whole number."""
        if not self._is_there(key, is_required=is_required):
            return default
        value = self.data[key]
        if not isinstance(value, int) or isinstance(value, bool):
            self.wrong(key, say("must be a whole number"))
            return default
        return value

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.data.get(key, default)
        if not isinstance(value, bool):
            self.wrong(key, say("must be true or false"))
            return default
        return value

    def duration(self, key: str, default: int | None = None, *, is_required: bool = False) -> int | None:
        """A duration in milliseconds."""
        if not self._is_there(key, is_required=is_required):
            return default
        value = self.data[key]
        found = duration_ms(value) if isinstance(value, str) else None
        if not found:
            self.wrong(key, say("must be a duration"), say('write "30d", "24h" or "90m"'))
            return default
        return found

    def days(self, key: str) -> int | None:
        """A duration of whole days, in days."""
        found = self.duration(key)
        if found is not None and found % DAY_MS:
            self.wrong(key, say("must be whole days, since points step down at midnight"), say('write "30d"'))
            return None
        return None if found is None else found // DAY_MS

    def day(self, key: str) -> date | None:
        """A date."""
        value = self.data.get(key)
        if value is None or (isinstance(value, date) and not isinstance(value, datetime)):
            return value
        self.wrong(key, say("must be a date"), say("write 2026-10-01, without quotes"))
        return None

    def texts(self, key: str) -> list[str] | None:
        """A list of texts; a text alone counts as a list of one."""
        if key not in self.data:
            return None
        value = self.data[key]
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            self.wrong(key, say("must be a list of texts"))
            return None
        return items

    def table(self, key: str, title: str | None = None) -> Table | None:
        """The table under a key."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, dict):
            self.wrong(key, say("must be a table"))
            return None
        return Table(self.document, (*self.path, key), value, title or self._place(key))

    def tables(self, key: str) -> Iterator[Table]:
        """The tables of a list of tables."""
        value = self.data.get(key, [])
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            self.wrong(key, say("must be a list of tables"), say("write [[{key}]]", key=key))
            return
        for index, item in enumerate(value):
            yield Table(self.document, (*self.path, key, index), item, f"{self._place(key)} {index + 1}")

    def condition(self, key: str, names: Names, title: str | None = None) -> Node:
        """A rule's expression; `NEVER` where it has a mistake, which is noted."""
        value = self.data[key]
        holder = self if title is None else Table(self.document, self.path, self.data, title)
        if not isinstance(value, str) or not value.strip():
            holder.wrong(key, say("must be an expression in quotes"))
            return NEVER
        try:
            return parse(value, names)
        except Flaw as flaw:
            holder.wrong(key, flaw.message, flaw.hint, offset=flaw.at)
            return NEVER

    def _is_there(self, key: str, *, is_required: bool) -> bool:
        if key in self.data:
            return True
        if is_required:
            self.document.note(self.document.lines.key(self.path), say("{place}: is missing", place=self._place(key)))
        return False


NEVER = Node("const", Type.TRUTH, (), value=False)
"""Stands in for an expression that could not be read; a document with one is refused anyway."""


def _syntax(error: tomllib.TOMLDecodeError, where: str) -> Problem:
    found = re.fullmatch(r"(.*?) \(at (?:line (\d+), column (\d+)|end of document)\)", str(error))
    if found is None or found[2] is None:
        return Problem(where, say("not TOML: {why}", why=found[1] if found else str(error)))
    return Problem(f"{where}:{found[2]}:{found[3]}", say("not TOML: {why}", why=found[1]))
