"""The search compiler: what each filter matches, on rows in memory."""

from __future__ import annotations

import pytest

from sandbox.hubspot.answers import Refusal
from sandbox.hubspot.filters import Compiler
from sandbox.hubspot.schema import standard_schema
from sandbox.vault import Vault

DAY = 86_400_000
PEOPLE = {
    9: {"email": "aoi@ume.example", "firstname": "Aoi", "canonical_score": "9", "lifecyclestage": "lead"},
    10: {"email": "b.sora@matsu.example", "firstname": "SORA", "canonical_score": "61.5", "lifecyclestage": "customer"},
    100: {"email": None, "firstname": "", "canonical_score": "100", "canonical_stage_at": "2026-11-20T00:00:00Z"},
    101: {"firstname": "aoi 100%", "canonical_stage_at": "1795392000001", "company": "Take & Co"},
}
"""1795392000001 is 2026-11-23T00:00:00.001Z."""


@pytest.fixture(scope="module")
def schema():
    """The properties of a fresh account."""
    return standard_schema(0)


@pytest.fixture(scope="module")
def vault():
    """Four contacts, modified on as many days, and a company of two of them."""
    made = Vault()
    for place, (id_, properties) in enumerate(PEOPLE.items(), start=1):
        made.put_hubspot("contacts", id_, properties, at=place * DAY)
    for id_ in (9, 100):
        made.associate("contacts", id_, "companies", 5, types=(279, 280))
    made.commit()
    yield made
    made.close()


@pytest.fixture
def find(schema, vault):
    """Finds the ids that filters and a query match, in the order of a sort."""

    def run(*groups, query="", sorts=()):
        compiler = Compiler("contacts", schema.live("contacts"))
        where = compiler.where([{"filters": group} for group in groups], query)
        order = compiler.order(list(sorts))
        rows = vault.execute(
            f"SELECT id FROM hubspot WHERE object = 'contacts' AND {where.sql} ORDER BY {order}", where.params
        )
        return [id_ for (id_,) in rows]

    return run


def one(name, operator, value=None, **more):
    """One filter."""
    return {"propertyName": name, "operator": operator, **({} if value is None else {"value": value}), **more}


@pytest.mark.parametrize(
    ("filter_", "ids"),
    [
        (one("hs_object_id", "GT", "9"), [10, 100, 101]),
        (one("hs_object_id", "IN", values=["9", "101"]), [9, 101]),
        (one("lastmodifieddate", "BETWEEN", str(2 * DAY), highValue=str(3 * DAY)), [10, 100]),
        (one("lastmodifieddate", "LT", "1970-01-03T00:00:00Z"), [9]),
        (one("createdate", "GTE", str(4 * DAY)), [101]),
        (one("canonical_score", "GT", "10"), [10, 100]),
        (one("canonical_score", "LTE", "61.5"), [9, 10]),
        (one("canonical_score", "EQ", "100.0"), [100]),
        (one("firstname", "EQ", "AOI"), [9]),
        (one("firstname", "NEQ", "aoi"), [10, 101]),
        (one("firstname", "IN", values=["aoi", "sora"]), [9, 10]),
        (one("firstname", "IN", values=["Aoi"]), []),
        (one("firstname", "NOT_IN", values=["aoi"]), [10, 101]),
        (one("firstname", "HAS_PROPERTY"), [9, 10, 101]),
        (one("email", "NOT_HAS_PROPERTY"), [100, 101]),
        (one("lifecyclestage", "EQ", "lead"), [9]),
        (one("lifecyclestage", "EQ", "Lead"), []),
        (one("canonical_stage_at", "GTE", "2026-11-21"), [101]),
        (one("canonical_stage_at", "BETWEEN", "1795132800000", highValue="1795132800000"), [100]),
        (one("canonical_stage_at", "EQ", "2026-11-23T00:00:00.001Z"), [101]),
        (one("email", "CONTAINS_TOKEN", "*@ume.example"), [9]),
        (one("email", "CONTAINS_TOKEN", "sora"), [10]),
        (one("email", "CONTAINS_TOKEN", "sor"), []),
        (one("email", "CONTAINS_TOKEN", "sor*"), [10]),
        (one("email", "NOT_CONTAINS_TOKEN", "ume"), [10]),
        (one("hs_lastmodifieddate", "GTE", "5"), []),
        (one("hs_lastmodifieddate", "HAS_PROPERTY"), []),
        (one("associations.companies", "EQ", "5"), [9, 100]),
        (one("associations.company", "EQ", "6"), []),
    ],
)
def test_filters_match_as_the_guide_says(find, filter_, ids):
    """Numbers as numbers, instants in any form, text without case, options with it; what is empty matches nothing."""
    assert find([filter_]) == ids


def test_groups_are_alternatives_and_their_filters_conditions(find):
    """AND within a group, OR between groups."""
    first = [one("firstname", "EQ", "aoi"), one("canonical_score", "LT", "10")]
    second = [one("canonical_score", "GTE", "100")]

    assert find(first, second) == [9, 100]


@pytest.mark.parametrize(("query", "ids"), [("AOI", [9, 101]), ("aoi ume", [9]), ("100%", [101]), ("100_", [])])
def test_queries_look_for_all_words_in_any_text(find, query, ids):
    """Words are looked for as they stand; nothing in them is a pattern."""
    assert find(query=query) == ids


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ({"propertyName": "hs_object_id", "direction": "DESCENDING"}, [101, 100, 10, 9]),
        ("-lastmodifieddate", [101, 100, 10, 9]),
        ({"propertyName": "canonical_score", "direction": "ASCENDING"}, [101, 9, 10, 100]),
        ("firstname", [100, 9, 101, 10]),
    ],
)
def test_one_sort_orders_numbers_as_numbers(find, sort, ids):
    """A sort is an object or a name with a minus."""
    assert find(sorts=[sort]) == ids


@pytest.mark.parametrize(
    ("filter_", "status", "code"),
    [
        (one("no_such_thing", "EQ", "1"), 400, "PROPERTY_DOESNT_EXIST"),
        (one("firstname", "LIKE", "1"), 400, "INVALID_OPERATOR"),
        (one("canonical_score", "EQ", "x"), 400, "INVALID_FILTER_VALUE"),
        (one("lastmodifieddate", "GT", "yesterday"), 400, "INVALID_FILTER_VALUE"),
        (one("firstname", "EQ"), 400, None),
        (one("firstname", "IN"), 400, None),
        (one("lastmodifieddate", "GTE", "0"), 500, None),
    ],
)
def test_filters_that_say_nothing_are_refused(find, filter_, status, code):
    """Unknown properties, operators and values; and the epoch, which breaks the vendor."""
    with pytest.raises(Refusal) as refused:
        find([filter_])

    assert refused.value.status == status
    assert code is None or refused.value.errors[0]["code"] == code


def test_windows_of_last_modifications_need_no_record(schema):
    """A window with a keyset is answered by the index alone; anything else is not."""
    compiler = Compiler("contacts", schema.live("contacts"))
    window = one("lastmodifieddate", "BETWEEN", "1000", highValue="2000")

    keyset = compiler.where([{"filters": [window, one("hs_object_id", "GT", "9")]}])
    other = compiler.where([{"filters": [window, one("email", "HAS_PROPERTY")]}])

    assert keyset.is_covered
    assert not other.is_covered


def test_no_value_reaches_the_sql(schema):
    """Values are parameters; property names are those of the schema."""
    compiler = Compiler("contacts", schema.live("contacts"))
    nasty = "x' OR '1'='1"

    where = compiler.where([{"filters": [one("firstname", "EQ", nasty), one("email", "CONTAINS_TOKEN", nasty)]}], nasty)

    assert "1'='1" not in where.sql
    assert where.params[0] == nasty.lower()
