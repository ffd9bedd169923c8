"""What `doctor` looks at in a Salesforce org, and mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Finding, Severity
from connectors.findings import broken, fine, readable, writable
from mapping.errors import SystemDown
from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from connectors.base import Written
    from connectors.salesforce.schema import Admin
    from connectors.salesforce.session import Session
    from connectors.salesforce.shapes import Field, Shape, Shapes

_TYPES = {
    "stage": frozenset({"string", "picklist", "textarea", "combobox"}),
    "id": frozenset({"string"}),
    "score": frozenset({"double", "int", "currency", "percent"}),
    "stage_at": frozenset({"datetime"}),
}
_SCARCE = 0.2
"""A share of the daily calls that is little to have left: others use them too."""


class Doctor:
    """Looks at one org, in an order in which each check rests on those before it."""

    def __init__(
        self,
        session: Session,
        shapes: Shapes,
        fields: Mapping[str, Sequence[str]],
        *,
        organization_id: str | None,
    ) -> None:
        self._session = session
        self._shapes = shapes
        self._fields = fields
        self._organization_id = organization_id

    def examine(self, written: Sequence[Written], *, fix: bool) -> Iterator[Finding]:
        """Yield what is wrong singly and what is well together; ends early where the org cannot be used at all."""
        try:
            yield from self._identity()
        except SystemDown as error:
            yield broken("credentials", error)
            return
        # Imported here since it is heavy, and only needed now.
        from connectors.salesforce.schema import Admin, RefusedCall  # noqa: PLC0415

        admin = Admin(self._session)
        try:
            yield from self._limits(admin)
            objects = dict.fromkeys((*self._fields, *(each.object for each in written)))
            shapes = {object_: admin.describe(object_) for object_ in objects}
            yield from self._readable(shapes)
            for object_, shape in shapes.items():
                yield from self._writable(admin, shape, [each for each in written if each.object == object_], fix=fix)
        except SystemDown as error:
            yield broken("schema", error)
        except RefusedCall as refused:
            yield Finding(
                check="schema",
                severity=Severity.ERROR,
                message=say("The org refused to describe itself: {code}.", code=refused.fault.code),
                hint=say("The integration user needs API access, and View Setup and Configuration."),
            )
        finally:
            admin.close()

    def _identity(self) -> Iterator[Finding]:
        self._session.server_now()
        yield fine("credentials", say("Logged in; the API version is {version}.", version=self._session.api_version))
        found = self._session.login.organization_id
        if self._organization_id:
            yield fine("identity", say("This is the org {id}.", id=found))
        else:
            yield Finding(
                check="identity",
                severity=Severity.WARNING,
                message=say("This is the org {id}; the configuration does not say which one it must be.", id=found),
                hint=say("Set organization_id, so that headrace never writes to another org by mistake."),
            )

    def _limits(self, admin: Admin) -> Iterator[Finding]:
        daily = admin.limits().get("DailyApiRequests")
        if not daily:
            return
        most, left = daily["Max"], daily["Remaining"]
        message = say("{left} of {most} API calls of the day are left.", left=left, most=most)
        if left >= most * _SCARCE:
            yield fine("limits", message)
        else:
            hint = say("Calls become free again over 24 hours; poll less often, or ask for more calls.")
            yield Finding(check="limits", severity=Severity.WARNING, message=message, hint=hint)

    def _readable(self, shapes: Mapping[str, Shape | None]) -> Iterator[Finding]:
        whole = []
        for object_, fields in self._fields.items():
            shape = shapes[object_]
            if shape is None or not shape.queryable:
                yield Finding(
                    check=f"read {object_}",
                    severity=Severity.WARNING,
                    message=say(
                        "The org has no {object}, or does not show it to this user; it is left out.", object=object_
                    ),
                    hint=say("Give the integration user's permission set read access to {object}.", object=object_),
                )
                continue
            known = shape.by_name
            missing = [name for name in fields if name not in known]
            if missing:
                yield Finding(
                    check=f"read {object_}",
                    severity=Severity.WARNING,
                    message=say(
                        "{object} lacks, or hides from this user: {fields}. They count as unknown.",
                        object=object_,
                        fields=", ".join(missing),
                    ),
                    hint=say("Give the integration user's permission set read access to these fields."),
                )
            else:
                whole.append(object_)
        if whole:
            yield readable(whole)

    def _writable(
        self, admin: Admin, shape: Shape | None, written: Sequence[Written], *, fix: bool
    ) -> Iterator[Finding]:
        """Judge our fields of one object."""
        known = shape.by_name if shape else {}
        sound = []
        for each in written:
            field = known.get(each.field)
            check = f"write {each.object}.{each.field}"
            if field is not None:
                wrong = list(_unfitness(check, field, each))
                yield from wrong
                sound += [] if wrong else [each.field]
            elif shape is not None and fix:
                yield from self._create(admin, check, each)
            else:
                yield Finding(
                    check=check,
                    severity=Severity.ERROR,
                    message=say("{object} has no field {field}.", object=each.object, field=each.field),
                    hint=say("`headrace doctor --fix` creates it.") if shape else None,
                    is_fixable=shape is not None,
                )
        if sound:
            yield writable(written[0].object, sound)

    def _create(self, admin: Admin, check: str, written: Written) -> Iterator[Finding]:
        from connectors.salesforce.schema import RefusedCall  # noqa: PLC0415  # as above

        try:
            admin.create(written.object, written.field, written.role, written.options)
        except RefusedCall as refused:
            yield Finding(
                check=check,
                severity=Severity.ERROR,
                message=say(
                    "The org did not create {object}.{field}: {code}: {words}",
                    object=written.object,
                    field=written.field,
                    code=refused.fault.code,
                    words=refused.fault.words,
                ),
                hint=say("An administrator can create it by hand, or give this user Customize Application."),
            )
            return
        admin.grant(written.object, written.field)
        self._shapes.forget(written.object)
        shape = admin.describe(written.object)
        if shape is not None and written.field in shape.by_name:
            yield fine(check, say("{object}.{field} was created.", object=written.object, field=written.field))
        else:
            yield Finding(
                check=check,
                severity=Severity.WARNING,
                message=say(
                    "{object}.{field} was created; nobody can see it yet.", object=written.object, field=written.field
                ),
                hint=say(
                    "Give the integration user's permission set edit access to the field, and whoever should read it."
                ),
            )


def _unfitness(check: str, field: Field, written: Written) -> Iterator[Finding]:
    """Yield a finding for each thing that keeps a field from carrying what it is to carry."""
    problems: list[tuple[Message, Message]] = []
    if not field.updateable:
        problems.append(
            (
                say("{field} cannot be written by this user.", field=field.name),
                say("Give the integration user's permission set edit access to it."),
            )
        )
    fitting = _TYPES.get(written.role)
    if fitting and field.type not in fitting:
        problems.append(
            (
                say(
                    "{field} is of type {type}, which cannot carry a {role}.",
                    field=field.name,
                    type=field.type,
                    role=written.role,
                ),
                say("Use another field; its type should be one of: {types}.", types=", ".join(sorted(fitting))),
            )
        )
    offered = {option.value for option in field.picklist_values if option.active}
    absent = [option for option in written.options if option not in offered]
    if field.restricted_picklist and absent:
        problems.append(
            (
                say("{field} does not accept: {values}.", field=field.name, values=", ".join(absent)),
                say("Add the values to the picklist, or make it unrestricted."),
            )
        )
    longest = max((len(option) for option in written.options), default=0)
    if field.type == "string" and 0 < field.length < longest:
        problems.append(
            (
                say(
                    "{field} holds {length} characters; a stage has {longest}.",
                    field=field.name,
                    length=field.length,
                    longest=longest,
                ),
                say("Make the field longer."),
            )
        )
    for message, hint in problems:
        yield Finding(check=check, severity=Severity.ERROR, message=message, hint=hint)
