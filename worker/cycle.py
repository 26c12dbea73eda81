"""One cycle: pull, decide, deliver; what it came to is one report. No step calls back into an earlier one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker import brakes
from worker.core.model import AccountId, ConnectorName, Level, RecordKind
from worker.core.policy import Policy
from worker.decide import Decider, DecideReport
from worker.deliver import Deliverer, LaneReport, Patience, lanes_of
from worker.digest import Gathering
from worker.effects import Effects
from worker.ports import Ports
from worker.pull import KindRead, Puller, Reading, failed
from worker.render import Renderer
from worker.situation import Detector, Surveyor
from worker.store import facts
from worker.store.database import Store
from worker.wiring import Crm, Outlet


@dataclass(slots=True)
class CrmReport:
    """What one CRM's part of a cycle came to."""

    reads: dict[RecordKind, KindRead] = field(default_factory=dict)
    decided: DecideReport = field(default_factory=DecideReport)
    hold: brakes.Hold | None = None
    alarm: bool = False


@dataclass(slots=True)
class CycleReport:
    """What a cycle came to."""

    began: datetime
    crms: dict[ConnectorName, CrmReport] = field(default_factory=dict)
    lanes: dict[str, LaneReport] = field(default_factory=dict)
    writes: bool = True
    took: timedelta = timedelta(0)


class Cycle:
    """Runs cycles over the same store; holds no state that a restart would need."""

    def __init__(
        self,
        crms: Sequence[Crm],
        outlets: Sequence[Outlet],
        store: Store,
        ports: Ports,
        policy: Policy,
        detector: Detector,
        renderer: Renderer,
        reading: Reading,
        patience: Patience,
        gathering: Gathering | None = None,
    ) -> None:
        self._crms = tuple(crms)
        self._store = store
        self._ports = ports
        self._policy = policy
        self._gathering = gathering or Gathering()
        effects = Effects(renderer, outlets, self._gathering)
        self._pullers = {crm.name: Puller(crm, store, ports, reading) for crm in crms}
        self._deciders = {
            crm.name: Decider(
                crm, store, ports, policy, Surveyor(crm, policy, detector, self._settle(crm, patience)), effects
            )
            for crm in crms
        }
        lags = [crm.connector.capabilities().lookup_lag for crm in crms]
        lags += [outlet.notifier.capabilities().lookup_lag for outlet in outlets]
        self.settling = patience.deadline + patience.settle + max(lags, default=timedelta(0))
        """How long an effect without an answer stays on trial."""
        self.deliverer = Deliverer(lanes_of(crms, outlets), store, ports, patience)

    @staticmethod
    def _settle(crm: Crm, patience: Patience) -> timedelta:
        """How long after a write a read may still show what was there before it."""
        stated = crm.connector.capabilities().settle if crm.settle is None else crm.settle
        return max(stated, patience.settle)

    def decider(self, name: ConnectorName) -> Decider:
        """The decision path of one CRM, for those who only want to look."""
        return self._deciders[name]

    def run(self) -> CycleReport:
        """Pull, decide and deliver once."""
        started = self._ports.monotonic()
        report = CycleReport(self._ports.now())
        for crm in self._crms:
            report.crms[crm.name] = self._watch(crm)
        with self._store.read() as tx:
            report.writes = brakes.writes_allowed(tx, self._policy.brakes)
        if report.writes:
            report.lanes = self.deliverer.run()
        report.took = timedelta(seconds=self._ports.monotonic() - started)
        return report

    def _watch(self, crm: Crm) -> CrmReport:
        """Read one CRM and decide; nothing leaves the worker here."""
        reads = self._pullers[crm.name].run()
        complete = not failed(reads.values())
        brake, decided = brakes.Brake(frozenset()), DecideReport()
        if self._deciders[crm.name].wake():
            openings = self._deciders[crm.name].openings(complete=complete)
            brake = self._brake(crm, openings)
            stormy = self._gathering.stormy(level for _, level in openings if brake.lets_pass(level))
            storm = self._ports.now().isoformat() if stormy else ""
            decided = self._deciders[crm.name].run(brake, complete=complete, storm=storm)
        return CrmReport(reads, decided, brake.hold, self._remember(crm, brake.hold))

    def _remember(self, crm: Crm, hold: brakes.Hold | None) -> bool:
        """Keep what waits for a yes where every process sees it. Returns whether that is news."""
        with self._store.read() as tx:
            nothing = hold is None and brakes.hold_of(tx, crm.name) is None
        if nothing:
            return False
        with self._store.begin() as tx:
            return brakes.set_hold(tx, crm.name, hold)

    def _brake(self, crm: Crm, openings: Sequence[tuple[AccountId, Level]]) -> brakes.Brake:
        with self._store.read() as tx:
            approved = brakes.first_run_levels(tx, crm.name, self._policy.brakes)
            allowed = brakes.allowance(tx, crm.name)
        if allowed:
            with self._store.begin() as tx:
                brakes.spend_allowance(tx, crm.name)
        return brakes.brake_for(
            openings, approved, allowed, lambda: self._accounts(crm), self._policy.brakes, self._ports.now()
        )

    def _accounts(self, crm: Crm) -> int:
        with self._store.read() as tx:
            return facts.account_count(tx, crm.name)
