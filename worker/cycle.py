"""One cycle: pull, decide, deliver; what it came to is one report. No step calls back into an earlier one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from worker import brakes, surprise, undecided
from worker.alarms import Alarms
from worker.answers import Answers
from worker.core.model import AccountId, ConnectorName, Level, RecordKind
from worker.core.policy import Policy
from worker.decide import Decider, DecideReport
from worker.deliver import Deliverer
from worker.digest import Gathering
from worker.effects import Effects
from worker.fallback import Fallback
from worker.lanes import LaneReport, lanes_of
from worker.patience import Patience
from worker.ports import Ports
from worker.pull import KindRead, Puller, Reading, failed
from worker.render import Renderer
from worker.situation import Detector, Surveyor
from worker.store import facts, guard, messages, retention
from worker.store.database import Store
from worker.undecided import Undecided
from worker.whatif.proof import Prover
from worker.wiring import Crm, Outlet

_FORGOTTEN_AT = "forgotten_at"
_DAY, _A_WHILE = timedelta(days=1), timedelta(minutes=2)
_BATCH, _MOST_BATCHES = 1_000, 20


@dataclass(slots=True)
class CrmReport:
    """What one CRM's part of a cycle came to."""

    reads: dict[RecordKind, KindRead] = field(default_factory=dict)
    decided: DecideReport = field(default_factory=DecideReport)
    hold: brakes.Hold | None = None
    alarm: bool = False
    undecided: Mapping[AccountId, Undecided] = field(default_factory=dict)


@dataclass(slots=True)
class CycleReport:
    """What a cycle came to. `unheard`: the channels whose clicks cannot be heard or understood, with the reason and
    the remedy.
    """

    began: datetime
    crms: dict[ConnectorName, CrmReport] = field(default_factory=dict)
    lanes: dict[str, LaneReport] = field(default_factory=dict)
    unheard: Mapping[str, tuple[str, str]] = field(default_factory=dict)
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
        alarms: Alarms | None = None,
        keep: timedelta | None = None,
    ) -> None:
        self._crms = tuple(crms)
        self._store = store
        self._ports = ports
        self._policy = policy
        self._gathering = gathering or Gathering()
        self._alarms = alarms
        self._keep = keep
        effects = Effects(renderer, outlets, self._gathering)
        self._pullers = {crm.name: Puller(crm, store, ports, reading, detector.hits) for crm in crms}
        self._deciders = {
            crm.name: Decider(
                crm,
                store,
                ports,
                policy,
                Surveyor(crm, policy, detector, self._settle(crm, patience)),
                effects,
                Prover(crm, policy, detector, ports),
            )
            for crm in crms
        }
        lags = [crm.connector.capabilities().lookup_lag for crm in crms]
        lags += [outlet.notifier.capabilities().lookup_lag for outlet in outlets]
        self.settling = patience.deadline + patience.settle + max(lags, default=timedelta(0))
        """How long an effect without an answer stays on trial."""
        self._answers = Answers(outlets, self._deciders, store, ports, policy, renderer)
        fallback = Fallback(tuple(outlets), renderer)
        self.deliverer = Deliverer(lanes_of(crms, outlets), store, ports, patience, fallback)

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
        report.unheard = self._answers.take()
        for crm in self._crms:
            report.crms[crm.name] = self._watch(crm)
        with self._store.read() as tx:
            report.writes = brakes.writes_allowed(tx, self._policy.brakes)
        self._raise_alarms(report)
        if report.writes:
            self._answers.tell()
            report.lanes = self.deliverer.run()
        self._forget(report)
        report.took = timedelta(seconds=self._ports.monotonic() - started)
        return report

    def _raise_alarms(self, report: CycleReport) -> None:
        """Tell operations what is news: what is held, which reads fail, which channels take no messages."""
        if self._alarms is None:
            return
        for name, crm in report.crms.items():
            if crm.alarm and crm.hold is not None:
                self._alarms.held(name, crm.hold, report.began)
        with self._store.read() as tx:
            struggling = messages.struggling(tx, report.began - _A_WHILE)
        channels = {f"channel {name}": why for name, why in struggling.items()}
        buttons = {f"buttons of {name}": why for name, why in report.unheard.items()}
        self._alarms.watch({**_reading(report), **_deciding(report), **channels, **buttons}, report.began)

    def _forget(self, report: CycleReport) -> None:
        """Once a day, when there is nothing else to do, forget what is older than the retention."""
        if self._keep is None or busy(report):
            return
        with self._store.read() as tx:
            last = guard.setting(tx, _FORGOTTEN_AT)
        if last and report.began - datetime.fromisoformat(last) < _DAY:
            return
        for _ in range(_MOST_BATCHES):
            with self._store.begin() as tx:
                went = retention.forget(tx, report.began - self._keep, _BATCH)
                if went < _BATCH:
                    guard.set_setting(tx, _FORGOTTEN_AT, report.began.isoformat())
                    return

    def _watch(self, crm: Crm) -> CrmReport:
        """Read one CRM and decide; nothing leaves the worker here."""
        reads = self._pullers[crm.name].run()
        complete = not failed(reads.values())
        hold, decided = self._decide(crm, complete=complete)
        news = self._remember(crm, hold)
        return CrmReport(reads, decided, hold, news, self._undecided(crm, decided))

    def _decide(self, crm: Crm, *, complete: bool) -> tuple[brakes.Hold | None, DecideReport]:
        """Decide for whom something changed or is due, under the brakes. Returns what they hold as well."""
        decider, few = self._deciders[crm.name], self._gathering.few(brakes.SMALL)
        marked = decider.wake(few)
        if not marked:
            return None, DecideReport()
        approved, allowed = self._yes(crm)
        # Deciding twice is only worth it where the number of openings may stop or gather them.
        matters = len(marked) > few or not brakes.all_approved(approved)
        openings = decider.openings(complete=complete) if matters else []
        brake = self._brake(crm, [(each.account_id, each.level) for each in openings], approved, allowed)
        brake.counted = frozenset(each.account_id for each in openings) if matters else marked
        told = {each.bug or each.account_id for each in openings if brake.lets_pass(each.level)}
        stormy = self._gathering.stormy(len(told))
        storm = self._ports.now().isoformat() if stormy else ""
        return brake.hold, decider.run(brake, complete=complete, storm=storm)

    def _undecided(self, crm: Crm, decided: DecideReport) -> Mapping[AccountId, Undecided]:
        """Keep who has no decision where every process sees it. Returns the accounts that somebody must look at."""
        with self._store.read() as tx:
            before = undecided.remembered(tx, crm.name)
        kept = undecided.compared(before, decided.failed, decided.busy, self._ports.now())
        if kept != before:
            with self._store.begin() as tx:
                undecided.remember(tx, crm.name, kept)
        return undecided.failing(kept)

    def _remember(self, crm: Crm, hold: brakes.Hold | None) -> bool:
        """Keep what waits for a yes where every process sees it. Returns whether that is news."""
        with self._store.read() as tx:
            nothing = hold is None and brakes.hold_of(tx, crm.name) is None
        if nothing:
            return False
        with self._store.begin() as tx:
            return brakes.set_hold(tx, crm.name, hold)

    def _yes(self, crm: Crm) -> tuple[frozenset[Level], int]:
        """What people have said yes to: levels for good, and a number of new escalations for this cycle only."""
        with self._store.read() as tx:
            approved = brakes.first_run_levels(tx, crm.name, self._policy.brakes)
            allowed = brakes.allowance(tx, crm.name)
        if allowed:
            with self._store.begin() as tx:
                brakes.spend_allowance(tx, crm.name)
                surprise.agree(tx, crm.name, self._ports.now())
        return approved, allowed

    def _brake(
        self, crm: Crm, openings: Sequence[tuple[AccountId, Level]], approved: frozenset[Level], allowed: int
    ) -> brakes.Brake:
        limits, now = self._policy.brakes, self._ports.now()
        with self._store.read() as tx:
            room = surprise.room(tx, crm.name, limits.surprise, now) if len(openings) > brakes.SMALL else None
        return brakes.brake_for(openings, approved, allowed, lambda: self._accounts(crm), limits, now, room)

    def _accounts(self, crm: Crm) -> int:
        with self._store.read() as tx:
            return facts.account_count(tx, crm.name)


def _reading(report: CycleReport) -> dict[str, tuple[str, str]]:
    return {
        f"{name} {kind.value}": (read.failure, read.remedy)
        for name, crm in report.crms.items()
        for kind, read in crm.reads.items()
        if read.failure
    }


def _deciding(report: CycleReport) -> dict[str, tuple[str, str]]:
    return {
        f"{name} accounts": (undecided.in_words(crm.undecided), undecided.REMEDY)
        for name, crm in report.crms.items()
        if crm.undecided
    }


def busy(report: CycleReport) -> bool:
    """Whether the cycle had anything to read, decide or deliver."""
    reads = [read for crm in report.crms.values() for read in crm.reads.values()]
    decided = any(crm.decided.decided or crm.decided.held for crm in report.crms.values())
    return decided or any(read.changed for read in reads) or any(lane.done for lane in report.lanes.values())
