"""The sandbox's own door, `/_sandbox/...` on every vendor's port: faults, the request log, the truth, and changes.

| request | does |
| --- | --- |
| `GET /_sandbox/health` | the world's size, seed and time |
| `GET, POST /_sandbox/faults` | shows or sets: `{"system", "limits", "latency_s", "down", …, "script": {…}}` |
| `DELETE /_sandbox/faults` | nothing is wrong any more |
| `GET, DELETE /_sandbox/requests` | counts by method and path template, the latest requests; empties the log |
| `GET /_sandbox/truth?kind=person` | every entity with its records and true events |
| `POST /_sandbox/records` | changes a record as a vendor's own user would: `{"system", "object", "id", "fields"}` |
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import orjson
from starlette.applications import Starlette
from starlette.responses import Response
from starlette.routing import Route

from sandbox.faults import SYSTEMS
from sandbox.truth import entities

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from sandbox.faults import Faults
    from sandbox.vault import Vault

_SETTINGS: Final = ("limits", "latency_s", "down", "lag_ms", "token_life_s", "are_credentials_wrong")
_LATEST: Final = 500


def control_app(vault: Vault, faults: Faults, world: Mapping[str, object]) -> Starlette:
    """The door; `world` is what `health` says of it."""
    door = _Door(vault, faults, world)
    return Starlette(
        routes=[
            Route("/_sandbox/health", door.health),
            Route("/_sandbox/faults", door.show_faults, methods=["GET"]),
            Route("/_sandbox/faults", door.set_faults, methods=["POST"]),
            Route("/_sandbox/faults", door.clear_faults, methods=["DELETE"]),
            Route("/_sandbox/requests", door.show_requests, methods=["GET"]),
            Route("/_sandbox/requests", door.forget_requests, methods=["DELETE"]),
            Route("/_sandbox/truth", door.show_truth, methods=["GET"]),
            Route("/_sandbox/records", door.change_record, methods=["POST"]),
        ],
    )


class _Door:
    def __init__(self, vault: Vault, faults: Faults, world: Mapping[str, object]) -> None:
        self._vault = vault
        self._faults = faults
        self._world = world

    async def health(self, _request: Request) -> Response:
        return _json({**self._world, "now_ms": self._vault.now_ms()})

    async def show_faults(self, _request: Request) -> Response:
        shown = {}
        for system in SYSTEMS:
            settings = self._faults.of(system)
            shown[system] = {name: getattr(settings, name) for name in _SETTINGS}
            shown[system] |= {"options": settings.options, "scripted": len(settings.scripted)}
        return _json(shown)

    async def set_faults(self, request: Request) -> Response:
        wanted = await _object(request)
        if wanted is None:
            return _json({"error": "The body must be a JSON object"}, 400)
        try:
            settings = self._faults.of(_vendor(wanted.pop("system", "")))
        except KeyError:
            return _json({"error": f"system must be one of {', '.join(SYSTEMS)}"}, 400)
        script, options = wanted.pop("script", None), wanted.pop("options", {})
        is_expiring = wanted.pop("expire_tokens", False)
        unknown = sorted(set(wanted) - set(_SETTINGS))
        if unknown:
            return _json({"error": f"unknown settings: {', '.join(unknown)}"}, 400)
        for name, value in wanted.items():
            setattr(settings, name, value)
        settings.options.update(options)
        if is_expiring:
            settings.expire_tokens()
        if script is not None:
            try:
                settings.script(**script)
            except TypeError as error:
                return _json({"error": str(error)}, 400)
        return await self.show_faults(request)

    async def clear_faults(self, _request: Request) -> Response:
        for system in SYSTEMS:
            self._faults.of(system).clear()
        return Response(status_code=204)

    async def show_requests(self, _request: Request) -> Response:
        counts = [
            {"system": system, "method": method, "template": template, "count": count}
            for (system, method, template), count in sorted(self._faults.counts().items())
        ]
        return _json({"counts": counts, "requests": [each._asdict() for each in self._faults.requests[-_LATEST:]]})

    async def forget_requests(self, _request: Request) -> Response:
        self._faults.forget()
        return Response(status_code=204)

    async def show_truth(self, request: Request) -> Response:
        kind = request.query_params.get("kind", "person")
        rows = [
            {
                "kind": entity.kind,
                "entity": entity.name,
                "records": [record._asdict() for record in entity.records],
                "events": [event._asdict() for event in entity.events],
            }
            for entity in entities(self._vault, kind)
        ]
        return _json({"rows": rows})

    async def change_record(self, request: Request) -> Response:
        wanted = await _object(request)
        if wanted is None or not {"system", "object", "id"} <= set(wanted):
            return _json({"error": "The body must be an object with system, object, id and fields"}, 400)
        system, object_, id_ = _vendor(wanted["system"]), wanted["object"], wanted["id"]
        fields = wanted.get("fields", {})
        try:
            with self._vault.transaction():
                body = self._change(system, object_, id_, fields, wanted)
        except KeyError:
            return _json({"error": "no such record"}, 404)
        return _json(body)

    def _change(
        self, system: str, object_: str, id_: Any, fields: dict[str, Any], wanted: Mapping[str, Any]
    ) -> dict[str, Any]:
        is_deleted = wanted.get("delete") is True
        if system == "salesforce":
            return self._vault.patch_salesforce(object_, id_, fields, is_deleted=True if is_deleted else None)
        if system == "hubspot":
            body = self._vault.patch_hubspot(object_, int(id_), fields, source_type="CRM_UI")
            if is_deleted:
                self._vault.archive_hubspot(object_, int(id_))
            return body
        if system == "vitally":
            return self._vault.patch_vitally(object_, id_, fields, traits=wanted.get("traits"))
        raise KeyError(system)


def _vendor(system: object) -> str:
    """The vendor of a system as a configuration may name it."""
    return "vitally" if system == "cs" else str(system)


async def _object(request: Request) -> dict[str, Any] | None:
    try:
        body = orjson.loads(await request.body())
    except orjson.JSONDecodeError:
        return None
    return body if isinstance(body, dict) else None


def _json(body: object, status: int = 200) -> Response:
    return Response(orjson.dumps(body), status, media_type="application/json")
