"""The first minute: a company that does not exist, and what headrace makes of it."""

from __future__ import annotations

import json
import re
import signal
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.acceptance.conftest import Desk

pytestmark = pytest.mark.acceptance

SUMMARY = {"run_id", "status", "elapsed_s", "systems", "people", "accounts", "transitions", "plan", "applied"}
OUTCOMES = {"applied", "verified", "stale", "skipped", "failed", "unknown"}
EXTRA = {"events", "unmapped", "step_s"}
"""Keys that were added to the frozen ones."""


@pytest.fixture
def shown(make_desk: Callable[..., Desk]) -> tuple[Desk, str]:
    """A desk at which the demo was shown, and its page; the vendors are gone, the store is there."""
    desk = make_desk()
    done = desk.run("demo", "--once")
    assert done.code == 0, done.err
    return desk, done.out


def test_demo_tells_a_stranger_the_whole_story(shown: tuple[Desk, str]):
    """Systems, records, people, stages, what would be written and why for one person, and the next command."""
    _, page = shown

    for system in ("salesforce", "hubspot", "cs"):
        assert re.search(rf"{system}\s+\d+ objects\s+[\d,]+ records", page), page
    assert re.search(r"[\d,]+ events since 20\d\d-\d\d-\d\d", page)
    assert re.search(r"2\d\d people in [\d,]+ records · \d+ accounts", page)
    for stage in ("Inquiry", "MQL", "SAL", "SQL", "Closed won"):
        assert stage in page
    assert re.search(r"would write\s+[\d,]+ fields on [\d,]+ records .*nothing was written", page)
    assert "山田 太郎" in page
    assert re.search(r"Canonical_Stage__c .*→", page)
    assert re.search(r"because\s+\S+ .*20\d\d-", page)
    assert re.search(r"Next: \S*headrace ", page)
    assert max(map(len, page.splitlines())) <= 160


def test_demo_leaves_a_store_that_answers_offline(shown: tuple[Desk, str]):
    """explain, plan and runs read the store only: the vendors have gone, and every answer is there."""
    desk, page = shown
    config = desk.folder / "headrace-demo" / "config.toml"

    explained = desk.run("--config", config, "explain", "yamada@aoba.example", "--json")
    planned = desk.run("plan", "--config", config, "--json", "-o", "plan.json")
    listed = desk.run("runs", "--config", config, "--json")

    assert (explained.code, planned.code, listed.code) == (0, 0, 0), (explained.err, planned.err, listed.err)
    assert explained.json["stage"]["stage"] == "sal"
    assert {"kind", "id", "records", "stage", "score", "history", "next", "events", "changes"} <= set(explained.json)
    assert sum(entry["points"] for entry in explained.json["score"]["entries"]) == explained.json["score"]["total"]
    named = re.search(r"would write\s+([\d,]+) fields", page)
    assert named is not None
    assert len(planned.json["changes"]) == int(named[1].replace(",", ""))
    assert set(planned.json["changes"][0]) >= {
        "system", "object", "id", "field", "before", "after", "reason", "rule", "kind",
    }  # fmt: skip
    assert all(row["why"] for row in planned.json["held"])
    assert json.loads((desk.folder / "plan.json").read_text(encoding="utf-8"))["digest"] == planned.json["digest"]
    assert [row["verb"] for row in listed.json["rows"]] == ["backfill"]


def test_demo_json_has_the_frozen_keys_and_wrote_nothing(make_desk: Callable[..., Desk]):
    """One document, the keys of design §7, all three systems done, and `applied` all 0."""
    done = make_desk().run("demo", "--once", "--json")

    told = done.json
    assert done.code == 0, done.err
    assert set(told) == SUMMARY | EXTRA
    assert told["status"] == "done"
    assert set(told["systems"]) == {"salesforce", "hubspot", "cs"}
    for system in told["systems"].values():
        assert set(system) == {"status", "objects", "api_calls", "error"}
        assert system["error"] is None
        for counts in system["objects"].values():
            assert set(counts) == {"read", "changed", "deleted", "quarantined"}
    assert set(told["plan"]) == {"digest", "changes", "held", "by_kind"}
    assert told["plan"]["changes"] == told["plan"]["by_kind"]["first"] > 0
    assert told["applied"] == dict.fromkeys(OUTCOMES, 0)
    assert isinstance(told["run_id"], str)


def test_demo_spares_a_folder_that_is_not_its_own(make_desk: Callable[..., Desk]):
    """What lies in a folder that no demo made is still there afterwards."""
    desk = make_desk()
    own: Path = desk.folder / "headrace-demo"
    own.mkdir()
    (own / "headrace.db").write_text("years of history", encoding="utf-8")

    done = desk.run("demo", "--once")

    assert (own / "headrace.db").read_text(encoding="utf-8").startswith("years of history")
    assert done.code == 2, (done.code, done.err)
    assert "headrace-demo  holds something that no demo made" in done.err


def test_sandbox_prints_what_a_machine_needs_and_its_configuration_works(make_desk: Callable[..., Desk]):
    """`sandbox --json` names the configuration and the three addresses once it listens; sync works on it as it is."""
    desk = make_desk()
    serving = desk.start("sandbox", "--json", "--seed", "7")
    try:
        assert serving.stdout is not None
        text = ""
        while not text.endswith("}\n") or text.count("{") != text.count("}"):
            line = serving.stdout.readline()
            assert line, "the sandbox ended"
            text += line
        told = json.loads(text)

        done = desk.run("sync", "--json", "--config", told["config"])

        assert set(told["systems"]) == {"salesforce", "hubspot", "cs"}
        assert all(system["url"].startswith("http://127.0.0.1:") for system in told["systems"].values())
        assert done.code == 0, done.err
        assert done.json["people"] > 150
    finally:
        serving.send_signal(signal.SIGINT)
        serving.communicate(timeout=30)
    assert serving.returncode == 0


def test_sandbox_spares_a_configuration_that_is_not_its_own(make_desk: Callable[..., Desk]):
    """The configuration of somebody's real systems is not written over."""
    desk = make_desk()
    desk.config.write_text("# ours\n", encoding="utf-8")

    done = desk.run("sandbox", "--folder", ".")

    assert done.code == 2, (done.code, done.err)
    assert desk.config.read_text(encoding="utf-8") == "# ours\n"
