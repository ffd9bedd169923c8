"""What `doctor` looks at in a portal, and what it mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Finding, Severity
from connectors.findings import broken, fine, readable, writable
from connectors.hubspot.answers import QUOTA_HINT, Rejection
from connectors.hubspot.read import WHOLE
from connectors.hubspot.schema import ACCEPTED, SchemaRefused
from mapping.errors import SystemDown
from mapping.text import say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from connectors.base import Written
    from connectors.hubspot.api import Account, Api
    from connectors.hubspot.read import Selection
    from connectors.hubspot.schema import Definition, Schema
    from mapping.text import Message

_QUOTA_SHARE = 0.8


class Doctor:
    """Examines one portal; `open_schema` is called once, when definitions are looked at."""

    def __init__(
        self,
        api: Api,
        selections: Mapping[str, Selection],
        portal_id: int | None,
        open_schema: Callable[[], Schema],
    ) -> None:
        self._api = api
        self._selections = selections
        self._portal_id = portal_id
        self._open_schema = open_schema

    def examine(self, written: Sequence[Written], *, fix: bool) -> Iterator[Finding]:
        """Yield what is wrong singly and what is well together; ends early where the portal cannot be used at all."""
        try:
            account = self._api.account()
        except SystemDown as down:
            yield broken("credentials", down)
            return
        yield fine("credentials", say("HubSpot accepts the token."))
        yield self._identity(account)
        if self._portal_id is not None and account.portalId != self._portal_id:
            return
        yield from self._quota()
        faults = {object_: self._reach(object_, selection) for object_, selection in self._selections.items()}
        yield from filter(None, faults.values())
        if within_reach := [object_ for object_, fault in faults.items() if fault is None]:
            yield readable(within_reach)
        schema = self._open_schema()
        try:
            for object_ in dict.fromkeys((*(one.object for one in written), *self._selections)):
                if object_ not in WHOLE:
                    yield from self._properties(schema, object_, [one for one in written if one.object == object_], fix)
        finally:
            schema.close()

    def _identity(self, account: Account) -> Finding:
        found = str(account.portalId)
        if self._portal_id is None:
            message = say("The token belongs to portal {found} ({kind}).", found=found, kind=account.accountType or "-")
            hint = say("Set portal_id = {found}, so that no other portal is ever written to.", found=found)
            return Finding(check="identity", severity=Severity.WARNING, message=message, hint=hint)
        if account.portalId != self._portal_id:
            return Finding(
                check="identity",
                severity=Severity.ERROR,
                message=other_portal(found, str(self._portal_id)),
                hint=say("Use a token of the right portal, or mend portal_id."),
            )
        return fine("identity", say("The portal is {found}.", found=found))

    def _quota(self) -> Iterator[Finding]:
        try:
            usages = self._api.usage()
        except SystemDown:
            return  # not every kind of token may ask
        for usage in usages:
            if usage.usageLimit <= 0:
                continue
            share = usage.currentUsage / usage.usageLimit
            message = say(
                "{used} of {limit} calls of the day are used.", used=usage.currentUsage, limit=usage.usageLimit
            )
            if share < _QUOTA_SHARE:
                yield fine("limits", message)
            else:
                yield Finding(check="limits", severity=Severity.WARNING, message=message, hint=QUOTA_HINT)

    def _reach(self, object_: str, selection: Selection) -> Finding | None:
        """What keeps a record of an object from being read; None where one was."""
        check = f"read {object_}"
        try:
            if object_ == "owners":
                self._api.owners(archived=False, after="")
            elif object_ == "pipelines":
                self._api.pipelines("deals")
            else:
                query = self._api.list_query(object_, selection.fields[:1], limit=1)
                self._api.list_page(object_, query, "")
        except Rejection as rejection:
            if object_ == "leads" and rejection.is_absence:
                return Finding(
                    check=check,
                    severity=Severity.WARNING,
                    message=say("The portal has no leads, or the token may not read them; they are left out."),
                    hint=rejection.hint,
                )
            return broken(check, rejection)
        except SystemDown as down:
            return broken(check, down)
        return None

    def _properties(
        self,
        schema: Schema,
        object_: str,
        written: Sequence[Written],
        fix: bool,  # noqa: FBT001  # private
    ) -> Iterator[Finding]:
        try:
            known = schema.definitions(object_)
        except SchemaRefused as refused:
            if written or refused.status not in {403, 404}:
                yield Finding(
                    check=f"properties of {object_}",
                    severity=Severity.ERROR if written else Severity.WARNING,
                    message=refused.message,
                    hint=refused.hint,
                )
            return
        except SystemDown as down:
            yield broken(f"properties of {object_}", down)
            return
        sound = []
        for one in written:
            finding = self._field(schema, known, one, fix=fix)
            if finding:
                yield finding
            else:
                sound.append(one.field)
        if sound:
            yield writable(object_, sound)
        ours = {one.field for one in written}
        selection = self._selections.get(object_)
        asked = (*selection.fields, *selection.histories) if selection else ()
        absent = sorted({name for name in asked if name not in known and name not in ours})
        if absent:
            yield Finding(
                check=f"properties of {object_}",
                severity=Severity.WARNING,
                message=say(
                    "{object} lacks properties that are read: {names}.", object=object_, names=", ".join(absent)
                ),
                hint=say("What depends on them stays unknown; the portal's edition may not have them."),
            )

    def _field(self, schema: Schema, known: Mapping[str, Definition], one: Written, *, fix: bool) -> Finding | None:
        """What is wrong with a property of ours, or was mended; None where it is there, fitting and whole."""
        name = f"{one.object}.{one.field}"
        definition = known.get(one.field)
        if definition is None:
            return self._mend(
                name,
                say("The property {name} does not exist.", name=name),
                say("The property {name} was created.", name=name),
                lambda: schema.create(one.object, one),
                fix=fix,
            )
        lacking = [value for value in one.options if value not in definition.options]
        if definition.is_read_only:
            return _unfit(name, say("The property {name} is read-only.", name=name))
        if definition.type not in ACCEPTED.get(one.role, frozenset({definition.type})):
            return _unfit(
                name,
                say(
                    "The property {name} is of type {type}, which cannot hold a {role}.",
                    name=name,
                    type=definition.type,
                    role=one.role,
                ),
            )
        if definition.type == "enumeration" and lacking:
            return self._mend(
                name,
                say("The property {name} lacks options: {options}.", name=name, options=", ".join(lacking)),
                say("Options were added to the property {name}.", name=name),
                lambda: schema.extend(one.object, one, definition.options),
                fix=fix,
            )
        return None

    def _mend(self, name: str, wrong: Message, done: Message, mend: Callable[[], None], *, fix: bool) -> Finding:
        if not fix:
            return _unfit(name, wrong, is_fixable=True)
        try:
            mend()
        except SystemDown as down:
            return broken(name, down, is_fixable=True)
        return fine(name, done)


def other_portal(found: str, expected: str) -> Message:
    """What to say of a token that belongs to another portal than the configured one."""
    return say("The token belongs to portal {found}, not to {expected}.", found=found, expected=expected)


def _unfit(name: str, message: Message, *, is_fixable: bool = False) -> Finding:
    hint = (
        say("`headrace doctor --fix` mends it.")
        if is_fixable
        else say("Name another property in the write table, or mend this one in HubSpot.")
    )
    return Finding(check=name, severity=Severity.ERROR, message=message, hint=hint, is_fixable=is_fixable)
