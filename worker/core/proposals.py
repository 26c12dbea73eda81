"""Proposals: clusters of like cases that a person was asked about, each once, as they come, grow and go."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from worker.core.likeness import Cluster
from worker.core.policy import LikenessRule

MOST = 200
"""More are not remembered; the oldest that nobody sees any more go first."""
_MOST_CASES = 1_000


@dataclass(frozen=True, slots=True)
class Proposal:
    """One cluster over time. It keeps its `key` however it grows, as long as it has a case that it had before.

    `cases` are all that were ever in it; `accounts` and `customers` (one parent's accounts count once) as it stood when
    it was last seen. `words` and `subject` are as the first case writes them; `usual` is how many accounts a window of
    the weeks before had; `keys` are bug keys that other cases like these bear. `asked` is how many customers there were
    when a person was asked, for the `times`th time; 0 while nobody could be. It does not stand where too few of its
    cases are open, young enough and without a bug key.
    """

    key: str
    since: datetime
    seen_at: datetime
    cases: tuple[str, ...]
    accounts: tuple[str, ...]
    customers: int
    subject: str = ""
    words: tuple[str, ...] = ()
    product: str = ""
    usual: float = 0.0
    keys: tuple[str, ...] = ()
    asked: int = 0
    times: int = 0
    to: str = ""
    standing: bool = True
    declined_by: str = ""
    declined_at: datetime | None = None
    reason: str = ""

    @property
    def open(self) -> bool:
        """Whether it waits for a person's answer."""
        return self.standing and self.declined_at is None

    def to_ask(self, rule: LikenessRule) -> bool:
        """Whether a person must be asked, for the first time or since many more customers joined.

        What a person declined is asked again only once it is twice as large as it was.
        """
        if not self.standing:
            return False
        doubled = 0 if self.declined_at is None else 2 * self.asked
        return not self.times or self.customers >= max(self.asked + rule.again, doubled)

    def put(self, to: str) -> Proposal:
        """As it stands once somebody is asked."""
        return replace(
            self, asked=self.customers, times=self.times + 1, to=to, declined_by="", declined_at=None, reason=""
        )

    def declined(self, by: str, reason: str, now: datetime) -> Proposal:
        """As it stands once a person said that it is not one bug."""
        return replace(self, asked=self.customers, declined_by=by, declined_at=now, reason=reason)


@dataclass(frozen=True, slots=True)
class Seen:
    """A cluster of now, with its customers, and its words and subject as its first case writes them."""

    cluster: Cluster
    customers: int
    subject: str = ""
    words: tuple[str, ...] = ()


def compared(
    before: Sequence[Proposal], seen: Iterable[Seen], rule: LikenessRule, now: datetime
) -> tuple[Proposal, ...]:
    """What to remember: clusters of now as new proposals or as what has become of known ones, and those that are gone
    for not longer than the rule looks back.
    """
    known = sorted(before, key=lambda each: (each.since, each.key))
    present: list[Proposal] = []
    for each in seen:
        ids = {str(case.id) for case in each.cluster.cases}
        same = [one for one in known if not ids.isdisjoint(one.cases)]
        known = [one for one in known if one not in same]
        present.append(_grown(same, each, now))
    gone = [replace(one, standing=False) for one in known if now - one.seen_at <= rule.within]
    return tuple([*present, *sorted(gone, key=lambda one: one.seen_at, reverse=True)][:MOST])


def _grown(same: Sequence[Proposal], seen: Seen, now: datetime) -> Proposal:
    """The earliest of those that it was, with what the others knew; else a new one."""
    cluster = seen.cluster
    first = same[0] if same else Proposal(str(cluster.cases[0].id), now, now, (), (), 0)
    cases = dict.fromkeys((*(str(case.id) for case in cluster.cases), *(case for one in same for case in one.cases)))
    return replace(
        first,
        seen_at=now,
        cases=tuple(cases)[:_MOST_CASES],
        accounts=tuple(sorted(cluster.accounts)),
        customers=seen.customers,
        subject=seen.subject,
        words=seen.words,
        product=cluster.product,
        usual=cluster.usual,
        keys=cluster.keys,
        asked=max((one.asked for one in same), default=0),
        times=max((one.times for one in same), default=0),
        standing=True,
    )
