"""Values as people write them in the configuration, and written back the same way.

Each reader takes what YAML gave and returns the value, or raises ValueError that shows the right form. Nothing is
guessed: a duration needs its unit, an amount its currency.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import IntEnum, StrEnum
from typing import TypeVar
from zoneinfo import ZoneInfo

from worker.core.money import Money, NumberStyle, currency, format_number, parse_number
from worker.documents import nearest

_UNITS = {"w": 604_800, "d": 86_400, "h": 3_600, "m": 60, "s": 1}
_DURATION = re.compile(r"(?:[0-9]{1,6}[wdhms]\s*)+")
_PART = re.compile(r"([0-9]+)([wdhms])")
_LONGEST = timedelta(days=3660)
_MAIL = re.compile(r"[^@\s<>,;]+@[^@\s<>,;]+")
_GROUPED = re.compile(r"[0-9]{1,3}(?:[.,_ ][0-9]{3})+")

N = TypeVar("N", StrEnum, IntEnum)


def duration(value: object) -> timedelta:
    """`90s`, `15m`, `4h`, `1h30m`, `7d` or `2w`; ten years at most."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        raise ValueError(f"{value} has no unit: write {value}s, {value}m, {value}h or {value}d")
    if not isinstance(value, str) or _DURATION.fullmatch(value.strip()) is None:
        raise ValueError(f"{shown(value)} is not a length of time: write for example 90s, 15m, 4h, 1h30m or 7d")
    length = timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in _PART.findall(value)))
    if length > _LONGEST:
        raise ValueError(f"{value} is longer than {_LONGEST.days}d")
    return length


def in_units(length: timedelta) -> str:
    """The shortest text that `duration` reads as `length` (whole seconds)."""
    left, parts = int(length.total_seconds()), []
    for unit, size in _UNITS.items():
        if unit != "w" and left >= size:
            parts.append(f"{left // size}{unit}")
            left %= size
    return "".join(parts) or "0s"


def day(value: object) -> date:
    """`2026-12-21`."""
    if isinstance(value, date) and not isinstance(value, datetime):
        return value
    try:
        return date.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        raise ValueError(f"{shown(value)} is not a day: write it as 2026-12-21") from None


def money(value: object) -> Money:
    """`{amount: 10000000, currency: IDR}` or `IDR 10000000`; digits only, with `.` before decimals."""
    if isinstance(value, Money):
        return value
    if isinstance(value, dict):
        extra = [str(key) for key in value if key not in ("amount", "currency")]
        if extra:
            raise ValueError(f"unknown key {extra[0]}; {nearest(extra[0], ('amount', 'currency'))}")
        return Money(_amount(value.get("amount")), currency(value.get("currency", "")))
    if isinstance(value, str):
        code, _, number = value.strip().partition(" ")
        if re.fullmatch(r"[A-Z]{3}", code):
            return Money(_amount(number.strip()), currency(code))
        _amount(value)
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        _amount(value)
        raise ValueError(f"{value} has no currency: write {{amount: {value}, currency: IDR}} or 'IDR {value}'")
    raise ValueError(f"{shown(value)} has no currency: write {{amount: 10000000, currency: IDR}} or 'IDR 10000000'")


def _amount(value: object) -> Decimal:
    text = value.strip() if isinstance(value, str) else str(value)
    if _GROUPED.fullmatch(text) is not None:
        plain = re.sub(r"[.,_ ]", "", text)
        raise ValueError(
            f"{text} is no plain number, it can be read in two ways: write the digits alone, "
            f"{{amount: {plain}, currency: IDR}}"
        )
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
        return Decimal(value)
    try:
        return parse_number(text, NumberStyle.PLAIN)
    except ValueError:
        raise ValueError(
            f"{shown(value)} is not an amount: write digits alone, such as {{amount: 10000000, currency: IDR}}"
        ) from None


def in_digits(amount: Money) -> str:
    """`IDR 10000000`, which `money` reads."""
    return f"{amount.currency} {format_number(amount.amount, NumberStyle.PLAIN)}"


def mail(value: str) -> str:
    """One address without a name, or an empty text."""
    if value and _MAIL.fullmatch(value) is None:
        raise ValueError(f"{shown(value)} is not a mail address: write for example maya@example.com")
    return value


def link(value: str) -> str:
    """The address of a page with `{id}` in it, or an empty text."""
    if value and (not value.startswith(("https://", "http://")) or value.count("{id}") != 1):
        raise ValueError(
            f"{shown(value)} is no such address: write for example https://crm.example.com/accounts/{{id}}"
        )
    return value


def zone(value: str) -> str:
    """The name of a time zone."""
    try:
        ZoneInfo(value)
    except (ValueError, OSError, KeyError):
        raise ValueError(f"{shown(value)} is not a time zone: write an IANA name such as Asia/Jakarta") from None
    return value


def share(value: object) -> Decimal:
    """A part of the whole: above 0, at most 1; 0.1 is ten percent."""
    if isinstance(value, (int, Decimal)) and not isinstance(value, bool) and 0 < value <= 1:
        return Decimal(value)
    raise ValueError(f"{shown(value)} is not a share: write for example 0.1 for ten percent")


def name_in(kind: type[N], value: object) -> N:
    """The member of an enumeration by its name (levels: `L1`) or its value (roles: `vp_cs`)."""
    if isinstance(value, kind):
        return value
    named = dict(zip(names_of(kind), kind, strict=True))
    if isinstance(value, str) and value in named:
        return named[value]
    raise ValueError(f"{shown(value)} is unknown; {nearest(str(value), tuple(named))}")


def names_of(kind: type[N]) -> tuple[str, ...]:
    """The names that `name_in` knows."""
    members: Iterable[N] = kind
    return tuple(member.name if isinstance(member, IntEnum) else str(member.value) for member in members)


def shown(value: object) -> str:
    """A value in a message, cut to a bearable length."""
    if value is None:
        return "nothing"
    text = str(value) if isinstance(value, (str, int, Decimal)) else f"a {type(value).__name__}"
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
