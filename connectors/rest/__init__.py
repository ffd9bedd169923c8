"""Customer-success tools, and whatever else speaks REST: described by presets."""

from __future__ import annotations

from connectors.rest.engine import RestTool, connect

__all__ = ["RestTool", "connect"]
