"""One account: its vault, its definitions, its settings, and what the app remembers beside them."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import orjson

from sandbox.hubspot.answers import invalid
from sandbox.hubspot.catalogue import OBJECT_NAMES
from sandbox.hubspot.schema import Schema, restore_property, standard_schema
from sandbox.hubspot.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import URL, QueryParams

    from sandbox.faults import Faults
    from sandbox.hubspot.schema import Property
    from sandbox.vault import Vault

DATED: Final = frozenset({"2026-03", "2026-09"})
VALIDATED: Final = "2026-09"
"""The version from which administrators' validation rules hold for the API."""


class Late(NamedTuple):
    """A calculated value that appears only after an instant, without touching the last modification."""

    due: int
    object: str
    id: int
    properties: dict[str, str]


@dataclass(slots=True)
class Portal:
    """What all endpoints share."""

    vault: Vault
    faults: Faults
    settings: Settings
    schema: Schema
    tokens: dict[str, float] = field(default_factory=dict)
    """OAuth access tokens and when each was issued (time.time)."""
    late: list[Late] = field(default_factory=list)
    used_today: tuple[str, int] = ("", 0)
    """The portal's day and the requests counted in it."""

    def now(self) -> int:
        """The simulated company's time, epoch milliseconds."""
        return self.vault.now_ms()

    def wall(self) -> float:
        """The clock by which tokens expire."""
        return time.time()

    def define(self, object_: str, definition: Property) -> None:
        """The property is defined so, here and whenever the vault is opened again."""
        self.schema.put(object_, definition)
        with self.vault.transaction():
            self.vault.execute(
                "INSERT OR REPLACE INTO hubspot_property VALUES (?, ?, ?)",
                (object_, definition.name, orjson.dumps(definition).decode()),
            )


def open_portal(vault: Vault, faults: Faults) -> Portal:
    """The account that this vault holds, with the properties that were defined in it."""
    schema = standard_schema(vault.now_ms())
    vault.execute(
        "CREATE TABLE IF NOT EXISTS hubspot_property"
        " (object TEXT, name TEXT, body TEXT, PRIMARY KEY (object, name)) WITHOUT ROWID"
    )
    for object_, text in vault.execute("SELECT object, body FROM hubspot_property").fetchall():
        schema.put(object_, restore_property(orjson.loads(text)))
    return Portal(vault=vault, faults=faults, settings=Settings(faults.hubspot), schema=schema)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request that was let in."""

    portal: Portal
    version: str
    """2026-09, 2026-03, v3 or v4."""
    path: Mapping[str, str]
    query: QueryParams
    body: Any
    body_length: int
    url: URL

    @property
    def is_dated(self) -> bool:
        """Whether it came by a date-based path."""
        return self.version in DATED

    @property
    def object(self) -> str:
        """The object it is about."""
        return object_name(self.path["object"])

    @property
    def to_object(self) -> str:
        """The other object of an association."""
        return object_name(self.path["to_object"])

    def listed(self, name: str) -> list[str]:
        """A query parameter that may be repeated or separated by commas."""
        return [part for text in self.query.getlist(name) for part in text.split(",") if part]

    def flag(self, name: str) -> bool:
        """A query parameter that is true or false."""
        return self.query.get(name, "false").lower() == "true"

    def next_page(self, after: int, path: str | None = None) -> dict[str, Any]:
        """The paging that leads on from here (or from the first page of another path)."""
        url = (
            self.url.include_query_params(after=after)
            if path is None
            else self.url.replace(path=path, query=f"after={after}")
        )
        origin = self.portal.settings.paging_origin
        link = str(url) if origin is None else origin + str(url).removeprefix(f"{url.scheme}://{url.netloc}")
        return {"next": {"after": str(after), "link": link}}

    def number(self, name: str, default: int, most: int) -> int:
        """A query parameter that is a whole number between 1 and `most`."""
        text = self.query.get(name, str(default))
        if not text.isdigit() or not 1 <= int(text) <= most:
            message = f"Invalid value for {name}: {text}; it must be between 1 and {most}"
            raise invalid(message, code="INVALID_LIMIT", context={name: [text]})
        return int(text)

    def fields(self) -> dict[str, Any]:
        """The body, which must be an object."""
        if not isinstance(self.body, dict):
            raise invalid("Invalid input JSON on line 1, column 1: expected an object")
        return self.body

    def inputs(self, most: int) -> list[dict[str, Any]]:
        """The body's inputs, at least one and at most so many."""
        inputs = self.fields().get("inputs")
        if not isinstance(inputs, list) or not inputs or not all(isinstance(one, dict) for one in inputs):
            raise invalid("Some required fields were not set: [inputs]", context={"propertyName": ["inputs"]})
        if len(inputs) > most:
            message = (
                f"The maximum number of inputs supported in a batch request is {most}, {len(inputs)} were received."
            )
            raise invalid(message, code="BATCH_LIMIT_EXCEEDED", context={"limit": [str(most)]})
        return inputs


def object_name(text: str) -> str:
    """The plural name of an object given by any of its names; refuses an unknown one."""
    name = OBJECT_NAMES.get(text)
    if name is None:
        raise invalid(f"Unable to infer object type from: {text}", context={"type": [text]})
    return name
