"""Amounts of money as people write them in mails and chats, read exactly.

How an ambiguous separator is read: where both `.` and `,` stand, the last one is the decimal sign. One sign that
stands several times groups thousands. One sign before exactly three digits groups thousands too (`Rp 1.200`,
`USD 1,200` and also `USD 1.200`: none of these currencies has thousandths), unless a scale word follows: then the
decimal sign of the scale word's language counts (`1,250 juta` is 1.25 million, `$1.250M` is 1.25 million).
A scale word of Indonesian (`juta`, `jt`, `ribu`, `rb`, `miliar`) without a currency means rupiah.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import islice

from worker.core.number_words import WORD_NUMBER, spoken

_PREFIX = {
    "rp": "IDR", "idr": "IDR", "usd": "USD", "us$": "USD", "$": "USD", "sgd": "SGD", "s$": "SGD", "eur": "EUR",
    "€": "EUR", "myr": "MYR", "rm": "MYR", "gbp": "GBP", "£": "GBP", "aud": "AUD", "a$": "AUD", "jpy": "JPY",
    "¥": "JPY", "cny": "CNY", "hkd": "HKD", "thb": "THB", "php": "PHP", "vnd": "VND", "inr": "INR",
}  # fmt: skip
_SUFFIX = _PREFIX | {
    "rupiah": "IDR", "rupiahs": "IDR", "dollar": "USD", "dollars": "USD", "dolar": "USD", "bucks": "USD",
    "euro": "EUR", "euros": "EUR", "ringgit": "MYR", "perak": "IDR",
}  # fmt: skip
_THOUSAND, _MILLION, _BILLION, _TRILLION = (Decimal(10) ** n for n in (3, 6, 9, 12))
_INDONESIAN = {
    "ribu": _THOUSAND, "rb": _THOUSAND, "rbu": _THOUSAND, "juta": _MILLION, "jt": _MILLION, "jeti": _MILLION,
    "miliar": _BILLION, "milyar": _BILLION, "milliar": _BILLION, "mlr": _BILLION, "triliun": _TRILLION,
    "trilyun": _TRILLION,
}  # fmt: skip
_ENGLISH = {
    "k": _THOUSAND, "thousand": _THOUSAND, "mio": _MILLION, "mn": _MILLION, "mil": _MILLION, "million": _MILLION,
    "bn": _BILLION, "b": _BILLION, "billion": _BILLION, "trillion": _TRILLION,
}  # fmt: skip
_COUNTED = (
    r"(?!\s*(?:%|(?:user|pengguna|data|record|row|baris|transaksi|email|pesan|karyawan|pelanggan|customer|kali|orang|"
    r"unit|token|request|hit|view|kontak|contact|lead|sku|produk|item|meter|km|kg|byte|file|kata|followers?|"
    r"tiket|ticket|nasabah|member|anggota|pcs|lembar|buah|jam|hari|tahun|bulan|api|call|event|log|notifikasi|sms)"
    r"s?\b))"
)
_SPACED = r"[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3}){1,4}(?:[.,][0-9]{1,2})?"
"""Groups with spaces between them, as banks and French speakers write: only where a currency stands before them."""
_NUMBER = r"[0-9]{1,15}(?:[.,][0-9]{1,6}){0,6}"


def _any(words: dict[str, str] | dict[str, Decimal]) -> str:
    return "|".join(re.escape(word) for word in sorted(words, key=len, reverse=True))


_BEFORE = rf"(?P<before>(?<![\w$])(?:{_any(_PREFIX)})\.?[ \u00a0]?)"
_SCALE = rf"[ \u00a0]?(?P<scale>{_any(_INDONESIAN)}|{_any(_ENGLISH)}|m|t)(?:-?an)?(?![A-Za-z0-9])"
_AFTER = rf"[ \u00a0]?(?P<after>{_any(_SUFFIX)})(?![A-Za-z0-9])"
_FIGURE = re.compile(
    rf"(?:{_BEFORE}|(?<![\w.,/#$:-])|(?<=[0-9a-z]-)|(?<=[0-9]/))"
    rf"(?P<number>(?(before){_SPACED}|(?!))(?![0-9]|[.,][0-9])|{_NUMBER})(?![0-9])"
    rf"(?:{_SCALE})?(?:{_AFTER})?{_COUNTED}",
    re.IGNORECASE,
)
_SPOKEN = re.compile(
    rf"\b(?P<words>{WORD_NUMBER}(?:[ -]{WORD_NUMBER}){{0,14}})\b(?:{_AFTER})?{_COUNTED}", re.IGNORECASE
)
_RANGE = re.compile(r"[ \u00a0]{0,2}(?:-|–|—|~|s/d|sd|sampai|hingga|to|until)[ \u00a0]{0,2}", re.IGNORECASE)


MOST_FIGURES = 500
"""A text with more figures is a table or an attack, no complaint."""


@dataclass(frozen=True, slots=True)
class Amount:
    """An exact amount found in a text; `currency` is ISO 4217, `start` and `end` count characters."""

    amount: Decimal
    currency: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class _Figure:
    number: str
    scale: str
    currency: str
    start: int
    end: int


def amounts(text: str) -> tuple[Amount, ...]:
    """Every amount of money in `text`, in order; numbers without a currency or a scale of money are none.

    A range gives both its ends, the parts of `12 juta 500 ribu` give their sum. Dates, telephone and invoice numbers,
    versions and percentages are no money. What comes after the first `MOST_FIGURES` figures is not read.
    """
    figures = _share_in_ranges(text, [_figure(match) for match in islice(_FIGURE.finditer(text), MOST_FIGURES)])
    found = [amount for figure in figures if (amount := _worth(figure)) is not None]
    found += [amount for amount in _in_words(text) if not any(_overlap(amount, other) for other in found)]
    return tuple(_added_up(text, sorted(found, key=lambda amount: amount.start)))


def _figure(match: re.Match[str]) -> _Figure:
    before = (match["before"] or "").rstrip(" .\u00a0").lower()
    after = (match["after"] or "").lower()
    currency = _PREFIX.get(before) or _SUFFIX.get(after, "")
    number = re.sub(r"\s", "", match["number"])
    return _Figure(number, (match["scale"] or "").lower(), currency, match.start(), match.end())


def _share_in_ranges(text: str, figures: list[_Figure]) -> list[_Figure]:
    shared = list(figures)
    for place in range(len(figures) - 1):
        left, right = shared[place], shared[place + 1]
        if _RANGE.fullmatch(text, left.end, right.start) is None:
            continue
        currency = left.currency or right.currency
        scale = left.scale or (right.scale if _small(left.number) else "")
        if not (currency or right.scale in _INDONESIAN):
            continue
        shared[place] = _Figure(left.number, scale, currency, left.start, left.end)
        shared[place + 1] = _Figure(right.number, right.scale, right.currency or currency, right.start, right.end)
    return shared


def _small(number: str) -> bool:
    return len(number) <= 5


def _worth(figure: _Figure) -> Amount | None:
    currency = figure.currency or ("IDR" if figure.scale in _INDONESIAN else "")
    factor = _factor(figure.scale, currency)
    number = _exact(figure.number, figure.scale, currency)
    if not currency or factor is None or number is None:
        return None
    worth = number * factor
    if worth == worth.to_integral_value():
        worth = Decimal(int(worth))
    return Amount(worth, currency, figure.start, figure.end)


def _factor(scale: str, currency: str) -> Decimal | None:
    if scale == "m":
        return _BILLION if currency == "IDR" else _MILLION
    if scale == "t":
        return _TRILLION
    return _INDONESIAN.get(scale) or _ENGLISH.get(scale) or Decimal(1)


def _exact(number: str, scale: str, currency: str) -> Decimal | None:
    signs = [char for char in number if char in ".,"]
    if not signs:
        return Decimal(number)
    if len(set(signs)) == 2:
        decimal_sign = signs[-1] if signs.count(signs[-1]) == 1 else ""
    elif len(signs) == 1:
        decimal_sign = _lone_sign(number, signs[0], scale, currency)
    else:
        decimal_sign = ""
    return _grouped(number, decimal_sign)


def _lone_sign(number: str, sign: str, scale: str, currency: str) -> str:
    whole, _, fraction = number.partition(sign)
    if len(fraction) != 3 or whole == "0" or len(whole) > 3:
        return sign
    if not scale:
        return ""
    indonesian = scale in _INDONESIAN or (scale in {"m", "t"} and currency == "IDR")
    return sign if sign == ("," if indonesian else ".") else ""


def _grouped(number: str, decimal_sign: str) -> Decimal | None:
    whole, _, fraction = number.partition(decimal_sign) if decimal_sign else (number, "", "")
    groups = re.split(r"[.,]", whole)
    if len(groups) > 1 and (len(groups[0]) > 3 or any(len(group) != 3 for group in groups[1:])):
        return None
    digits = "".join(groups)
    return Decimal(f"{digits}.{fraction}") if fraction else Decimal(digits)


def _in_words(text: str) -> Iterator[Amount]:
    for match in islice(_SPOKEN.finditer(text), MOST_FIGURES):
        after = (match["after"] or "").lower()
        worth, indonesian, scaled = spoken(match["words"])
        if worth and (after or (indonesian and scaled)):
            yield Amount(Decimal(worth), _SUFFIX.get(after, "IDR"), match.start(), match.end())


def _added_up(text: str, found: list[Amount]) -> Iterator[Amount]:
    last: Amount | None = None
    for amount in found:
        if last is not None and _continues(text, last, amount):
            last = Amount(last.amount + amount.amount, last.currency, last.start, amount.end)
            continue
        if last is not None:
            yield last
        last = amount
    if last is not None:
        yield last


def _continues(text: str, left: Amount, right: Amount) -> bool:
    if text[left.end : right.start].strip(" ") or text[left.end : right.start] == "" or left.currency != right.currency:
        return False
    return text[right.start].isalnum() and left.amount % _MILLION == 0 and right.amount < _MILLION <= left.amount


def _overlap(one: Amount, other: Amount) -> bool:
    return one.start < other.end and other.start < one.end
