"""HubSpot: companies are accounts, tickets are cases; see deploy/hubspot/README.md for keys, scopes and options."""

from __future__ import annotations

from collections.abc import Mapping

from connectors.crm.hubspot.client import Client
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.crm.hubspot.options import read_options


def connect(settings: Mapping[str, object]) -> HubSpotConnector:
    """Secret `token` (a service key), or `client_id`, `client_secret` and `refresh_token`. Nothing is asked yet."""
    return HubSpotConnector(Client(read_options(settings), settings))


__all__ = ["HubSpotConnector", "connect"]
