"""The issue document of the process, ten fields; and the brief for the one who takes over.

Filled from data where data exists, with where it comes from; what only a person can write is marked open with the
person who must write it. Nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.core.model import AccountView, Escalation, Person
from worker.core.policy import Policy
from worker.core.routing import csm_of
from worker.core.triggers import open_cases, open_disputes, open_total


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field of the document. `open_for` names who must write it; then `text` is empty."""

    name: str
    text: str = ""
    open_for: str = ""


@dataclass(frozen=True, slots=True)
class TimelineEntry:
    """Something that happened, UTC."""

    at: datetime
    what: str


@dataclass(frozen=True, slots=True)
class IssueDocument:
    """The ten fields in the process document's order, and the timeline's entries."""

    fields: tuple[FieldValue, ...]
    timeline: tuple[TimelineEntry, ...]

    @property
    def open_fields(self) -> tuple[FieldValue, ...]:
        """What a person must still write."""
        return tuple(each for each in self.fields if each.open_for)


@dataclass(frozen=True, slots=True)
class HandoffBrief:
    """What the one who takes over must know."""

    owner: str
    before: str
    known: tuple[str, ...]
    open: tuple[FieldValue, ...]
    due_at: datetime


def build_document(view: AccountView, escalation: Escalation, policy: Policy, now: datetime) -> IssueDocument:
    """The document as far as data fills it."""
    account = view.account
    author = _author(csm_of(account, policy))
    health = account.health
    score = "" if health.score is None else f" / {health.score.normalize():f}"
    as_of = "" if health.as_of is None else f" (as of {health.as_of:%Y-%m-%d})"
    fields = (
        FieldValue("Customer", account.name),
        FieldValue("ARR", str(account.arr)) if account.arr is not None else FieldValue("ARR", open_for=author),
        FieldValue("Health Score", f"{health.colour.value}{score}{as_of}"),
        FieldValue("Issue Summary", " ".join(reason.detail for reason in escalation.reasons if reason.gone_at is None)),
        FieldValue("Impact", ". ".join(_impact(view, policy, now)) + "."),
        FieldValue("Root Cause", escalation.root_cause, "" if escalation.root_cause else author),
        FieldValue("Attempted Resolution", open_for=author),
        FieldValue("Customer Ask", open_for=author),
        FieldValue("Recommendation", open_for=author),
        FieldValue("Timeline", f"An answer is due {escalation.clock.due_at:%Y-%m-%d %H:%M} UTC"),
    )
    return IssueDocument(fields, tuple(_timeline(view, escalation)))


def build_brief(view: AccountView, escalation: Escalation, policy: Policy, now: datetime) -> HandoffBrief:
    """The brief at a change of owner: what is known, and what only the CSM can say."""
    csm = csm_of(view.account, policy)
    author = _author(csm)
    document = build_document(view, escalation, policy, now)
    known = tuple(f"{each.name}: {each.text}" for each in document.fields if each.text)
    asked = ("Personality and communication style", "What NOT to say", "Desired outcome")
    still_open = (*document.open_fields, *(FieldValue(name, open_for=author) for name in asked))
    owner = "nobody yet" if escalation.owner is None else escalation.owner.name
    return HandoffBrief(owner, "" if csm is None else csm.name, known, still_open, escalation.clock.due_at)


def _author(csm: Person | None) -> str:
    return "the CSM (vacant)" if csm is None else csm.name


def _impact(view: AccountView, policy: Policy, now: datetime) -> Iterator[str]:
    account = view.account
    yield f"{account.arr} ARR at stake" if account.arr is not None else "ARR not known"
    if account.renewal_on is not None:
        days = (account.renewal_on - now.date()).days
        when = f"in {days} days" if days >= 0 else f"{-days} days ago"
        yield f"renewal {account.renewal_on} ({when})"
    cases = sum(1 for _ in open_cases(view))
    yield f"{cases} open case{'s' * (cases != 1)}"
    disputed = open_total(view, policy, now)
    if any(True for _ in open_disputes(view)):
        yield f"{disputed} disputed" if disputed is not None else "a dispute of unknown amount"
    for reach in view.bugs:
        others = len(reach.accounts - {account.id})
        if others:
            yield f"bug {reach.key} hits {others} other account{'s' * (others != 1)}"


def _timeline(view: AccountView, escalation: Escalation) -> Iterator[TimelineEntry]:
    found = [
        TimelineEntry(case.opened_at, f"case {case.id} opened: {case.subject}")
        for case in open_cases(view)
        if case.opened_at is not None
    ]
    for dispute in open_disputes(view):
        if dispute.opened_at is not None:
            amount = "of unknown amount" if dispute.amount is None else f"about {dispute.amount}"
            found.append(TimelineEntry(dispute.opened_at, f"dispute {dispute.id} {amount}"))
    found.append(TimelineEntry(escalation.opened_at, f"escalated to {escalation.level}"))
    yield from sorted(found, key=lambda entry: (entry.at, entry.what))[-12:]
