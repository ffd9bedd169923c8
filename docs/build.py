"""Writes the generated parts of the documentation and the compiled catalogue, or checks that they are up to date.

python -m docs.build [--check]
"""

from __future__ import annotations

import ast
import io
import json
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).resolve().parent.parent
ROOMS = ("mapping", "reconcile", "connectors", "state", "reports", "console", "sync", "sandbox")
PO = ROOT / "sync/locale/ja/LC_MESSAGES/headrace.po"


def generated() -> dict[Path, bytes]:
    """Every generated file with what it should hold."""
    reference = ROOT / "docs/reference"
    pages = {
        reference / "config.schema.json": config_schema(),
        reference / "command-line.md": command_line(),
        reference / "events.md": events(),
        reference / "log-events.md": log_events(),
        reference / "errors.md": errors(),
        ROOT / "config.example.toml": (ROOT / "sync/templates/config.toml").read_text(encoding="utf-8"),
    }
    files = {path: text.encode() for path, text in pages.items()}
    files[PO.with_suffix(".mo")] = catalogue()
    return files


def config_schema() -> str:
    """The JSON Schema of the configuration."""
    from sync.config import Config

    schema = Config.model_json_schema()
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "headrace configuration"
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def command_line() -> str:
    """Every verb with its options, from the commands themselves."""
    import typer.main

    from sync.cli import app

    root = typer.main.get_command(app)
    lines = ["# Command line", "", "Generated from the commands. Global options stand before or after the verb.", ""]
    lines += ["```text", "headrace [--config FILE] [--json] [--lang en|ja] [-v] VERB", "```", ""]
    for name, command in sorted(root.commands.items()):  # type: ignore[attr-defined]
        help_, _, example = (command.help or "").partition("Example: ")
        lines += [f"## {name}", "", " ".join(help_.split()), ""]
        rows = [row for row in (_option(parameter) for parameter in command.params) if row]
        if rows:
            lines += ["| option | meaning |", "| --- | --- |", *rows, ""]
        lines += ["```sh", example.strip(), "```", ""]
    lines += ["## Exit codes", "", "| code | meaning |", "| --- | --- |"]
    lines += [f"| {code} | {meaning} |" for code, meaning in EXIT_CODES.items()]
    return "\n".join(lines) + "\n"


EXIT_CODES = {
    0: "done",
    1: "failed",
    2: "usage",
    3: "partial: a system was down, or something went into quarantine in this run",
    4: "held: the plan waits for approval, or the mode forbids writing",
    10: "with `plan --detailed-exitcode`: there are changes",
    75: "another process holds the lease of this store",
    78: "the configuration or the definition will not do",
}


def _option(parameter: object) -> str:
    names = ", ".join(f"`{name}`" for name in getattr(parameter, "opts", ()))
    if parameter.param_type_name == "argument":  # type: ignore[attr-defined]
        names = f"`{parameter.make_metavar(None)}`" if False else f"`{(parameter.metavar or parameter.name)}`"  # type: ignore[attr-defined]
    text = getattr(parameter, "help", None) or ""
    return f"| {names} | {text} |" if "--help" not in names else ""


def events() -> str:
    """The vocabulary of events."""
    from mapping.events import CUSTOMER_EVENTS, INQUIRIES, EventKind

    lines = ["# Events", "", "Generated from `mapping.events`. A definition names events by these words.", ""]
    lines += ["| event | group |", "| --- | --- |"]
    for kind in EventKind:
        group = "inquiry" if kind in INQUIRIES else "customer" if kind in CUSTOMER_EVENTS else ""
        lines.append(f"| `{kind.value}` | {group} |")
    return "\n".join(lines) + "\n"


def log_events() -> str:
    """Every log event with its keys, found in the code."""
    found: dict[str, tuple[str, set[str]]] = {}
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                owner = node.func.value
                if isinstance(owner, ast.Name) and owner.id == "logger" and node.args:
                    name = ast.literal_eval(node.args[0])
                    level, keys = found.get(name, (node.func.attr, set()))
                    found[name] = (level, keys | {keyword.arg for keyword in node.keywords if keyword.arg})
    lines = ["# Log events", "", "Generated from the code. Keys outside of `sync.logs.KEYS` are dropped.", ""]
    lines += ["| event | level | keys |", "| --- | --- | --- |"]
    for name, (level, keys) in sorted(found.items()):
        shown = {"exception": "error"}.get(level, level)
        lines.append(f"| `{name}` | {shown} | {', '.join(sorted(keys))} |")
    return "\n".join(lines) + "\n"


def errors() -> str:
    """The errors by recovery, from their own table."""
    from mapping import errors as room

    return (
        "# Errors\n\nGenerated from `mapping.errors`.\n\n"
        + "\n".join(line for line in (room.__doc__ or "").splitlines()[2:] if line.startswith("|"))
        + "\n"
    )


def sentences() -> Iterator[tuple[str, str]]:
    """Every sentence that is said to people, with where it stands."""
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and node.args and _is_saying(node.func):
                first = node.args[0]
                for constant in [first.body, first.orelse] if isinstance(first, ast.IfExp) else [first]:
                    if isinstance(constant, ast.Constant) and isinstance(constant.value, str) and constant.value:
                        yield constant.value, f"{path.relative_to(ROOT)}:{node.lineno}"


def _is_saying(function: ast.expr) -> bool:
    if isinstance(function, ast.Name):
        return function.id == "say"
    return isinstance(function, ast.Attribute) and function.attr in {"say", "words", "_words"}


def _sources() -> Iterator[Path]:
    for room in ROOMS:
        yield from sorted((ROOT / room).rglob("*.py"))


def catalogue() -> bytes:
    """The compiled Japanese catalogue."""
    from babel.messages.mofile import write_mo
    from babel.messages.pofile import read_po

    with PO.open("rb") as file:
        entries = read_po(file, locale="ja", domain="headrace")
    out = io.BytesIO()
    write_mo(out, entries)
    return out.getvalue()


def links() -> list[str]:
    """Links between pages of the documentation that lead nowhere."""
    broken = []
    for page in [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        targets = re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
        broken += [f"{page.relative_to(ROOT)}: {target}" for target in targets if not (page.parent / target).exists()]
    return broken


def main() -> int:
    """Write or check; returns the exit code."""
    is_check = "--check" in sys.argv[1:]
    stale = [path for path, content in generated().items() if not path.exists() or path.read_bytes() != content]
    if not is_check:
        for path, content in generated().items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        print(f"wrote {len(stale)} files")
        stale = []
    broken = links()
    for path in stale:
        print(f"{path.relative_to(ROOT)} is out of date: make docs")
    for line in broken:
        print(f"{line} leads nowhere")
    return int(bool(stale or broken))


if __name__ == "__main__":
    sys.exit(main())
