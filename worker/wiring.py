"""Opens what the settings name: connectors and notifiers by module, with their secrets, only when they are used."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from urllib.parse import quote

from connectors.base import Connector, FatalError
from connectors.hearing import Hearer
from connectors.notifier import Notifier
from worker.core.model import AccountId, Channel, ConnectorName
from worker.mapping import CrmMapping, load_mapping
from worker.settings import ConnectorSettings, NotifierSettings, Settings


@dataclass(frozen=True, slots=True)
class Crm:
    """One connected CRM and how its records become values.

    `settle`, where it is set, replaces what the connector says; `link` is the address of an account's page.
    """

    name: ConnectorName
    connector: Connector
    mapping: CrmMapping
    settle: timedelta | None = None
    link: str = ""

    def page_of(self, account_id: AccountId) -> str:
        """The address of the account's page, empty where none is known."""
        return self.link.replace("{id}", quote(account_id, safe=""))


@dataclass(frozen=True, slots=True)
class Outlet:
    """One open channel. `to` are the addresses of a shared channel; a personal one takes them from the people.

    `fallback` names the channel that tells what this one could not for `fallback_after`, empty for none.
    """

    name: str
    channel: Channel
    notifier: Notifier
    to: tuple[str, ...] = ()
    fallback: str = ""
    fallback_after: timedelta = timedelta(minutes=30)


def hearers(outlets: Iterable[Outlet]) -> Iterator[tuple[Outlet, Hearer]]:
    """The channels that hear clicks on their messages' buttons."""
    for outlet in outlets:
        if isinstance(outlet.notifier, Hearer) and outlet.notifier.capabilities().buttons:
            yield outlet, outlet.notifier


def open_crms(settings: Settings) -> tuple[Crm, ...]:
    """Every CRM of the settings. Raises FatalError naming the connector that cannot be opened."""
    return tuple(_open_crm(each) for each in settings.connectors)


def _open_crm(settings: ConnectorSettings) -> Crm:
    module = _module(settings.module, settings.name)
    connect = getattr(module, "connect", None)
    if connect is None:
        raise FatalError(
            f"connector {settings.name}: module {settings.module} has no connect()", "see connectors/base.py"
        )
    return Crm(settings.name, connect(_given(settings)), load_mapping(settings.mapping), settings.settle, settings.link)


def open_outlets(settings: Settings) -> tuple[Outlet, ...]:
    """Every channel of the settings. Raises FatalError naming the notifier that cannot be opened."""
    return tuple(_open_outlet(each) for each in settings.notifiers)


def _open_outlet(settings: NotifierSettings) -> Outlet:
    module = _module(settings.module, settings.name)
    opened = getattr(module, "open_notifier", None)
    if opened is None:
        reason = f"notifier {settings.name}: module {settings.module} has no open_notifier()"
        raise FatalError(reason, "see connectors/notifier.py")
    return Outlet(
        settings.name,
        settings.channel,
        opened(_given(settings)),
        settings.to,
        settings.fallback,
        settings.fallback_after,
    )


def _given(settings: ConnectorSettings | NotifierSettings) -> Mapping[str, object]:
    """What a module is opened with: its options, and its secrets in the open, at this one place."""
    return {**settings.options, **{name: secret.reveal() for name, secret in settings.secrets.items()}}


def _module(name: str, owner: str) -> object:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise FatalError(
            f"{owner}: module {name} cannot be imported: {error}", "correct `module` in the configuration"
        ) from error
