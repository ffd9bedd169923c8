"""What an operator gets wrong, and what vendors do to them: told clearly, and nothing is lost."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import httpx
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk, Result

pytestmark = pytest.mark.acceptance

MISTAKES = {
    'poll_every = "5m"': 'poll_evry = "5m"',
    'username = { file = "vitally-key" }': 'username = "sk_live_1234567"',
    'mode = "report"': 'mode = "yes"',
    "max_share = 0.3": "max_share = 3",
    '"Asia/Tokyo"': '"Asia/Tokio"',
}


def _line(text: str, part: str) -> int:
    return text[: text.index(part)].count("\n") + 1


def _assert_clear(result: Result, code: int) -> None:
    """One exit code, words on standard error alone, and no traceback."""
    assert result.code == code, (result.code, result.out, result.err)
    assert "Traceback" not in result.err, result.err
    assert '"event"' not in result.err, result.err


def _systems(told: dict[str, Any]) -> dict[str, str]:
    return {name: system["status"] for name, system in told["systems"].items()}


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_five_mistakes_give_five_messages_with_place_and_hint(sandbox: Sandbox, make_desk: Callable[..., Desk]):
    """78, every problem at once, each with file, line and what to do; in JSON likewise; nothing was started."""
    desk = make_desk(sandbox=sandbox)
    text = desk.config.read_text(encoding="utf-8")
    for right, wrong in MISTAKES.items():
        text = text.replace(right, wrong, 1)
    desk.config.write_text(text, encoding="utf-8")

    said, told = desk.run("sync"), desk.run("sync", "--json")

    _assert_clear(said, 78)
    lines = [line for line in said.err.splitlines() if line.startswith("config.toml:")]
    assert [int(line.split(":")[1]) for line in lines] == [_line(text, wrong) for wrong in MISTAKES.values()]
    assert "did you mean poll_every?" in lines[0]
    assert "did you mean Asia/Tokyo?" in lines[4]
    assert "5 problems; nothing was started" in said.err
    assert "sk_live_1234567" not in said.err
    _assert_clear(told, 78)
    problems = told.json["error"]["problems"]
    assert len(problems) == 5
    assert all(each["where"].startswith("config.toml:") and each["message"] and each["hint"] for each in problems)
    assert not desk.store.exists()


def test_mistake_in_the_definition_is_shown_in_its_place(sandbox: Sandbox, make_desk: Callable[..., Desk]):
    """78 with the line of the definition and the word that was meant."""
    desk = make_desk(sandbox=sandbox)
    assert desk.run("init", "made").code == 0
    text = (desk.folder / "made" / "definitions.toml").read_text(encoding="utf-8")
    (desk.folder / "definitions.toml").write_text(text.replace("lead_accepted", "lead_acepted", 1), encoding="utf-8")
    desk.config.write_text(
        desk.config.read_text(encoding="utf-8") + '\n[definitions]\npath = "definitions.toml"\n', encoding="utf-8"
    )

    done = desk.run("sync")

    _assert_clear(done, 78)
    assert f"definitions.toml:{_line(text, 'lead_accepted')}:" in done.err
    assert "did you mean lead_accepted?" in done.err


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("[writes]", "[writes\n", "config.toml:"),
        ("sqlite:///headrace.db", "sqlite:///no/such/folder/h.db", "The store cannot be created"),
        ("sqlite:///headrace.db", "mysql://somewhere", "SQLite or PostgreSQL"),
        ("http://127.0.0.1", "http://example.com", "use https"),
        ("hubspot-token", "no-such-file", "the secret is not there"),
    ],
)
def test_every_file_that_will_not_do_is_named(
    sandbox: Sandbox, make_desk: Callable[..., Desk], before: str, after: str, said: str
):
    """78 with the place and the next step, before anything is sent."""
    desk = make_desk(sandbox=sandbox)
    desk.edit(before, after)
    sandbox.faults.forget()

    done = desk.run("sync")

    _assert_clear(done, 78)
    assert said in done.err
    assert sandbox.faults.counts() == {}


def test_all_missing_secrets_are_told_at_once_and_the_store_still_answers(
    world: Sandbox, make_desk: Callable[..., Desk]
):
    """78 naming each; what reads the store only needs no secret, and doctor looks at the other systems."""
    desk = make_desk(sandbox=world)
    assert desk.run("sync").code == 0
    (desk.folder / "hubspot-token").unlink()
    (desk.folder / "vitally-key").unlink()

    done, asked, looked = desk.run("sync"), desk.run("explain", "yamada@aoba.example"), desk.run("doctor")

    _assert_clear(done, 78)
    assert "hubspot-token" in done.err
    assert "vitally-key" in done.err
    assert asked.code == 0
    assert looked.code == 1
    assert "the secret is not there" in looked.out
    assert "Logged in" in looked.out


def test_store_that_is_garbage_is_refused_and_kept(sandbox: Sandbox, make_desk: Callable[..., Desk]):
    """1 with what to do; the file is not touched, for it may be the wrong one."""
    desk = make_desk(sandbox=sandbox)
    desk.store.write_bytes(b"minutes of the meeting\n" * 500)

    done = desk.run("sync")

    _assert_clear(done, 1)
    assert "no SQLite database" in done.err
    assert desk.store.read_bytes() == b"minutes of the meeting\n" * 500


MISUSES: list[tuple[tuple[str, ...], int, str]] = [
    (("explain", "nobody@nowhere.example"), 1, "nobody by this name"),
    (("explain", "salesforce:Lead:00Q000000000000AAA"), 1, "nobody by this name"),
    (("explain",), 2, "WHO"),
    (("frobnicate",), 2, "frobnicate"),
    (("sync", "--nope"), 2, "--nope"),
    (("sync", "--lang", "fr"), 2, "fr"),
    (("backfill", "--system", "netsuite"), 2, "netsuite"),
    (("backfill", "--object", "Leed"), 2, "Leed"),
    (("backfill", "--since", "yesterday"), 2, "yesterday"),
    (("changes", "--outcome", "maybe"), 2, "maybe"),
    (("runs", "--after", "x"), 2, "x"),
    (("--config", "missing.toml", "sync"), 78, "missing.toml"),
]


def test_each_misuse_has_its_code_and_its_words(shared_desk: Desk):
    """Unknown people are 1, wrong words are 2, a missing file is 78; as JSON too, in one document."""
    told = shared_desk.run_all(*[[*words, "--json"] for words, _, _ in MISUSES])
    alone = shared_desk.run("explain", "nobody@nowhere.example")

    for done, (words, code, said) in zip(told, MISUSES, strict=True):
        assert done.code == code, (words, done.out, done.err)
        error = done.json["error"]
        assert set(error) == {"code", "message", "problems"}
        assert any(said in f"{each['where']} {each['message']}" for each in error["problems"]), words
        assert "Traceback" not in done.err
    _assert_clear(alone, 1)
    assert "nobody by this name" in alone.err


@pytest.fixture
def shared_desk(sandbox: Sandbox, make_desk: Callable[..., Desk]) -> Desk:
    """A desk whose store is empty."""
    return make_desk(sandbox=sandbox)


def test_files_and_ports_that_cannot_be_used_are_told_in_words(shared_desk: Desk, sandbox: Sandbox):
    """1 and the name of what is in the way: an output that is a folder, a folder that is a file, a taken port."""
    (shared_desk.folder / "taken").write_text("", encoding="utf-8")
    (shared_desk.folder / "folder").mkdir()
    port = sandbox.urls["hubspot"].rpartition(":")[2]

    results = shared_desk.run_all(
        ["plan", "-o", "folder"],
        ["plan", "-o", "no/such/plan.json"],
        ["init", "taken/x"],
        ["sandbox", "--port", port, "--folder", "elsewhere"],
    )

    for done, said in zip(results, ("folder", "no/such/plan.json", "taken", "headrace"), strict=True):
        _assert_clear(done, 1)
        assert said in done.err
        assert "cannot be used" in done.err


# ── vendors ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def _break_token(world: Sandbox, desk: Desk) -> None:
    (desk.folder / "hubspot-token").write_text("pat-na1-wrong", encoding="utf-8")


def _mend_token(world: Sandbox, desk: Desk) -> None:
    (desk.folder / "hubspot-token").write_text(world.credentials.hubspot_token, encoding="utf-8")


def _fail_amid_contacts(world: Sandbox, desk: Desk) -> None:
    world.faults.hubspot.script(path="/contacts", skip=1, times=99, status=503)


def _page_amid_contacts(world: Sandbox, desk: Desk) -> None:
    body = "<html><body>Maintenance</body></html>"
    html = {"content-type": "text/html"}
    world.faults.hubspot.script(path="/contacts", skip=1, times=99, status=200, body=body, headers=html)


def _down(how: str) -> Callable[[Sandbox, Desk], None]:
    def take_down(world: Sandbox, desk: Desk) -> None:
        world.faults.hubspot.down = how  # type: ignore[assignment]  # one of its words

    return take_down


def _clear(world: Sandbox, desk: Desk) -> None:
    world.faults.clear()


@pytest.mark.parametrize(
    ("harm", "mend", "said"),
    [
        pytest.param(_break_token, _mend_token, "refused the credentials", id="wrong token"),
        pytest.param(_down("refuse"), _clear, "no usable answer", id="refused"),
        pytest.param(_down("html"), _clear, "a page that is no answer", id="html"),
        pytest.param(_fail_amid_contacts, _clear, "HTTP 503", id="midway"),
        pytest.param(_page_amid_contacts, _clear, "a page that is no answer", id="html midway"),
    ],
)
def test_system_that_cannot_be_used_costs_its_own_part_only(
    world: Sandbox,
    make_desk: Callable[..., Desk],
    canonical: Callable[[Desk], dict[str, Any]],
    harm: Callable[[Sandbox, Desk], None],
    mend: Callable[[Sandbox, Desk], None],
    said: str,
):
    """3 and a clear message, the others read to their end; mended, one sync makes the store whole."""
    desk, whole = make_desk("desk", world), make_desk("whole", world)
    harm(world, desk)

    done = desk.run("sync")
    mend(world, desk)
    again = desk.run("sync", "--json")

    _assert_clear(done, 3)
    assert "hubspot is down" in done.out
    assert said in done.out
    assert "nothing is lost" in done.out
    assert re.search(r"salesforce\s+1,7\d\d read", done.out)
    assert re.search(r"cs\s+\d\d read", done.out)
    assert "pat-na1-wrong" not in done.out + done.err
    assert again.code == 0, again.err
    assert whole.run("sync", "--json").code == 0
    found, wanted = canonical(desk), canonical(whole)
    for table in ("record", "event", "profile", "link", "ident", "membership", "cursor", "pending"):
        assert found[table] == wanted[table], table
    assert found["decision"] == wanted["decision"]


def test_two_systems_down_leave_the_third(world: Sandbox, make_desk: Callable[..., Desk]):
    """3 with both named; all down is 3 as well, and the store is as it was."""
    desk = make_desk(sandbox=world)
    world.faults.hubspot.down = "503"
    world.faults.vitally.down = "html"

    two = desk.run("sync", "--json")
    world.faults.salesforce.down = "refuse"
    all_ = desk.run("sync", "--json")

    assert two.code == 3
    assert _systems(two.json) == {"salesforce": "done", "hubspot": "down", "cs": "down"}
    assert two.json["people"] > 100
    assert all_.code == 3
    assert set(_systems(all_.json).values()) == {"down"}
    assert all(system["error"] for system in all_.json["systems"].values())
    assert all_.json["people"] == two.json["people"]
    assert desk.run("explain", "yamada@aoba.example").code == 0


def test_missing_field_is_named_and_the_others_are_written(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any]
):
    """A field that Salesforce hides and one that HubSpot lost: 3, named, all else written; mended, they follow."""
    desk = make_desk(sandbox=world, **writing)
    world.faults.salesforce.options["hidden_fields"] = ["Lead.Canonical_Stage__c"]
    with httpx.Client(
        base_url=world.urls["hubspot"], headers={"Authorization": f"Bearer {world.credentials.hubspot_token}"}
    ) as client:
        assert client.delete("/crm/v3/properties/contacts/canonical_score").status_code == 204

    done = desk.run("sync")
    still = desk.run("sync", "--json")
    checked = desk.run("doctor")

    _assert_clear(done, 3)
    assert "Lead.Canonical_Stage__c cannot be read" in done.out
    assert "contacts.canonical_score cannot be read" in done.out
    assert "headrace doctor --fix" in done.out
    assert still.code == 3
    assert _systems(still.json) == {"salesforce": "partial", "hubspot": "partial", "cs": "done"}
    assert checked.code == 1
    held = [row for row in desk.run("plan", "--json").json["held"] if row["why"] == "not_read"]
    assert {(row["object"], row["field"]) for row in held} == {
        ("Lead", "Canonical_Stage__c"),
        ("contacts", "canonical_score"),
    }

    world.faults.clear()
    fixed = desk.run("doctor", "--fix")
    assert fixed.code == 0, fixed.out
    mended = desk.run("sync", "--json")
    assert mended.code == 0, mended.err
    assert desk.run("plan", "--json").json["changes"] == []
    rows = desk.run("changes", "--limit", "100000", "--json").json["rows"]
    written = {(row["object"], row["field"]) for row in rows if row["outcome"] == "verified"}
    assert {("Lead", "Canonical_Stage__c"), ("contacts", "canonical_score"), ("Lead", "Canonical_Id__c")} <= written


def test_portal_with_nobody_in_it_is_no_error(make_sandbox: Callable[..., Sandbox], make_desk: Callable[..., Desk]):
    """Three empty systems: 0, nobody, nothing to write, and every screen answers."""
    world = make_sandbox()
    with world.vault.transaction():
        for table in ("salesforce", "hubspot", "vitally"):
            world.vault.execute(f"DELETE FROM {table}")
    desk = make_desk(sandbox=world)

    done = desk.run("sync", "--json")

    assert done.code == 0, (done.out, done.err)
    assert done.json["people"] == done.json["accounts"] == done.json["plan"]["changes"] == 0
    assert [each.code for each in desk.run_all(["sync"], ["plan"], ["runs"], ["changes"])] == [0, 0, 0, 0]


def test_sandbox_that_moved_to_other_ports_is_the_same_system(
    make_sandbox: Callable[..., Sandbox], make_desk: Callable[..., Desk], tmp_path: Any
):
    """The vendors come back elsewhere: with the new addresses everything goes on, and nothing is read again."""
    first = make_sandbox(path=tmp_path / "world.db")
    desk = make_desk(sandbox=first)
    assert desk.run("sync").code == 0
    first.stop()

    gone = desk.run("sync", "--json")
    second = make_sandbox(path=tmp_path / "world.db")
    second.write_config(desk.folder)
    back = desk.run("sync", "--json")

    assert gone.code == 3
    assert set(_systems(gone.json).values()) == {"down"}
    assert back.code == 0, back.err
    changed = {
        object_ for system in back.json["systems"].values() for object_, n in system["objects"].items() if n["changed"]
    }
    assert changed <= {"pipelines"}  # the sandbox dates its pipelines anew
