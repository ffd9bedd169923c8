"""Who is who: what joins, what does not, and which id a part keeps."""

from __future__ import annotations

import pytest

from reconcile.identity import Declared, Node, Standing, assign, find_parts


def person(given: str | None = None, family: str | None = None, *, name: str | None = None) -> Node:
    """A person's record."""
    return Node("person", name, given, family, None)


def account(name: str | None) -> Node:
    """An account's record."""
    return Node("account", name, None, None, name)


EMAIL = ("email", "taro@aoba.example")
DOMAIN = ("domain", "aoba.example")


def test_an_equal_address_joins_people_whose_names_agree() -> None:
    """With the evidence of each link; a record without a name is not in anyone's way."""
    nodes = {1: person("Taro", "Yamada"), 2: person("太郎", "山田"), 3: person()}

    found = find_parts(nodes, {EMAIL: [3, 1, 2]}, [])

    assert found.parts == [[1, 2, 3]]
    assert [(edge.a, edge.b, edge.rule, edge.tier, edge.evidence) for edge in found.edges] == [
        (1, 2, "email", "T1", "email=taro@aoba.example"),
        (1, 3, "email", "T1", "email=taro@aoba.example"),
    ]
    assert found.doubts == []


def test_names_in_conflict_on_one_address_are_a_doubt_and_only_equal_names_join() -> None:
    """A family's mailbox: nobody can say to whom the nameless record belongs."""
    nodes = {1: person("Taro", "Yamada"), 2: person("Hanako", "Yamada"), 3: person("Taro", "Yamada"), 4: person()}

    found = find_parts(nodes, {EMAIL: [1, 2, 3, 4]}, [])

    assert found.parts == [[1, 3], [2], [4]]
    assert [(doubt.a, doubt.b, doubt.rule) for doubt in found.doubts] == [(1, 2, "email")]


def test_an_address_with_more_than_three_names_joins_nobody() -> None:
    """It is a mailbox of many, whatever it is called."""
    names = ["Taro", "Hanako", "Jiro", "Saburo"]
    nodes = {n: person(given, "Yamada") for n, given in enumerate([*names, "Taro"])}

    found = find_parts(nodes, {EMAIL: list(nodes)}, [])

    assert len(found.parts) == 5
    assert found.doubts == []


def test_a_declared_link_joins_against_the_names() -> None:
    """The vendor merged them; it knows."""
    nodes = {1: person("Taro", "Yamada"), 2: person("Hanako", "Suzuki")}

    found = find_parts(nodes, {EMAIL: [1, 2]}, [Declared(2, 1, "salesforce.merged")])

    assert found.parts == [[1, 2]]
    assert [(edge.rule, edge.tier) for edge in found.edges] == [("salesforce.merged", "T0")]
    assert found.doubts == []


def test_an_id_that_is_gone_still_joins_those_who_name_it() -> None:
    """HubSpot's merged ids are no records any longer."""
    nodes = {1: person(), 2: person()}

    found = find_parts(nodes, {}, [Declared(1, 99, "hubspot.merged"), Declared(2, 99, "vitally.external_id")])

    assert found.parts == [[1, 2]]


def test_records_of_different_kinds_are_never_one() -> None:
    """Not by a wrong link, nor through an id that both name."""
    nodes = {1: person(), 2: account("Aoba")}

    direct = find_parts(nodes, {}, [Declared(1, 2, "vitally.external_id")])
    through = find_parts(nodes, {}, [Declared(1, 99, "a"), Declared(2, 99, "a")])

    assert direct.parts == through.parts == [[1], [2]]
    assert direct.edges == []


@pytest.mark.parametrize(
    ("one", "other", "parts"),
    [
        ("株式会社青葉電機", "青葉電機(株)", 1),
        ("Globex", "Globex Co., Ltd.", 1),
        ("株式会社青葉電機", "Aoba Denki", 1),
        ("Globex", None, 1),
        ("Globex", "Globex Holdings", 2),
        ("Globex", "Initech", 2),
    ],
)
def test_a_shared_domain_joins_accounts_unless_their_names_are_in_conflict(
    one: str, other: str | None, parts: int
) -> None:
    """A holding is another company than the one it holds."""
    found = find_parts({1: account(one), 2: account(other)}, {DOMAIN: [1, 2]}, [])

    assert len(found.parts) == parts
    assert len(found.doubts) == parts - 1


def test_a_corporate_number_joins_accounts_whatever_they_are_called() -> None:
    """The state gave it to one company."""
    found = find_parts(
        {1: account("Globex"), 2: account("Initech")}, {("corporate_number", "4000000001234"): [1, 2]}, []
    )

    assert found.parts == [[1, 2]]


def test_new_parts_get_new_ids_and_old_ones_keep_theirs() -> None:
    """Nothing is named twice."""
    entities = {7: Standing(1, "person", None)}

    plan = assign([[1, 2], [3]], {1: 7}, entities, {})

    assert plan.owners == [7, None]
    assert (plan.merged, plan.revived) == ({}, [])


def test_of_merged_entities_the_oldest_survives() -> None:
    """The others point to it."""
    entities = {7: Standing(1, "person", None), 5: Standing(2, "person", None)}

    plan = assign([[1, 2]], {1: 7, 2: 5}, entities, {})

    assert plan.owners == [5]
    assert plan.merged == {7: 5}


def test_of_a_split_entity_the_part_with_the_anchor_keeps_the_id() -> None:
    """The other one gets a new id."""
    entities = {7: Standing(2, "person", None)}

    plan = assign([[1], [2]], {1: 7, 2: 7}, entities, {})

    assert plan.owners == [None, 7]


def test_an_entity_that_was_merged_away_comes_back_with_its_own_id() -> None:
    """Merge and unmerge lead back to where one was."""
    entities = {5: Standing(2, "person", None), 7: Standing(1, "person", 5)}

    plan = assign([[1], [2]], {1: 5, 2: 5}, entities, {1: [7]})

    assert plan.owners == [7, 5]
    assert plan.revived == [7]
