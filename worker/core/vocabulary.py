"""What the words of a message weigh, beside the phrases: weights learned from labelled texts, one sum for each label.

Phrases find what somebody thought of; weights catch what is said in another way, and doubt a phrase in a text that
otherwise speaks of something else. A feature is a word, the beginning of a long word, a stem (`stems.py`, after "~"),
or the stems of two words next to each other or one apart, in a sentence. It counts once however often it stands there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from itertools import pairwise

from worker.core.model import TriggerId
from worker.core.sentences import Span
from worker.core.stems import stem

ALWAYS, PHRASE, HINT, ALONE, TITLE = "(always)", "(phrase)", "(hint)", "(alone)", "(title)"
"""Features that no word can be: of every text, of a certain phrase, a hint, neither, of an executive's signature."""

MOST_READ = 16_384
"""How many characters are weighed; a complaint does not hide behind more."""

_WORD = re.compile(r"[a-z']+|[0-9]+")
_BEGINNING = 6


@dataclass(frozen=True, slots=True)
class Weights:
    """For each feature one weight for each of `labels`, in their order; a sum above 0 asserts the label."""

    labels: tuple[TriggerId, ...]
    of: Mapping[str, tuple[float, ...]]


def features(text: bytes) -> set[str]:
    """The features of lower-case ASCII with a line for each sentence."""
    found: set[str] = set()
    for line in text[:MOST_READ].decode("ascii").split("\n"):
        if line and not line.isspace():
            found.update(_of_sentence(line))
    return found


def _of_sentence(line: str) -> Iterator[str]:
    words = ["0" if word.isdigit() else word for word in _WORD.findall(line)]
    for word in words:
        yield word
        if len(word) > _BEGINNING:
            yield f"{word[:_BEGINNING]}*"
    stems = [stem(word) for word in words]
    yield from (f"~{one}" for one in stems)
    yield from (f"{one} {other}" for one, other in pairwise(stems))
    yield from (f"{one} _ {other}" for one, other in zip(stems, stems[2:], strict=False))


def sums(weights: Weights, found: AbstractSet[str]) -> dict[TriggerId, float]:
    """For each label what a text with the features `found` weighs, that of every text included."""
    rows = [row for one in found if (row := weights.of.get(one)) is not None]
    rows.append(weights.of.get(ALWAYS, (0.0,) * len(weights.labels)))
    return dict(zip(weights.labels, map(sum, zip(*rows, strict=True)), strict=True))


def total(weights: Weights, found: Iterable[str], label: TriggerId) -> float:
    """The weight of all of `found` for `label`."""
    place = weights.labels.index(label)
    return sum(row[place] for one in found if (row := weights.of.get(one)) is not None)


def strongest(weights: Weights, text: bytes, label: TriggerId) -> tuple[float, Span]:
    """The sentence that speaks most for `label`, and how much; an empty span where none does."""
    best, start = (0.0, Span(0, 0)), 0
    for line in text[:MOST_READ].split(b"\n"):
        if line.strip():
            left = len(line) - len(line.lstrip())
            weight = total(weights, set(_of_sentence(line.decode("ascii"))), label)
            if weight > best[0]:
                best = weight, Span(start + left, start + len(line.rstrip()))
        start += len(line) + 1
    return best
