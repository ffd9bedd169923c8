"""The steps of a cycle; `sync.pipeline` reads them top to bottom."""

from __future__ import annotations

from threading import Event

NEVER = Event()
"""Asks no step to come to an end; nobody sets it."""
