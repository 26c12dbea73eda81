"""A policy held against the past: the live decision function on what the CRM said, moment by moment.

No clock runs out here: a stand-in acknowledges at once and confirms the end when the evidence is gone, because nobody
knows how fast people would have been. What remains is what the policy itself decides: when an account escalates, how
high, why, and for how long.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta

from worker.core.model import (
    NO_FLAG,
    Account,
    AccountId,
    AccountView,
    BugKey,
    BugReach,
    Case,
    CaseStatus,
    Dispute,
    Escalation,
    Event,
    Level,
    Observed,
    Outcome,
    Override,
    RecordKind,
    Status,
    TextHit,
    TriggerId,
)
from worker.core.policy import Policy
from worker.core.reconcile import reconcile
from worker.core.triggers import assess

STAND_IN = "stand-in"
_TICK = timedelta(microseconds=1)
_OPENS = frozenset({Event.OPENED, Event.REOPENED})


@dataclass(frozen=True, slots=True)
class Version:
    """What the CRM said of one record from a time on; `value` None: it was gone. `hits` are a case's phrases."""

    at: datetime
    kind: RecordKind
    record_id: str
    value: Account | Case | Dispute | None
    hits: tuple[TextHit, ...] = ()


@dataclass(frozen=True, slots=True)
class BugHistory:
    """Which accounts had an open case on which bug, from when on."""

    changes: Mapping[BugKey, Sequence[tuple[datetime, frozenset[AccountId]]]] = field(default_factory=dict)

    def reach(self, key: BugKey, at: datetime) -> BugReach:
        """The accounts at one moment."""
        changes = self.changes.get(key, ())
        place = bisect_right(changes, at, key=_when)
        return BugReach(key, changes[place - 1][1] if place else frozenset())

    def moments(self, key: BugKey, since: datetime, until: datetime) -> Iterator[datetime]:
        """When the accounts of a bug changed, from one moment to another."""
        changes = self.changes.get(key, ())
        first, last = (bisect(changes, at, key=_when) for bisect, at in ((bisect_left, since), (bisect_right, until)))
        return (at for at, _ in changes[first:last])


def _when(change: tuple[datetime, frozenset[AccountId]]) -> datetime:
    return change[0]


@dataclass(frozen=True, slots=True)
class Episode:
    """One escalation that would have been. `level` is the highest it reached; `ended_at` None: open at the end."""

    account_id: AccountId
    account_name: str
    opened_at: datetime
    level: Level
    triggers: tuple[TriggerId, ...]
    because: str
    owner: str
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """One account's past under a policy: what would have been escalated, and when the customer left, if they did."""

    account_id: AccountId
    account_name: str
    episodes: tuple[Episode, ...]
    churned_on: date | None = None


@dataclass(slots=True)
class _State:
    """What the CRM says at the moment that the replay has come to."""

    account: Account | None = None
    cases: dict[str, Case] = field(default_factory=dict)
    disputes: dict[str, Dispute] = field(default_factory=dict)
    hits: dict[str, tuple[TextHit, ...]] = field(default_factory=dict)

    def take(self, version: Version) -> None:
        match version.value:
            case Account():
                self.account = replace(version.value, flag=NO_FLAG, override=_evidence_only(version.value.override))
            case Case():
                self.cases[version.record_id] = version.value
                self.hits[version.record_id] = version.hits
            case Dispute():
                self.disputes[version.record_id] = version.value
            case None:
                self._drop(version)

    def _drop(self, version: Version) -> None:
        if version.kind is RecordKind.ACCOUNT and self.account is not None:
            self.account = replace(self.account, deleted=True)
        self.cases.pop(version.record_id, None)
        self.disputes.pop(version.record_id, None)

    def view(self, bugs: BugHistory, at: datetime) -> AccountView | None:
        if self.account is None:
            return None
        cases = tuple(self.cases.values())
        open_ones = [case for case in cases if case.status is CaseStatus.OPEN]
        keys = sorted({case.bug_key for case in open_ones if case.bug_key is not None})
        return AccountView(
            account=self.account,
            cases=cases,
            disputes=tuple(self.disputes.values()),
            bugs=tuple(bugs.reach(key, at) for key in keys),
            hits=tuple(hit for case in open_ones for hit in self.hits.get(case.id, ())),
            read_at=at,
        )


def view_at(versions: Sequence[Version], bugs: BugHistory, at: datetime) -> AccountView | None:
    """What a decision would have looked at, None before the account was known. Answers of people are left out."""
    state = _State()
    for version in versions:
        if version.at <= at:
            state.take(version)
    return state.view(bugs, at)


def _evidence_only(override: Override) -> Override:
    """People answered the escalations that there were, not those of another policy; what they opened by hand stays."""
    return override if override.wish.value.startswith("manual") else Override()


def replay(
    account_id: AccountId,
    versions: Sequence[Version],
    bugs: BugHistory,
    policy: Policy,
    since: datetime,
    until: datetime,
) -> Past:
    """One account from `since` to `until`. `versions` in the order of time; earlier ones make the state at `since`."""
    state = _State()
    run = _Run(policy, account_id)
    todo = _moments(versions, bugs, policy, since, until)
    heapq.heapify(todo)
    place = 0
    while todo:
        at = heapq.heappop(todo)
        while todo and todo[0] == at:
            heapq.heappop(todo)
        while place < len(versions) and versions[place].at <= at:
            state.take(versions[place])
            place += 1
        view = state.view(bugs, at)
        again = None if view is None else run.decide(view, at)
        if again is not None and at < again <= until:
            heapq.heappush(todo, again)
    account = state.account
    name = account_id if account is None else account.name
    return Past(account_id, name, tuple(run.finished()), None if account is None else account.churned_on)


def _moments(
    versions: Sequence[Version], bugs: BugHistory, policy: Policy, since: datetime, until: datetime
) -> list[datetime]:
    """When something changed, or a health score became too old to be believed."""
    moments = {version.at for version in versions}
    healths = (version.value.health for version in versions if isinstance(version.value, Account))
    moments.update(each.as_of + policy.health_stale_after + _TICK for each in healths if each.as_of is not None)
    for key, start, end in _on_a_bug(versions, until):
        moments.update(bugs.moments(key, start, end))
    return [since, *(at for at in moments if since < at <= until)]


def _on_a_bug(versions: Sequence[Version], until: datetime) -> Iterator[tuple[BugKey, datetime, datetime]]:
    """From when to when the account had a case open on which bug: only then does it matter whom else the bug hits."""
    standing: dict[str, tuple[BugKey, datetime]] = {}
    for version in versions:
        before = standing.pop(version.record_id, None)
        if before is not None:
            yield *before, version.at
        case = version.value
        if isinstance(case, Case) and case.status is CaseStatus.OPEN and case.bug_key is not None:
            standing[version.record_id] = case.bug_key, version.at
    yield from ((key, start, until) for key, start in standing.values())


class _Run:
    """The escalation of one account while the replay goes on."""

    def __init__(self, policy: Policy, account_id: AccountId) -> None:
        self._policy = policy
        self._account_id = account_id
        self._current: Escalation | None = None
        self._episodes: list[Episode] = []

    def decide(self, view: AccountView, at: datetime) -> datetime | None:
        """Decide, and stand in for the people. Returns when to look again."""
        assessment = assess(view, self._policy, at)
        current = self._current
        if not assessment.signals and (current is None or not current.open):
            return None
        decision = reconcile(view, assessment, current, Observed(NO_FLAG, at), self._policy, at)
        fresh = decision.escalation
        if fresh is None:
            return decision.next_at
        if any(entry.event in _OPENS for entry in decision.trail):
            self._episodes.append(
                Episode(
                    self._account_id,
                    view.account.name,
                    at,
                    fresh.level,
                    tuple(dict.fromkeys(reason.trigger for reason in fresh.reasons)),
                    decision.because,
                    "nobody" if fresh.owner is None else fresh.owner.name,
                )
            )
        self._current = self._answered(fresh, at)
        self._follow(self._current)
        return self._next(self._current)

    def _answered(self, escalation: Escalation, at: datetime) -> Escalation:
        match escalation.status:
            case Status.OPEN:
                return replace(
                    escalation, status=Status.ACKNOWLEDGED, acknowledged_at=at, acknowledged_by=STAND_IN, raised_to=None
                )
            case Status.TO_CONFIRM:
                return replace(escalation, status=Status.RESOLVED, outcome=Outcome.RESOLVED, resolved_at=at)
            case _:
                return escalation

    def _follow(self, escalation: Escalation) -> None:
        """Keep the episode's level the highest, and its end."""
        if not self._episodes:
            return
        last = self._episodes[-1]
        triggers = tuple(dict.fromkeys((*last.triggers, *(reason.trigger for reason in escalation.reasons))))
        ended = None if escalation.open else escalation.resolved_at
        self._episodes[-1] = replace(
            last, level=max(last.level, escalation.level), triggers=triggers, ended_at=last.ended_at or ended
        )

    def _next(self, escalation: Escalation) -> datetime | None:
        """When the hold time is over after which the evidence counts as gone."""
        if not escalation.open or escalation.evidence_gone_at is None:
            return None
        return escalation.evidence_gone_at + self._policy.levels[escalation.level].hold.leave

    def finished(self) -> Iterator[Episode]:
        """The episodes, once the replay is over."""
        return iter(self._episodes)


CAUGHT_WITHIN = timedelta(days=90)
"""A loss counts as caught when an escalation was open, or had ended no longer ago than this, when the customer left."""


def caught(past: Past) -> bool | None:
    """Whether the policy would have seen a loss coming; None when the customer did not leave."""
    if past.churned_on is None:
        return None
    return any(
        each.opened_at.date() <= past.churned_on
        and (each.ended_at is None or each.ended_at.date() + CAUGHT_WITHIN >= past.churned_on)
        for each in past.episodes
    )
