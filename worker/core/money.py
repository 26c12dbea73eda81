"""Money with its currency, dated exchange rates, and numbers as people and exports write them.

All arithmetic is exact: nothing here rounds, and a `float` never becomes money. What can't be converted is not zero
and not "no": it is `None`, which the caller turns into a question to the CSM.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Context, Decimal, Inexact
from enum import StrEnum
from typing import NewType

Currency = NewType("Currency", str)
"""An ISO 4217 code in upper case, such as `IDR`."""

IDR = Currency("IDR")

_CODE = re.compile(r"[A-Z]{3}")
_MOST_DIGITS = 30
_EXACT = Context(prec=8 * _MOST_DIGITS, traps=[Inexact])
_WITHOUT_MINOR_UNIT = frozenset({"IDR", "JPY", "KRW", "VND", "CLP", "ISK", "PYG", "UGX", "XAF", "XOF"})
_WITH_THREE_DECIMALS = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


class MixedCurrencyError(ValueError):
    """Two amounts of different currencies met in one sum or comparison; convert one of them first."""


def currency(code: str) -> Currency:
    """`code` as a Currency; ValueError unless it is three upper-case letters (nothing is guessed or upper-cased)."""
    if not isinstance(code, str) or _CODE.fullmatch(code) is None:
        raise ValueError(f"{code!r} is not a currency: write the ISO 4217 code in upper case, such as IDR or USD")
    return Currency(code)


def _checked(amount: Decimal, what: str) -> None:
    if not isinstance(amount, Decimal):
        raise ValueError(f"{what} must be a Decimal, not {type(amount).__name__} ({amount!r}): a float is not exact")
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int):
        raise ValueError(f"{what} must be a number, not {amount}")
    if amount.adjusted() >= _MOST_DIGITS or exponent < -_MOST_DIGITS:
        raise ValueError(f"{what} has more than {_MOST_DIGITS} digits before or after the decimal point")


@dataclass(frozen=True, slots=True, order=False)
class Money:
    """An exact amount in one currency; adds and compares only with its own (else MixedCurrencyError).

    ValueError for NaN, an infinity, a float, or a currency that isn't three upper-case letters.
    """

    amount: Decimal
    currency: Currency

    def __post_init__(self) -> None:
        currency(self.currency)
        _checked(self.amount, "an amount of money")

    def __str__(self) -> str:
        return format_money(self, "id" if self.currency == IDR else "en")

    def __add__(self, other: Money) -> Money:
        return Money(_EXACT.add(self.amount, self._same(other)), self.currency)

    def __radd__(self, other: int) -> Money:
        """Lets `sum()` begin at its own zero."""
        if other != 0:
            raise MixedCurrencyError(f"{other!r} has no currency: it can't be added to {self}")
        return self

    def __lt__(self, other: Money) -> bool:
        return self.amount < self._same(other)

    def __le__(self, other: Money) -> bool:
        return self.amount <= self._same(other)

    def __gt__(self, other: Money) -> bool:
        return self.amount > self._same(other)

    def __ge__(self, other: Money) -> bool:
        return self.amount >= self._same(other)

    def _same(self, other: Money) -> Decimal:
        if self.currency != other.currency:
            raise MixedCurrencyError(f"{self} and {other} are in different currencies: convert one of them first")
        return other.amount


def total(amounts: Iterable[Money], of: Currency) -> Money:
    """The sum of `amounts`, all in currency `of`; zero when there are none."""
    return sum(amounts, Money(Decimal(0), of))


@dataclass(frozen=True, slots=True)
class Rate:
    """One unit of `currency` was worth `value` of `to` on the day `as_of`; ValueError unless `value` is above zero."""

    currency: Currency
    to: Currency
    value: Decimal
    as_of: date

    def __post_init__(self) -> None:
        currency(self.currency)
        currency(self.to)
        _checked(self.value, f"the rate {self.currency} to {self.to}")
        if self.value <= 0:
            raise ValueError(f"the rate {self.currency} to {self.to} must be above zero, not {self.value}")
        if isinstance(self.as_of, datetime) or not isinstance(self.as_of, date):
            raise ValueError(f"the rate {self.currency} to {self.to} needs a plain date, not {self.as_of!r}")
        if self.currency == self.to:
            raise ValueError(f"a rate from {self.currency} to itself says nothing")

    def __str__(self) -> str:
        return f"1 {self.currency} = {Money(self.value, self.to)} ({self.as_of.isoformat()})"


@dataclass(frozen=True, slots=True)
class Conversion:
    """What `source` is worth, and the rate that says so; no rate where the currency was the home currency already."""

    source: Money
    result: Money
    rate: Rate | None

    def __str__(self) -> str:
        return str(self.result) if self.rate is None else f"{self.source} = {self.result} at {self.rate}"


@dataclass(frozen=True, slots=True)
class Rates:
    """Dated rates into the home currency. A rate counts on its own day and for `max_age` after it, never before.

    ValueError for two rates of one currency on one day, a rate to another currency than `home`, a negative `max_age`.
    """

    home: Currency
    rates: tuple[Rate, ...]
    max_age: timedelta
    _by_currency: dict[Currency, list[Rate]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        currency(self.home)
        if self.max_age < timedelta(0):
            raise ValueError(f"the oldest age of a rate must not be negative, not {self.max_age}")
        by_currency: dict[Currency, list[Rate]] = {}
        for rate in sorted(self.rates, key=_dated):
            if rate.to != self.home:
                raise ValueError(f"the rate {rate} is not into {self.home}: give each rate into the home currency")
            earlier = by_currency.setdefault(rate.currency, [])
            if earlier and earlier[-1].as_of == rate.as_of:
                raise ValueError(f"two rates for {rate.currency} on {rate.as_of.isoformat()}: keep one")
            earlier.append(rate)
        object.__setattr__(self, "_by_currency", by_currency)

    def convert(self, money: Money, on: date) -> Conversion | None:
        """`money` in the home currency at the newest rate dated on or before `on` (a calendar day, not a datetime).

        None when no rate is dated in the `max_age` before: the amount is unknown and a person must look. An inverse
        rate is never invented. The result is exact and not rounded.
        """
        if isinstance(on, datetime):
            raise ValueError(f"a rate is chosen by the day, not by {on!r}: pass the local date of the event")
        if money.currency == self.home:
            return Conversion(money, money, None)
        rate = self._newest(money.currency, on)
        if rate is None:
            return None
        return Conversion(money, Money(_EXACT.multiply(money.amount, rate.value), self.home), rate)

    def _newest(self, source: Currency, on: date) -> Rate | None:
        rates = self._by_currency.get(source, [])
        position = bisect_right(rates, on, key=_dated)
        if position == 0 or on - rates[position - 1].as_of > self.max_age:
            return None
        return rates[position - 1]


def _dated(rate: Rate) -> date:
    return rate.as_of


class NumberStyle(StrEnum):
    """How a number is written: `1.234.567,89`, `1,234,567.89` or `1234567.89`."""

    INDONESIAN = "indonesian"
    ENGLISH = "english"
    PLAIN = "plain"


_SHAPES = {
    NumberStyle.INDONESIAN: re.compile(r"[+-]?(?:[0-9]{1,3}(?:\.[0-9]{3})+|[0-9]+)(?:,[0-9]+)?"),
    NumberStyle.ENGLISH: re.compile(r"[+-]?(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]+)(?:\.[0-9]+)?"),
    NumberStyle.PLAIN: re.compile(r"[+-]?[0-9]+(?:\.[0-9]+)?"),
}
_EXAMPLES = {
    NumberStyle.INDONESIAN: "1.234.567,89",
    NumberStyle.ENGLISH: "1,234,567.89",
    NumberStyle.PLAIN: "1234567.89",
}


def parse_number(text: str, style: NumberStyle) -> Decimal:
    """The exact number in `text`, written wholly in `style`; white space around it is allowed, nothing else is.

    Grouping may be left out, but where it is used it must be right: `1.50` is not an Indonesian number, and is refused
    instead of being read as 150. ValueError names the text and the form that was expected.
    """
    number = text.strip()
    if len(number) > 2 * _MOST_DIGITS or _SHAPES[style].fullmatch(number) is None:
        shown = number if len(number) <= 40 else f"{number[:40]}…"
        raise ValueError(f"{shown!r} is not a number in {style} form: expected for example {_EXAMPLES[style]}")
    if style is NumberStyle.INDONESIAN:
        return Decimal(number.replace(".", "").replace(",", "."))
    return Decimal(number.replace(",", ""))


def format_number(number: Decimal, style: NumberStyle, decimals: int = 0) -> str:
    """`number` in `style` with at least `decimals` places and all that it has beyond; it is never rounded."""
    plain = f"{number:f}"
    whole, _, fraction = plain.lstrip("-").partition(".")
    fraction = fraction.rstrip("0")
    fraction = fraction.ljust(decimals, "0") if fraction or decimals else ""
    if style is not NumberStyle.PLAIN:
        whole = f"{int(whole):,}"
    text = f"{'-' if number < 0 else ''}{whole}{'.' if fraction else ''}{fraction}"
    return text.translate({ord(","): ".", ord("."): ","}) if style is NumberStyle.INDONESIAN else text


def format_money(money: Money, language: str) -> str:
    """`Rp 12.500.000` in Indonesian (`id`), `IDR 12,500,000` in any other language; exact, never rounded."""
    number = format_number(
        money.amount, NumberStyle.INDONESIAN if language == "id" else NumberStyle.ENGLISH, _decimals(money)
    )
    sign = "Rp" if language == "id" and money.currency == IDR else money.currency
    return f"{sign} {number}"


def rupiah(amount: Decimal | int) -> Money:
    """`amount` in rupiah, for limits written in code and tests."""
    return Money(Decimal(amount) if isinstance(amount, int) else amount, IDR)


def _decimals(money: Money) -> int:
    if money.currency in _WITHOUT_MINOR_UNIT:
        return 0 if money.amount == money.amount.to_integral_value() else 2
    return 3 if money.currency in _WITH_THREE_DECIMALS else 2
