"""What stands at the vendors after a cycle is what headrace says of everybody, and stays so."""

from __future__ import annotations

import sys
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import httpx
import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce import Salesforce

from mapping.instants import to_ms

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sandbox.server import Sandbox
    from tests.acceptance.conftest import Desk

pytestmark = pytest.mark.acceptance

Remote = dict[tuple[str, str, str], "dict[str, Any]"]
SALESFORCE = {
    "stage": "Canonical_Stage__c",
    "score": "Canonical_Score__c",
    "stage_at": "Canonical_Stage_At__c",
    "id": "Canonical_Id__c",
}
OTHERS = {role: f"canonical_{role}" for role in SALESFORCE}


class _PlainHttp(HTTPAdapter):
    """simple-salesforce writes https into every address; the sandbox speaks http."""

    def send(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, *args, **kwargs)


def _salesforce(sandbox: Sandbox) -> Remote:
    """Every live record's canonical fields, read by simple-salesforce."""
    token = httpx.post(
        f"{sandbox.urls['salesforce']}/services/oauth2/token",
        data={
            "grant_type": "client_credentials",
            "client_id": sandbox.credentials.salesforce_client_id,
            "client_secret": sandbox.credentials.salesforce_client_secret,
        },
    ).json()["access_token"]
    session = requests.Session()
    session.mount("https://", _PlainHttp())
    client = Salesforce(instance_url=sandbox.urls["salesforce"], session_id=token, version="68.0", session=session)
    found: Remote = {}
    for object_ in ("Lead", "Contact", "Account", "Opportunity"):
        is_lead = object_ == "Lead"
        columns = ", ".join(["Id", *SALESFORCE.values(), *(["IsConverted"] if is_lead else [])])
        for row in client.query_all(f"SELECT {columns} FROM {object_}")["records"]:
            if not (is_lead and row["IsConverted"]):
                found["salesforce", object_, row["Id"]] = {role: row[field] for role, field in SALESFORCE.items()}
    session.close()
    return found


def _hubspot(sandbox: Sandbox) -> Remote:
    found: Remote = {}
    headers = {"Authorization": f"Bearer {sandbox.credentials.hubspot_token}"}
    with httpx.Client(base_url=sandbox.urls["hubspot"], headers=headers) as client:
        for object_ in ("contacts", "companies", "deals"):
            after: str | None = "0"
            while after is not None:
                params = {"limit": 100, "after": after, "properties": ",".join(OTHERS.values())}
                page = client.get(f"/crm/v3/objects/{object_}", params=params).raise_for_status().json()
                for row in page["results"]:
                    properties = row["properties"]
                    found["hubspot", object_, row["id"]] = {r: properties.get(f) for r, f in OTHERS.items()}
                after = page.get("paging", {}).get("next", {}).get("after")
    return found


def _vitally(sandbox: Sandbox) -> Remote:
    found: Remote = {}
    auth = (sandbox.credentials.vitally_key, "")
    with httpx.Client(base_url=sandbox.urls["cs"], auth=auth) as client:
        for object_ in ("accounts", "users"):
            params: dict[str, Any] = {"limit": 100}
            while True:
                page = client.get(f"/resources/{object_}", params=params).raise_for_status().json()
                for row in page["results"]:
                    traits = row.get("traits") or {}
                    found["cs", object_, row["id"]] = {role: traits.get(field) for role, field in OTHERS.items()}
                if not page.get("next"):
                    break
                params["from"] = page["next"]
    return found


def _at_the_vendors(sandbox: Sandbox) -> Remote:
    return _salesforce(sandbox) | _hubspot(sandbox) | _vitally(sandbox)


def _same_form(values: Mapping[str, Any]) -> dict[str, Any]:
    """Numbers as numbers and instants as seconds, which is all that Salesforce keeps of a datetime."""
    score, at = values["score"], values["stage_at"]
    return {
        "stage": values["stage"] or None,
        "score": None if score in (None, "") else float(score),
        "stage_at": to_ms(at) // 1000 if at else None,
        "id": values["id"] or None,
    }


def _explained(desk: Desk) -> Iterator[dict[str, Any]]:
    """`explain --json` of everyone in the store, asked in this process: thousands of subprocesses are too slow."""
    from state.sql import fetch
    from sync import config
    from sync.house import House
    from sync.operations import explain

    with House.open(config.load(desk.config), desk.config) as house:
        with house.db.read() as conn:
            ids = [id_ for (id_,) in fetch(conn, "SELECT id FROM entity WHERE merged_into IS NULL ORDER BY id")]
        for id_ in ids:
            yield explain(house, id_)


def test_vendors_show_what_explain_says_of_everybody(
    world: Sandbox,
    make_desk: Callable[..., Desk],
    writing: dict[str, Any],
    record_property: Callable[[str, object], None],
):
    """After one cycle every canonical field of every record equals the story of its person, account or opportunity."""
    desk = make_desk(sandbox=world, **writing)
    started = time.monotonic()
    first = desk.run("sync", "--json")
    assert first.code == 0, first.err
    took_s = time.monotonic() - started

    remote = {place: _same_form(values) for place, values in _at_the_vendors(world).items()}

    wrong: list[Any] = []
    seen: set[tuple[str, str, str]] = set()
    kinds: Counter[str] = Counter()
    for story in _explained(desk):
        kinds[story["kind"]] += 1
        stage = story["stage"]
        wanted: dict[str, Any] = dict.fromkeys(SALESFORCE)  # who is in no stage is not written
        if stage["stage"] is not None:
            wanted = {
                "stage": stage["stage"],
                "score": float(story["score"]["total"]),
                "stage_at": to_ms(stage["since"]) // 1000,
                "id": story["id"],
            }
        for record in story["records"]:
            place = (record["system"], record["object"], record["id"])
            if place not in remote:
                continue
            seen.add(place)
            if remote[place] != wanted:
                wrong.append((place, remote[place], wanted))
    assert wrong[:5] == []
    assert set(remote) - seen == set()
    assert first.json["people"] == kinds["person"] > 150
    assert first.json["accounts"] == kinds["account"] > 30
    assert kinds["opportunity"] > 20
    assert sum(values["stage"] is not None for values in remote.values()) > len(remote) / 2

    again = desk.run("sync", "--json")
    assert again.code == 0, again.err
    assert again.json["plan"]["changes"] == 0
    assert set(again.json["applied"].values()) == {0}
    assert {place: _same_form(values) for place, values in _at_the_vendors(world).items()} == remote
    figures = f"{dict(kinds)}, {len(remote)} records, {first.json['plan']['changes']} fields, {took_s:.1f} s"
    record_property(world.size, figures)
    sys.stderr.write(f"\n{world.size}: {figures}\n")


def test_stage_and_score_of_the_command_line_are_those_at_the_vendors(
    world: Sandbox, make_desk: Callable[..., Desk], writing: dict[str, Any]
):
    """The same by the installed command for one person: e-mail, record and our id name one story."""
    desk = make_desk(sandbox=world, **writing)
    assert desk.run("sync", "--json").code == 0

    by_mail = desk.run("explain", "YAMADA@aoba.example", "--json").json
    by_record = desk.run("explain", "hubspot:contacts:5101", "--json").json
    by_id = desk.run("explain", by_mail["id"], "--json").json

    assert by_mail == by_record == by_id
    remote = _hubspot(world)["hubspot", "contacts", "5101"]
    assert remote["stage"] == by_mail["stage"]["stage"] == "sal"
    assert float(remote["score"]) == by_mail["score"]["total"]
    assert remote["id"] == by_mail["id"]
    assert {change["outcome"] for change in by_mail["changes"]} == {"verified"}
