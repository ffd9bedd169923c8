"""The files that `headrace init` writes."""

from __future__ import annotations

from importlib import resources
from typing import TYPE_CHECKING

from mapping.definitions import shipped_text

if TYPE_CHECKING:
    from pathlib import Path

MODEL = "waterfall-2006"


def write(folder: Path) -> list[tuple[Path, bool]]:
    """Write config.toml and definitions.toml where they are missing; returns each path and whether it is new."""
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "config.toml": resources.files(__name__).joinpath("config.toml").read_text(encoding="utf-8"),
        "definitions.toml": shipped_text(MODEL),
    }
    written = []
    for name, text in texts.items():
        path = folder / name
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
            written.append((path, True))
        except FileExistsError:
            written.append((path, False))
    return written
