"""From decisions to wishes: which field of which record should show what, and why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import orjson

from mapping.instants import to_iso
from reconcile.plan import Policy, Role, Target, Why, Wish

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from connectors.base import Connector
    from mapping.definitions import Definition
    from state.targets import Showing
    from sync.config import Config, WriteTable


@dataclass(frozen=True, kw_only=True, slots=True)
class Drafting:
    """What turns decisions into wishes: the fields of ours, the stages' values and order, and how values compare."""

    tables: Mapping[tuple[str, str], WriteTable]
    stage_values: Mapping[str, str]
    policy: Policy
    adjust: Callable[[str, str, str, Any], Any]
    model: str

    @classmethod
    def of(cls, config: Config, definition: Definition, connectors: Mapping[str, Connector]) -> Drafting:
        """The drafting that a configuration and a definition ask for."""
        values = cls.stage_values_of(config, definition)
        return cls(
            tables={
                (name, object_): table
                for name, system in config.systems.items()
                for object_, table in system.write.items()
            },
            stage_values=values,
            policy=Policy(
                ranks={values[stage.id]: rank for rank, stage in enumerate(definition.stages)},
                ends=frozenset(values[stage.id] for stage in definition.stages if not stage.is_milestone),
                score_step=config.writes.score_step,
            ),
            adjust=lambda system, object_, field_, value: connectors[system].adjust(object_, field_, value),
            model=definition.model,
        )

    @staticmethod
    def stage_values_of(config: Config, definition: Definition) -> dict[str, str]:
        """What a stage field receives for every stage: its id, or its label."""
        form = config.writes.stage_value
        return {stage.id: stage.id if form == "id" else stage.label[form] for stage in definition.stages}

    def target(self, showing: Showing, *, is_down: bool = False) -> Target | None:
        """What one record should show; None where nothing of it is ours."""
        table = self.tables.get((showing.ref.system, showing.ref.object))
        if table is None or showing.stage is None:
            return None
        return Target(
            ref=showing.ref,
            entity=showing.entity,
            payload=showing.payload,
            wishes=list(self._wishes(table, showing)),
            why_not=Why.CONVERTED if showing.is_converted else Why.SYSTEM_DOWN if is_down else None,
        )

    def _wishes(self, table: WriteTable, showing: Showing) -> Iterator[Wish]:
        since = to_iso(showing.since) if showing.since is not None else None
        rule = showing.rule or ""
        reason = f"{showing.stage} since {since} by {rule}"
        if table.stage and showing.stage:
            yield Wish(table.stage, Role.STAGE, self.stage_values[showing.stage], reason, rule)
        if table.stage_at:
            yield Wish(table.stage_at, Role.STAGE_AT, since, reason, rule)
        if table.score:
            yield Wish(table.score, Role.SCORE, showing.score, f"score {showing.score}", showing.score_rule)
        if table.id:
            yield Wish(table.id, Role.ID, showing.entity, "canonical id", "id")
        if table.extra:
            facts = orjson.loads(showing.facts)
            for name, fact in table.extra.items():
                yield Wish(name, Role.EXTRA, facts.get(fact), f"fact {fact}", fact)
