"""Where sentences and lines begin and end, in English and Indonesian mail."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

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
_BLANK_RUN = re.compile(r"\n(?:[ \t\r]*\n){3,}")
_SENTENCE_END = re.compile(r"[.!?;…]+[\"')\]]{0,2}(?=\s)|\n(?:[ \t]{0,200}\n)+")


@dataclass(frozen=True, slots=True)
class Span:
    """A stretch of a text, in characters; `end` is not part of it."""

    start: int
    end: int


def lines(text: str) -> Iterator[Span]:
    """The lines of `text`, in order; a long run of blank lines is one."""
    start = 0
    for run in _BLANK_RUN.finditer(text):
        yield from _each_line(text[start : run.start()], start)
        yield Span(run.start() + 1, run.end() - 1)
        start = run.end()
    yield from _each_line(text[start:], start)


def _each_line(text: str, start: int) -> Iterator[Span]:
    for line in text.split("\n"):
        yield Span(start, start + len(line))
        start += len(line) + 1


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
    rows = list(lines(text))
    for line, following in pairwise(rows):
        after = text[following.start : following.end]
        if line.end - line.start < 45 or not after.strip() or _BULLET.match(after) or text[line.end - 1] == ":":
            yield line.end
