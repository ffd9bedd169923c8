"""The Japanese catalogue: whole, of the same places as the English, and without a sentence that nobody says."""

from __future__ import annotations

import ast
import importlib.util
import re
import string
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from rich.cells import cell_len

from mapping import errors
from mapping.events import EventKind
from mapping.facts import Type
from mapping.text import say
from reconcile import identity
from reconcile.changes import Kind, Outcome
from reconcile.plan import Why
from sync.catalogue import Catalogue
from sync.screen import LABEL_WIDTH

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
COLUMNS = (
    *("run", "verb", "status", "started_at", "elapsed_s", "read", "changed", "transitions", "plan", "written"),
    *("at", "system", "object", "id", "field", "before", "after", "outcome", "detail"),
)
STATUSES = ("running", "done", "partial", "held", "failed")
ENTITIES = ("person", "account", "opportunity", "unit")
UNSEEN = (
    "waiting",
    "  held         {changes:,} fields on {records:,} records; nothing was written",
    "  wrote        {changes:,} fields on {records:,} records",
)
"""Said through a variable, which `docs.build.sentences` does not follow."""


@pytest.fixture(scope="module")
def build() -> ModuleType:
    """`docs/build.py`, wherever the tests are started."""
    path = ROOT / "docs" / "build.py"
    if not path.exists():
        pytest.skip("docs/ is not here, as in an installed wheel: nothing tells what the sources say")
    spec = importlib.util.spec_from_file_location("headrace_docs_build", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def japanese(build: ModuleType) -> dict[str, str]:
    """Every entry of the catalogue, by its English."""
    from babel.messages.pofile import read_po

    with build.PO.open("rb") as file:
        return {str(entry.id): str(entry.string) for entry in read_po(file, locale="ja") if entry.id}


@pytest.fixture(scope="module")
def said(build: ModuleType) -> dict[str, str]:
    """Every sentence that the sources say, with where."""
    return dict(build.sentences())


@pytest.fixture(scope="module")
def words(build: ModuleType) -> set[str]:
    """What screens translate word by word."""
    found: set[str] = {str(word) for kind in (EventKind, Outcome, Kind, Why, Type) for word in kind}
    found |= {*COLUMNS, *STATUSES, *ENTITIES, *UNSEEN, identity.EMAIL, identity.DOMAIN, identity.NUMBER}
    found |= {
        text
        for text in constants(build, "mapping/vendors")
        if re.fullmatch(r"(salesforce|hubspot|vitally)\.[a-z_]+", text)
    }
    found |= set(steps(build))
    for error in (errors.HeadraceError, errors.RetryLater, errors.SystemDown):
        found.add((error.__doc__ or "").splitlines()[0])
    return found


def constants(build: ModuleType, under: str = "") -> Iterator[str]:
    for node in nodes(build, under):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield node.value


def steps(build: ModuleType) -> Iterator[str]:
    for node in nodes(build, "sync"):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("step"):
            yield from (str(argument.value) for argument in node.args if isinstance(argument, ast.Constant))


def nodes(build: ModuleType, under: str) -> Iterator[ast.AST]:
    for path in build._sources():
        if path.relative_to(ROOT).as_posix().startswith(under):
            yield from ast.walk(ast.parse(path.read_text(encoding="utf-8")))


def places(template: str) -> list[tuple[Any, ...]]:
    return sorted(part[1:] for part in string.Formatter().parse(template) if part[1] is not None)


def label(template: str) -> str:
    """What stands before the text of a line that begins with a label; empty where none does."""
    found = re.match(r"  [^\s{].*? {2,}", template)
    return found[0] if found else ""


def test_every_sentence_is_translated(said: Mapping[str, str], japanese: Mapping[str, str]):
    """Whoever adds a sentence adds its Japanese."""
    assert [f"{where}: {text}" for text, where in said.items() if not japanese.get(text, "").strip()] == []


def test_every_word_of_a_screen_is_translated(words: set[str], japanese: Mapping[str, str]):
    """Events, outcomes, kinds, reasons, statuses, columns, steps, evidence."""
    assert len(words) > 100
    assert sorted(word for word in words if not japanese.get(word, "").strip()) == []


def test_nothing_is_translated_that_nobody_says(said: Mapping[str, str], words: set[str], japanese: Mapping[str, str]):
    """A sentence that changed leaves no translation behind."""
    assert sorted(set(japanese) - set(said) - words) == []


def test_words_listed_here_are_in_the_sources(build: ModuleType):
    """The lists of this file do not keep a word alive."""
    assert {*COLUMNS, *STATUSES, *ENTITIES, *UNSEEN} - set(constants(build)) == set()


def test_places_and_their_formats_are_those_of_the_english(japanese: Mapping[str, str]):
    """A place that is lost or misspelt would fail in front of a person."""
    assert {english: text for english, text in japanese.items() if places(english) != places(text)} == {}


def test_lines_begin_in_the_same_cell(japanese: Mapping[str, str]):
    """A Japanese character takes two cells, and the text of every line still stands in one column."""
    margins = {english: text for english, text in japanese.items() if english.startswith("  ")}
    labelled = [english for english in margins if cell_len(label(english)) == LABEL_WIDTH + 3]

    assert len(labelled) > 5
    assert [e for e in labelled if cell_len(label(margins[e])) != LABEL_WIDTH + 3] == []
    assert [e for e, t in margins.items() if len(e) - len(e.lstrip()) != len(t) - len(t.lstrip())] == []


def test_compiled_catalogue_is_that_of_the_source(build: ModuleType):
    """`make docs` compiles it."""
    assert build.PO.with_suffix(".mo").read_bytes() == build.catalogue()


def test_messages_within_messages_are_translated_first():
    """The sentence and what stands in it are of one language."""
    hint = say("did you mean {name}?", name="poll_every")

    assert Catalogue("ja")("      → {hint}", hint=hint) == "      → poll_every の誤りではありませんか?"
    assert Catalogue("en")("      → {hint}", hint=hint) == "      → did you mean poll_every?"


def test_figures_keep_their_format():
    """Thousands are set apart in both languages."""
    message = say("{count:,} fields in a sentence nobody translated", count=12_345)

    assert Catalogue("ja")(message) == "12,345 fields in a sentence nobody translated"
    assert "12,345" in Catalogue("ja")("  … {count:,} more (headrace plan -o plan.json has them all)", count=12_345)


def test_unknown_sentences_stay_english():
    """A sentence without a translation is said in English, and an empty one is empty."""
    assert Catalogue("ja")("{who} came first", who="Aoba") == "Aoba came first"
    assert Catalogue("ja")("") == ""
