"""The three vendors over real HTTP on loopback."""

from __future__ import annotations

import os
import socket
import stat
import threading
import time
import tomllib
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import httpx
import jwt
import pytest

from sandbox.server import Sandbox

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

HOUR_S = 3600


def salesforce_token(sandbox: Sandbox, **form: str) -> httpx.Response:
    """What the token endpoint answers."""
    known = sandbox.credentials
    asked = {
        "grant_type": "client_credentials",
        "client_id": known.salesforce_client_id,
        "client_secret": known.salesforce_client_secret,
        **form,
    }
    return httpx.post(f"{sandbox.urls['salesforce']}/services/oauth2/token", data=asked)


def vitally(sandbox: Sandbox, path: str, **settings: Any) -> httpx.Response:
    """One request to Vitally with the right key."""
    return httpx.get(f"{sandbox.urls['cs']}{path}", auth=(sandbox.credentials.vitally_key, ""), **settings)


def three_free_ports() -> int:
    """The first of three in a row that nobody has now."""
    for first in range(20_000 + os.getpid() % 10_000, 32_000, 3):
        with ExitStack() as stack:
            try:
                for port in range(first, first + 3):
                    stack.enter_context(socket.socket()).bind(("127.0.0.1", port))
            except OSError:
                continue
            return first
    raise AssertionError("no three free ports")


def test_three_origins_answer_with_their_own_apis(sandbox: Sandbox) -> None:
    """Each system has a port of its own on loopback, and takes the credentials that the sandbox names."""
    token = salesforce_token(sandbox).json()["access_token"]
    known = sandbox.credentials

    found = [
        httpx.get(
            f"{sandbox.urls['salesforce']}/services/data/v68.0/query",
            params={"q": "SELECT Id FROM Lead LIMIT 1"},
            headers={"Authorization": f"Bearer {token}"},
        ),
        httpx.get(
            f"{sandbox.urls['hubspot']}/crm/objects/2026-09/contacts?limit=1",
            headers={"Authorization": f"Bearer {known.hubspot_token}"},
        ),
        vitally(sandbox, "/resources/accounts?limit=1"),
    ]

    assert [each.status_code for each in found] == [200, 200, 200]
    assert found[0].json()["records"]
    assert found[1].json()["results"]
    assert found[2].json()["results"]
    assert set(sandbox.urls) == {"salesforce", "hubspot", "cs"}
    assert len(set(sandbox.urls.values())) == 3
    assert all(url.startswith("http://127.0.0.1:") for url in sandbox.urls.values())


def test_jwt_signed_with_the_private_key_opens_salesforce(sandbox: Sandbox) -> None:
    """The key beside the configuration belongs to what Salesforce accepts."""
    known = sandbox.credentials
    claims = {
        "iss": known.salesforce_client_id,
        "sub": known.salesforce_username,
        "aud": sandbox.urls["salesforce"],
        "exp": int(time.time()) + 180,
    }
    assertion = jwt.encode(claims, sandbox.private_key, algorithm="RS256")

    response = salesforce_token(sandbox, grant_type="urn:ietf:params:oauth:grant-type:jwt-bearer", assertion=assertion)

    assert response.status_code == 200, response.text
    assert response.json()["access_token"]


def test_wrong_credentials_are_refused_everywhere(sandbox: Sandbox) -> None:
    """Nobody gets in with something else."""
    refused = [
        salesforce_token(sandbox, client_secret="other"),
        httpx.get(
            f"{sandbox.urls['hubspot']}/crm/objects/2026-09/contacts", headers={"Authorization": "Bearer pat-other"}
        ),
        httpx.get(f"{sandbox.urls['cs']}/resources/accounts", auth=("other", "")),
    ]

    assert [each.status_code for each in refused] == [400, 401, 401]


def test_answers_carry_the_date_of_the_world(make_sandbox: Callable[..., Sandbox]) -> None:
    """Clients bound their reads by it, so it follows the vault's clock."""
    sandbox = make_sandbox()
    sandbox.vault.clock = lambda: 1_700_000_000_000

    response = vitally(sandbox, "/resources/accounts?limit=1")

    assert response.headers.get_list("date") == ["Tue, 14 Nov 2023 22:13:20 GMT"]


def test_dropped_and_truncated_answers_end_the_connection(fresh_sandbox: Sandbox) -> None:
    """The client sees a broken connection, and the next request is answered again."""
    faults = fresh_sandbox.faults.vitally
    faults.script(drop=True)
    faults.script(truncate=30)
    faults.script(drop=True, when="after")

    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        vitally(fresh_sandbox, "/resources/accounts")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
        vitally(fresh_sandbox, "/resources/accounts")
    with pytest.raises(httpx.RemoteProtocolError, match="disconnected"):
        vitally(fresh_sandbox, "/resources/accounts")

    assert vitally(fresh_sandbox, "/resources/accounts").status_code == 200


def test_write_whose_answer_was_lost_has_happened(fresh_sandbox: Sandbox) -> None:
    """An outcome that only reading back can tell."""
    id_ = vitally(fresh_sandbox, "/resources/accounts?limit=1").json()["results"][0]["id"]
    fresh_sandbox.faults.vitally.script(method="PUT", drop=True, when="after")

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.put(
            f"{fresh_sandbox.urls['cs']}/resources/accounts/{id_}",
            auth=(fresh_sandbox.credentials.vitally_key, ""),
            json={"traits": {"canonical_stage": "adopted"}},
        )

    assert vitally(fresh_sandbox, f"/resources/accounts/{id_}").json()["traits"]["canonical_stage"] == "adopted"


def test_outage_of_one_vendor_leaves_the_others(fresh_sandbox: Sandbox) -> None:
    """Each has its own faults."""
    fresh_sandbox.faults.vitally.down = "refuse"

    with pytest.raises(httpx.RemoteProtocolError):
        vitally(fresh_sandbox, "/resources/accounts")

    assert salesforce_token(fresh_sandbox).status_code == 200


def test_door_sets_faults_counts_requests_and_tells_the_truth(fresh_sandbox: Sandbox) -> None:
    """What a test in another process needs, on every vendor's port."""
    door = f"{fresh_sandbox.urls['hubspot']}/_sandbox"
    script = {"status": 500, "body": "{}"}

    assert httpx.get(f"{door}/health").json()["size"] == "tiny"
    shown = httpx.post(f"{door}/faults", json={"system": "cs", "latency_s": 0.001, "script": script}).json()
    assert shown["vitally"]["scripted"] == 1
    assert vitally(fresh_sandbox, "/resources/accounts").status_code == 500
    log = httpx.get(f"{door}/requests").json()
    assert log["counts"] == [{"system": "vitally", "method": "GET", "template": "/resources/accounts", "count": 1}]
    assert httpx.delete(f"{door}/faults").status_code == 204
    assert httpx.delete(f"{door}/requests").status_code == 204
    assert httpx.get(f"{door}/requests").json() == {"counts": [], "requests": []}
    assert len(httpx.get(f"{door}/truth?kind=person").json()["rows"]) == 200


@pytest.mark.parametrize(
    "sent", [{"system": "nobody"}, {"system": "hubspot", "latncy": 1}, {"system": "cs", "script": {"stauts": 1}}]
)
def test_door_refuses_what_it_does_not_know(sandbox: Sandbox, sent: dict[str, Any]) -> None:
    """A misspelt fault is an error, not a fault that never happens."""
    assert httpx.post(f"{sandbox.urls['hubspot']}/_sandbox/faults", json=sent).status_code == 400


def test_door_changes_records_of_all_three(fresh_sandbox: Sandbox) -> None:
    """The world goes on: what is changed there is what the vendors then show."""
    door = f"{fresh_sandbox.urls['hubspot']}/_sandbox/records"
    lead = next(iter(fresh_sandbox.vault.execute("SELECT id FROM salesforce WHERE object = 'Lead' LIMIT 1")))[0]
    account = vitally(fresh_sandbox, "/resources/accounts?limit=1").json()["results"][0]["id"]
    changes: list[dict[str, Any]] = [
        {"system": "salesforce", "object": "Lead", "id": lead, "fields": {"Status": "Nurturing"}},
        {"system": "hubspot", "object": "contacts", "id": "5101", "fields": {"hs_lead_status": "OPEN"}},
        {"system": "cs", "object": "accounts", "id": account, "traits": {"risk_reason": "low_usage"}},
    ]

    answers = [httpx.post(door, json=change) for change in changes]

    assert [each.status_code for each in answers] == [200, 200, 200]
    assert answers[0].json()["Status"] == "Nurturing"
    assert answers[1].json()["hs_lead_status"] == "OPEN"
    assert vitally(fresh_sandbox, f"/resources/accounts/{account}").json()["traits"]["risk_reason"] == "low_usage"
    assert httpx.post(door, json={**changes[0], "id": "00Q"}).status_code == 404


def test_configuration_works_as_it_is_and_keeps_its_secrets(fresh_sandbox: Sandbox, tmp_path: Path) -> None:
    """Secrets stand in files for their owner only, and headrace reads the file without a complaint."""
    from sync import config

    path = fresh_sandbox.write_config(tmp_path / "new", mode="write", max_changes=1_000_000, max_share=1.0)
    again = fresh_sandbox.write_config(tmp_path / "new", mode="write", max_changes=1_000_000, max_share=1.0)

    text = path.read_text(encoding="utf-8")
    systems = tomllib.loads(text)["systems"]
    assert again == path
    assert set(systems) == {"salesforce", "hubspot", "cs"}
    assert set(systems["salesforce"]["write"]) == {"Lead", "Contact", "Account", "Opportunity"}
    assert fresh_sandbox.credentials.hubspot_token not in text
    loaded = config.load(path)
    assert loaded.writes.mode == "write"
    assert loaded.guard.max_changes == 1_000_000
    for name in ("salesforce-client-secret", "hubspot-token", "vitally-key", "salesforce.pem"):
        assert stat.S_IMODE((path.parent / name).stat().st_mode) == 0o600
    assert (path.parent / "hubspot-token").read_text() == fresh_sandbox.credentials.hubspot_token


def test_stop_leaves_no_thread_and_no_port() -> None:
    """Stopping twice is no error; a client with an open connection does not hold it up."""
    before = set(threading.enumerate())
    sandbox = Sandbox(size="tiny", seed=3).start()
    port = int(sandbox.urls["cs"].rpartition(":")[2])

    with httpx.Client() as client:
        client.get(f"{sandbox.urls['cs']}/resources/accounts", auth=(sandbox.credentials.vitally_key, ""))
        started = time.monotonic()
        sandbox.stop()
        sandbox.stop()

    assert time.monotonic() - started < 5
    assert set(threading.enumerate()) == before
    assert sandbox.vault.is_closed
    with socket.socket() as probe:
        assert probe.connect_ex(("127.0.0.1", port)) != 0


def test_chosen_ports_are_three_in_a_row_and_a_taken_one_is_an_error() -> None:
    """The second of two sandboxes on one port fails at once and leaves nothing open."""
    port = three_free_ports()
    first = Sandbox(port=port)
    second = Sandbox(port=port)
    try:
        first.start()

        assert [int(url.rpartition(":")[2]) - port for url in first.urls.values()] == [0, 1, 2]
        with pytest.raises(OSError):
            second.start()
    finally:
        first.stop()
        second.stop()


def test_world_at_a_path_is_served_again_as_it_stands(tmp_path: Path) -> None:
    """A second start on the same file finds what the first one left."""
    path = tmp_path / "world.db"
    with Sandbox(path=path) as first, first.vault.transaction():
        first.vault.patch_hubspot("contacts", 5101, {"jobtitle": "changed"})

    with Sandbox(path=path) as second:
        body = second.vault.body("hubspot", "contacts", 5101)

    assert body is not None
    assert body["jobtitle"] == "changed"


def test_half_a_world_at_a_path_is_refused(tmp_path: Path) -> None:
    """A file that was being made when its process ended is no world."""
    path = tmp_path / "world.db"
    path.touch()

    with pytest.raises(ValueError, match=r"world\.db holds no whole world"):
        Sandbox(path=path)


def test_other_machines_are_out_of_reach() -> None:
    """What guards every test: no socket leaves this machine."""
    with pytest.raises(Exception, match=r"a test asked for the address of vendor\.example"):
        httpx.get("http://vendor.example/")
    with socket.socket() as probe, pytest.raises(AssertionError, match=r"192\.0\.2\.1"):
        probe.connect(("192.0.2.1", 80))
