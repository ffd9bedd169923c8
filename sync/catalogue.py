"""The words a person reads, in the language they chose: English sentences are their own keys."""

from __future__ import annotations

import gettext
import locale
import os
from enum import StrEnum
from pathlib import Path

from mapping.text import Message

LANGUAGES = ("en", "ja")
_FOLDER = Path(__file__).parent / "locale"


class Catalogue:
    """Sentences in one language; one that is not translated stays English."""

    def __init__(self, language: str = "en") -> None:
        self.language = language
        self._translations = gettext.translation("headrace", _FOLDER, [language], fallback=True)

    def __call__(self, message: Message | str, /, **values: object) -> str:
        """The sentence, with its values in place; values that are messages are translated first."""
        if isinstance(message, str):
            message = Message(message, values)
        spoken = {name: self._spoken(value) for name, value in message.values.items()}
        template = self._translations.gettext(message.template) if message.template else ""
        return template.format_map(spoken)

    def _spoken(self, value: object) -> object:
        """Messages and the words of our own vocabularies are translated, everything else is shown as it is."""
        if isinstance(value, Message):
            return self(value)
        return self._translations.gettext(value.value) if isinstance(value, StrEnum) else value


def preferred_language() -> str:
    """The language of the terminal, as the environment tells it; English where headrace does not speak it."""
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        if value := os.environ.get(name):
            code = locale.normalize(value).split("_")[0].lower()
            return code if code in LANGUAGES else "en"
    return "en"
