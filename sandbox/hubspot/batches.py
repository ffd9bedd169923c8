"""Records by the hundred: batch read, create, update, upsert and archive, and how each fails in part.

"Using object APIs" and error handling guides: without `objectWriteTraceId` one bad input refuses the whole batch; with
one of its own in every input the good ones are written and the bad ones are listed. Read 2026-11-21.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

from sandbox.hubspot.answers import Answer, BatchErrors, Json, Refusal, batch_answer, invalid
from sandbox.hubspot.catalogue import SINGULAR, TYPE_IDS
from sandbox.hubspot.objects import HISTORY_LIMIT, new_record, properties_of, show_all
from sandbox.hubspot.records import Row, fetch, find_ids, is_id, locate, show, wanted
from sandbox.hubspot.values import Problem, describe, refuse
from sandbox.hubspot.writes import Writer, archive, check, refuse_taken, spread_stage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sandbox.hubspot.portal import Call

LIMIT: Final = 100


def _texts(inputs: Sequence[Mapping[str, Any]]) -> list[str]:
    if any(one.get("id") in (None, "") for one in inputs):
        raise invalid("Some required fields were not set: [id]", context={"propertyName": ["id"]})
    return [str(one["id"]) for one in inputs]


def _add_missing(errors: BatchErrors, object_: str, ids: Sequence[str]) -> None:
    if ids:
        message = (
            f"Could not get some {SINGULAR[object_].upper()} objects, they may be deleted or not exist."
            " Check that ids are valid."
        )
        errors.add("OBJECT_NOT_FOUND", message, {"ids": ids})


def read(call: Call) -> Answer:
    """Up to 100 records (50 with histories); the missing are an error of their own.

    Two inputs that lead to one record (an alias, a secondary e-mail) give it once; which input it answers is not said.
    """
    fields, object_ = call.fields(), call.object
    with_history = [str(name) for name in fields.get("propertiesWithHistory") or ()]
    texts = list(dict.fromkeys(_texts(call.inputs(HISTORY_LIMIT if with_history else LIMIT))))
    found = locate(call.portal, object_, texts, fields.get("idProperty"))
    rows = fetch(call.portal, object_, list(found.values()), archived=call.flag("archived"))
    properties = [str(name) for name in fields.get("properties") or ()]
    results = show_all(call, object_, list(rows.values()), properties, with_history)
    errors = BatchErrors(is_legacy=not call.is_dated)
    _add_missing(errors, object_, [text for text in texts if found.get(text) not in rows])
    return batch_answer(results, errors, call.portal.now(), is_multi_status=call.portal.settings.is_multi_status)


def _traces(inputs: Sequence[Mapping[str, Any]]) -> list[str] | None:
    """The trace id of each input; None where one lacks it, which forbids partial success."""
    traces = [one.get("objectWriteTraceId") for one in inputs]
    if not all(traces):
        return None
    if len(set(traces)) < len(traces):
        raise invalid("objectWriteTraceId must be unique within a batch.", code="DUPLICATE_TRACE_ID")
    return [str(trace) for trace in traces]


class _Batch:
    """One writing batch under way: the checked values of the good inputs, and the errors of the bad."""

    def __init__(self, call: Call, inputs: Sequence[dict[str, Any]], *, is_partial: bool = True) -> None:
        self.call = call
        self.inputs = inputs
        self.traces = _traces(inputs) if is_partial else None
        self.errors = BatchErrors(is_legacy=not call.is_dated)
        self.writer = Writer(call.portal, call.portal.now())
        self.results: list[Json] = []
        self.values: dict[int, dict[str, str]] = {}
        problems: list[Problem] = []
        for place, one in enumerate(inputs):
            values, wrong = check(call.version, call.portal, call.object, properties_of(one))
            if not wrong:
                self.values[place] = values
            elif self.traces:
                self.fail(place, "VALIDATION_ERROR", describe(wrong, self._portal_id), [one.detail() for one in wrong])
            else:
                problems += wrong
        if problems:
            raise refuse(problems, self._portal_id)

    @property
    def _portal_id(self) -> int:
        return self.call.portal.settings.portal_id

    def fail(self, place: int, category: str, message: str, errors: Sequence[Json] = ()) -> None:
        """One input failed; without trace ids it is named by its id."""
        if self.traces:
            context: dict[str, list[str]] = {"objectWriteTraceId": [self.traces[place]]}
        else:
            context = {"ids": [str(self.inputs[place].get("id"))]}
        self.errors.add(category, message, context, errors)

    def attempt_update(self, place: int, row: Row) -> Row | None:
        """The record has the input's values, or the input failed."""
        object_ = self.call.object
        try:
            self._refuse_taken_within(place)
            refuse_taken(self.call.portal, object_, self.values[place], row.id)
        except Refusal as refusal:
            if not self.traces:
                raise
            self.fail(place, refusal.category or "CONFLICT", refusal.message, refusal.errors)
            return None
        return self.writer.change(object_, row, self.values[place])

    def attempt_create(self, place: int) -> Row | None:
        """There is a new record of the input's values, or the input failed. Call it inside a transaction."""
        try:
            self._refuse_taken_within(place)
            return new_record(self.call, self.writer, self.inputs[place], self.values[place])
        except Refusal as refusal:
            if not self.traces:
                raise
            self.fail(place, refusal.category or "VALIDATION_ERROR", refusal.message, refusal.errors)
            return None

    def _refuse_taken_within(self, place: int) -> None:
        email = self.values[place].get("email")
        if self.call.object != "contacts" or not email:
            return
        for (_, id_), row in self.writer.rows.items():
            if row.body.get("email") == email and str(id_) != str(self.inputs[place].get("id")):
                raise Refusal(409, f"Contact already exists. Existing ID: {id_}", category="CONFLICT")

    def note(self, place: int, row: Row, **more: Any) -> None:
        """The input's result is this record."""
        names = wanted(self.call.portal, self.call.object, self.values[place])
        shown = show(self.call.portal, self.call.object, row, names) | more
        if self.traces:
            shown["objectWriteTraceId"] = self.traces[place]
        self.results.append(shown)

    def answer(self, status: int = 200) -> Answer:
        """What the batch came to."""
        settings = self.call.portal.settings
        return batch_answer(
            self.results, self.errors, self.writer.at, status=status, is_multi_status=settings.is_multi_status
        )


def _refuse_duplicates(ids: Sequence[int]) -> None:
    twice = [str(id_) for id_, count in Counter(ids).items() if count > 1]
    if twice:
        message = f"Duplicate IDs found in batch input: [{', '.join(twice)}]. IDs must be unique"
        raise invalid(message, code="DUPLICATE_INPUT", context={"ids": twice})


def update(call: Call) -> Answer:
    """Up to 100 records have their properties.

    `idProperty` must be left out for record ids; an e-mail given as an id without it changes nothing and says nothing.
    """
    inputs, object_, portal = call.inputs(LIMIT), call.object, call.portal
    texts = _texts(inputs)
    id_property = _id_property(call, inputs)
    found = locate(portal, object_, texts, id_property)
    _refuse_duplicates([found[text] for text in texts if text in found])
    batch = _Batch(call, inputs)
    rows = fetch(portal, object_, list(found.values()))
    for place in sorted(batch.values):
        row = rows.get(found.get(texts[place], -1))
        if row is not None:
            new = batch.attempt_update(place, row)
            if new is not None:
                batch.note(place, new)
        elif id_property or is_id(texts[place]):
            batch.fail(place, "OBJECT_NOT_FOUND", "Object not found.  objectId are usually numeric.")
    spread_stage(portal, batch.writer)
    with portal.vault.transaction():
        batch.writer.flush()
    return batch.answer()


def _id_property(call: Call, inputs: Sequence[Mapping[str, Any]]) -> str | None:
    names = {one.get("idProperty") for one in inputs}
    if len(names) > 1:
        raise invalid("All inputs of a batch must have the same idProperty.", code="MIXED_ID_PROPERTIES")
    name = names.pop()
    if name == "hs_object_id":
        message = f"Unable to perform update/upsert by non-unique {TYPE_IDS[call.object]} property hs_object_id"
        raise invalid(message, code="INVALID_ID_PROPERTY", context={"propertyName": ["hs_object_id"]})
    return None if name is None else str(name)


def create(call: Call) -> Answer:
    """Up to 100 more records; a conflict fails all of them, but for trace ids."""
    batch = _Batch(call, call.inputs(LIMIT))
    with call.portal.vault.transaction():
        for place in sorted(batch.values):
            row = batch.attempt_create(place)
            if row is not None:
                batch.note(place, row)
        spread_stage(call.portal, batch.writer)
        batch.writer.flush()
    return batch.answer(201)


def upsert(call: Call) -> Answer:
    """Up to 100 records exist with their properties; each result says whether it is `new`.

    Partial success is not supported when upserting by e-mail (contacts guide).
    """
    inputs, object_, portal = call.inputs(LIMIT), call.object, call.portal
    texts = _texts(inputs)
    id_property = _id_property(call, inputs)
    if id_property is None:
        raise invalid("idProperty is required for upserts", context={"propertyName": ["idProperty"]})
    for one, text in zip(inputs, texts, strict=True):
        one["properties"] = {id_property: text, **properties_of(one)}
    found = find_ids(portal, object_, id_property, texts)
    _refuse_duplicates([found[text] for text in texts if text in found])
    unknown = [text.lower() for text in texts if text not in found]
    if len(set(unknown)) < len(unknown):
        raise invalid("Duplicate IDs found in batch input. IDs must be unique", code="DUPLICATE_INPUT")
    batch = _Batch(call, inputs, is_partial=id_property != "email")
    rows = fetch(portal, object_, list(found.values()))
    with portal.vault.transaction():
        for place in sorted(batch.values):
            old = rows.get(found.get(texts[place], -1))
            if old is not None and id_property == "email":
                # An upsert by a secondary e-mail finds its contact and leaves the primary one alone.
                del batch.values[place]["email"]
            row = batch.attempt_create(place) if old is None else batch.attempt_update(place, old)
            if row is not None:
                batch.note(place, row, new=old is None)
        spread_stage(portal, batch.writer)
        batch.writer.flush()
    return batch.answer()


def archive_all(call: Call) -> Answer:
    """Up to 100 records are archived; what does not exist is no error."""
    found = locate(call.portal, call.object, _texts(call.inputs(LIMIT)), None)
    with call.portal.vault.transaction():
        archive(call.portal, call.object, list(found.values()))
    return Answer(status=204)
