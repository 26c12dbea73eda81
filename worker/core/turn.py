"""One turn of the state machine while it is being made: the escalation as it changes, and what follows from it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from worker.core.clock import retargeted, settled, start_clock
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
    RecordKind,
    Role,
    SetFlag,
    Signal,
    Status,
    TaskKind,
    TrailEntry,
    TriggerId,
)
from worker.core.policy import Policy
from worker.core.routing import csm_of, route, told_as_well

WORKER = "worker"

NOTED = frozenset(
    {
        Event.OPENED,
        Event.REOPENED,
        Event.RAISED,
        Event.LOWERED,
        Event.BUMPED,
        Event.REPEATED,
        Event.REASON_ADDED,
        Event.OWNER_CHANGED,
        Event.PAUSED,
        Event.RESUMED,
        Event.TO_CONFIRM,
        Event.EVIDENCE_BACK,
        Event.OVERRIDDEN,
        Event.TARGET_MISSED,
        Event.DOCUMENT_FILLED,
        Event.FLAPPING,
        Event.RESOLVED,
    }
)
"""The events that are worth a note on the account's page, as long as there is one."""

HANDED_OVER = frozenset({Event.OPENED, Event.REOPENED, Event.RAISED, Event.LOWERED, Event.BUMPED, Event.OWNER_CHANGED})
"""The events with which somebody else has to take over."""

_TOLD_TO_CUSTOMER = frozenset({Event.OPENED, Event.REOPENED, Event.RAISED, Event.BUMPED})
_REASON_LENGTH = 255
_SECOND = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class Ask:
    """A task that goes with an event. `of` None: the escalation's owner."""

    kind: TaskKind
    subject: str
    due_at: datetime
    of: Person | None = None


class Turn:
    """Collects what a reconciliation does; every change of the escalation goes through here.

    `hushed` are the fingerprints that a silence holds back.
    """

    def __init__(
        self,
        escalation: Escalation,
        view: AccountView,
        assessment: Assessment,
        policy: Policy,
        now: datetime,
        hushed: frozenset[str] = frozenset(),
    ) -> None:
        self.escalation = escalation
        self.view = view
        self.assessment = assessment
        self.policy = policy
        self.now = now
        self.hushed = hushed
        self.effects: list[Effect] = []
        self.trail: list[TrailEntry] = []
        self._instead = ""

    def change(self, **values: object) -> None:
        """Set fields of the escalation."""
        self.escalation = replace(self.escalation, **values)  # type: ignore[arg-type]  # checked where it is called

    def tell(
        self,
        event: Event,
        because: str,
        actor: str = WORKER,
        *,
        asks: Sequence[Ask] = (),
        to: Sequence[Person] | None = None,
    ) -> None:
        """Record an event and let the people know: trail, note, tasks, message. `to` other people than the owner."""
        if event in HANDED_OVER and self._instead:
            because, self._instead = f"{because} ({self._instead})", ""
        number = self.escalation.event_no + 1
        self.change(event_no=number)
        self.trail.append(TrailEntry(event, number, self.now, actor, because, self.escalation.level))
        if event in NOTED and self.view.account.page is not None:
            self.effects.append(AddNote(event, number))
        for ask in (*asks, *self._asks_of(event)):
            assignee = ask.of or self.escalation.owner
            if assignee is not None:
                self.effects.append(AddTask(event, number, assignee, ask.subject, ask.due_at, ask.kind))
        self._notify(event, number, to)

    def _notify(self, event: Event, number: int, people: Sequence[Person] | None) -> None:
        owner = self.escalation.owner
        found = route(self.view.account, self.escalation.level, self.lead(), self.policy, self.now)
        to = (() if owner is None else (owner,)) if people is None else tuple(people)
        rules = [reason.trigger for reason in self.escalation.reasons]
        others = (*found.cc, *told_as_well(self.view.account, rules, self.policy, self.now))
        cc = () if people is not None else tuple(dict.fromkeys(person for person in others if person not in to))
        if to or cc:
            self.effects.append(Notify(event, number, to or cc, cc if to else ()))

    def _asks_of(self, event: Event) -> tuple[Ask, ...]:
        """What goes with a change of hands, unless somebody has it in hand: an answer, and word to the customer."""
        if self.escalation.status is not Status.OPEN:
            return ()
        asks: list[Ask] = []
        account, due_at = self.view.account, self.escalation.clock.due_at
        if event in HANDED_OVER:
            asks.append(Ask(TaskKind.ANSWER, f"Answer escalation {self.escalation.level} of {account.name}", due_at))
        csm = self.csm()
        if event in _TOLD_TO_CUSTOMER and csm is not None:
            subject = f"Tell {account.name} who takes over, and complete the issue document"
            asks.append(Ask(TaskKind.DRAFTS, subject, due_at, csm))
        return tuple(asks)

    def csm(self) -> Person | None:
        """Who is asked about the account now."""
        return csm_of(self.view.account, self.policy, self.now)

    def lead(self) -> TriggerId | None:
        """The trigger that names the executive: the decider's, else the first reason's that is not manual."""
        decided = self.assessment.decided_by
        if decided is not None and decided.trigger != MANUAL and decided.fingerprint not in self.hushed:
            return decided.trigger
        named = [reason.trigger for reason in self.escalation.reasons if reason.trigger != MANUAL]
        return named[0] if named else None

    def fresh(self, known: frozenset[str]) -> tuple[Signal, ...]:
        """The signals that are not known and that no silence holds back."""
        return fresh_signals(self.assessment, known, self.hushed)

    def settle(self) -> None:
        """End a pause, if there is one; its time is not counted."""
        self.escalation = settled(self.escalation, self.now, self.policy, self.assessment.segment)

    def known_to_people(self) -> frozenset[str]:
        """The evidence that was there when a person last edited the account: what came later, nobody has judged."""
        edited = self.view.account.modified_at or self.now
        return frozenset(
            signal.fingerprint
            for signal in self.assessment.signals
            if signal.ref.kind is RecordKind.ACCOUNT or signal.occurred_at <= edited
        )

    def move(self, level: Level, occurred_at: datetime) -> None:
        """Go to a level, with its owner and a response clock of its own."""
        self.settle()
        found = route(self.view.account, level, self.lead(), self.policy, self.now)
        self._instead = found.instead
        segment = self.assessment.segment
        self.change(
            resolution=retargeted(self.escalation, level, self.now, self.policy, segment),
            level=level,
            owner=found.owner,
            owner_role=found.role,
            clock=start_clock(level, occurred_at, self.now, self.policy, segment),
            status=Status.OPEN,
            acknowledged_at=None,
            acknowledged_by="",
            snoozed_until=None,
            snoozed_for=frozenset(),
            follow_up=None,
        )

    def restart(self) -> None:
        """A new response clock at the same level, from now."""
        self.move(self.escalation.level, self.now)


def blank(
    escalation_id: str, view: AccountView, assessment: Assessment, clock: Clock, policy: Policy, now: datetime
) -> Escalation:
    """An escalation to which nothing has happened yet."""
    return Escalation(
        id=EscalationId(escalation_id),
        account_id=assessment.account_id,
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


def fresh_signals(
    assessment: Assessment, known: frozenset[str], hushed: frozenset[str] = frozenset()
) -> tuple[Signal, ...]:
    """The signals that nobody said no to, and that no silence holds back."""
    return tuple(
        each for each in assessment.signals if each.fingerprint not in hushed and not covered(each.fingerprint, known)
    )


def desired_flag(escalation: Escalation) -> Flag:
    """What the CRM must show. Times are whole seconds; a due time is rounded up, never early."""
    if not escalation.open:
        merged = escalation.merged_into is not None
        return Flag(status=Outcome.DUPLICATE.value if merged else Status.RESOLVED.value)
    return Flag(
        escalated=True,
        level=escalation.level,
        reason=_reason_text(escalation),
        opened_at=escalation.opened_at.replace(microsecond=0),
        due_at=_rounded_up(escalation.due_at),
        status=escalation.status.value,
        owner="" if escalation.owner is None else escalation.owner.name,
    )


def _rounded_up(moment: datetime | None) -> datetime | None:
    if moment is None or not moment.microsecond:
        return moment
    return moment.replace(microsecond=0) + _SECOND


def _reason_text(escalation: Escalation) -> str:
    present = [reason.detail for reason in escalation.reasons if reason.gone_at is None]
    marked = ["Flapping: held open."] * escalation.flapping
    text = " ".join(" ".join(marked + (present or ["The evidence is gone; waiting for confirmation."])).split())
    return text if len(text) <= _REASON_LENGTH else text[: _REASON_LENGTH - 1] + "…"


def ensure(turn: Turn, observed: Observed) -> None:
    """Ask for the flag as long as the CRM neither shows it nor is about to."""
    wanted = desired_flag(turn.escalation)
    expected = observed.flag if observed.pending is None else observed.pending
    if wanted != expected and not observed.doubtful:
        turn.effects.append(SetFlag(wanted))
