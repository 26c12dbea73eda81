"""Made-up accounts in every state, so that a template is tried before somebody needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

from worker.core.model import (
    LEGAL_COMPLIANCE,
    Account,
    AccountId,
    AccountView,
    Assessment,
    Clock,
    Escalation,
    EscalationId,
    Event,
    Level,
    Outcome,
    Person,
    Reason,
    RecordKind,
    RecordRef,
    Role,
    Segment,
    Status,
    TriggerId,
    UserId,
)
from worker.core.money import Money, currency
from worker.core.policy import Policy
from worker.core.proof import Proof
from worker.render import Context


def samples() -> Iterator[Context]:
    """An escalation at each event, open and closed, with and without an owner, restricted or not; and a question."""
    now = datetime(2026, 11, 24, 3, tzinfo=UTC)
    owner = Person(UserId("u1"), "Bima Santoso", "bima@example.com")
    account = Account(AccountId("A1"), "PT Contoh", owner=owner, arr=Money(Decimal(1), currency("IDR")))
    clock = Clock(Level.L2, now, now, now, now, now + timedelta(hours=2), "2 h")
    ref = RecordRef(RecordKind.ACCOUNT, "A1")
    reason = Reason(TriggerId("health_red"), ref, "The health score is red.", "health_red", now, now)
    escalation = Escalation(
        EscalationId("esc_1"), account.id, Level.L2, Status.OPEN, (reason,), owner, Role.VP_CS, now, clock, "p1"
    )
    view, assessment, policy = AccountView(account), Assessment(account.id, Segment.STANDARD), Policy("p1")
    secret = replace(escalation, reasons=(replace(reason, trigger=LEGAL_COMPLIANCE),))
    closed = replace(escalation, status=Status.RESOLVED, outcome=Outcome.CHURNED, resolved_at=now)
    standing = (
        escalation,
        secret,
        closed,
        replace(secret, status=Status.RESOLVED, resolved_at=now),
        replace(escalation, owner=None, status=Status.SNOOZED, snoozed_until=now),
        replace(escalation, status=Status.ACKNOWLEDGED, acknowledged_by="Dewi"),
    )
    for event, each in product(Event, standing):
        yield Context(view, each, assessment, policy, now, "because", event, link="https://crm.example.com/A1")
    for days in (30, 90):
        since, counts = now - timedelta(days=days), ((Level.L2, 3),)
        proof = Proof(reason.trigger, since, now, 8, 9, counts, ((Level.L3, 3),), 3, 2, 1, enough=days > 60)
        yield replace(Context(view, closed, assessment, policy, now, "because", Event.PLAYBOOK), backtest=proof)
    yield Context(view, None, assessment, policy, now, "because", Event.QUESTION)
