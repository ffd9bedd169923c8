"""The long-running process: it polls, keeps quiet about people, and does as signals say."""

from __future__ import annotations

import json
import signal
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable
    from pathlib import Path

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk, Until

pytestmark = pytest.mark.acceptance

DRAIN_S = 30.0


@dataclass
class Daemon:
    """A running daemon and the file that takes its log."""

    process: subprocess.Popen[str]
    log: Path

    def lines(self) -> list[dict[str, Any]]:
        """The log so far; every whole line must be one JSON object."""
        text = self.log.read_text(encoding="utf-8")
        return [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]

    def count(self, event: str, **keys: object) -> int:
        """How many lines tell of that."""
        return sum(line["event"] == event and line.items() >= keys.items() for line in self.lines())

    def signal(self, number: int) -> None:
        """Send a signal."""
        self.process.send_signal(number)

    def end(self, patience_s: float = 60.0) -> tuple[int, float]:
        """Wait for the end; the exit code and how long it took."""
        started = time.monotonic()
        return self.process.wait(patience_s), time.monotonic() - started


@pytest.fixture
def start(tmp_path: Path) -> Callable[..., Daemon]:
    """Starts daemons, each with a log of its own."""

    def begin(desk: Desk, *words: str) -> Daemon:
        log = tmp_path / f"daemon{len(desk.started)}.log"
        with log.open("w") as file:
            return Daemon(desk.start("daemon", *words, err=file.fileno()), log)

    return begin


def _canaries(world: Sandbox) -> set[str]:
    """What must never be read in a log: names, addresses and numbers of people, companies, and every secret."""
    vault, found = world.vault, set[str]()
    for (body,) in vault.execute("SELECT body FROM salesforce WHERE object IN ('Lead', 'Contact', 'Account', 'User')"):
        row = json.loads(body)
        found |= {row.get(field) or "" for field in ("Name", "Email", "Phone", "Company", "Website", "LastName")}
    for (body,) in vault.execute("SELECT body FROM hubspot WHERE object IN ('contacts', 'companies')"):
        row = json.loads(body)
        found |= {row.get(field) or "" for field in ("email", "lastname", "company", "phone", "domain", "name")}
    given = world.credentials
    found |= {given.salesforce_client_secret, given.salesforce_client_id, given.hubspot_token, given.vitally_key}
    return {each for each in found if len(each) > 4 or (len(each) > 1 and not each.isascii())}


def test_daemon_polls_at_its_pace_and_logs_nobody(
    world: Sandbox, make_desk: Callable[..., Desk], start: Callable[..., Daemon], until: Until
):
    """Every system again and again, JSON with known keys only, no person and no secret even with -v; 0 on SIGTERM."""
    desk = make_desk(sandbox=world)
    desk.edit('poll_every = "5m"', 'poll_every = "1s"')
    desk.edit('poll_every = "15m"', 'poll_every = "2s"')
    daemon = start(desk, "-v")
    until(lambda: daemon.count("run.finished") >= 5, "no five cycles", patience_s=90)
    world.faults.vitally.down = "503"
    until(lambda: daemon.count("system.down", system="cs"), "the outage was not told", patience_s=90)
    world.faults.clear()
    until(lambda: daemon.count("system.recovered", system="cs"), "the recovery was not told", patience_s=90)

    refused = desk.run("sync")
    daemon.signal(signal.SIGTERM)
    code, took_s = daemon.end()

    assert refused.code == 75, refused.err
    assert f"process {daemon.process.pid}" in refused.err
    assert code == 0
    assert took_s < DRAIN_S / 2
    assert daemon.count("system.down") == 1, "an outage is told once"
    assert daemon.count("daemon.started") == daemon.count("daemon.drained") == 1
    assert daemon.count("poll.batch_read", object="Lead") >= 1
    assert all({"event", "level", "timestamp"} <= set(line) for line in daemon.lines())
    assert {line["event"] for line in daemon.lines() if line["level"] in {"warning", "critical"}} <= {"plan.refused"}
    written = daemon.log.read_text(encoding="utf-8")
    unescaped = written.encode().decode("unicode_escape", errors="replace")
    canaries = _canaries(world)
    assert len(canaries) > 500
    assert {each for each in canaries if each in written or each in unescaped} == set()
    rows = desk.run("runs", "--limit", "1000", "--json").json["rows"]
    assert {row["status"] for row in rows} <= {"done", "partial"}


def test_canaries_would_be_seen(world: Sandbox, make_desk: Callable[..., Desk]):
    """The watch itself: what explain shows on a screen, it finds."""
    desk = make_desk(sandbox=world)
    assert desk.run("sync").code == 0

    shown = desk.run("explain", "yamada@aoba.example").out

    assert {each for each in _canaries(world) if each in shown} >= {"山田 太郎", "青葉商事株式会社"}


def test_hangup_takes_the_new_configuration_and_keeps_the_old_one_if_it_is_bad(
    world: Sandbox, make_desk: Callable[..., Desk], start: Callable[..., Daemon], until: Until
):
    """A bad file is refused with its places and nothing else happens; a good one changes mode and pace at once."""
    desk = make_desk(sandbox=world)
    good = desk.config.read_text(encoding="utf-8")
    daemon = start(desk)
    until(lambda: daemon.count("run.finished"), "the first cycle did not end", patience_s=90)

    desk.config.write_text(good.replace('mode = "report"', 'mode = "yes"'), encoding="utf-8")
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.count("config.refused"), "the bad file was not refused")
    assert daemon.process.poll() is None
    assert daemon.count("daemon.drained") == 0

    desk.config.write_text(
        good.replace('mode = "report"', 'mode = "write"')
        .replace("max_share = 0.3", "max_share = 1.0")
        .replace('poll_every = "5m"', 'poll_every = "1s"'),
        encoding="utf-8",
    )
    daemon.signal(signal.SIGHUP)
    until(lambda: daemon.count("daemon.started", mode="write"), "the good file was not taken")
    until(lambda: daemon.count("run.finished") >= 4, "the new pace is not kept", patience_s=90)
    daemon.signal(signal.SIGTERM)

    assert daemon.end()[0] == 0
    assert daemon.count("config.reloaded") == 1
    refused = next(line for line in daemon.lines() if line["event"] == "config.refused")
    assert [place.split(":")[0] for place in refused["where"]] == ["config.toml"]
    body = world.vault.body("hubspot", "contacts", 5101)
    assert body is not None
    assert body["canonical_stage"] == "sal"


def test_approved_plan_is_handed_over_to_the_daemon(
    world: Sandbox, make_desk: Callable[..., Desk], start: Callable[..., Daemon], until: Until
):
    """The daemon parks the first fills; `apply --approve` at another terminal has it write them, and tells the end."""
    desk = make_desk(sandbox=world, mode="write", max_changes=100)
    daemon = start(desk)
    until(lambda: daemon.count("run.finished", status="held"), "nothing was parked", patience_s=90)
    parked = desk.run("runs", "--json").json["rows"][0]

    unapproved = desk.run("apply", parked["digest"])
    done = desk.run("apply", parked["digest"], "--approve", "--json")
    daemon.signal(signal.SIGTERM)

    assert unapproved.code == 4, unapproved.err
    assert done.code == 0, (done.out, done.err)
    assert done.json["applied"]["verified"] == parked["plan"] > 1_000
    assert daemon.end()[0] == 0
    quiet = desk.run("sync", "--json")
    assert quiet.code == 0, quiet.err
    assert quiet.json["plan"]["changes"] == 0


def test_told_to_stop_amid_a_large_backfill_it_drains_and_goes_on_later(
    make_sandbox: Callable[..., Sandbox], make_desk: Callable[..., Desk], start: Callable[..., Daemon], until: Until
):
    """Amid reading thousands of people SIGTERM ends it, 0, well within 30 s; the same again later in the steps."""
    world = make_sandbox(size="small")
    desk = make_desk(sandbox=world)
    reading = start(desk, "-v")
    until(lambda: sum(world.faults.counts().values()) > 20, "the daemon read nothing", patience_s=90)
    reading.signal(signal.SIGTERM)
    first, first_s = reading.end()

    deriving = start(desk, "-v")
    until(lambda: deriving.count("step.finished", step="poll"), "reading did not end", patience_s=180)
    deriving.signal(signal.SIGTERM)
    second, second_s = deriving.end()

    assert (first, second) == (0, 0)
    assert max(first_s, second_s) < DRAIN_S / 2
    assert reading.count("daemon.drained") == deriving.count("daemon.drained") == 1
    assert [row["status"] for row in desk.run("runs", "--json").json["rows"]] == ["done", "done"]


def test_drained_store_goes_on_to_the_same_end(
    world: Sandbox,
    make_desk: Callable[..., Desk],
    start: Callable[..., Daemon],
    canonical: Callable[[Desk], dict[str, Any]],
    until: Until,
):
    """What was read before SIGTERM is kept, nothing was decided upon a part, and the rest follows."""
    desk, whole = make_desk("desk", world), make_desk("whole", world)
    world.faults.hubspot.latency_s = 0.3
    daemon = start(desk)
    until(lambda: sum(world.faults.counts().values()) > 15, "the daemon read nothing", patience_s=90)
    daemon.signal(signal.SIGTERM)
    assert daemon.end()[0] == 0
    world.faults.clear()

    assert desk.run("sync").code == 0
    assert whole.run("sync").code == 0
    found, wanted = canonical(desk), canonical(whole)
    for table in wanted:
        assert found[table] == wanted[table], table


def test_second_signal_ends_at_once(
    world: Sandbox, make_desk: Callable[..., Desk], start: Callable[..., Daemon], until: Until
):
    """A vendor that keeps it waiting does not keep the operator waiting; the store is none the worse."""
    desk = make_desk(sandbox=world)
    for vendor in (world.faults.salesforce, world.faults.hubspot, world.faults.vitally):
        vendor.latency_s = 20.0
    daemon = start(desk)
    until(lambda: daemon.count("daemon.started"), "it did not start", patience_s=90)
    time.sleep(1.0)

    daemon.signal(signal.SIGTERM)
    time.sleep(0.5)
    assert daemon.process.poll() is None
    daemon.signal(signal.SIGTERM)
    code, took_s = daemon.end()

    assert code == -signal.SIGTERM
    assert took_s < 5
    world.faults.clear()
    assert desk.run("doctor", "--deep").code == 0
