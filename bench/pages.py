"""The made-up contacts that every variant reads, as both vendors would page them."""

from __future__ import annotations

import json

SALESFORCE_PAGE = 2_000
HUBSPOT_PAGE = 100
SIZES = {"salesforce": SALESFORCE_PAGE, "hubspot": HUBSPOT_PAGE}

SALESFORCE_FIELDS = (
    "Id", "SystemModstamp", "IsDeleted", "AccountId", "Email", "FirstName", "LastName", "Name", "Title", "Phone",
    "LeadSource", "OwnerId", "HasOptedOutOfEmail", "MailingCountry", "Department", "CreatedDate",
)  # fmt: skip

HUBSPOT_FIELDS = (
    "email", "firstname", "lastname", "company", "jobtitle", "phone", "country", "industry", "numberofemployees",
    "website", "hubspot_owner_id", "lifecyclestage", "hs_lead_status", "hs_object_id", "createdate",
)  # fmt: skip

_COUNTRIES = ("Japan", "United States", "Germany", "Singapore", "France")
_TITLES = ("Head of Marketing", "Engineer", "Director of Operations", "Manager, Procurement", "Chief Executive")
_STAGES = ("lead", "marketingqualifiedlead", "salesqualifiedlead", "opportunity", "customer")


def salesforce_record(number: int) -> dict[str, object]:
    """One contact as `queryAll` gives it."""
    id_ = f"003{number:012d}AAA"
    return {
        "attributes": {"type": "Contact", "url": f"/services/data/v68.0/sobjects/Contact/{id_}"},
        "Id": id_,
        "SystemModstamp": f"2026-10-{number % 28 + 1:02d}T{number % 24:02d}:{number % 60:02d}:07.000+0000",
        "IsDeleted": False,
        "AccountId": f"001{number // 3:012d}AAA",
        "Email": f"person.{number}@company{number // 3}.example",
        "FirstName": f"Given{number % 977}",
        "LastName": f"Family{number % 3571}",
        "Name": f"Given{number % 977} Family{number % 3571}",
        "Title": _TITLES[number % 5],
        "Phone": f"+81 3 {number % 10_000:04d} {number * 7 % 10_000:04d}",
        "LeadSource": "Web",
        "OwnerId": f"005{number % 40:012d}AAA",
        "HasOptedOutOfEmail": number % 17 == 0,
        "MailingCountry": _COUNTRIES[number % 5],
        "Department": None,
        "CreatedDate": f"2025-{number % 12 + 1:02d}-11T04:05:06.000+0000",
    }


def hubspot_record(number: int) -> dict[str, object]:
    """One contact as the list gives it."""
    updated = f"2026-10-{number % 28 + 1:02d}T{number % 24:02d}:{number % 60:02d}:07.123Z"
    created = f"2025-{number % 12 + 1:02d}-11T04:05:06.789Z"
    return {
        "id": str(number + 1),
        "properties": {
            "email": f"person.{number}@company{number // 3}.example",
            "firstname": f"Given{number % 977}",
            "lastname": f"Family{number % 3571}",
            "company": f"Company {number // 3}",
            "jobtitle": _TITLES[number % 5],
            "phone": f"+81 3 {number % 10_000:04d} {number * 7 % 10_000:04d}",
            "country": _COUNTRIES[number % 5],
            "industry": "COMPUTER_SOFTWARE",
            "numberofemployees": str(number % 900),
            "website": f"www.company{number // 3}.example",
            "hubspot_owner_id": str(70_000 + number % 40),
            "lifecyclestage": _STAGES[number % 5],
            "hs_lead_status": None,
            "hs_object_id": str(number + 1),
            "createdate": created,
        },
        "createdAt": created,
        "updatedAt": updated,
        "archived": False,
    }


def salesforce_page(start: int, total: int) -> bytes:
    """The page of `queryAll` that begins at a record."""
    end = min(start + SALESFORCE_PAGE, total)
    page: dict[str, object] = {"totalSize": total, "done": end >= total}
    if end < total:
        page["nextRecordsUrl"] = f"/services/data/v68.0/query/{end}"
    page["records"] = [salesforce_record(number) for number in range(start, end)]
    return _compact(page)


def hubspot_page(start: int, total: int) -> bytes:
    """The page of the contacts' list that begins at a record."""
    end = min(start + HUBSPOT_PAGE, total)
    page: dict[str, object] = {"results": [hubspot_record(number) for number in range(start, end)]}
    if end < total:
        page["paging"] = {"next": {"after": str(end), "link": "https://api.hubapi.com/"}}
    return _compact(page)


def _compact(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()
