"""What can go wrong, named by how headrace recovers from it.

| class            | what the engine does                                        | exit                             |
| ---------------- | ----------------------------------------------------------- | -------------------------------- |
| `OperatorError`  | stop; show every problem and the next step, no traceback    | 78 configuration, 2 usage, or 1  |
| `RetryLater`     | wait, then make the same call again                         | 1 once it is given up            |
| `SystemDown`     | stop this system's part of the run; the others continue     | 3                                |
| `RecordRejected` | settle as failed, set the record aside, carry on            | 3                                |
| `PlanRefused`    | write nothing; the run parks as a plan that awaits approval | 4                                |
| `LeaseHeld`      | do nothing at all                                           | 75                               |
| anything else    | a bug: traceback, stop                                      | 1                                |

The docstring of a class is its default message.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from mapping.text import Message, say

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime, timedelta

    from mapping.records import Ref


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that a person must mend: where it is, what is wrong, and what to do about it."""

    where: str
    message: Message
    hint: Message | None = None


class HeadraceError(Exception):
    """Something went wrong in headrace."""

    exit_code: ClassVar[int] = 1

    def __init__(self, message: Message | None = None) -> None:
        self.message = message or say((type(self).__doc__ or "").strip().splitlines()[0])
        super().__init__(str(self.message))


class OperatorError(HeadraceError):
    """Something that only a person can mend stands in the way."""

    def __init__(self, problems: Sequence[Problem], *, exit_code: int = 78, hint: Message | None = None) -> None:
        self.problems = tuple(problems)
        self.hint = hint
        self.exit_code = exit_code  # type: ignore[misc]  # the one class whose cause decides the code
        count = len(self.problems)
        if exit_code == 1:  # found at work; configuration and usage are looked at before anything is started
            words = say("1 problem.") if count == 1 else say("{count} problems.", count=count)
        elif count == 1:
            words = say("1 problem; nothing was started.")
        else:
            words = say("{count} problems; nothing was started.", count=count)
        super().__init__(words)


class RetryLater(HeadraceError):  # noqa: N818  # named by what the engine does
    """The system asked to be called again later."""

    def __init__(self, wait: timedelta, message: Message | None = None) -> None:
        self.wait = wait
        super().__init__(message)


class SystemDown(HeadraceError):  # noqa: N818  # named by what the engine does
    """The system cannot be used now."""

    exit_code = 3

    def __init__(self, system: str, message: Message | None = None, *, hint: Message | None = None) -> None:
        self.system = system
        self.hint = hint
        super().__init__(message)


class RecordRejected(HeadraceError):  # noqa: N818  # named by what the engine does
    """A record could not be read or written as it is."""

    exit_code = 3

    def __init__(self, ref: Ref, reason: Message) -> None:
        self.ref = ref
        super().__init__(reason)


class PlanRefused(HeadraceError):  # noqa: N818  # named by what the engine does
    """The plan is over a limit, so nothing was written."""

    exit_code = 4

    def __init__(self, why: Message, *, found: float, limit: float) -> None:
        self.found = found
        self.limit = limit
        super().__init__(why)


class LeaseHeld(HeadraceError):  # noqa: N818  # named by what the engine does
    """Another process is at work on this store."""

    exit_code = 75

    def __init__(self, owner: str, since: datetime) -> None:
        self.owner = owner
        self.since = since
        at = f"{since:%Y-%m-%d %H:%M:%S} UTC"
        super().__init__(say("{owner} has been at work on this store since {since}.", owner=owner, since=at))
