"""Whether the words around a hit let it count: the company it must keep, and the guards."""

from __future__ import annotations

from collections.abc import Sequence

from worker.core.book import Guard, Phrase, Scope, Within
from worker.core.model import Certainty, TriggerId
from worker.core.sentences import Span


def window(within: Within, text: bytes, span: Span, own: bytes) -> bytes:
    """The stretch of `text` around `span` in which a phrase's company is looked for; `own` is the whole message."""
    if within is Within.TEXT:
        return own
    sentence = _sentence(text, span)
    if within is Within.SENTENCE:
        return text[sentence.start : sentence.end]
    before = text[: sentence.start].rstrip(b"\n ")
    after = text[sentence.end :].lstrip(b"\n ")
    return (
        before[before.rfind(b"\n") + 1 :]
        + b"\n"
        + text[sentence.start : sentence.end]
        + b"\n"
        + after.split(b"\n", 1)[0]
    )


def _sentence(text: bytes, span: Span) -> Span:
    finish = text.find(b"\n", span.end)
    return Span(text.rfind(b"\n", 0, span.start) + 1, len(text) if finish < 0 else finish)


def guarded(
    guards: Sequence[Guard], phrase: Phrase, text: bytes, span: Span, own: bytes, seen: dict[str, bool]
) -> Certainty | None:
    """How much of a hit the guards leave: all of it, a possibility, or nothing."""
    certainty = Certainty.CERTAIN
    for guard in guards:
        if guard.kind in phrase.ignores or (guard.labels and phrase.label not in guard.labels):
            continue
        if not _applies(guard, text, span, own, seen):
            continue
        if guard.effect is None:
            return None
        certainty = guard.effect
    return certainty


def silenced(guards: Sequence[Guard], label: TriggerId, own: bytes, seen: dict[str, bool]) -> bool:
    """Whether a guard over the whole text takes `label` away, whatever says it."""
    whole = Span(0, 0)
    return any(
        guard.scope is Scope.TEXT
        and (not guard.labels or label in guard.labels)
        and _applies(guard, own, whole, own, seen)
        for guard in guards
    )


def _applies(guard: Guard, text: bytes, span: Span, own: bytes, seen: dict[str, bool]) -> bool:
    if guard.scope is Scope.TEXT:
        if guard.id not in seen:
            seen[guard.id] = guard.matcher.found(own) and not (guard.unless is not None and guard.unless.found(own))
        return seen[guard.id]
    sentence = _sentence(text, span)
    around = {
        Scope.BEFORE: (sentence.start, span.start),
        Scope.INSIDE: (span.start, span.end),
        Scope.AFTER: (span.end, sentence.end),
        Scope.SENTENCE: (sentence.start, sentence.end),
    }
    first, last = around[guard.scope]
    if not guard.matcher.found(text[first:last]):
        return False
    return guard.unless is None or not guard.unless.found(text[sentence.start : sentence.end])
