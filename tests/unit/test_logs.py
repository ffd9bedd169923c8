"""What a log line may hold, and what it must not."""

from __future__ import annotations

import io
import json
import logging
import sys
from typing import TYPE_CHECKING

import pytest
import structlog

from sync import logs

if TYPE_CHECKING:
    from collections.abc import Iterator

CANARY = "canary.person@leak.example"


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[io.StringIO]:
    out = io.StringIO()
    monkeypatch.setattr(sys, "stderr", out)
    before = logging.getLogger().handlers
    logs.configure(is_verbose=True, as_json=True)
    yield out
    logging.getLogger().handlers = before
    structlog.reset_defaults()


def test_known_keys_pass_and_others_are_dropped(lines: io.StringIO):
    """An address that a careless call adds does not reach the log."""
    logs.logger.info("poll.batch_read", system="hubspot", count=3, email=CANARY)

    told = json.loads(lines.getvalue())
    assert (told["event"], told["system"], told["count"]) == ("poll.batch_read", "hubspot", 3)
    assert CANARY not in lines.getvalue()


def test_exception_tells_its_place_and_not_its_text(lines: io.StringIO):
    """Vendors' messages quote the values that they refuse."""
    try:
        try:
            raise ValueError(CANARY)
        except ValueError as cause:
            raise RuntimeError(f"while writing {CANARY}") from cause
    except RuntimeError:
        logs.logger.exception("run.failed", run_id=1)

    told = json.loads(lines.getvalue())
    assert told["fault"].startswith("RuntimeError at test_logs.py:")
    assert " from ValueError at test_logs.py:" in told["fault"]
    assert CANARY not in lines.getvalue()


def test_library_keeps_its_name_and_loses_its_text(lines: io.StringIO):
    """Libraries put addresses into their warnings."""
    logging.getLogger("vendor.client").warning("could not reach %s", CANARY)

    told = json.loads(lines.getvalue())
    assert (told["event"], told["logger"], told["level"]) == ("library.warned", "vendor.client", "warning")
    assert CANARY not in lines.getvalue()


def test_library_exception_loses_its_text_too(lines: io.StringIO):
    """A traceback of the scheduler may hold a payload."""
    try:
        raise KeyError(CANARY)
    except KeyError:
        logging.getLogger("apscheduler").exception("job failed for %s", CANARY)

    assert CANARY not in lines.getvalue()
    assert "KeyError at test_logs.py" in lines.getvalue()
