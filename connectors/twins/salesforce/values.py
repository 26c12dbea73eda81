"""One field's value: checked on its way in, written as the API writes it on its way out.

Sources: "Field Types" and "Core Data Types" of the Object Reference; refusals as in "API Data Types and Salesforce
Field Types" and the StatusCode list of the SOAP API Developer Guide, which the REST API shares.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from connectors.twins.salesforce.errors import RefusedError, malformed
from connectors.twins.salesforce.ids import whole
from connectors.twins.salesforce.schema import NUMBERS, TEXTS, Field, Kind

_DATETIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:?\d\d)")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")


def moment(text: str) -> datetime | None:
    """A date and time with its zone, or None."""
    found = _DATETIME.fullmatch(text)
    if not found:
        return None
    whole_seconds, fraction, zone = found.groups()
    zone = "+00:00" if zone == "Z" else zone if ":" in zone else f"{zone[:3]}:{zone[3:]}"
    try:
        read = datetime.fromisoformat(whole_seconds + zone)
    except ValueError:
        return None
    return read.replace(microsecond=int((fraction or "0").ljust(6, "0")[:6])).astimezone(UTC)


def day(text: str) -> date | None:
    """A date, or None."""
    try:
        return date.fromisoformat(text) if _DATE.fullmatch(text) else None
    except ValueError:
        return None


def shown(value: Any) -> Any:
    """A stored value as JSON shows it."""
    if isinstance(value, datetime):
        return value.strftime("%Y-%m-%dT%H:%M:%S.") + f"{value.microsecond // 1000:03d}+0000"
    return value.isoformat() if isinstance(value, date) else value


def taken(known: Field, value: Any) -> Any:
    """A given JSON value as it is stored. Raises RefusedError with the vendor's code."""
    if known.kind is Kind.BOOLEAN:
        return _boolean(known, value)
    if value is None:
        return None
    if known.kind in NUMBERS:
        return _number(known, value)
    if not isinstance(value, str):
        raise _unfit(known, value)
    if known.kind in TEXTS:
        return _text(known, value)
    return _other(known, value)


def _boolean(known: Field, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _unfit(known, value)
    return value


def _number(known: Field, value: Any) -> Decimal | int:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise _unfit(known, value)
    number = Decimal(value)
    if not number.is_finite() or abs(number) >= Decimal(10) ** (known.precision - known.scale):
        told = f"{_label(known)}: value outside of valid range on numeric field: {value}"
        raise RefusedError("NUMBER_OUTSIDE_VALID_RANGE", told, [known.name])
    if known.kind is Kind.INT:
        return int(number)
    return number.quantize(Decimal(1).scaleb(-known.scale), ROUND_HALF_UP)


def _text(known: Field, value: str) -> str | None:
    text = value.strip()
    if not text:
        return None
    if len(text) > known.length:
        told = f"{_label(known)}: data value too large: {text} (max length={known.length})"
        raise RefusedError("STRING_TOO_LONG", told, [known.name])
    if known.kind is Kind.EMAIL and not _EMAIL.fullmatch(text):
        raise RefusedError("INVALID_EMAIL_ADDRESS", f"{_label(known)}: invalid email address: {text}", [known.name])
    if known.restricted:
        _allowed(known, text)
    return text


def _allowed(known: Field, text: str) -> None:
    chosen = text.split(";") if known.kind is Kind.MULTIPICKLIST else [text]
    for each in chosen:
        if each not in known.values:
            told = f"{_label(known)}: bad value for restricted picklist field: {each}"
            raise RefusedError("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", told, [known.name])


def _other(known: Field, value: str) -> Any:
    if known.kind in (Kind.REFERENCE, Kind.ID):
        try:
            return whole(value) if value else None
        except ValueError:
            told = f"{_label(known)}: id value of incorrect type: {value}"
            raise RefusedError("MALFORMED_ID", told, [known.name]) from None
    read = day(value) if known.kind is Kind.DATE else moment(value)
    if read is None:
        raise _unfit(known, value)
    return read


def _label(known: Field) -> str:
    return known.label or known.name


def _unfit(known: Field, value: Any) -> RefusedError:
    kinds = {
        bool: "VALUE_TRUE" if value is True else "VALUE_FALSE",
        int: "VALUE_NUMBER_INT",
        Decimal: "VALUE_NUMBER_FLOAT",
    }
    kinds |= {str: "VALUE_STRING", list: "START_ARRAY", dict: "START_OBJECT", type(None): "VALUE_NULL"}
    told = f"Cannot deserialize instance of {known.kind} from {kinds[type(value)]} value {value}"
    return malformed(f"{told} or request may be missing a required field at [line:1, column:2]")
