"""Every screen in both languages: the same figures and commands, in words of the reader's own."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

import sync

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk

pytestmark = pytest.mark.acceptance

CATALOGUE = Path(sync.__file__).parent / "locale" / "ja" / "LC_MESSAGES" / "headrace.po"
KANA = re.compile(r"[\u3041-\u30ff]")
"""Hiragana and katakana: every Japanese sentence has some, and no name of a vendor or a field does."""
NAMES = re.compile("[「」『』“”][^「」『』“”]*[「」『』“”]")

SCREENS: dict[str, tuple[tuple[str, ...], int]] = {
    "sync": (("sync",), 0),
    "plan": (("plan",), 0),
    "plan held": (("plan", "--held"), 0),
    "explain": (("explain", "yamada@aoba.example"), 0),
    "runs": (("runs",), 0),
    "changes": (("changes",), 0),
    "doctor": (("doctor",), 0),
    "apply": (("apply", "plan.json"), 4),
    "nobody": (("explain", "nobody@nowhere.example"), 1),
    "no such system": (("backfill", "--system", "netsuite"), 2),
    "no configuration": (("--config", "missing.toml", "sync"), 78),
}
ALIKE = {"plan", "plan held", "changes"}
LISTS = {"runs", "changes"}
"""Tables of ids and figures, which hold no sentence."""
WITH_NAMES = {"explain"}
"""Screens that show what people were called and what they read."""


def _figures(text: str) -> list[str]:
    """The numbers and commands of a screen, in no order: what both languages must agree on."""
    plain = NAMES.sub("", text)
    return sorted(re.findall(r"\d[\d,]*\d|headrace [a-z]+", plain))


@pytest.fixture
def desk(sandbox: Sandbox, make_desk: Callable[..., Desk]) -> Desk:
    """A desk whose store is loaded and quiet."""
    desk = make_desk(sandbox=sandbox)
    assert desk.run("sync").code == 0
    return desk


def test_every_screen_says_the_same_in_both_languages(desk: Desk):
    """The same exit codes, figures and commands; in Japanese there is Japanese, in English there is none."""
    english = desk.run_all(*[["--lang", "en", *words] for words, _ in SCREENS.values()])
    japanese = desk.run_all(*[[*words, "--lang=ja"] for words, _ in SCREENS.values()])

    bare: list[str] = []
    for (name, (_, code)), here, there in zip(SCREENS.items(), english, japanese, strict=True):
        said, told = here.out + here.err, there.out + there.err
        assert here.code == there.code == code, (name, here, there)
        assert "Traceback" not in said + told, name
        assert re.search(r"\{\w+\}", told) is None, (name, told)
        assert KANA.search(NAMES.sub("", said)) is None or name in WITH_NAMES, (name, said)
        if name in ALIKE:
            assert _figures(said) == _figures(told), name
        if CATALOGUE.exists() and KANA.search(told) is None and name not in LISTS:
            bare.append(name)
    assert bare == [], "screens without a Japanese word"


def test_terminal_of_a_japanese_user_needs_no_option(desk: Desk):
    """The language of the environment is taken; an unknown one is English; an option is stronger than both."""
    english = desk.run("sync", LC_ALL="de_DE.UTF-8").out
    japanese = desk.run("sync", LC_ALL="ja_JP.UTF-8").out
    chosen = desk.run("sync", "--lang", "en", LC_ALL="ja_JP.UTF-8").out

    assert "reading" in english
    assert "reading" in chosen
    if CATALOGUE.exists():
        assert KANA.search(japanese) or re.search(r"[\u4e00-\u9fff]", japanese), japanese
        assert "reading" not in japanese


def test_documents_for_machines_are_the_same_in_both_languages(desk: Desk):
    """JSON keys and values do not depend on the language: ids and codes, no labels."""
    english = desk.run("explain", "yamada@aoba.example", "--json", "--lang", "en").json
    japanese = desk.run("explain", "yamada@aoba.example", "--json", "--lang", "ja").json

    assert english == japanese


def test_demo_speaks_japanese_with_its_stages(make_desk: Callable[..., Desk]):
    """The labels of the stages are those of the definition, and the example is told in Japanese."""
    done = make_desk().run("demo", "--once", "--lang", "ja")

    assert done.code == 0, done.err
    assert "引き合い" in done.out or "リード" in done.out or KANA.search(done.out), done.out
    assert "山田 太郎" in done.out
    if CATALOGUE.exists():
        assert "Next:" not in done.out
        assert "would write" not in done.out


def test_japanese_fits_a_terminal_that_knows_no_utf8(desk: Desk):
    """An ASCII terminal gets something it can show rather than a traceback."""
    done = desk.run("explain", "yamada@aoba.example", PYTHONIOENCODING="ascii", LC_ALL="C", PYTHONUTF8="0")

    assert done.code == 0, done.err
    assert "Traceback" not in done.err
