"""Names of people and companies, folded so far that spellings of one name become equal; and when two are in conflict.

Only names in one script can be in conflict: kanji and Latin letters tell nothing of each other without a reading, and
readings of kanji are guesses.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple
from unicodedata import combining, normalize

_VARIANTS = str.maketrans(
    "髙﨑濵濱邊邉齋齊斎澤廣德瀨國櫻眞嶋惠榮條淺龍圓彌會禮曾來吉",
    "高崎浜浜辺辺斉斉斉沢広徳瀬国桜真島恵栄条浅竜円弥会礼曽来吉",
)
"""Old and variant kanji, folded to the common ones; our own table."""

_TITLES = re.compile(r"\b(?:mr|mrs|ms|dr|prof|jr|sr|phd|mba)\b\.?|様$|さん$|氏$|殿$")
_NOT_NAME = re.compile(r"[^\w]+|_")
_COMPANY_FORMS_JA = re.compile(
    r"株式会社|有限会社|合同会社|合資会社|合名会社|一般社団法人|一般財団法人|公益社団法人|公益財団法人|医療法人社団|医療法人|学校法人|社会福祉法人"
    r"|特定非営利活動法人|独立行政法人|国立大学法人|\(株\)|\(有\)|\(同\)|\(資\)|\(名\)|\(社\)|\(財\)|\(医\)|カブシキガイシャ|^カ\)|\(カ$"
)
_COMPANY_FORMS = frozenset(
    {
        "ab", "ag", "as", "asa", "bhd", "bv", "co", "company", "corp", "corporation", "gk", "gmbh", "godo", "goshi",
        "gaisha", "inc", "incorporated", "kabushiki", "kaisha", "kg", "kk", "limited", "llc", "llp", "lp", "ltd", "nv",
        "oy", "oyj", "plc", "pte", "pty", "pvt", "sa", "sarl", "sas", "sdn", "se", "sl", "spa", "srl", "the", "yk",
        "yugen",
    }
)  # fmt: skip
_PLACEHOLDERS = frozenset(
    {
        "",
        "na",
        "none",
        "null",
        "test",
        "unknown",
        "個人",
        "なし",
        "不明",
        "無し",
        "未定",
        "テスト",
        "不明不明",
        "unknownunknown",
    }
)
_LEAST_CLOSE = 4
"""Names shorter than this are not forgiven a slip: Ken and Jen are two people."""


class PersonName(NamedTuple):
    """A folded name: the given and family part where the record tells them apart, and all its words."""

    given: str
    family: str
    words: tuple[str, ...]

    @property
    def whole(self) -> str:
        """All words in order of their letters, so that the order in which they were written does not count."""
        return "".join(sorted(self.words))


@lru_cache(maxsize=65_536)
def person_name(given: str | None, family: str | None, full: str | None) -> PersonName | None:
    """Fold what a record says of a person's name; None where it says nothing."""
    given_words, family_words = _words(given), _words(family)
    words = (*given_words, *family_words) if given_words or family_words else _words(full)
    whole = "".join(words)
    if whole in _PLACEHOLDERS or whole.isdigit():
        return None
    return PersonName("".join(given_words), "".join(family_words), words)


@lru_cache(maxsize=65_536)
def company_name(text: str | None) -> str | None:
    """The key of a company's name: NFKC, variants, legal form, spaces, punctuation gone; None where nothing is left."""
    if not text:
        return None
    plain = normalize("NFKC", text).translate(_VARIANTS)
    plain = _COMPANY_FORMS_JA.sub(" ", plain.replace("㈱", " ").replace("㈲", " "))
    words = [word for word in _NOT_NAME.split(_unaccented(plain.casefold()).replace(".", "")) if word]
    core = [word for word in words if word not in _COMPANY_FORMS] or words
    key = "".join(core)
    return None if key in _PLACEHOLDERS else key


def names_conflict(one: PersonName | None, other: PersonName | None) -> bool:
    """Whether two names cannot be one person's: both are known, in one script, and the given names differ.

    No conflict are: swapped order, an initial, a shortened or once mistyped given name, a changed family name.
    """
    if one is None or other is None:
        return False
    if "".join(sorted("".join(one.words))) == "".join(sorted("".join(other.words))):
        return False
    if _script("".join(one.words)) != _script("".join(other.words)):
        return False
    if one.given and other.given and one.family and other.family:
        swapped = _agree(one.given, other.family) and _agree(one.family, other.given)
        return not (_agree(one.given, other.given) or swapped)
    return not _words_agree(one, other)


def companies_conflict(one: str | None, other: str | None) -> bool:
    """Whether two folded company names cannot be one company's: both known, in one script, and different.

    A name that is the other's beginning is taken for a short form; a holding or a country unit is not (its key says
    more, and what it says is not a word of the same company).
    """
    if one is None or other is None or one == other or _script(one) != _script(other):
        return False
    short, long = sorted((one, other), key=len)
    if long.startswith(short) and long[len(short) :] not in _UNITS and len(short) >= _LEAST_CLOSE:
        return False
    return not _is_close(one, other)


_UNITS = frozenset(
    {
        "holdings", "holding", "hd", "group", "japan", "asia", "europe", "usa", "us", "uk", "china", "korea", "india",
        "ホールディングス", "グループ", "ジャパン", "日本", "販売", "商事", "物流", "システム",
        "システムズ", "不動産",
    }
)  # fmt: skip


def _words_agree(one: PersonName, other: PersonName) -> bool:
    """Where at least one name is not told apart: each word of the shorter is found among those of the longer."""
    short, long = sorted((one.words, other.words), key=len)
    joined = "".join(long)
    if len(short) == 1 and len(long) > 1:
        # `yamadataro` beside `yamada taro`, or a family or given name alone
        word = short[0]
        return word in {joined, "".join(reversed(long))} or any(_agree(word, part) for part in long)
    if len(short) == len(long) == 1:
        return _is_close(short[0], long[0]) or short[0] in long[0] or long[0] in short[0]
    return all(any(_agree(word, part) for part in long) for word in short)


def _agree(one: str, other: str) -> bool:
    """Equal, an initial or the beginning of the other, or one slip away."""
    if one.isascii() and (one.startswith(other) or other.startswith(one)):
        return True  # Kenji signs as Ken and as K.; 健 and 健太 are two people
    return _is_close(one, other)


def _is_close(one: str, other: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours turns one into the other."""
    if one == other:
        return True
    if min(len(one), len(other)) < _LEAST_CLOSE or abs(len(one) - len(other)) > 1:
        return False
    start = 0
    while start < min(len(one), len(other)) and one[start] == other[start]:
        start += 1
    rest_one, rest_other = one[start:], other[start:]
    return (
        rest_one[1:] == rest_other[1:]
        or rest_one[1:] == rest_other
        or rest_one == rest_other[1:]
        or (rest_one[:2] == rest_other[:2][::-1] and rest_one[2:] == rest_other[2:])
    )


def _words(text: str | None) -> tuple[str, ...]:
    if not text:
        return ()
    plain = _TITLES.sub(" ", normalize("NFKC", text).translate(_VARIANTS).casefold())
    return tuple(_long_vowels(word) for word in _NOT_NAME.split(_unaccented(plain)) if word)


def _long_vowels(word: str) -> str:
    """Fold the ways of writing Japanese long vowels in Latin letters: Ohno, Oono, Ono; Yuuki, Yuki; Tarou, Taro."""
    if not word.isascii():
        return word
    return word.replace("ou", "o").replace("oo", "o").replace("uu", "u").replace("oh", "o")


def _unaccented(text: str) -> str:
    """Latin letters without their marks; kana keep theirs, which are other sounds."""
    if text.isascii():
        return text
    return normalize("NFC", "".join(c for c in normalize("NFD", text) if not combining(c) or ord(c) > 0x3000))  # noqa: PLR2004  # the marks of kana stand in the block that begins there


def _script(text: str) -> str:
    """The script of a name's letters: latin, kana, han (with kana or without) or other."""
    if text.isascii():
        return "latin"
    if any("\u4e00" <= c <= "\u9fff" for c in text):
        return "han"
    if all("\u3040" <= c <= "\u30ff" for c in text):
        return "kana"
    return "latin" if all(ord(c) < 0x250 for c in text) else "other"  # noqa: PLR2004  # the end of Latin Extended-B
