"""A plan as people keep it: a file that says every write, and cannot be changed without being noticed."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import orjson

from mapping.errors import OperatorError, Problem
from mapping.records import Ref
from mapping.text import Message, say
from reconcile.changes import Change, Kind
from reconcile.plan import Held, Plan, digest, place

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from connectors.base import Connector

SHOWN_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class SavedPlan:
    """A whole plan with what it costs, in the form of design §7."""

    plan: Plan
    calls_by_system: Mapping[str, int]
    shown_rows: int = SHOWN_ROWS

    @property
    def digest(self) -> str:
        """The name of the plan."""
        return self.plan.digest

    @property
    def api_calls(self) -> int:
        """Requests that writing will take, those for reading before and after left out."""
        return sum(self.calls_by_system.values())

    @property
    def records(self) -> int:
        """Records that are written."""
        return len({change.ref for change in self.plan.changes})

    @property
    def by_kind(self) -> Mapping[str, int]:
        """Changes counted by kind."""
        return self.plan.by_kind

    @property
    def held_by_why(self) -> Mapping[str, int]:
        """Held changes counted by reason."""
        return Counter(held.why.value for held in self.plan.held)

    @cached_property
    def changes(self) -> list[dict[str, Any]]:
        """The changes as rows."""
        return [_change_row(change) for change in self.plan.changes]

    @cached_property
    def held(self) -> list[dict[str, Any]]:
        """The held changes as rows, each with its reason."""
        return [_held_row(held) for held in self.plan.held]

    def to_json(self) -> dict[str, Any]:
        """The document of design §7."""
        return {
            "digest": self.digest,
            "changes": self.changes,
            "held": self.held,
            "by_kind": self.by_kind,
            "api_calls": self.api_calls,
        }


def with_cost(plan: Plan, connectors: Mapping[str, Connector]) -> SavedPlan:
    """The plan with the requests its writing takes."""
    records = Counter((ref.system, ref.object) for ref in {change.ref for change in plan.changes})
    calls: Counter[str] = Counter()
    for (system, _), count in records.items():
        calls[system] += -(-count // connectors[system].records_per_write)
    return SavedPlan(plan=plan, calls_by_system=calls)


def load(path: Path) -> tuple[Change, ...]:
    """The changes of a saved plan, in order; raises OperatorError where the file is not what was saved."""
    try:
        document = orjson.loads(path.read_bytes())
        changes = tuple(_change(row) for row in document["changes"])
        name = document["digest"]
    except OSError as error:
        raise _refused(path, say("cannot be read: {why}", why=error.strerror)) from error
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        raise _refused(path, say("is no saved plan")) from error
    if digest(changes) != name:
        raise _refused(path, say("was changed after it was saved"))
    return tuple(sorted(changes, key=place))


def _refused(path: Path, message: Message) -> OperatorError:
    hint = say("make a new one: headrace plan -o {name}", name=path.name)
    return OperatorError([Problem(str(path), message, hint)], exit_code=2)


def _change_row(change: Change) -> dict[str, Any]:
    return {
        "system": change.ref.system,
        "object": change.ref.object,
        "id": change.ref.id,
        "field": change.field,
        "before": change.before,
        "after": change.after,
        "reason": change.reason,
        "rule": change.rule,
        "kind": change.kind.value,
        "entity": change.entity,
    }


def _held_row(held: Held) -> dict[str, Any]:
    return {
        "system": held.ref.system,
        "object": held.ref.object,
        "id": held.ref.id,
        "field": held.field,
        "before": held.before,
        "after": held.after,
        "reason": held.reason,
        "rule": held.rule,
        "why": held.why.value,
        "entity": held.entity,
    }


def _change(row: Mapping[str, Any]) -> Change:
    return Change(
        ref=Ref(row["system"], row["object"], row["id"]),
        field=row["field"],
        before=row["before"],
        after=row["after"],
        reason=row["reason"],
        rule=row["rule"],
        kind=Kind(row["kind"]),
        entity=row["entity"],
    )
