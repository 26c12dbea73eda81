"""What the customer wrote now: without older mail, signatures, disclaimers, markup and other people's words.

Every step keeps the length of the text, so that a place in the result is a place in the original.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from itertools import pairwise

from worker.core import markup

NOT_A_CUSTOMER = frozenset(
    {"agent", "auto-reply", "auto_reply", "autoreply", "automatic", "bot", "outbound", "system", "macro", "agent_reply"}
)
"""Channels whose text no customer wrote."""

OWN_NOTES = frozenset({"internal", "note", "notes", "internal_note", "comment"})
"""Channels of our own notes: they count only where they report what a customer said."""

_ESCAPED_MARK = r"[>|\s]*"
_OUR_MARK = re.compile(
    r"\s*(?:\[Escalation|Ref ESC-|\[ESC-|Escalation (?:opened|raised|resolved) by|Subject: ESCALATION -)", re.IGNORECASE
)
_OUR_REF = re.compile(r"^Ref ESC-", re.IGNORECASE | re.MULTILINE)
_REPORTED = re.compile(
    r"\b(?:call(?:ed)? (?:with|from|notes?)|spoke (?:with|to)|on the (?:call|phone)|(?:customer|client|cust|klien|pelanggan|pic)(?:nya)?"
    r" (?:said|says|told|mentioned|threaten\w*|wants?|bilang|sampaikan|menyampaikan|minta|meminta|mengancam|mau|ingin|akan)|"
    r"telp(?:on)? (?:dengan|dari)|telepon (?:dengan|dari)|hasil (?:call|telepon|meeting)|notulen|meeting (?:with|dengan))\b",
    re.IGNORECASE,
)
_ABSENT = re.compile(
    r"\b(?:i am|i'm|i will be|saya(?: sedang)?) (?:currently )?(?:out of (?:the )?office|on (?:annual |maternity )?leave|"
    r"cuti|tidak berada di kantor|tidak di kantor|di luar kantor)\b|^\W*(?:automatic reply|auto(?:matic)?[- ]?response|"
    r"balasan otomatis|pesan otomatis|this is an automat\w+)",
    re.IGNORECASE,
)
_ABSENT_SUBJECT = re.compile(
    r"^\W*(?:re: )?(?:automatic reply|auto[- ]?reply|out of office|ooo\b|balasan otomatis|auto:)", re.IGNORECASE
)
_QUOTE_LINE = re.compile(r"\s{0,3}(?:>|\|\s?>|&gt;)")
_WROTE = re.compile(
    r"\s*(?:On\b.{4,160}\bwrote ?:|Pada\b.{4,160}\b(?:menulis|wrote) ?:|.{4,120}<\S+@\S+>\s*(?:wrote|menulis) ?:|"
    r"Am\b.{4,120}\bschrieb .{2,80}:)\s*$",
    re.IGNORECASE,
)
_WROTE_BEGINS = re.compile(
    r"\s*(?:On (?:\w{3,9},? )?\w{0,9} ?\d|Pada (?:tanggal|hari|\w{3,6},? ?\d|\d))", re.IGNORECASE
)
_OLDER = re.compile(
    r"\s*(?:[-_*]{2,}\s*(?:Original Message|Original Appointment|Forwarded(?: message)?|Begin forwarded message|Pesan Asli|Pesan asal|"
    r"Pesan Terusan|Pesan yang diteruskan|Terusan|Reply above this line)\b.{0,40}|Begin forwarded message:|"
    r"Pesan terusan:|_{20,}\s*)$",
    re.IGNORECASE,
)
_HEADER = re.compile(
    r"\s*\*?(?:From|Sent|To|Cc|Date|Subject|Dari|Kepada|Ke|Terkirim|Dikirim|Tanggal|Perihal|Subjek|Hal)\*?\s?:\*?\s",
    re.IGNORECASE,
)
_FIRST_HEADER = re.compile(r"\s*\*?(?:From|Dari)\*?\s?:\*?\s", re.IGNORECASE)
_DISCLAIMER_TO_END = re.compile(
    r"\W*(?:confidentiality (?:notice|note|statement)|(?:e-?mail |legal )?disclaimer|penafian|pernyataan kerahasiaan|"
    r"perhatian\s*:\s*(?:email|e-mail|pesan))\b",
    re.IGNORECASE,
)
_DISCLAIMER = re.compile(
    r"(?:this|the information (?:contained )?in this|the contents? of this) (?:e-?mail|message|communication|transmission)"
    r".{0,80}(?:confidential|intended|privileged)|if you (?:are not|have received this).{0,40}(?:intended|in error)|"
    r"(?:e-?mail|pesan|surel|surat elektronik) ini.{0,80}(?:rahasia|ditujukan|konfidensial)|(?:jika|apabila|bila) anda bukan"
    r" (?:penerima|orang)|bukan penerima yang (?:dituju|dimaksud)|(?:consider|think of) the environment|"
    r"unauthori[sz]ed (?:use|review|disclosure|copying|distribution).{0,80}prohibited|intended recipient|"
    r"^\W*(?:to )?(?:unsubscribe|berhenti berlangganan) (?:from (?:this|our)|dari (?:newsletter|email|milis)|,? ?(?:click|klik))",
    re.IGNORECASE,
)
_SIGN_OFF = re.compile(
    r"\W{0,4}(?:(?:best|kind|warm|warmest|many|with best|with kind)?\s?regards|rgds|br|best(?: wishes)?|sincerely(?: yours)?|"
    r"yours (?:sincerely|truly|faithfully)|respectfully(?: yours)?|cheers|thanks(?:\s?(?:&|and)\s?(?:best |kind )?regards)?|many thanks|thank you|"
    r"thx|tks|salam(?: hangat| hormat| sejahtera)?|hormat (?:kami|saya)|dengan hormat kami|wassalam\w*.{0,30}|"
    r"terima ?kasih(?: banyak)?(?: dan salam)?|trims|makasih|tertanda|ttd)\s*[,.!\-]{0,3}\s*",
    re.IGNORECASE,
)
_SIGN_OFF_WITH_NAME = re.compile(
    r"\W{0,4}(?:regards|best|cheers|thanks|thank you|salam|hormat (?:kami|saya)|terima ?kasih|trims|makasih)\s?,\s?"
    r"(?:[A-Z][\w.'-]+ ?){1,4}\s*"
)
_NAME = re.compile(r"\s*(?:[A-Z][\w.'-]*,? ?){1,4}\s*")
_FROM_PHONE = re.compile(
    r"\s*(?:Sent from my\b|Sent from (?:Outlook|Mail|Yahoo)|Dikirim dari\b|Get Outlook for|Terkirim dari\b).{0,80}$",
    re.IGNORECASE,
)
_AFTERTHOUGHT = re.compile(r"\W{0,3}(?:p\.?\s?s\.?|nb|n\.b\.|catatan)\s?[:.,-]", re.IGNORECASE)
_SPEAKER = re.compile(
    r"\s{0,3}(?:[\[(]?\d{1,2}[:.]\d{2}(?:[:.]\d{2})?(?: ?[ap]m)?[\])]?\s{0,3}[-–]?\s{0,3})?"
    r"(?P<who>[A-Za-z][\w .'-]{0,30}(?:\([\w .-]{1,24}\))?)\s?:\s"
)
_OUR_STAFF = re.compile(
    r"^(?:agent|cs|csm|csr|support|admin|bot|system|sistem|helpdesk|customer (?:service|success|care|support)|tim support|"
    r"operator|chatbot)\b|\((?:[\w ]*\b)?(?:agent|cs|csm|support|admin|bot|am|account manager|customer success)\)",
    re.IGNORECASE,
)
_THEIR_STAFF = re.compile(
    r"^(?:customer|client|klien|user|pelanggan|visitor|cust|pic)\b|\((?:customer|client|klien|user|pelanggan)\)",
    re.IGNORECASE,
)
_SHORT_NAMES = frozenset(
    [
        "pt",
        "cv",
        "tbk",
        "bpk",
        "bp",
        "ibu",
        "dr",
        "ir",
        "drs",
        "mr",
        "mrs",
        "ms",
        "no",
        "vs",
        "inc",
        "ltd",
        "co",
        "corp",
        "jl",
        "yth",
        "dll",
        "dsb",
        "dst",
        "tgl",
        "st",
        "a.n",
        "an",
        "u.p",
        "up",
        "e.g",
        "eg",
        "i.e",
        "ie",
        "etc",
        "rp",
        "hlm",
    ]
)
_BULLET = re.compile(r"\s*(?:[-*•–]|\d{1,2}[.)]|[a-z][.)])\s")
_SENTENCE_END = re.compile(r"[.!?;…]+[\"')\]]{0,2}(?=\s)|\n[ \t]{0,200}\n")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in characters; `end` is not part of it."""

    start: int
    end: int


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
    lines = list(_lines(plain))
    kinds = _kinds([plain[line.start : line.end] for line in lines])
    return Parts(_joined(lines, kinds, _Kind.OWN), _joined(lines, kinds, _Kind.SIGNATURE))


def _counts(body: str, channel: str, subject: str) -> bool:
    if channel in NOT_A_CUSTOMER or _OUR_MARK.match(body) or _OUR_REF.search(body[:2000]):
        return False
    if channel in OWN_NOTES:
        return _REPORTED.search(body) is not None
    return not (_ABSENT_SUBJECT.search(subject) or _ABSENT.search(body[:200]))


def _lines(text: str) -> Iterator[Span]:
    start = 0
    for line in text.split("\n"):
        yield Span(start, start + len(line))
        start += len(line) + 1


def _kinds(lines: Sequence[str]) -> list[_Kind]:
    kinds = [_Kind.OWN] * len(lines)
    end = _older_mail(lines, kinds)
    _disclaimers(lines, kinds, end)
    _signatures(lines, kinds, end)
    _bare_signature(lines, kinds)
    _transcript(lines, kinds, end)
    return kinds


def _older_mail(lines: Sequence[str], kinds: list[_Kind]) -> int:
    """Marks quoted lines; gives the line where older mail begins and nothing of the customer's follows."""
    for number, line in enumerate(lines):
        if _QUOTE_LINE.match(line):
            kinds[number] = _Kind.OTHER
        elif _OLDER.match(line) or _header_block(lines, number):
            return _all_other(kinds, number)
        elif length := _attribution(lines, number):
            kinds[number : number + length] = [_Kind.OTHER] * length
            if not _quoted_next(lines, number + length):
                return _all_other(kinds, number)
    return len(lines)


def _all_other(kinds: list[_Kind], begin: int) -> int:
    kinds[begin:] = [_Kind.OTHER] * (len(kinds) - begin)
    return begin


def _attribution(lines: Sequence[str], number: int) -> int:
    if _WROTE.match(lines[number][:300]):
        return 1
    if not _WROTE_BEGINS.match(lines[number]) or number + 1 >= len(lines):
        return 0
    return 2 if _WROTE.match(f"{lines[number]} {lines[number + 1]}"[:300]) else 0


def _quoted_next(lines: Sequence[str], number: int) -> bool:
    following = next((line for line in lines[number:] if line.strip()), "")
    return _QUOTE_LINE.match(following) is not None


def _header_block(lines: Sequence[str], number: int) -> bool:
    if not _FIRST_HEADER.match(lines[number]):
        return False
    return sum(1 for line in lines[number : number + 5] if _HEADER.match(line)) >= 2


def _disclaimers(lines: Sequence[str], kinds: list[_Kind], end: int) -> None:
    for number in range(end):
        if _DISCLAIMER_TO_END.match(lines[number]):
            _all_other(kinds, number)
            return
        if _DISCLAIMER.search(lines[number][:2000]):
            _paragraph_other(lines, kinds, number)


def _paragraph_other(lines: Sequence[str], kinds: list[_Kind], number: int) -> None:
    for place in range(number, len(lines)):
        if not lines[place].strip():
            return
        kinds[place] = _Kind.OTHER


def _signatures(lines: Sequence[str], kinds: list[_Kind], end: int) -> None:
    number = 0
    while number < end:
        line = lines[number]
        if _FROM_PHONE.match(line):
            kinds[number] = _Kind.OTHER
        elif kinds[number] is _Kind.OWN and _signs_off(line, number):
            number = _mark_signature(lines, kinds, number, end)
            continue
        number += 1


def _signs_off(line: str, number: int) -> bool:
    if line.rstrip() in {"--", "---", "—"} or line == "-- ":
        return True
    if not line.strip() or len(line) > 70:
        return False
    return _SIGN_OFF.fullmatch(line) is not None or (number > 0 and _SIGN_OFF_WITH_NAME.fullmatch(line) is not None)


def _mark_signature(lines: Sequence[str], kinds: list[_Kind], begin: int, end: int) -> int:
    number = begin
    while number < end and (number == begin or _in_signature(lines[number], number - begin)):
        if kinds[number] is _Kind.OWN:
            kinds[number] = _Kind.SIGNATURE
        number += 1
    return max(number, begin + 1)


def _bare_signature(lines: Sequence[str], kinds: list[_Kind]) -> None:
    """A last paragraph of a name and a title without a greeting before it."""
    own = [number for number, kind in enumerate(kinds) if kind is _Kind.OWN and lines[number].strip()]
    last = [number for number in own if not any(not line.strip() for line in lines[number : own[-1]])]
    if not 2 <= len(last) <= 5 or len(last) == len(own):
        return
    if _NAME.fullmatch(lines[last[0]]) and all(_in_signature(lines[number], 1) for number in last):
        for number in last:
            kinds[number] = _Kind.SIGNATURE


def _in_signature(line: str, place: int) -> bool:
    text = line.strip()
    if place > 12 or _AFTERTHOUGHT.match(text):
        return False
    return (
        not text
        or "@" in text
        or (len(text.split()) <= 9 and not (text[-1] in ".!?" and len(text.split()) > 3 and "|" not in text))
    )


def _transcript(lines: Sequence[str], kinds: list[_Kind], end: int) -> None:
    speakers = [_speaker(line) for line in lines[:end]]
    ours = {who for who in speakers if who and _OUR_STAFF.search(who)}
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
    match = _SPEAKER.match(line)
    return match["who"].strip() if match else ""


def _joined(lines: Sequence[Span], kinds: Sequence[_Kind], kind: _Kind) -> tuple[Span, ...]:
    spans: list[Span] = []
    for line, its_kind in zip(lines, kinds, strict=True):
        if its_kind is not kind:
            continue
        if spans and spans[-1].end + 1 == line.start:
            spans[-1] = Span(spans[-1].start, line.end)
        else:
            spans.append(Span(line.start, line.end))
    return tuple(span for span in spans if span.end > span.start)


def sentence_ends(text: str) -> list[int]:
    """Where sentences end in `text`: places of white space that no sentence spans. Wrapped lines are one sentence."""
    ends = [place for match in _SENTENCE_END.finditer(text) if (place := _end_of(text, match)) >= 0]
    return sorted({*ends, *_hard_breaks(text)})


def _end_of(text: str, match: re.Match[str]) -> int:
    if text[match.start()] == "\n":
        return match.start()
    if match.group() == ".":
        word = text[max(0, match.start() - 6) : match.start()].rsplit(maxsplit=1)
        if word and word[-1].lower().lstrip("(") in _SHORT_NAMES:
            return -1
    return match.end()


def _hard_breaks(text: str) -> Iterator[int]:
    """Line ends that are no mere wrapping: after a short line, or before a bullet."""
    lines = list(_lines(text))
    for line, following in pairwise(lines):
        after = text[following.start : following.end]
        if line.end - line.start < 45 or not after.strip() or _BULLET.match(after) or text[line.end - 1] == ":":
            yield line.end
