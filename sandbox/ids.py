"""Record ids as the three vendors write them, each a pure function of a counter."""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b
from uuid import UUID

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_CHECKSUM = "ABCDEFGHIJKLMNOPQRSTUVWXYZ012345"
_SHORT = 15

PREFIXES = {
    "Account": "001",
    "Contact": "003",
    "User": "005",
    "Opportunity": "006",
    "OpportunityHistory": "008",
    "Organization": "00D",
    "OpportunityContactRole": "00K",
    "Lead": "00Q",
    "Task": "00T",
    "Event": "00U",
    "LeadHistory": "017",
    "Campaign": "701",
    "CampaignMember": "00v",
}
"""Salesforce's key prefixes of the objects that the sandbox has."""


@lru_cache(maxsize=16_384)
def _checksum_letter(five: str) -> str:
    return _CHECKSUM[sum(1 << place for place, char in enumerate(five) if "A" <= char <= "Z")]


def checksum(id15: str) -> str:
    """The three letters that make a case-sensitive 15-character Salesforce id case-safe."""
    return _checksum_letter(id15[:5]) + _checksum_letter(id15[5:10]) + _checksum_letter(id15[10:])


def salesforce_id18(id_: str) -> str:
    """An id given with 15 or 18 characters, with 18."""
    return id_ + checksum(id_) if len(id_) == _SHORT else id_


def salesforce_id(object_: str, number: int) -> str:
    """The 18-character id of the `number`-th record of an object; ids of one object sort as their numbers do."""
    digits = ""
    while number:
        number, digit = divmod(number, 62)
        digits = _DIGITS[digit] + digits
    id15 = f"{PREFIXES[object_]}Hs0000{digits:0>6}"
    return id15 + checksum(id15)


def vitally_id(object_: str, number: int, seed: int = 0) -> str:
    """The UUID of the `number`-th record of an object in the world of a seed."""
    digest = blake2b(f"{seed}/{object_}/{number}".encode(), digest_size=16).digest()
    return str(UUID(bytes=digest, version=4))
