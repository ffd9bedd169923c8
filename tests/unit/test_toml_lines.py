"""Where the keys and values of a TOML text stand."""

from __future__ import annotations

import tomllib
from typing import TYPE_CHECKING, Any

import pytest

from mapping.definitions import shipped_text
from mapping.toml_lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

TEXT = '''\
# a comment with "quotes" and = signs
name = "x" # [not.a.table]
[a.b]
"key with ] and \\" in it" = 'literal \\'
inline = { one = 1, two = ["p", { deep = true }], "three" = 2026-01-01 }
list = [
  "first", # ]
  """long
  second""",
]
[[a.items]]
n = 1
[a.items.inner]
m = "tab\\tand \\u3042 then here"
[[a.items]]
n = 2
inner.m = 3
'''


def paths(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every path of a document."""
    if path:
        yield path
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from paths(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from paths(inner, (*path, index))


@pytest.mark.parametrize("text", [TEXT, shipped_text()], ids=["tricky", "shipped"])
def test_every_value_is_placed(text: str) -> None:
    """Whatever the standard library reads has a place, save tables that only stand in the names of others."""
    places = Lines(text).places
    missing = {path[-1] for path in paths(tomllib.loads(text)) if path not in places}

    assert missing <= {"a", "items", "stages", "exits", "scores"}


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("name",), (2, 1), (2, 9)),
        (("a", "b", 'key with ] and " in it'), (4, 1), (4, 30)),
        (("a", "b", "inline", "two", 1, "deep"), (5, 35), (5, 42)),
        (("a", "b", "inline", "three"), (5, 51), (5, 61)),
        (("a", "b", "list", 0), (7, 3), (7, 4)),
        (("a", "b", "list", 1), (8, 3), (8, 6)),
        (("a", "items", 0, "inner", "m"), (14, 1), (14, 6)),
        (("a", "items", 1, "n"), (16, 1), (16, 5)),
        (("a", "items", 1, "inner", "m"), (17, 1), (17, 11)),
    ],
)
def test_key_and_value_stand_where_a_person_sees_them(
    path: tuple[str | int, ...], key: tuple[int, int], value: tuple[int, int]
) -> None:
    """Lines and columns count from one; a string's place is its first character."""
    lines = Lines(TEXT)

    assert lines.key(path) == key
    assert lines.value(path) == value


def test_character_behind_escapes_is_found() -> None:
    """The column within a string counts the characters of the text, not of the value."""
    value = tomllib.loads(TEXT)["a"]["items"][0]["inner"]["m"]
    line, column = Lines(TEXT).value(("a", "items", 0, "inner", "m"), value.index("here"))

    assert TEXT.splitlines()[line - 1][column - 1 :].startswith("here")


def test_character_in_a_later_line_of_a_string_is_found() -> None:
    """A string of several lines has places in each of them."""
    value = tomllib.loads(TEXT)["a"]["b"]["list"][1]

    assert Lines(TEXT).value(("a", "b", "list", 1), value.index("second")) == (9, 3)


def test_unknown_path_is_placed_at_what_is_around_it() -> None:
    """What is missing is told at the table in which it should be."""
    assert Lines(TEXT).key(("a", "items", 1, "absent", "deeper")) == (15, 1)
