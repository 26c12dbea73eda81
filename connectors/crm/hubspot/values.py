"""HubSpot's texts and our values. Every property is a text or null: numbers, truths, times and choices alike."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal, InvalidOperation

from connectors.base import Value

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TRUTHS = {"true": True, "false": False}


def written(value: Value) -> str:
    """A value as HubSpot takes it. Empty text clears a property; null would be ignored."""
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case datetime():
            return stamp(value)
        case _:
            return str(value)


def stamp(moment: datetime) -> str:
    """An aware time as HubSpot shows it: UTC, milliseconds, Z."""
    whole = moment.astimezone(UTC)
    return f"{whole:%Y-%m-%dT%H:%M:%S}.{whole.microsecond // 1000:03d}Z"


def millis(moment: datetime) -> str:
    """An aware time as milliseconds since 1970, which search filters take."""
    return str((moment - _EPOCH) // timedelta(milliseconds=1))


def moment(text: str) -> datetime | None:
    """A time as HubSpot writes it: with or without fraction, with Z or offset, as a date, or epoch milliseconds."""
    try:
        if text.lstrip("-").isdecimal() and len(text) > 9:
            return _EPOCH + timedelta(milliseconds=int(text))
        parsed = datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        return None
    if parsed.tzinfo is None:
        return parsed.replace(tzinfo=UTC) if _is_date(text) else None
    return parsed.astimezone(UTC)


def _is_date(text: str) -> bool:
    try:
        return bool(date.fromisoformat(text))
    except ValueError:
        return False


def truth(text: str | None) -> bool | None:
    """`true` and `false` in any spelling; None when nobody said."""
    return _TRUTHS.get((text or "").strip().casefold())


def same(present: str | None, wanted: Value) -> bool:
    """Whether a property already says what we want. Empty, null and false are the same."""
    text = (present or "").strip()
    match wanted:
        case None | False | "":
            return not text or truth(text) is False
        case True:
            return truth(text) is True
        case datetime():
            shown = moment(text)
            return shown is not None and millis(shown) == millis(wanted)
        case int() | Decimal():
            return _number(text) == Decimal(wanted)
        case _:
            return (present or "") == wanted or text == wanted.strip()


def _number(text: str) -> Decimal | None:
    try:
        return Decimal(text)
    except InvalidOperation:
        return None
