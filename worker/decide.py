"""Deciding: for each account that is marked or due, one transaction reads, reconciles, saves and enqueues.

The mark is cleared in that same transaction and only if nobody marked again, so a crash anywhere leaves either
everything or nothing. New escalations pass the brakes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Protocol

from sqlalchemy import Connection

from worker.brakes import Brake
from worker.core.model import (
    Account,
    AccountId,
    AccountView,
    AddNote,
    AddTask,
    Assessment,
    BugReach,
    Case,
    CaseStatus,
    Decision,
    Dispute,
    Escalation,
    Flag,
    Level,
    Notify,
    Observed,
    RecordKind,
    SetFlag,
    TextHit,
)
from worker.core.policy import Policy
from worker.core.reconcile import reconcile
from worker.core.triggers import assess
from worker.effects import Effects, FlagWrite, Subject, ensure_flag, wanted_flag
from worker.mapping import UnmappableError
from worker.ports import Ports
from worker.render import Context
from worker.store import escalations, facts, outbox, progress
from worker.store.codec import decode
from worker.store.database import Store, StoreBusyError
from worker.store.progress import Mark
from worker.wiring import Crm

_PAGE = 500


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
    """Everything that one decision rests on. `confirmed` is a flag of ours that the CRM showed by itself."""

    view: AccountView
    assessment: Assessment
    current: Escalation | None
    observed: Observed
    set_aside: tuple[SetAside, ...] = ()
    confirmed: Flag | None = None


@dataclass(slots=True)
class DecideReport:
    """What deciding came to. `held` are the levels of new escalations that a brake kept back."""

    decided: int = 0
    opened: list[Level] = field(default_factory=list)
    changed: int = 0
    held: list[tuple[AccountId, Level]] = field(default_factory=list)
    failed: list[tuple[AccountId, str]] = field(default_factory=list)


class Decider:
    """Decides for the accounts of one CRM."""

    def __init__(
        self,
        crm: Crm,
        store: Store,
        ports: Ports,
        policy: Policy,
        detector: Detector,
        effects: Effects,
        settle: timedelta,
        link: str = "",
    ) -> None:
        self._crm = crm
        self._store = store
        self._ports = ports
        self._policy = policy
        self._detector = detector
        self._effects = effects
        self._settle = settle
        self._link = link

    def run(self, brake: Brake, *, complete: bool) -> DecideReport:
        """Decide for every account that is marked or due. `complete` False: a read failed, so nothing is cleared."""
        report = DecideReport()
        self._wake_due()
        for mark in self._marks():
            try:
                self._decide(mark, brake, report, complete=complete)
            except StoreBusyError:
                continue
            except Exception as error:  # noqa: BLE001  one account's fault must not stop the others (I8)
                report.failed.append((mark.account_id, f"{type(error).__name__}: {error}"))
        return report

    def _wake_due(self) -> None:
        now = self._ports.now()
        with self._store.begin() as tx:
            progress.mark_dirty(tx, self._crm.name, progress.due_accounts(tx, self._crm.name, now), now)

    def _marks(self) -> Iterator[Mark]:
        after = ""
        while True:
            with self._store.read() as tx:
                marks = progress.dirty_accounts(tx, self._crm.name, _PAGE, after)
            if not marks:
                return
            yield from marks
            after = marks[-1].account_id

    def openings(self, *, complete: bool) -> list[tuple[AccountId, Level]]:
        """The new escalations that deciding now would open, without doing anything; for the brakes."""
        found: list[tuple[AccountId, Level]] = []
        now = self._ports.now()
        for mark in self._marks():
            with self._store.read() as tx:
                level = self._would_open(tx, mark.account_id, now, complete=complete)
            if level is not None:
                found.append((mark.account_id, level))
        return found

    def _would_open(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Level | None:
        try:
            situation = self.situation(tx, account_id, now, complete=complete)
            return None if situation is None else _opens(situation, self._reconcile(situation, now))
        except Exception:  # noqa: BLE001  counted and named when it is decided
            return None

    def _decide(self, mark: Mark, brake: Brake, report: DecideReport, *, complete: bool) -> None:
        now = self._ports.now()
        with self._store.begin() as tx:
            situation = self.situation(tx, mark.account_id, now, complete=complete)
            if situation is None:
                self._give_up(tx, mark, now, complete=complete)
                return
            decision = self._reconcile(situation, now)
            opening = _opens(situation, decision)
            if opening is not None and not brake.lets_pass(opening):
                report.held.append((mark.account_id, opening))
                return
            self._save(tx, situation, decision, now)
            progress.clear_dirty(tx, self._crm.name, mark)
        report.decided += 1
        report.changed += bool(decision.trail)
        if opening is not None:
            report.opened.append(opening)

    def _give_up(self, tx: Connection, mark: Mark, now: datetime, *, complete: bool) -> None:
        """The account cannot be mapped, or was never read: it is marked again when it changes or comes.

        While a read fails the mark stays: the account may be on the page that is missing.
        """
        set_aside: list[SetAside] = []
        self._account(tx, mark.account_id, set_aside)
        self._set_aside(tx, mark.account_id, set_aside, now)
        if complete or set_aside:
            progress.clear_dirty(tx, self._crm.name, mark)

    def _set_aside(self, tx: Connection, account_id: AccountId, records: Sequence[SetAside], now: datetime) -> None:
        still = [(each.kind, each.record_id) for each in records]
        progress.release_understood(tx, self._crm.name, account_id, still)
        for each in records:
            progress.put_in_quarantine(
                tx, self._crm.name, each.kind, each.record_id, account_id, each.reason, now, modified=each.modified
            )

    def _reconcile(self, situation: Situation, now: datetime) -> Decision:
        return reconcile(situation.view, situation.assessment, situation.current, situation.observed, self._policy, now)

    def situation(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Situation | None:
        """What is known of an account now, None when it was never understood. Reads only."""
        set_aside: list[SetAside] = []
        known = self._account(tx, account_id, set_aside)
        if known is None:
            return None
        account, account_fact = known
        watch = progress.watch_of(tx, self._crm.name, account_id)
        seen = self._seen_by_itself(tx, account, watch, account_fact)
        watch = seen or watch
        view = self._view(tx, account, account_fact.seen_at, set_aside)
        view = replace(view, asked=watch.asked, complete=complete and not set_aside)
        current = escalations.latest(tx, self._crm.name, account_id)
        return Situation(
            view=view,
            assessment=assess(view, self._policy, now),
            current=None if current is None else replace(current, written=watch.written),
            observed=self._observed(tx, account, account_fact, watch, now),
            set_aside=tuple(set_aside),
            confirmed=None if seen is None else seen.written,
        )

    def _account(
        self, tx: Connection, account_id: AccountId, set_aside: list[SetAside]
    ) -> tuple[Account, facts.Fact] | None:
        """The account as last understood: a version that cannot be mapped is set aside, the one before it counts."""
        for fact in facts.account_facts(tx, self._crm.name, account_id):
            try:
                account = self._crm.mapping.account(self._crm.mapping.load(RecordKind.ACCOUNT, fact.body))
            except UnmappableError as error:
                if not set_aside:
                    set_aside.append(SetAside(RecordKind.ACCOUNT, fact.record_id, fact.modified, str(error)))
            else:
                return replace(account, deleted=fact.gone), fact
        return None

    def _view(self, tx: Connection, account: Account, read_at: datetime, set_aside: list[SetAside]) -> AccountView:
        cases: list[Case] = []
        disputes: list[Dispute] = []
        for fact in facts.attached_facts(tx, self._crm.name, account.id):
            if fact.gone:
                continue
            try:
                self._attach(fact, cases, disputes)
            except UnmappableError as error:
                set_aside.append(SetAside(fact.kind, fact.record_id, fact.modified, str(error)))
        open_cases = [case for case in cases if case.status is CaseStatus.OPEN]
        reached = facts.bug_accounts(tx, self._crm.name, [case.bug_key for case in open_cases if case.bug_key])
        return AccountView(
            account=account,
            cases=tuple(cases),
            disputes=tuple(disputes),
            bugs=tuple(BugReach(key, accounts) for key, accounts in sorted(reached.items())),
            hits=tuple(hit for case in open_cases for hit in self._detector.hits(case)),
            read_at=read_at,
        )

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
        for payload in outbox.unconfirmed_flags(tx, self._crm.name, account.id):
            if decode(payload, FlagWrite).flag == account.flag:
                return replace(watch, written=account.flag, written_at=fact.seen_at)
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
        recent = now < watch.written_at + self._settle
        return Observed(account.flag, fact.seen_at, watch.written if recent else None, doubtful=recent)

    def _unless_lost(self, watch: progress.Watch, now: datetime) -> Flag | None:
        """The flag as written, until reads that began long after the write still do not show it."""
        settled = (watch.written_at or now) + self._settle
        lost = watch.read_at is not None and watch.read_at > settled and now > settled
        return None if lost else watch.written

    def _save(self, tx: Connection, situation: Situation, decision: Decision, now: datetime) -> None:
        account = situation.view.account
        self._set_aside(tx, account.id, situation.set_aside, now)
        if situation.confirmed is not None:
            progress.confirm_flag(tx, self._crm.name, account.id, situation.confirmed, situation.observed.read_at)
        asked = situation.view.asked | decision.asked
        if decision.next_at is not None or asked != situation.view.asked or decision.escalation is not None:
            progress.remember(tx, self._crm.name, account.id, decision.next_at, asked)
        escalation = decision.escalation
        if escalation is not None and escalation != situation.current:
            escalation = escalations.save(tx, self._crm.name, escalation)
        subject = _subject(self._crm, account, decision)
        escalations.record(tx, self._crm.name, account.id, subject.escalation_id, decision.trail, self._policy.version)
        self._enqueue(tx, subject, situation, decision, now)

    def _enqueue(
        self, tx: Connection, subject: Subject, situation: Situation, decision: Decision, now: datetime
    ) -> None:
        once = [effect for effect in decision.effects if not isinstance(effect, SetFlag)]
        if once:
            outbox.enqueue(tx, self._effects.intents(subject, once, self._context(situation, decision, once, now)), now)
        flag = wanted_flag(decision.effects)
        if flag is not None:
            observed = situation.observed
            expected = observed.flag if observed.pending is None else observed.pending
            ensure_flag(tx, subject, flag, expected, now)

    def _context(
        self, situation: Situation, decision: Decision, once: Sequence[AddNote | AddTask | Notify], now: datetime
    ) -> Context:
        return Context(
            view=situation.view,
            escalation=decision.escalation,
            assessment=situation.assessment,
            policy=self._policy,
            now=now,
            because=decision.because,
            event=once[0].event,
            link=self._link,
        )


def _opens(situation: Situation, decision: Decision) -> Level | None:
    """The level of the escalation that a decision opens, None when it opens none."""
    fresh = decision.escalation
    if fresh is None or not fresh.open:
        return None
    if situation.current is not None and situation.current.id == fresh.id:
        return None
    return fresh.level


def _subject(crm: Crm, account: Account, decision: Decision) -> Subject:
    escalation = decision.escalation
    if escalation is None:
        return Subject(crm.name, account.id, f"ask-{account.id}", Level.L1, account.language)
    return Subject(crm.name, account.id, escalation.id, escalation.level, account.language)


__all__ = ["DecideReport", "Decider", "Detector", "Situation"]
