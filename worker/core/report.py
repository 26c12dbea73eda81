"""Escalations as figures: what a VP asks each month, and how sure the answers are. Pure arithmetic over episodes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from worker.core.episodes import LOST, SAVED, Check, Episode, Month, Verdict
from worker.core.figures import Precision, Spread, Tally, Trend, Weighed, precision, spread, summed, tally, trend, weigh
from worker.core.model import Level
from worker.core.money import Money
from worker.core.renewals import Renewal


@dataclass(frozen=True, slots=True)
class MonthFigures:
    """One month. Counted by the month in which an escalation was opened; `rate` is per 100 accounts."""

    month: Month
    opened: int
    by_level: dict[Level, int]
    rate: float | None


@dataclass(frozen=True, slots=True)
class Kept:
    """Escalations that were closed as saved, and what the CRM says of them now; `left` within 90 days of the end."""

    closed: Weighed
    left: Weighed
    renewals: tuple[tuple[Renewal, Weighed], ...]


@dataclass(frozen=True, slots=True)
class Checked:
    """One escalation with its outcome held against the CRM."""

    episode: Episode
    check: Check


@dataclass(frozen=True, slots=True)
class Report:
    """What happened in one month, against the twelve that end with it.

    `kept` are those closed as saved whose 90 days were over in this month, `kept_year` all that were closed as saved in
    the twelve. `contradicted` are the outcomes that the CRM contradicted in this month; `unsaid` the renewals of this
    month, after an escalation closed as saved, of which the CRM says nothing. `to_resolve` is by the wall clock,
    `to_resolve_in_business` in business hours, of those for which there are any. `without_arr` counts the escalations
    that no figure by ARR holds.
    """

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
    to_resolve_in_business: Spread
    in_time: tuple[Weighed, Weighed]
    saved: Weighed
    lost: Weighed
    kept: Kept
    kept_year: Kept
    contradicted: tuple[Checked, ...]
    unsaid: tuple[Checked, ...]
    at_stake: Money | None
    without_arr: int
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
    ended = [each for each in episodes if each.ended_on is not None and Month.of(each.ended_on) == month]
    acknowledged = [each for each in mine if each.acknowledged_at is not None]
    checked = [Checked(each, check) for each in episodes if (check := each.check(now.date())) is not None]
    return Report(
        month=month,
        months=tuple(_figures(episodes, month.before(back), accounts_in) for back in range(11, -1, -1)),
        opened=len(mine),
        ended=len(ended),
        still_open=sum(each.escalation.open for each in episodes),
        by_level=_by_level(mine),
        by_trigger=tally(trigger for each in mine for trigger in each.triggers),
        by_csm=tally(each.csm or "nobody" for each in mine),
        by_product=tally(product for each in mine for product in each.products),
        outcomes=tally(each.escalation.outcome for each in ended if each.escalation.outcome),
        root_causes=tally(_plain(each.escalation.root_cause) for each in ended if each.escalation.root_cause),
        to_acknowledge=spread((_waited(each), each.arr) for each in acknowledged),
        to_resolve=spread((each.lasted, each.arr) for each in ended),
        to_resolve_in_business=spread((each.business_time, each.arr) for each in ended),
        in_time=(weigh(each for each in acknowledged if _in_time(each)), weigh(mine)),
        saved=weigh(each for each in ended if each.escalation.outcome in SAVED),
        lost=weigh(each for each in ended if each.escalation.outcome in LOST),
        kept=_kept(each for each in checked if _in(month, each.episode.checked_on)),
        kept_year=_kept(each for each in checked if _within_year(each.episode, month)),
        contradicted=tuple(each for each in checked if _contradicted(each, month)),
        unsaid=tuple(each for each in checked if _unsaid(each, month)),
        at_stake=_at_stake(mine),
        without_arr=len({each.escalation.id for each in (*mine, *ended) if each.arr is None}),
        rules=precision(episodes, lambda each: each.triggers),
        phrases=precision(episodes, lambda each: tuple(phrase for _, phrase in each.phrases)),
        over=whole == month,
        trend=trend(episodes, whole, accounts_in),
        gaming=tuple(gaming),
    )


def _in(month: Month, day: date | None) -> bool:
    return day is not None and Month.of(day) == month


def _within_year(episode: Episode, month: Month) -> bool:
    return episode.ended_on is not None and month.before(11) <= Month.of(episode.ended_on) <= month


def _kept(checked: Iterable[Checked]) -> Kept:
    saved = [each for each in checked if each.episode.escalation.outcome in SAVED]
    said = [(each.check.after.renewal, each.episode) for each in saved]
    renewals = ((renewal, weigh(each for found, each in said if found is renewal)) for renewal in Renewal)
    return Kept(
        closed=weigh(each.episode for each in saved),
        left=weigh(each.episode for each in saved if each.episode.left_in_time),
        renewals=tuple(renewals),
    )


def _contradicted(checked: Checked, month: Month) -> bool:
    return checked.check.verdict is Verdict.CONTRADICTED and _in(month, checked.check.found_on)


def _unsaid(checked: Checked, month: Month) -> bool:
    after, saved = checked.check.after, checked.episode.escalation.outcome in SAVED
    return saved and after.renewal is Renewal.NOT_SAID and _in(month, after.due_on)


def _at_stake(episodes: Sequence[Episode]) -> Money | None:
    """The ARR of the accounts concerned, each once however often it was escalated."""
    return summed({(each.escalation.account_id, each.account_name): each.arr for each in episodes}.values())


def _figures(episodes: Sequence[Episode], month: Month, accounts_in: Callable[[Month], int]) -> MonthFigures:
    mine = [each for each in episodes if Month.of(each.escalation.opened_at) == month]
    accounts = accounts_in(month)
    by_level = Counter(each.escalation.level for each in mine)
    rate = len(mine) * 100 / accounts if accounts else None
    return MonthFigures(month, len(mine), {level: by_level[level] for level in Level}, rate)


def _by_level(episodes: Sequence[Episode]) -> tuple[Tally, ...]:
    counted = Counter(each.escalation.level for each in episodes)
    return tuple(Tally(str(level), counted[level]) for level in sorted(Level, reverse=True))


def _plain(cause: str) -> str:
    """A root cause as it is counted: people write the same one in many spellings of space and case."""
    return " ".join(cause.split()).casefold().rstrip(".")


def _waited(episode: Episode) -> timedelta:
    assert episode.acknowledged_at is not None
    return episode.acknowledged_at - episode.escalation.opened_at


def _in_time(episode: Episode) -> bool:
    """Answered before anybody had to be moved up: the clock's due time of the level at which it was acknowledged."""
    return episode.escalation.level <= episode.first_level and _waited(episode) <= (
        episode.escalation.clock.due_at - episode.escalation.clock.started_at
    )
