"""What a REST tool looks like, as data: a preset in TOML, checked when it is loaded.

A path into a document is one key, taken verbatim (keys may have dots), or a list of keys from the root; the empty list
is the root itself.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import TYPE_CHECKING, Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from mapping.errors import OperatorError, Problem
from mapping.text import say

if TYPE_CHECKING:
    from pathlib import Path

KeyPath = str | tuple[str, ...]
Alternatives = Annotated[tuple[KeyPath, ...], Field(min_length=1)]
Params = dict[str, str | int | bool]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Authorised(_Part):
    """How credentials travel: basic (username, password may be empty), bearer (token), or headers (name to secret)."""

    flow: Literal["basic", "bearer", "headers"]
    headers: tuple[str, ...] = ()
    """For the flow headers: which ones the configuration has to give."""


class Limit(_Part):
    """Calls in any stretch of so many seconds; leave the vendor's other clients a margin."""

    calls: int = Field(gt=0)
    per_s: float = Field(gt=0)


class Wait(_Part):
    """One place that says how long to wait: a header (in seconds, or the epoch second to wait for), or a fixed time."""

    header: str = ""
    form: Literal["seconds", "epoch"] = "seconds"
    fixed_s: float | None = Field(default=None, ge=0)


class Throttle(_Part):
    """How the tool asks to slow down; the first place that says anything holds."""

    status: tuple[int, ...] = (429,)
    wait: tuple[Wait, ...] = ()


class CursorPages(_Part):
    """The body gives a token for the next page, which goes into a query parameter; no token, no next page."""

    type: Literal["cursor"]
    token: KeyPath
    into: str


class OffsetPages(_Part):
    """Pages of a fixed size by offset; one that is not full is the last."""

    type: Literal["offset"]
    size: int = Field(gt=0)
    size_into: str = "limit"
    into: str = "offset"


class LinkPages(_Part):
    """The body gives the next page's address, which has to be at the same host."""

    type: Literal["link"]
    link: KeyPath


class OnePage(_Part):
    """Everything comes at once."""

    type: Literal["one"]


class DescendingFeed(_Part):
    """No filter, but an order: the newest changes first, so that one reads until what is known already begins.

    A record that changes while one reads moves to the head, and is found by the next reading.
    """

    type: Literal["desc_feed"]
    field: str
    overlap_s: float = Field(default=120, ge=0)
    params: Params = {}


class Since(_Part):
    """A parameter that asks for what changed from an instant on."""

    type: Literal["since"]
    into: str
    form: Literal["iso", "epoch_ms", "epoch_s"] = "iso"
    overlap_s: float = Field(default=120, ge=0)
    params: Params = {}


class Everything(_Part):
    """No way to ask for changes: everything is read each time, and the store finds what changed."""

    type: Literal["full"]


class Item(_Part):
    """One record by its id; `{id}` stands in the path."""

    path: str = Field(pattern=r"\{id\}")
    record: KeyPath = ()
    gone: tuple[int, ...] = (404, 410)


class Write(_Part):
    """Sets fields of one record in one request; they stand in the body under `under`, by their names verbatim."""

    method: Literal["PUT", "PATCH", "POST"]
    path: str = Field(pattern=r"\{id\}")
    under: KeyPath = ()


class Deleted(_Part):
    """A record counts as deleted where this field holds this value, or any value at all."""

    field: KeyPath
    equals: str | int | bool | None = None


class ObjectSpec(_Part):
    """One kind of record.

    `records` and `version` name alternatives, of which the first that is there holds. `flatten` names attributes that
    hold fields of their own: these become `attribute.key`, and a key that is missing is an empty field. Every
    `relist_h` hours everything is read anew, for what moves no stamp.
    """

    path: str = Field(pattern=r"^/")
    params: Params = {}
    first_params: Params = {}
    """Added when everything is read, in an order that holds while one reads."""
    records: Alternatives
    pages: CursorPages | OffsetPages | LinkPages | OnePage = Field(discriminator="type")
    changes: DescendingFeed | Since | Everything = Field(discriminator="type")
    key: KeyPath = "id"
    version: Alternatives = ("updatedAt",)
    flatten: tuple[str, ...] = ()
    deleted: Deleted | None = None
    relist_h: float | None = Field(default=None, gt=0)
    item: Item | None = None
    write: Write | None = None

    @model_validator(mode="after")
    def _is_read_back(self) -> Self:
        if self.write is not None and self.item is None:
            raise ValueError("what is written has to be read back: `write` needs `item`")
        return self


class Preset(_Part):
    """A REST tool."""

    name: str
    title: str
    auth: Authorised
    limits: tuple[Limit, ...] = ()
    cost: dict[str, int] = {}
    """What a call counts for, by method; 1 where nothing is said."""
    throttle: Throttle = Throttle()
    messages: tuple[KeyPath, ...] = ("message", "error")
    """Where a refusal has the tool's own words."""
    objects: dict[str, ObjectSpec] = Field(min_length=1)


def shipped() -> tuple[str, ...]:
    """The names of the presets that come with headrace."""
    folder = resources.files("connectors.rest").joinpath("presets")
    return tuple(sorted(one.name.removesuffix(".toml") for one in folder.iterdir() if one.name.endswith(".toml")))


def load(name: str) -> Preset:
    """Load a shipped preset; raises `OperatorError` for one that there is not."""
    if name not in shipped():
        known = ", ".join(shipped())
        raise OperatorError(
            [Problem("preset", say("There is no preset {name}.", name=name), say("Shipped are: {known}.", known=known))]
        )
    text = resources.files("connectors.rest").joinpath("presets", f"{name}.toml").read_text(encoding="utf-8")
    return parse(text, f"preset {name}")


def load_file(path: Path) -> Preset:
    """Load somebody's own preset; raises `OperatorError` with all that is wrong with it."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorError(
            [Problem(str(path), say("It cannot be read ({kind}).", kind=type(error).__name__))]
        ) from None
    return parse(text, str(path))


def parse(text: str, where: str) -> Preset:
    """Read a preset; `where` names it in problems. Raises `OperatorError` with all of them at once."""
    try:
        return Preset.model_validate(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise OperatorError([Problem(where, say("It is no TOML: {why}", why=str(error)))]) from None
    except ValidationError as error:
        raise OperatorError(
            [
                Problem(f"{where}: {'.'.join(str(part) for part in one['loc'])}", say("{why}", why=one["msg"]))
                for one in error.errors(include_url=False, include_input=False)
            ]
        ) from None
