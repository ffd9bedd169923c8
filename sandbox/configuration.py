"""The headrace configuration of a running sandbox: it works as it is, with its secrets in files beside it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from sandbox.faults import Credentials

_SALESFORCE_OBJECTS: Final = ("Lead", "Contact", "Account", "Opportunity")
_HUBSPOT_OBJECTS: Final = ("contacts", "companies", "deals")
_VITALLY_OBJECTS: Final = ("accounts", "users")

HEADING: Final = "# A company that does not exist: three simulated vendors on this machine."
"""The first words of every configuration of a sandbox."""

_TEMPLATE: Final = """\
{heading} They run while `headrace sandbox` does.

[state]
url = "sqlite:///headrace.db"

[systems.salesforce]
kind = "salesforce"
login_url = "{salesforce}"
auth = {{ flow = "client_credentials", client_id = {{ file = "salesforce-client-id" }}, \
client_secret = {{ file = "salesforce-client-secret" }} }}
# auth = {{ flow = "jwt_bearer", client_id = {{ file = "salesforce-client-id" }}, username = "{username}", \
private_key = {{ file = "salesforce.pem" }} }}
api_version = "68.0"
poll_every = "5m"
requests_limited = false
{salesforce_tables}
[systems.hubspot]
kind = "hubspot"
base_url = "{hubspot}"
auth = {{ flow = "service_key", token = {{ file = "hubspot-token" }} }}
api_version = "2026-09"
poll_every = "5m"
requests_limited = false
{hubspot_tables}
[systems.cs]
kind = "rest"
preset = "vitally"
base_url = "{cs}"
auth = {{ flow = "basic", username = {{ file = "vitally-key" }} }}
poll_every = "15m"
requests_limited = false
{vitally_tables}
[writes]
mode = "{mode}"

[guard]
max_changes = {max_changes}
max_share = {max_share}

[company]
time_zone = "Asia/Tokyo"
currency = "JPY"
fiscal_year_start = 4
"""


def write_config(
    folder: Path,
    *,
    urls: Mapping[str, str],
    credentials: Credentials,
    private_key: str,
    mode: str,
    max_changes: int,
    max_share: float,
) -> Path:
    """`config.toml` and the secrets it names stand in the folder, the secrets for their owner's eyes only."""
    folder.mkdir(parents=True, exist_ok=True)
    secrets = {
        "salesforce-client-id": credentials.salesforce_client_id,
        "salesforce-client-secret": credentials.salesforce_client_secret,
        "salesforce.pem": private_key,
        "hubspot-token": credentials.hubspot_token,
        "vitally-key": credentials.vitally_key,
    }
    for name, secret in secrets.items():
        _write_secret(folder / name, secret)
    upper = {"stage": "Canonical_Stage__c", "score": "Canonical_Score__c"}
    upper |= {"stage_at": "Canonical_Stage_At__c", "id": "Canonical_Id__c"}
    lower = {key: f"canonical_{key}" for key in ("stage", "score", "stage_at", "id")}
    path = folder / "config.toml"
    text = _TEMPLATE.format(
        heading=HEADING,
        **urls,
        username=credentials.salesforce_username,
        salesforce_tables=_tables("salesforce", _SALESFORCE_OBJECTS, upper),
        hubspot_tables=_tables("hubspot", _HUBSPOT_OBJECTS, lower),
        vitally_tables=_tables("cs", _VITALLY_OBJECTS, lower),
        mode=mode,
        max_changes=max_changes,
        max_share=float(max_share),
    )
    path.write_text(text, encoding="utf-8")
    return path


def _tables(system: str, objects: tuple[str, ...], fields: Mapping[str, str]) -> str:
    lines: list[str] = []
    for object_ in objects:
        lines.append(f"[systems.{system}.write.{object_}]")
        lines += [f'{key} = "{field}"' for key, field in fields.items()]
        lines.append("")
    return "\n".join(lines)


def _write_secret(path: Path, secret: str) -> None:
    path.unlink(missing_ok=True)  # so that the mode below is that of a new file
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(secret)
