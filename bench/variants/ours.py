"""headrace from the wire to the store: the connector's batches, each taken in with its cursor in one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from bench.pages import HUBSPOT_FIELDS, SALESFORCE_FIELDS
from bench.statements import counted, told
from connectors.hubspot import connect as connect_hubspot
from connectors.salesforce import connect as connect_salesforce
from mapping import vendors
from state import runs
from state.engine import Database, upgrade
from state.store import Intake
from sync.house import _calm_collector

if TYPE_CHECKING:
    from bench.place import Counters, Place
    from connectors.base import Connector


class Ready(NamedTuple):
    db: Database
    connector: Connector
    run: int


def prepare(_n: int, place: Place) -> Ready:
    db = Database.open(f"sqlite:///{place.folder / 'ours.db'}")
    upgrade(db)
    with db.write() as conn:
        run = runs.begin_run(conn, "bench")
    _calm_collector()  # as every process that holds a store does
    return Ready(db, _connect(place), run)


def run(_n: int, _place: Place, ready: Ready) -> Counters:
    db, connector, run = ready
    [object_] = connector.objects
    volatile = vendors.volatile(connector.system, object_)
    read = 0
    with counted(db) as counts, Intake(db, connector.system, object_, run=run, volatile=volatile) as intake:
        for batch in connector.poll(object_, None):
            read += intake.save(batch).read
    return told(counts, records=read)


def _connect(place: Place) -> Connector:
    if place.vendor == "salesforce":
        return connect_salesforce(
            system="salesforce",
            login_url=place.url,
            auth={"flow": "client_credentials", "client_id": "i", "client_secret": "s"},
            fields={"Contact": SALESFORCE_FIELDS},
        )
    return connect_hubspot(
        system="hubspot",
        base_url=place.url,
        auth={"flow": "service_key", "token": "t"},
        fields={"contacts": HUBSPOT_FIELDS},
        has_limits=False,
    )
