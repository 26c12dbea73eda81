"""Escalations as the report counts them: what a person said of the end, and what the CRM says of it later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from worker.core.model import Escalation, Level, Outcome, TriggerId
from worker.core.money import Money
from worker.core.renewals import Aftermath, Renewal, RenewalDate, aftermath

WRONG = frozenset({Outcome.FALSE_ALARM, Outcome.DUPLICATE})
"""Outcomes that say: this should not have been escalated."""
LOST = frozenset({Outcome.CHURNED})
SAVED = frozenset({Outcome.RESOLVED, Outcome.DOWNGRADED})
CHURN_WINDOW = timedelta(days=90)
"""How long after its end an escalation is held against the renewal and against a loss of the customer."""


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: date) -> Month:
        """The month of a moment or a day."""
        return cls(moment.year, moment.month)

    def before(self, months: int = 1) -> Month:
        """So many months earlier; a negative number goes forward."""
        count = self.year * 12 + self.number - 1 - months
        return Month(count // 12, count % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


class Verdict(StrEnum):
    """Whether the CRM bears an outcome out."""

    HOLDS = "holds"
    CONTRADICTED = "contradicted"
    TOO_EARLY = "too early to say"
    UNCLEAR = "unclear"
    """The customer is still there, but the renewal day is over and the CRM says nothing of it."""


@dataclass(frozen=True, slots=True)
class Check:
    """An outcome held against the CRM. `found_on` is the day of the leaving or renewal that decides, if one does."""

    verdict: Verdict
    after: Aftermath
    found_on: date | None = None


@dataclass(frozen=True, slots=True)
class Episode:
    """One escalation as the report counts it.

    `escalation.level` is the highest it stood at, `first_level` where it began; `acknowledged_at` the first answer.
    `business_time` is how long it lasted in business hours, None while it is open or where nobody named any.
    `phrases` are the text evidence that opened it. `arr` in the home currency, None where it is not known.
    `renewals` are the account's renewal dates as the CRM had them, oldest first.
    """

    escalation: Escalation
    first_level: Level
    account_name: str
    csm: str
    products: tuple[str, ...] = ()
    phrases: tuple[tuple[TriggerId, str], ...] = ()
    arr: Money | None = None
    acknowledged_at: datetime | None = None
    business_time: timedelta | None = None
    churned_on: date | None = None
    renewals: tuple[RenewalDate, ...] = ()

    @property
    def triggers(self) -> tuple[TriggerId, ...]:
        """Its triggers, each once, in the order in which they came."""
        return tuple(dict.fromkeys(reason.trigger for reason in self.escalation.reasons))

    @property
    def ended_on(self) -> date | None:
        """The day on which it was closed; None while it is open."""
        ended = self.escalation.resolved_at
        return None if ended is None or self.escalation.open else ended.date()

    @property
    def lasted(self) -> timedelta | None:
        """From its opening to its end by the wall clock; None while it is open."""
        ended = self.escalation.resolved_at
        return None if ended is None or self.escalation.open else ended - self.escalation.opened_at

    @property
    def checked_on(self) -> date | None:
        """The day on which its outcome has stood for long enough to be believed."""
        return None if self.ended_on is None else self.ended_on + CHURN_WINDOW

    @property
    def left_in_time(self) -> bool:
        """Whether the customer left within the window after the end: too soon for it to have been saved."""
        if self.ended_on is None or self.churned_on is None:
            return False
        return self.ended_on <= self.churned_on <= self.ended_on + CHURN_WINDOW

    def check(self, today: date) -> Check | None:
        """Its outcome against the CRM as of today; None where the outcome says nothing of the customer's staying.

        Of a customer who had left before it was closed nothing is left to check.
        """
        outcome, ended_on = self.escalation.outcome, self.ended_on
        if ended_on is None or outcome not in SAVED | LOST:
            return None
        if self.churned_on is not None and self.churned_on < ended_on and outcome in SAVED:
            return None
        after = aftermath(self.renewals, ended_on, self.churned_on, today)
        return self._saved(after, ended_on, today) if outcome in SAVED else _lost(after)

    def _saved(self, after: Aftermath, ended_on: date, today: date) -> Check:
        if after.renewal is Renewal.NOT_RENEWED or self.left_in_time:
            return Check(Verdict.CONTRADICTED, after, self.churned_on)
        if after.renewal is Renewal.RENEWED:
            return Check(Verdict.HOLDS, after, after.known_on)
        if after.renewal is Renewal.NOT_SAID and after.due_on is not None:
            return Check(Verdict.UNCLEAR, after)
        stayed = today > ended_on + CHURN_WINDOW
        return Check(Verdict.HOLDS if stayed else Verdict.TOO_EARLY, after)


def _lost(after: Aftermath) -> Check:
    """Closed as churned: borne out by a leaving, contradicted by a renewal."""
    match after.renewal:
        case Renewal.NOT_RENEWED:
            return Check(Verdict.HOLDS, after, after.known_on)
        case Renewal.RENEWED:
            return Check(Verdict.CONTRADICTED, after, after.known_on)
        case _:
            return Check(Verdict.TOO_EARLY, after)
