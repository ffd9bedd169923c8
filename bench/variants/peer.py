"""dlt reads the same pages and merges them into SQLite: its REST client, its paginators, pages yielded as lists.

Kinder than usual: no dates are converted, no nested object reaches the normaliser, and one run is done beforehand.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

os.environ["RUNTIME__DLTHUB_TELEMETRY"] = "false"
os.environ["RUNTIME__LOG_LEVEL"] = "CRITICAL"

import dlt  # it reads the environment while it is imported
from dlt.sources.helpers.rest_client import RESTClient
from dlt.sources.helpers.rest_client.paginators import (
    JSONLinkPaginator,
    JSONResponseCursorPaginator,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.place import Counters, Place


def prepare(_n: int, place: Place) -> Any:
    pipeline = _pipeline(place, "warm")
    pipeline.run([{"id": 1}], table_name="warm", primary_key="id", write_disposition="merge")
    return _pipeline(place, "peer")


def run(_n: int, place: Place, pipeline: Any) -> Counters:
    key, pages = ("Id", _salesforce) if place.vendor == "salesforce" else ("id", _hubspot)
    resource = dlt.resource(pages(place), name="contact", primary_key=key, write_disposition="merge")
    pipeline.run(resource)
    rows = pipeline.last_trace.last_normalize_info.row_counts["contact"]
    return {"records": rows}


def _pipeline(place: Place, name: str) -> Any:
    return dlt.pipeline(
        pipeline_name=name,
        pipelines_dir=str(place.folder / "pipelines"),
        dataset_name=name,
        destination=dlt.destinations.sqlalchemy(f"sqlite:///{place.folder / 'peer.db'}"),
    )


def _salesforce(place: Place) -> Iterator[list[Any]]:
    client = RESTClient(base_url=place.url, paginator=JSONLinkPaginator(next_url_path="nextRecordsUrl"))
    for page in client.paginate("/services/data/v68.0/queryAll", params={"q": "SELECT"}, data_selector="records"):
        for record in page:
            del record["attributes"]
        yield list(page)


def _hubspot(place: Place) -> Iterator[list[Any]]:
    paginator = JSONResponseCursorPaginator(cursor_path="paging.next.after", cursor_param="after")
    client = RESTClient(base_url=place.url, paginator=paginator)
    for page in client.paginate("/crm/objects/2026-09/contacts", params={"limit": 100}, data_selector="results"):
        yield [{"id": record["id"], **record["properties"]} for record in page]
