"""Escalations out of the store as the report counts them, with what the mirror knows of their accounts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from worker.assembly import Worker
from worker.core.calendar import elapsed
from worker.core.episodes import Episode, Month
from worker.core.gaming import polished
from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    ConnectorName,
    Escalation,
    Event,
    Outcome,
    RecordKind,
    TrailEntry,
)
from worker.core.money import Money
from worker.core.renewals import RenewalDate
from worker.core.triggers import segment_of
from worker.past import health_moves, renewal_dates
from worker.store import escalations, fact_history, facts, trails
from worker.store.database import Store
from worker.wiring import Crm

_FIRST = datetime(1970, 1, 1, tzinfo=UTC)
_PUT_OFF = frozenset({Event.SNOOZED, Event.PAUSED})
_OFTEN = 3
"""So many postponements of one escalation are worth a look."""
_VERSIONS = 1_000
"""More versions of one account are not looked at for its renewal dates and its health."""


@dataclass(frozen=True, slots=True)
class Collected:
    """What a report is made of. `first_seen` holds for every account when it was first read, sorted."""

    episodes: tuple[Episode, ...]
    first_seen: tuple[datetime, ...]
    gaming: tuple[str, ...] = ()

    def accounts_in(self, month: Month) -> int:
        """How many accounts were known at the end of a month; 0 before the worker first read any."""
        return sum(Month.of(moment) <= month for moment in self.first_seen)


def collect(worker: Worker, store: Store, until: datetime) -> Collected:
    """Everything up to a time, from all CRMs. Reads only."""
    with store.read() as tx:
        opened = escalations.opened_between(tx, _FIRST, until)
        trails = _trails(tx, {name for name, _ in opened})
        episodes = tuple(_episode(tx, worker, name, one, trails[one.id], until) for name, one in opened)
        seen = sorted(moment for crm in worker.crms for moment in fact_history.accounts_first_seen(tx, crm.name))
        names = {(name, one.account_id): each.account_name for (name, one), each in zip(opened, episodes, strict=True)}
        polish = tuple(_polished(tx, worker, names))
    return Collected(episodes, tuple(seen), (*_gaming(episodes, trails), *polish))


def _trails(tx: Connection, connectors: set[ConnectorName]) -> dict[str, list[TrailEntry]]:
    found: dict[str, list[TrailEntry]] = defaultdict(list)
    for name in sorted(connectors):
        for line in trails.trail_of(tx, name):
            found[line.escalation_id].append(line.entry)
    return found


def _episode(
    tx: Connection, worker: Worker, name: ConnectorName, one: Escalation, trail: Sequence[TrailEntry], now: datetime
) -> Episode:
    crm = next((each for each in worker.crms if each.name == name), None)
    view = _view(tx, worker, name, one, now)
    account = None if view is None else view.account
    answers = (entry.at for entry in trail if entry.event is Event.ACKNOWLEDGED)
    began = (entry.level for entry in trail if entry.level is not None)
    return Episode(
        escalation=one,
        first_level=next(began, one.level),
        account_name=one.account_id if account is None else account.name,
        csm="" if account is None or account.owner is None else account.owner.name,
        products=_products(one, view),
        phrases=tuple((reason.trigger, reason.phrase) for reason in one.reasons if reason.phrase),
        arr=None if account is None else _home(worker, account.arr, one.opened_at),
        acknowledged_at=next(answers, one.acknowledged_at),
        business_time=None if account is None else _business_time(worker, one, account),
        churned_on=None if account is None else account.churned_on,
        renewals=() if crm is None or one.open else tuple(_renewals(tx, crm, one)),
    )


def _view(tx: Connection, worker: Worker, name: ConnectorName, one: Escalation, now: datetime) -> AccountView | None:
    situation = worker.cycle.decider(name).situation(tx, one.account_id, now, complete=True)
    return None if situation is None else situation.view


def _renewals(tx: Connection, crm: Crm, one: Escalation) -> Iterator[RenewalDate]:
    versions = facts.account_facts(tx, crm.name, one.account_id, most=_VERSIONS)
    return renewal_dates(reversed(versions), crm.mapping)


def _products(one: Escalation, view: AccountView | None) -> tuple[str, ...]:
    if view is None:
        return ()
    concerned = {reason.ref.id for reason in one.reasons if reason.ref.kind is RecordKind.CASE}
    return tuple(dict.fromkeys(case.product for case in view.cases if case.id in concerned and case.product))


def _business_time(worker: Worker, one: Escalation, account: Account) -> timedelta | None:
    """From its opening to its end in the hours on which its level counts; on the wall clock, in those of the office."""
    policy = worker.settings.policy
    calendar = policy.levels[one.level].calendar_for(segment_of(account, policy, one.opened_at))
    office = worker.settings.messages.digest_calendar if calendar.always_open else calendar
    if one.open or one.resolved_at is None or office is None:
        return None
    return elapsed(one.opened_at, one.resolved_at, office)


def _home(worker: Worker, amount: Money | None, on: datetime) -> Money | None:
    converted = None if amount is None else worker.settings.policy.rates.convert(amount, on.date())
    return None if converted is None else converted.result


def _polished(tx: Connection, worker: Worker, names: Mapping[tuple[ConnectorName, AccountId], str]) -> Iterator[str]:
    """Colours raised with nothing to show for it, of accounts that were ever escalated."""
    mappings = {crm.name: crm.mapping for crm in worker.crms}
    for (connector, account_id), name in sorted(names.items()):
        if connector in mappings:
            versions = facts.account_facts(tx, connector, account_id, most=_VERSIONS)
            moves = tuple(health_moves(reversed(versions), mappings[connector]))
            yield from (f"{name}: {each}" for each in polished(moves))


def _gaming(episodes: Sequence[Episode], trails: dict[str, list[TrailEntry]]) -> Iterator[str]:
    """Signs that the figures look better than the work was: a question to a person, never a verdict."""
    for each in episodes:
        put_off = sum(entry.event in _PUT_OFF for entry in trails[each.escalation.id])
        if put_off >= _OFTEN:
            yield f"{each.account_name}: put off {put_off} times ({each.escalation.id})"
    silent = Counter(each.csm or "nobody" for each in episodes if each.escalation.outcome is Outcome.WITHDRAWN)
    for csm, count in sorted(silent.items()):
        if count >= _OFTEN:
            yield f"{csm}: {count} flags taken away without saying how it ended"
