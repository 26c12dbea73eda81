"""A policy on the stored past: escalations a month, load a person and week, losses caught and missed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from worker.core.episodes import Month
from worker.core.model import Level, RecordKind
from worker.core.policy import FollowUpRule, LevelRule, Policy
from worker.core.replay import Episode, Past, Version, caught, replay
from worker.whatif.timeline import Timelines

_FIRST_DAY = timedelta(days=1)
_FOR_EVER = timedelta(days=1_200)


@dataclass(frozen=True, slots=True)
class Load:
    """What one person would have had to answer: a week on average, and in the worst week, named by its Monday."""

    name: str
    total: int
    a_week: float
    worst: int
    worst_week: date


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a policy would have done between two times. `caught` and `missed` are the customers who left.

    `known_from_start` counts the accounts that are known from the first day on; `unread` what could not be mapped.
    """

    since: datetime
    until: datetime
    accounts: int
    known_from_start: int
    unread: int
    episodes: tuple[Episode, ...]
    caught: tuple[Past, ...]
    missed: tuple[Past, ...]

    def by_month(self) -> list[tuple[Month, dict[Level, int]]]:
        """Escalations opened each month, by the level they reached; months without any count too."""
        counted = Counter((Month.of(each.opened_at), each.level) for each in self.episodes)
        month, found = Month.of(self.since), []
        while month <= Month.of(self.until):
            found.append((month, {level: counted[month, level] for level in Level}))
            month = month.before(-1)
        return found

    def by_trigger(self) -> list[tuple[str, int]]:
        """How many escalations each trigger was part of, the most frequent first."""
        return Counter(str(trigger) for each in self.episodes for trigger in each.triggers).most_common()

    def loads(self) -> list[Load]:
        """Per owner, the heaviest first."""
        weeks = max(1.0, (self.until - self.since) / timedelta(weeks=1))
        found = [_load(name, group, weeks) for name, group in _by_owner(self.episodes)]
        return sorted(found, key=lambda each: (-each.total, each.name))


def _by_owner(episodes: Sequence[Episode]) -> Iterator[tuple[str, list[Episode]]]:
    for name in sorted({each.owner for each in episodes}):
        yield name, [each for each in episodes if each.owner == name]


def _load(name: str, episodes: Sequence[Episode], weeks: float) -> Load:
    by_week = Counter(each.opened_at.date() - timedelta(days=each.opened_at.weekday()) for each in episodes)
    week, worst = max(by_week.items(), key=lambda item: (item[1], item[0]))
    return Load(name, len(episodes), len(episodes) / weeks, worst, week)


def run(lines: Timelines, policy: Policy, since: datetime, until: datetime) -> Backtest:
    """Replay every account."""
    policy = without_clocks(policy)
    pasts = [
        replay(account, versions, lines.bugs[connector], policy, since, until)
        for (connector, account), versions in sorted(lines.versions.items())
    ]
    left = [each for each in pasts if each.churned_on is not None and since.date() <= each.churned_on <= until.date()]
    episodes = sorted(
        (one for past in pasts for one in past.episodes), key=lambda each: (each.opened_at, each.account_id)
    )
    return Backtest(
        since,
        until,
        len(pasts),
        sum(_known_at(versions, since) for versions in lines.versions.values()),
        lines.unread,
        tuple(episodes),
        tuple(each for each in left if caught(each)),
        tuple(each for each in left if not caught(each)),
    )


def _known_at(versions: Sequence[Version], since: datetime) -> bool:
    """Whether the account itself is known from the beginning on; a replay cannot say more than its first version."""
    first = next((each.at for each in versions if each.kind is RecordKind.ACCOUNT), None)
    return first is not None and first <= since + _FIRST_DAY


def without_clocks(policy: Policy) -> Policy:
    """The policy with nobody ever silent for too long: who wrote what when is not in the CRM's past."""

    def patient(rule: LevelRule) -> LevelRule:
        return replace(rule, follow_up=FollowUpRule(_FOR_EVER), resolve=None)

    return replace(policy, levels={level: patient(rule) for level, rule in policy.levels.items()})
