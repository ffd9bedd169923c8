"""Which module speaks with which kind of system; imported only when such a system is configured."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    from connectors.base import Connector

KINDS = {
    "salesforce": "connectors.salesforce:connect",
    "hubspot": "connectors.hubspot:connect",
    "rest": "connectors.rest:connect",
}
"""The `kind` of a configured system, and where its `connect` factory is."""


def connector(kind: str) -> Callable[..., Connector]:
    """The factory for a kind of system: a function of plain values that returns a connector and calls nobody yet.

    Raises KeyError for a kind that there is none of; the configuration has checked it before.
    """
    module, _, name = KINDS[kind].partition(":")
    return cast("Callable[..., Connector]", getattr(import_module(module), name))
