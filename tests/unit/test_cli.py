"""The command line's own manners; what verbs do stands in tests/acceptance."""

from __future__ import annotations

import pytest
import typer.main

from sync.cli import app, hoist

VERBS = {
    "demo", "sandbox", "init", "doctor", "backfill", "sync", "daemon", "plan", "apply", "explain", "runs", "changes",
}  # fmt: skip


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        (["sync", "--json"], ["--json", "sync"]),
        (["explain", "a@b", "--lang", "ja", "-v"], ["--lang", "ja", "-v", "explain", "a@b"]),
        (["plan", "--config=x.toml", "--held"], ["--config=x.toml", "plan", "--held"]),
        (["explain", "--", "--json"], ["explain", "--", "--json"]),
        (["sync", "--config"], ["--config", "sync"]),
    ],
)
def test_global_options_stand_before_or_after_the_verb(typed: list[str], meant: list[str]):
    """A person adds --json at the end of the line they have just typed."""
    assert hoist(typed) == meant


def test_every_verb_has_an_example():
    """--help shows how it is used, with the verb in it."""
    commands = typer.main.get_command(app).commands  # type: ignore[attr-defined]

    assert set(commands) >= VERBS
    for name, command in commands.items():
        assert f"Example: headrace {name}" in (command.help or "")
