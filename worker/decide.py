"""Deciding: for each account that is marked or due, one transaction reads, reconciles, saves and enqueues.

The mark is cleared in that same transaction and only if nobody marked again, so a crash anywhere leaves either
everything or nothing. New escalations pass the brakes first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import Connection

from worker.brakes import Brake
from worker.core.model import Account, AccountId, BugKey, Decision, Event, Level, SetFlag
from worker.core.policy import Policy
from worker.core.proof import Proof
from worker.core.reconcile import reconcile
from worker.core.telling import shared_bug
from worker.effects import Effects, Subject, ensure_flag, wanted_flag
from worker.ports import Ports
from worker.render import Context
from worker.situation import SetAside, Situation, Surveyor
from worker.store import clicks, escalations, progress, silences, trails
from worker.store.database import Store, StoreBusyError, StoreLockedError
from worker.store.progress import Mark
from worker.whatif.proof import Prover
from worker.wiring import Crm

_PAGE = 500


@dataclass(slots=True)
class DecideReport:
    """What deciding came to. `held` are the levels of new escalations that a brake kept back.

    `busy` are accounts that another process changed meanwhile: their marks stay, the next cycle decides.
    """

    decided: int = 0
    opened: list[Level] = field(default_factory=list)
    changed: int = 0
    held: list[tuple[AccountId, Level]] = field(default_factory=list)
    failed: list[tuple[AccountId, str]] = field(default_factory=list)
    busy: list[tuple[AccountId, str]] = field(default_factory=list)


class Opening(NamedTuple):
    """A new escalation. `bug`, where it is told together with the others that this bug hits."""

    account_id: AccountId
    level: Level
    bug: BugKey | None = None


class Decider:
    """Decides for the accounts of one CRM."""

    def __init__(
        self,
        crm: Crm,
        store: Store,
        ports: Ports,
        policy: Policy,
        surveyor: Surveyor,
        effects: Effects,
        prover: Prover,
    ) -> None:
        self._crm = crm
        self._store = store
        self._ports = ports
        self._policy = policy
        self._surveyor = surveyor
        self._effects = effects
        self._prover = prover
        self._storm = ""

    def run(self, brake: Brake, *, complete: bool, storm: str = "") -> DecideReport:
        """Decide for every account that is marked or due. `complete` False: a read failed, so nothing is cleared.

        `storm` names this cycle when it opens so many escalations that they are told together.
        """
        report, self._storm = DecideReport(), storm
        for mark in self._marks():
            try:
                self._decide(mark, brake, report, complete=complete)
            except StoreLockedError:
                raise  # every other account would wait for the same lock
            except StoreBusyError as error:
                report.busy.append((mark.account_id, str(error)))
            except Exception as error:  # noqa: BLE001  one account's fault must not stop the others (I8)
                report.failed.append((mark.account_id, f"{type(error).__name__}: {error}"))
        return report

    def wake(self, few: int) -> frozenset[AccountId]:
        """Mark the accounts whose timer is due. Returns who must be decided; beyond `few`, not all of them."""
        now = self._ports.now()
        with self._store.read() as tx:
            due = progress.due_accounts(tx, self._crm.name, now)
            marked = progress.dirty_accounts(tx, self._crm.name, few + 1)
        if due:
            with self._store.begin() as tx:
                progress.mark_dirty(tx, self._crm.name, due, now)
        return frozenset({*due, *(mark.account_id for mark in marked)})

    def _marks(self) -> Iterator[Mark]:
        after = ""
        while True:
            with self._store.read() as tx:
                marks = progress.dirty_accounts(tx, self._crm.name, _PAGE, after)
            if not marks:
                return
            yield from marks
            after = marks[-1].account_id

    def openings(self, *, complete: bool) -> list[Opening]:
        """The new escalations that deciding now would open, without doing anything; for the brakes."""
        found: list[Opening] = []
        now = self._ports.now()
        for mark in self._marks():
            with self._store.read() as tx:
                opening = self._would_open(tx, mark.account_id, now, complete=complete)
            if opening is not None:
                found.append(opening)
        return found

    def _would_open(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Opening | None:
        try:
            situation = self._surveyor.situation(tx, account_id, now, complete=complete)
            if situation is None:
                return None
            decision = self._reconcile(situation, now)
            level = _opens(situation, decision)
        except Exception:  # noqa: BLE001  counted and named when it is decided
            return None
        return None if level is None else Opening(account_id, level, shared_bug(decision.escalation, self._policy))

    def _decide(self, mark: Mark, brake: Brake, report: DecideReport, *, complete: bool) -> None:
        with self._store.begin() as tx:
            # Asked inside: whoever waited for the lock must not decide as of before another's decision.
            now = self._ports.now()
            situation = self._surveyor.situation(tx, mark.account_id, now, complete=complete)
            if situation is None:
                self._give_up(tx, mark, now, complete=complete)
                return
            decision = self._reconcile(situation, now)
            opening = _opens(situation, decision)
            if opening is not None and mark.account_id not in brake.counted:
                return  # marked since the counting: the next cycle counts it
            if opening is not None and not brake.lets_pass(opening):
                report.held.append((mark.account_id, opening))
                return
            self._save(tx, situation, decision, now)
            if complete or situation.current is None:
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
        self._surveyor.understood(tx, mark.account_id, set_aside)
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

    def situation(self, tx: Connection, account_id: AccountId, now: datetime, *, complete: bool) -> Situation | None:
        """What a decision on this account would rest on now; for those who only want to look."""
        return self._surveyor.situation(tx, account_id, now, complete=complete)

    def _reconcile(self, situation: Situation, now: datetime) -> Decision:
        return reconcile(situation.view, situation.assessment, situation.current, situation.observed, self._policy, now)

    def _save(self, tx: Connection, situation: Situation, decision: Decision, now: datetime) -> None:
        account = situation.view.account
        self._set_aside(tx, account.id, situation.set_aside, now)
        seen = situation.confirmed
        if seen is not None and seen.written is not None and seen.written_at is not None:
            progress.confirm_flag(tx, self._crm.name, account.id, seen.written, seen.written_at)
        asked = situation.view.asked | decision.asked
        next_at = self._next_look(situation, decision, now)
        timed = next_at is not None or situation.timer is not None
        if timed or asked != situation.view.asked or decision.escalation is not None:
            progress.remember(tx, self._crm.name, account.id, next_at, asked)
        escalation = decision.escalation
        if escalation is not None and escalation != situation.current:
            escalation = escalations.save(tx, self._crm.name, escalation)
        subject = _subject(self._crm, situation, decision)
        trails.record(tx, self._crm.name, account.id, subject.escalation_id, decision.trail, self._policy.version)
        silences.held(tx, self._crm.name, account.id, decision.silenced, now)
        heeded = {entry.actor for entry in decision.trail if entry.event is Event.ACKNOWLEDGED}
        for answer in situation.view.answers:
            clicks.decided(tx, self._crm.name, account.id, answer.key, heeded=answer.by in heeded)
        self._enqueue(tx, subject, situation, decision, now)

    def _next_look(self, situation: Situation, decision: Decision, now: datetime) -> datetime | None:
        """When to decide again although nothing changes: soon, while the CRM shows another flag than a late write."""
        observed = situation.observed
        if observed.pending is None or observed.pending == observed.flag:
            return decision.next_at
        soon = now + self._surveyor.settle
        return soon if decision.next_at is None else min(soon, decision.next_at)

    def _enqueue(
        self, tx: Connection, subject: Subject, situation: Situation, decision: Decision, now: datetime
    ) -> None:
        once = [effect for effect in decision.effects if not isinstance(effect, SetFlag)]
        if once:
            context = self.context(situation, decision, once[0].event, now)
            past, proof = self._surveyor.past(tx, subject.account_id), self._proof(tx, decision, now)
            context = replace(context, past=past, backtest=proof)
            self._effects.enqueue(tx, subject, once, context, self._storm)
        flag = wanted_flag(decision.effects)
        if flag is not None and self._may_show(situation.view.account):
            observed = situation.observed
            expected = observed.flag if observed.pending is None else observed.pending
            ensure_flag(tx, subject, flag, expected, now)

    def _may_show(self, account: Account) -> bool:
        """Whether the CRM has a place for the account's flag: of one that was merged away only a record of its own."""
        return not account.deleted or self._crm.connector.capabilities().records

    def _proof(self, tx: Connection, decision: Decision, now: datetime) -> Proof | None:
        """What speaks for a proposal, where the decision makes one."""
        proposes = any(entry.event is Event.PLAYBOOK for entry in decision.trail)
        reasons = decision.escalation.reasons if proposes and decision.escalation is not None else ()
        return self._prover.prove(tx, reasons[0].trigger, now) if reasons else None

    def would_decide(self, situation: Situation, now: datetime) -> Decision:
        """What deciding now would come to, without doing anything."""
        return self._reconcile(situation, now)

    def context(self, situation: Situation, decision: Decision, event: Event, now: datetime) -> Context:
        """What the texts about an event of this decision may speak of."""
        account = situation.view.account
        return Context(
            view=situation.view,
            escalation=decision.escalation,
            assessment=situation.assessment,
            policy=self._policy,
            now=now,
            because=decision.because,
            said={entry.event_no: entry.because for entry in decision.trail},
            event=event,
            link=self._crm.page_of(account.page or account.id),
        )


def _opens(situation: Situation, decision: Decision) -> Level | None:
    """The level of the escalation that a decision opens, None when it opens none."""
    fresh = decision.escalation
    if fresh is None or not fresh.open:
        return None
    if situation.current is not None and situation.current.id == fresh.id:
        return None
    return fresh.level


def _subject(crm: Crm, situation: Situation, decision: Decision) -> Subject:
    escalation, account = decision.escalation, situation.view.account
    if escalation is None:
        return Subject(crm.name, account.id, f"ask-{account.id}", Level.L1, account.language)
    unknown = situation.current is None and not situation.view.merged
    since = situation.observed.flag.opened_at if unknown else None
    return Subject(crm.name, account.id, escalation.id, escalation.level, account.language, since, account.page)


__all__ = ["DecideReport", "Decider", "Opening"]
