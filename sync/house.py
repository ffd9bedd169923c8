"""Everything a run needs, put together once from the configuration: the store, the connectors, the definition."""

from __future__ import annotations

import gc
import hashlib
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from threading import Event
from typing import TYPE_CHECKING, Any

import orjson

from connectors.base import Written
from connectors.registry import connector as factory
from mapping import vendors
from mapping.decide import compile_definition
from mapping.definitions import load_definition, shipped
from mapping.derive import Deriver
from mapping.errors import OperatorError, Problem
from mapping.meaning import Meaning
from mapping.text import say
from state import lease, runs
from state.engine import Database, upgrade
from sync.config import HubSpot, Rest, Salesforce, Secret, secrets
from sync.drafting import Drafting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from connectors.base import Connector
    from mapping.decide import Program
    from mapping.definitions import Definition
    from sync.config import Config, System, WriteTable


def wall_clock() -> int:
    """Now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


@dataclass(kw_only=True)
class House:
    """The parts of one headrace, all from one configuration. `stop` asks whatever is at work to come to an end."""

    config: Config
    path: Path
    db: Database
    connectors: Mapping[str, Connector]
    derivers: Mapping[str, Deriver]
    definition: Definition
    program: Program
    drafting: Drafting
    clock: Callable[[], int] = wall_clock
    stop: Event = field(default_factory=Event)

    @classmethod
    @contextmanager
    def open(cls, config: Config, path: Path, *, needs_lease: bool = False) -> Iterator[House]:
        """Open everything that `config` names and close it again; `path` is where the configuration stands.

        With `needs_lease` the store is brought to the newest schema and held; raises LeaseHeld where another process
        holds it. Raises OperatorError with every problem of the definition, or with every secret that is missing.
        """
        definition = _definition(config)
        if needs_lease:
            _check_secrets(config)
        with ExitStack() as stack:
            db = stack.enter_context(Database.open(config.state.url, key_path=config.state.journal_key))
            upgrade(db)
            if needs_lease:
                stack.enter_context(lease.held(db))
                with db.write() as conn:
                    runs.close_abandoned(conn)
            stages = list(Drafting.stage_values_of(config, definition).values())
            connectors: dict[str, Connector] = {}
            for name, system in config.systems.items():
                connectors[name] = _connect(name, system, stages)
                stack.callback(connectors[name].close)
            if needs_lease:
                _calm_collector()
            yield cls(
                config=config,
                path=path,
                db=db,
                connectors=connectors,
                derivers=_derivers(config, definition),
                definition=definition,
                program=compile_definition(definition, config.company.zone),
                drafting=Drafting.of(config, definition, connectors),
            )

    def volatile(self, system: str, object_: str) -> frozenset[str]:
        """The fields of an object whose change alone is no change."""
        return vendors.volatile(vendor(self.config.systems[system]), object_)

    @property
    def ours(self) -> dict[tuple[str, str], list[str]]:
        """(system, object) -> the fields that headrace writes there."""
        return {place: _own_fields(table) for place, table in self.drafting.tables.items()}

    @property
    def policy_digest(self) -> str:
        """Changes when the mode, a write table or the definition does: then every record is planned anew."""
        writes = {
            name: system.model_dump(mode="json", include={"write"}) for name, system in self.config.systems.items()
        }
        parts = [self.config.writes.model_dump(mode="json"), writes, self.definition.version]
        return hashlib.sha256(orjson.dumps(parts, option=orjson.OPT_SORT_KEYS)).hexdigest()


def _calm_collector() -> None:
    """Let the collector of cycles look less often: rows have no cycles, and looking costs a tenth of a run."""
    gc.freeze()
    gc.set_threshold(100_000, 50, 50)


def vendor(system: Salesforce | HubSpot | Rest) -> str:
    """Whose readings apply to a system: its kind, or the preset of a customer-success tool."""
    if isinstance(system, Rest):
        return system.preset or (system.path.stem if system.path else "")
    return system.kind


def _definition(config: Config) -> Definition:
    if config.definitions is None:
        return shipped()
    path = config.definitions.path
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "not UTF-8 text"
        hint = say("headrace init writes one; without [definitions] the shipped waterfall-2006 decides")
        raise OperatorError([Problem(str(path), say("cannot be read: {why}", why=why), hint)]) from error
    return load_definition(text, path.name)


def _check_secrets(config: Config) -> None:
    """Every secret is there; raises OperatorError with all that are not, before anything is started."""
    problems: list[Problem] = []
    for secret in secrets(config):
        try:
            secret.read()
        except OperatorError as error:
            problems += error.problems
    if problems:
        raise OperatorError(problems)


def _derivers(config: Config, definition: Definition) -> dict[str, Deriver]:
    kinds = {name: vendor(system) for name, system in config.systems.items()}
    meaning = Meaning(kinds, definition.meaning)
    peers = {kind: name for name, kind in kinds.items()}
    return {
        name: Deriver(
            name,
            kinds[name],
            meaning,
            config.company.zone,
            peers,
            written={object_: frozenset(_own_fields(table)) for object_, table in system.write.items()},
            ids={object_: table.id for object_, table in system.write.items() if table.id},
            currency=config.company.currency,
        )
        for name, system in config.systems.items()
    }


def _own_fields(table: WriteTable) -> list[str]:
    named = [table.stage, table.score, table.stage_at, table.id, *table.extra]
    return [field for field in named if field]


def written_fields(system: System, stages: Sequence[str]) -> list[Written]:
    """The fields of ours in a system; `stages` are the values that a stage field must take."""
    found = []
    for object_, table in system.write.items():
        for role in ("stage", "score", "stage_at", "id"):
            if field := getattr(table, role):
                options = tuple(stages) if role == "stage" else ()
                found.append(Written(object=object_, field=field, role=role, options=options))
        found += [Written(object=object_, field=field, role="extra") for field in table.extra]
    return found


def _connect(name: str, system: System, stages: Sequence[str]) -> Connector:
    kind = vendor(system)
    objects = vendors.objects(kind)
    common: dict[str, Any] = {
        "system": name,
        "auth": _auth(system),
        "fields": {object_: vendors.fields(kind, object_) for object_ in objects},
        "written": written_fields(system, stages),
    }
    make = factory(system.kind)
    match system:
        case Salesforce():
            return make(
                **common,
                login_url=system.login_url,
                api_version=system.api_version,
                organization_id=system.organization_id,
            )
        case HubSpot():
            return make(
                **common,
                base_url=system.base_url,
                histories={object_: vendors.histories(kind, object_) for object_ in objects},
                associations={object_: vendors.associations(kind, object_) for object_ in objects},
                api_version=system.api_version,
                portal_id=system.portal_id,
                has_limits=system.requests_limited,
            )
        case Rest():
            return make(
                **common,
                preset=system.path or system.preset,
                base_url=system.base_url,
                has_limits=system.requests_limited,
            )


def _auth(system: System) -> dict[str, Any]:
    """The entries of `auth`, secrets as functions that read them at every use."""
    entries = {field: getattr(system.auth, field) for field in type(system.auth).model_fields}
    return {
        field: value.read if isinstance(value, Secret) else value
        for field, value in entries.items()
        if value is not None
    }
