"""What a person sees, and what a machine reads instead: every answer of every verb goes through here."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import orjson

from connectors.base import Severity
from mapping.errors import OperatorError, PlanRefused, SystemDown
from mapping.instants import to_datetime
from mapping.text import Message
from reconcile.changes import Outcome

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from rich.console import Console, RenderableType

    from connectors.base import Finding
    from mapping.errors import HeadraceError, Problem
    from sync.catalogue import Catalogue
    from sync.plans import SavedPlan
    from sync.summary import Summary

EMPTY = "–"  # noqa: RUF001  # a dash that is no minus
LABEL_WIDTH = 12
"""Cells of the label that a line begins with; a Japanese character takes two."""
_PLAIN_WIDTH = 120
_SHORT_DIGEST = 12
_WORDS = frozenset({"status", "outcome"})
"""Columns whose values are words of ours."""
_MARKS = {Severity.OK: "✓", Severity.WARNING: "!", Severity.ERROR: "✗"}
_COLOURS = {Severity.OK: "green", Severity.WARNING: "yellow", Severity.ERROR: "red"}


class Screen:
    """Shows answers in one language, as text or as one JSON document."""

    def __init__(self, words: Catalogue, *, is_json: bool) -> None:
        self.words = words
        self.is_json = is_json
        self._console: Console | None = None

    @property
    def console(self) -> Console:
        """The terminal, or a wide plain page where standard output goes elsewhere."""
        if self._console is None:
            from rich.console import Console  # noqa: PLC0415  # slow to import, and JSON needs none of it

            width = None if sys.stdout.isatty() else _PLAIN_WIDTH
            self._console = Console(highlight=False, soft_wrap=True, width=width)
        return self._console

    def say(self, template: str = "", /, *, style: str | None = None, **values: object) -> None:
        """Print one sentence."""
        self.console.print(self.words(template, **values), style=style, markup=False)

    def show(self, thing: RenderableType) -> None:
        """Print a table or the like."""
        self.console.print(thing)

    def json(self, document: Any) -> None:
        """Print the one document of this answer."""
        option = orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
        sys.stdout.buffer.write(orjson.dumps(document, default=str, option=option))
        sys.stdout.buffer.flush()

    # ── runs ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def summary(self, summary: Summary) -> int:
        """Tell what a run did and what to do next; returns its exit code."""
        if self.is_json:
            self.json(summary.to_json())
            return summary.exit_code
        self._systems(summary)
        self.say(
            "  decided      {people:,} people and {accounts:,} accounts touched, {transitions:,} stage changes",
            people=summary.people,
            accounts=summary.accounts,
            transitions=summary.transitions,
        )
        self._plan_line(summary)
        self._what_next(summary)
        return summary.exit_code

    def _systems(self, summary: Summary) -> None:
        label = pad(self.words("reading"), LABEL_WIDTH)
        for name, system in summary.systems.items():
            read = sum(count.read for count in system.objects.values())
            changed = sum(count.changed for count in system.objects.values())
            self.say(
                "  {label} {name:<12} {read:>9,} read  {changed:>9,} changed  {calls:>6,} calls  {elapsed:>6.1f} s",
                label=label,
                name=name,
                read=read,
                changed=changed,
                calls=system.calls,
                elapsed=system.elapsed_s,
            )
            label = pad("", LABEL_WIDTH)
            if system.error:
                self.down(name, system.error, system.hint)
            elif system.lacking:
                self.say("               {name}: {lacking}", name=name, lacking=system.lacking, style="yellow")
                self.say("               → headrace doctor --fix makes our own fields and says who may see them")
        aside = sum(count.quarantined for system in summary.systems.values() for count in system.objects.values())
        if aside + summary.unmapped:
            self.say(
                "  set aside    {count:,} records or values without a meaning (headrace quarantine ls)",
                count=aside + summary.unmapped,
                style="yellow",
            )

    def down(self, system: str, error: Message, hint: Message | None) -> None:
        """Say that a system is down, and what to do."""
        self.say("               {system} is down: {error}", system=system, error=error, style="red")
        self.say("               nothing is lost: reading goes on where it was", style="red")
        if hint:
            self.say("               → {hint}", hint=hint)

    def _plan_line(self, summary: Summary) -> None:
        plan = summary.plan
        if summary.mode == "report":
            line = "  would write  {changes:,} fields on {records:,} records (report mode: nothing was written)"
        elif summary.is_parked:
            line = "  held         {changes:,} fields on {records:,} records; nothing was written"
        else:
            line = "  wrote        {changes:,} fields on {records:,} records"
        self.say(line, changes=plan.changes, records=plan.records)
        if plan.changes:
            kinds = " · ".join(f"{self.words(kind)} {count:,}" for kind, count in plan.by_kind.items() if count)
            self.say("               {kinds}", kinds=kinds)
        if plan.held:
            self.say("               {held:,} held back (headrace plan --held)", held=plan.held)
        outcomes = " · ".join(f"{self.words(name)} {count:,}" for name, count in summary.applied.items() if count)
        if outcomes:
            self.say("               {outcomes}", outcomes=outcomes)

    def _what_next(self, summary: Summary) -> None:
        digest = summary.plan.digest[:_SHORT_DIGEST]
        if summary.is_parked:
            reasons = "; ".join(self.words(message) for message in summary.plan.why_parked)
            self.say("")
            self.say("Held: {reasons}.", reasons=reasons, style="yellow")
            self.say(
                "Nothing was written. Look: headrace plan · approve: headrace apply {digest} --approve", digest=digest
            )
        elif summary.applied[Outcome.FAILED]:
            self.say("Next: headrace changes --outcome failed", style="yellow")
        elif summary.mode == "report" and summary.plan.changes:
            self.say("")
            self.say("Next: headrace plan · headrace explain WHO")

    def applied(self, summary: Summary) -> int:
        """Tell what became of a plan that was applied; returns the exit code."""
        if self.is_json:
            self.json({"run_id": str(summary.run), "status": summary.status, "applied": summary.applied})
            return summary.exit_code
        outcomes = " · ".join(f"{self.words(name)} {count:,}" for name, count in summary.applied.items() if count)
        self.say("Plan {digest}: {outcomes}", digest=summary.plan.digest[:_SHORT_DIGEST], outcomes=outcomes or EMPTY)
        for name, system in summary.systems.items():
            if system.error:
                self.down(name, system.error, system.hint)
        self._what_next(summary)
        return summary.exit_code

    # ── plans ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def plan(self, plan: SavedPlan, *, output: Path | None, is_held_shown: bool) -> None:
        """Show a plan, and save it where asked."""
        if output:
            output.touch(mode=0o600)
            output.chmod(0o600)
            output.write_bytes(orjson.dumps(plan.to_json(), option=orjson.OPT_INDENT_2))
        if self.is_json:
            self.json(plan.to_json())
            return
        calls = ", ".join(f"{system} {count:,}" for system, count in plan.calls_by_system.items())
        self.say(
            "Plan {digest}  ·  {records:,} records, {fields:,} fields  ·  {count:,} API calls ({calls})",
            digest=plan.digest[:_SHORT_DIGEST],
            records=plan.records,
            fields=len(plan.changes),
            count=plan.api_calls,
            calls=calls or EMPTY,
        )
        self.say("")
        rows = plan.held if is_held_shown else plan.changes
        shown = rows if output is None and len(rows) <= plan.shown_rows else rows[: plan.shown_rows]
        last = None
        for row in shown:
            place = f"{row['system']} {row['object']} {row['id']}"
            if place != last:
                self.console.print(f"  ~ {place}", markup=False)
                last = place
            before = EMPTY if row["before"] is None else row["before"]
            why = self.words(row["why"]) if row.get("why") else row["reason"]
            self.console.print(f"      {row['field']:<28} {before} → {row['after']}   {why}", markup=False)
        if len(rows) > len(shown):
            self.say("  … {count:,} more (headrace plan -o plan.json has them all)", count=len(rows) - len(shown))
        self.say("")
        kinds = " · ".join(f"{self.words(kind)} {count:,}" for kind, count in plan.by_kind.items())
        self.say("  {kinds}", kinds=kinds)
        for why, count in plan.held_by_why.items():
            self.say("  held back {count:,}: {why}", count=count, why=self.words(why))
        self.say("")
        if output:
            self.say("Apply exactly this: headrace apply {file}", file=output)
        elif plan.changes:
            self.say("Apply exactly this: headrace plan -o plan.json && headrace apply plan.json")

    # ── lists ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def runs(self, rows: Sequence[Mapping[str, Any]], next_: str | None) -> None:
        """List runs."""
        if self.is_json:
            self.json({"rows": rows, "next": next_})
            return
        columns = (
            "run",
            "verb",
            "status",
            "started_at",
            "elapsed_s",
            "read",
            "changed",
            "transitions",
            "plan",
            "written",
        )
        self._table(columns, rows)
        self._more(next_, "runs")

    def changes(self, rows: Sequence[Mapping[str, Any]], next_: str | None) -> None:
        """List changes."""
        if self.is_json:
            self.json({"rows": rows, "next": next_})
            return
        self._table(("at", "run", "system", "object", "id", "field", "before", "after", "outcome", "detail"), rows)
        self._more(next_, "changes")

    def _table(self, columns: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> None:
        from rich.table import Table  # noqa: PLC0415  # as above

        if not rows:
            self.say("Nothing yet.")
            return
        table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
        for column in columns:
            table.add_column(self.words(column), overflow="fold")
        for row in rows:
            table.add_row(*(self._cell(column, row.get(column)) for column in columns))
        self.console.print(table, markup=False, soft_wrap=False)

    def _cell(self, column: str, value: object) -> str:
        if isinstance(value, Message) or (column in _WORDS and isinstance(value, str)):
            return self.words(value)
        return _cell(value)

    def _more(self, next_: str | None, verb: str) -> None:
        if next_:
            self.say("More: headrace {verb} --after {next}", verb=verb, next=next_)

    def written(self, paths: Sequence[tuple[Path, bool]]) -> None:
        """Tell which files were written and which were there already."""
        if self.is_json:
            self.json({"files": [{"path": str(path), "written": is_new} for path, is_new in paths]})
            return
        for path, is_new in paths:
            self.say(
                "  {path}  {what}", path=path, what=self.words("written" if is_new else "was there; left as it is")
            )
        self.say("Next: fill in config.toml, then headrace doctor")

    # ── doctor ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def findings(self, findings: Iterable[tuple[str, Finding]]) -> int:
        """Show what doctor looked at, each with its place; returns 0, or 1 where something is wrong."""
        rows = list(findings)
        worst = any(finding.severity is Severity.ERROR for _, finding in rows)
        if self.is_json:
            self.json({"rows": [_finding(place, finding) for place, finding in rows], "is_well": not worst})
            return int(worst)
        place = None
        for where, finding in rows:
            if where != place:
                self.console.print(where, style="bold", markup=False)
                place = where
            mark = _MARKS[finding.severity]
            line = self.words("  {mark} {check}: {message}", mark=mark, check=finding.check, message=finding.message)
            self.console.print(line, style=_COLOURS[finding.severity], markup=False)
            if finding.hint:
                self.say("      → {hint}", hint=finding.hint)
        if any(finding.is_fixable and finding.severity is not Severity.OK for _, finding in rows):
            self.say("Some of this headrace can mend itself: headrace doctor --fix")
        elif not worst:
            self.say("All is well. Next: headrace backfill")
        return int(worst)

    # ── errors ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def error(self, error: HeadraceError) -> int:
        """Tell what went wrong and what to do; returns the exit code."""
        problems = list(error.problems) if isinstance(error, OperatorError) else []
        if self.is_json:
            self.json({"error": _error_document(error, problems)})
            return error.exit_code
        console = self._error_console()
        for problem in problems:
            console.print(self._problem(problem), markup=False)
        if not problems or len(problems) > 1:
            console.print(self.words(error.message), markup=False)
        next_step = error.hint if isinstance(error, (OperatorError, SystemDown)) else None
        if next_step:
            console.print(f"→ {self.words(next_step)}", markup=False)
        if isinstance(error, PlanRefused):
            console.print(self.words("Nothing was written."), markup=False)
        return error.exit_code

    def _problem(self, problem: Problem) -> str:
        message = self.words(problem.message)
        if problem.hint is None:
            return f"{problem.where}  {message}"
        is_sentence = message.endswith((".", "。"))
        return self.words(
            "{where}  {message} {hint}" if is_sentence else "{where}  {message}, {hint}",
            where=problem.where,
            message=message,
            hint=problem.hint,
        )

    def _error_console(self) -> Console:
        from rich.console import Console  # noqa: PLC0415  # as above

        return Console(stderr=True, highlight=False, soft_wrap=True)


def local_time(ms: int | None, zone: Any = UTC) -> str:
    """An instant for a person: day and minute in their zone."""
    return EMPTY if ms is None else to_datetime(ms).astimezone(zone).strftime("%Y-%m-%d %H:%M")


def pad(text: str, width: int) -> str:
    """The text with spaces behind it, up to so many cells of a terminal; a longer one as it is."""
    from rich.cells import cell_len, set_cell_size  # noqa: PLC0415  # slow to import

    return set_cell_size(text, width) if cell_len(text) < width else text


def _cell(value: object) -> str:
    if value is None:
        return EMPTY
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%d %H:%M:%S")
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _finding(place: str, finding: Finding) -> dict[str, Any]:
    return {
        "where": place,
        "check": finding.check,
        "severity": finding.severity.value,
        "message": str(finding.message),
        "hint": str(finding.hint) if finding.hint else None,
        "is_fixable": finding.is_fixable,
    }


def _error_document(error: HeadraceError, problems: Sequence[Problem]) -> dict[str, Any]:
    return {
        "code": type(error).__name__,
        "message": str(error.message),
        "problems": [
            {"where": p.where, "message": str(p.message), "hint": str(p.hint) if p.hint else None} for p in problems
        ],
    }
