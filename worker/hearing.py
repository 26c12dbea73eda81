"""The lines on which people's clicks come, open for as long as this worker holds the lease; and how they stand.

A click is in the store before its channel hears that it arrived; then the next cycle is called, which answers it.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import datetime
from functools import partial

import msgspec
import structlog
from sqlalchemy import Connection

from connectors.hearing import Click, Hearing
from worker.ports import SystemPorts
from worker.store import clicks, guard
from worker.store.codec import decode, encode
from worker.store.database import Store
from worker.wiring import Outlet, hearers

_KEPT = "hearing."
_APART = 10.0
"""Seconds between two cycles that clicks call for: who presses on and on does not use up a CRM's quota."""
_log = structlog.get_logger(__name__)


class Standing(msgspec.Struct, frozen=True):
    """How a channel's line stands, and since when as far as cycles have seen it."""

    up: bool
    since: datetime
    failure: str = ""
    remedy: str = ""

    @property
    def words(self) -> str:
        """The state without its remedy."""
        if self.failure:
            return self.failure
        return "clicks are heard" if self.up else "nobody listens (only `run` does)"

    def __str__(self) -> str:
        return f"{self.words}; {self.remedy}" if self.remedy else self.words


class Ears:
    """Opens the lines, and keeps what is heard."""

    def __init__(self, store: Store, ports: SystemPorts) -> None:
        self._store = store
        self._ports = ports
        self._called = float("-inf")
        self._lock = threading.Lock()

    def open(self, outlets: Iterable[Outlet]) -> None:
        """Begin to listen on every channel that hears clicks; closing the channel ends it."""
        for outlet, hearer in hearers(outlets):
            hearer.listen(partial(self._keep, outlet.name))

    def _keep(self, lane: str, click: Click) -> None:
        """In a thread of the channel. Raises StoreError when it could not be kept: then it is delivered again."""
        with self._store.begin() as tx:
            fresh = clicks.keep(tx, lane, click, self._ports.now())
        _log.info("click", channel=lane, user=click.user, again=not fresh)
        if fresh and self._may_call():
            self._ports.wake()

    def _may_call(self) -> bool:
        with self._lock:
            now = self._ports.monotonic()
            due = now - self._called >= _APART
            self._called = now if due else self._called
        return due


def remember(tx: Connection, outlets: Iterable[Outlet], now: datetime) -> None:
    """Keep how the lines stand where the status page can read it: it runs elsewhere."""
    lines = {outlet.name: hearer.hearing() for outlet, hearer in hearers(outlets)}
    for outlet in outlets:
        line, before = lines.get(outlet.name), standing(tx, outlet.name)
        told = None if line is None else _seen(line, before, now)
        if told != before:
            guard.set_setting(tx, _KEPT + outlet.name, "" if told is None else encode(told).decode())


def _seen(line: Hearing, before: Standing | None, now: datetime) -> Standing:
    same = before is not None and (before.up, before.failure) == (line.up, line.failure)
    return Standing(line.up, before.since if before is not None and same else now, line.failure, line.remedy)


def standing(tx: Connection, name: str) -> Standing | None:
    """How a channel's line stood in the last cycle, None where there never was one."""
    kept = guard.setting(tx, _KEPT + name)
    return decode(kept, Standing) if kept else None
