"""What phrase packs hold, and what is found with them in one message.

A phrase says which words mean a trigger; a guard says which words around them take the meaning away (negation,
hypothetical, past event, somebody else's affair). The regular expressions come from outside as `Matcher`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from worker.core.amounts import Amount
from worker.core.model import Certainty, TriggerId
from worker.core.sentences import Span
from worker.core.vocabulary import Weights


class Matcher(Protocol):
    """A compiled expression over lower-case ASCII; linear in the length of the text."""

    def spans(self, text: bytes) -> Iterator[tuple[int, int]]:
        """Every match, in order, as start and end."""
        ...

    def found(self, text: bytes) -> bool:
        """Whether there is any match."""
        ...


class Sieve(Protocol):
    """All phrases at once."""

    def candidates(self, text: bytes) -> Sequence[int]:
        """The numbers of the phrases that match somewhere in `text`, ascending."""
        ...


class Place(StrEnum):
    """Where a phrase is looked for: in the customer's own words, or in the signature and title of the writer."""

    OWN = "own"
    SIGNATURE = "signature"


class GuardKind(StrEnum):
    """Why a guard takes the meaning away; a phrase can name the kinds that it ignores."""

    NEGATION = "negation"
    HYPOTHETICAL = "hypothetical"
    PAST = "past"
    ELSEWHERE = "elsewhere"


class Scope(StrEnum):
    """Where a guard is looked for: right before the hit, in it, right after it, in its sentence, in the whole text."""

    BEFORE = "before"
    INSIDE = "inside"
    AFTER = "after"
    SENTENCE = "sentence"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Guard:
    """Words that take a hit's meaning away. `effect` POSSIBLE weakens it, None drops it; no `labels` means all."""

    id: str
    kind: GuardKind
    scope: Scope
    effect: Certainty | None
    labels: frozenset[TriggerId]
    matcher: Matcher
    unless: Matcher | None = None


class Within(StrEnum):
    """How far from a phrase its company may stand: in its sentence, in the next ones too, or anywhere in the text."""

    SENTENCE = "sentence"
    NEIGHBOURS = "neighbours"
    TEXT = "text"


@dataclass(frozen=True, slots=True)
class Company:
    """Words that a phrase must have near it (`all_of`) and words it must not (`none_of`), in any order."""

    within: Within = Within.SENTENCE
    all_of: tuple[Matcher, ...] = ()
    none_of: tuple[Matcher, ...] = ()

    def agrees(self, window: bytes) -> bool:
        """Whether `window` has all that it must have and nothing that it must not."""
        return all(one.found(window) for one in self.all_of) and not any(one.found(window) for one in self.none_of)


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that mean a trigger, in the right company. Where the phrase itself is a signature, `own` text is it."""

    id: str
    label: TriggerId
    certainty: Certainty
    matcher: Matcher
    place: Place = Place.OWN
    company: Company = Company()
    ignores: frozenset[GuardKind] = frozenset()
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """All packs together. `sieve` numbers the phrases in their order here; without `weights` phrases decide alone."""

    phrases: tuple[Phrase, ...]
    guards: tuple[Guard, ...]
    sieve: Sieve
    weights: Weights | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One text to read. `channel` says by which way it came, `title` what the CRM knows of the writer's position."""

    subject: str = ""
    body: str = ""
    channel: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One phrase found. `span` counts characters of `field` (`subject`, `body` or `title`).

    A `hint` is a possible phrase that nothing weakened: two different ones of a label assert it together.
    """

    label: TriggerId
    phrase: str
    field: str
    span: Span
    text: str
    certainty: Certainty
    hint: bool = False


@dataclass(frozen=True, slots=True)
class FoundAmount:
    """An amount that the customer wrote, with the field it stands in."""

    field: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Reading:
    """What was found in one message. `cut` counts the characters that were beyond the limit and not read."""

    hits: tuple[Hit, ...] = ()
    amounts: tuple[FoundAmount, ...] = ()
    cut: int = 0

    @property
    def certainty(self) -> dict[TriggerId, Certainty]:
        """Each label that was found with its best certainty."""
        best: dict[TriggerId, Certainty] = {}
        for hit in self.hits:
            if best.get(hit.label) is not Certainty.CERTAIN:
                best[hit.label] = hit.certainty
        return best

    @property
    def labels(self) -> tuple[TriggerId, ...]:
        """The labels that are asserted: those found for certain, as the triggers count them."""
        return tuple(sorted(label for label, certainty in self.certainty.items() if certainty is Certainty.CERTAIN))
