"""What a CRM says: its people, accounts, cases and disputes, and the words that they are told in.

All are frozen and comparable. Money is `Decimal` with a currency, every time is aware UTC, every id is a string
exactly as the CRM writes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import NewType

from worker.core.money import Money

ConnectorName = NewType("ConnectorName", str)
AccountId = NewType("AccountId", str)
RecordId = NewType("RecordId", str)
UserId = NewType("UserId", str)
EscalationId = NewType("EscalationId", str)
TriggerId = NewType("TriggerId", str)
BugKey = NewType("BugKey", str)


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


NO_OVERRIDE = Override()


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
    `merged_into` is the account that a deleted one went into, where the CRM says so. `call_held_at` is when the last
    hand-off call was held or will be, as a person says.
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
    merged_into: AccountId | None = None
    call_held_at: datetime | None = None
    extra: Mapping[str, str | int | bool | Decimal | None] = field(default_factory=dict)

    @property
    def ref(self) -> RecordRef:
        """The account as the record that proves something."""
        return RecordRef(RecordKind.ACCOUNT, self.id)

    @property
    def page(self) -> AccountId | None:
        """On whose page notes about it stand: its own, or that of the account that it was merged into, or nowhere."""
        return self.merged_into if self.deleted else self.id

    def has_left(self, on: date) -> bool:
        """Whether the customer is gone by that day."""
        return self.churned_on is not None and self.churned_on <= on


@dataclass(frozen=True, slots=True)
class Case:
    """A customer's case. `category` is one of the trigger ids or empty; `amount` is the case's own amount field.

    `untitled`: somebody is named as its writer, and the place that the CRM has for their title is empty.
    """

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
    untitled: bool = False

    @property
    def ref(self) -> RecordRef:
        """The case as the record that proves something."""
        return RecordRef(RecordKind.CASE, self.id)


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

    @property
    def ref(self) -> RecordRef:
        """The dispute as the record that proves something."""
        return RecordRef(RecordKind.DISPUTE, self.id)


@dataclass(frozen=True, slots=True)
class RecordRef:
    """Which record of the CRM proves something."""

    kind: RecordKind
    id: str

    def __str__(self) -> str:
        return f"{self.kind.value} {self.id}"
