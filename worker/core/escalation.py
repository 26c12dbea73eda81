"""One account's escalation: where it stands, why, whose it is, and which clocks run for it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from worker.core.records import (
    NO_OVERRIDE,
    AccountId,
    EscalationId,
    Flag,
    Level,
    Override,
    Person,
    RecordRef,
    Role,
    TriggerId,
)


class Status(StrEnum):
    """Where an escalation stands. All but RESOLVED are open."""

    OPEN = "open"
    ACKNOWLEDGED = "acknowledged"
    SNOOZED = "snoozed"
    WAITING = "waiting"
    """It is the customer's turn: the clocks stand still."""
    TO_CONFIRM = "to_confirm"
    RESOLVED = "resolved"


OPEN_STATUSES: tuple[Status, ...] = tuple(status for status in Status if status is not Status.RESOLVED)


class Outcome(StrEnum):
    """How an escalation ended."""

    RESOLVED = "resolved"
    CHURNED = "churned"
    DOWNGRADED = "downgraded"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    WITHDRAWN = "withdrawn"
    """A person took the flag away in the CRM without saying how it ended."""
    ACCOUNT_REMOVED = "account_removed"


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal that an escalation carries. `gone_at` is when its evidence was first seen to be gone.

    `phrase` names the phrase where text was the evidence, so that false alarms can be held against it.
    """

    trigger: TriggerId
    ref: RecordRef
    detail: str
    fingerprint: str
    since: datetime
    occurred_at: datetime
    gone_at: datetime | None = None
    phrase: str = ""


class Step(StrEnum):
    """The steps of one clock; each fires once for each clock."""

    HALF = "half"
    MOST = "most"
    DUE = "due"


@dataclass(frozen=True, slots=True)
class Clock:
    """A response clock, for one level and one owner, or the clock of a resolution target. `fired` are the steps told.

    All times are UTC. `detected_at` minus `started_at` is the lag of detection.
    """

    level: Level
    started_at: datetime
    detected_at: datetime
    half_at: datetime
    most_at: datetime
    due_at: datetime
    explained: str
    fired: tuple[Step, ...] = ()


@dataclass(frozen=True, slots=True)
class Pause:
    """A time in which the clocks stood still for the customer's answer. `until` is where the budget ends at the latest.

    `before` is the status to which it returns; `ended_at` None: it goes on.
    """

    since: datetime
    until: datetime
    before: Status
    by: str = ""
    ended_at: datetime | None = None

    @property
    def length(self) -> timedelta:
        """How long it lasted, or will last at most."""
        return (self.ended_at or self.until) - self.since


@dataclass(frozen=True, slots=True)
class FollowUp:
    """The clock of an escalation that somebody has taken up: it runs from the last sign of work on it.

    `steps` are when silence is told, reminded and, as the last, moved up a level; `told` counts those that came.
    """

    status: Status
    since: datetime
    steps: tuple[datetime, ...]
    told: int = 0


@dataclass(frozen=True, slots=True)
class Handoff:
    """The last change of hands and the call that belongs to it, between the CSM and the new owner.

    `calls` are the times proposed for it, none where there was no time left. `said_before` is what the CRM said of such
    a call when it changed hands: only another word counts, and `held_at` is that word. `remind_at` is when somebody is
    reminded next, None for no more.
    """

    since: datetime
    calls: tuple[datetime, ...] = ()
    said_before: datetime | None = None
    held_at: datetime | None = None
    reminded: int = 0
    remind_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PostMortem:
    """A look back that somebody was asked for when an escalation was closed."""

    of: EscalationId
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Escalation:
    """One account's escalation, with all its reasons. At most one is open for an account.

    `event_no` counts the events that were told; it is part of every idempotency key. `dismissed` are the fingerprints
    for which a person said no: the worker does not escalate for them again. `written` is the flag that the worker last
    had confirmed by the CRM: a difference to what the CRM shows later is a person's doing.
    `answered_at` is the first acknowledgement of all. `activity` is a digest of what people have written about it: it
    changes when somebody works on it. `resolution` is the clock of the resolution target. `flips` are the moments at
    which its evidence went or came back lately; `flapping` holds it open. `document_asked` counts how often the CSM was
    asked for the open fields of the issue document, `document_at` is when to ask again. `post_mortems` are those that
    nobody was reminded of yet, of earlier escalations too.
    `merged_into`: it ended because its account went into that one; `took_over` are those of merged accounts that go on
    in this one.
    `raised_to` is the level that a person or the ladder set; `levelled_for` the evidence that a person knew then: it
    does not raise the level again. `handoff` is its last change of hands, None where an earlier release made that.
    """

    id: EscalationId
    account_id: AccountId
    level: Level
    status: Status
    reasons: tuple[Reason, ...]
    owner: Person | None
    owner_role: Role
    opened_at: datetime
    clock: Clock
    policy_version: str
    event_no: int = 0
    raised_to: Level | None = None
    acknowledged_at: datetime | None = None
    acknowledged_by: str = ""
    snoozed_until: datetime | None = None
    snoozed_for: frozenset[str] = frozenset()
    evidence_gone_at: datetime | None = None
    resolved_at: datetime | None = None
    outcome: Outcome | None = None
    root_cause: str = ""
    outcome_note: str = ""
    dismissed: frozenset[str] = frozenset()
    heeded: Override = NO_OVERRIDE
    levelled_for: frozenset[str] = frozenset()
    written: Flag | None = None
    reopened_from: EscalationId | None = None
    version: int = 0
    answered_at: datetime | None = None
    snoozed_by: str = ""
    snooze_end_told: bool = False
    pauses: tuple[Pause, ...] = ()
    follow_up: FollowUp | None = None
    activity: str = ""
    resolution: Clock | None = None
    document_asked: int = 0
    document_at: datetime | None = None
    flips: tuple[datetime, ...] = ()
    flapping: bool = False
    duplicate_of: str = ""
    customer_confirmed: bool = False
    post_mortems: tuple[PostMortem, ...] = ()
    merged_into: AccountId | None = None
    took_over: tuple[EscalationId, ...] = ()
    handoff: Handoff | None = None

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.status is not Status.RESOLVED

    @property
    def pause(self) -> Pause | None:
        """The pause that goes on, if one does."""
        last = self.pauses[-1] if self.pauses else None
        return last if last is not None and last.ended_at is None else None

    @property
    def due_at(self) -> datetime | None:
        """What is due next: the answer, or once somebody has answered, the resolution; the end of a pause or snooze."""
        match self.status:
            case Status.OPEN:
                return self.clock.due_at
            case Status.SNOOZED:
                return self.snoozed_until
            case Status.WAITING:
                return None if self.pause is None else self.pause.until
            case Status.ACKNOWLEDGED | Status.TO_CONFIRM:
                return None if self.resolution is None else self.resolution.due_at
            case Status.RESOLVED:
                return None


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """How long evidence must be there before opening, and gone before stepping down, for one level."""

    enter: timedelta = timedelta(0)
    leave: timedelta = timedelta(hours=24)
