"""What a rule has seen in the stored past, and what it would have come to one level higher: proof for a proposal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.core.model import Level, TriggerId
from worker.core.policy import Policy
from worker.core.replay import Episode, Past, caught

Counts = tuple[tuple[Level, int], ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """A rule held against the past from `since` to `until`, on `looked` of `accounts` accounts.

    `today` counts its escalations by the level that they reached, `higher` the same with the rule one level higher;
    `hit` are the accounts. Of `left` customers who left meanwhile it had escalated `caught` before. `enough`: the past
    that is known is at least as long as the time in which a root cause has to repeat.
    """

    rule: TriggerId
    since: datetime
    until: datetime
    looked: int
    accounts: int
    today: Counts
    higher: Counts
    hit: int
    left: int
    caught: int
    enough: bool

    @property
    def days(self) -> int:
        """How long the past is that is known."""
        return (self.until - self.since).days

    @property
    def escalations(self) -> int:
        """How often the rule escalated."""
        return sum(count for _, count in self.today)

    @property
    def missed(self) -> int:
        """Who left without the rule having said a word."""
        return self.left - self.caught

    @property
    def can_rise(self) -> bool:
        """Whether one level higher makes a difference at all."""
        return self.today != self.higher


def one_higher(policy: Policy, rule: TriggerId) -> Policy:
    """The policy with one rule a level higher for every segment, at most L3."""
    present = policy.triggers[rule]
    levels = {segment: Level(min(level + 1, Level.L3)) for segment, level in present.levels.items()}
    return replace(policy, triggers={**policy.triggers, rule: replace(present, levels=levels)})


def prove(
    rule: TriggerId,
    pasts: Sequence[tuple[Past, Past]],
    since: datetime,
    until: datetime,
    accounts: int,
    policy: Policy,
) -> Proof:
    """Sum up what each account came to: under the policy as it is, and with the rule one level higher."""
    seen = [replace(today, episodes=tuple(_of(rule, today))) for today, _ in pasts]
    left = [each for each in seen if each.churned_on is not None and since.date() <= each.churned_on <= until.date()]
    return Proof(
        rule=rule,
        since=since,
        until=until,
        looked=len(pasts),
        accounts=accounts,
        today=_counted(episode for each in seen for episode in each.episodes),
        higher=_counted(episode for _, higher in pasts for episode in _of(rule, higher)),
        hit=sum(bool(each.episodes) for each in seen),
        left=len(left),
        caught=sum(bool(caught(each)) for each in left),
        enough=until - since >= policy.playbook.within,
    )


def _of(rule: TriggerId, past: Past) -> Iterator[Episode]:
    return (episode for episode in past.episodes if rule in episode.triggers)


def _counted(episodes: Iterable[Episode]) -> Counts:
    return tuple(sorted(Counter(each.level for each in episodes).items(), reverse=True))
