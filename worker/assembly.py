"""A whole worker out of settings: the one place that knows which part goes where."""

from __future__ import annotations

import contextlib
import gc
from dataclasses import dataclass
from datetime import timedelta

from connectors.base import Connector
from connectors.notifier import Notifier
from worker import phrasebook
from worker.alarms import Alarms
from worker.cycle import Cycle
from worker.detector import CachedDetector
from worker.digest import Gathering
from worker.heartbeat import Heartbeat
from worker.patience import Patience
from worker.ports import Ports
from worker.pull import Reading
from worker.render import Renderer
from worker.settings import Settings
from worker.store.database import Store, open_store
from worker.wiring import Crm, Outlet, open_crms, open_outlets


@dataclass(slots=True)
class Worker:
    """An open worker. `close` lets go of connections; the store is its owner's to close."""

    settings: Settings
    crms: tuple[Crm, ...]
    outlets: tuple[Outlet, ...]
    cycle: Cycle
    interval: timedelta
    heartbeat: Heartbeat

    def close(self) -> None:
        """Let go of connectors and notifiers."""
        opened: list[Connector | Notifier] = [crm.connector for crm in self.crms]
        opened += [outlet.notifier for outlet in self.outlets]
        for each in opened:
            with contextlib.suppress(Exception):
                each.close()


def open_state(settings: Settings, ports: Ports) -> Store:
    """The store that the settings name, migrated. Raises StoreError."""
    return open_store(settings.store_url.reveal(), ports)


def spare_the_collector() -> None:
    """Let Python look for cyclic garbage less often: a page of records makes thousands of objects and no cycle, and the
    collector's default has it run several times a page for nothing, a sixth of a first load.
    """
    gc.set_threshold(50_000, 20, 50)


def renderer(settings: Settings, language: str = "") -> Renderer:
    """The texts that the settings ask for, or those of another language."""
    names = settings.messages.restricted_names
    return Renderer(settings.templates_dir, language or settings.language, settings.timezone, names=names)


def assemble(
    settings: Settings,
    store: Store,
    ports: Ports,
    crms: tuple[Crm, ...] | None = None,
    outlets: tuple[Outlet, ...] | None = None,
) -> Worker:
    """Open everything. Raises FatalError for a connector, PhraseBookError for phrases, before anything is done."""
    spare_the_collector()
    crms = open_crms(settings) if crms is None else crms
    outlets = open_outlets(settings) if outlets is None else outlets
    words = renderer(settings)
    told = next((each for each in outlets if each.name == settings.alarms.notifier), None)
    cycle = Cycle(
        crms,
        outlets,
        store,
        ports,
        settings.policy,
        CachedDetector(phrasebook.load(settings.phrases_dir)),
        words,
        Reading(overlap=settings.overlap, sweep_every=settings.sweep_every),
        Patience(
            deadline=settings.retry.deadline,
            first=settings.retry.first_wait,
            most=settings.retry.max_wait,
            chat_age=settings.chat_max_age,
            tries=settings.retry.attempts,
        ),
        Gathering(settings.messages.storm, settings.messages.digest_calendar, settings.messages.daily),
        Alarms(store, words, told, settings.alarms.to, settings.alarms.after),
        timedelta(days=settings.retention_days),
    )
    interval = timedelta(seconds=settings.interval_seconds)
    return Worker(settings, crms, outlets, cycle, interval, Heartbeat(settings.heartbeat_file, settings.heartbeat_url))
