"""The loop on one machine: interval, heartbeat, lease, reload.

What a stop in the middle of a step leaves on trial is found out by the next start. A faulty configuration is refused
when it is read again, and the old one stays.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Protocol

import structlog
from sqlalchemy import Connection

from worker import hearing, quota
from worker.core.model import AccountId, ConnectorName
from worker.cycle import Cycle, CycleReport
from worker.exits import ExitCode
from worker.heartbeat import Heartbeat
from worker.ports import SystemPorts
from worker.signals import Signals
from worker.store import guard, outbox
from worker.store.codec import decode, encode
from worker.store.database import Store, StoreBusyError, StoreError
from worker.store.deliveries import State
from worker.undecided import REMEDY, Undecided
from worker.wiring import Crm, Outlet

_LEASE = "runner"
_CYCLES = "recent_cycles"
_CYCLES_KEPT = 20
_log = structlog.get_logger(__name__)


class AlreadyRunningError(Exception):
    """Another worker holds the lease of this store."""


class Running(Protocol):
    """What the loop needs of an open worker; closing lets go of connections, the store excepted."""

    crms: tuple[Crm, ...]
    outlets: tuple[Outlet, ...]
    cycle: Cycle
    interval: timedelta
    heartbeat: Heartbeat

    def close(self) -> None:
        """Let go of connectors and notifiers."""
        ...


class Chore(NamedTuple):
    """What else may be due before a cycle, and what a person can do where it fails."""

    name: str
    do: Callable[[datetime], object]
    remedy: str


class Runner:
    """Runs cycles until it is asked to stop."""

    def __init__(
        self,
        running: Running,
        store: Store,
        ports: SystemPorts,
        chores: Sequence[Chore] = (),
    ) -> None:
        """`chores` are what else may be due before a cycle, such as the month's report; a failure disturbs nothing."""
        self._running = running
        self._chores = chores
        self._store = store
        self._ports = ports
        self._failures: dict[str, str] = {}

    def loop(self, signals: Signals, reopen: Callable[[], Running]) -> ExitCode:
        """Run a cycle each interval. Raises AlreadyRunningError when another worker holds the lease."""
        self._take_lease()
        ears = hearing.Ears(self._store, self._ports)
        try:
            ears.open(self._running.outlets)
            while not signals.stop:
                if signals.reload:
                    signals.reload = False
                    self._reload(reopen, ears)
                started = self._ports.monotonic()
                self._guarded_cycle()
                rest = self._running.interval.total_seconds() - (self._ports.monotonic() - started)
                self._ports.sleep(max(1.0, rest))
                self._take_lease()
        finally:
            self._running.close()
            self._let_go()
        return ExitCode.OK

    def once(self) -> tuple[ExitCode, CycleReport]:
        """One cycle, for cron: also waits until every effect on trial has an answer."""
        self._take_lease()
        try:
            report = self._cycle()
            patience = 3
            while report.writes and patience and self._running.cycle.deliverer.waiting():
                self._ports.sleep(self._running.cycle.settling.total_seconds())
                report.lanes = self._running.cycle.deliverer.run()
                patience -= 1
        finally:
            self._let_go()
        return self.exit_code(report), report

    def _guarded_cycle(self) -> None:
        """A full disk or a locked database ends a cycle, never the worker: nothing was sent without its intent."""
        try:
            self._cycle()
        except StoreError as error:
            self._report_failure("store", str(error), error.remedy)
        else:
            self._report_failure("store", "", "")

    def _do_chores(self) -> None:
        for chore in self._chores:
            try:
                chore.do(self._ports.now())
            except StoreError:
                raise
            except Exception as error:  # noqa: BLE001  the cycle matters more than what else there is to do
                self._report_failure(chore.name, f"{type(error).__name__}: {error}", chore.remedy)
            else:
                self._report_failure(chore.name, "", "")

    def _cycle(self) -> CycleReport:
        self._do_chores()
        report = self._running.cycle.run()
        self._log_cycle(report)
        with self._store.begin() as tx:
            kept = [summary(report), *recent_cycles(tx)][:_CYCLES_KEPT]
            guard.set_setting(tx, _CYCLES, encode(kept).decode())
            quota.keep(tx, self._running.crms, self._ports.now())
            hearing.remember(tx, self._running.outlets, self._ports.now())
        heartbeat = self._running.heartbeat
        heartbeat.beat(report.began, good=not _failed(report))
        self._report_failure("heartbeat", heartbeat.failure, "look at the address and the watcher")
        return report

    def _log_cycle(self, report: CycleReport) -> None:
        told = summary(report)
        if told["opened"] or told["changed"] or told["delivered"] or told["read_changed"]:
            _log.info("cycle", **told)
        for name, crm in report.crms.items():
            for kind, read in crm.reads.items():
                self._report_failure(f"{name}.{kind.value}", read.failure, read.remedy)
            self._report_undecided(name, crm.undecided)
            if crm.alarm and crm.hold is not None:
                _log.error(
                    "new escalations are held",
                    connector=name,
                    why=crm.hold.why.value,
                    count=crm.hold.count,
                    by_level=crm.hold.by_level,
                    remedy="look at them with `dry-run`, then say yes with `approve`",
                )
        for outlet in self._running.outlets:
            self._report_failure(f"buttons.{outlet.name}", *report.unheard.get(outlet.name, ("", "")))
        for lane, delivered in report.lanes.items():
            self._report_failure(f"lane.{lane}", delivered.failure, delivered.remedy)
            if delivered.refused:
                _log.error("refused", lane=lane, count=delivered.refused, remedy="see `dead-letters`, then `retry`")

    def _report_undecided(self, name: ConnectorName, failing: Mapping[AccountId, Undecided]) -> None:
        prefix = f"{name}.account."
        before = [where.removeprefix(prefix) for where in self._failures if where.startswith(prefix)]
        for account in {*before, *failing}:
            reason = failing[AccountId(account)].reason if account in failing else ""
            self._report_failure(prefix + account, reason, REMEDY)

    def _report_failure(self, where: str, failure: str, remedy: str) -> None:
        """Log a failure when it begins, changes or ends, not each time it is met."""
        before = self._failures.get(where, "")
        if failure == before:
            return
        if failure:
            self._failures[where] = failure
            _log.error("failure", where=where, reason=failure, remedy=remedy)
        else:
            del self._failures[where]
            _log.info("failure is over", where=where, reason=before)

    def _reload(self, reopen: Callable[[], Running], ears: hearing.Ears) -> None:
        try:
            fresh = reopen()
        except Exception as error:  # noqa: BLE001  whatever is wrong with the new one, the old one goes on
            _log.error("new configuration refused, the old one stays", reason=str(error))
            return
        self._running.close()
        self._running = fresh
        ears.open(fresh.outlets)
        _log.info("configuration read again")

    def _take_lease(self) -> None:
        now = self._ports.now()
        until = now + max(self._running.interval * 3, timedelta(minutes=3))
        try:
            with self._store.begin() as tx:
                other = guard.holder(tx, _LEASE)
                if other is not None and _is_dead(other.owner, self._ports.worker_id()):
                    guard.drop_lease(tx, _LEASE, other.owner)
                mine = guard.take_lease(tx, _LEASE, self._ports.worker_id(), now, until)
        except StoreBusyError:
            return
        if not mine:
            since = "" if other is None else f" until {other.expires_at:%H:%M:%S} UTC unless it renews"
            raise AlreadyRunningError(f"another worker runs on this store{since}")

    def _let_go(self) -> None:
        with contextlib.suppress(StoreError), self._store.begin() as tx:
            hearing.remember(tx, self._running.outlets, self._ports.now())
            guard.drop_lease(tx, _LEASE, self._ports.worker_id())

    def exit_code(self, report: CycleReport) -> ExitCode:
        """What a cycle's result means to cron."""
        if _failed(report):
            return ExitCode.FINDINGS
        if any(crm.hold for crm in report.crms.values()) or not report.writes:
            return ExitCode.HELD
        with self._store.read() as tx:
            leftovers = outbox.in_state(tx, State.REFUSED, State.EXPIRED, limit=1) or guard.any_quarantined(tx)
        return ExitCode.LEFTOVERS if leftovers else ExitCode.OK


def _failed(report: CycleReport) -> bool:
    """Whether a part of the work was not done."""
    reads = [read for crm in report.crms.values() for read in crm.reads.values()]
    return (
        any(read.failure for read in reads)
        or any(lane.failure for lane in report.lanes.values())
        or any(crm.undecided for crm in report.crms.values())
    )


def _is_dead(owner: str, own: str) -> bool:
    """Whether a holder was a process of this machine that is gone: a killed worker's successor need not wait."""
    host, pid, *_ = [*owner.split(":"), "", ""]
    own_host, own_pid, *_ = own.split(":")
    if owner == own or host != own_host or not pid.isdecimal():
        return False
    if pid == own_pid:
        return True
    try:
        os.kill(int(pid), 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False


def summary(report: CycleReport) -> dict[str, object]:
    """A cycle in one flat line, for the log, the store and people."""
    reads = [read for crm in report.crms.values() for read in crm.reads.values()]
    decided = [crm.decided for crm in report.crms.values()]
    return {
        "began": report.began.isoformat(),
        "took_ms": round(report.took.total_seconds() * 1000),
        "read": sum(read.rows for read in reads),
        "read_changed": sum(read.changed for read in reads),
        "unreadable": sum(read.bad for read in reads),
        "failures": sorted({read.failure for read in reads if read.failure}),
        "opened": sum(len(each.opened) for each in decided),
        "changed": sum(each.changed for each in decided),
        "held": sum(len(each.held) for each in decided),
        "delivered": sum(lane.done for lane in report.lanes.values()),
        "refused": sum(lane.refused for lane in report.lanes.values()),
        "undecided": sum(len(crm.undecided) for crm in report.crms.values()),
        "writes": report.writes,
    }


def last_cycle(store: Store) -> datetime | None:
    """When the last finished cycle began, None when there was none."""
    with store.read() as tx:
        cycles = recent_cycles(tx)
    return datetime.fromisoformat(str(cycles[0]["began"])) if cycles else None


def recent_cycles(tx: Connection) -> list[dict[str, object]]:
    """The last finished cycles as `summary` told them, the newest first."""
    told = guard.setting(tx, _CYCLES)
    return decode(told, list[dict[str, object]]) if told else []
