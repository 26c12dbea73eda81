"""Finding what customers say in mails, chats, cases and call notes: phrases, guards and the weight of the words."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import combinations, islice

from worker.core import markup, vocabulary
from worker.core.amounts import Amount, amounts
from worker.core.book import FoundAmount, Hit, Message, Phrase, PhraseBook, Place, Reading
from worker.core.guards import guarded, silenced, window
from worker.core.model import Author, Case, Certainty, RecordRef, TextHit, TriggerId
from worker.core.sentences import Span, sentence_ends
from worker.core.text import Parts, parts
from worker.core.vocabulary import Weights

MOST_CHARACTERS = 65_536
"""How much of a subject or body is read; what was cut is reported in `Reading.cut`."""


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    text: str
    canvas: bytes
    place: Place = Place.OWN
    quoted: bool = False


_FOLDED = str.maketrans('’‘´`“”"*_~()[]–—\t\r\u00a0\u200b\ufeff', "''''" + " " * 10 + "--" + " " * 5)
_BEYOND_ASCII = re.compile(r"[^\x00-\x7f]")
_ANSWERED = re.compile(r"\s*(?:re|fwd?|fw|bls|trs)\s?:", re.IGNORECASE)
_BREAK = ord("\n")
_TRAILING = b" ,.!?;:-\n"
_MOST_HITS = 12
"""Of one phrase in one field: who says it more often says the same."""


def read(book: PhraseBook, message: Message) -> Reading:
    """The phrases and amounts in what the customer wrote in `message`."""
    body, subject = message.body[:MOST_CHARACTERS], message.subject[:MOST_CHARACTERS]
    cut = len(message.body) - len(body) + len(message.subject) - len(subject)
    hits, taken = _understood(book, message)
    amounts = () if taken is None else tuple(_found_amounts(subject, body, taken.own))
    return Reading(hits, amounts, cut)


def _understood(book: PhraseBook, message: Message) -> tuple[tuple[Hit, ...], Parts | None]:
    """The phrases, and what of the text they were looked for in; None where no customer wrote it."""
    body, subject = message.body[:MOST_CHARACTERS], message.subject[:MOST_CHARACTERS]
    taken = customer_parts(subject, body, message.channel)
    if taken is None:
        return (), None
    return _without_overlap(_found(book, _fields(subject, body, message.title[:200], taken))), taken


def words(book: PhraseBook, message: Message) -> set[str]:
    """What `message` has of the features that are weighed; nothing where no customer wrote it."""
    body, subject = message.body[:MOST_CHARACTERS], message.subject[:MOST_CHARACTERS]
    taken = customer_parts(subject, body, message.channel)
    if taken is None:
        return set()
    fields = _fields(subject, body, message.title[:200], taken)
    return vocabulary.features(_own(fields)) | _signed_by_executive(book, fields)


def customer_parts(subject: str, body: str, channel: str) -> Parts | None:
    """A body taken apart; None where no customer wrote it, by its channel, its subject or itself."""
    taken = parts(body, channel, subject)
    if not (taken.own or taken.signature) and body.strip():
        return None
    if not parts(f"{subject}\n", channel, subject).own and subject.strip():
        return None
    return taken


def case_hits(book: PhraseBook, case: Case, ref: RecordRef) -> tuple[TextHit, ...]:
    """The phrases in a case's text, as evidence for the triggers; none where a customer did not write it."""
    if case.author is not Author.CUSTOMER:
        return ()
    hits, _ = _understood(book, Message(case.subject, case.text, case.channel, case.reporter_title))
    return tuple(
        TextHit(hit.label, ref, hit.field, hit.phrase, hit.text, hit.span.start, hit.span.end, hit.certainty)
        for hit in hits
    )


def _fields(subject: str, body: str, title: str, taken: Parts) -> tuple[_Field, ...]:
    plain = markup.without_tags(body)
    whole = (Span(0, len(subject)),)
    return (
        _Field("subject", subject, canvas(subject, whole), quoted=_ANSWERED.match(subject) is not None),
        _Field("body", body, canvas(plain, taken.own)),
        _Field("body", body, canvas(plain, taken.signature), Place.SIGNATURE),
        _Field("title", title, canvas(title, (Span(0, len(title)),)), Place.SIGNATURE),
    )


def canvas(text: str, spans: Sequence[Span]) -> bytes:
    """`text` in lower-case ASCII, one byte a character; one line a sentence, everything outside `spans` blank."""
    pieces: list[bytes] = []
    place = 0
    for span in spans:
        pieces += [b"\n" * (span.start - place), _folded(text[span.start : span.end])]
        place = span.end
    return b"".join([*pieces, b"\n" * (len(text) - place)])


def _folded(text: str) -> bytes:
    breaks = sentence_ends(text)
    flat = _BEYOND_ASCII.sub(" ", text.translate(_FOLDED).replace("\n", " ")).encode("ascii")
    folded = bytearray(flat.lower())
    for place in breaks:
        folded[place] = _BREAK
    return bytes(folded)


def _found(book: PhraseBook, fields: Sequence[_Field]) -> list[Hit]:
    own = _own(fields)
    seen: dict[str, bool] = {}
    hits = _agreed(list(_hits(book, fields, own, seen)))
    if book.weights is None or not own.strip():
        return hits
    features = vocabulary.features(own)
    signed = _signed_by_executive(book, fields)
    sums = vocabulary.sums(book.weights, features | signed)
    for label in book.weights.labels:
        if sums[label] + vocabulary.total(book.weights, _known(hits, label), label) <= 0:
            hits = [_doubted(hit) if hit.label == label else hit for hit in hits]
        elif not (_certain(hits, label) or _weakened(hits, label) or silenced(book.guards, label, own, seen)):
            hits += _strongest(book.weights, fields, label)
    return hits


def _own(fields: Sequence[_Field]) -> bytes:
    return b"\n".join(field.canvas for field in fields if field.place is Place.OWN)


def _certain(hits: Sequence[Hit], label: TriggerId) -> bool:
    return any(hit.label == label and hit.certainty is Certainty.CERTAIN for hit in hits)


def _weakened(hits: Sequence[Hit], label: TriggerId) -> bool:
    mine = [hit for hit in hits if hit.label == label]
    return bool(mine) and not any(hit.hint for hit in mine)


def _known(hits: Sequence[Hit], label: TriggerId) -> list[str]:
    if _certain(hits, label):
        return [vocabulary.PHRASE]
    return [vocabulary.HINT if any(hit.label == label for hit in hits) else vocabulary.ALONE]


def _doubted(hit: Hit) -> Hit:
    return replace(hit, certainty=Certainty.POSSIBLE)


def _signed_by_executive(book: PhraseBook, fields: Sequence[_Field]) -> set[str]:
    titles = [phrase.matcher for phrase in book.phrases if phrase.place is Place.SIGNATURE]
    signed = any(one.found(field.canvas) for field in fields if field.place is Place.SIGNATURE for one in titles)
    return {vocabulary.TITLE} if signed else set()


def _strongest(weights: Weights, fields: Sequence[_Field], label: TriggerId) -> list[Hit]:
    told = [
        (*vocabulary.strongest(weights, field.canvas, label), field) for field in fields if field.place is Place.OWN
    ]
    weight, span, field = max(told, key=lambda one: one[0])
    if weight <= 0:
        return []
    return [Hit(label, "weights", field.name, span, field.text[span.start : span.end], Certainty.CERTAIN)]


def _hits(book: PhraseBook, fields: Sequence[_Field], own: bytes, seen: dict[str, bool]) -> Iterator[Hit]:
    for field in fields:
        if not field.canvas.strip():
            continue
        for number in book.sieve.candidates(field.canvas):
            phrase = book.phrases[number]
            if phrase.place is field.place:
                yield from _phrase_hits(book, phrase, field, own, seen)


def _phrase_hits(book: PhraseBook, phrase: Phrase, field: _Field, own: bytes, seen: dict[str, bool]) -> Iterator[Hit]:
    for start, reach in islice(phrase.matcher.spans(field.canvas), _MOST_HITS):
        span = Span(start, start + len(field.canvas[start:reach].rstrip(_TRAILING)))
        if not phrase.company.agrees(window(phrase.company.within, field.canvas, span, own)):
            continue
        left = guarded(book.guards, phrase, field.canvas, span, own, seen)
        if left is None:
            continue
        weak = left is Certainty.POSSIBLE or field.quoted
        certainty = Certainty.POSSIBLE if weak else phrase.certainty
        hint = not weak and certainty is Certainty.POSSIBLE
        yield Hit(phrase.label, phrase.id, field.name, span, field.text[span.start : span.end], certainty, hint)


def _agreed(hits: Sequence[Hit]) -> list[Hit]:
    """`hits`, the hints of a label certain where two different phrases of it agree, each in words of its own."""
    hints = [hit for hit in hits if hit.hint]
    agreeing = {
        one.label
        for one, other in combinations(hints, 2)
        if one.label == other.label and one.phrase != other.phrase and not _overlap(one, other)
    }
    return [replace(hit, certainty=Certainty.CERTAIN) if hit.hint and hit.label in agreeing else hit for hit in hits]


def _without_overlap(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """One hit for each stretch of text and label: the most certain, then the longest."""
    ranked = sorted(hits, key=lambda hit: (hit.certainty is not Certainty.CERTAIN, hit.span.start - hit.span.end))
    kept: list[Hit] = []
    for hit in ranked:
        if not any(_overlap(hit, other) for other in kept):
            kept.append(hit)
    return tuple(sorted(kept, key=lambda hit: (hit.field != "subject", hit.span.start, hit.label)))


def _overlap(one: Hit, other: Hit) -> bool:
    same = one.label == other.label and one.field == other.field
    return same and one.span.start < other.span.end and other.span.start < one.span.end


def _found_amounts(subject: str, body: str, own: Sequence[Span]) -> Iterator[FoundAmount]:
    for found in amounts(subject):
        yield FoundAmount("subject", found)
    for span in own:
        for found in amounts(body[span.start : span.end]):
            yield FoundAmount(
                "body", Amount(found.amount, found.currency, found.start + span.start, found.end + span.start)
            )
