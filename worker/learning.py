"""Learns `weights.tsv` from labelled texts: `python -m worker.learning TEXTS.jsonl... > config/phrases/weights.tsv`.

Logistic regression, one for each label, by stochastic gradient (AdaGrad) in a fixed order: the same texts and packs
give the same table. Besides the texts it learns each phrase's own sentences, and pairs of texts as one. How much a
phrase and a hint weigh is set, not learned: the phrases were tuned on these very texts, so learning would trust them
too much.
"""

from __future__ import annotations

import hashlib
import json
import math
import random
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from worker import phrasebook, weights
from worker.core.book import Message, PhraseBook
from worker.core.model import TriggerId
from worker.core.phrases import words
from worker.core.vocabulary import ALONE, ALWAYS, HINT, PHRASE

PACKS = Path("config/phrases")
FIXED = {PHRASE: 3.5, HINT: 0.5, ALONE: -0.6}
"""What a phrase of the packs, a single hint, or that there is neither adds to the sum of a text."""

LEAN = -1.2
"""Added to every sum: towards finding more (above 0) or towards being right more often (below 0)."""

_SEEN_AT_LEAST = 2
_ROUNDS, _STEP, _SHRINK, _SEED = 40, 0.5, 2.5e-4, 1
_WITH_LABELLED, _WITH_PLAIN, _PLAIN_LEAST = 0.4, 0.3, 20
"""How many of the labelled texts are paired with another, and with one (of so many features) that has no label."""


@dataclass(frozen=True, slots=True)
class Example:
    """A text's features and the labels that it has."""

    found: tuple[str, ...]
    labels: frozenset[TriggerId]


def learn(examples: Sequence[Example], labels: Sequence[TriggerId]) -> dict[str, list[float]]:
    """One weight for each label of every feature that two examples have; under ALWAYS what every text starts with."""
    often = Counter(feature for example in examples for feature in example.found)
    rows = [([ALWAYS, *(one for one in ex.found if often[one] >= _SEEN_AT_LEAST)], ex.labels) for ex in examples]
    weight = {feature: [0.0] * len(labels) for found, _ in rows for feature in found}
    steps = {feature: [1e-6] * len(labels) for feature in weight}
    shrink = {feature: _SHRINK * len(rows) / often.get(feature, len(rows)) for feature in weight}
    order = random.Random(_SEED)  # noqa: S311  # an order, no secret
    for _ in range(_ROUNDS):
        order.shuffle(rows)
        for found, wanted in rows:
            pairs = [(weight[feature], steps[feature], shrink[feature]) for feature in found]
            for place, label in enumerate(labels):
                _step(pairs, place, 1.0 if label in wanted else 0.0)
    return weight


def _step(pairs: Sequence[tuple[list[float], list[float], float]], place: int, wanted: float) -> None:
    total = sum(row[place] for row, _, _ in pairs)
    error = 1 / (1 + math.exp(-max(-30.0, min(30.0, total)))) - wanted
    for row, step, shrink in pairs:
        slope = error + shrink * row[place]
        step[place] += slope * slope
        row[place] -= _STEP * slope / math.sqrt(step[place])


def examples(book: PhraseBook, paths: Sequence[Path]) -> Iterator[Example]:
    """The texts of JSON Lines files (subject, body, channel, labels) and the sentences of the packs."""
    for path in paths:
        for line in path.read_text(encoding="utf-8").splitlines():
            text = json.loads(line)
            found = words(book, Message(text.get("subject", ""), text["body"], text.get("channel", "")))
            yield Example(tuple(sorted(found)), frozenset(map(TriggerId, text["labels"])))
    for phrase in book.phrases:
        for sentences, labels in ((phrase.yes, frozenset({phrase.label})), (phrase.no, frozenset[TriggerId]())):
            for sentence in sentences:
                yield Example(tuple(sorted(words(book, Message(body=sentence)))), labels)


def pairs(known: Sequence[Example]) -> Iterator[Example]:
    """Labelled texts put together with others. Most speak of one thing only, so that what speaks for one label would
    be learned to speak against every other; yet angry customers complain of two things at once.
    """
    draw = random.Random(_SEED)  # noqa: S311  # a choice, no secret
    labelled = [one for one in known if one.labels]
    plain = [one for one in known if not one.labels and len(one.found) > _PLAIN_LEAST]
    for one in labelled:
        other = draw.choice(labelled)
        if draw.random() < _WITH_LABELLED and not one.labels & other.labels:
            yield _both(one, other)
        if plain and draw.random() < _WITH_PLAIN:
            yield _both(one, draw.choice(plain))


def _both(one: Example, other: Example) -> Example:
    return Example(tuple(sorted({*one.found, *other.found})), one.labels | other.labels)


def digest(book: PhraseBook, paths: Sequence[Path]) -> str:
    """Twelve digits of everything that the table is learned from: they stand in its head."""
    seen = hashlib.sha256(b"".join(path.read_bytes() for path in paths))
    for phrase in book.phrases:
        seen.update(repr((phrase.label, phrase.yes, phrase.no)).encode())
    return seen.hexdigest()[:12]


def main(paths: Sequence[str]) -> None:
    """Write the table learned from `paths` to the standard output."""
    book = phrasebook.load(PACKS)
    labels = sorted({phrase.label for phrase in book.phrases})
    files = [Path(path) for path in paths]
    known = list(examples(book, files))
    table = learn([*known, *pairs(known)], labels)
    table[ALWAYS] = [value + LEAN for value in table[ALWAYS]]
    table |= {feature: [value] * len(labels) for feature, value in FIXED.items()}
    head = f"Learned by 'make weights' from {len(known)} texts, {digest(book, files)}: change those, not this."
    sys.stdout.write(weights.table(labels, table, head))


if __name__ == "__main__":
    main(sys.argv[1:])
