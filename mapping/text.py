"""Text for people, carried as a value until someone knows the language.

Pure rooms speak in `Message` values: an English sentence with named places, and what stands in them.
The shell translates at the edge; the English sentence is its own key in the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class Message:
    """One sentence for a person: an English template with `{named}` places, and the values for them."""

    template: str
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.template.format_map(self.values)


def say(template: str, /, **values: object) -> Message:
    """Make a message; extraction tools look for calls of this name."""
    return Message(template, values)
