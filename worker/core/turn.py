"""One turn of the state machine while it is being made: the escalation as it changes, and what follows from it."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from worker.core.clock import start_clock
from worker.core.model import (
    MANUAL,
    AccountView,
    AddNote,
    AddTask,
    Assessment,
    Clock,
    Effect,
    Escalation,
    EscalationId,
    Event,
    Flag,
    Level,
    Notify,
    Observed,
    Outcome,
    Person,
    Role,
    SetFlag,
    Signal,
    Status,
    TrailEntry,
    TriggerId,
)
from worker.core.policy import Policy
from worker.core.routing import route

WORKER = "worker"

_NOTED = frozenset(
    {
        Event.OPENED,
        Event.REOPENED,
        Event.RAISED,
        Event.LOWERED,
        Event.BUMPED,
        Event.REPEATED,
        Event.REASON_ADDED,
        Event.TO_CONFIRM,
        Event.EVIDENCE_BACK,
        Event.OVERRIDDEN,
        Event.RESOLVED,
    }
)
_HANDED_OVER = frozenset({Event.OPENED, Event.REOPENED, Event.RAISED, Event.LOWERED, Event.BUMPED})
_REASON_LENGTH = 255
_SECOND = timedelta(seconds=1)


class Turn:
    """Collects what a reconciliation does; every change of the escalation goes through here."""

    def __init__(
        self, escalation: Escalation, view: AccountView, assessment: Assessment, policy: Policy, now: datetime
    ) -> None:
        self.escalation = escalation
        self.view = view
        self.assessment = assessment
        self.policy = policy
        self.now = now
        self.effects: list[Effect] = []
        self.trail: list[TrailEntry] = []

    def change(self, **values: object) -> None:
        """Set fields of the escalation."""
        self.escalation = replace(self.escalation, **values)  # type: ignore[arg-type]  # checked where it is called

    def tell(self, event: Event, because: str, actor: str = WORKER, task: str = "") -> None:
        """Record an event and let the people know: trail, note, task, message."""
        number = self.escalation.event_no + 1
        self.change(event_no=number)
        escalation = self.escalation
        self.trail.append(TrailEntry(event, number, self.now, actor, because, escalation.level))
        if event in _NOTED:
            self.effects.append(AddNote(event, number))
        if escalation.owner is not None and (task or event in _HANDED_OVER):
            subject = task or f"Answer escalation {escalation.level} of {self.view.account.name}"
            self.effects.append(AddTask(event, number, escalation.owner, subject, escalation.clock.due_at))
        found = route(self.view.account, escalation.level, self.lead(), self.policy)
        to = tuple(person for person in (escalation.owner,) if person is not None)
        cc = tuple(person for person in found.cc if person not in to)
        self.effects.append(Notify(event, number, to or cc, cc if to else ()))

    def lead(self) -> TriggerId | None:
        """The trigger that names the executive: the decider's, else the first reason's that is not manual."""
        if self.assessment.decided_by is not None and self.assessment.decided_by.trigger != MANUAL:
            return self.assessment.decided_by.trigger
        named = [reason.trigger for reason in self.escalation.reasons if reason.trigger != MANUAL]
        return named[0] if named else None

    def move(self, level: Level, occurred_at: datetime) -> None:
        """Go to a level, with its owner and a clock of its own."""
        found = route(self.view.account, level, self.lead(), self.policy)
        self.change(
            level=level,
            owner=found.owner,
            owner_role=found.role,
            clock=start_clock(level, occurred_at, self.now, self.policy),
            status=Status.OPEN,
            acknowledged_at=None,
            acknowledged_by="",
            snoozed_until=None,
            snoozed_for=frozenset(),
        )

    def restart(self) -> None:
        """A new clock at the same level, from now."""
        self.move(self.escalation.level, self.now)

    def close(self, outcome: Outcome, note: str, actor: str, *, root_cause: str = "") -> None:
        """End it. What was present is dismissed: only new evidence escalates again."""
        present = frozenset(signal.fingerprint for signal in self.assessment.signals)
        by_person = actor != WORKER
        kept = self.escalation.dismissed
        if self.view.complete and self.assessment.complete:
            kept = still_there(kept, present)
        self.change(
            status=Status.RESOLVED,
            outcome=outcome,
            outcome_note=note,
            root_cause=root_cause,
            resolved_at=self.now,
            dismissed=kept | (present if by_person else frozenset()),
        )
        self.tell(Event.RESOLVED, f"{outcome.value.replace('_', ' ')}: {note}" if note else outcome.value, actor)


def blank(escalation_id: str, view: AccountView, clock: Clock, policy: Policy, now: datetime) -> Escalation:
    """An escalation to which nothing has happened yet."""
    return Escalation(
        id=EscalationId(escalation_id),
        account_id=view.account.id,
        level=clock.level,
        status=Status.OPEN,
        reasons=(),
        owner=None,
        owner_role=Role.CSM,
        opened_at=now,
        clock=clock,
        policy_version=policy.version,
        heeded=view.account.override,
    )


def covered(fingerprint: str, known: frozenset[str]) -> bool:
    """Whether evidence is already among what is known: itself, or a total over a part of the same disputes."""
    if fingerprint in known:
        return True
    head, found, ids = fingerprint.partition(":total:")
    if not found:
        return False
    parts = set(ids.split("+"))
    totals = (each.partition(":total:") for each in known)
    return any(name == head and sep and parts <= set(rest.split("+")) for name, sep, rest in totals)


def still_there(dismissed: frozenset[str], present: frozenset[str]) -> frozenset[str]:
    """The dismissed evidence that is there yet: itself, or a total over a part of it. The rest may come as new."""
    return frozenset(
        each for each in dismissed if each in present or any(covered(one, frozenset({each})) for one in present)
    )


def fresh_signals(assessment: Assessment, dismissed: frozenset[str]) -> tuple[Signal, ...]:
    """The signals that nobody said no to."""
    return tuple(each for each in assessment.signals if not covered(each.fingerprint, dismissed))


def desired_flag(escalation: Escalation) -> Flag:
    """What the CRM must show. Times are whole seconds; a due time is rounded up, never early."""
    if not escalation.open:
        return Flag(status=Status.RESOLVED.value)
    due_at = escalation.clock.due_at
    if due_at.microsecond:
        due_at = due_at.replace(microsecond=0) + _SECOND
    return Flag(
        escalated=True,
        level=escalation.level,
        reason=_reason_text(escalation),
        opened_at=escalation.opened_at.replace(microsecond=0),
        due_at=due_at,
        status=escalation.status.value,
        owner="" if escalation.owner is None else escalation.owner.name,
    )


def _reason_text(escalation: Escalation) -> str:
    present = [reason.detail for reason in escalation.reasons if reason.gone_at is None]
    text = " ".join(" ".join(present or ["The evidence is gone; waiting for confirmation."]).split())
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"


def ensure(turn: Turn, observed: Observed) -> None:
    """Ask for the flag as long as the CRM neither shows it nor is about to."""
    wanted = desired_flag(turn.escalation)
    expected = observed.flag if observed.pending is None else observed.pending
    if wanted != expected and not observed.doubtful:
        turn.effects.append(SetFlag(wanted))


def person_named(name: str, view: AccountView, policy: Policy) -> Person | None:
    """Somebody whom the account or the policy knows by this name."""
    known = [view.account.owner, view.account.manager, *policy.people.values()]
    return next((each for each in known if each is not None and each.name == name), None)
