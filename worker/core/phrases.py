"""Finding what customers say in mails, chats, cases and call notes: phrases with guards against what only looks alike.

A phrase says which words mean a trigger; a guard says which words around them take the meaning away (negation,
hypothetical, past event, somebody else's affair). The regular expressions come from outside as `Matcher`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from worker.core import markup
from worker.core.amounts import Amount, amounts
from worker.core.model import Author, Case, Certainty, RecordRef, TextHit, TriggerId
from worker.core.sentences import Span, sentence_ends
from worker.core.text import Parts, parts

MOST_CHARACTERS = 65_536
"""How much of a subject or body is read; what was cut is reported in `Reading.cut`."""


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


@dataclass(frozen=True, slots=True)
class Phrase:
    """Words that mean a trigger. It counts only where each of `needs` is found in the customer's own words too."""

    id: str
    label: TriggerId
    certainty: Certainty
    matcher: Matcher
    place: Place = Place.OWN
    needs: tuple[Matcher, ...] = ()
    ignores: frozenset[GuardKind] = frozenset()
    yes: tuple[str, ...] = ()
    no: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class PhraseBook:
    """All packs together. `sieve` numbers the phrases in their order here."""

    phrases: tuple[Phrase, ...]
    guards: tuple[Guard, ...]
    sieve: Sieve


@dataclass(frozen=True, slots=True)
class Message:
    """One text to read. `channel` says by which way it came, `title` what the CRM knows of the writer's position."""

    subject: str = ""
    body: str = ""
    channel: str = ""
    title: str = ""


@dataclass(frozen=True, slots=True)
class Hit:
    """One phrase found. `span` counts characters of `field` (`subject`, `body` or `title`)."""

    label: TriggerId
    phrase: str
    field: str
    span: Span
    text: str
    certainty: Certainty


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


def read(book: PhraseBook, message: Message) -> Reading:
    """The phrases and amounts in what the customer wrote in `message`."""
    body, subject = message.body[:MOST_CHARACTERS], message.subject[:MOST_CHARACTERS]
    cut = len(message.body) - len(body) + len(message.subject) - len(subject)
    taken = parts(body, message.channel, subject)
    if not (taken.own or taken.signature) and body.strip():
        return Reading(cut=cut)
    if not parts(f"{subject}\n", message.channel, subject).own and subject.strip():
        return Reading(cut=cut)
    fields = _fields(subject, body, message.title[:200], taken)
    hits = _without_overlap(_hits(book, fields))
    return Reading(hits, tuple(_found_amounts(subject, body, taken.own)), cut)


def case_hits(book: PhraseBook, case: Case, ref: RecordRef) -> tuple[TextHit, ...]:
    """The phrases in a case's text, as evidence for the triggers; none where a customer did not write it."""
    if case.author is not Author.CUSTOMER:
        return ()
    reading = read(book, Message(case.subject, case.text, case.channel, case.reporter_title))
    return tuple(
        TextHit(hit.label, ref, hit.field, hit.phrase, hit.text, hit.span.start, hit.span.end, hit.certainty)
        for hit in reading.hits
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


def _hits(book: PhraseBook, fields: Sequence[_Field]) -> Iterator[Hit]:
    own = b"\n".join(field.canvas for field in fields if field.place is Place.OWN)
    silenced: dict[str, bool] = {}
    for field in fields:
        if not field.canvas.strip():
            continue
        for number in book.sieve.candidates(field.canvas):
            phrase = book.phrases[number]
            if phrase.place is field.place and all(need.found(own) for need in phrase.needs):
                yield from _phrase_hits(book, phrase, field, own, silenced)


def _phrase_hits(book: PhraseBook, phrase: Phrase, field: _Field, own: bytes, seen: dict[str, bool]) -> Iterator[Hit]:
    for start, reach in phrase.matcher.spans(field.canvas):
        end = start + len(field.canvas[start:reach].rstrip(_TRAILING))
        certainty = _guarded(book.guards, phrase, field.canvas, Span(start, end), own, seen)
        if certainty is None:
            continue
        if field.quoted:
            certainty = Certainty.POSSIBLE
        yield Hit(phrase.label, phrase.id, field.name, Span(start, end), field.text[start:end], certainty)


def _guarded(
    guards: Sequence[Guard], phrase: Phrase, text: bytes, span: Span, own: bytes, seen: dict[str, bool]
) -> Certainty | None:
    certainty = phrase.certainty
    for guard in guards:
        if guard.kind in phrase.ignores or (guard.labels and phrase.label not in guard.labels):
            continue
        if not _applies(guard, text, span, own, seen):
            continue
        if guard.effect is None:
            return None
        certainty = guard.effect
    return certainty


def _applies(guard: Guard, text: bytes, span: Span, own: bytes, seen: dict[str, bool]) -> bool:
    if guard.scope is Scope.TEXT:
        if guard.id not in seen:
            seen[guard.id] = guard.matcher.found(own) and not (guard.unless is not None and guard.unless.found(own))
        return seen[guard.id]
    begin = text.rfind(b"\n", 0, span.start) + 1
    finish = text.find(b"\n", span.end)
    finish = len(text) if finish < 0 else finish
    around = {
        Scope.BEFORE: (begin, span.start),
        Scope.INSIDE: (span.start, span.end),
        Scope.AFTER: (span.end, finish),
        Scope.SENTENCE: (begin, finish),
    }
    first, last = around[guard.scope]
    if not guard.matcher.found(text[first:last]):
        return False
    return guard.unless is None or not guard.unless.found(text[begin:finish])


def _without_overlap(hits: Iterator[Hit]) -> tuple[Hit, ...]:
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
