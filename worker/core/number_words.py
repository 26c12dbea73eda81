"""Numbers written as words, in Indonesian and English."""

from __future__ import annotations

_UNITS = {
    "satu": 1, "dua": 2, "tiga": 3, "empat": 4, "lima": 5, "enam": 6, "tujuh": 7, "delapan": 8, "sembilan": 9,
    "sepuluh": 10, "sebelas": 11, "seratus": 100,
    "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7, "eight": 8, "nine": 9, "ten": 10,
    "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14, "fifteen": 15, "sixteen": 16, "seventeen": 17,
    "eighteen": 18, "nineteen": 19, "twenty": 20, "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60,
    "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_TIMES = {"puluh": 10, "ratus": 100, "hundred": 100}
_SCALES = {
    "ribu": 10**3, "juta": 10**6, "miliar": 10**9, "milyar": 10**9, "triliun": 10**12,
    "thousand": 10**3, "million": 10**6, "billion": 10**9,
}  # fmt: skip
_ONE_SCALE = {"seribu": 10**3, "sejuta": 10**6}
_ENGLISH = frozenset({"thousand", "million", "billion", "hundred"})

WORD_NUMBER = "(?:" + "|".join(sorted([*_UNITS, "belas", *_TIMES, *_SCALES, *_ONE_SCALE], key=len, reverse=True)) + ")"
"""Matches one word of a number."""


def spoken(words: str) -> tuple[int, bool, bool]:
    """The value of `words`, whether they are Indonesian, and whether they reach a scale of money (a million or more).

    Words that make no number, such as `juta dua juta`, give 0.
    """
    parts = words.lower().replace("-", " ").split()
    value = _value(parts)
    return value, not any(part in _ENGLISH for part in parts), value >= 10**6


def _value(parts: list[str]) -> int:
    total, last_scale = 0, 10**15
    group: list[str] = []
    for part in parts:
        scale = _SCALES.get(part) or _ONE_SCALE.get(part)
        if scale is None:
            group.append(part)
            continue
        count = 1 if part in _ONE_SCALE else _below_thousand(group)
        if scale >= last_scale or count == 0 or (part in _ONE_SCALE and group):
            return 0
        total, last_scale, group = total + count * scale, scale, []
    return total + _below_thousand(group)


def _below_thousand(group: list[str]) -> int:
    value, unit = 0, 0
    for part in group:
        if part == "belas":
            unit += 10
        elif part in _TIMES:
            value, unit = value + max(unit, 1) * _TIMES[part], 0
        else:
            value, unit = value + unit, _UNITS[part]
    return value + unit
