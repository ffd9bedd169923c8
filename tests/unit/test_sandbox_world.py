"""The simulated company: whole, plausible, the same each time, and with nobody real in it."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest

from sandbox.truth import entities, entity_of, same_pairs
from sandbox.vault import Vault, iso_stamp, salesforce_stamp
from sandbox.world import PEOPLE, WINDOW_MS, generate
from sandbox.world.names import FREE_MAIL_INT, FREE_MAIL_JA

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_795_000_000_000
TABLES = ("salesforce", "hubspot", "hubspot_history", "hubspot_association", "hubspot_alias", "vitally", "truth")


def made(seed: int, size: str = "tiny", now_ms: int = NOW) -> Vault:
    """A vault with a world in it."""
    vault = Vault()
    vault.clock = lambda: now_ms
    generate(vault, seed=seed, size=size, now_ms=now_ms)
    return vault


def dump(vault: Vault) -> list[list[Any]]:
    """Everything in it."""
    return [vault.execute(f"SELECT * FROM {table}").fetchall() for table in TABLES]


def bodies(vault: Vault, system: str, object_: str) -> list[dict[str, Any]]:
    """All records of one object."""
    rows = vault.execute(f"SELECT body FROM {system} WHERE object = ? ORDER BY id", (object_,))
    return [json.loads(body) for (body,) in rows]


@pytest.fixture(scope="module")
def tiny() -> Iterator[Vault]:
    """A tiny world."""
    vault = made(seed=1)
    yield vault
    vault.close()


@pytest.fixture(scope="module")
def small() -> Iterator[Vault]:
    """A small world."""
    vault = made(seed=1, size="small")
    yield vault
    vault.close()


def test_same_seed_size_and_now_make_the_same_world(tiny: Vault) -> None:
    """Nothing depends on the run; another seed makes another world."""
    again, other = made(seed=1), made(seed=2)
    try:
        assert dump(again) == dump(tiny)
        assert dump(other) != dump(tiny)
    finally:
        again.close()
        other.close()


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_every_person_stands_in_one_to_three_systems(size: str, request: pytest.FixtureRequest) -> None:
    """The truth knows all people of the size, and each has at least one record."""
    vault = request.getfixturevalue(size)

    people = list(entities(vault, "person"))
    systems = Counter(len({record.system for record in person.records}) for person in people)

    assert len(people) == PEOPLE[size]
    assert set(systems) == {1, 2, 3}
    assert min(systems.values()) > PEOPLE[size] / 20


def test_truth_names_records_that_exist(tiny: Vault) -> None:
    """Every record that the truth names is in its vendor's database."""
    named = tiny.execute("SELECT system, object, id FROM truth").fetchall()

    assert len(named) == len(set(named))
    assert all(tiny.body(system, object_, id_) is not None for system, object_, id_ in named)


def test_mail_domains_are_reserved_or_free_mail(small: Vault) -> None:
    """Nobody's real address can occur: domains end in .example, and free-mail names are marked as invented."""
    tables = ("salesforce", "hubspot", "vitally")
    rows = small.execute(" UNION ALL ".join(f"SELECT body FROM {table}" for table in tables))
    free = {*FREE_MAIL_INT, *FREE_MAIL_JA}
    seen: set[str] = set()
    for (text,) in rows:
        body = json.loads(text)
        values = [body.get(name) for name in ("Email", "email", "hs_additional_emails", "Username")]
        seen.update(part for value in values if value for part in value.lower().split(";"))

    assert len(seen) > 1000
    for address in seen:
        local, _, domain = address.partition("@")
        assert domain.endswith(".example") or (domain in free and local.startswith("sandbox."))


def test_hubspot_addresses_are_unique(small: Vault) -> None:
    """HubSpot has each address once, primary or secondary, as the vendor enforces."""
    addresses = [
        address
        for body in bodies(small, "hubspot", "contacts")
        for address in (body["email"], *(body["hs_additional_emails"] or "").split(";"))
        if address
    ]

    assert len(addresses) == len(set(addresses))


def test_references_lead_somewhere(small: Vault) -> None:
    """Every id that a Salesforce record names exists."""
    ids = {id_ for (id_,) in small.execute("SELECT id FROM salesforce")}
    names = (
        "AccountId", "ContactId", "LeadId", "OpportunityId", "CampaignId", "WhoId", "WhatId", "OwnerId",
        "ConvertedAccountId", "ConvertedContactId", "ConvertedOpportunityId", "MasterRecordId", "CreatedById",
    )  # fmt: skip

    for object_, text in small.execute("SELECT object, body FROM salesforce"):
        body = json.loads(text)
        assert not [name for name in names if body.get(name) and body[name] not in ids], object_


def test_associations_and_aliases_lead_somewhere(small: Vault) -> None:
    """Every HubSpot association joins two records, in both directions, and a merged-away id leads to a survivor."""
    ids = set(small.execute("SELECT object, id FROM hubspot").fetchall())
    pairs = set(small.execute("SELECT from_object, from_id, to_object, to_id FROM hubspot_association").fetchall())
    aliases = small.execute("SELECT object, old_id, new_id FROM hubspot_alias").fetchall()

    assert aliases
    assert all((a, b) in ids and (c, d) in ids and (c, d, a, b) in pairs for a, b, c, d in pairs)
    assert all((object_, new) in ids and (object_, old) not in ids for object_, old, new in aliases)


@pytest.mark.parametrize("size", ["tiny", "small"])
def test_world_ends_now_and_lasted_eighteen_months(size: str, request: pytest.FixtureRequest) -> None:
    """No stamp lies in the future, and the oldest form was sent at the beginning of the window."""
    vault = request.getfixturevalue(size)
    for table in ("salesforce", "hubspot", "vitally"):
        newest, mixed = vault.execute(f"SELECT max(modified), sum(created > modified) FROM {table}").fetchone()
        assert newest <= NOW
        assert mixed == 0
    oldest, newest = vault.execute("SELECT min(at), max(at) FROM hubspot_history").fetchone()

    assert newest <= NOW
    assert NOW - WINDOW_MS - 86_400_000 < oldest < NOW - WINDOW_MS + 60 * 86_400_000


def test_columns_repeat_the_stamps_of_the_bodies(tiny: Vault) -> None:
    """What an API filters on is what it shows."""
    for created, modified, text in tiny.execute("SELECT created, modified, body FROM salesforce"):
        body = json.loads(text)
        assert body["CreatedDate"] == salesforce_stamp(created)
        assert body.get("SystemModstamp", salesforce_stamp(modified)) == salesforce_stamp(modified)
    for object_, modified, text in tiny.execute("SELECT object, modified, body FROM hubspot WHERE object <> 'owners'"):
        name = "lastmodifieddate" if object_ == "contacts" else "hs_lastmodifieddate"
        assert json.loads(text)[name] == iso_stamp(modified)
    for modified, text in tiny.execute("SELECT modified, body FROM vitally"):
        assert json.loads(text)["updatedAt"] == iso_stamp(modified)


def test_histories_end_in_the_present_value(small: Vault) -> None:
    """The last row of a property's history is what the record shows."""
    rows = small.execute(
        "SELECT h.object, h.id, h.property, h.value FROM hubspot_history h JOIN"
        " (SELECT object, id, property, max(at) AS at FROM hubspot_history GROUP BY 1, 2, 3) last"
        " USING (object, id, property, at)"
    ).fetchall()
    current = {
        (object_, id_): json.loads(text) for object_, id_, text in small.execute("SELECT object, id, body FROM hubspot")
    }

    assert len(rows) > 10_000
    wrong = [row for row in rows if current[row[0], row[1]].get(row[2]) != row[3]]
    assert wrong == []


def test_no_history_is_newer_than_its_record(small: Vault) -> None:
    """Who reads by modification stamp finds every row of history."""
    late = small.execute(
        "SELECT h.object, h.property, count(*) FROM hubspot_history h JOIN hubspot r USING (object, id)"
        " WHERE h.at > r.modified GROUP BY 1, 2"
    ).fetchall()
    leads = {body["Id"]: body["SystemModstamp"] for body in bodies(small, "salesforce", "Lead")}
    late_leads = [
        row["Field"] for row in bodies(small, "salesforce", "LeadHistory") if row["CreatedDate"] > leads[row["LeadId"]]
    ]

    assert late == []
    assert late_leads == []


def test_opportunities_end_as_their_histories_do(small: Vault) -> None:
    """StageName is the newest stage of OpportunityHistory, and closed means won or lost."""
    newest: dict[str, tuple[str, str]] = {}
    for row in bodies(small, "salesforce", "OpportunityHistory"):
        pair = (row["CreatedDate"], row["StageName"])
        newest[row["OpportunityId"]] = max(pair, newest.get(row["OpportunityId"], ("", "")))

    for body in bodies(small, "salesforce", "Opportunity"):
        assert newest[body["Id"]][1] == body["StageName"]
        assert body["IsClosed"] == body["StageName"].startswith("Closed")
        assert body["IsWon"] == (body["StageName"] == "Closed Won")
        assert (body["Loss_Reason__c"] is not None) == (body["StageName"] == "Closed Lost")


def test_funnel_is_plausible(small: Vault) -> None:
    """About three of five inquiries become MQLs, three of five of those are accepted, most within 24 hours."""
    people = list(entities(small, "person"))
    kinds = [{event.kind: event.at for event in reversed(person.events)} for person in people]
    mqls = [each for each in kinds if "mql" in each]
    accepted = [each for each in mqls if "accepted" in each]
    in_time = [each for each in accepted if each["accepted"] - each["mql"] <= 24 * 3_600_000]
    won = small.execute("SELECT count(*) FROM truth_event WHERE kind = 'won' AND entity LIKE 'opp%'").fetchone()[0]

    assert 0.5 < len(mqls) / len(people) < 0.7
    assert 0.55 < len(accepted) / len(mqls) < 0.75
    assert 0.7 < len(in_time) / len(accepted) < 0.95
    assert won > 200


def test_customers_live_on(small: Vault) -> None:
    """Some are onboarded, renew, expand or churn, with a reason and a date where the vendor shows it."""
    accounts = bodies(small, "vitally", "accounts")
    churned = [body for body in accounts if body["churnedAt"]]
    types = Counter((body["Type"], body["IsWon"]) for body in bodies(small, "salesforce", "Opportunity"))

    assert 0 < len(churned) < len(accounts) / 2
    assert all(body["traits"]["churn_reason"] for body in churned)
    assert any("renewed_at" in body["traits"] for body in accounts)
    assert types["Renewal", True] > types["Renewal", False] > 0
    assert types["Expansion", True] > 0
    assert all(0 <= body["healthScore"] <= 10 for body in accounts)


def test_about_twenty_events_a_person(small: Vault) -> None:
    """Histories, activities, answers to campaigns and lead steps together."""
    history = small.execute(
        "SELECT count(*) FROM hubspot_history WHERE property NOT IN ('recent_conversion_event_name', 'lifecyclestage')"
    ).fetchone()[0]
    rows = small.execute(
        "SELECT count(*) FROM salesforce WHERE object IN"
        " ('Task', 'Event', 'CampaignMember', 'LeadHistory', 'OpportunityHistory')"
    ).fetchone()[0]

    assert 15 < (history + rows) / PEOPLE["small"] < 27


def test_quirks_are_what_they_say(small: Vault) -> None:
    """Each difficulty for identity occurs, and its records show it."""
    people = [person for person in entities(small, "person") if person.quirk]
    kinds = Counter(person.quirk for person in people)

    assert set(kinds) == {
        "upper_case", "plus_tag", "full_width", "role_mailbox", "free_mail", "secondary_email", "conversion_only",
        "salesforce_merge", "hubspot_merge", "deleted",
    }  # fmt: skip
    shared = Counter(body["Email"] for body in bodies(small, "salesforce", "Lead"))
    assert any(address.startswith(("info@", "sales@")) and count > 1 for address, count in shared.items())
    assert any(body["MasterRecordId"] and body["IsDeleted"] for body in bodies(small, "salesforce", "Lead"))
    assert small.execute("SELECT count(*) FROM hubspot WHERE archived = 1 AND object = 'contacts'").fetchone()[0] > 0


def test_half_of_the_world_is_japanese(small: Vault) -> None:
    """Both halves have companies of all sizes."""
    countries = Counter(body["country"] for body in bodies(small, "hubspot", "companies"))

    assert 0.4 < countries["Japan"] / countries.total() < 0.6


@pytest.mark.parametrize("seed", [1, 2, 99])
def test_taro_yamada_is_in_every_world(seed: int) -> None:
    """He became an MQL three days ago and was accepted 21 hours later, as a lead and a contact."""
    vault = made(seed=seed)
    try:
        contact = vault.body("hubspot", "contacts", 5101)
        leads = [body for body in bodies(vault, "salesforce", "Lead") if body["Email"] == "yamada@aoba.example"]
        events = {event.kind: event.at for event in next(iter(entities(vault, "person"))).events}

        assert contact is not None
        assert contact["email"] == "yamada@aoba.example"
        assert (contact["lastname"], contact["firstname"]) == ("山田", "太郎")
        assert [(body["Status"], body["NumberOfEmployees"], body["IsConverted"]) for body in leads] == [
            ("Working - Contacted", 120, False)
        ]
        assert entity_of(vault, "hubspot", "contacts", 5101) == entity_of(vault, "salesforce", "Lead", leads[0]["Id"])
        assert events["accepted"] - events["mql"] == 21 * 3_600_000
        opens = vault.execute(
            "SELECT count(*) FROM hubspot_history WHERE id = 5101 AND property = 'hs_email_last_open_date'"
        ).fetchone()[0]
        assert opens == 4
        lead_id = leads[0]["Id"]
        answered = {
            member["FirstRespondedDate"]
            for member in bodies(vault, "salesforce", "CampaignMember")
            if member["LeadId"] == lead_id and member["HasResponded"]
        }
        in_japan = datetime.fromtimestamp(events["mql"] / 1000, ZoneInfo("Asia/Tokyo"))
        assert in_japan.date().isoformat() in answered
    finally:
        vault.close()


def test_same_pairs_join_records_of_one_entity(tiny: Vault) -> None:
    """A pair never joins two people."""
    pairs = list(same_pairs(tiny, "person"))

    assert len(pairs) > 100
    assert all(entity_of(tiny, *first) == entity_of(tiny, *second) for first, second in pairs)


def test_same_world_is_the_same_file(tmp_path: Path) -> None:
    """Byte for byte."""
    files = [tmp_path / "first.db", tmp_path / "second.db"]
    for path in files:
        vault = Vault(path)
        generate(vault, seed=5, size="tiny", now_ms=NOW)
        vault.close()

    assert files[0].read_bytes() == files[1].read_bytes()


def test_unknown_size_is_refused() -> None:
    """There are three sizes."""
    vault = Vault()
    try:
        with pytest.raises(KeyError):
            generate(vault, seed=1, size="huge", now_ms=NOW)
    finally:
        vault.close()
