"""HubSpot: contacts, companies, deals, leads and what happened to them."""

from __future__ import annotations

from connectors.hubspot.connector import HubSpot, connect

__all__ = ["HubSpot", "connect"]
