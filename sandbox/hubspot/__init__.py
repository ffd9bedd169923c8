"""HubSpot's CRM API as far as headrace and its tests use it, over the vault's tables.

Dated paths (`/crm/objects/2026-09/…`, 2026-03) and their v3 and v4 aliases answer alike but for the differences that
HubSpot makes itself. `sandbox.hubspot.settings` says what a test can set, `sandbox.hubspot.outages` which answers it
can script. What is not documented and could not be observed is marked as a choice where it is made.
"""

from __future__ import annotations

from sandbox.hubspot.app import hubspot_app

__all__ = ["hubspot_app"]
