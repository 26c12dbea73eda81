"""Escalations as figures: what a VP asks each month, and how sure the answers are.

Pure arithmetic over episodes. A figure that cannot be known says so: a median of nothing is None, a trend whose
interval spans "no change" is not provable yet, a rule with too few judged escalations has no precision.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.core.model import Escalation, Level, Outcome, TriggerId
from worker.core.money import Money

WRONG = frozenset({Outcome.FALSE_ALARM, Outcome.DUPLICATE})
"""Outcomes that say: this should not have been escalated."""
LOST = frozenset({Outcome.CHURNED})
SAVED = frozenset({Outcome.RESOLVED, Outcome.DOWNGRADED})
CHURN_WINDOW = timedelta(days=90)
"""How long after its end an escalation is held against a later loss of the customer."""
ENOUGH = 3
"""Fewer judged escalations than this say nothing about a rule."""
_NORMAL_95 = 1.96


@dataclass(frozen=True, slots=True)
class Episode:
    """One escalation as the report counts it.

    `escalation.level` is the highest it stood at, `first_level` where it began; `acknowledged_at` the first answer.
    `phrases` are the text evidence that opened it. `arr` in the home currency, None where it is not known.
    """

    escalation: Escalation
    first_level: Level
    account_name: str
    csm: str
    products: tuple[str, ...] = ()
    phrases: tuple[tuple[TriggerId, str], ...] = ()
    arr: Money | None = None
    acknowledged_at: datetime | None = None
    churned_on: date | None = None
    renewal_on: date | None = None

    @property
    def triggers(self) -> tuple[TriggerId, ...]:
        """Its triggers, each once, in the order in which they came."""
        return tuple(dict.fromkeys(reason.trigger for reason in self.escalation.reasons))

    @property
    def contradicted(self) -> bool:
        """Closed as saved, yet the customer left within the window after it."""
        ended = self.escalation.resolved_at
        if self.escalation.outcome not in SAVED or ended is None or self.churned_on is None:
            return False
        return ended.date() <= self.churned_on <= (ended + CHURN_WINDOW).date()


@dataclass(frozen=True, slots=True, order=True)
class Month:
    """A calendar month, UTC."""

    year: int
    number: int

    @classmethod
    def of(cls, moment: datetime) -> Month:
        """The month of a moment."""
        return cls(moment.year, moment.month)

    def before(self, months: int = 1) -> Month:
        """So many months earlier; a negative number goes forward."""
        count = self.year * 12 + self.number - 1 - months
        return Month(count // 12, count % 12 + 1)

    def __str__(self) -> str:
        return f"{self.year:04}-{self.number:02}"


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations: how many, their median and the one that nine of ten stay below; None when there are none."""

    count: int = 0
    median: timedelta | None = None
    p90: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something came, the most frequent first."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """One month. Counted by the month in which an escalation was opened; `rate` is per 100 accounts."""

    month: Month
    opened: int
    by_level: dict[Level, int]
    rate: float | None


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a rule or phrase was right, of the escalations that a person judged."""

    name: str
    judged: int
    wrong: int

    @property
    def share(self) -> float | None:
        """Right ones among the judged; None while too few were judged."""
        return None if self.judged < ENOUGH else (self.judged - self.wrong) / self.judged


@dataclass(frozen=True, slots=True)
class Trend:
    """The rate of three months, up to `until`, against the three before; `low` to `high` is the ratio's 95 % interval.

    Only whole months count: one that is not over always looks better than it is.
    """

    until: Month
    before: int
    after: int
    ratio: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def verdict(self) -> str:
        """`fewer`, `more`, or `unproven` as long as the interval holds no change possible."""
        if self.low is None or self.high is None:
            return "unproven"
        if self.high < 1:
            return "fewer"
        return "more" if self.low > 1 else "unproven"


@dataclass(frozen=True, slots=True)
class Report:
    """What happened in one month, against the twelve that end with it."""

    month: Month
    over: bool
    months: tuple[MonthFigures, ...]
    opened: int
    ended: int
    still_open: int
    by_level: tuple[Tally, ...]
    by_trigger: tuple[Tally, ...]
    by_csm: tuple[Tally, ...]
    by_product: tuple[Tally, ...]
    outcomes: tuple[Tally, ...]
    root_causes: tuple[Tally, ...]
    to_acknowledge: Spread
    to_resolve: Spread
    in_time: tuple[int, int]
    saved: int
    lost: int
    contradicted: tuple[Episode, ...]
    at_stake: Money | None
    rules: tuple[Precision, ...]
    phrases: tuple[Precision, ...]
    trend: Trend
    gaming: tuple[str, ...] = ()

    @property
    def worst(self) -> Precision | None:
        """The rule or phrase that was wrong most often, of those with enough judged."""
        known = [each for each in (*self.rules, *self.phrases) if each.share is not None and each.wrong]
        return min(known, key=lambda each: (each.share or 0.0, -each.judged), default=None)


def report(
    episodes: Sequence[Episode],
    month: Month,
    accounts_in: Callable[[Month], int],
    now: datetime,
    gaming: Sequence[str] = (),
) -> Report:
    """The figures of one month. `accounts_in` says how many accounts there were in a month, 0 where nobody knows."""
    whole = month if Month.of(now) > month else month.before()
    mine = [each for each in episodes if Month.of(each.escalation.opened_at) == month]
    ended = [each for each in episodes if _ended_in(each, month)]
    acknowledged = [each for each in mine if each.acknowledged_at is not None]
    return Report(
        month=month,
        months=tuple(_figures(episodes, month.before(back), accounts_in) for back in range(11, -1, -1)),
        opened=len(mine),
        ended=len(ended),
        still_open=sum(each.escalation.open for each in episodes),
        by_level=_by_level(mine),
        by_trigger=_tally(trigger for each in mine for trigger in each.triggers),
        by_csm=_tally(each.csm or "nobody" for each in mine),
        by_product=_tally(product for each in mine for product in each.products),
        outcomes=_tally(each.escalation.outcome for each in ended if each.escalation.outcome),
        root_causes=_tally(_plain(each.escalation.root_cause) for each in ended if each.escalation.root_cause),
        to_acknowledge=_spread(_waited(each) for each in acknowledged),
        to_resolve=_spread(_lasted(each) for each in ended),
        in_time=(sum(_in_time(each) for each in acknowledged), len(mine)),
        saved=sum(each.escalation.outcome in SAVED for each in ended),
        lost=sum(each.escalation.outcome in LOST for each in ended),
        contradicted=tuple(each for each in episodes if each.contradicted and _lost_in(each, month)),
        at_stake=_sum(each.arr for each in mine),
        rules=_precision(episodes, lambda each: each.triggers),
        phrases=_precision(episodes, lambda each: tuple(phrase for _, phrase in each.phrases)),
        over=whole == month,
        trend=_trend(episodes, whole, accounts_in),
        gaming=tuple(gaming),
    )


def _ended_in(episode: Episode, month: Month) -> bool:
    ended = episode.escalation.resolved_at
    return ended is not None and not episode.escalation.open and Month.of(ended) == month


def _lost_in(episode: Episode, month: Month) -> bool:
    return episode.churned_on is not None and (episode.churned_on.year, episode.churned_on.month) == (
        month.year,
        month.number,
    )


def _figures(episodes: Sequence[Episode], month: Month, accounts_in: Callable[[Month], int]) -> MonthFigures:
    mine = [each for each in episodes if Month.of(each.escalation.opened_at) == month]
    accounts = accounts_in(month)
    by_level = Counter(each.escalation.level for each in mine)
    rate = len(mine) * 100 / accounts if accounts else None
    return MonthFigures(month, len(mine), {level: by_level[level] for level in Level}, rate)


def _tally(names: Iterable[str]) -> tuple[Tally, ...]:
    counted = Counter(str(name) for name in names)
    return tuple(Tally(name, count) for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def _by_level(episodes: Sequence[Episode]) -> tuple[Tally, ...]:
    counted = Counter(each.escalation.level for each in episodes)
    return tuple(Tally(str(level), counted[level]) for level in sorted(Level, reverse=True))


def _plain(cause: str) -> str:
    """A root cause as it is counted: people write the same one in many spellings of space and case."""
    return " ".join(cause.split()).casefold().rstrip(".")


def _waited(episode: Episode) -> timedelta:
    assert episode.acknowledged_at is not None
    return episode.acknowledged_at - episode.escalation.opened_at


def _lasted(episode: Episode) -> timedelta:
    assert episode.escalation.resolved_at is not None
    return episode.escalation.resolved_at - episode.escalation.opened_at


def _in_time(episode: Episode) -> bool:
    """Answered before anybody had to be moved up: the clock's due time of the level at which it was acknowledged."""
    return episode.escalation.level <= episode.first_level and _waited(episode) <= (
        episode.escalation.clock.due_at - episode.escalation.clock.started_at
    )


def _spread(durations: Iterable[timedelta]) -> Spread:
    ordered = sorted(durations)
    if not ordered:
        return Spread()
    return Spread(len(ordered), _quantile(ordered, 0.5), _quantile(ordered, 0.9))


def _quantile(ordered: Sequence[timedelta], share: float) -> timedelta:
    """By linear interpolation between the neighbours."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _sum(amounts: Iterable[Money | None]) -> Money | None:
    total: Money | None = None
    for amount in amounts:
        if amount is not None:
            total = amount if total is None else total + amount
    return total


def _precision(episodes: Sequence[Episode], names_of: Callable[[Episode], Sequence[str]]) -> tuple[Precision, ...]:
    judged: Counter[str] = Counter()
    wrong: Counter[str] = Counter()
    for each in episodes:
        outcome = each.escalation.outcome
        if outcome is None or outcome in (Outcome.WITHDRAWN, Outcome.ACCOUNT_REMOVED):
            continue
        judged.update(set(names_of(each)))
        if outcome in WRONG:
            wrong.update(set(names_of(each)))
    found = [Precision(name, judged[name], wrong[name]) for name in judged]
    return tuple(sorted(found, key=lambda each: (-(each.wrong / each.judged), -each.judged, each.name)))


def _trend(episodes: Sequence[Episode], month: Month, accounts_in: Callable[[Month], int]) -> Trend:
    """Ratio of two Poisson rates with the interval of its logarithm: exp(log ratio +- 1.96 sqrt(1/a + 1/b))."""
    last = {month.before(back) for back in range(3)}
    earlier = {month.before(back) for back in range(3, 6)}
    opened = Counter(Month.of(each.escalation.opened_at) for each in episodes)
    after, before = sum(opened[each] for each in last), sum(opened[each] for each in earlier)
    exposed_after, exposed_before = sum(map(accounts_in, last)), sum(map(accounts_in, earlier))
    if not (after and before and exposed_after and exposed_before):
        return Trend(month, before, after)
    ratio = (after / exposed_after) / (before / exposed_before)
    reach = _NORMAL_95 * math.sqrt(1 / after + 1 / before)
    return Trend(month, before, after, ratio, ratio * math.exp(-reach), ratio * math.exp(reach))
