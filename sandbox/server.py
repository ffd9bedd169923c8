"""The simulated company's three vendors, served on three loopback ports by one thread."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import threading
from contextlib import contextmanager, suppress
from dataclasses import replace
from email.utils import formatdate
from typing import TYPE_CHECKING, Final, Self

import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from sandbox.configuration import write_config
from sandbox.control import control_app
from sandbox.faults import FaultMiddleware, Faults
from sandbox.hubspot import hubspot_app
from sandbox.salesforce import salesforce_app
from sandbox.success import vitally_app
from sandbox.vault import Vault
from sandbox.world import generate

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

    from sandbox.faults import Credentials

HOST: Final = "127.0.0.1"
_NAMES: Final = {"salesforce": "salesforce", "hubspot": "hubspot", "cs": "vitally"}
"""The systems as a configuration names them, and their vendors."""
_START_S: Final = 20.0


class Sandbox:
    """A world that ends at the moment this is made, and its three vendors, once started.

    `port` is the first of three in a row; 0 leaves them to the machine. Stopping is for good: the world is gone, unless
    it has a `path`; one that stands there already is served as it is. Raises ValueError where half a one stands there.
    """

    def __init__(self, *, size: str = "tiny", seed: int = 1, port: int = 0, path: Path | None = None) -> None:
        self.size = size
        self.seed = seed
        self._port = port
        self.faults = Faults()
        self._private_key: str | None = None
        is_new = path is None or not path.exists()
        self.vault = Vault(path)
        if is_new:
            try:
                generate(self.vault, seed=seed, size=size, now_ms=self.vault.now_ms())
            except BaseException:
                self.vault.close()
                raise
        elif not self.vault.is_written:
            self.vault.close()
            raise ValueError(f"{path} holds no whole world; delete it to have one made")
        self.urls: dict[str, str] = {}
        """Origin of each system: salesforce, hubspot, cs. Empty until started."""
        self._thread: threading.Thread | None = None
        self._servers: list[_Server] = []
        self._sockets: list[socket.socket] = []
        self._stopping = threading.Event()

    @property
    def credentials(self) -> Credentials:
        """What the vendors accept."""
        return self.faults.credentials

    @property
    def private_key(self) -> str:
        """The PEM key whose JWTs Salesforce accepts; made when first asked for."""
        if self._private_key is None:
            key = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
            self._private_key = key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            ).decode()
            public = key.public_key().public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            )
            self.faults.credentials = replace(self.faults.credentials, salesforce_public_key=public.decode())
        return self._private_key

    def start(self) -> Self:
        """The vendors listen, in a thread of their own; raises OSError where a port is taken."""
        assert self._thread is None, "a sandbox starts once"
        makers = {"salesforce": salesforce_app, "hubspot": hubspot_app, "vitally": vitally_app}
        world = {"size": self.size, "seed": self.seed}
        control = control_app(self.vault, self.faults, world)
        try:
            for place, (name, vendor) in enumerate(_NAMES.items()):
                listening = _listen(self._port + place if self._port else 0)
                self._sockets.append(listening)
                self.urls[name] = f"http://{HOST}:{listening.getsockname()[1]}"
                app = _Dated(makers[vendor](self.vault, self.faults), control, self.vault)
                self._servers.append(_Server(_config(FaultMiddleware(app, self.faults, vendor))))
        except BaseException:
            self._close_sockets()
            raise
        self._thread = threading.Thread(target=self._serve, name="sandbox", daemon=True)
        self._thread.start()
        for server in self._servers:
            server.listening.wait(_START_S)
        return self

    def stop(self) -> None:
        """The ports are closed, the thread has ended, the world is gone. May be repeated."""
        self._stopping.set()
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_START_S)
        self._close_sockets()
        self.vault.close()

    def run(self) -> None:
        """Serve until Ctrl-C or SIGTERM, then stop; for the main thread."""
        if self._thread is None:
            self.start()
        before = signal.signal(signal.SIGTERM, lambda *_: self._stopping.set())
        try:
            with suppress(KeyboardInterrupt):
                self._stopping.wait()
        finally:
            signal.signal(signal.SIGTERM, before)
            self.stop()

    def write_config(
        self, folder: Path, *, mode: str = "report", max_changes: int = 5000, max_share: float = 0.3
    ) -> Path:
        """A configuration that works as it is, its secrets in files beside it, is in the folder; returns its path."""
        return write_config(
            folder,
            urls=self.urls,
            credentials=self.credentials,
            private_key=self.private_key,
            mode=mode,
            max_changes=max_changes,
            max_share=max_share,
        )

    def __enter__(self) -> Self:
        return self if self._thread is not None else self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _serve(self) -> None:
        async def serve() -> None:
            await asyncio.gather(
                *(server.serve([own]) for server, own in zip(self._servers, self._sockets, strict=True)),
            )

        asyncio.run(serve())

    def _close_sockets(self) -> None:
        for each in self._sockets:
            each.close()


class _Server(uvicorn.Server):
    """A server that leaves signals to its caller and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.listening.set()


class _Dated:
    """One vendor's app and the sandbox's own door; answers carry the world's time as their date.

    Clients take the server's `Date` for the upper bound of what they have read, so it follows the vault's clock.
    """

    def __init__(self, app: ASGIApp, control: ASGIApp, vault: Vault) -> None:
        self._app = app
        self._control = control
        self._vault = vault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"].startswith("/_sandbox"):
            await self._control(scope, receive, send)
            return

        async def dated(message: Message) -> None:
            if message["type"] == "http.response.start" and all(name != b"date" for name, _ in message["headers"]):
                date = formatdate(self._vault.now_ms() // 1000, usegmt=True)
                message["headers"] = [*message["headers"], (b"date", date.encode("latin-1"))]
            await send(message)

        await self._app(scope, receive, dated)


def _listen(port: int) -> socket.socket:
    listening = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((HOST, port))
        listening.set_inheritable(False)
    except OSError:
        listening.close()
        raise
    return listening


def _config(app: ASGIApp) -> uvicorn.Config:
    logging.getLogger("uvicorn.error").setLevel(os.environ.get("HEADRACE_SANDBOX_LOG", "CRITICAL"))
    return uvicorn.Config(
        app,
        access_log=False,
        date_header=False,
        http="h11",
        lifespan="off",
        log_config=None,
        loop="asyncio",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=2,
        timeout_keep_alive=30,
        ws="none",
    )
