"""What one decision rests on: the account, its records, what is remembered of it, and what the CRM shows of its flag.

Reads only. A record that cannot be understood is set aside and named; the last version that was understood counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    Assessment,
    BugReach,
    Case,
    CaseStatus,
    Dispute,
    Escalation,
    Legacy,
    Observed,
    PastCause,
    RecordKind,
    TextHit,
)
from worker.core.policy import Policy
from worker.core.story import HealthMove, Past
from worker.core.triggers import assess
from worker.field_readers import UnmappableError
from worker.shown_flag import ShownFlags
from worker.store import clicks, escalations, facts, progress, silences, trails
from worker.wiring import Crm

_VERSIONS_TRIED = 5
"""Versions of an account that are tried first, until one is understood."""
_VERSIONS_TOLD = 60
"""Versions that are looked through where none of those is, and for health moves."""
_MERGES = 5
"""How many merges in a row are followed."""


class Detector(Protocol):
    """Finds phrases in what customers wrote."""

    def hits(self, case: Case) -> tuple[TextHit, ...]:
        """The phrases of one case's customer-written text."""
        ...


@dataclass(frozen=True, slots=True)
class SetAside:
    """A record of the account that could not be understood."""

    kind: RecordKind
    record_id: str
    modified: str
    reason: str


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that one decision rests on. `confirmed` tells of a flag of ours that the CRM showed by itself.

    `timer` is when the account was to be looked at again.
    """

    view: AccountView
    assessment: Assessment
    current: Escalation | None
    observed: Observed
    set_aside: tuple[SetAside, ...] = ()
    confirmed: progress.Watch | None = None
    timer: datetime | None = None


class Surveyor:
    """Looks at the accounts of one CRM. `settle`: how long after a write a read may still show what was before it."""

    def __init__(self, crm: Crm, policy: Policy, detector: Detector, settle: timedelta) -> None:
        self._crm = crm
        self._policy = policy
        self._detector = detector
        self.settle = settle
        self._flags = ShownFlags(crm, settle)

    def situation(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Situation | None:
        """What is known of an account now, None when it was never understood. Reads only."""
        set_aside: list[SetAside] = []
        known = self.understood(tx, account_id, set_aside)
        if known is None:
            return None
        account, account_fact = known
        shown = self._flags.shown(tx, account, account_fact, understood=not set_aside)
        account = replace(account, flag=shown.flag)
        watch = progress.watch_of(tx, self._crm.name, account_id)
        seen = self._flags.seen_by_itself(tx, account_id, shown, watch)
        watch = seen or watch
        view = self._view(tx, account, account_fact.seen_at, set_aside)
        current = escalations.latest(tx, self._crm.name, account_id)
        view = replace(
            view,
            asked=watch.asked,
            complete=complete and not set_aside,
            silences=silences.active(tx, now),
            alike=self._alike(tx, account, current, now),
            answers=clicks.said(tx, self._crm.name, account_id) if current is not None and current.open else (),
        )
        return Situation(
            view=view,
            assessment=assess(view, self._policy, now),
            current=None if current is None else replace(current, written=watch.written),
            observed=self._flags.observed(tx, account_id, shown, watch, now),
            set_aside=tuple(set_aside),
            confirmed=seen,
            timer=watch.next_at,
        )

    def _alike(
        self, tx: Connection, account: Account, current: Escalation | None, now: datetime
    ) -> tuple[PastCause, ...]:
        """What ended lately with the root cause that a person has written for the open escalation."""
        cause = account.override.root_cause
        if not cause.strip() or current is None or not current.open:
            return ()
        return escalations.with_root_cause(tx, self._crm.name, cause, now - self._policy.playbook.within)

    def past(self, tx: Connection, account_id: AccountId) -> Past:
        """What is known of earlier, for the texts that tell the story."""
        moves: list[HealthMove] = []
        for fact in reversed(facts.account_facts(tx, self._crm.name, account_id, most=_VERSIONS_TOLD)):
            with suppress(UnmappableError):
                account = self._crm.mapping.account(self._crm.mapping.load(RecordKind.ACCOUNT, fact.body))
                moves.append(HealthMove(fact.seen_at, account.health))
        lines = trails.trail_of(tx, self._crm.name, account_id)
        return Past(tuple(moves), tuple(line.entry for line in lines))

    def understood(
        self, tx: Connection, account_id: AccountId, set_aside: list[SetAside]
    ) -> tuple[Account, facts.Fact] | None:
        """The account as last understood: a version that cannot be mapped is set aside, the one before it counts.

        One that is gone is known as it last lived: of what is merged away a CRM may tell no more than the id.
        """
        for most in (_VERSIONS_TRIED, _VERSIONS_TOLD):
            known = facts.account_facts(tx, self._crm.name, account_id, most)
            found = self._last_understood(known, set_aside)
            if found is not None or len(known) < most:
                return found
        return None

    def _last_understood(
        self, known: Sequence[facts.Fact], set_aside: list[SetAside]
    ) -> tuple[Account, facts.Fact] | None:
        lived = [fact for fact in known if not fact.gone] if known and known[0].gone else known
        for fact in lived or known:
            try:
                account = self._crm.mapping.account(self._crm.mapping.load(RecordKind.ACCOUNT, fact.body))
            except UnmappableError as error:
                if not set_aside:
                    set_aside.append(self._set_aside(fact, error))
            else:
                return (self._as_gone(account, known[0]), known[0]) if known[0].gone else (account, fact)
        return None

    def _set_aside(self, fact: facts.Fact, error: UnmappableError) -> SetAside:
        stamp = self._crm.mapping.stamp_said(fact.kind, fact.body)
        return SetAside(fact.kind, fact.record_id, stamp, str(error))

    def _as_gone(self, account: Account, fact: facts.Fact) -> Account:
        row = self._crm.mapping.load(RecordKind.ACCOUNT, fact.body)
        return replace(account, deleted=True, merged_into=self._crm.mapping.merged_into(row))

    def _view(self, tx: Connection, account: Account, read_at: datetime, set_aside: list[SetAside]) -> AccountView:
        cases: list[Case] = []
        disputes: list[Dispute] = []
        attached = facts.attached_facts(tx, self._crm.name, account.id)
        for fact in attached:
            if fact.gone:
                continue
            try:
                self._attach(fact, cases, disputes)
            except UnmappableError as error:
                set_aside.append(self._set_aside(fact, error))
        open_cases = [case for case in cases if case.status is CaseStatus.OPEN]
        reached = facts.bug_accounts(tx, self._crm.name, [case.bug_key for case in open_cases if case.bug_key])
        return AccountView(
            account=account,
            cases=tuple(cases),
            disputes=tuple(disputes),
            bugs=tuple(BugReach(key, accounts) for key, accounts in sorted(reached.items())),
            hits=tuple(hit for case in open_cases for hit in self._detector.hits(case)),
            read_at=read_at,
            merged=tuple(self._legacies(tx, account.id, attached)),
            survivor=self._name_of(tx, account.merged_into),
        )

    def _legacies(
        self, tx: Connection, account_id: AccountId, attached: Sequence[facts.Fact], depth: int = _MERGES
    ) -> Iterator[Legacy]:
        """What accounts left that were merged into this one, and those that had been merged into them before."""
        for fact in attached:
            merged = AccountId(fact.record_id)
            if fact.kind is not RecordKind.ACCOUNT or merged == account_id:
                continue
            last = escalations.latest(tx, self._crm.name, merged)
            if last is not None:
                yield Legacy(merged, self._name_of(tx, merged), last)
            if depth:
                further = facts.attached_facts(tx, self._crm.name, merged)
                yield from self._legacies(tx, account_id, further, depth - 1)

    def _name_of(self, tx: Connection, account_id: AccountId | None) -> str:
        known = None if account_id is None else self.understood(tx, account_id, [])
        return "" if known is None else known[0].name

    def _attach(self, fact: facts.Fact, cases: list[Case], disputes: list[Dispute]) -> None:
        row = self._crm.mapping.load(fact.kind, fact.body)
        if fact.kind is RecordKind.CASE:
            cases.append(self._crm.mapping.case(row))
        else:
            disputes.append(self._crm.mapping.dispute(row))


__all__ = ["Detector", "SetAside", "Situation", "Surveyor"]
