"""What a run did, counted while it runs, and the JSON in which it is told (design §7)."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mapping.text import say
from reconcile.changes import Kind, Outcome

if TYPE_CHECKING:
    from mapping.text import Message
    from reconcile.changes import Change


@dataclass(slots=True)
class ObjectCount:
    """Records of one object: read from the vendor, found changed, found deleted, set aside."""

    read: int = 0
    changed: int = 0
    deleted: int = 0
    quarantined: int = 0
    missing: list[str] = field(default_factory=list)
    """Fields of ours that the vendor does not have or does not show."""

    def to_json(self) -> dict[str, int]:
        """The keys of design §7."""
        return {"read": self.read, "changed": self.changed, "deleted": self.deleted, "quarantined": self.quarantined}


@dataclass(slots=True)
class SystemCount:
    """One system's part of a run. `error` is None while the system is up."""

    objects: dict[str, ObjectCount] = field(default_factory=dict)
    calls: int = 0
    error: Message | None = None
    hint: Message | None = None
    elapsed_s: float = 0.0

    @property
    def lacking(self) -> Message | None:
        """Which fields of ours are missing, as a sentence; None where they are all there."""
        names = [f"{object_}.{name}" for object_, count in self.objects.items() for name in count.missing]
        return say("{fields} cannot be read, so nothing is written there", fields=", ".join(names)) if names else None

    def to_json(self) -> dict[str, Any]:
        """The keys of design §7."""
        wrong = self.error or self.lacking
        return {
            "status": "down" if self.error else "partial" if wrong else "done",
            "objects": {name: count.to_json() for name, count in self.objects.items()},
            "api_calls": self.calls,
            "error": str(wrong) if wrong else None,
        }


@dataclass(slots=True)
class PlanCount:
    """A plan in figures, with the digest that names it and a few changes to show."""

    digest: str = ""
    changes: int = 0
    held: int = 0
    records: int = 0
    by_kind: dict[str, int] = field(default_factory=lambda: dict.fromkeys((kind.value for kind in Kind), 0))
    why_parked: list[Message] = field(default_factory=list)
    examples: list[Change] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The keys of design §7."""
        return {"digest": self.digest, "changes": self.changes, "held": self.held, "by_kind": self.by_kind}


@dataclass(slots=True)
class Summary:
    """A run in figures. `status`: done, partial (something was down or set aside), held (parked), failed."""

    run: int = 0
    verb: str = "sync"
    mode: str = "report"
    elapsed_s: float = 0.0
    systems: dict[str, SystemCount] = field(default_factory=dict)
    events: int = 0
    unmapped: int = 0
    people: int = 0
    accounts: int = 0
    opportunities: int = 0
    doubts: int = 0
    transitions: int = 0
    plan: PlanCount = field(default_factory=PlanCount)
    applied: dict[str, int] = field(default_factory=lambda: dict.fromkeys((o.value for o in Outcome), 0))
    is_parked: bool = False
    step_s: dict[str, float] = field(default_factory=dict)

    @property
    def changed(self) -> int:
        """Records that were new or had changed."""
        return sum(count.changed for system in self.systems.values() for count in system.objects.values())

    @property
    def status(self) -> str:
        """One word for the whole run."""
        if self.is_parked:
            return "held"
        return "partial" if self.is_partial else "done"

    @property
    def is_partial(self) -> bool:
        """Whether a system was down, or something was set aside in this run."""
        aside = any(count.quarantined for system in self.systems.values() for count in system.objects.values())
        down = any(system.error or system.lacking for system in self.systems.values())
        return down or aside or bool(self.unmapped or self.applied[Outcome.FAILED] or self.applied[Outcome.UNKNOWN])

    @property
    def exit_code(self) -> int:
        """0 done, 3 partial, 4 held (design §4)."""
        return {"done": 0, "partial": 3, "held": 4}[self.status]

    def to_json(self) -> dict[str, Any]:
        """The keys of design §7, and the figures of the steps between."""
        return {
            "run_id": str(self.run),
            "status": self.status,
            "elapsed_s": round(self.elapsed_s, 3),
            "systems": {name: system.to_json() for name, system in self.systems.items()},
            "people": self.people,
            "accounts": self.accounts,
            "transitions": self.transitions,
            "plan": self.plan.to_json(),
            "applied": self.applied,
            "events": self.events,
            "unmapped": self.unmapped,
            "step_s": {name: round(seconds, 3) for name, seconds in self.step_s.items()},
        }
