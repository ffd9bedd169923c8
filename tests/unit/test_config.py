"""The configuration: what it accepts, and how it speaks of mistakes."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from mapping.errors import OperatorError
from sync import config

ROOT = Path(__file__).resolve().parents[2]

SYSTEM = """
[systems.hubspot]
kind = "hubspot"
auth = { flow = "service_key", token = { env = "HUBSPOT_TOKEN" } }
"""


def problems(text: str) -> list[str]:
    with pytest.raises(OperatorError) as caught:
        config.parse(text)
    assert caught.value.exit_code == 78
    return [f"{problem.where} {problem.message} | {problem.hint}" for problem in caught.value.problems]


def test_example_is_a_whole_configuration():
    """The commented example loads as it is, relative paths taken from where it stands."""
    loaded = config.load(ROOT / "config.example.toml")

    assert set(loaded.systems) == {"salesforce", "hubspot", "cs"}
    assert loaded.definitions is not None
    assert loaded.definitions.path == ROOT / "definitions.toml"
    assert loaded.state.url == f"sqlite:///{ROOT / 'headrace.db'}"
    assert loaded.systems["cs"].poll_every == timedelta(minutes=15)


def test_defaults_protect():
    """Without a word about writing, nothing is written, and nothing may be emptied."""
    loaded = config.parse(SYSTEM)

    assert loaded.writes.mode == "report"
    assert loaded.guard.max_blank == 0
    assert loaded.systems["hubspot"].write == {}


def test_five_mistakes_give_five_messages_each_with_its_place():
    """Every problem of the file is reported at once, with line, column and what to do."""
    text = """[systems.hubspot]
kind = "hubspot"
auth = { flow = "service_key", token = "pat-na1-secret" }
poll_evry = "5m"

[systems.cs]
kind = "rest"
preset = "vitally"
base_url = "http://acme.rest.vitally.io"
auth = { flow = "basic", username = { env = "V" } }
poll_every = "five minutes"

[writes]
mode = "yes"
"""

    found = problems(text)

    assert [line.split(" ", 1)[0] for line in found] == [
        "config.toml:3:41",
        "config.toml:4:1",
        "config.toml:9:13",
        "config.toml:11:15",
        "config.toml:14:9",
    ]
    assert "a secret is never a plain string" in found[0]
    assert "did you mean poll_every?" in found[1]
    assert "report, approve, write" in found[4]


def test_secret_in_the_file_is_never_repeated_in_the_message():
    """A message may end up in a ticket."""
    found = problems(SYSTEM.replace('{ env = "HUBSPOT_TOKEN" }', '"pat-na1-secret"'))

    assert "pat-na1-secret" not in "".join(found)


def test_text_that_is_no_toml_is_told_with_its_line():
    """The parser's own place is kept."""
    assert problems("[state\nurl = 1")[0].startswith("config.toml:1:7")


def test_secret_is_read_anew_at_every_use(tmp_path: Path):
    """A rotated secret is found without a restart."""
    secret = config.Secret(file=tmp_path / "token")
    (tmp_path / "token").write_text("one\n")
    first = secret.read()
    (tmp_path / "token").write_text("two\n")

    assert (first, secret.read()) == ("one", "two")


def test_missing_secret_names_its_place(monkeypatch: pytest.MonkeyPatch):
    """The person learns which variable is missing."""
    monkeypatch.delenv("HUBSPOT_TOKEN", raising=False)

    with pytest.raises(OperatorError) as caught:
        config.Secret(env="HUBSPOT_TOKEN").read()

    assert caught.value.problems[0].where == "$HUBSPOT_TOKEN"


@pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "http://localhost:1", "https://api.hubapi.com"])
def test_plain_http_is_for_loopback(url: str):
    """The sandbox speaks http on this machine; nobody else does."""
    loaded = config.parse(SYSTEM + f'base_url = "{url}"\n')

    assert loaded.systems["hubspot"].base_url == url  # type: ignore[union-attr]


def test_unknown_time_zone_suggests_a_near_one():
    """Asia/Tokio is a common slip."""
    assert "did you mean Asia/Tokyo?" in problems(SYSTEM + '[company]\ntime_zone = "Asia/Tokio"\n')[0]
