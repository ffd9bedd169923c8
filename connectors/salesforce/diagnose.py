"""What `doctor` looks at in a Salesforce org, and mends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Finding, Severity
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
        """Yield a finding for each thing looked at; ends early where the org cannot be used at all."""
        try:
            yield from self._identity()
        except SystemDown as error:
            yield Finding(check="credentials", severity=Severity.ERROR, message=error.message, hint=error.hint)
            return
        # Imported here since it is heavy, and only needed now.
        from connectors.salesforce.schema import Admin, RefusedCall  # noqa: PLC0415

        admin = Admin(self._session)
        try:
            yield from self._limits(admin)
            for object_, fields in self._fields.items():
                yield from self._readable(object_, admin.describe(object_), fields)
            for each in written:
                yield from self._writable(admin, each, fix=fix)
        except SystemDown as error:
            yield Finding(check="schema", severity=Severity.ERROR, message=error.message, hint=error.hint)
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
        yield _ok("credentials", say("Logged in; the API version is {version}.", version=self._session.api_version))
        found = self._session.login.organization_id
        if self._organization_id:
            yield _ok("organization", say("This is the org {id}.", id=found))
        else:
            yield Finding(
                check="organization",
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
        severity = Severity.OK if left >= most * _SCARCE else Severity.WARNING
        yield Finding(check="limits", severity=severity, message=message)

    def _readable(self, object_: str, shape: Shape | None, fields: Sequence[str]) -> Iterator[Finding]:
        if shape is None or not shape.queryable:
            yield Finding(
                check=f"read {object_}",
                severity=Severity.WARNING,
                message=say(
                    "The org has no {object}, or does not show it to this user; it is left out.", object=object_
                ),
                hint=say("Give the integration user's permission set read access to {object}.", object=object_),
            )
            return
        missing = [name for name in fields if name not in shape.by_name]
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
            yield _ok(f"read {object_}", say("{object}: all fields can be read.", object=object_))

    def _writable(self, admin: Admin, written: Written, *, fix: bool) -> Iterator[Finding]:
        shape = admin.describe(written.object)
        field = shape.by_name.get(written.field) if shape else None
        check = f"write {written.object}.{written.field}"
        if field is not None:
            yield from _fitness(check, field, written)
        elif shape is not None and fix:
            yield from self._create(admin, check, written)
        else:
            yield Finding(
                check=check,
                severity=Severity.ERROR,
                message=say("{object} has no field {field}.", object=written.object, field=written.field),
                hint=say("`headrace doctor --fix` creates it.") if shape else None,
                is_fixable=shape is not None,
            )

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
            yield _ok(check, say("{object}.{field} was created.", object=written.object, field=written.field))
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


def _fitness(check: str, field: Field, written: Written) -> Iterator[Finding]:
    """Whether a field can carry what it is to carry: one finding for each thing that stands in the way, or one good."""
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
    if not problems:
        yield _ok(check, say("{object}.{field} can be written.", object=written.object, field=written.field))


def _ok(check: str, message: Message) -> Finding:
    return Finding(check=check, severity=Severity.OK, message=message)
