"""The policy as values: what config/escalation.yaml says, checked and ready to decide with.

`worker.settings` builds it; nothing in the core knows YAML. Custom triggers arrive as compiled predicates.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from worker.core.calendar import WALL_CLOCK, Calendar
from worker.core.model import (
    CHURN_THREAT,
    EXECUTIVE_COMPLAINT,
    HEALTH_RED,
    HEALTH_YELLOW,
    LEGAL_COMPLIANCE,
    MANUAL,
    MULTI_CUSTOMER_BUG,
    PAYMENT_DISPUTE,
    PR_RISK,
    SECURITY_INCIDENT,
    AccountView,
    HoldTimes,
    Level,
    Person,
    Role,
    Segment,
    TriggerId,
)
from worker.core.money import Currency, Money, Rates


class Verdict(StrEnum):
    """What a custom trigger says; UNKNOWN (a field without a value) does not fire and is counted."""

    YES = "yes"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CustomTrigger:
    """A trigger that ops wrote. `source` is its text, for `explain`."""

    id: TriggerId
    source: str
    holds: Callable[[AccountView], Verdict]
    detail: str = ""


@dataclass(frozen=True, slots=True)
class TriggerRule:
    """One row of the policy table: a level for each segment, and the executive who answers at L3.

    `restricted` keeps customer details out of shared channels (legal and security matters). `steward` keeps the rule:
    who is told when it flaps, or when its root causes repeat. `tells` are copied on everything.
    """

    levels: Mapping[Segment, Level]
    executive: Role = Role.CEO
    enabled: bool = True
    restricted: bool = False
    steward: Role = Role.VP_CS
    tells: tuple[Role, ...] = ()


@dataclass(frozen=True, slots=True)
class FollowUpRule:
    """How long an acknowledged escalation may be silent.

    After `every` without a word the owner is told, after each further `every` reminded, `reminders` times; then it
    moves up a level.
    """

    every: timedelta
    reminders: int = 1


@dataclass(frozen=True, slots=True)
class LevelRule:
    """How fast a level must be answered, on which calendar, by whom, and its hold times.

    `calendars` are those of single segments. `resolve` None: no target for the end. `pause` is how long all pauses of
    one escalation together may last.
    """

    response: timedelta
    owner: Role
    calendar: Calendar = WALL_CLOCK
    hold: HoldTimes = HoldTimes()
    calendars: Mapping[Segment, Calendar] = field(default_factory=dict)
    follow_up: FollowUpRule = FollowUpRule(timedelta(hours=24))
    resolve: timedelta | None = None
    pause: timedelta = timedelta(0)

    def calendar_for(self, segment: Segment) -> Calendar:
        """The calendar on which time counts for an account of this weight."""
        return self.calendars.get(segment, self.calendar)


def _row(standard: Level, high: Level, strategic: Level, executive: Role) -> TriggerRule:
    levels = {Segment.STANDARD: standard, Segment.HIGH_VALUE: high, Segment.STRATEGIC: strategic}
    return TriggerRule(levels, executive)


def default_triggers() -> dict[TriggerId, TriggerRule]:
    """The table of the process document: section "When to Escalate" and "Escalation Levels"."""
    low, mid, top = Level.L1, Level.L2, Level.L3
    return {
        CHURN_THREAT: _row(low, mid, top, Role.CEO),
        LEGAL_COMPLIANCE: replace(_row(top, top, top, Role.CEO), restricted=True, tells=(Role.COUNSEL,)),
        SECURITY_INCIDENT: replace(_row(top, top, top, Role.CTO), restricted=True),
        EXECUTIVE_COMPLAINT: _row(mid, mid, top, Role.CEO),
        PAYMENT_DISPUTE: _row(mid, mid, top, Role.CFO),
        MULTI_CUSTOMER_BUG: _row(mid, mid, top, Role.CTO),
        HEALTH_RED: _row(mid, mid, top, Role.CEO),
        HEALTH_YELLOW: _row(low, low, mid, Role.CEO),
        PR_RISK: _row(top, top, top, Role.CEO),
        MANUAL: _row(low, low, low, Role.CEO),
    }


def default_levels() -> dict[Level, LevelRule]:
    """Response times of the document: 4, 2 and 1 hours on the wall clock; the rest is ours."""
    day, hour = timedelta(days=1), timedelta(hours=1)
    return {
        Level.L1: LevelRule(4 * hour, Role.CS_MANAGER, follow_up=FollowUpRule(2 * day), resolve=10 * day, pause=day),
        Level.L2: LevelRule(2 * hour, Role.VP_CS, follow_up=FollowUpRule(day), resolve=5 * day, pause=day),
        Level.L3: LevelRule(hour, Role.CEO, follow_up=FollowUpRule(8 * hour), resolve=3 * day),
    }


@dataclass(frozen=True, slots=True)
class Absence:
    """Somebody who is away from `start` to `end` (aware UTC). `who` is an id, an e-mail address or a name.

    Without a `deputy` the next role up answers.
    """

    who: str
    start: datetime
    end: datetime
    deputy: Person | None = None

    def covers(self, person: Person, now: datetime) -> bool:
        """Whether this person is away now."""
        return self.start <= now < self.end and self.concerns(person)

    def concerns(self, person: Person) -> bool:
        """Whether it is this person's absence."""
        return self.who.casefold() in {person.id.casefold(), person.email.casefold(), person.name.casefold()}


@dataclass(frozen=True, slots=True)
class SnoozeRule:
    """`usual` where a person names no end, `longest` what is granted; its author is told `remind_before` the end."""

    usual: timedelta = timedelta(hours=24)
    longest: timedelta = timedelta(days=14)
    remind_before: timedelta = timedelta(hours=2)


@dataclass(frozen=True, slots=True)
class DocumentRule:
    """How often the CSM is reminded of what the issue document still needs."""

    remind_every: timedelta = timedelta(hours=24)
    reminders: int = 3


@dataclass(frozen=True, slots=True)
class HandoffRule:
    """How many times CSM and owner are reminded of a hand-off call that nobody has said was held."""

    reminders: int = 2


@dataclass(frozen=True, slots=True)
class PostMortemRule:
    """Which levels are looked back at once they are closed, and by when."""

    levels: frozenset[Level] = frozenset({Level.L2, Level.L3})
    due: timedelta = timedelta(days=5)


@dataclass(frozen=True, slots=True)
class PlaybookRule:
    """A root cause that ends `repeats` escalations within this time belongs into a playbook."""

    repeats: int = 3
    within: timedelta = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class FlappingRule:
    """Evidence that came or went `changes` times within this time flaps: the escalation is held open."""

    changes: int = 4
    within: timedelta = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class LikenessRule:
    """Open cases of so many `accounts`, `within` this time, that say nearly the same are proposed as one bug.

    `asks` is the role that is asked, once; again where so many accounts came to it. It escalates nobody.
    """

    enabled: bool = True
    accounts: int = 3
    within: timedelta = timedelta(days=7)
    asks: Role = Role.CTO
    again: int = 3


@dataclass(frozen=True, slots=True)
class Brakes:
    """When the worker stops and asks: more than `most_new` or `most_share` of all accounts newly escalated at once, or
    so many within a day as `surprise` times the busiest day of the four weeks before; 0 for never.
    """

    first_run_asks: bool = True
    most_new: int = 50
    most_share: Decimal = Decimal("0.10")
    surprise: int = 5
    writes: bool = True


@dataclass(frozen=True, slots=True)
class Policy:
    """Everything that decides. `version` is a digest of the file; it stands in every trail entry.

    `dispute_enter`: strictly above opens; `dispute_leave`: an open reason goes only below it. `people` are the
    fall-backs for roles that an account does not name; an inactive person counts as vacant, the next role up answers.
    `auto_resolve` are the levels that step down without asking a person how it ended. `executive_titles` are the
    words that make a reporter an executive, in any language the customers use. `confirm_every` is how often the owner
    of an escalation that waits for its outcome is reminded.
    """

    version: str
    triggers: Mapping[TriggerId, TriggerRule] = field(default_factory=default_triggers)
    levels: Mapping[Level, LevelRule] = field(default_factory=default_levels)
    custom: tuple[CustomTrigger, ...] = ()
    rates: Rates = field(default_factory=lambda: Rates(Currency("IDR"), (), timedelta(days=31)))
    people: Mapping[Role, Person] = field(default_factory=dict)
    high_value_arr: Money = Money(Decimal(1_000_000_000), Currency("IDR"))
    strategic_tiers: frozenset[str] = frozenset({"strategic"})
    high_value_tiers: frozenset[str] = frozenset({"enterprise"})
    dispute_enter: Money = Money(Decimal(10_000_000), Currency("IDR"))
    dispute_leave: Money = Money(Decimal(9_000_000), Currency("IDR"))
    bug_accounts: int = 2
    health_stale_after: timedelta = timedelta(days=7)
    reopen_within: timedelta = timedelta(days=14)
    executive_titles: tuple[str, ...] = ()
    auto_resolve: frozenset[Level] = frozenset({Level.L1})
    brakes: Brakes = Brakes()
    language: str = "en"
    timezone: str = "Asia/Jakarta"
    absences: tuple[Absence, ...] = ()
    snooze: SnoozeRule = SnoozeRule()
    document: DocumentRule = DocumentRule()
    confirm_every: timedelta = timedelta(days=2)
    post_mortem: PostMortemRule = PostMortemRule()
    playbook: PlaybookRule = PlaybookRule()
    flapping: FlappingRule = FlappingRule()
    handoff: HandoffRule = HandoffRule()
    likeness: LikenessRule = LikenessRule()
