"""One look at the state, in one read transaction: everything that the page and the metrics show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connectors.quota import Quota
from worker import brakes, hearing, proposals, undecided
from worker.core.model import AccountId, ConnectorName, Escalation, EscalationId, Level, RecordKind, Status
from worker.core.proposals import Proposal
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping, load_mapping
from worker.quota import quota_of
from worker.runner import recent_cycles
from worker.settings import Settings
from worker.store import escalations, facts, outbox, progress
from worker.store.database import Store
from worker.store.deliveries import Delivery, State
from worker.store.progress import Position
from worker.undecided import Undecided

FROZEN_AFTER = 5
"""Intervals without a finished cycle after which the worker counts as frozen."""
_SOON = timedelta(hours=1)
_OWED = frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.TO_CONFIRM})
_DUE = {
    Status.OPEN: "answer",
    Status.ACKNOWLEDGED: "resolution",
    Status.TO_CONFIRM: "resolution",
    Status.SNOOZED: "end of the snooze",
    Status.WAITING: "end of the pause",
    Status.RESOLVED: "nothing",
}
_MOST = 200
"""More of one kind are counted, not listed."""


@dataclass(frozen=True, slots=True)
class Open:
    """One open escalation with the name of its account."""

    connector: ConnectorName
    account: str
    escalation: Escalation

    @property
    def what_is_due(self) -> str:
        """What the worker and people wait for next."""
        return _DUE[self.escalation.status]

    def is_late(self, now: datetime) -> bool:
        """Whether what somebody owes, the answer or the resolution, is overdue."""
        due_at = self.escalation.due_at
        return self.escalation.status in _OWED and due_at is not None and due_at < now

    def is_soon(self, now: datetime) -> bool:
        """Whether its answer is due within the hour."""
        return self.escalation.status is Status.OPEN and now <= self.escalation.clock.due_at <= now + _SOON


@dataclass(frozen=True, slots=True)
class Source:
    """How reading one kind of record from one CRM stands."""

    connector: ConnectorName
    kind: RecordKind
    place: Position


@dataclass(frozen=True, slots=True)
class Look:
    """The state at one moment. `cycles` are the last ones, the newest first, as the worker logged them; `buttons` the
    channels whose messages carry buttons.
    """

    at: datetime
    open: tuple[Open, ...]
    by_level: Mapping[Level, int]
    sources: tuple[Source, ...]
    quotas: Mapping[ConnectorName, Quota]
    lanes: Mapping[tuple[str, str], int]
    dead: tuple[Delivery, ...]
    quarantined: tuple[str, ...]
    held: Mapping[str, brakes.Hold]
    undecided: Mapping[ConnectorName, Mapping[AccountId, Undecided]]
    alike: tuple[Proposal, ...]
    writes: bool
    oldest_pending: datetime | None
    cycles: tuple[Mapping[str, object], ...]
    interval: timedelta
    buttons: Mapping[str, hearing.Standing]

    @property
    def last_cycle(self) -> datetime | None:
        """When the last finished cycle began."""
        return datetime.fromisoformat(str(self.cycles[0]["began"])) if self.cycles else None

    @property
    def troubles(self) -> tuple[str, ...]:
        """What keeps the worker from doing its work, each in one line; empty when all is well."""
        found = [] if self._alive() else [self._frozen()]
        found += [f"{each.connector} {each.kind}: {each.place.failure}" for each in self.sources if each.place.failure]
        found += [f"{name}: {undecided.in_words(each)}" for name, each in self.undecided.items() if each]
        return tuple(found)

    def _alive(self) -> bool:
        last = self.last_cycle
        return last is not None and self.at - last <= self.interval * FROZEN_AFTER

    def _frozen(self) -> str:
        last = self.last_cycle
        if last is None:
            return "no cycle has finished yet: start the worker"
        return f"no cycle has finished since {last:%Y-%m-%d %H:%M} UTC: is the worker running?"


class Watcher:
    """Looks at the state of one configuration's worker."""

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings = settings
        self._store = store
        self._mappings: dict[ConnectorName, CrmMapping] = {
            each.name: load_mapping(each.mapping) for each in settings.connectors
        }

    def names(self) -> Mapping[EscalationId, str]:
        """Each open escalation's account as a table shows it, by name and id. Raises StoreError."""
        with self._store.read() as tx:
            found = escalations.open_ones(tx)
            called = {one.id: (self._name(tx, name, one.account_id), one.account_id) for name, one in found[:_MOST]}
        return {of: name if name == own else f"{name} ({own})" for of, (name, own) in called.items()}

    def look(self, now: datetime) -> Look:
        """The state now. Raises StoreError when it cannot be read."""
        with self._store.read() as tx:
            found = escalations.open_ones(tx)
            counted = {level: sum(one.level is level for _, one in found) for level in Level}
            return Look(
                at=now,
                open=tuple(Open(name, self._name(tx, name, one.account_id), one) for name, one in found[:_MOST]),
                by_level=counted,
                sources=tuple(
                    Source(name, kind, progress.position(tx, name, kind))
                    for name, mapping in self._mappings.items()
                    for kind in mapping.kinds
                ),
                quotas={name: quota_of(tx, name, now) for name in self._mappings},
                lanes=outbox.counts(tx),
                dead=tuple(outbox.in_state(tx, State.REFUSED, State.EXPIRED, limit=_MOST)),
                quarantined=tuple(progress.quarantined(tx)),
                held={
                    each.name: hold
                    for each in self._settings.connectors
                    if (hold := brakes.hold_of(tx, each.name)) is not None
                },
                undecided={
                    each.name: undecided.failing(undecided.remembered(tx, each.name))
                    for each in self._settings.connectors
                },
                alike=tuple(each for crm in self._settings.connectors for each in proposals.open_ones(tx, crm.name)),
                writes=brakes.writes_allowed(tx, self._settings.policy.brakes),
                oldest_pending=outbox.oldest_pending(tx),
                cycles=tuple(recent_cycles(tx)),
                interval=timedelta(seconds=self._settings.interval_seconds),
                buttons={
                    each.name: line
                    for each in self._settings.notifiers
                    if (line := hearing.standing(tx, each.name)) is not None
                },
            )

    def _name(self, tx: Connection, connector: ConnectorName, account_id: AccountId) -> str:
        """The account's name as last understood, its id where it never was."""
        mapping = self._mappings.get(connector)
        for fact in facts.account_facts(tx, connector, account_id) if mapping else ():
            try:
                return mapping.account(mapping.load(RecordKind.ACCOUNT, fact.body)).name if mapping else account_id
            except UnmappableError:
                continue
        return account_id
