"""The arithmetic of the report: counts and sums of money, times, precision and the trend.

A figure that cannot be known says so: a median of nothing is None, a trend whose interval spans "no change" is not
provable yet, a rule with too few judged escalations has no precision. What is weighted by ARR counts each escalation
with the ARR of its account; one whose ARR is not known counts in the plain figure only.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from worker.core.episodes import WRONG, Episode, Month
from worker.core.model import Outcome
from worker.core.money import Money

ENOUGH = 3
"""Fewer judged escalations than this say nothing about a rule."""
_NORMAL_95 = 1.96
_HALF, _MOST = Decimal("0.5"), Decimal("0.9")


@dataclass(frozen=True, slots=True)
class Weighed:
    """So many escalations, and the ARR behind those whose ARR is known; None where it is of none."""

    count: int = 0
    arr: Money | None = None


@dataclass(frozen=True, slots=True)
class Spread:
    """Durations: how many, their median and the one that nine of ten stay below; None when there are none.

    `arr_median` and `arr_p90` are the same by weight: within so long half of the ARR, and nine tenths of it, was done.
    """

    count: int = 0
    median: timedelta | None = None
    p90: timedelta | None = None
    arr_median: timedelta | None = None
    arr_p90: timedelta | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How often something came, the most frequent first."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class Precision:
    """How often a rule or phrase was right, of the escalations that a person judged."""

    name: str
    judged: int
    wrong: int
    judged_arr: Money | None = None
    wrong_arr: Money | None = None

    @property
    def share(self) -> float | None:
        """Right ones among the judged; None while too few were judged."""
        return None if self.judged < ENOUGH else (self.judged - self.wrong) / self.judged

    @property
    def arr_share(self) -> float | None:
        """The same by ARR; None while too few were judged, or their ARR is not known."""
        if self.judged < ENOUGH or self.judged_arr is None or not self.judged_arr.amount:
            return None
        wrong = Decimal(0) if self.wrong_arr is None else self.wrong_arr.amount
        return float(1 - wrong / self.judged_arr.amount)


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


def weigh(episodes: Iterable[Episode]) -> Weighed:
    """How many, and their ARR."""
    counted = list(episodes)
    return Weighed(len(counted), summed(each.arr for each in counted))


def summed(amounts: Iterable[Money | None]) -> Money | None:
    """The sum of what is known; None when nothing is."""
    total: Money | None = None
    for amount in amounts:
        if amount is not None:
            total = amount if total is None else total + amount
    return total


def tally(names: Iterable[str]) -> tuple[Tally, ...]:
    """How often each name came."""
    counted = Counter(str(name) for name in names)
    return tuple(Tally(name, count) for name, count in sorted(counted.items(), key=lambda item: (-item[1], item[0])))


def spread(timed: Iterable[tuple[timedelta | None, Money | None]]) -> Spread:
    """Durations, each with the ARR that waited for so long; one that is not known is left out."""
    known = ((duration, arr) for duration, arr in timed if duration is not None)
    ordered = sorted(known, key=lambda each: each[0])
    if not ordered:
        return Spread()
    durations = [duration for duration, _ in ordered]
    weights = [Decimal(0) if arr is None else max(Decimal(0), arr.amount) for _, arr in ordered]
    return Spread(
        len(durations),
        _quantile(durations, 0.5),
        _quantile(durations, 0.9),
        _by_weight(durations, weights, _HALF),
        _by_weight(durations, weights, _MOST),
    )


def _quantile(ordered: Sequence[timedelta], share: float) -> timedelta:
    """By linear interpolation between the neighbours."""
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _by_weight(ordered: Sequence[timedelta], weights: Sequence[Decimal], share: Decimal) -> timedelta | None:
    """The shortest duration within which at least this share of the whole weight was done."""
    wanted, reached = share * sum(weights), Decimal(0)
    if not wanted:
        return None
    for duration, weight in zip(ordered, weights, strict=True):
        reached += weight
        if reached >= wanted:
            return duration
    return ordered[-1]


def precision(episodes: Sequence[Episode], names_of: Callable[[Episode], Sequence[str]]) -> tuple[Precision, ...]:
    """Each name's precision, the worst first. What nobody judged does not count."""
    judged: dict[str, list[Episode]] = defaultdict(list)
    for each in episodes:
        if each.escalation.outcome not in (None, Outcome.WITHDRAWN, Outcome.ACCOUNT_REMOVED):
            for name in set(names_of(each)):
                judged[name].append(each)
    found = [_precision(name, mine) for name, mine in judged.items()]
    return tuple(sorted(found, key=lambda each: (-(each.wrong / each.judged), -each.judged, each.name)))


def _precision(name: str, judged: Sequence[Episode]) -> Precision:
    of, wrong = weigh(judged), weigh(each for each in judged if each.escalation.outcome in WRONG)
    return Precision(name, of.count, wrong.count, of.arr, wrong.arr)


def trend(episodes: Sequence[Episode], month: Month, accounts_in: Callable[[Month], int]) -> Trend:
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
