"""Identifiers in their canonical form, and what can be none."""

# ruff: noqa: RUF001 - full width is what is tested

from __future__ import annotations

import pytest

from mapping.normalise import corporate_number, domain, email, is_personal, is_private


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("taro@aoba.example", "taro@aoba.example"),
        ("  Taro.Yamada@AOBA.Example ", "taro.yamada@aoba.example"),
        ("ｔａｒｏ＠ａｏｂａ．ｅｘａｍｐｌｅ", "taro@aoba.example"),
        ("Taro Yamada <taro@aoba.example>", "taro@aoba.example"),
        ("mailto:taro@aoba.example", "taro@aoba.example"),
        ("taro+news@aoba.example", "taro@aoba.example"),
        ("t.a.r.o+x@googlemail.com", "taro@gmail.com"),
        ("ta.ro@aoba.example", "ta.ro@aoba.example"),
        ("taro@日本語.example", "taro@xn--wgv71a119e.example"),
        ("a..b.@docomo.ne.jp", "a..b.@docomo.ne.jp"),
    ],
)
def test_one_mailbox_has_one_canonical_address(written: str, canonical: str) -> None:
    """Width, case, wrapping, tags and Gmail's dots do not make another mailbox; other hosts' dots do."""
    assert email(written) == canonical


@pytest.mark.parametrize("written", [None, "", "taro", "@aoba.example", "taro@", "taro@aoba", "なし"])
def test_what_is_no_address_is_none(written: str | None) -> None:
    """Nothing is made up where no address is."""
    assert email(written) is None


@pytest.mark.parametrize(
    "address",
    [
        "info@aoba.example", "sales@aoba.example", "soumu@aoba.example", "support2@aoba.example", "総務@aoba.example",
        "no-reply@aoba.example", "sales-tokyo@aoba.example", "info_jp@aoba.example", "test@aoba.example",
        "test1@aoba.example", "123@aoba.example",
    ],
)  # fmt: skip
def test_mailboxes_of_many_and_placeholders_are_not_personal(address: str) -> None:
    """Role mailboxes, with places and digits, and what people type to get past a form."""
    assert not is_personal(address)


@pytest.mark.parametrize(
    "address", ["taro@aoba.example", "h.sales@aoba.example", "salesman@aoba.example", "ito@a.example"]
)
def test_names_that_only_resemble_a_role_stay_personal(address: str) -> None:
    """A family name that contains a role is a person's."""
    assert is_personal(address)


@pytest.mark.parametrize(
    ("written", "registrable"),
    [
        ("https://www.aoba.co.jp/contact?x=1", "aoba.co.jp"),
        ("AOBA.example", "aoba.example"),
        ("mail.eu.aoba.example", "aoba.example"),
        ("taro@sub.aoba.co.example", "aoba.co.example"),
        ("shop.aoba.co.uk:8080/", "aoba.co.uk"),
        ("aoba.myshopify.com", "aoba.myshopify.com"),
        ("192.168.0.1", None),
        ("localhost", None),
        ("", None),
    ],
)
def test_the_registrable_domain_is_found_without_a_network(written: str, registrable: str | None) -> None:
    """From addresses of every kind, also under suffixes that no list knows."""
    assert domain(written) == registrable


def test_providers_domains_are_not_private() -> None:
    """Free mail, carriers and access providers, Japanese ones among them, tell nothing of a company."""
    shared = ["gmail.com", "yahoo.co.jp", "docomo.ne.jp", "ezweb.ne.jp", "ocn.ne.jp", "outlook.jp"]

    assert [name for name in shared if is_private(name)] == []
    assert is_private("aoba.example")


def test_a_corporate_number_is_taken_by_its_check_digit() -> None:
    """Full width, separators and the T of invoices are dropped; a wrong digit makes it nobody's."""
    assert corporate_number("T4000000001234") == "4000000001234"
    assert corporate_number("４０００-００００-０１２３４") == "4000000001234"
    assert corporate_number("4000000001235") is None
    assert corporate_number("12345") is None
