"""The issue document of the process, ten fields; and the brief for the one who takes over.

Filled from data where data exists, with where it comes from, and from what people wrote on the account's page; what
only a person can write is marked open with the person who must write it. Nothing is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from worker.core.disputes import beside_disputes, open_disputes, open_total
from worker.core.handoff import call_between, calls_for
from worker.core.model import AccountView, CaseStatus, Colour, Escalation, Person
from worker.core.people import BY_HAND
from worker.core.policy import Policy
from worker.core.routing import csm_of
from worker.core.story import NO_PAST, Past, TimelineEntry, story


@dataclass(frozen=True, slots=True)
class FieldValue:
    """One field of the document. `open_for` names who must write it; then `text` is empty."""

    name: str
    text: str = ""
    open_for: str = ""

    @property
    def key(self) -> str:
        """A word for the field that no language changes."""
        return self.name.casefold().replace(" ", "_")


@dataclass(frozen=True, slots=True)
class IssueDocument:
    """The ten fields in the process document's order, and the timeline's entries."""

    fields: tuple[FieldValue, ...]
    timeline: tuple[TimelineEntry, ...]

    @property
    def open_fields(self) -> tuple[FieldValue, ...]:
        """What a person must still write."""
        return tuple(each for each in self.fields if each.open_for)

    @property
    def filled(self) -> int:
        """How many fields are filled."""
        return len(self.fields) - len(self.open_fields)

    @property
    def score(self) -> str:
        """`7 of 10`."""
        return f"{self.filled} of {len(self.fields)}"


@dataclass(frozen=True, slots=True)
class HandoffBrief:
    """What the one who takes over must know. `call_with`: who calls them, empty where there is nobody to call.

    `calls` are the times proposed for that call; none where it must be now.
    """

    owner: str
    before: str
    known: tuple[str, ...]
    open: tuple[FieldValue, ...]
    due_at: datetime
    call_with: str = ""
    calls: tuple[datetime, ...] = ()


def build_document(
    view: AccountView, escalation: Escalation, policy: Policy, now: datetime, past: Past = NO_PAST
) -> IssueDocument:
    """The document as far as data and people fill it."""
    account = view.account
    author = _author(csm_of(account, policy, now))
    issue = account.issue
    cause = escalation.root_cause or account.override.root_cause

    def written(name: str, text: str) -> FieldValue:
        return FieldValue(name, text.strip()) if text.strip() else FieldValue(name, open_for=author)

    fields = (
        FieldValue("Customer", account.name),
        written("ARR", "" if account.arr is None else str(account.arr)),
        written("Health Score", _health(view)),
        written("Issue Summary", _summary(escalation)),
        FieldValue("Impact", " ".join([*filter(None, [issue.impact]), ". ".join(_impact(view, policy, now)) + "."])),
        written("Root Cause", cause),
        written("Attempted Resolution", issue.attempted),
        written("Customer Ask", issue.ask),
        written("Recommendation", issue.recommendation),
        FieldValue("Timeline", "; ".join(filter(None, [issue.timeline, *_promises(escalation)]))),
    )
    return IssueDocument(fields, tuple(story(view, escalation, past)))


def _health(view: AccountView) -> str:
    health = view.account.health
    if health.colour is Colour.UNKNOWN and health.score is None:
        return ""
    score = "" if health.score is None else f" / {health.score.normalize():f}"
    return f"{health.colour.value}{score}" + ("" if health.as_of is None else f" (as of {health.as_of:%Y-%m-%d})")


def _summary(escalation: Escalation) -> str:
    """What the evidence says; nothing where only a person's tick stands for it."""
    reasons = [reason for reason in escalation.reasons if reason.gone_at is None and reason.fingerprint != BY_HAND]
    if not reasons and any(reason.gone_at is not None for reason in escalation.reasons):
        return "The evidence is gone."
    return " ".join(reason.detail for reason in reasons)


def _promises(escalation: Escalation) -> Iterator[str]:
    if escalation.answered_at is None:
        yield f"an answer is due {escalation.clock.due_at:%Y-%m-%d %H:%M} UTC"
    else:
        yield f"answered {escalation.answered_at:%Y-%m-%d %H:%M} UTC"
    if escalation.resolution is not None:
        yield f"to be resolved by {escalation.resolution.due_at:%Y-%m-%d %H:%M} UTC"


def build_brief(view: AccountView, escalation: Escalation, policy: Policy, now: datetime) -> HandoffBrief:
    """The brief at a change of owner: what is known, and what only the CSM can say."""
    csm = csm_of(view.account, policy, now)
    author = _author(csm)
    document = build_document(view, escalation, policy, now)
    known = tuple(f"{each.name}: {each.text}" for each in document.fields if each.text)
    asked = ("Personality and communication style", "What NOT to say", "Desired outcome")
    still_open = (*document.open_fields, *(FieldValue(name, open_for=author) for name in asked))
    owner = "nobody yet" if escalation.owner is None else escalation.owner.name
    known_as = "" if csm is None else csm.name
    between = call_between(view, escalation, policy, now)
    if between is None:
        return HandoffBrief(owner, known_as, known, still_open, escalation.clock.due_at)
    handoff = escalation.handoff
    calls = calls_for(view, escalation, policy, now) if handoff is None else handoff.calls
    return HandoffBrief(owner, known_as, known, still_open, escalation.clock.due_at, known_as, calls)


def _author(csm: Person | None) -> str:
    return "the CSM (vacant)" if csm is None else csm.name


def _impact(view: AccountView, policy: Policy, now: datetime) -> Iterator[str]:
    account = view.account
    yield f"{account.arr} ARR at stake" if account.arr is not None else "ARR not known"
    if account.renewal_on is not None:
        days = (account.renewal_on - now.date()).days
        when = f"in {days} days" if days >= 0 else f"{-days} days ago"
        yield f"Renewal {account.renewal_on} ({when})"
    cases = sum(case.status is CaseStatus.OPEN for case in beside_disputes(view))
    yield f"{cases} open case{'s' * (cases != 1)}"
    disputed = open_total(view, policy, now)
    if any(True for _ in open_disputes(view)):
        yield f"{disputed} disputed" if disputed is not None else "A dispute of unknown amount"
    for reach in view.bugs:
        others = len(reach.accounts - {account.id})
        if others:
            yield f"Bug {reach.key} hits {others} other account{'s' * (others != 1)}"
