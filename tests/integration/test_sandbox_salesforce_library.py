"""simple-salesforce, unmodified and in its direct mode, drives the simulated Salesforce."""

from __future__ import annotations

import json

import pytest
import requests
from requests.adapters import HTTPAdapter
from simple_salesforce.api import Salesforce
from simple_salesforce.exceptions import SalesforceExpiredSession, SalesforceMalformedRequest

QUIET = {"Sforce-Auto-Assign": "FALSE"}


class _PlainHttp(HTTPAdapter):
    """simple-salesforce writes https into every address; the sandbox speaks http."""

    def send(self, request, **kwargs):
        request.url = request.url.replace("https://", "http://", 1)
        return super().send(request, **kwargs)


@pytest.fixture
def library(fresh_sandbox):
    """simple-salesforce in its direct mode against a tiny world."""
    url = fresh_sandbox.urls["salesforce"]
    credentials = fresh_sandbox.credentials
    with requests.Session() as session:
        session.mount("https://", _PlainHttp())
        form = {
            "grant_type": "client_credentials",
            "client_id": credentials.salesforce_client_id,
            "client_secret": credentials.salesforce_client_secret,
        }
        with session.post(f"{url}/services/oauth2/token", data=form) as answer:
            token = answer.json()
        yield Salesforce(session_id=token["access_token"], instance_url=token["instance_url"], session=session)


def test_simple_salesforce_reads_a_whole_world(library, fresh_sandbox):
    """Every lead, deleted ones too, comes once through query_all_iter."""
    expected = fresh_sandbox.vault.execute("SELECT count(*) FROM salesforce WHERE object = 'Lead'").fetchone()[0]

    rows = list(library.query_all_iter("SELECT Id, Email, IsDeleted FROM Lead", include_deleted=True))

    assert expected > 50
    assert len({row["Id"] for row in rows}) == len(rows) == expected


def test_simple_salesforce_pages_by_locator(library):
    """Its query_more follows the address of the next page."""
    headers = {"Sforce-Query-Options": "batchSize=200"}
    total = library.query("SELECT COUNT() FROM LeadHistory")["totalSize"]

    page = library.query("SELECT Id FROM LeadHistory", headers=headers)
    ids = [row["Id"] for row in page["records"]]
    while not page["done"]:
        page = library.query_more(page["nextRecordsUrl"], identifier_is_url=True, headers=headers)
        ids += [row["Id"] for row in page["records"]]

    assert total > 200
    assert len(set(ids)) == len(ids) == total


def test_simple_salesforce_describes_updates_and_upserts(library):
    """Describe, update, get, upsert, delete, updated and limits, by its own methods."""
    lead_id = library.query("SELECT Id FROM Lead WHERE IsConverted = false LIMIT 1")["records"][0]["Id"]
    names = {field["name"] for field in library.Lead.describe()["fields"]}

    status = library.Lead.update(lead_id, {"Canonical_Stage__c": "mql", "Canonical_Score__c": 55}, headers=QUIET)
    record = library.Lead.get(lead_id)
    upserted = library.Lead.upsert("Canonical_Id__c/p-77", {"LastName": "Kim", "Company": "Acme"})
    made = library.Contact.create({"LastName": "Park"})
    deleted = library.Contact.delete(made["id"])

    assert {"Canonical_Stage__c", "Email", "SystemModstamp"} <= names
    assert (status, upserted, deleted) == (204, 201, 204)
    assert (record["Canonical_Stage__c"], record["Canonical_Score__c"]) == ("mql", 55.0)
    assert library.limits()["DailyApiRequests"]["Max"] == 100_000
    assert {entry["name"] for entry in library.describe()["sobjects"]} >= {"Lead", "Contact", "Organization"}
    with pytest.raises(SalesforceMalformedRequest, match="Nope__c"):
        library.Lead.update(lead_id, {"Nope__c": 1})


def test_simple_salesforce_sends_collections_composites_and_fields(library):
    """Through `restful` and the Tooling API."""
    lead_id = library.query("SELECT Id FROM Lead WHERE IsConverted = false LIMIT 1")["records"][0]["Id"]
    records = [{"attributes": {"type": "Lead"}, "id": lead_id, "Canonical_Stage__c": "sal"}]

    rows = library.restful(
        "composite/sobjects", method="PATCH", data=json.dumps({"allOrNone": False, "records": records})
    )
    composite = library.restful(
        "composite",
        method="POST",
        data=json.dumps(
            {
                "compositeRequest": [
                    {"method": "GET", "url": f"/services/data/v59.0/sobjects/Lead/{lead_id}", "referenceId": "it"}
                ]
            }
        ),
    )
    field = library.toolingexecute(
        "sobjects/CustomField",
        method="POST",
        data={"FullName": "Lead.Tier__c", "Metadata": {"type": "Text", "length": 10, "label": "Tier"}},
    )

    assert rows == [{"id": lead_id, "success": True, "errors": []}]
    assert composite["compositeResponse"][0]["body"]["Canonical_Stage__c"] == "sal"
    assert field["success"] is True


def test_simple_salesforce_sees_an_expired_session(library, fresh_sandbox):
    """In direct mode it does not log in by itself."""
    fresh_sandbox.faults.salesforce.expire_tokens()

    with pytest.raises(SalesforceExpiredSession):
        library.query("SELECT Id FROM Lead LIMIT 1")


def test_every_field_of_the_world_is_known_to_the_schema(library, fresh_sandbox):
    """What the world writes can be read through the API, object by object."""
    objects = ("User", "Account", "Contact", "Lead", "Opportunity", "OpportunityContactRole", "OpportunityHistory")
    objects += ("LeadHistory", "Campaign", "CampaignMember", "Task", "Event")
    unknown = {
        object_: {
            name
            for (name,) in fresh_sandbox.vault.execute(
                "SELECT DISTINCT key FROM salesforce, json_each(body) WHERE object = ?", (object_,)
            )
        }
        - {field["name"] for field in getattr(library, object_).describe()["fields"]}
        for object_ in objects
    }

    # Users cannot be deleted, and so have no such field; the vault keeps it of every row.
    assert {object_: names for object_, names in unknown.items() if names} == {"User": {"IsDeleted"}}
