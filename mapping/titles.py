"""The level a job title stands for, in Japanese and English."""

from __future__ import annotations

import re
from functools import lru_cache
from unicodedata import normalize

C_LEVEL, DIRECTOR, MANAGER, STAFF = "c_level", "director", "manager", "staff"

_LEVELS = (
    # An assistant to a president, a director's secretary: what they assist is not what they are.
    (STAFF, re.compile(r"秘書|補佐|アシスタント|\b(?:assistant|secretary|aide) to\b|\bexecutive assistant\b")),
    (DIRECTOR, re.compile(r"本部長|事業部長|執行役員|統括部長|\bs?e?vp\b|\bvice[ -]president\b")),
    (
        C_LEVEL,
        re.compile(
            r"代表|社長|会長|取締役|監査役|最高.+責任者|理事長|創業者|オーナー|\bc[a-z]{1,2}o\b|\bchief\b|\bpresident\b"
            r"|\b(?:co-?)?founder\b|(?<!product )(?<!process )\bowner\b|\bchair(?:man|woman|person)?\b"
            r"|\bmanaging director\b|(?<!business )\bpartner\b(?! (?:manager|sales|marketing|success))"
        ),
    ),
    (DIRECTOR, re.compile(r"\bdirector\b|\bhead\b|ディレクター|\bgeneral manager\b|局長|所長|支社長|支店長|工場長")),
    (
        MANAGER,
        re.compile(
            r"部長|課長|次長|室長|係長|店長|主幹|マネージャ|マネジャ|リーダー|\bmanager\b|\bmgr\b|\blead(?:er)?\b"
            r"|\bsupervisor\b"
        ),
    ),
)
"""Tried from the top; a title none of them knows is staff."""


@lru_cache(maxsize=16_384)
def level(title: str | None) -> str | None:
    """c_level, director, manager or staff; None where there is no title."""
    if not title:
        return None
    plain = normalize("NFKC", title).casefold()
    return next((name for name, pattern in _LEVELS if pattern.search(plain)), STAFF)
