"""Values that every room of the worker shares.

All are frozen and comparable. Money is `Decimal` with a currency, every time is aware UTC, every id is a string
exactly as the CRM writes it. Nothing here reads a clock, a disk or a network.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NewType

from worker.core.money import Conversion, Money

ConnectorName = NewType("ConnectorName", str)
AccountId = NewType("AccountId", str)
RecordId = NewType("RecordId", str)
UserId = NewType("UserId", str)
EscalationId = NewType("EscalationId", str)
TriggerId = NewType("TriggerId", str)
BugKey = NewType("BugKey", str)

CHURN_THREAT = TriggerId("churn_threat")
LEGAL_COMPLIANCE = TriggerId("legal_compliance")
SECURITY_INCIDENT = TriggerId("security_incident")
EXECUTIVE_COMPLAINT = TriggerId("executive_complaint")
PAYMENT_DISPUTE = TriggerId("payment_dispute")
MULTI_CUSTOMER_BUG = TriggerId("multi_customer_bug")
HEALTH_RED = TriggerId("health_red")
HEALTH_YELLOW = TriggerId("health_yellow")
PR_RISK = TriggerId("pr_risk")
MANUAL = TriggerId("manual")

BUILT_IN_TRIGGERS: tuple[TriggerId, ...] = (
    CHURN_THREAT,
    LEGAL_COMPLIANCE,
    SECURITY_INCIDENT,
    EXECUTIVE_COMPLAINT,
    PAYMENT_DISPUTE,
    MULTI_CUSTOMER_BUG,
    HEALTH_RED,
    HEALTH_YELLOW,
    PR_RISK,
    MANUAL,
)


class RecordKind(StrEnum):
    """What the worker reads from a CRM."""

    ACCOUNT = "account"
    CASE = "case"
    DISPUTE = "dispute"


class Level(IntEnum):
    """How high an escalation stands: L1 CS manager, L2 VP CS, L3 executive team."""

    L1 = 1
    L2 = 2
    L3 = 3

    def __str__(self) -> str:
        return self.name


class Colour(StrEnum):
    """A health score's colour; UNKNOWN is a value that the mapping does not know, never a guess."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"
    UNKNOWN = "unknown"


class Segment(StrEnum):
    """How much an account weighs: the columns of the policy table."""

    STANDARD = "standard"
    HIGH_VALUE = "high_value"
    STRATEGIC = "strategic"


class Role(StrEnum):
    """Who answers: the steps of the chain and the executives."""

    CSM = "csm"
    CS_MANAGER = "cs_manager"
    VP_CS = "vp_cs"
    CEO = "ceo"
    CFO = "cfo"
    CTO = "cto"
    COUNSEL = "counsel"


class Certainty(StrEnum):
    """CERTAIN escalates; POSSIBLE asks the CSM and pages nobody."""

    CERTAIN = "certain"
    POSSIBLE = "possible"


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


class Wish(StrEnum):
    """What a person wants: the values of the CRM's override field."""

    NONE = "none"
    ACKNOWLEDGED = "acknowledged"
    SNOOZE = "snooze"
    RAISE_L2 = "raise_l2"
    RAISE_L3 = "raise_l3"
    MANUAL_L1 = "manual_l1"
    MANUAL_L2 = "manual_l2"
    MANUAL_L3 = "manual_l3"
    RESOLVED = "resolved"
    CHURNED = "churned"
    DOWNGRADED = "downgraded"
    FALSE_ALARM = "false_alarm"
    DUPLICATE = "duplicate"
    WAITING = "waiting"
    """The customer's turn: the clock stands still, within a budget."""


class CaseStatus(StrEnum):
    """OPEN counts as evidence, CLOSED does not."""

    OPEN = "open"
    CLOSED = "closed"


class Author(StrEnum):
    """Who wrote a case's text; only CUSTOMER counts as evidence."""

    CUSTOMER = "customer"
    AGENT = "agent"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who can own an account or an escalation. `email` may be empty where the CRM has none."""

    id: UserId
    name: str
    email: str = ""
    active: bool = True
    title: str = ""


@dataclass(frozen=True, slots=True)
class Health:
    """A health score as the CRM shows it. `as_of` is when the CRM computed it, None where it does not say."""

    colour: Colour = Colour.UNKNOWN
    score: Decimal | None = None
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class Flag:
    """What the CRM shows now, or what it should show: the worker's own fields on the account."""

    escalated: bool = False
    level: Level | None = None
    reason: str = ""
    opened_at: datetime | None = None
    due_at: datetime | None = None
    status: str = ""
    owner: str = ""


NO_FLAG = Flag()


@dataclass(frozen=True, slots=True)
class Override:
    """What a person wants: the people's own fields on the account. The worker only reads them.

    `at` is when it was said, where the CRM keeps that: then the same wish said again is a new one.
    """

    wish: Wish = Wish.NONE
    until: datetime | None = None
    outcome_note: str = ""
    root_cause: str = ""
    customer_confirmed: bool = False
    by: str = ""
    at: datetime | None = None

    @property
    def empty(self) -> bool:
        """Whether nobody asked for anything."""
        return self.wish is Wish.NONE


@dataclass(frozen=True, slots=True)
class Issue:
    """The fields of the issue document that only people write, on the account's page. The worker only reads them."""

    impact: str = ""
    attempted: str = ""
    ask: str = ""
    recommendation: str = ""
    timeline: str = ""


@dataclass(frozen=True, slots=True)
class Account:
    """A customer. `churn_signals` are structured signs from CRM fields, such as a cancellation request.

    `churned_on` is when the customer left, where the CRM says so: what an escalation's outcome is checked against.
    """

    id: AccountId
    name: str
    owner: Person | None = None
    manager: Person | None = None
    arr: Money | None = None
    health: Health = Health()
    tier: str = ""
    renewal_on: date | None = None
    churn_signals: tuple[str, ...] = ()
    pr_risk: bool = False
    flag: Flag = NO_FLAG
    override: Override = Override()
    issue: Issue = Issue()
    churned_on: date | None = None
    language: str = ""
    modified_at: datetime | None = None
    parent_id: AccountId | None = None
    deleted: bool = False
    extra: Mapping[str, str | int | bool | Decimal | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Case:
    """A customer's case. `category` is one of the trigger ids or empty; `amount` is the case's own amount field."""

    id: RecordId
    account_id: AccountId
    subject: str = ""
    text: str = ""
    author: Author = Author.CUSTOMER
    channel: str = ""
    category: str = ""
    priority: str = ""
    status: CaseStatus = CaseStatus.OPEN
    reporter: str = ""
    reporter_title: str = ""
    bug_key: BugKey | None = None
    product: str = ""
    amount: Money | None = None
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Dispute:
    """A payment that the customer contests. `amount` None or in a currency without a rate becomes a question."""

    id: RecordId
    account_id: AccountId
    amount: Money | None = None
    status: CaseStatus = CaseStatus.OPEN
    reason: str = ""
    opened_at: datetime | None = None
    modified_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class RecordRef:
    """Which record of the CRM proves something."""

    kind: RecordKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.id}"


@dataclass(frozen=True, slots=True)
class BugReach:
    """The distinct accounts with an open case on one bug, over the whole CRM."""

    key: BugKey
    accounts: frozenset[AccountId]


@dataclass(frozen=True, slots=True)
class TextHit:
    """One phrase found in what the customer wrote; `start` and `end` count characters of that field."""

    trigger: TriggerId
    ref: RecordRef
    field: str
    phrase: str
    text: str
    start: int
    end: int
    certainty: Certainty


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything that one decision may look at.

    `hits` are the phrases found in the open cases' customer-written text. `complete` is False while any of the
    reads behind this view is stale or failed: then nothing may be cleared (I12). `read_at` is when the worker last
    read the account from the CRM. `asked` are the fingerprints of questions that somebody was asked already.
    """

    account: Account
    cases: tuple[Case, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    bugs: tuple[BugReach, ...] = ()
    hits: tuple[TextHit, ...] = ()
    read_at: datetime | None = None
    complete: bool = True
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Signal:
    """One match of a trigger, with its proof.

    `detail` is one plain sentence with the values that decided; `level` what the policy gives this trigger for the
    account's segment. `occurred_at` starts the response clock.
    `fingerprint` names the evidence: the same evidence gives the same text after any restart, new evidence a new one.
    """

    trigger: TriggerId
    ref: RecordRef
    detail: str
    occurred_at: datetime
    fingerprint: str
    certainty: Certainty = Certainty.CERTAIN
    level: Level = Level.L1
    amount: Money | None = None
    conversion: Conversion | None = None
    hit: TextHit | None = None


@dataclass(frozen=True, slots=True)
class Assessment:
    """What the policy wants for one account.

    `signals` certain matches, `questions` what only a person can decide (a weak phrase, an amount without a rate),
    `level` the highest that any signal asks for or None, `decided_by` the signal that asked for it.
    """

    account_id: AccountId
    segment: Segment
    signals: tuple[Signal, ...] = ()
    questions: tuple[Signal, ...] = ()
    level: Level | None = None
    decided_by: Signal | None = None
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Reason:
    """One signal that an escalation carries. `gone_at` is when its evidence was first seen to be gone."""

    trigger: TriggerId
    ref: RecordRef
    detail: str
    fingerprint: str
    since: datetime
    occurred_at: datetime
    gone_at: datetime | None = None


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
    heeded: Override = Override()
    levelled_for: frozenset[str] = frozenset()
    written: Flag | None = None
    reopened_from: EscalationId | None = None
    version: int = 0

    @property
    def open(self) -> bool:
        """Whether it still needs somebody."""
        return self.status is not Status.RESOLVED


class Event(StrEnum):
    """What happened to an escalation; each is told once."""

    OPENED = "opened"
    RAISED = "raised"
    LOWERED = "lowered"
    REASON_ADDED = "reason_added"
    ACKNOWLEDGED = "acknowledged"
    WARNED = "warned"
    BUMPED = "bumped"
    REPEATED = "repeated"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    TO_CONFIRM = "to_confirm"
    EVIDENCE_BACK = "evidence_back"
    REOPENED = "reopened"
    OWNER_CHANGED = "owner_changed"
    OVERRIDDEN = "overridden"
    RESOLVED = "resolved"
    QUESTION = "question"


class Channel(StrEnum):
    """By which way a message goes."""

    SLACK = "slack"
    EMAIL = "email"
    CONSOLE = "console"


@dataclass(frozen=True, slots=True)
class SetFlag:
    """A state to ensure: emitted again as long as the CRM shows something else."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class AddNote:
    """The note of one event, with the issue document; written once."""

    event: Event
    event_no: int


@dataclass(frozen=True, slots=True)
class AddTask:
    """A task in the CRM for one person; written once."""

    event: Event
    event_no: int
    assignee: Person
    subject: str
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Notify:
    """A message about one event: to Slack (one message per escalation, edited and threaded) and by e-mail."""

    event: Event
    event_no: int
    to: tuple[Person, ...]
    cc: tuple[Person, ...] = ()


Effect = SetFlag | AddNote | AddTask | Notify


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One line of the append-only trail: who did what, when, and why. `actor` is `worker` or a person."""

    event: Event
    event_no: int
    at: datetime
    actor: str
    because: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for one account: the escalation as it shall be saved, and the effects to bring about.

    `escalation` None means that there is and was none. `next_at` is when the account must be looked at again although
    nothing changed (the next step of a clock, the end of a snooze, a hold time). `because` is one plain sentence.
    `asked` are the fingerprints of all questions asked so far that still stand.
    """

    escalation: Escalation | None
    effects: tuple[Effect, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    because: str = ""
    next_at: datetime | None = None
    asked: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Observed:
    """What the worker knows of the flag in the CRM when it decides.

    `flag` as last read, `read_at` when, `pending` the flag of a write that is on its way or was confirmed after that
    read: the read then says nothing about it. `doubtful`: the read differs from a write so recent that it may show an
    older state or a person's newer one; nothing is written until that is known.
    """

    flag: Flag
    read_at: datetime
    pending: Flag | None = None
    doubtful: bool = False


@dataclass(frozen=True, slots=True)
class HoldTimes:
    """How long evidence must be there before opening, and gone before stepping down, for one level."""

    enter: timedelta = timedelta(0)
    leave: timedelta = timedelta(hours=24)
