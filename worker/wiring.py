"""Opens what the settings name: connectors and notifiers by module, the store by URL, phrases, templates."""

from __future__ import annotations

from dataclasses import dataclass

from connectors.base import Connector, Notifier
from worker.core.model import Channel, ConnectorName
from worker.mapping import CrmMapping


@dataclass(frozen=True, slots=True)
class Crm:
    """One connected CRM and how its records become values."""

    name: ConnectorName
    connector: Connector
    mapping: CrmMapping


@dataclass(frozen=True, slots=True)
class Outlet:
    """One open channel. `to` are the addresses of a shared channel; a personal one takes them from the people."""

    name: str
    channel: Channel
    notifier: Notifier
    to: tuple[str, ...] = ()
