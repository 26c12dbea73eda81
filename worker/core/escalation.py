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
    TO_CONFIRM = "to_confirm"
    RESOLVED = "resolved"


OPEN_STATUSES: tuple[Status, ...] = (Status.OPEN, Status.ACKNOWLEDGED, Status.SNOOZED, Status.TO_CONFIRM)


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
    """A response clock: for one level and one owner. `fired` are the steps that have been told.

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
class Escalation:
    """One account's escalation, with all its reasons. At most one is open for an account.

    `event_no` counts the events that were told; it is part of every idempotency key. `dismissed` are the fingerprints
    for which a person said no: the worker does not escalate for them again. `written` is the flag that the worker last
    had confirmed by the CRM: a difference to what the CRM shows later is a person's doing.
    `raised_to` is the level that a person or the ladder set; `levelled_for` the evidence that a person knew then: it
    does not raise the level again.
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

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.status is not Status.RESOLVED


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """How long evidence must be there before opening, and gone before stepping down, for one level."""

    enter: timedelta = timedelta(0)
    leave: timedelta = timedelta(hours=24)
