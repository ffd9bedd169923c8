"""Associations: read in batches and inline, written, and their types. They never touch a record's last modification.

Associations guide (v4 and dated versions); read 2026-11-21.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot.answers import Answer, BatchErrors, Json, batch_answer, invalid, not_found
from sandbox.hubspot.catalogue import INVERSE, PRIMARY, SINGULAR, TYPE_IDS, AssociationType
from sandbox.hubspot.portal import object_name
from sandbox.hubspot.records import fetch, is_id, locate, marks
from sandbox.vault import iso_stamp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sandbox.hubspot.portal import Call, Portal

READ_LIMIT: Final = 1000
CREATE_LIMIT: Final = 2000
PAGE: Final = 500
INLINE_PAGE: Final = 100

Linked = dict[int, list[AssociationType]]
"""Associated ids in their order, each with its types."""


def linked(portal: Portal, from_object: str, ids: Sequence[int], to_object: str) -> dict[int, Linked]:
    """What the records are associated with; a record without associations is missing."""
    rows = portal.vault.execute(
        "SELECT from_id, to_id, type_id, label, category FROM hubspot_association"  # noqa: S608  # no text of the request
        f" WHERE from_object = ? AND from_id IN ({marks(len(ids))}) AND to_object = ?"
        " ORDER BY from_id, to_id, type_id",
        (from_object, *ids, to_object),
    )
    found: dict[int, Linked] = {}
    for from_id, to_id, *type_ in rows.fetchall():
        found.setdefault(from_id, {}).setdefault(to_id, []).append(AssociationType(*type_))
    return found


def inline(call: Call, object_: str, ids: Sequence[int], names: Sequence[str]) -> dict[int, Json]:
    """The `associations` of each record as list and get have them, with paging of their own."""
    page = call.portal.settings.association_page(INLINE_PAGE)
    shown: dict[int, Json] = {}
    for name in names:
        to_object = object_name(name)
        for from_id, links in linked(call.portal, object_, ids, to_object).items():
            results = [
                {"id": str(to_id), "type": type_name(object_, to_object, type_)}
                for to_id, types in list(links.items())[:page]
                for type_ in types
            ]
            block: Json = {"results": results}
            if len(links) > page:
                head = call.url.path.split(f"/{call.path['object']}")[0]
                path = f"{head}/{object_}/{from_id}/associations/{to_object}"
                block["paging"] = call.next_page(list(links)[page], path)
            shown.setdefault(from_id, {})[to_object] = block
    return shown


def type_name(from_object: str, to_object: str, type_: AssociationType) -> str:
    """An association type as inline associations name it: `contact_to_company`, unlabelled `…_unlabeled`."""
    if type_.category != "HUBSPOT_DEFINED" and type_.label:
        return type_.label.lower().replace(" ", "_")
    name = f"{SINGULAR[from_object]}_to_{SINGULAR[to_object]}"
    return f"{name}_unlabeled" if type_.type_id in _UNLABELED else name


_UNLABELED: Final = frozenset({279, 280, 341, 342})


def _shown_types(types: Sequence[AssociationType]) -> list[Json]:
    return [
        {
            "category": one.category,
            "typeId": one.type_id,
            "label": one.label or ("Primary" if one.type_id in PRIMARY else None),
        }
        for one in types
    ]


def _to_id(call: Call, id_: int) -> str | int:
    # The specification says string; v4 has been seen to send numbers.
    return id_ if call.version == "v4" else str(id_)


def _page(call: Call, links: Linked, after: str | None, size: int) -> Json:
    if after is not None and not is_id(str(after)):
        raise invalid(f"Invalid paging cursor: {after}", context={"after": [str(after)]})
    ids = [id_ for id_ in links if after is None or id_ >= int(after)]
    body: Json = {
        "to": [{"toObjectId": _to_id(call, id_), "associationTypes": _shown_types(links[id_])} for id_ in ids[:size]]
    }
    if len(ids) > size:
        body["paging"] = call.next_page(ids[size])
    return body


def _pair(call: Call) -> tuple[str, str]:
    return call.object, call.to_object


def read_batch(call: Call) -> Answer:
    """Associations of up to 1,000 records; those without any are left out."""
    from_object, to_object = _pair(call)
    inputs = call.inputs(READ_LIMIT)
    found = locate(call.portal, from_object, [str(one.get("id", "")) for one in inputs], None)
    links = linked(call.portal, from_object, list(found.values()), to_object)
    size = call.portal.settings.association_page(PAGE)
    results = [
        {"from": {"id": str(one["id"])}, **_page(call, links[found[str(one["id"])]], one.get("after"), size)}
        for one in inputs
        if found.get(str(one.get("id"))) in links
    ]
    return batch_answer(results, BatchErrors(is_legacy=not call.is_dated), call.portal.now())


def read_one(call: Call) -> Answer:
    """The associations of one record, paged; v3 names the type in words."""
    from_object, to_object = _pair(call)
    id_ = locate(call.portal, from_object, [call.path["id"]], None).get(call.path["id"])
    if id_ is None or not fetch(call.portal, from_object, [id_]):
        raise not_found()
    links = linked(call.portal, from_object, [id_], to_object).get(id_, {})
    page = _page(call, links, call.query.get("after"), call.number("limit", PAGE, PAGE))
    results = page.pop("to")
    if call.version == "v3":
        results = [
            {"id": str(one["toObjectId"]), "type": type_name(from_object, to_object, type_)}
            for one in results
            for type_ in links[int(one["toObjectId"])]
        ]
    return Answer(payload={"results": results, **page})


def _types(call: Call, raw: Any) -> list[AssociationType]:
    if not isinstance(raw, list) or not raw:
        raise invalid("Some required fields were not set: [types]", context={"propertyName": ["types"]})
    known = {one.type_id: one for one in call.portal.schema.associations.get(_pair(call), ())}
    types = []
    for one in raw:
        type_id = int(one.get("associationTypeId") or 0)
        if type_id not in known:
            message = f"association type id {type_id} doesn't exist between {call.object} and {call.to_object}"
            raise invalid(message, code="INVALID_ASSOCIATION_TYPE")
        types.append(known[type_id])
    return types


def put(
    portal: Portal, from_object: str, from_id: int, to_object: str, to_id: int, types: Sequence[AssociationType]
) -> None:
    """The two records are associated so, in both directions. Call it inside a transaction."""
    rows = []
    for one in types:
        back = INVERSE.get(one.type_id, one.type_id)
        rows.append((from_object, from_id, to_object, to_id, one.type_id, one.category, one.label))
        rows.append((to_object, to_id, from_object, from_id, back, one.category, one.label))
    portal.vault.executemany("INSERT OR REPLACE INTO hubspot_association VALUES (?, ?, ?, ?, ?, ?, ?)", rows)


def default_types(portal: Portal, from_object: str, to_object: str) -> list[AssociationType]:
    """The unlabelled type of a pair of objects."""
    types = portal.schema.associations.get((from_object, to_object), [])
    if not types:
        raise invalid(f"There is no association between {from_object} and {to_object}")
    return [next((one for one in types if one.label is None), types[0])]


def _ends(call: Call, one: Json) -> tuple[int, int] | None:
    from_object, to_object = _pair(call)
    from_text, to_text = (str((one.get(end) or {}).get("id", "")) for end in ("from", "to"))
    from_id = locate(call.portal, from_object, [from_text], None).get(from_text)
    to_id = locate(call.portal, to_object, [to_text], None).get(to_text)
    if from_id is None or to_id is None:
        return None
    if not fetch(call.portal, from_object, [from_id]) or not fetch(call.portal, to_object, [to_id]):
        return None
    return from_id, to_id


def _create(call: Call, *, by_default: bool) -> tuple[list[Json], BatchErrors]:
    from_object, to_object = _pair(call)
    inputs = call.inputs(CREATE_LIMIT)
    wanted = [
        default_types(call.portal, from_object, to_object) if by_default else _types(call, one.get("types"))
        for one in inputs
    ]
    errors = BatchErrors(is_legacy=not call.is_dated)
    results: list[Json] = []
    with call.portal.vault.transaction():
        for one, types in zip(inputs, wanted, strict=True):
            ends = _ends(call, one)
            if ends is None:
                ids = [str((one.get(end) or {}).get("id", "")) for end in ("from", "to")]
                errors.add("OBJECT_NOT_FOUND", "One of the objects does not exist.", {"ids": ids})
                continue
            put(call.portal, from_object, ends[0], to_object, ends[1], types)
            results.append(_created(call, ends, types, by_default=by_default))
    return results, errors


def _created(call: Call, ends: tuple[int, int], types: Sequence[AssociationType], *, by_default: bool) -> Json:
    from_object, to_object = _pair(call)
    if by_default:
        spec = {"associationCategory": types[0].category, "associationTypeId": types[0].type_id}
        return {"from": {"id": str(ends[0])}, "to": {"id": str(ends[1])}, "associationSpec": spec}
    return {
        "fromObjectTypeId": TYPE_IDS[from_object],
        "fromObjectId": _to_id(call, ends[0]),
        "toObjectTypeId": TYPE_IDS[to_object],
        "toObjectId": _to_id(call, ends[1]),
        "labels": [one.label for one in types if one.label],
    }


def create_batch(call: Call) -> Answer:
    """Up to 2,000 associations exist, each with the types given."""
    results, errors = _create(call, by_default=False)
    return batch_answer(
        results, errors, call.portal.now(), status=201, is_multi_status=call.portal.settings.is_multi_status
    )


def create_default_batch(call: Call) -> Answer:
    """Up to 2,000 unlabelled associations exist."""
    results, errors = _create(call, by_default=True)
    return batch_answer(results, errors, call.portal.now(), is_multi_status=call.portal.settings.is_multi_status)


def _path_ends(call: Call) -> tuple[int, int]:
    ends = _ends(call, {"from": {"id": call.path["id"]}, "to": {"id": call.path["to_id"]}})
    if ends is None:
        raise not_found()
    return ends


def create_default(call: Call) -> Answer:
    """Two records are associated, unlabelled."""
    ends = _path_ends(call)
    types = default_types(call.portal, *_pair(call))
    with call.portal.vault.transaction():
        put(call.portal, call.object, ends[0], call.to_object, ends[1], types)
    at = iso_stamp(call.portal.now())
    result = _created(call, ends, types, by_default=True)
    return Answer(payload={"status": "COMPLETE", "results": [result], "startedAt": at, "completedAt": at})


def create_one(call: Call) -> Answer:
    """Two records are associated with the types in the body."""
    ends = _path_ends(call)
    types = _types(call, call.body)
    with call.portal.vault.transaction():
        put(call.portal, call.object, ends[0], call.to_object, ends[1], types)
    return Answer(payload=_created(call, ends, types, by_default=False), status=201)


def _remove(call: Call, pairs: Sequence[tuple[int, int]], types: Sequence[AssociationType] = ()) -> None:
    from_object, to_object = _pair(call)
    chosen = f" AND type_id IN ({marks(2 * len(types))})" if types else ""
    ids = [id_ for one in types for id_ in (one.type_id, INVERSE.get(one.type_id, one.type_id))]
    rows: list[tuple[Any, ...]] = []
    for from_id, to_id in pairs:
        rows.append((from_object, from_id, to_object, to_id, *ids))
        rows.append((to_object, to_id, from_object, from_id, *ids))
    with call.portal.vault.transaction():
        call.portal.vault.executemany(
            "DELETE FROM hubspot_association"  # noqa: S608  # no text of the request
            f" WHERE from_object = ? AND from_id = ? AND to_object = ? AND to_id = ?{chosen}",
            rows,
        )


def _number(call: Call, object_: str, text: str) -> int:
    return locate(call.portal, object_, [text], None).get(text, 0)


def delete_one(call: Call) -> Answer:
    """Two records are associated in no way."""
    from_id = _number(call, call.object, call.path["id"])
    _remove(call, [(from_id, _number(call, call.to_object, call.path["to_id"]))])
    return Answer(status=204)


def archive_batch(call: Call) -> Answer:
    """The pairs are associated in no way; `to` is a list."""
    pairs = []
    for one in call.inputs(CREATE_LIMIT):
        targets = one.get("to")
        if not isinstance(targets, list):
            raise invalid("Invalid input JSON: to must be a list", context={"propertyName": ["to"]})
        from_id = _number(call, call.object, str((one.get("from") or {}).get("id", "")))
        pairs += [(from_id, _number(call, call.to_object, str(to.get("id", "")))) for to in targets]
    _remove(call, pairs)
    return Answer(status=204)


def archive_labels(call: Call) -> Answer:
    """The pairs are no longer associated with these types."""
    for one in call.inputs(CREATE_LIMIT):
        from_id = _number(call, call.object, str((one.get("from") or {}).get("id", "")))
        to_id = _number(call, call.to_object, str((one.get("to") or {}).get("id", "")))
        _remove(call, [(from_id, to_id)], _types(call, one.get("types")))
    return Answer(status=204)


def read_labels(call: Call) -> Answer:
    """The association types of a pair of objects."""
    types = call.portal.schema.associations.get(_pair(call), [])
    return Answer(payload={"results": _shown_types(types)})


def repoint(portal: Portal, object_: str, primary_id: int, other_id: int, new_id: int) -> None:
    """What two records were associated with is the new record's; the other's primary associations are dropped.

    Call it inside a transaction.
    """
    for old_id in (primary_id, other_id):
        rows = portal.vault.execute(
            "SELECT to_object, to_id, type_id, label, category FROM hubspot_association"
            " WHERE from_object = ? AND from_id = ?",
            (object_, old_id),
        ).fetchall()
        for to_object, to_id, *type_ in rows:
            one = AssociationType(*type_)
            is_dropped = old_id == other_id and one.type_id in PRIMARY
            if to_id not in (primary_id, other_id) and not is_dropped:
                put(portal, object_, new_id, to_object, to_id, [one])
