"""What a person may do, whichever front door they come through: the terminal calls this directly."""

from __future__ import annotations

import getpass
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.base import Finding, Severity
from mapping.errors import OperatorError, PlanRefused, Problem, SystemDown
from mapping.instants import to_iso, to_ms
from mapping.text import say
from reconcile.changes import Outcome
from reconcile.plan import Plan, digest
from reports import explain as explaining
from reports.who import find_entity
from state import journal, plans, runs
from state.journal import APPLIED, APPROVED, HELD
from sync.drafting import Drafting
from sync.house import written_fields
from sync.pipeline import run_book
from sync.plans import SavedPlan, load, with_cost
from sync.steps.apply import apply
from sync.steps.plan import Draft, joined, reasons_to_wait, remember_populations, whole_plan
from sync.summary import Summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from reconcile.changes import Change
    from sync.house import House

STORE = "store"


def draft_plan(house: House) -> SavedPlan:
    """Everything that differs now, from the store alone."""
    return with_cost(whole_plan(house).whole(), house.connectors)


def apply_plan(house: House, named: str, *, is_approved: bool) -> Summary:
    """Write exactly the plan in a file, or the held one of a digest; what has moved since is refused, and listed.

    Raises PlanRefused in report mode and where the plan still needs approval, OperatorError where there is none.
    """
    digest, changes = _permitted(house, named, is_approved=is_approved)
    return write_plan(house, digest, changes)


def hand_over(house: House, named: str, *, is_approved: bool, patience_s: float = 60.0) -> Summary:
    """Leave a plan to the daemon that holds the store, and wait for what becomes of it; raises as `apply_plan` does.

    Returns an empty summary where the daemon has not come to it in time: it will.
    """
    digest, changes = _permitted(house, named, is_approved=is_approved)
    _hold_and_approve(house, digest, changes)
    deadline = time.monotonic() + patience_s
    summary = Summary(verb="apply", mode=house.config.writes.mode)
    summary.plan.digest = digest
    while time.monotonic() < deadline:
        with house.db.read() as conn:
            plan = plans.find_plan(conn, digest)
            if plan is not None and plan.state == APPLIED:
                summary.applied |= journal.outcomes_of_plan(conn, digest)
                return summary
        time.sleep(0.5)
    return summary


def apply_approved(house: House) -> list[Summary]:
    """Write every plan that a person approved since; what the daemon does with plans that are handed over to it."""
    with house.db.read() as conn:
        if plans.paused(conn) is not None:
            return []
        waiting = [plan for plan in plans.list_plans(conn, state=APPROVED) if not _is_expired(plan, house.clock())]
        changes = {plan.digest: tuple(e.change for e in journal.planned(conn, plan.digest)) for plan in waiting}
    return [write_plan(house, digest, listed) for digest, listed in changes.items()]


def write_plan(house: House, digest: str, changes: Sequence[Change]) -> Summary:
    """Write these changes as a run of its own; the plan must be permitted."""
    summary = Summary(verb="apply", mode=house.config.writes.mode)
    with run_book(house, summary):
        draft = Draft(is_kept=True, count=summary.plan)
        draft.take(changes, digest)
        if changes:
            apply(house, draft, summary)
            remember_populations(house, is_accepted=True)
    return summary


def _permitted(house: House, named: str, *, is_approved: bool) -> tuple[str, tuple[Change, ...]]:
    """The plan of a file or a digest. One that waits for a person goes on only with an approval.

    A file that was never held meets the guard here, as a run's own plan does, and is held where it is over a limit.
    """
    if house.config.writes.mode == "report":
        words = say("[writes] mode is report: nothing is written. Set it to approve or write first.")
        raise PlanRefused(words, found=0, limit=0)
    with house.db.read() as conn:
        pause = plans.paused(conn)
    if pause is not None:
        raise PlanRefused(say("writing was stopped by {by}", by=pause.by), found=0, limit=0)
    path = Path(named)
    if path.suffix == ".json" or path.exists():
        changes = load(path)
        name = digest(changes)
    else:
        name, changes = _held(house, named)
    with house.db.read() as conn:
        plan = plans.find_plan(conn, name)
    if plan is not None and plan.state == APPROVED and not _is_expired(plan, house.clock()):
        return name, changes
    if is_approved:
        _hold_and_approve(house, name, changes)
        return name, changes
    if plan is None or plan.state not in {HELD, APPROVED}:
        why = reasons_to_wait(house, Plan(changes=changes, held=(), digest=name))
        if not why:
            return name, changes
        plans.hold_plan(house.db, name, changes, run=0, why=joined(why), author=whoami())
        words = say(
            "{why}. Plan {digest} waits for approval: headrace apply {digest} --approve",
            why=joined(why),
            digest=name[:12],
        )
        raise PlanRefused(words, found=len(changes), limit=0)
    words = say("Plan {digest} waits for approval: headrace apply {digest} --approve", digest=name[:12])
    raise PlanRefused(words, found=len(changes), limit=0)


def _held(house: House, named: str) -> tuple[str, tuple[Change, ...]]:
    hint = say("headrace plan shows what would be written; headrace runs shows what was held")
    with house.db.read() as conn:
        plan = plans.find_plan(conn, named)
        if plan is None:
            raise OperatorError([Problem("apply", say("no plan is called {name}", name=named), hint)], exit_code=2)
        if plan.state not in {HELD, APPROVED}:
            words = say("plan {name} waits no more: {state}", name=plan.digest[:12], state=say(plan.state))
            raise OperatorError([Problem("apply", words, hint)], exit_code=2)
        return plan.digest, tuple(entry.change for entry in journal.planned(conn, plan.digest))


def _hold_and_approve(house: House, name: str, changes: Sequence[Change]) -> None:
    with house.db.read() as conn:
        plan = plans.find_plan(conn, name)
    if plan is not None and plan.state == APPROVED and not _is_expired(plan, house.clock()):
        return
    if plan is None or plan.state not in {HELD, APPROVED}:
        plans.hold_plan(house.db, name, changes, run=0, why=say("applied from a file"), author=whoami())
    plans.approve(house.db, name, whoami())


def _is_expired(plan: plans.Plan, now_ms: int) -> bool:
    return plan.expires_at is not None and plan.expires_at <= now_ms


def whoami() -> str:
    """The person at the terminal, by their login."""
    return getpass.getuser()


def explain(house: House, who: str) -> dict[str, Any]:
    """Why a person, account or opportunity is where it is; raises OperatorError where nobody is found."""
    with house.db.read() as conn:
        entity = find_entity(conn, who)
        if entity is None:
            hint = say("give an e-mail address, system:object:id, or our id; headrace backfill reads who is missing")
            raise OperatorError([Problem(who, say("nobody by this name is in the store"), hint)], exit_code=1)
        return explaining.explain(conn, entity, house.program, list(house.connectors))


def list_runs(house: House, *, limit: int, after: str | None) -> tuple[list[dict[str, Any]], str | None]:
    """Runs, newest first, and the mark from which the next page goes on."""
    with house.db.read() as conn:
        found = runs.list_runs(conn, before=_number(after, "--after") if after else None, limit=limit + 1)
    rows = [_run_row(run) for run in found[:limit]]
    return rows, rows[-1]["run"] if len(found) > limit else None


def _run_row(run: runs.Run) -> dict[str, Any]:
    summary = run.summary or {}
    objects = [count for system in summary.get("systems", {}).values() for count in system["objects"].values()]
    return {
        "run": str(run.id),
        "verb": run.verb,
        "status": run.status,
        "started_at": to_iso(run.started_at),
        "elapsed_s": summary.get("elapsed_s"),
        "read": sum(count["read"] for count in objects),
        "changed": sum(count["changed"] for count in objects),
        "transitions": summary.get("transitions"),
        "plan": summary.get("plan", {}).get("changes"),
        "written": sum(summary.get("applied", {}).get(name, 0) for name in ("applied", "verified")),
        "digest": summary.get("plan", {}).get("digest"),
        "systems": summary.get("systems"),
    }


def list_changes(
    house: House,
    *,
    run: str = "",
    who: str = "",
    system: str = "",
    field: str = "",
    since: str = "",
    outcome: str = "",
    limit: int = 50,
    after: str = "",
) -> tuple[list[dict[str, Any]], str | None]:
    """Changes, newest first, filtered, and the mark from which the next page goes on."""
    with house.db.read() as conn:
        records = None
        if who:
            entity = find_entity(conn, who)
            records = [] if entity is None else list(explaining.members(conn, entity))
        found = journal.find_changes(
            conn,
            run=_number(run, "--run") if run else None,
            records=records,
            system=system or None,
            field=field or None,
            since_ms=_instant(house, since) if since else None,
            outcome=_outcome(outcome) if outcome else None,
            before=_number(after, "--after") if after else None,
            limit=limit + 1,
        )
    rows = [explaining.change_row(entry) for entry in found[:limit]]
    return rows, str(found[limit - 1].id) if len(found) > limit else None


def _number(text: str, option: str) -> int:
    if not text.isdigit():
        raise OperatorError([Problem(option, say("{text} is no number", text=text))], exit_code=2)
    return int(text)


def _instant(house: House, text: str) -> int:
    try:
        return to_ms(text, house.config.company.zone)
    except ValueError:
        words = say("{text} is no day or instant", text=text)
        hint = say("write 2026-10-01 or 2026-10-01T09:00:00Z")
        raise OperatorError([Problem("--since", words, hint)], exit_code=2) from None


def _outcome(text: str) -> Outcome:
    try:
        return Outcome(text)
    except ValueError:
        choices = ", ".join(Outcome)
        words = say("{text} is none of {choices}", text=text, choices=choices)
        raise OperatorError([Problem("--outcome", words)], exit_code=2) from None


def diagnose(house: House, *, is_fixing: bool, is_deep: bool) -> Iterator[tuple[str, Finding]]:
    """Look at the store and at every system; a system that is down is a finding, and the next one is looked at."""
    wrong = house.db.integrity() if is_deep else []
    yield STORE, _finding("whole", not wrong, say("the store is whole"), say("{count} faults", count=len(wrong)))
    stages = list(Drafting.stage_values_of(house.config, house.definition).values())
    for name, connector in house.connectors.items():
        try:
            yield from (
                (name, finding)
                for finding in connector.diagnose(written_fields(house.config.systems[name], stages), fix=is_fixing)
            )
        except SystemDown as down:
            yield name, Finding(check="reach", severity=Severity.ERROR, message=down.message, hint=down.hint)
        except OperatorError as error:
            for each in error.problems:
                words = say("{where}: {message}", where=each.where, message=each.message)
                yield name, Finding(check="reach", severity=Severity.ERROR, message=words, hint=each.hint)


def _finding(check: str, is_well: bool, well: Any, ill: Any) -> Finding:  # noqa: FBT001  # a verdict, not a switch
    return Finding(check=check, severity=Severity.OK if is_well else Severity.ERROR, message=well if is_well else ill)
