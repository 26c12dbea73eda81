"""Made-up accounts in every state, and news of every other kind: each template is tried before somebody needs it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import product

from worker.apart import (
    LISTED,
    AlikeAccount,
    AlikeCase,
    AlikeCases,
    Apart,
    Failure,
    Held,
    Remark,
    digest_of,
)
from worker.brakes import Why
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
from worker.core.proposals import Proposal
from worker.core.telling import Line
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


def samples_apart() -> Iterator[Apart]:
    """Every alarm, lists of many and of what is over, the question whether cases are one bug, and remarks."""
    now, why = datetime(2026, 11, 24, 3, tzinfo=UTC), "the CRM does not answer"
    for kind, remedy in (("failing", "look at its status page"), ("failing", ""), ("over", "")):
        yield Failure(kind, "salesforce", now - timedelta(hours=1), why, remedy, now)
    for hold in Why:
        yield Held(f"hold_{hold.value}", "salesforce", 30, "1 L3, 29 L2", 25, ["PT Contoh", "PT Lain"])
    worth = Money(Decimal(1), currency("IDR"))
    line, ended = (Line(EscalationId("esc_1"), Level.L2, "L2 - PT Contoh", worth, over=over) for over in (False, True))
    yield digest_of([line] * (LISTED + 1), storm=True)
    yield digest_of([line, replace(line, worth=None), ended], storm=False, bug="BUG-7", personal=True)
    yield digest_of([ended], storm=False, bug="BUG-7", news=("Closed: the report is fast now",))
    yield from _alike(now, worth)
    yield from (Remark("slack", doubt) for doubt in (False, True))


def _alike(now: datetime, worth: Money) -> Iterator[AlikeCases]:
    """As it is asked first, of little that is known, and again, of much."""
    week, case = timedelta(days=7), AlikeCase("C1", "Export to Excel fails", now)
    first = Proposal("C1", now, now, ("C1", "C2"), ("A1", "A2", "A3"), 3, "Export to Excel fails", asked=3, times=1)
    unknown = AlikeAccount("PT Contoh", "", "", [case])
    yield AlikeCases(first, False, 3, 3, "", 3, [unknown], 0, (), "bug_key", 2, week, 4 * week, 3)
    words = ("export", "excel")
    grown = replace(first, words=words, product="Reports", usual=1.25, keys=("BUG-7",), customers=27, times=2)
    known = AlikeAccount("PT Contoh", str(worth), "Dewi", [case, replace(case, id="C2")])
    yield AlikeCases(grown, True, 30, 31, str(worth), 4, [known, unknown], 5, words, "bug_key", 2, week, 4 * week, 3)
