"""The installed command line as an operator has it: subprocesses, a folder, three simulated vendors."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sandbox.server import Sandbox

HEADRACE = Path(sys.executable).with_name("headrace")
PATIENCE_S = 90.0
"""How long one command may take, on a machine that does much else."""

_GUARD = """
import sys

def _is_own(host):
    text = host.decode() if isinstance(host, bytes) else str(host or "")
    return text in ("", "localhost", "::1") or text.startswith("127.")

def _watch(event, args):
    if event == "socket.connect":
        address = args[1]
        host = address[0] if isinstance(address, tuple) else ""
    elif event == "socket.getaddrinfo":
        host = args[0]
    else:
        return
    if not _is_own(host):
        with open({marks!r}, "a") as marks:
            marks.write(f"{{event}} {{host!r}}\\n")
        raise PermissionError("a test reached for another machine")

sys.addaudithook(_watch)
"""
"""Every subprocess loads it first; one that reaches for another machine is stopped, and leaves a mark."""


_MANY = """
import io, json, sys
from sync.cli import main

told = []
screen = sys.stdout
for words in json.load(sys.stdin):
    sys.stdout, sys.stderr = (io.TextIOWrapper(io.BytesIO(), encoding="utf-8") for _ in range(2))
    try:
        main(words)
    except SystemExit as left:
        code = left.code
    streams = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = screen, sys.__stderr__
    for stream in streams:
        stream.flush()
    told.append([code, *(stream.buffer.getvalue().decode() for stream in streams)])
json.dump(told, screen)
"""
"""Several commands after each other in one process, which is quicker than one process for each."""


class Result(NamedTuple):
    """What a command left behind: its exit code and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """The one document of standard output."""
        return json.loads(self.out)


@dataclass(frozen=True)
class Desk:
    """A folder with a configuration, and the command line used in it."""

    folder: Path
    env: dict[str, str]
    started: list[subprocess.Popen[str]] = field(default_factory=list)
    """What was left running; killed at the end of the test."""

    @property
    def config(self) -> Path:
        """The configuration."""
        return self.folder / "config.toml"

    @property
    def store(self) -> Path:
        """The store that the sandbox's configuration names."""
        return self.folder / "headrace.db"

    def run(self, *words: object, **env: str) -> Result:
        """Run a verb to its end, in the folder."""
        done = subprocess.run(
            [HEADRACE, *map(str, words)],
            cwd=self.folder,
            env=self.env | env,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def run_all(self, *commands: Sequence[str]) -> list[Result]:
        """Run several verbs after each other, each by the command line's own entry, in one process."""
        done = subprocess.run(
            [sys.executable, "-c", _MANY],
            cwd=self.folder,
            env=self.env,
            input=json.dumps(commands),
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE_S,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return [Result(*each) for each in json.loads(done.stdout)]

    def start(self, *words: object, program: str | None = None, err: int = subprocess.PIPE) -> subprocess.Popen[str]:
        """Start a verb and leave it running; `program` is Python text to run in place of the script."""
        command = [HEADRACE] if program is None else [sys.executable, "-c", program]
        process = subprocess.Popen(
            [*command, *map(str, words)],
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=err,
            encoding="utf-8",
        )
        self.started.append(process)
        return process

    def edit(self, before: str, after: str) -> None:
        """Change the configuration; what is to be changed must stand in it."""
        text = self.config.read_text(encoding="utf-8")
        assert before in text, before
        self.config.write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture(scope="session")
def clean_env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What every subprocess adds to the environment: compiled once, warned never, and no other machine."""
    folder = tmp_path_factory.mktemp("site")
    marks = folder / "reached.txt"
    (folder / "sitecustomize.py").write_text(_GUARD.format(marks=str(marks)), encoding="utf-8")
    yield {
        "PYTHONPYCACHEPREFIX": str(tmp_path_factory.getbasetemp().parent / "headrace-pyc"),
        "PYTHONPATH": str(folder),
        "PYTHONWARNINGS": "error",
        "NO_COLOR": "1",
    }
    assert not marks.exists(), marks.read_text(encoding="utf-8")


@pytest.fixture
def make_desk(clean_env: dict[str, str], tmp_path: Path) -> Iterator[Callable[..., Desk]]:
    """Makes desks: `make_desk("name")` is a folder without a configuration, with a sandbox one that works."""
    desks: list[Desk] = []

    def make(name: str = "desk", sandbox: Sandbox | None = None, **settings: Any) -> Desk:
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        if sandbox is not None:
            sandbox.write_config(folder, **settings)
        kept = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        desks.append(Desk(folder, kept | clean_env))
        return desks[-1]

    yield make
    for process in (each for desk in desks for each in desk.started):
        process.kill()  # nothing where it has ended
        if process.stdout is not None and not process.stdout.closed:
            process.communicate(timeout=30)


@pytest.fixture
def writing() -> dict[str, Any]:
    """Settings under which everything may be written."""
    return {"mode": "write", "max_changes": 1_000_000, "max_share": 1.0}


@pytest.fixture
def world(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A company of the test's own: tiny, or what HEADRACE_TEST_SIZE of the caller says."""
    return make_sandbox(size=SIZE)


SIZE = os.environ.get("HEADRACE_TEST_SIZE", "tiny")
"""Read before the tests' own environment forgets it."""


class Until(Protocol):
    """Waits until something is so."""

    def __call__(self, holds: Callable[[], object], what: str = ..., patience_s: float = ...) -> None:
        """Return when it is so; fail, saying what never came to be, when patience ends."""


@pytest.fixture
def until() -> Until:
    """Waits until something is so, and fails where it never is."""

    def wait(holds: Callable[[], object], what: str = "it never came to be", patience_s: float = 60.0) -> None:
        deadline = time.monotonic() + patience_s
        while not holds():
            assert time.monotonic() < deadline, what
            time.sleep(0.02)

    return wait


# ── two stores, compared ────────────────────────────────────────────────────────────────────────────────────────────

_CLOCK = {
    "known_at", "decided_at", "since_known", "retracted_at", "gone_at", "started_at", "finished_at", "released_at",
}  # fmt: skip
_COLUMNS = {
    "record": ("key", "source", "id", "version", "payload", "is_deleted"),
    "record_change": ("record", "field", "before", "after"),
    "source": ("id", "live", "deleted"),
    "event": (
        "subject", "at", "id", "kind", "since", "origin", "name", "before", "after", "reason", "channel", "actor",
        "amount_e4", "currency", "quantity", "retracted_at",
    ),
    "profile": None,
    "link": None,
    "ident": None,
    "edge": ("a", "b", "rule", "tier", "weight", "evidence", "state", "model"),
    "entity": ("key", "kind"),
    "membership": ("record", "entity"),
    "membership_change": ("record", "before", "after", "rule"),
    "doubt": ("a", "b", "rule", "evidence", "state"),
    "definition": ("version", "name", "model", "text"),
    "decision": ("entity", "model", "definition", "stage", "since", "furthest", "rule", "score", "facts", "due_at"),
    "transition": (
        "entity", "model", "at", "n", "before", "after", "rule", "definition", "events", "cycle", "is_backfilled",
        "gone_at",
    ),
    "score_entry": None,
    "plan": ("digest", "kind", "state", "changes"),
    "change": ("record", "entity", "field", "before", "after", "reason", "rule", "kind", "outcome"),
    "quarantine": ("what", "record", "ref", "field", "cause", "detail"),
    "pending": ("step", "key"),
}  # fmt: skip
"""What two stores are compared by: None is every column. Left out: golden ids, run ids, what the clock gave, and the
numbers by which a store orders its own work (a record's hash holds the number of its source)."""
_APART = {
    "alembic_version",
    "cursor",
    "meta",
    "run",
    "journal",
    "lease",
    "sqlite_sequence",
    "sqlite_stat1",
    "sqlite_stat4",
}
"""Tables that are compared otherwise below, or that hold nothing but ids of runs and the clock's."""
_ENTITIES = {"entity": ("key",), "membership": ("entity",), "decision": ("entity",), "transition": ("entity",),
             "score_entry": ("entity",), "membership_change": ("before", "after")}  # fmt: skip
_LASTING = ("derive.reading", "entities.person", "entities.account", "entities.opportunity", "policy", "populations",
            "decide.definition", "derive.loaded", "resolve.loaded")  # fmt: skip


@pytest.fixture
def canonical() -> Callable[[Desk], dict[str, Any]]:
    """A store with its entities named by their records: equal for stores that are equal (design §5, fine print)."""
    return _canonical


def _canonical(desk: Desk) -> dict[str, Any]:
    from state.engine import sqlite_module

    store = sqlite_module().connect(desk.store)
    try:
        tables = {name for (name,) in store.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert tables - _APART - {"sqlite_stat4"} == set(_COLUMNS), tables ^ set(_COLUMNS)
        sources = {id_: f"{system}:{object_}" for id_, system, object_ in
                   store.execute("SELECT id, system, object FROM source")}  # fmt: skip
        members: dict[int, list[int]] = {}
        for record, entity in store.execute("SELECT record, entity FROM membership ORDER BY record"):
            members.setdefault(entity, []).append(record)
        found: dict[str, Any] = {}
        for table, columns in _COLUMNS.items():
            cursor = store.execute(f"SELECT {', '.join(columns) if columns else '*'} FROM {table}")
            names = [column[0] for column in cursor.description]
            rows = (dict(zip(names, row, strict=True)) for row in cursor)
            found[table] = Counter(_named(table, row, sources, members) for row in rows)
        found["cursor"] = {
            sources[source]: (tuple(sorted(json.loads(position))), settled_at is not None)
            for source, position, settled_at in store.execute("SELECT source, position, settled_at FROM cursor")
        }
        meta = dict(store.execute("SELECT name, value FROM meta").fetchall())
        assert meta["watermark.derive"] == meta["seq"]
        found["meta"] = {name: meta.get(name) for name in _LASTING} | {"names": sorted(meta)}
        return found
    finally:
        store.close()


def _named(
    table: str, row: dict[str, Any], sources: dict[int, str], members: dict[int, list[int]]
) -> tuple[tuple[str, Any], ...]:
    for column in _ENTITIES.get(table, ()):
        if row[column] is not None:
            row[column] = tuple(members.get(row[column], ()))
    for column in ("source", "id") if table in {"record", "source"} else ():
        if isinstance(row.get(column), int):
            row[column] = sources[row[column]]
    for column in _CLOCK & set(row):
        row[column] = row[column] is not None
    return tuple(sorted(row.items()))
