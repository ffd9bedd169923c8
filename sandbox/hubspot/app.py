"""The Starlette app: every endpoint under its dated path and its v3 or v4 alias."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import orjson
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import Response
from starlette.routing import Route

from sandbox.hubspot import account, associations, batches, definitions, objects
from sandbox.hubspot.answers import NOT_FOUND, Answer, Refusal, correlation_id
from sandbox.hubspot.gate import Guard, endpoint
from sandbox.hubspot.portal import Call, open_portal
from sandbox.hubspot.search import search

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from starlette.requests import Request

    from sandbox.faults import Faults
    from sandbox.hubspot.portal import Portal
    from sandbox.vault import Vault


class Endpoint(NamedTuple):
    """One operation under a prefix."""

    method: str
    path: str
    handle: Callable[[Call], Answer]
    guard: Guard


READ: Final = Guard()
WRITE: Final = Guard(access="write")
SCHEMA: Final = Guard(is_schema=True)
SCHEMA_WRITE: Final = Guard(is_schema=True, access="write")
SEARCH: Final = Guard(is_search=True)
OWNERS: Final = Guard(scope="owners")
OPEN: Final = Guard(is_open=True)

OBJECTS: Final = (
    Endpoint("POST", "/{object}/search", search, SEARCH),
    Endpoint("POST", "/{object}/batch/read", batches.read, READ),
    Endpoint("POST", "/{object}/batch/update", batches.update, WRITE),
    Endpoint("POST", "/{object}/batch/create", batches.create, WRITE),
    Endpoint("POST", "/{object}/batch/upsert", batches.upsert, WRITE),
    Endpoint("POST", "/{object}/batch/archive", batches.archive_all, WRITE),
    Endpoint("POST", "/{object}/merge", objects.merge, WRITE),
    Endpoint("POST", "/{object}/gdpr-delete", objects.gdpr_delete, WRITE),
    Endpoint("GET", "/{object}", objects.list_page, READ),
    Endpoint("POST", "/{object}", objects.create, WRITE),
    Endpoint("GET", "/{object}/{id}", objects.get, READ),
    Endpoint("PATCH", "/{object}/{id}", objects.update, WRITE),
    Endpoint("DELETE", "/{object}/{id}", objects.delete, WRITE),
)
RECORD_ASSOCIATIONS: Final = (
    Endpoint("GET", "/{object}/{id}/associations/{to_object}", associations.read_one, READ),
    Endpoint("PUT", "/{object}/{id}/associations/{to_object}/{to_id}", associations.create_one, WRITE),
    Endpoint("DELETE", "/{object}/{id}/associations/{to_object}/{to_id}", associations.delete_one, WRITE),
    Endpoint("PUT", "/{object}/{id}/associations/default/{to_object}/{to_id}", associations.create_default, WRITE),
)
ASSOCIATIONS: Final = (
    Endpoint("POST", "/{object}/{to_object}/batch/read", associations.read_batch, READ),
    Endpoint("POST", "/{object}/{to_object}/batch/create", associations.create_batch, WRITE),
    Endpoint("POST", "/{object}/{to_object}/batch/associate/default", associations.create_default_batch, WRITE),
    Endpoint("POST", "/{object}/{to_object}/batch/archive", associations.archive_batch, WRITE),
    Endpoint("POST", "/{object}/{to_object}/batch/labels/archive", associations.archive_labels, WRITE),
    Endpoint("GET", "/{object}/{to_object}/labels", associations.read_labels, READ),
)
PROPERTIES: Final = (
    Endpoint("GET", "/{object}/groups", definitions.read_groups, SCHEMA),
    Endpoint("POST", "/{object}/groups", definitions.create_group, SCHEMA_WRITE),
    Endpoint("GET", "/{object}/groups/{name}", definitions.read_group, SCHEMA),
    Endpoint("PATCH", "/{object}/groups/{name}", definitions.update_group, SCHEMA_WRITE),
    Endpoint("DELETE", "/{object}/groups/{name}", definitions.delete_group, SCHEMA_WRITE),
    Endpoint("POST", "/{object}/batch/read", definitions.read_some_properties, SCHEMA),
    Endpoint("POST", "/{object}/batch/create", definitions.create_properties, SCHEMA_WRITE),
    Endpoint("GET", "/{object}", definitions.read_properties, SCHEMA),
    Endpoint("POST", "/{object}", definitions.create_property, SCHEMA_WRITE),
    Endpoint("GET", "/{object}/{name}", definitions.read_property, SCHEMA),
    Endpoint("PATCH", "/{object}/{name}", definitions.update_property, SCHEMA_WRITE),
    Endpoint("DELETE", "/{object}/{name}", definitions.delete_property, SCHEMA_WRITE),
)
PIPELINES: Final = (
    Endpoint("GET", "/{object}", definitions.read_pipelines, SCHEMA),
    Endpoint("GET", "/{object}/{pipeline}", definitions.read_pipeline, SCHEMA),
    Endpoint("GET", "/{object}/{pipeline}/stages", definitions.read_stages, SCHEMA),
    Endpoint("POST", "/{object}/{pipeline}/stages", definitions.create_stage, SCHEMA_WRITE),
    Endpoint("GET", "/{object}/{pipeline}/stages/{stage}", definitions.read_stage, SCHEMA),
)
OWNER_PATHS: Final = (
    Endpoint("GET", "", definitions.read_owners, OWNERS),
    Endpoint("GET", "/", definitions.read_owners, OWNERS),
    Endpoint("GET", "/{id}", definitions.read_owner, OWNERS),
)

_SERVICES: Final = (
    ("/crm/objects", "/crm/v3/objects", "v3", OBJECTS),
    ("/crm/objects", "/crm/v4/objects", "v4", RECORD_ASSOCIATIONS),
    ("/crm/objects", "/crm/v3/objects", "v3", RECORD_ASSOCIATIONS[:1]),
    ("/crm/associations", "/crm/v4/associations", "v4", ASSOCIATIONS),
    ("/crm/properties", "/crm/v3/properties", "v3", PROPERTIES),
    ("/crm/pipelines", "/crm/v3/pipelines", "v3", PIPELINES),
    ("/crm/owners", "/crm/v3/owners", "v3", OWNER_PATHS),
    ("/crm/limits", "/crm/v3/limits", "v3", (Endpoint("GET", "/{kind}", definitions.read_limits, READ),)),
    (
        "/crm/property-validations",
        "/crm/v3/property-validations",
        "v3",
        (Endpoint("GET", "/{object}", definitions.read_validations, SCHEMA),),
    ),
    (
        "/account-info",
        "/account-info/v3",
        "v3",
        (
            Endpoint("GET", "/details", account.read_details, READ),
            Endpoint("GET", "/api-usage/daily/private-apps", account.read_usage, READ),
        ),
    ),
    ("/oauth", "/oauth/v1", "v1", (Endpoint("POST", "/token", account.issue_token, OPEN),)),
)


def _routes(portal: Portal) -> Iterator[Route]:
    for dated, alias, version, endpoints in _SERVICES:
        for method, path, handle, guard in endpoints:
            yield Route(f"{alias}{path}", endpoint(portal, handle, guard, version), methods=[method])
        for method, path, handle, guard in endpoints:
            yield Route(f"{dated}/{{version}}{path}", endpoint(portal, handle, guard, None), methods=[method])
    yield Route("/oauth/{version}/token/introspect", endpoint(portal, account.introspect, OPEN, None), methods=["POST"])


async def _refuse_unknown(_request: Request, _error: Exception) -> Response:
    body = Refusal(NOT_FOUND, "resource not found", category=None).body(correlation_id())
    return Response(orjson.dumps(body), status_code=NOT_FOUND, media_type="application/json")


def hubspot_app(vault: Vault, faults: Faults) -> Starlette:
    """HubSpot over this vault; what is wrong with it is set in `faults.hubspot` (see `settings` and `outages`)."""
    portal = open_portal(vault, faults)
    return Starlette(
        routes=list(_routes(portal)),
        middleware=[Middleware(GZipMiddleware, minimum_size=500, compresslevel=1)],
        exception_handlers={404: _refuse_unknown},
    )
