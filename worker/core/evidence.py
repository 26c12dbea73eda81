"""What speaks for an escalation: the view of one account, the signals in it, and what they come to."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.core.escalation import Escalation
from worker.core.money import Conversion, Money
from worker.core.records import (
    Account,
    AccountId,
    BugKey,
    Case,
    Dispute,
    EscalationId,
    Level,
    RecordRef,
    Segment,
    TriggerId,
)

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


class Certainty(StrEnum):
    """CERTAIN escalates; POSSIBLE asks the CSM and pages nobody."""

    CERTAIN = "certain"
    POSSIBLE = "possible"


@dataclass(frozen=True, slots=True)
class BugReach:
    """The distinct accounts with an open case on one bug, over the whole CRM."""

    key: BugKey
    accounts: frozenset[AccountId]


@dataclass(frozen=True, slots=True)
class Silence:
    """What a person asked to hold back for a while: new evidence that matches every filter given.

    Each of `segment`, `trigger`, `account` and `bug` that is None matches everything. L3 is held back only `with_l3`.
    """

    id: str
    until: datetime
    reason: str
    by: str
    since: datetime
    segment: Segment | None = None
    trigger: TriggerId | None = None
    account: AccountId | None = None
    bug: BugKey | None = None
    with_l3: bool = False


@dataclass(frozen=True, slots=True)
class PastCause:
    """An escalation that ended lately with the same root cause as this one's: what repeats belongs into a playbook."""

    escalation: EscalationId
    account: AccountId
    trigger: TriggerId
    resolved_at: datetime


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
class Legacy:
    """What an account left that was merged into this one: its name and its latest escalation."""

    account: AccountId
    name: str
    escalation: Escalation


@dataclass(frozen=True, slots=True)
class Answer:
    """A person said in a channel that they have the escalation in hand, as it stood at this level.

    `key` names the click; `by` is the person's name, `via` the channel in which it was said.
    """

    key: str
    escalation_id: EscalationId
    level: Level
    by: str
    via: str


@dataclass(frozen=True, slots=True)
class AccountView:
    """Everything that one decision may look at.

    `hits` are the phrases found in the open cases' customer-written text. `complete` is False while any of the
    reads behind this view is stale or failed: then nothing may be cleared (I12). `read_at` is when the worker last
    read the account from the CRM. `asked` are the fingerprints of questions that somebody was asked already. `silences`
    are those that have not ended; `alike` the escalations that lately ended with the root cause that stands in the CRM.
    `merged` is what accounts left that were merged into this one; `survivor` names the one that it went into itself.
    `answers` are those from channels that no decision has heeded yet.
    """

    account: Account
    cases: tuple[Case, ...] = ()
    disputes: tuple[Dispute, ...] = ()
    bugs: tuple[BugReach, ...] = ()
    hits: tuple[TextHit, ...] = ()
    read_at: datetime | None = None
    complete: bool = True
    asked: frozenset[str] = frozenset()
    silences: tuple[Silence, ...] = ()
    alike: tuple[PastCause, ...] = ()
    merged: tuple[Legacy, ...] = ()
    survivor: str = ""
    answers: tuple[Answer, ...] = ()


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
