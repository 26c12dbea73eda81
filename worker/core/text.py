"""What the customer wrote now: without older mail, signatures, disclaimers, markup and other people's words.

Every step keeps the length of the text, so that a place in the result is a place in the original.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto

from worker.core import marks, markup
from worker.core.sentences import Span, lines

NOT_A_CUSTOMER = frozenset(
    {"agent", "auto-reply", "auto_reply", "autoreply", "automatic", "bot", "outbound", "system", "macro", "agent_reply"}
)
"""Channels whose text no customer wrote."""

OWN_NOTES = frozenset({"internal", "note", "notes", "internal_note", "comment"})
"""Channels of our own notes: they count only where they report what a customer said."""


@dataclass(frozen=True, slots=True)
class Parts:
    """`own` is what the customer wrote now; `signature` what stands under it (name, title, company)."""

    own: tuple[Span, ...]
    signature: tuple[Span, ...] = ()


class _Kind(Enum):
    OWN = auto()
    SIGNATURE = auto()
    OTHER = auto()


def customer_text(body: str, channel: str = "") -> tuple[Span, ...]:
    """The stretches of `body` that the customer wrote now, in order; empty where nobody but us or a machine wrote."""
    return parts(body, channel).own


def parts(body: str, channel: str = "", subject: str = "") -> Parts:
    """`body` taken apart; `channel` says by which way it came (`email`, `chat`, `agent`, ...)."""
    if not _counts(body, channel.strip().lower(), subject):
        return Parts(())
    plain = markup.without_tags(body)
    rows = list(lines(plain))
    kinds = _kinds([plain[row.start : row.end] for row in rows])
    return Parts(_joined(rows, kinds, _Kind.OWN), _joined(rows, kinds, _Kind.SIGNATURE))


def _counts(body: str, channel: str, subject: str) -> bool:
    if channel in NOT_A_CUSTOMER or marks.OUR_MARK.match(body) or marks.OUR_REF.search(body[:2000]):
        return False
    if channel in OWN_NOTES:
        return marks.REPORTED.search(body) is not None
    return not (marks.ABSENT_SUBJECT.search(subject) or marks.ABSENT.search(body[:200]))


def _kinds(rows: Sequence[str]) -> list[_Kind]:
    kinds = [_Kind.OWN] * len(rows)
    end = _older_mail(rows, kinds)
    _disclaimers(rows, kinds, end)
    _signatures(rows, kinds, end)
    _bare_signature(rows, kinds)
    _transcript(rows, kinds, end)
    return kinds


def _older_mail(rows: Sequence[str], kinds: list[_Kind]) -> int:
    """Marks quoted rows; gives the line where older mail begins and nothing of the customer's follows."""
    for number, line in enumerate(rows):
        if marks.QUOTE_LINE.match(line):
            kinds[number] = _Kind.OTHER
        elif marks.OLDER.match(line) or _header_block(rows, number):
            return _all_other(kinds, number)
        elif length := _attribution(rows, number):
            kinds[number : number + length] = [_Kind.OTHER] * length
            if not _quoted_next(rows, number + length):
                return _all_other(kinds, number)
    return len(rows)


def _all_other(kinds: list[_Kind], begin: int) -> int:
    kinds[begin:] = [_Kind.OTHER] * (len(kinds) - begin)
    return begin


def _attribution(rows: Sequence[str], number: int) -> int:
    if marks.WROTE.match(rows[number][:300]):
        return 1
    if not marks.WROTE_BEGINS.match(rows[number]) or number + 1 >= len(rows):
        return 0
    return 2 if marks.WROTE.match(f"{rows[number]} {rows[number + 1]}"[:300]) else 0


def _quoted_next(rows: Sequence[str], number: int) -> bool:
    following = next((line for line in rows[number:] if line.strip()), "")
    return marks.QUOTE_LINE.match(following) is not None


def _header_block(rows: Sequence[str], number: int) -> bool:
    if not marks.FIRST_HEADER.match(rows[number]):
        return False
    return sum(1 for line in rows[number : number + 5] if marks.HEADER.match(line)) >= 2


def _disclaimers(rows: Sequence[str], kinds: list[_Kind], end: int) -> None:
    for number in range(end):
        if marks.DISCLAIMER_TO_END.match(rows[number]):
            _all_other(kinds, number)
            return
        if marks.DISCLAIMER.search(rows[number][:2000]):
            _paragraph_other(rows, kinds, number)


def _paragraph_other(rows: Sequence[str], kinds: list[_Kind], number: int) -> None:
    for place in range(number, len(rows)):
        if not rows[place].strip():
            return
        kinds[place] = _Kind.OTHER


def _signatures(rows: Sequence[str], kinds: list[_Kind], end: int) -> None:
    number = 0
    while number < end:
        line = rows[number]
        if marks.FROM_PHONE.match(line):
            kinds[number] = _Kind.OTHER
        elif kinds[number] is _Kind.OWN and _signs_off(line, number):
            number = _mark_signature(rows, kinds, number, end)
            continue
        number += 1


def _signs_off(line: str, number: int) -> bool:
    if line.rstrip() in {"--", "---", "—"} or line == "-- ":
        return True
    if not line.strip() or len(line) > 70:
        return False
    return marks.SIGN_OFF.fullmatch(line) is not None or (
        number > 0 and marks.SIGN_OFF_WITH_NAME.fullmatch(line) is not None
    )


def _mark_signature(rows: Sequence[str], kinds: list[_Kind], begin: int, end: int) -> int:
    number = begin
    while number < end and (number == begin or _in_signature(rows[number], number - begin)):
        if kinds[number] is _Kind.OWN:
            kinds[number] = _Kind.SIGNATURE
        number += 1
    return max(number, begin + 1)


def _bare_signature(rows: Sequence[str], kinds: list[_Kind]) -> None:
    """A last paragraph of a name and a title without a greeting before it."""
    own = [number for number, kind in enumerate(kinds) if kind is _Kind.OWN and rows[number].strip()]
    last = _last_paragraph(rows, own)
    if not 2 <= len(last) <= 5 or len(last) == len(own):
        return
    if marks.NAME.fullmatch(rows[last[0]]) and all(_in_signature(rows[number], 1) for number in last):
        for number in last:
            kinds[number] = _Kind.SIGNATURE


def _last_paragraph(rows: Sequence[str], own: Sequence[int]) -> list[int]:
    """Those of the lines `own` that no blank line parts from the last of them."""
    before = next((number for number in reversed(range(own[-1])) if not rows[number].strip()), -1) if own else -1
    return [number for number in own if number > before]


def _in_signature(line: str, place: int) -> bool:
    text = line.strip()
    if place > 12 or marks.AFTERTHOUGHT.match(text):
        return False
    return (
        not text
        or "@" in text
        or (len(text.split()) <= 9 and not (text[-1] in ".!?" and len(text.split()) > 3 and "|" not in text))
    )


def _transcript(rows: Sequence[str], kinds: list[_Kind], end: int) -> None:
    speakers = [_speaker(line) for line in rows[:end]]
    ours = {who for who in speakers if who and marks.OUR_STAFF.search(who)}
    if not ours or not any(who and who not in ours for who in speakers):
        return
    speaking = ""
    for number, who in enumerate(speakers):
        speaking = who or speaking
        if speaking in ours:
            kinds[number] = _Kind.OTHER
        elif kinds[number] is _Kind.SIGNATURE:
            kinds[number] = _Kind.OWN


def _speaker(line: str) -> str:
    match = marks.SPEAKER.match(line)
    return match["who"].strip() if match else ""


def _joined(rows: Sequence[Span], kinds: Sequence[_Kind], kind: _Kind) -> tuple[Span, ...]:
    spans: list[Span] = []
    for line, its_kind in zip(rows, kinds, strict=True):
        if its_kind is not kind:
            continue
        if spans and spans[-1].end + 1 == line.start:
            spans[-1] = Span(spans[-1].start, line.end)
        else:
            spans.append(Span(line.start, line.end))
    return tuple(span for span in spans if span.end > span.start)
