"""Cases of several customers that say nearly the same: perhaps one bug that nobody has given a key yet.

Likeness never escalates. It finds what a person may want to look at, and says why.

Two cases are alike by the weight of the words they share against the weight of all their words (weighted Jaccard),
of their subjects or of all they say; a word that is new weighs more than one that cases always had. One pass in order
of opening: a case joins the first case that it is most alike to, or becomes one that later ones may join. Only cases
that share one of their rarest words are compared, and of those with one word in common a limited number, so that the
cost grows with the number of cases. The same cases give the same clusters, in whatever order they are read.

What customers ask all the time is no bug: what is no more than chance makes of the weeks before is left out.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from worker.core.model import AccountId, BugKey, RecordId
from worker.core.wording import Wording, telling

WEEKS_BEFORE = 4
"""So many windows before the present one say what is usual."""

_SUBJECT, _WHOLE = 0.6, 0.45
"""How alike subjects, and whole texts, must be."""
_SUBJECT_WORDS, _WHOLE_WORDS = 3, 4
"""How many telling words they must share at least."""
_BURST, _DEVIATIONS = 2, 3
"""News is what comes from so many times the usual number of accounts, and is so many standard deviations (of a Poisson
distribution) above it: where few come in a week, twice as many are chance."""
_MOST_ASKED, _MOST_FIRSTS, _MOST_COMPARED = 16, 32, 12
"""Rare words of a case that are looked up, first cases kept for each (the newest), and those compared in the end."""
_LITTLE = 0.5
"""So much of its weight has a word of one case alone, such as a name or a slip of the pen, and one of any case."""


@dataclass(frozen=True, slots=True)
class Alike:
    """A case as it is compared.

    `present`: it may be part of a cluster. Else it tells what is usual, or, where it bears one, which bug it may be.
    """

    id: RecordId
    account_id: AccountId
    opened_at: datetime
    wording: Wording
    product: str = ""
    present: bool = True
    bug_key: BugKey | None = None


@dataclass(frozen=True, slots=True)
class Cluster:
    """Present cases that are alike, the oldest first.

    `words` are what most of them share, the weightiest first, each in the form in which it is compared. `usual` is how
    many accounts a window of the weeks before had with such cases; `keys` are the bug keys of others like them.
    """

    cases: tuple[Alike, ...]
    words: tuple[str, ...]
    usual: float = 0.0
    keys: tuple[str, ...] = ()

    @property
    def accounts(self) -> frozenset[AccountId]:
        """Whose cases they are."""
        return frozenset(case.account_id for case in self.cases)

    @property
    def product(self) -> str:
        """The product of those that name one: they name the same."""
        return next((case.product for case in self.cases if case.product), "")


def clusters(cases: Iterable[Alike], least: int) -> tuple[Cluster, ...]:
    """The clusters of at least so many accounts, the largest first; a case stands in one."""
    ordered = sorted(cases, key=lambda case: (case.opened_at, case.id))
    weights = _Weights(ordered)
    found = [
        *_grouped(_Pass(weights, _WHOLE, _WHOLE_WORDS), ((case, case.wording.whole) for case in ordered)),
        *_grouped(_Pass(weights, _SUBJECT, _SUBJECT_WORDS), ((case, case.wording.subject) for case in ordered)),
    ]
    told = [each for group in found if (each := _cluster(group, weights, least)) is not None]
    return _without_overlap(sorted(told, key=_largest_first), weights)


def _largest_first(cluster: Cluster) -> tuple[int, datetime, str]:
    return -len(cluster.accounts), cluster.cases[0].opened_at, cluster.cases[0].id


def _grouped(alike: _Pass, worded: Iterable[tuple[Alike, tuple[str, ...]]]) -> Iterator[list[Alike]]:
    groups: dict[int, list[Alike]] = defaultdict(list)
    for case, words in worded:
        if alike.says_enough(words):
            groups[alike.place(words, case.product.casefold())].append(case)
    return (group for group in groups.values() if len(group) > 1)


def _cluster(group: Sequence[Alike], weights: _Weights, least: int) -> Cluster | None:
    present = tuple(case for case in group if case.present)
    accounts = len({case.account_id for case in present})
    before = len({case.account_id for case in group if not case.present and case.bug_key is None})
    if accounts < least or _is_usual(accounts, before):
        return None
    keys = sorted({case.bug_key for case in group if case.bug_key is not None})
    return Cluster(present, _common(present, weights), before / WEEKS_BEFORE, tuple(keys))


def _is_usual(accounts: int, before: int) -> bool:
    """Whether so many may come by chance where so many came in the weeks before, or are hardly more than usual."""
    mean = (before + 1) / WEEKS_BEFORE
    return accounts < max(_BURST * before / WEEKS_BEFORE, mean + _DEVIATIONS * math.sqrt(mean))


def _without_overlap(told: Sequence[Cluster], weights: _Weights) -> tuple[Cluster, ...]:
    """What is alike by its subject and by all it says is one cluster; larger ones take in those that overlap."""
    apart: list[Cluster] = []
    place: dict[RecordId, int] = {}
    for cluster in told:
        into = next((place[case.id] for case in cluster.cases if case.id in place), len(apart))
        if into == len(apart):
            apart.append(cluster)
        else:
            apart[into] = _joined(apart[into], cluster, weights)
        place.update((case.id, into) for case in apart[into].cases)
    return tuple(sorted(apart, key=_largest_first))


def _joined(one: Cluster, other: Cluster, weights: _Weights) -> Cluster:
    every = {case.id: case for case in (*one.cases, *other.cases)}
    cases = tuple(sorted(every.values(), key=lambda case: (case.opened_at, case.id)))
    keys = tuple(sorted({*one.keys, *other.keys}))
    return replace(one, cases=cases, words=_common(cases, weights), usual=max(one.usual, other.usual), keys=keys)


def _common(cases: Sequence[Alike], weights: _Weights) -> tuple[str, ...]:
    """The telling words that more than half of the cases have, the weightiest first."""
    counted = Counter(word for case in cases for word in case.wording.whole if telling(word))
    shared = [word for word, count in counted.items() if 2 * count > len(cases)]
    return tuple(sorted(shared, key=lambda word: (-counted[word], -weights.of[word], word)))


def _rarity(count: int, of: int) -> float:
    return 1000 * math.log1p((of + 1) / (count + 1)) / math.log1p(of + 1)


class _Weights:
    """What each word weighs, in thousandths: 1000 for one that nobody wrote before, less the more usual it is.

    The weeks before say what is usual, not the present: a bug that everybody writes of must not hide behind itself.
    """

    def __init__(self, cases: Sequence[Alike]) -> None:
        before = [case.wording.whole for case in cases if not case.present and case.bug_key is None]
        usual = Counter(word for words in before for word in words)
        counted = Counter(word for case in cases for word in case.wording.whole)
        self.of: Mapping[str, int] = {
            word: round(_rarity(usual[word], len(before)) * (1 if count > 1 and telling(word) else _LITTLE))
            for word, count in counted.items()
        }
        shared = (word for word, count in counted.items() if count > 1)
        self._rank = {word: place for place, word in enumerate(sorted(shared, key=lambda word: (counted[word], word)))}

    def total(self, words: Iterable[str]) -> int:
        """What words weigh together."""
        return sum(map(self.of.__getitem__, words))

    def rarest(self, words: Sequence[str], share: float) -> tuple[str, ...]:
        """The rarest of these words that others have too, so many that whoever has none of them is not alike."""
        rest, least = self.total(words), share * self.total(words)
        rest -= sum(self.of[word] for word in words if word not in self._rank)
        found: list[str] = []
        for word in sorted((word for word in words if word in self._rank), key=self._rank.__getitem__):
            if rest < least or len(found) == _MOST_ASKED:
                break
            found.append(word)
            rest -= self.of[word]
        return tuple(found)


@dataclass(slots=True)
class _First:
    """The first case of a group. `product` is that of the first member that names one."""

    words: frozenset[str]
    weight: int
    product: str


@dataclass(slots=True)
class _Pass:
    """One pass over cases, in order; `place` gives each the number of its group."""

    weights: _Weights
    least: float
    least_words: int
    _firsts: list[_First] = field(default_factory=list)
    _with_word: dict[str, deque[int]] = field(default_factory=lambda: defaultdict(lambda: deque(maxlen=_MOST_FIRSTS)))
    _known: dict[tuple[tuple[str, ...], str], int] = field(default_factory=dict)

    def says_enough(self, words: Sequence[str]) -> bool:
        """Whether so few words can be alike at all: an "error" is like every other."""
        return sum(map(telling, words)) >= self.least_words

    def place(self, words: tuple[str, ...], product: str) -> int:
        """The number of the group that a case with these words belongs to; what says the same is placed alike."""
        said = (words, product)
        if said not in self._known:
            rarest = self.weights.rarest(words, self.least)
            number = self._most_alike(words, rarest, product)
            self._known[said] = self._begin(words, rarest, product) if number is None else number
        return self._known[said]

    def _most_alike(self, words: tuple[str, ...], rarest: tuple[str, ...], product: str) -> int | None:
        near = Counter(number for word in rarest for number in self._with_word[word])
        likely = sorted(near, key=lambda number: (-near[number], number))[:_MOST_COMPARED]
        weight, best, found = self.weights.total(words), 0.0, None
        for number in likely:
            alike = self._likeness(self._firsts[number], words, weight, product)
            if alike > best:
                best, found = alike, number
        if found is not None:
            self._firsts[found].product = self._firsts[found].product or product
        return found

    def _likeness(self, first: _First, words: Sequence[str], weight: int, product: str) -> float:
        """From 0 to 1; 0 for what is not alike enough."""
        if first.product and product and first.product != product:
            return 0.0
        shared = first.words.intersection(words)
        common = self.weights.total(shared)
        alike = common / (first.weight + weight - common)
        return alike if alike >= self.least and sum(map(telling, shared)) >= self.least_words else 0.0

    def _begin(self, words: tuple[str, ...], rarest: tuple[str, ...], product: str) -> int:
        number = len(self._firsts)
        self._firsts.append(_First(frozenset(words), self.weights.total(words), product))
        for word in rarest:
            self._with_word[word].append(number)
        return number
