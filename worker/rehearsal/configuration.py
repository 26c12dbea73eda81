"""The configuration for a worker that rehearses on a twin: what ops paste, and a folder in which it stands ready."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from worker.portfolio import Portfolio
from worker.rehearsal.words import executives, text_of

_PEOPLE = {"vp_cs": "VP Customer Success", "cs_manager": "CS Manager", "ceo": "CEO", "cfo": "CFO", "cto": "CTO"}
_TEMPLATE = """\
# The rehearsal's configuration: the shipped policy on a strict {vendor} of this machine.
language: en
{connectors}
notifiers:
  console:
    options: {{path: messages.txt}}
  email:
    options: {{directory: mail, sender: escalations@example.com}}
people:
{people}
state_dir: state
interval: 30s
"""
SECRET_FILE = "secret"  # noqa: S105 - the name of a file


def salesforce_connector(url: str, key: str) -> str:
    """The part of the configuration that names the org."""
    return f"""\
connectors:
  salesforce:
    options: {{instance_url: "{url}", allow_loopback_http: true, client_id: {key}}}
    secrets: {{client_secret: {{file: {SECRET_FILE}}}}}"""


def hubspot_connector(url: str, zone: str) -> str:
    """The part of the configuration that names the portal."""
    return f"""\
connectors:
  hubspot:
    options: {{host: "{url}", zone: {zone}}}
    secrets: {{token: {{file: {SECRET_FILE}}}}}"""


def written(folder: Path, vendor: str, connectors: str, secret: str, people: str = "") -> Path:
    """Write the configuration and its secret into a folder; returns the path of the configuration."""
    folder.mkdir(parents=True, exist_ok=True)
    secret_file = folder / SECRET_FILE
    secret_file.unlink(missing_ok=True)
    with os.fdopen(os.open(secret_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as stream:
        stream.write(secret + "\n")
    path = folder / "escalation.yaml"
    text = _TEMPLATE.format(vendor=vendor, connectors=connectors, people=people or "  {}")
    path.write_text(text, encoding="utf-8")
    return path


def people_of(portfolio: Portfolio, ids: Mapping[str, str]) -> str:
    """The people whom the policy names, by their ids in the CRM."""
    known = (*portfolio.users, *executives())
    lines = []
    for role, title in _PEOPLE.items():
        _, key, _, person = next(each for each in known if each[3]["title"] == title)
        told = f"name: {text_of(person, 'name')}, email: {text_of(person, 'email')}, title: {title}"
        lines.append(f'  {role}: {{id: "{ids[key]}", {told}}}')
    return "\n".join(lines)
