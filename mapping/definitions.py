"""The definition document: stages, entry rules, score rules and SLAs, read from TOML and checked whole.

name = "2026-Q4"
model = "waterfall-2006"            # what is missing below comes from the shipped model of this name

[[stages]]
id = "mql"
label = { en = "MQL", ja = "MQL(有望リード)" }
owner = "marketing"
enter.score = "score >= 60 and employees >= 50"        # rule mql.score
sla = { to = "sal", within = "24h" }
[[stages.exits]]
when = "lead_rejected"
to = "inquiry"
reason = "rejected"                                    # rule mql.rejected

[[scores]]
id = "webinar"
event = "webinar_attended"
points = 16
half_life = "30d"
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import date
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from mapping.documents import NEVER, Document, Table
from mapping.expressions import GROUPS, KINDS, Names, Node, kinds_of, nearest, render, walk
from mapping.meaning import MEANINGS
from mapping.scores import Fading
from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

UNITS = ("person", "account", "unit", "opportunity")
SKIPS = ("backfill", "allow", "reject")
REGRESSES = ("forbid", "allow", "new_cycle")
NONE = "none"
"""Stands in `from` for an entity that is in no stage yet."""

SHIPPED = ("waterfall-2006",)

SAME_WITHIN_MS = 600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Rule:
    """A condition by which a stage is entered or left; `id` is `<stage>.<name>`."""

    id: str
    condition: Node


@dataclass(frozen=True, kw_only=True, slots=True)
class Exit:
    """A condition by which a stage is left for another; it looks only at what happened since the stage was entered."""

    rule: Rule
    to: str
    reason: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Sla:
    """The stage that must be reached, and within how many milliseconds."""

    to: str
    within_ms: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Stage:
    """One stage of a model. `comes_from` holds the stages it may be entered from, None for no stage.

    A milestone is on the way forward: it counts for how far an entity has come, and is back-filled where it was skipped
    (`skip` backfill), left out (allow), or must have been passed (reject). `regress` says what an exit back to an
    earlier stage does: begin a new cycle, go back within it, or be refused when the document is read.
    """

    id: str
    label: Mapping[str, str]
    unit: str = "person"
    owner: str | None = None
    enter: tuple[Rule, ...] = ()
    comes_from: tuple[str | None, ...] = ()
    exits: tuple[Exit, ...] = ()
    is_milestone: bool = True
    skip: str = "backfill"
    regress: str = "new_cycle"
    sla: Sla | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class AttributeRule:
    """Points for what is known of an entity, as long as it is so."""

    id: str
    label: Mapping[str, str]
    points: int
    condition: Node


@dataclass(frozen=True, kw_only=True, slots=True)
class BehaviourRule:
    """Points for each event of some kinds that meets a condition; they fade."""

    id: str
    label: Mapping[str, str]
    points: int
    kinds: tuple[str, ...]
    condition: Node | None
    fading: Fading


@dataclass(frozen=True, kw_only=True, slots=True)
class Definition:
    """Stages, entry rules, score rules, SLAs and owners, parsed and checked; equal content gives an equal version.

    `effective_from` is the day from which it may replace an earlier version; `accounts_stage` is `furthest` (an account
    stands where the furthest of it and its people stands) or `own`. `meaning` holds the tables of
    `mapping.meaning.Meaning`, by system.
    """

    name: str
    model: str
    stages: tuple[Stage, ...]
    attributes: tuple[AttributeRule, ...]
    behaviours: tuple[BehaviourRule, ...]
    effective_from: date | None = None
    accounts_stage: str = "furthest"
    same_within_ms: int = SAME_WITHIN_MS
    meaning: Mapping[str, Any] = field(default_factory=dict)
    version: str = ""
    text: str = ""

    def stage(self, id_: str) -> Stage:
        """The stage with this id; raises KeyError where there is none."""
        for stage in self.stages:
            if stage.id == id_:
                return stage
        raise KeyError(id_)

    def rule_texts(self) -> dict[str, str]:
        """Every rule in its canonical spelling, by id."""
        rules = {rule.id: rule for stage in self.stages for rule in stage.enter}
        rules |= {exit_.rule.id: exit_.rule for stage in self.stages for exit_ in stage.exits}
        return {id_: render(rule.condition) for id_, rule in rules.items()}


@cache
def shipped(model: str = "waterfall-2006") -> Definition:
    """A model that comes with headrace; raises KeyError where there is none of this name."""
    if model not in SHIPPED:
        raise KeyError(model)
    return load_definition(shipped_text(model), f"{model}.toml")


def shipped_text(model: str = "waterfall-2006") -> str:
    """The document of a shipped model, comments included."""
    return (resources.files("mapping") / "models" / f"{model}.toml").read_text(encoding="utf-8")


def load_definition(text: str, where: str = "definitions.toml") -> Definition:
    """Read a definition document; raises OperatorError with every problem, each with file, line and column."""
    document = Document(text, where)
    root = document.root
    root.only("name", "model", "effective_from", "same_within", "stages", "scores", "accounts", "meaning")
    name = root.text("name", is_required=True)
    model = root.text("model", name)
    base = shipped(model) if model in SHIPPED and not (root.has("stages") and root.has("scores")) else None
    stages = _stages(root) if root.has("stages") or base is None else base.stages
    if not stages:
        document.note((1, 1), say("there are no stages"),
                      say('write model = "waterfall-2006" to have those of the shipped model'))  # fmt: skip
    attributes, behaviours = (base.attributes, base.behaviours) if base and not root.has("scores") else _scores(root)
    accounts = root.table("accounts")
    if accounts:
        accounts.only("stage")
    definition = Definition(
        name=name,
        model=model,
        stages=stages,
        attributes=attributes,
        behaviours=behaviours,
        effective_from=root.day("effective_from"),
        accounts_stage=accounts.choice("stage", ("furthest", "own"), "furthest") if accounts else "furthest",
        same_within_ms=root.duration("same_within", SAME_WITHIN_MS) or SAME_WITHIN_MS,
        meaning=_meaning(root),
        text=text,
    )
    document.finish()
    return replace(definition, version=_version(definition))


def _version(definition: Definition) -> str:
    """A hash of all that decides: comments, spaces and the spelling of expressions do not count."""
    content = _plain(definition)
    del content["text"], content["version"]
    canonical = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]


def _plain(value: Any) -> Any:
    """A value of a definition as JSON has it, an expression in its canonical spelling."""
    if isinstance(value, Node):
        return render(value)
    if isinstance(value, date):
        return value.isoformat()
    if is_dataclass(value):
        return {place.name: _plain(getattr(value, place.name)) for place in fields(value)}
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


_STAGE_KEYS = (
    "id", "label", "unit", "owner", "enter", "from", "exits", "milestone", "skip", "regress", "sla",
)  # fmt: skip


def _stages(root: Table) -> tuple[Stage, ...]:
    tables = list(root.tables("stages"))
    ids = [table.data.get("id") for table in tables]
    known = tuple(id_ for id_ in ids if isinstance(id_, str))
    stages = []
    for index, table in enumerate(tables):
        if isinstance(ids[index], str):
            table.title = f"stage {ids[index]}"
        id_ = table.identifier("id", reserved=(NONE,))
        if id_ and id_ in ids[:index]:
            table.wrong("id", say('"{id}" is the id of an earlier stage, too', id=id_))
        stages.append(_stage(table, id_, known, index))
    _check_reachable(tables, stages)
    return tuple(stages)


def _stage(table: Table, id_: str, known: tuple[str, ...], index: int) -> Stage:
    table.only(*_STAGE_KEYS)
    names = Names(known)
    regress = table.choice("regress", REGRESSES, "new_cycle")
    enter = _enter(table, id_, names)
    taken = {rule.id for rule in enter}
    exits = []
    for exit_ in table.tables("exits"):
        exit_.title = f"stage {id_}, exits"
        found = _exit(exit_, id_, names)
        if found.rule.id in taken:
            exit_.wrong("reason", say("there are two rules {rule}", rule=found.rule.id))
        taken.add(found.rule.id)
        if regress == "forbid" and found.to in known[:index]:
            exit_.wrong("to", say("leads back to {to}, and the stage forbids to regress", to=found.to))
        exits.append(found)
    return Stage(
        id=id_,
        label=_label(table, id_),
        unit=table.choice("unit", UNITS, "person"),
        owner=table.text("owner") or None,
        enter=enter,
        comes_from=_comes_from(table, known, index),
        exits=tuple(exits),
        is_milestone=table.flag("milestone", default=True),
        skip=table.choice("skip", SKIPS, "backfill"),
        regress=regress,
        sla=_sla(table, known, index),
    )


def _enter(table: Table, id_: str, names: Names) -> tuple[Rule, ...]:
    value = table.data.get("enter")
    if value is None:
        return ()
    if not isinstance(value, dict):
        return (Rule(id=f"{id_}.entered", condition=table.condition("enter", names)),)
    inner = table.table("enter")
    assert inner is not None
    return tuple(
        Rule(id=f"{id_}.{name}", condition=inner.condition(name, names, f"stage {id_}, enter")) for name in value
    )


def _exit(table: Table, id_: str, names: Names) -> Exit:
    table.only("when", "to", "reason")
    reason = table.identifier("reason", is_required=False) or "left"
    table.text("when", is_required=True)
    condition = table.condition("when", names) if table.has("when") else NEVER
    to = table.text("to", is_required=True)
    if to:
        _check_stage(table, "to", to, names.stages)
    return Exit(rule=Rule(id=f"{id_}.{reason}", condition=condition), to=to, reason=reason)


def _comes_from(table: Table, known: tuple[str, ...], index: int) -> tuple[str | None, ...]:
    listed = table.texts("from")
    if listed is None:
        return (None, *known[:index])
    for id_ in listed:
        if id_ != NONE:
            _check_stage(table, "from", id_, (*known, NONE))
    return tuple(None if id_ == NONE else id_ for id_ in listed)


def _sla(table: Table, known: tuple[str, ...], index: int) -> Sla | None:
    inner = table.table("sla")
    if inner is None:
        return None
    inner.only("to", "within")
    to = inner.text("to", is_required=True)
    within = inner.duration("within", is_required=True)
    if to and _check_stage(inner, "to", to, known) and to in known[: index + 1]:
        inner.wrong("to", say("{to} does not come after this stage", to=to))
    return Sla(to=to, within_ms=within or 0)


def _check_stage(table: Table, key: str, id_: str, known: Sequence[str]) -> bool:
    if id_ in known:
        return True
    table.wrong(key, say('unknown stage "{id}"', id=id_), nearest(id_, known))
    return False


def _check_reachable(tables: Sequence[Table], stages: Sequence[Stage]) -> None:
    """Note every stage that nothing can lead to: no rule enters it, or only from stages that are not reached."""
    reached: set[str | None] = {None}
    grew = True
    while grew:
        entered = {s.id for s in stages if s.enter and reached & set(s.comes_from)}
        entered |= {exit_.to for s in stages if s.id in reached for exit_ in s.exits}
        grew = not entered <= reached
        reached |= entered
    for index, (table, stage) in enumerate(zip(tables, stages, strict=True)):
        is_filled = stage.is_milestone and stage.skip == "backfill" and any(
            later.id in reached and later.is_milestone for later in stages[index + 1 :]
        )  # fmt: skip
        if stage.id not in reached and not is_filled:
            hint = say("give it an enter rule, or an exit that leads to it")
            table.wrong("id", say("nothing leads to this stage"), hint)


def _scores(root: Table) -> tuple[tuple[AttributeRule, ...], tuple[BehaviourRule, ...]]:
    attributes: list[AttributeRule] = []
    behaviours: list[BehaviourRule] = []
    taken: set[str] = set()
    for table in root.tables("scores"):
        id_ = table.identifier("id")
        if id_:
            table.title = f"score {id_}"
        if id_ in taken:
            table.wrong("id", say('"{id}" is the id of an earlier score rule, too', id=id_))
        taken.add(id_)
        points = table.whole("points", 0, is_required=True) or 0
        if table.has("event"):
            behaviours.append(_behaviour(table, id_, points))
        else:
            table.only("id", "label", "points", "when")
            table.text("when", is_required=True)
            condition = table.condition("when", Names()) if table.has("when") else NEVER
            attributes.append(AttributeRule(id=id_, label=_label(table, id_), points=points, condition=condition))
            _check_attribute(table, condition)
    return tuple(attributes), tuple(behaviours)


def _check_attribute(table: Table, condition: Node) -> None:
    for part in walk(condition):
        if part.kind in {"happened", "any", "count", "reached", "measure"}:
            message = say("{part} is no attribute", part=render(part))
            table.wrong("when", message, say("points for events: write event = …"), offset=part.at)


def _behaviour(table: Table, id_: str, points: int) -> BehaviourRule:
    table.only("id", "label", "points", "event", "when", "half_life", "cap", "window")
    kinds: set[str] = set()
    for name in table.texts("event") or ():
        found = kinds_of(name)
        if found is None:
            table.wrong("event", say('unknown event "{name}"', name=name), nearest(name, (*GROUPS, *KINDS)))
        kinds.update(found or ())
    cap = table.whole("cap")
    if cap is not None and cap <= 0:
        table.wrong("cap", say("must be more than 0"))
    return BehaviourRule(
        id=id_,
        label=_label(table, id_),
        points=points,
        kinds=tuple(sorted(kinds)),
        condition=table.condition("when", Names(is_event=True)) if table.has("when") else None,
        fading=Fading(table.days("half_life"), table.days("window"), cap),
    )


def _label(table: Table, id_: str) -> dict[str, str]:
    inner = table.table("label")
    if inner is None:
        return {"en": id_, "ja": id_}
    inner.only("en", "ja")
    english = inner.text("en", id_)
    return {"en": english, "ja": inner.text("ja", english)}


def _meaning(root: Table) -> dict[str, Any]:
    """The tables of meanings as they stand, each value checked."""
    systems = root.table("meaning")
    if systems is None:
        return {}
    _check_meaning(systems, 3)
    return systems.data


def _check_meaning(table: Table, depth: int) -> None:
    for key, value in table.data.items():
        if depth:
            inner = table.table(key, f"{table.title}.{key}")
            if inner is not None:
                _check_meaning(inner, depth - 1)
        elif value not in MEANINGS:
            table.wrong(key, say('"{value}" is no event', value=value), _near_meaning(value))


def _near_meaning(value: object) -> Message | None:
    return nearest(str(value), MEANINGS)
