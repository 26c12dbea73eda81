"""The embedded CRM: one SQLite file, so that the worker can be tried, tested and used without any other CRM."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from connectors.base import FatalError
from connectors.crm.embedded.connector import EmbeddedConnector
from connectors.crm.embedded.database import EmbeddedCrm


def connect(settings: Mapping[str, object]) -> EmbeddedConnector:
    """Open the file named by the option `path`; it is read when it is first used."""
    path = settings.get("path")
    if not isinstance(path, (str, Path)) or not str(path):
        raise FatalError("the embedded CRM has no file", "give its path: options: {path: FILE}")
    return EmbeddedConnector(EmbeddedCrm(Path(path)))


__all__ = ["EmbeddedConnector", "EmbeddedCrm", "connect"]
