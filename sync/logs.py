"""Logs for machines and for the engineer at three in the morning: events with ids and counts, and no customer data.

Only the keys listed here are written. A library's own record keeps its logger and level and loses its text, since
libraries put addresses into theirs; an exception keeps its classes and places and loses its message.
"""

from __future__ import annotations

import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

if TYPE_CHECKING:
    from structlog.typing import EventDict, WrappedLogger

KEYS = frozenset(
    {
        "event", "level", "timestamp", "logger", "run_id", "verb", "system", "object", "record_id", "count", "changed",
        "deleted", "quarantined", "elapsed_s", "wait_s", "status", "outcome", "digest", "held", "calls", "code",
        "definition", "fault", "step", "mode", "where", "limit", "people", "accounts", "transitions",
    }
)  # fmt: skip
"""Everything a log line may hold; `docs/reference/logs.md` lists the events."""

logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger("headrace")


def configure(*, is_verbose: bool = False, is_daemon: bool = False, as_json: bool | None = None) -> None:
    """Send log lines to standard error: JSON where nobody watches, aligned text on a terminal.

    A daemon tells its runs and batches; a command that answers on the screen tells what is wrong; `is_verbose` tells
    every page and step.
    """
    as_json = not sys.stderr.isatty() if as_json is None else as_json
    shared = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_fault,
        _keep_known_keys,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],  # type: ignore[list-item]  # structlog types its own processor more widely
        wrapper_class=structlog.stdlib.BoundLogger,
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_drop_foreign_text, *shared],  # type: ignore[list-item]
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    level = logging.DEBUG if is_verbose else logging.INFO if is_daemon else logging.ERROR
    logging.getLogger("headrace").setLevel(level)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it warns of every poll that waits for the one before


def _drop_foreign_text(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    record: logging.LogRecord = event["_record"]
    event["logger"] = record.name
    event["event"] = "library.warned"
    event["exc_info"] = record.exc_info
    return event


def _name_fault(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    fault = event.pop("exc_info", None)
    if fault is True:
        fault = sys.exc_info()
    if isinstance(fault, tuple):
        fault = fault[1]
    if isinstance(fault, BaseException):
        event["fault"] = describe_fault(fault)
    event.pop("stack_info", None)
    return event


def _keep_known_keys(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    kept = {key: value for key, value in event.items() if key in KEYS or key.startswith("_")}
    event.clear()
    event.update(kept)
    return event


def describe_fault(fault: BaseException) -> str:
    """The classes of an exception and its causes, each with the place it was raised; never a message."""
    parts = []
    current: BaseException | None = fault
    while current is not None:
        place = ""
        frame = current.__traceback__
        while frame is not None and frame.tb_next is not None:
            frame = frame.tb_next
        if frame is not None:
            code = frame.tb_frame.f_code
            place = f" at {Path(code.co_filename).name}:{frame.tb_lineno} in {code.co_name}"
        parts.append(f"{type(current).__name__}{place}")
        current = current.__cause__ or current.__context__
    return " from ".join(parts)
