"""Presets are checked when they are loaded, and all that is wrong with one is said at once."""

from __future__ import annotations

import pytest

from connectors.rest import connect
from connectors.rest.preset import load, load_file, parse, shipped
from mapping.errors import OperatorError, SystemDown

SMALL = """
name = "tool"
title = "Tool"
[auth]
flow = "bearer"
[objects.companies]
path = "/companies"
records = [[]]
pages = { type = "one" }
changes = { type = "full" }
"""


def test_every_shipped_preset_loads():
    """And is named as its file."""
    assert "vitally" in shipped()
    assert [load(name).name for name in shipped()] == list(shipped())


def test_vitally_says_how_it_is_read_and_written():
    """Churned accounts are asked for, the budget leaves a margin, and survey answers cannot be written."""
    preset = load("vitally")
    accounts = preset.objects["accounts"]

    assert accounts.params["status"] == "activeOrChurned"
    assert preset.limits[0].calls < 1000
    assert preset.cost["PUT"] == 2
    assert accounts.write is not None
    assert accounts.write.under == "traits"
    assert preset.objects["npsResponses"].write is None


def test_what_is_written_must_be_readable():
    """No write is believed that cannot be read back."""
    with pytest.raises(OperatorError, match="problem") as caught:
        parse(SMALL + 'write = { method = "PATCH", path = "/companies/{id}" }\n', "my-tool.toml")

    assert "item" in str(caught.value.problems[0].message)


def test_unknown_preset_names_those_that_there_are():
    """The hint is the list."""
    with pytest.raises(OperatorError) as caught:
        load("vitaly")

    assert "vitally" in str(caught.value.problems[0].hint)


def test_all_mistakes_of_a_preset_are_told_at_once():
    """Each with its place; unknown keys are mistakes too."""
    broken = SMALL.replace('path = "/companies"', 'path = "companies"\nlimit = 5').replace('"full"', '"sometimes"')

    with pytest.raises(OperatorError) as caught:
        parse(broken, "my-tool.toml")

    places = {problem.where.split(": ")[1] for problem in caught.value.problems}
    assert places == {"objects.companies.path", "objects.companies.limit", "objects.companies.changes"}


def test_preset_that_is_no_toml_or_not_there_is_a_configuration_error(tmp_path):
    """Neither is a traceback."""
    path = tmp_path / "tool.toml"
    with pytest.raises(OperatorError):
        load_file(path)
    path.write_text("name = ", encoding="utf-8")
    with pytest.raises(OperatorError):
        load_file(path)


def test_somebodys_own_preset_is_loaded_from_a_file(tmp_path):
    """As the shipped ones are."""
    path = tmp_path / "tool.toml"
    path.write_text(SMALL, encoding="utf-8")

    assert load_file(path).objects["companies"].records == ((),)


@pytest.mark.parametrize(
    "more",
    [
        {"auth": {"flow": "bearer", "token": "t"}},
        {"auth": {"flow": "basic"}},
        {"fields": {"companies": ("id",)}},
        {"preset": "nothing"},
    ],
)
def test_what_the_preset_does_not_have_is_a_configuration_error(more):
    """Another flow, a missing key, an object that the tool lacks."""
    settings = {"system": "cs", "base_url": "https://acme.example", "preset": "vitally", "auth": {"username": "key"}}

    with pytest.raises(OperatorError):
        connect(**settings | more)


def test_plain_http_is_for_this_machine_only():
    """A key never travels in the clear."""
    with pytest.raises(SystemDown):
        connect(system="cs", base_url="http://acme.example", preset="vitally", auth={"username": "key"})
