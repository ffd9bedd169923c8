"""What there is: versions, limits, objects and their fields.

Source: REST API guide, Versions, Limits, Describe Global, sObject Describe; read 2026-11-21.
"""

from __future__ import annotations

from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from sandbox.salesforce.answers import Answer, Call, http_date_ms

if TYPE_CHECKING:
    from sandbox.salesforce.org import Org

OLDEST, NEWEST = 31, 68
"""API versions that answer; 21 to 30 are retired since Summer '25 (Salesforce Help 005321531; read 2026-11-21)."""

_SEASONS = ("Spring", "Summer", "Winter")


def versions() -> list[dict[str, str]]:
    """Every version that answers, oldest first."""
    return [
        {"label": _release(number), "url": f"/services/data/v{number}.0", "version": f"{number}.0"}
        for number in range(OLDEST, NEWEST + 1)
    ]


def _release(number: int) -> str:
    """`Spring '26` is 66; three releases a year, winter named after the year to come."""
    years, season = divmod(number - 66, 3)
    return f"{_SEASONS[season]} '{26 + years + season // 2}"


def resources(org: Org, call: Call) -> Answer:
    """The addresses below a version."""
    _ = org
    names = ("composite", "limits", "query", "queryAll", "sobjects", "tooling")
    return Answer(body={name: f"{call.root}/{name}" for name in names} | {"identity": f"{call.origin}/id"})


def limits(org: Org, call: Call) -> Answer:
    """What is left of the allocations that matter here."""
    _ = call
    used, most = org.usage()
    fixed = {
        "ActiveScratchOrgs": (0, 0),
        "DailyAsyncApexExecutions": (250_000, 0),
        "DailyBulkApiBatches": (15_000, 0),
        "DailyBulkV2QueryFileStorageMB": (976_562, 0),
        "DailyBulkV2QueryJobs": (10_000, 0),
        "DataStorageMB": (1_024, 120),
        "FileStorageMB": (1_024, 3),
    }
    answer = {"DailyApiRequests": {"Max": most, "Remaining": max(0, most - used)}}
    return Answer(body=answer | {name: {"Max": top, "Remaining": top - gone} for name, (top, gone) in fixed.items()})


def record_count(org: Org, call: Call) -> Answer:
    """About how many records some objects have, recycle bin apart; objects without any are left out."""
    wanted = [name for name in call.query.get("sObjects", "").split(",") if name] or list(org.schema.names())
    counts: list[dict[str, Any]] = []
    for name in (org.schema.view(name).sobject.name for name in wanted):
        sql = "SELECT count(*) FROM salesforce WHERE object = ? AND is_deleted = 0"
        count = org.vault.execute(sql, (name,)).fetchone()[0]
        if count:
            counts.append({"count": count, "name": name})
    return Answer(body={"sObjects": counts})


def objects(org: Org, call: Call) -> Answer:
    """Every object in brief."""
    if _is_unchanged(org, call):
        return Answer(304)
    briefs = [org.schema.view(name).sobject.describe_briefly(call.version) for name in org.schema.names()]
    return Answer(body={"encoding": "UTF-8", "maxBatchSize": 200, "sobjects": briefs}, headers=_stamped(org))


def basics(org: Org, call: Call, object_: str) -> Answer:
    """One object in brief."""
    brief = org.schema.view(object_).sobject.describe_briefly(call.version)
    return Answer(body={"objectDescribe": brief, "recentItems": []})


def describe(org: Org, call: Call, object_: str) -> Answer:
    """One object with its fields, unless they are as they were."""
    view = org.schema.view(object_)
    if _is_unchanged(org, call):
        return Answer(304)
    sobject = view.sobject
    is_open = not sobject.is_readonly
    body: dict[str, Any] = {
        **sobject.describe_briefly(call.version),
        "actionOverrides": [],
        "childRelationships": [],
        "compactLayoutable": is_open,
        "defaultImplementation": None,
        "extendedBy": None,
        "extendsInterfaces": None,
        "fields": [field.describe() for field in view.fields.values()],
        "implementedBy": None,
        "implementsInterfaces": None,
        "listviewable": None,
        "lookupLayoutable": None,
        "namedLayoutInfos": [],
        "networkScopeFieldName": None,
        "recordTypeInfos": [_MASTER] if is_open else [],
        "searchLayoutable": is_open,
        "sobjectDescribeOption": "FULL",
        "supportedScopes": [{"label": f"All {sobject.plural.lower()}", "name": "everything"}],
    }
    return Answer(body=body, headers=_stamped(org))


_MASTER = {
    "active": True,
    "available": True,
    "defaultRecordTypeMapping": True,
    "developerName": "Master",
    "master": True,
    "name": "Master",
    "recordTypeId": "012000000000000AAA",
    "urls": {},
}


def _is_unchanged(org: Org, call: Call) -> bool:
    since = http_date_ms(call.headers.get("if-modified-since"))
    return since is not None and org.schema.last_change_ms() <= since


def _stamped(org: Org) -> dict[str, str]:
    return {"last-modified": formatdate(org.schema.last_change_ms() / 1000, usegmt=True)}
