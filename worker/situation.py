"""What one decision rests on: the account, its records, what is remembered of it, and what the CRM shows of its flag.

Reads only. A record that cannot be understood is set aside and named; the last version that was understood counts.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
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
    Flag,
    Legacy,
    Observed,
    PastCause,
    RecordKind,
    TextHit,
)
from worker.core.policy import Policy
from worker.core.story import HealthMove, Past
from worker.core.triggers import assess
from worker.effects import FlagWrite
from worker.field_readers import UnmappableError
from worker.store import clicks, escalations, facts, outbox, progress, silences, trails
from worker.store.codec import decode
from worker.wiring import Crm

_VERSIONS_TOLD = 60
"""Versions of an account that are looked through for health moves."""
_FLAG_FIELDS = tuple(each.name for each in fields(Flag))
_OURS_ALONE = ("reason", "opened_at", "due_at")
"""Fields of the flag whose exact value nobody else would come to."""
_MERGES = 5
"""How many merges in a row are followed."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any read: what is shown now is newer than that write."""


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

    def situation(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Situation | None:
        """What is known of an account now, None when it was never understood. Reads only."""
        set_aside: list[SetAside] = []
        known = self.understood(tx, account_id, set_aside)
        if known is None:
            return None
        account, account_fact = known
        watch = progress.watch_of(tx, self._crm.name, account_id)
        seen = self._seen_by_itself(tx, account, watch, account_fact)
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
            observed=self._observed(tx, account, account_fact, watch, now),
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
        known = facts.account_facts(tx, self._crm.name, account_id)
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

    def _seen_by_itself(
        self, tx: Connection, account: Account, watch: progress.Watch, fact: facts.Fact
    ) -> progress.Watch | None:
        """A write whose answer was lost, seen in the CRM: it is ours, not a person's doing."""
        if watch.written == account.flag:
            return None
        unconfirmed = [decode(each, FlagWrite) for each in outbox.unconfirmed_flags(tx, self._crm.name, account.id)]
        for write in unconfirmed:
            if write.flag == account.flag:
                return replace(watch, written=account.flag, written_at=fact.seen_at)
        for write in unconfirmed:
            if _left_its_mark(write, account.flag):
                return replace(watch, written=write.flag, written_at=_LONG_AGO)
        return None

    def _observed(
        self, tx: Connection, account: Account, fact: facts.Fact, watch: progress.Watch, now: datetime
    ) -> Observed:
        """What the CRM shows, and whether a write of ours makes that old."""
        pending = outbox.pending_flag(tx, self._crm.name, account.id)
        if pending is not None:
            return Observed(account.flag, fact.seen_at, decode(pending.intent.payload, FlagWrite).flag)
        if watch.written is None or watch.written_at is None or account.flag == watch.written:
            return Observed(account.flag, fact.seen_at)
        if fact.seen_at <= watch.written_at:
            return Observed(account.flag, fact.seen_at, self._unless_lost(watch, now))
        recent = now < watch.written_at + self.settle
        return Observed(account.flag, fact.seen_at, watch.written if recent else None, doubtful=recent)

    def _unless_lost(self, watch: progress.Watch, now: datetime) -> Flag | None:
        """The flag as written, until reads that began long after the write still do not show it."""
        settled = (watch.written_at or now) + self.settle
        lost = watch.read_at is not None and watch.read_at > settled and now > settled
        return None if lost else watch.written


def _left_its_mark(write: FlagWrite, shown: Flag) -> bool:
    """Whether the CRM shows what only this write can have put there, although a person has changed the rest since."""
    changed = [name for name in _FLAG_FIELDS if getattr(write.flag, name) != getattr(write.expect, name)]
    telling = [name for name in changed if name in _OURS_ALONE] or changed
    return all(getattr(write.flag, name) == getattr(shown, name) for name in telling)


__all__ = ["Detector", "SetAside", "Situation", "Surveyor"]
