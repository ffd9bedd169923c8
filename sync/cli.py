"""The command line: each verb reads its options, lets the pipeline or an operation do the work, and shows the answer.

Data goes to standard output, talk to standard error. Imports wait until their command runs, so that --help is quick.
"""

from __future__ import annotations

import errno
import sys
from contextlib import contextmanager
from dataclasses import dataclass
from io import TextIOWrapper
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Optional

import typer

from mapping.errors import HeadraceError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sync.house import House
    from sync.screen import Screen

app = typer.Typer(
    name="headrace",
    help="One history, one stage and one score per customer, in every tool. Nothing is written that was not planned.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Global options stand before or after the verb. Next: headrace demo --once, or headrace init",
)

EXIT_USAGE = 2
EXIT_CHANGES = 10
EXIT_INTERRUPTED = 130

_GLOBAL_VALUES = frozenset({"--config", "--lang"})
_GLOBAL_FLAGS = frozenset({"--json", "-v", "--verbose"})

_OptionalPath = Optional[Path]  # noqa: UP045  # typer reads annotations at run time


@dataclass(frozen=True, slots=True)
class Asked:
    """The options that every verb takes."""

    config: Path | None
    is_json: bool
    language: str
    is_verbose: bool


@app.callback()
def _global_options(
    context: typer.Context,
    config: Annotated[
        _OptionalPath,
        typer.Option(help="The configuration; else $HEADRACE_CONFIG, else ./config.toml.", show_default=False),
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="One JSON document on standard output.")] = False,
    lang: Annotated[str, typer.Option(help="en or ja; else as the terminal says.", show_default=False)] = "",
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Log every page and batch.")] = False,
) -> None:
    context.obj = Asked(config, json, lang, verbose)


def _screen(asked: Asked) -> Screen:
    from sync.catalogue import LANGUAGES, Catalogue, preferred_language
    from sync.screen import Screen

    if asked.language and asked.language not in LANGUAGES:
        raise typer.BadParameter(f"{asked.language}: not one of {', '.join(LANGUAGES)}", param_hint="--lang")
    return Screen(Catalogue(asked.language or preferred_language()), is_json=asked.is_json)


@contextmanager
def _house(context: typer.Context, *, needs_lease: bool = False) -> Iterator[tuple[House, Screen]]:
    """Open what the configuration names and close it again, whatever happens."""
    from sync import config, logs
    from sync.house import House

    asked: Asked = context.obj
    logs.configure(is_verbose=asked.is_verbose)
    path = config.find(asked.config)
    with House.open(config.load(path), path, needs_lease=needs_lease) as house:
        yield house, _screen(asked)


@app.command()
def demo(
    context: typer.Context,
    once: Annotated[bool, typer.Option("--once", help="Print the summary and end.")] = False,
    port: Annotated[int, typer.Option(help="Where the first simulated vendor listens; 0: any free port.")] = 0,
    folder: Annotated[Path, typer.Option(help="Where the configuration and the store go.")] = Path("headrace-demo"),
) -> None:
    """Show everything, offline: three simulated vendors, a backfill, and what would be written.

    Example: headrace demo --once
    """
    from sync import demo as shown
    from sync import logs

    asked: Asked = context.obj
    logs.configure(is_verbose=asked.is_verbose)
    shown.run(_screen(asked), folder=folder, is_once=once, port=port)


@app.command()
def sandbox(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="Where the first simulated vendor listens; 0: any free port.")] = 0,
    seed: Annotated[int, typer.Option(help="Equal seeds make equal worlds.")] = 1,
    size: Annotated[str, typer.Option(help="tiny (200 people), small (5,000) or large (100,000).")] = "tiny",
    folder: Annotated[Path, typer.Option(help="Where the configuration goes.")] = Path("headrace-sandbox"),
) -> None:
    """Simulate the three vendors alone, until Ctrl-C; prints a configuration that works as it is.

    Example: headrace sandbox --size small
    """
    from sync import demo as shown

    if size not in shown.SIZES:
        raise typer.BadParameter(f"{size}: not one of {', '.join(shown.SIZES)}", param_hint="--size")
    shown.serve(_screen(context.obj), folder=folder, port=port, seed=seed, size=size)


@app.command()
def init(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(metavar="[DIR]", help="Where to write.")] = Path(),
) -> None:
    """Write a commented config.toml and definitions.toml; what is there is never overwritten.

    Example: headrace init /etc/headrace
    """
    from sync import templates

    screen = _screen(context.obj)
    screen.written(templates.write(folder))


@app.command()
def doctor(
    context: typer.Context,
    fix: Annotated[bool, typer.Option("--fix", help="Make our own fields where they are missing.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Also check the store page by page.")] = False,
) -> None:
    """Look at credentials, identity, scopes, fields, limits, the clock and the store.

    Example: headrace doctor --fix
    """
    from sync.operations import diagnose

    with _house(context) as (house, screen):
        findings = list(diagnose(house, is_fixing=fix, is_deep=deep))
    raise typer.Exit(screen.findings(findings))


@app.command()
def backfill(
    context: typer.Context,
    system: Annotated[str, typer.Option(help="Read this system only.", show_default=False)] = "",
    object_: Annotated[str, typer.Option("--object", help="Read this object only.", show_default=False)] = "",
    since: Annotated[str, typer.Option(help="Read what changed since this day or instant.", show_default=False)] = "",
    fresh: Annotated[bool, typer.Option("--fresh", help="Read everything again.")] = False,
) -> None:
    """Load everything once; never writes to a vendor. Stopped half-way, it goes on where it was.

    Example: headrace backfill --system hubspot
    """
    from sync.backfill import backfill as load
    from sync.progress import choose

    with _house(context, needs_lease=True) as (house, screen):
        chosen = [object_] if object_ else None
        with choose(screen) as progress:
            summary = load(house, progress, system=system or None, objects=chosen, since=since, is_fresh=fresh)
    raise typer.Exit(screen.summary(summary))


@app.command("sync")
def sync_(
    context: typer.Context,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Plan, and write nothing whatever the mode.")] = False,
) -> None:
    """Run one cycle: read, decide, plan, and write as far as the mode and the guard allow.

    Example: headrace sync --json
    """
    from sync.pipeline import run_cycle
    from sync.progress import choose

    with _house(context, needs_lease=True) as (house, screen), choose(screen) as progress:
        summary = run_cycle(house, progress, is_dry=dry_run)
    raise typer.Exit(screen.summary(summary))


@app.command()
def daemon(context: typer.Context) -> None:
    """Run until told to stop: SIGTERM drains, SIGHUP reads the configuration again.

    Example: headrace daemon
    """
    from sync import config, logs
    from sync.daemon import Daemon

    asked: Asked = context.obj
    logs.configure(is_verbose=asked.is_verbose, is_daemon=True)
    raise typer.Exit(Daemon(config.find(asked.config)).run())


@app.command()
def plan(
    context: typer.Context,
    output: Annotated[
        _OptionalPath, typer.Option("-o", "--output", help="Save the exact plan.", show_default=False)
    ] = None,
    held: Annotated[bool, typer.Option("--held", help="Show what is held back, each with its reason.")] = False,
    detailed_exitcode: Annotated[
        bool, typer.Option("--detailed-exitcode", help="Exit 10 if there are changes.")
    ] = False,
) -> None:
    """Show exactly what would be written; reads the store only.

    Example: headrace plan -o plan.json
    """
    from sync.operations import draft_plan

    with _house(context) as (house, screen):
        drafted = draft_plan(house)
    screen.plan(drafted, output=output, is_held_shown=held)
    raise typer.Exit(EXIT_CHANGES if detailed_exitcode and drafted.changes else 0)


@app.command()
def apply(
    context: typer.Context,
    plan_: Annotated[str, typer.Argument(metavar="FILE|DIGEST", help="A saved plan, or the digest of a parked one.")],
    approve: Annotated[bool, typer.Option("--approve", help="Release a plan that was held.")] = False,
) -> None:
    """Write exactly one plan, and nothing that has moved since it was made.

    Example: headrace apply 9d02 --approve
    """
    from mapping.errors import LeaseHeld
    from sync.operations import apply_plan, hand_over

    try:
        with _house(context, needs_lease=True) as (house, screen):
            summary = apply_plan(house, plan_, is_approved=approve)
    except LeaseHeld:
        with _house(context) as (house, screen):
            summary = hand_over(house, plan_, is_approved=approve)
    raise typer.Exit(screen.applied(summary))


@app.command()
def explain(
    context: typer.Context,
    who: Annotated[str, typer.Argument(metavar="WHO", help="An e-mail address, system:object:id, or our id.")],
) -> None:
    """Say why a person, account or opportunity is where it is, to the record.

    Example: headrace explain yamada@aoba.example --lang ja
    """
    from sync.operations import explain as told
    from sync.pages import show_explanation

    with _house(context) as (house, screen):
        show_explanation(screen, house, told(house, who))


@app.command()
def runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option(help="So many rows.", min=1)] = 20,
    after: Annotated[
        str, typer.Option(help="Go on after this row (next of the page before).", show_default=False)
    ] = "",
) -> None:
    """List runs, newest first.

    Example: headrace runs --limit 5
    """
    from sync.operations import list_runs

    with _house(context) as (house, screen):
        screen.runs(*list_runs(house, limit=limit, after=after or None))


@app.command()
def changes(
    context: typer.Context,
    run: Annotated[str, typer.Option(help="Of this run.", show_default=False)] = "",
    who: Annotated[str, typer.Option(help="Of this person, account or record.", show_default=False)] = "",
    system: Annotated[str, typer.Option(help="In this system.", show_default=False)] = "",
    field: Annotated[str, typer.Option(help="Of this field.", show_default=False)] = "",
    since: Annotated[str, typer.Option(help="Since then (ISO 8601).", show_default=False)] = "",
    outcome: Annotated[str, typer.Option(help="With this outcome.", show_default=False)] = "",
    limit: Annotated[int, typer.Option(help="So many rows.", min=1)] = 50,
    after: Annotated[
        str, typer.Option(help="Go on after this row (next of the page before).", show_default=False)
    ] = "",
) -> None:
    """List what was written, newest first, and what became of it.

    Example: headrace changes --who yamada@aoba.example
    """
    from sync.operations import list_changes

    with _house(context) as (house, screen):
        rows, next_ = list_changes(
            house, run=run, who=who, system=system, field=field, since=since, outcome=outcome, limit=limit, after=after
        )
        screen.changes(rows, next_)


def hoist(arguments: Sequence[str]) -> list[str]:
    """Bring the global options in front of the verb, wherever they stood; what follows `--` stays."""
    front: list[str] = []
    rest: list[str] = []
    waiting = iter(arguments)
    for argument in waiting:
        if argument == "--":
            rest += [argument, *waiting]
        elif argument in _GLOBAL_FLAGS or argument.partition("=")[0] in _GLOBAL_VALUES:
            front.append(argument)
            if argument in _GLOBAL_VALUES:
                front += [value for value in [next(waiting, None)] if value is not None]
        else:
            rest.append(argument)
    return front + rest


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and leave with its exit code; turns every error of ours into prose or JSON."""
    words = hoist(sys.argv[1:] if arguments is None else arguments)
    is_json = "--json" in words
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that cannot show a letter shows a question mark
            stream.reconfigure(errors="replace")
    try:
        code = app(words, standalone_mode=not is_json)
        sys.exit(code or 0)
    except _UsageError as error:  # raised where the answer is JSON; else it was told as text
        sys.exit(_tell(_as_ours(error), words))
    except HeadraceError as error:
        sys.exit(_tell(error, words))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except (KeyboardInterrupt, typer.Abort):
        sys.exit(EXIT_INTERRUPTED)
    except OSError as error:
        if error.errno not in _OPERATORS:
            raise
        sys.exit(_tell(_unusable(error), words))


_OPERATORS = {
    errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOSPC, errno.EDQUOT, errno.ENOENT, errno.EISDIR, errno.ENOTDIR,
    errno.EEXIST, errno.EADDRINUSE,
}  # fmt: skip
"""What the machine refuses because of its files, its disk or its ports: a person mends it."""


def _unusable(error: OSError) -> HeadraceError:
    from mapping.errors import OperatorError, Problem
    from mapping.text import say

    where = str(error.filename) if error.filename else "headrace"
    return OperatorError([Problem(where, say("cannot be used: {why}", why=error.strerror))], exit_code=1)


_UsageError: type[Exception] = typer.BadParameter.__mro__[1]
"""What every mistake in the use of the command line is; typer keeps it under a private name."""


def _as_ours(error: Exception) -> HeadraceError:
    from mapping.errors import OperatorError, Problem
    from mapping.text import Message

    text = getattr(error, "format_message", error.__str__)()
    return OperatorError([Problem("headrace", Message("{text}", {"text": text}))], exit_code=EXIT_USAGE)


def _tell(error: HeadraceError, words: Sequence[str]) -> int:
    """Print an error and the next step: one place for all of them."""
    from sync.catalogue import LANGUAGES, Catalogue, preferred_language
    from sync.screen import Screen

    spelt = [word for each in words for word in each.split("=", 1)]
    language = next((after for word, after in pairwise(spelt) if word == "--lang"), "")
    catalogue = Catalogue(language if language in LANGUAGES else preferred_language())
    return Screen(catalogue, is_json="--json" in words).error(error)


if __name__ == "__main__":
    main()
