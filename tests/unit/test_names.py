"""Names of people and companies: when two are one, and when they cannot be."""

# ruff: noqa: RUF001 - full width is what is tested

from __future__ import annotations

import pytest

from mapping.names import companies_conflict, company_name, names_conflict, person_name
from mapping.titles import level


def conflict(one: tuple[str | None, str | None, str | None], other: tuple[str | None, str | None, str | None]) -> bool:
    """Whether two (given, family, full) names are in conflict."""
    return names_conflict(person_name(*one), person_name(*other))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Taro", "Yamada", None), ("taro", "YAMADA", None)),
        (("太郎", "山田", None), (None, None, "山田太郎")),
        (("太郎", "山田", None), (None, None, "山田 太郎")),
        (("太郎", "山田", None), ("山田", "太郎", None)),
        (("太郎", "山田", None), ("Taro", "Yamada", None)),
        (("浩", "斎藤", None), ("浩", "齋藤", None)),
        (("T.", "Yamada", None), ("Taro", "Yamada", None)),
        (("Ken", "Ito", None), ("Kenji", "Ito", None)),
        (("Tarou", "Ohno", None), ("Taro", "Ono", None)),
        (("Katharine", "Jones", None), ("Katherine", "Jones", None)),
        (("Anna", "Schmidt", None), ("Anna", "Weber", None)),
        (("José", "García", None), ("Jose", "Garcia", None)),
        (("Taro", "Yamada", None), (None, None, None)),
        (("Taro", "Yamada", None), ("不明", None, None)),
        (("Taro", "Yamada", None), (None, None, "Mr. Taro Yamada")),
    ],
)
def test_spellings_of_one_name_are_not_in_conflict(
    one: tuple[str | None, str | None, str | None], other: tuple[str | None, str | None, str | None]
) -> None:
    """Order, script, variants, initials, slips and a name by marriage speak against nothing."""
    assert not conflict(one, other)
    assert not conflict(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("Taro", "Yamada", None), ("Hanako", "Yamada", None)),
        (("太郎", "山田", None), ("花子", "山田", None)),
        (("健", "山田", None), ("健太", "山田", None)),
        (("Taro", "Yamada", None), (None, None, "Hanako Suzuki")),
        (("Ken", "Ito", None), ("Jen", "Ito", None)),
    ],
)
def test_different_given_names_are_in_conflict(
    one: tuple[str | None, str | None, str | None], other: tuple[str | None, str | None, str | None]
) -> None:
    """Two members of one family are two people."""
    assert conflict(one, other)
    assert conflict(other, one)


@pytest.mark.parametrize(
    "spelling", ["株式会社青葉電機", "㈱青葉電機", "（株）青葉電機", "青葉電機(株)", "青葉電機 株式会社", "青葉電機"]
)
def test_a_company_has_one_key_whatever_its_legal_form_is_written_like(spelling: str) -> None:
    """The legal form's place and width do not count."""
    assert company_name(spelling) == "青葉電機"


def test_company_names_conflict_only_where_they_can_be_compared() -> None:
    """Japanese and Latin names say nothing of each other; a holding is not its operating company."""
    assert company_name("Globex Co., Ltd.") == company_name("GLOBEX K.K.") == "globex"
    assert not companies_conflict("青葉電機", "aobadenki")
    assert not companies_conflict("globex", None)
    assert not companies_conflict("globexlabs", "globexlab")
    assert companies_conflict("globex", "globexholdings")
    assert companies_conflict("globex", "initech")


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("代表取締役社長", "c_level"), ("取締役", "c_level"), ("CEO", "c_level"), ("Chief Revenue Officer", "c_level"),
        ("営業本部長", "director"), ("VP of Sales", "director"), ("Vice President", "director"),
        ("Director, IT", "director"), ("執行役員", "director"), ("情報システム部長", "manager"), ("課長", "manager"),
        ("Marketing Manager", "manager"), ("担当", "staff"), ("Engineer", "staff"), ("社長秘書", "staff"),
        ("Assistant to the CEO", "staff"), (None, None), ("", None), ("Co-Founder", "c_level"),
        ("Owner", "c_level"), ("Product Owner", "staff"), ("Partner", "c_level"), ("HR Business Partner", "staff"),
        ("Partner Manager", "manager"),
    ],
)  # fmt: skip
def test_a_title_stands_for_a_level(title: str | None, expected: str | None) -> None:
    """Japanese and English titles, and those who assist one."""
    assert level(title) == expected
