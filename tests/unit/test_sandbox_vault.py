"""The simulated databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from sandbox.vault import Vault, iso_stamp, salesforce_stamp

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOW = 1_795_000_000_123


@pytest.fixture
def vault() -> Iterator[Vault]:
    """An empty vault whose time stands still."""
    made = Vault()
    made.clock = lambda: NOW
    yield made
    made.close()


def test_salesforce_patch_stamps_whole_seconds(vault: Vault) -> None:
    """A patched record has its fields, and a SystemModstamp that its column repeats."""
    vault.put_salesforce("Lead", "00Q1", {"Status": "Open"}, at=NOW - 60_000)

    body = vault.patch_salesforce("Lead", "00Q1", {"Status": "Nurturing"})

    assert body["Status"] == "Nurturing"
    assert body["SystemModstamp"] == body["LastModifiedDate"] == salesforce_stamp(NOW)
    assert body["CreatedDate"] == salesforce_stamp(NOW - 60_000)
    assert vault.execute("SELECT modified FROM salesforce").fetchone()[0] == NOW // 1000 * 1000


def test_salesforce_delete_keeps_the_row(vault: Vault) -> None:
    """A deleted record stays, with IsDeleted in its body and its column."""
    vault.put_salesforce("Lead", "00Q1", {})

    body = vault.patch_salesforce("Lead", "00Q1", {}, is_deleted=True)

    assert body["IsDeleted"] is True
    assert vault.execute("SELECT is_deleted FROM salesforce").fetchone()[0] == 1


def test_hubspot_patch_writes_history_of_what_changed_only(vault: Vault) -> None:
    """Setting a value that is already there leaves no row of history, but a new modification stamp."""
    vault.put_hubspot("contacts", 1, {"email": "a@b.example", "lifecyclestage": "lead"}, at=NOW - 1000)

    vault.patch_hubspot("contacts", 1, {"email": "a@b.example", "lifecyclestage": "customer"})

    rows = vault.execute("SELECT property, at, value FROM hubspot_history").fetchall()
    assert rows == [("lifecyclestage", NOW, "customer")]
    body = vault.body("hubspot", "contacts", 1)
    assert body is not None
    assert body["lastmodifieddate"] == iso_stamp(NOW)


def test_hubspot_objects_other_than_contacts_use_their_own_stamp(vault: Vault) -> None:
    """Only contacts have lastmodifieddate."""
    body = vault.put_hubspot("deals", 1, {})

    assert "lastmodifieddate" not in body
    assert body["hs_lastmodifieddate"] == iso_stamp(NOW)


def test_associations_stand_in_both_directions(vault: Vault) -> None:
    """Each direction has its own type id."""
    vault.associate("contacts", 1, "companies", 2, types=(279, 280))

    rows = vault.execute("SELECT from_object, to_id, type_id FROM hubspot_association ORDER BY type_id").fetchall()
    assert rows == [("contacts", 2, 279), ("companies", 1, 280)]


def test_vitally_traits_are_merged_and_null_deletes_one(vault: Vault) -> None:
    """What is not named stays as it was."""
    vault.execute(
        "INSERT INTO vitally VALUES ('accounts', 'a', 0, 0, ?)",
        ('{"id":"a","updatedAt":"x","traits":{"keep":1,"drop":2}}',),
    )

    body = vault.patch_vitally("accounts", "a", {}, traits={"drop": None, "add": 3})

    assert body["traits"] == {"keep": 1, "add": 3}
    assert body["updatedAt"] == iso_stamp(NOW)


def test_missing_records_are_refused(vault: Vault) -> None:
    """Patching what is not there says so, in all three databases."""
    with pytest.raises(KeyError):
        vault.patch_salesforce("Lead", "x", {})
    with pytest.raises(KeyError):
        vault.patch_hubspot("contacts", 1, {})
    with pytest.raises(KeyError):
        vault.patch_vitally("accounts", "x", {})


def test_failed_transaction_leaves_nothing(vault: Vault) -> None:
    """An exception takes back what was written inside."""

    def fail() -> None:
        with vault.transaction():
            vault.put_salesforce("Lead", "00Q1", {})
            raise ValueError

    with pytest.raises(ValueError):
        fail()

    assert vault.body("salesforce", "Lead", "00Q1") is None


def test_vault_at_a_path_keeps_what_was_committed(tmp_path: Path) -> None:
    """Closing twice is no error, and a second vault on the file finds the records."""
    first = Vault(tmp_path / "vault.db")
    first.put_salesforce("Lead", "00Q1", {})
    first.commit()
    for _ in range(2):
        first.close()

    second = Vault(tmp_path / "vault.db")
    body = second.body("salesforce", "Lead", "00Q1")
    second.close()

    assert body is not None


def test_vault_without_a_path_leaves_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not even while it is open, so that a killed process leaves nothing behind."""
    monkeypatch.setenv("SQLITE_TMPDIR", str(tmp_path))
    vault = Vault()
    vault.execute("PRAGMA cache_size = 10")
    for number in range(2000):
        vault.put_salesforce("Lead", f"00Q{number}", {"Name": "x" * 500})
    vault.commit()
    count = vault.execute("SELECT count(*) FROM salesforce").fetchone()[0]

    assert count == 2000
    assert list(tmp_path.iterdir()) == []
    vault.close()
