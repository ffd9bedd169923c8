"""The two longer screens: the whole company at a glance, and the story of one person."""

from __future__ import annotations

import shutil
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mapping.instants import to_ms
from reports import explain as explaining
from reports.overview import overview
from reports.who import find_entity
from state import targets
from sync.screen import EMPTY, LABEL_WIDTH, local_time, pad

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mapping.definitions import Definition
    from reports.overview import Reached
    from sync.house import House
    from sync.screen import Screen
    from sync.summary import Summary

_BAR_WIDTH = 8
_SHORT_VERSION = 8
_SHOWN_STORY = 12
_SHOWN_EXAMPLE = 2


def show_overview(screen: Screen, house: House, summary: Summary, person: str) -> None:
    """What was read, who is who, how far people came, what would be written, and why for one person."""
    definition = house.definition
    path = [stage.id for stage in definition.stages if stage.is_milestone]
    with house.db.read() as conn:
        view = overview(conn, definition.model, path)
    screen.say("headrace demo · a company that does not exist, three vendors on this machine, no network", style="bold")
    screen.say()
    label = pad(screen.words("reading"), LABEL_WIDTH)
    for system, (objects, records) in view.objects.items():
        screen.say(
            "  {label} {system:<12} {objects:>3} objects {records:>9,} records {calls:>6,} calls {elapsed:>6.1f} s",
            label=label,
            system=system,
            objects=objects,
            records=records,
            calls=summary.systems[system].calls,
            elapsed=summary.systems[system].elapsed_s,
        )
        label = pad("", LABEL_WIDTH)
    screen.say(
        "  history      {events:,} events since {since}",
        events=view.events,
        since=_day(house, view.events_since),
    )
    screen.say(
        "  who is who   {people:,} people in {records:,} records · {accounts:,} accounts · {doubts:,} in doubt",
        people=view.people,
        records=view.person_records,
        accounts=view.accounts,
        doubts=view.doubts,
    )
    screen.say(
        '  stages       {model}, definition "{name}" ({version}…)',
        model=definition.model,
        name=definition.name,
        version=definition.version[:_SHORT_VERSION],
    )
    screen.say()
    _funnel(screen, definition, view.reached)
    screen.say()
    plan = summary.plan
    screen.say(
        "  would write  {changes:,} fields on {records:,} records (report mode: nothing was written)",
        changes=plan.changes,
        records=plan.records,
    )
    _example(screen, house, person)
    screen.say()
    name = invoked_as()
    command = f"{name} --config {house.path}"
    screen.say("Next: {command} explain {person}", command=command, person=person)
    screen.say("      {command} plan · {name} init", command=command, name=name)


def invoked_as() -> str:
    """How to call headrace again from here: its name where the shell finds it, else the way it was called."""
    found = shutil.which("headrace")
    called = Path(sys.argv[0])
    return "headrace" if found and called.exists() and Path(found).samefile(called) else str(called)


def _funnel(screen: Screen, definition: Definition, reached: Sequence[Reached]) -> None:
    most = max((row.people for row in reached), default=0) or 1
    for row in reached:
        bar = "█" * round(row.people / most * _BAR_WIDTH)
        share = f"{row.share:.0%}" if row.share is not None else ""
        days = screen.words("{days:.0f} d", days=row.median_days) if row.median_days is not None else ""
        label = stage_label(definition, row.stage, screen.words.language)
        screen.console.print(
            f"  {pad(label, 36)} {bar:<{_BAR_WIDTH}} {row.people:>7,} {share:>6} {days:>7}", markup=False
        )


def stage_label(definition: Definition, stage: str | None, language: str) -> str:
    """A stage as people call it; its id where the definition no longer has it."""
    if stage is None:
        return EMPTY
    try:
        return definition.stage(stage).label.get(language, stage)
    except KeyError:
        return stage


def _example(screen: Screen, house: House, person: str) -> None:
    from rich.cells import cell_len  # noqa: PLC0415  # slow to import

    with house.db.read() as conn:
        entity = find_entity(conn, person)
        if entity is None:
            return
        story = explaining.explain(conn, entity, house.program, list(house.connectors))
        shown = targets.showings(conn, house.drafting.model, [entity.key], house.ours)
    who = "、" if screen.words.language == "ja" else ", "
    name = who.join(filter(None, (story["name"].get("name"), story["name"].get("company"))))
    screen.say("  for example  {name}", name=name)
    for showing in sorted(shown, key=lambda showing: showing.ref):
        table = house.drafting.tables.get((showing.ref.system, showing.ref.object))
        if table is None or table.stage is None or showing.stage is None:
            continue
        before = showing.payload.get(table.stage) or screen.words("(empty)")
        after = house.drafting.stage_values[showing.stage]
        screen.console.print(
            f"               {showing.ref.system:<12} {showing.ref.object:<14} {table.stage:<20} {before} → {after}",
            markup=False,
        )
    label = screen.words("because")
    blank = pad("", cell_len(label))
    for step in story["history"][-_SHOWN_EXAMPLE:]:
        screen.say(
            "               {label} {stage} on {at}: {cause}",
            label=label,
            stage=stage_label(house.definition, step["to"], screen.words.language),
            at=local_time(to_ms(step["at"]), house.config.company.zone),
            cause=_cause(screen, house, step, story),
        )
        label = blank


def _cause(screen: Screen, house: House, step: Mapping[str, Any], story: Mapping[str, Any]) -> str:
    """The event that made a step true, and its rule where that is more than the event's own name."""
    events = {event["id"]: event for event in story["events"]}
    kinds = [events[id_] for id_ in step["events"] if id_ in events]
    rule: str = house.definition.rule_texts().get(step["rule"], step["rule"])
    if not kinds:
        return rule
    told = _event_words(screen, kinds[0])
    return told if rule == kinds[0]["kind"] else f"{told}  ({rule})"


def _event_words(screen: Screen, event: Mapping[str, Any]) -> str:
    words = [screen.words(event["kind"]).replace("_", " ")]
    if event.get("before") or event.get("after"):
        words.append(f"{event.get('before') or EMPTY} → {event.get('after') or EMPTY}")
    elif event.get("name"):
        words.append(screen.words("“{name}”", name=event["name"]))
    if event.get("reason"):
        words.append(f"[{event['reason']}]")
    if event.get("quantity", 1) > 1:
        words.append(f"x {event['quantity']}")
    return " ".join(words)


def show_explanation(screen: Screen, house: House, story: Mapping[str, Any]) -> None:
    """Tell the story of one person, account or opportunity, or give it as JSON."""
    if screen.is_json:
        screen.json(story)
        return
    words, zone, definition = screen.words, house.config.company.zone, house.definition
    name = "   ".join(filter(None, (story["name"].get("name"), story["name"].get("company"))))
    screen.say("{name}   {kind} {id}", name=name or EMPTY, kind=words(story["kind"]), id=story["id"], style="bold")
    stage = story["stage"]
    if stage["stage"] is None:
        screen.say("In no stage yet.")
    else:
        since = to_ms(stage["since"])
        days = (int(datetime.now(UTC).timestamp() * 1000) - since) // 86_400_000
        screen.say(
            '{label}   since {since} ({days} days) · definition "{definition}", rule {rule}',
            label=stage_label(definition, stage["stage"], words.language),
            since=local_time(since, zone),
            days=days,
            definition=definition.name if stage["definition"] == definition.version else stage["definition"],
            rule=stage["rule"],
        )
    screen.say()
    _steps(screen, house, story)
    _next_steps(screen, house, story)
    _score(screen, definition, story)
    _same(screen, story)
    _writes(screen, house, story)


def _steps(screen: Screen, house: House, story: Mapping[str, Any]) -> None:
    label = screen.words("why, when")
    for step in reversed(story["history"][-_SHOWN_STORY:]):
        screen.console.print(
            f"{pad(label, LABEL_WIDTH)} {local_time(to_ms(step['at']), house.config.company.zone)}  "
            f"{step['from'] or EMPTY} → {step['to'] or EMPTY}   {_cause(screen, house, step, story)}"
            + (f"   {screen.words('(skipped, filled in)')}" if step["is_backfilled"] else ""),
            markup=False,
        )
        label = ""


def _next_steps(screen: Screen, house: House, story: Mapping[str, Any]) -> None:
    label = screen.words("next")
    for each in story["next"]:
        stage = stage_label(house.definition, each["stage"], screen.words.language)
        measured = [f"{m['name']} {EMPTY if m['have'] is None else m['have']} < {m['want']}" for m in each["measures"]]
        lacking = ", ".join([*each["missing"], *measured]) or screen.words("nothing is missing")
        screen.console.print(f"{pad(label, LABEL_WIDTH)} {stage}: {lacking}", markup=False)
        label = ""


def _score(screen: Screen, definition: Definition, story: Mapping[str, Any]) -> None:
    labels = {rule.id: rule.label for rule in definition.attributes}
    labels |= {rule.id: rule.label for rule in definition.behaviours}
    totals: dict[str, int] = {}
    for entry in story["score"]["entries"]:
        totals[entry["rule"]] = totals.get(entry["rule"], 0) + entry["points"]
    lines = ", ".join(
        f"{labels.get(rule, {}).get(screen.words.language, rule)} {points:+d}"
        for rule, points in sorted(totals.items(), key=lambda item: -item[1])
        if points
    )
    screen.console.print(f"{pad(screen.words('score'), LABEL_WIDTH)} {story['score']['total']}   {lines}", markup=False)


def _same(screen: Screen, story: Mapping[str, Any]) -> None:
    label = screen.words("same as")
    for record in story["records"]:
        rules = ", ".join(sorted({screen.words(evidence["rule"]) for evidence in record["evidence"]}))
        screen.console.print(
            f"{pad(label, LABEL_WIDTH)} {record['system']} {record['object']} {record['id']}   {rules}", markup=False
        )
        label = ""


def _writes(screen: Screen, house: House, story: Mapping[str, Any]) -> None:
    label = screen.words("written")
    for change in story["changes"][:_SHOWN_STORY]:
        at = local_time(to_ms(change["at"]), house.config.company.zone) if change["at"] else EMPTY
        outcome = screen.words(change["outcome"] or "waiting")
        before = EMPTY if change["before"] is None else change["before"]
        place = f"{change['system']} {change['object']} {change['field']}"
        screen.console.print(
            f"{pad(label, LABEL_WIDTH)} {at}  {place} {before} → {change['after']}   {outcome}   run {change['run']}",
            markup=False,
        )
        label = ""


def _day(house: House, ms: int | None) -> str:
    return local_time(ms, house.config.company.zone)[:10]
