"""The configuration file: its model, and how it is read so that every mistake is found at once.

The model is the contract (design §5): unknown keys are errors, secrets are references, durations are words. The JSON
Schema in `docs/reference/config.schema.json` is generated from it.
"""

from __future__ import annotations

import difflib
import ipaddress
import os
import re
import tomllib
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    ValidationError,
    WithJsonSchema,
    model_validator,
)

from mapping.errors import OperatorError, Problem
from mapping.text import Message, say
from mapping.toml_lines import Lines

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic_core import ErrorDetails

DEFAULT_PATH = Path("config.toml")
_DURATION = re.compile(r"(\d+)\s*(s|m|h|d)")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


class Misfit(ValueError):  # noqa: N818  # the value is at fault, not the program
    """A value that will not do, and why, in words that can be translated."""

    def __init__(self, message: Message, hint: Message | None = None) -> None:
        self.message = message
        self.hint = hint
        super().__init__(str(message))


def _duration(value: object) -> object:
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return timedelta(**{_UNITS[match[2]]: int(match[1])})
    if isinstance(value, timedelta):
        return value
    raise Misfit(say("no duration"), say('write a number and a unit, like "30s", "5m", "24h" or "30d"'))


def _origin(value: str) -> str:
    url = urlsplit(value)
    if url.scheme not in {"https", "http"} or not url.hostname or url.username or url.query or url.fragment:
        raise Misfit(say("no address of a system"), say("write https://host, without user name or query"))
    if url.scheme == "http" and not _is_loopback(url.hostname):
        raise Misfit(say("plain http is accepted for loopback addresses only"), say("use https"))
    return value.rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _zone(value: str) -> str:
    if value not in available_timezones():
        near = difflib.get_close_matches(value, available_timezones(), n=1)
        raise Misfit(say("no such time zone"), say("did you mean {near}?", near=near[0]) if near else None)
    return value


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration),
    PlainSerializer(lambda value: f"{int(value.total_seconds())}s"),
    WithJsonSchema({"type": "string", "pattern": r"^\d+\s*(s|m|h|d)$", "examples": ["5m", "24h"]}),
]
Origin = Annotated[str, AfterValidator(_origin)]


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)


class Secret(_Part):
    """Where a secret is kept; it is read when it is needed, so that a rotated one is found."""

    env: str | None = Field(default=None, description="the name of an environment variable")
    file: Path | None = Field(default=None, description="a file, relative to the configuration")
    credential: str | None = Field(default=None, description="a systemd credential (LoadCredential=)")

    @model_validator(mode="before")
    @classmethod
    def _is_reference(cls, value: object) -> object:
        if isinstance(value, str):
            hint = say('write {{ env = "NAME" }}, {{ file = "PATH" }} or {{ credential = "NAME" }}')
            raise Misfit(say("a secret is never a plain string"), hint)
        if isinstance(value, dict) and len(set(value) & {"env", "file", "credential"}) != 1:
            raise Misfit(say("a secret names one of env, file and credential"))
        return value

    def read(self) -> str:
        """The secret itself; raises OperatorError naming the place, never the value."""
        if self.env is not None:
            place, value = f"${self.env}", os.environ.get(self.env)
        else:
            path = self.file or Path(os.environ.get("CREDENTIALS_DIRECTORY", "/run/credentials")) / (
                self.credential or ""
            )
            place = str(path)
            try:
                value = path.read_text(encoding="utf-8").strip()
            except OSError:
                value = None
        if not value:
            problem = Problem(place, say("the secret is not there"), say("set it, then run headrace doctor"))
            raise OperatorError([problem])
        return value


class State(_Part):
    """Where the store is."""

    url: str = Field(default="sqlite:///headrace.db", description="sqlite:///FILE or postgresql+psycopg://user@host/db")
    journal_key: Path = Field(default=Path("headrace.key"), description="the key that seals the journal; keep it apart")


class Definitions(_Part):
    """Where the definition document is."""

    path: Path


class ClientCredentials(_Part):
    """Salesforce: an External Client App with a run-as user."""

    flow: Literal["client_credentials"]
    client_id: Secret
    client_secret: Secret


class JwtBearer(_Part):
    """Salesforce: an External Client App and a certificate."""

    flow: Literal["jwt_bearer"]
    client_id: Secret
    username: str
    private_key: Secret


class ServiceKey(_Part):
    """HubSpot: a service key."""

    flow: Literal["service_key"]
    token: Secret


class Basic(_Part):
    """A user name, which often is the key, and a password, which often is empty."""

    flow: Literal["basic"]
    username: Secret
    password: Secret | None = None


class WriteTable(_Part):
    """Which fields of ours an object receives; a field that is not named is not written."""

    stage: str | None = None
    score: str | None = None
    stage_at: str | None = None
    id: str | None = None
    extra: dict[str, str] = Field(default_factory=dict, description="further fields of our own: field = fact")


class _System(_Part):
    poll_every: Duration = timedelta(minutes=5)
    write: dict[str, WriteTable] = Field(default_factory=dict)
    requests_limited: bool = Field(default=True, description="keep to the vendor's rate limits; off for a sandbox only")


class Salesforce(_System):
    """A Salesforce org."""

    kind: Literal["salesforce"]
    login_url: Origin
    auth: Annotated[ClientCredentials | JwtBearer, Field(discriminator="flow")]
    api_version: str = Field(default="68.0", pattern=r"^\d{2}\.0$")
    organization_id: str | None = Field(default=None, pattern=r"^00D\w{12}(\w{3})?$")


class HubSpot(_System):
    """A HubSpot portal."""

    kind: Literal["hubspot"]
    base_url: Origin = "https://api.hubapi.com"
    auth: ServiceKey
    api_version: str = Field(default="2026-09", pattern=r"^20\d\d-\d\d$")
    portal_id: int | None = None


class Rest(_System):
    """A customer-success tool, described by a preset."""

    kind: Literal["rest"]
    preset: str | None = None
    path: Path | None = None
    base_url: Origin
    auth: Basic

    @model_validator(mode="after")
    def _has_one_description(self) -> Self:
        if (self.preset is None) == (self.path is None):
            raise Misfit(say("name either a preset or the path of your own"))
        return self


System = Annotated[Salesforce | HubSpot | Rest, Field(discriminator="kind")]


class Writes(_Part):
    """Whether and how headrace writes."""

    mode: Literal["report", "approve", "write"] = "report"
    stage_value: Literal["id", "en", "ja"] = "id"
    score_step: int = Field(default=1, ge=1)


class Guard(_Part):
    """What one run may do; over one of these it parks as a plan."""

    max_changes: int = Field(default=5000, ge=0)
    max_share: float = Field(default=0.30, ge=0, le=1)
    max_stage_backward: int = Field(default=50, ge=0)
    max_blank: int = Field(default=0, ge=0)
    max_source_shrink: float = Field(default=0.20, ge=0, le=1)


class Identity(_Part):
    """Who does the batch comparison of records."""

    engine: Literal["builtin", "duckdb", "spark"] = "builtin"


class Company(_Part):
    """The company whose customers these are."""

    time_zone: Annotated[str, AfterValidator(_zone)] = "Asia/Tokyo"
    currency: str = Field(default="JPY", pattern="^[A-Z]{3}$")
    fiscal_year_start: int = Field(default=4, ge=1, le=12)

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which days begin."""
        return ZoneInfo(self.time_zone)


class Config(_Part):
    """A whole configuration file."""

    state: State = State()
    definitions: Definitions | None = None
    systems: dict[Annotated[str, Field(pattern="^[a-z][a-z0-9_]*$")], System]
    writes: Writes = Writes()
    guard: Guard = Guard()
    identity: Identity = Identity()
    company: Company = Company()

    @model_validator(mode="after")
    def _has_systems(self) -> Self:
        if not self.systems:
            raise Misfit(say("name at least one system"))
        return self


def secrets(part: BaseModel | dict[str, Any]) -> Iterator[Secret]:
    """Every secret that a configuration refers to."""
    values = part.values() if isinstance(part, dict) else (getattr(part, name) for name in type(part).model_fields)
    for value in values:
        if isinstance(value, Secret):
            yield value
        elif isinstance(value, (BaseModel, dict)):
            yield from secrets(value)


def find(path: Path | None) -> Path:
    """The configuration file: the one named, else $HEADRACE_CONFIG, else ./config.toml."""
    return path or Path(os.environ.get("HEADRACE_CONFIG") or DEFAULT_PATH)


def load(path: Path) -> Config:
    """Read a configuration file; relative paths in it are taken from where it stands.

    Raises OperatorError with every problem of the file, each with its line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        hint = say("headrace init writes one; or name one with --config")
        raise OperatorError([Problem(str(path), say("cannot be read: {why}", why=error.strerror), hint)]) from error
    except UnicodeDecodeError as error:
        raise OperatorError([Problem(str(path), say("is not UTF-8 text"), say("save it as UTF-8"))]) from error
    config = parse(text, name=path.name)
    return _anchor(config, path.resolve().parent)


def parse(text: str, *, name: str = "config.toml") -> Config:
    """Read the text of a configuration; raises OperatorError with every problem, each with its line."""
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorError([_syntax_problem(error, name)]) from error
    try:
        return Config.model_validate(document)
    except ValidationError as error:
        lines = Lines(text)
        details = error.errors(include_url=False, include_input=False)
        placed = sorted(((_place(detail, lines), detail) for detail in details), key=lambda item: item[0])
        problems = [Problem(f"{name}:{line}:{column}", *_words(detail)) for (line, column), detail in placed]
        raise OperatorError(problems) from None


def _syntax_problem(error: tomllib.TOMLDecodeError, name: str) -> Problem:
    match = re.search(r"(.*?) \(at line (\d+), column (\d+)\)", str(error))
    hint = say("headrace init shows a whole file")
    if match is None:
        return Problem(name, say("not TOML: {why}", why=str(error)), hint)
    return Problem(f"{name}:{match[2]}:{match[3]}", say("not TOML: {why}", why=match[1]), hint)


def _place(detail: ErrorDetails, lines: Lines) -> tuple[int, int]:
    """A mistaken key is shown where it stands, a mistaken value where the value begins, a missing key at its table."""
    path = tuple(_without_tags(detail["loc"]))
    if detail["type"] == "extra_forbidden":
        return lines.key(path)
    if detail["type"] in {"missing", "union_tag_not_found"}:
        return lines.key(path[:-1] if detail["type"] == "missing" else path)
    return lines.value(path)


def _words(detail: ErrorDetails) -> tuple[Message, Message | None]:
    kind, context = detail["type"], detail.get("ctx", {})
    path = tuple(_without_tags(detail["loc"]))
    dotted = ".".join(map(str, path))
    if kind == "extra_forbidden":
        near = difflib.get_close_matches(str(path[-1]), _known_keys(path), n=1)
        words = say("{key}: unknown key", key=dotted)
        return words, say("did you mean {near}?", near=near[0]) if near else say("headrace init shows every key")
    if kind == "missing":
        return say("{key}: is missing", key=dotted), say("headrace init shows an example")
    if kind in {"literal_error", "union_tag_invalid"}:
        expected = str(context.get("expected") or context.get("expected_tags")).replace(" or ", ", ").replace("'", "")
        return say("{key}: not one of {choices}", key=dotted, choices=expected), say("choose one of these")
    if kind == "union_tag_not_found":
        key = str(context.get("discriminator")).strip("'")
        return say("{key}: {missing} is missing", key=dotted, missing=key), say("headrace init shows an example")
    if kind == "value_error":
        error = context["error"]
        hint = error.hint if isinstance(error, Misfit) else None
        return say("{key}: {why}", key=dotted, why=_cause(error)), hint or say("headrace init shows an example")
    return say("{key}: {why}", key=dotted, why=detail["msg"]), say("headrace init shows an example")


def _cause(error: object) -> Message | str:
    return error.message if isinstance(error, Misfit) else str(error)


_TAGS = {"salesforce", "hubspot", "rest", "client_credentials", "jwt_bearer"}


def _without_tags(loc: tuple[str | int, ...]) -> Iterator[str | int]:
    # Pydantic puts the chosen member of a union into the path; the file has no such key.
    for index, part in enumerate(loc):
        is_tag = part in _TAGS and ((index == 2 and loc[0] == "systems") or (index > 2 and loc[index - 1] == "auth"))  # noqa: PLR2004  # systems.NAME.tag
        if not is_tag:
            yield part


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    """Every key that may stand beside the last one of a path."""
    models: list[Any] = [Config]
    for part in path[:-1]:
        models = [inner for model in models for inner in _inner_models(model, str(part))]
    return sorted({key for model in models if _is_part(model) for key in model.model_fields})


def _inner_models(model: Any, key: str) -> list[Any]:
    """The models that may stand under a key; "systems" and "write" stand for tables of freely named parts."""
    if model == "systems":
        return [Salesforce, HubSpot, Rest]
    if model == "write":
        return [WriteTable]
    if key in {"systems", "write"}:
        return [key]
    if key == "auth":
        return [ClientCredentials, JwtBearer, ServiceKey, Basic]
    if not (_is_part(model) and key in model.model_fields):
        return []
    annotation = model.model_fields[key].annotation
    return [part for part in (annotation, *getattr(annotation, "__args__", ())) if _is_part(part)]


def _is_part(model: Any) -> bool:
    return isinstance(model, type) and issubclass(model, _Part)


def _anchor(config: Config, folder: Path) -> Config:
    """Take relative paths from the folder of the configuration file."""

    def anchored(part: Any) -> Any:
        if isinstance(part, BaseModel):
            return part.model_copy(update={name: anchored(getattr(part, name)) for name in type(part).model_fields})
        if isinstance(part, dict):
            return {key: anchored(value) for key, value in part.items()}
        if isinstance(part, Path):
            return folder / part
        return part

    config = anchored(config)
    scheme = "sqlite:///"
    if config.state.url.startswith(scheme):
        file = folder / config.state.url.removeprefix(scheme)
        config = config.model_copy(update={"state": config.state.model_copy(update={"url": f"{scheme}{file}"})})
    return config
