"""Where every key and value of a TOML text stands: the parser of the standard library keeps the values alone.

The text has been read by `tomllib` before, so it is known to be sound TOML; a scan that loses its way would be a bug
of this module and shows as places that are missing, never as an error.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NamedTuple

Path = tuple[str | int, ...]
"""The way from the root of the document to a key or an element: `("stages", 2, "enter")`."""


class Place(NamedTuple):
    """Lines and columns count from 1. `start` is the offset at which the value's text begins, `end` the one after it.

    For a string, `start` is the first character within its quotes; it `is_raw` where it has no escapes.
    """

    key_line: int
    key_column: int
    start: int
    end: int
    is_raw: bool = True


class Lines:
    """The places of a TOML text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.places = _Scanner(text).run()
        self._starts = [0, *(match.end() for match in re.finditer("\n", text))]

    def key(self, path: Path) -> tuple[int, int]:
        """The line and column of a key, or of the nearest thing around it."""
        place = self._nearest(path)
        return (place.key_line, place.key_column) if place else (1, 1)

    def value(self, path: Path, offset: int = 0) -> tuple[int, int]:
        """The line and column of a value, or of the character `offset` within the string that it is."""
        place = self._nearest(path)
        if place is None:
            return 1, 1
        return self.at(place.start + (offset if place.is_raw else _escaped(self.text, place.start, offset)))

    def at(self, offset: int) -> tuple[int, int]:
        """The line and column of an offset in the text."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def _nearest(self, path: Path) -> Place | None:
        while path:
            if path in self.places:
                return self.places[path]
            path = path[:-1]
        return None


def _escaped(text: str, start: int, offset: int) -> int:
    """How far into the text the character `offset` of a string with escapes stands."""
    position = start
    for _ in range(offset):
        match = _ESCAPE.match(text, position)
        position = match.end() if match else position + 1
    return position - start


_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_ESCAPE = re.compile(r"\\(?:u[0-9a-fA-F]{4}|U[0-9a-fA-F]{8}|\r?\n[ \t\r\n]*|.)")
_SCALAR = re.compile(r"[^,\]}#\n]+")


class _Scanner:
    def __init__(self, text: str) -> None:
        self.text = text
        self.i = 0
        self.places: dict[Path, Place] = {}
        self.lengths: dict[Path, int] = {}

    def run(self) -> dict[Path, Place]:
        table: Path = ()
        while True:
            self._skip(_BLANK)
            if self.i >= len(self.text):
                return self.places
            if self.text[self.i] == "[":
                table = self._header()
            elif not self._pair(table):
                self.i += 1  # not TOML: tomllib would have refused it

    def _header(self) -> Path:
        start = self.i
        is_array = self.text.startswith("[[", self.i)
        self.i += 2 if is_array else 1
        path: Path = ()
        parts = self._key()
        for index, part in enumerate(parts):
            path = (*path, part)
            if index < len(parts) - 1 or not is_array:
                if path in self.lengths:  # a table below the latest element of an array of tables
                    path = (*path, self.lengths[path] - 1)
            else:
                number = self.lengths.get(path, 0)
                self.lengths[path] = number + 1
                path = (*path, number)
        self.i += 2 if is_array else 1
        line, column = self._line_of(start)
        self.places.setdefault(path, Place(line, column, start, self.i))
        return path

    def _pair(self, table: Path) -> bool:
        start = self.i
        parts = self._key()
        if not parts or not self.text.startswith("=", self.i):
            return False
        self.i += 1
        self._skip(_SPACE)
        path = (*table, *parts)
        line, column = self._line_of(start)
        for size in range(len(table) + 1, len(path)):
            self.places.setdefault(path[:size], Place(line, column, start, start))
        self._value(path, line, column)
        return True

    def _key(self) -> list[str]:
        parts = []
        while True:
            self._skip(_SPACE)
            quote = self.text[self.i : self.i + 1]
            if quote and quote in "\"'":
                start, end, _ = self._string()
                raw = self.text[start:end]
                parts.append(_unescape(raw) if quote == '"' else raw)
            elif match := _BARE.match(self.text, self.i):
                parts.append(match.group())
                self.i = match.end()
            self._skip(_SPACE)
            if not self.text.startswith(".", self.i):
                return parts
            self.i += 1

    def _value(self, path: Path, line: int, column: int) -> None:
        first = self.text[self.i : self.i + 1]
        start = self.i
        if first and first in "\"'":
            inner, end, is_raw = self._string()
            self.places[path] = Place(line, column, inner, end, is_raw)
        elif first and first in "[{":
            self.i += 1
            number = 0
            while self._comes_another("]" if first == "[" else "}"):
                if first == "[":
                    self._value((*path, number), *self._line_of(self.i))
                elif not self._pair(path):
                    break
                number += 1
            self.i += 1
            self.places[path] = Place(line, column, start, self.i)
        else:
            match = _SCALAR.match(self.text, self.i)
            self.i = match.end() if match else self.i + 1
            self.places[path] = Place(line, column, start, self.i)

    def _comes_another(self, closing: str) -> bool:
        self._skip(_BLANK)
        if self.text.startswith(",", self.i):
            self.i += 1
            self._skip(_BLANK)
        return self.i < len(self.text) and self.text[self.i] != closing

    def _string(self) -> tuple[int, int, bool]:
        """Pass over a string of any of the four kinds: where its content begins and ends, whether it has no escapes."""
        quote = self.text[self.i]
        is_long = self.text.startswith(quote * 3, self.i)
        mark = quote * 3 if is_long else quote
        start = self.i + len(mark)
        if is_long:  # a line break right after the opening quotes does not count
            start += 2 if self.text.startswith("\r\n", start) else int(self.text.startswith("\n", start))
        end = start
        is_raw = True
        while end < len(self.text) and not self.text.startswith(mark, end):
            if quote == '"' and self.text[end] == "\\":
                match = _ESCAPE.match(self.text, end)
                end = match.end() if match else end + 1
                is_raw = False
            else:
                end += 1
        while is_long and self.text.startswith(quote, end + 3):  # up to two quotes may stand before the closing three
            end += 1
        self.i = end + len(mark)
        return start, end, is_raw

    def _skip(self, pattern: re.Pattern[str]) -> None:
        match = pattern.match(self.text, self.i)
        if match:
            self.i = match.end()

    def _line_of(self, offset: int) -> tuple[int, int]:
        return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)


_SHORT = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b", '"': '"', "\\": "\\"}


def _unescape(raw: str) -> str:
    def one(match: re.Match[str]) -> str:
        body = match.group()[1:]
        return chr(int(body[1:], 16)) if body[0] in "uU" else _SHORT.get(body, body)

    return _ESCAPE.sub(one, raw)
