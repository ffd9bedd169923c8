"""The sandbox's SOQL means what Salesforce's does, checked on rows in a real SQLite file."""

from __future__ import annotations

import pytest

from sandbox.faults import Faults
from sandbox.ids import salesforce_id
from sandbox.salesforce.schema import Schema
from sandbox.soql import SoqlError, parse
from sandbox.soql_sql import compile_query
from sandbox.vault import Vault

T0 = 1_780_000_000_000
"""2026-05-28T20:26:40Z."""
ROWS = (
    {"Name": "Alder", "Email": "a@example.com", "NumberOfEmployees": 10, "HasOptedOutOfEmail": True},
    {"Name": "birch", "Email": "b@example.com", "NumberOfEmployees": None, "HasOptedOutOfEmail": False},
    {"Name": "Cedar 100%", "Email": None, "NumberOfEmployees": 30, "HasOptedOutOfEmail": False},
    {"Name": "O'Dell", "Email": "d@example.com", "NumberOfEmployees": 40, "ConvertedDate": "2026-06-01"},
    {
        "Name": "日本",
        "Email": "e@example.com",
        "NumberOfEmployees": 50,
        "EmailBouncedDate": "2026-05-28T20:26:40.000+0000",
    },
)


@pytest.fixture(scope="module")
def org():
    """Five leads, a second apart, the last two in the same second."""
    vault = Vault()
    schema = Schema(vault, Faults())
    for number, row in enumerate(ROWS):
        vault.put_salesforce("Lead", salesforce_id("Lead", number + 1), row, at=T0 + min(number, 3) * 1000)
    vault.commit()
    vault.index()
    yield vault, schema
    vault.close()


@pytest.fixture
def names(org):
    """The names of the leads that a condition finds, in order."""
    vault, schema = org

    def find(rest: str) -> list[str]:
        selection = compile_query(parse(f"SELECT Name FROM Lead {rest}"), "Lead", schema.view("Lead").columns)
        limit = -1 if selection.limit is None else selection.limit
        sql = (
            "SELECT json_extract(body, '$.Name') FROM salesforce WHERE object = 'Lead' AND "
            f"({selection.where}) ORDER BY {selection.order} LIMIT {limit} OFFSET {selection.offset}"
        )
        return [name for (name,) in vault.execute(sql, selection.params)]

    return find


@pytest.fixture
def refusal(org):
    """The code and message with which a statement is refused."""
    _, schema = org

    def refuse(text: str) -> tuple[str, str]:
        with pytest.raises(SoqlError) as caught:
            compile_query(parse(text), "Lead", schema.view("Lead").columns)
        return caught.value.code, caught.value.message

    return refuse


A, B, C, D, E = (row["Name"] for row in ROWS)


@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", [A, B, C, D, E]),
        ("WHERE Name = 'ALDER'", [A]),
        ("WHERE Name = 'O\\'Dell'", [D]),
        ("WHERE Name != 'alder'", [B, C, D, E]),
        ("WHERE Email <> 'a@example.com'", [B, C, D, E]),
        ("WHERE Email = null", [C]),
        ("WHERE Email = ''", [C]),
        ("WHERE Email != null", [A, B, D, E]),
        ("WHERE NumberOfEmployees > 10", [C, D, E]),
        ("WHERE NumberOfEmployees >= 10 AND NumberOfEmployees <= 30.0", [A, C]),
        ("WHERE NOT NumberOfEmployees > 10", [A, B]),
        ("WHERE NOT (NumberOfEmployees = 10 OR NumberOfEmployees = 30)", [B, D, E]),
        ("WHERE HasOptedOutOfEmail = true", [A]),
        ("WHERE HasOptedOutOfEmail = FALSE", [B, C, D, E]),
        ("WHERE Name IN ('alder', 'Birch', 'none')", [A, B]),
        ("WHERE Email NOT IN ('a@example.com', 'b@example.com')", [C, D, E]),
        ("WHERE Email IN (null, 'a@example.com')", [A, C]),
        ("WHERE Email NOT IN (null, 'a@example.com')", [B, D, E]),
        ("WHERE Name LIKE 'b%'", [B]),
        ("WHERE Name LIKE '%100\\%'", [C]),
        ("WHERE Name LIKE '_edar%'", [C]),
        ("WHERE Name LIKE 'O\\'%'", [D]),
        ("WHERE Name = '日本'", [E]),
        ("where (Name = 'Alder' or Name = 'birch') and NumberOfEmployees = 10", [A]),
        ("WHERE SystemModstamp >= 2026-05-28T20:26:41Z AND SystemModstamp < 2026-05-28T20:26:43.000Z", [B, C]),
        ("WHERE SystemModstamp = 2026-05-29T05:26:40+09:00", [A]),
        ("WHERE CreatedDate > 2026-05-28T20:26:42Z", [D, E]),
        ("WHERE EmailBouncedDate = 2026-05-28T20:26:40Z", [E]),
        ("WHERE ConvertedDate >= 2026-06-01", [D]),
        ("WHERE IsDeleted = false AND Id != null", [A, B, C, D, E]),
        ("ORDER BY Name DESC", [E, D, C, B, A]),
        ("ORDER BY NumberOfEmployees", [B, A, C, D, E]),
        ("ORDER BY NumberOfEmployees DESC", [B, E, D, C, A]),
        ("ORDER BY NumberOfEmployees DESC NULLS LAST", [E, D, C, A, B]),
        ("ORDER BY HasOptedOutOfEmail DESC, Name ASC NULLS FIRST LIMIT 1", [A]),
        ("ORDER BY SystemModstamp, Id LIMIT 2 OFFSET 1", [B, C]),
        ("LIMIT 0", []),
    ],
)
def test_a_condition_finds_what_salesforce_would(names, rest, expected):
    """Text compares without case, emptiness is a value, NOT is two-valued, stamps compare as instants."""
    found = names(rest)

    if "HasOptedOutOfEmail DESC" in rest:
        assert found == expected
    elif "HasOptedOutOfEmail" in rest or "ORDER" not in rest:
        assert sorted(found) == sorted(expected)
    else:
        assert found == expected


def test_a_tie_in_a_second_is_resumed_by_id(names):
    """The keyset condition of a resumed poll skips what was read and nothing else."""
    last_read = salesforce_id("Lead", 4)

    found = names(
        "WHERE SystemModstamp > 2026-05-28T20:26:43Z OR (SystemModstamp = 2026-05-28T20:26:43Z AND Id > "
        f"'{last_read}') ORDER BY SystemModstamp, Id"
    )

    assert found == [E]


def test_an_id_of_fifteen_characters_finds_its_record(names):
    """Ids compare exactly, in either length."""
    assert names(f"WHERE Id = '{salesforce_id('Lead', 2)[:15]}'") == [B]
    assert names(f"WHERE Id IN ('{salesforce_id('Lead', 1)}', '{salesforce_id('Lead', 3)}')") == [A, C]


@pytest.mark.parametrize(
    ("text", "at", "token"),
    [
        ("SELECT Id FRM Lead", 11, "FRM"),
        ("SELECT FROM Lead", 8, "FROM"),
        ("SELECT Id FROM Lead WHERE Name = 'a' AND Email = null OR Id = null", 55, "OR"),
        ("SELECT Id FROM Lead WHERE SystemModstamp > 2026-05-28T20:26:40 00:00", 48, "-05"),
        ("SELECT Id FROM Lead WHERE Name =", 33, "<EOF>"),
        ("SELECT Id FROM Lead ORDER BY Name SIDEWAYS", 35, "SIDEWAYS"),
        ("SELECT Id FROM Lead LIMIT -1", 27, "-1"),
        ("DELETE FROM Lead", 1, "DELETE"),
    ],
)
def test_a_malformed_statement_is_refused_with_its_place(refusal, text, at, token):
    """The message shows the line, a caret below the token, row and column."""
    code, message = refusal(text)

    assert code == "MALFORMED_QUERY"
    nothing, line, caret, *said = message.split("\n")
    assert said == [f"ERROR at Row:1:Column:{at}", f"unexpected token: '{token}'"]
    assert nothing == ""
    assert line in text
    assert line[len(caret) - 1 :].startswith(token) or token == "<EOF>"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "SELECT Nope FROM Lead",
            "No such column 'Nope' on entity 'Lead'. If you are attempting to use a custom field",
        ),
        ("SELECT Owner.Name FROM Lead", "Didn't understand relationship 'Owner' in field path."),
        ("SELECT Id FROM Lead WHERE Description = 'x'", "field 'Description' can not be filtered in a query call"),
        (
            "SELECT Id FROM Lead WHERE CreatedDate > '2026-01-01'",
            "for field 'CreatedDate' must be of type dateTime and should not be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Lead WHERE Name = 5",
            "value of filter criterion for field 'Name' must be of type string and should be enclosed in quotes",
        ),
        (
            "SELECT Id FROM Lead WHERE SystemModstamp > 2026-01-01",
            "value of filter criterion for field 'SystemModstamp' must be of type dateTime",
        ),
    ],
)
def test_a_field_that_does_not_fit_is_an_invalid_field(refusal, text, said):
    """INVALID_FIELD names the field after the place of the fault."""
    code, message = refusal(text)

    assert code == "INVALID_FIELD"
    assert said in message
    assert "ERROR at Row:1:Column:" in message


def test_a_statement_over_several_lines_is_pointed_at_by_row(refusal):
    """Row and column count from the line that holds the fault."""
    _, message = refusal("SELECT Id\nFROM Lead\nWHERE Nope = 1")

    assert message.startswith("\nWHERE Nope = 1\n      ^\nERROR at Row:3:Column:7\n")


def test_a_field_asked_for_twice_is_refused(refusal):
    """A select list names each field once, in any case."""
    assert refusal("SELECT Id, Name, name FROM Lead") == ("INVALID_FIELD", "duplicate field selected: Name")


def test_the_cursor_window_is_served_by_the_index(org):
    """A replication query neither scans the object nor sorts."""
    vault, schema = org
    text = "SELECT Id FROM Lead WHERE SystemModstamp >= 2026-01-01T00:00:00Z ORDER BY SystemModstamp, Id"
    selection = compile_query(parse(text), "Lead", schema.view("Lead").columns)

    plan = vault.execute(
        "EXPLAIN QUERY PLAN SELECT id FROM salesforce WHERE object = 'Lead' AND "
        f"({selection.where}) ORDER BY {selection.order}",
        selection.params,
    ).fetchall()

    assert len(plan) == 1
    assert "salesforce_modified (object=? AND modified>?)" in plan[0][3]


def test_a_history_object_is_windowed_on_its_creation_by_the_same_index(org):
    """History rows never change, so CreatedDate is as fast a cursor as SystemModstamp is elsewhere."""
    _, schema = org

    selection = compile_query(
        parse("SELECT Id FROM LeadHistory WHERE CreatedDate >= 2026-01-01T00:00:00Z ORDER BY CreatedDate, Id"),
        "LeadHistory",
        schema.view("LeadHistory").columns,
    )

    assert selection.where == "modified >= ?"
    assert selection.order == "modified, id"
    assert selection.is_windowed
