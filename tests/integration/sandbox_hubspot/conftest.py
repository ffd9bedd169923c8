"""A simulated HubSpot portal over real HTTP, with records of a test's own."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import contextmanager

import httpx
import pytest
import uvicorn
from hubspot import Client

from sandbox.faults import FaultMiddleware, Faults
from sandbox.hubspot import hubspot_app
from sandbox.vault import Vault

NOW = 1_795_000_000_000
"""2026-11-18T11:06:40Z."""
V = "2026-09"


class Bench:
    """A portal on a port of its own, with a clock that stands still until it is moved."""

    def __init__(self, vault, faults, origin):
        self.vault, self.faults, self.origin = vault, faults, origin
        self.token = faults.credentials.hubspot_token
        self.http = httpx.Client(base_url=origin, headers={"Authorization": f"Bearer {self.token}"}, timeout=10)
        self.at = NOW

    def sdk(self):
        """hubspot-api-client with its host set to the sandbox."""
        return Client.create(access_token=self.token, host=self.origin)

    def put(self, object_, id_, at=NOW, **properties):
        """A record exists with these properties, as old as `at`."""
        self.vault.put_hubspot(object_, id_, properties, at=at)
        self.vault.commit()

    def post(self, path, status=200, **body):
        """The answer to a POST, whose status is this."""
        response = self.http.post(path, json=body)
        assert response.status_code == status, response.text
        return response.json() if response.content else None

    def get(self, path, status=200, **params):
        """The answer to a GET, whose status is this."""
        response = self.http.get(path, params=params)
        assert response.status_code == status, response.text
        return response.json()

    def read(self, object_, *ids, **more):
        """Records by id, read in a batch."""
        body = self.post(f"/crm/objects/{V}/{object_}/batch/read", inputs=[{"id": str(id_)} for id_ in ids], **more)
        return {row["id"]: row for row in body["results"]}

    def update(self, object_, rows, status=200, version=V):
        """The answer to a batch update of (id, properties)."""
        inputs = [{"id": str(id_), "properties": values} for id_, values in rows]
        return self.post(f"/crm/objects/{version}/{object_}/batch/update", status, inputs=inputs)

    def search(self, object_, *filters, status=200, **more):
        """The answer to a search with one group of filters."""
        body = {"filterGroups": [{"filters": list(filters)}] if filters else [], **more}
        return self.post(f"/crm/objects/{V}/{object_}/search", status, **body)


@contextmanager
def serve(app):
    """An app answers on a port of the loopback."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        while not server.started:
            time.sleep(0.005)
        try:
            yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture(scope="module")
def portal():
    """A portal on a port, shared by the tests of a file."""
    vault, faults = Vault(), Faults()
    with serve(FaultMiddleware(hubspot_app(vault, faults), faults, "hubspot")) as origin:
        yield vault, faults, origin
    vault.close()


@pytest.fixture
def bench(portal):
    """The portal, emptied, with nothing wrong and a clock that stands at NOW until it is moved."""
    vault, faults, origin = portal
    for table in ("hubspot", "hubspot_history", "hubspot_association", "hubspot_alias"):
        vault.execute(f"DELETE FROM {table}")
    vault.commit()
    faults.clear()
    fresh = Bench(vault, faults, origin)
    vault.clock = lambda: fresh.at
    yield fresh
    fresh.http.close()
