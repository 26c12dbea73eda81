"""Tryton's JSON and ours. Its times, dates and amounts are objects that name their class; booleans may be 0 and 1."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal

import msgspec

from connectors.base import R, Value


class UnreadableError(ValueError):
    """A value that Tryton would not send."""


def said(value: Value) -> object:
    """A value as Tryton wants to hear it. Its times are without a zone and mean UTC."""
    if isinstance(value, datetime):
        at = value.astimezone(UTC)
        parts = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{part: getattr(at, part) for part in parts}}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    return value


def heard(value: object) -> object:
    """A value as Tryton says it: text, number, truth, Decimal; times as ISO text in UTC. Raises UnreadableError."""
    if not isinstance(value, dict):
        return value
    try:
        match value.get("__class__"):
            case "datetime":
                return moment(value).isoformat()
            case "date":
                return f"{value['year']:04d}-{value['month']:02d}-{value['day']:02d}"
            case "Decimal":
                return Decimal(value["decimal"])
            case "timedelta":
                return Decimal(str(value["seconds"]))
    except (ArithmeticError, KeyError, TypeError, ValueError) as error:
        raise UnreadableError(f"{value!r} is no {value.get('__class__')}") from error
    if "id" in value:
        return str(value["id"])
    raise UnreadableError(f"{value!r} is of no class that is known")


def moment(value: Mapping[str, object]) -> datetime:
    """A tagged time as aware UTC. Raises KeyError, TypeError or ValueError."""
    names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
    parts = [int(str(value[name])) for name in names]
    return datetime(*parts, tzinfo=UTC)  # type: ignore[misc, arg-type]  # seven whole numbers


def paths(shape: type[R]) -> tuple[str, ...]:
    """The field names of a shape, as the CRM writes them."""
    return tuple(each.encode_name for each in msgspec.structs.fields(shape))


def decoded(record: Mapping[str, object], shape: type[R]) -> R:
    """One record as a row. Raises UnreadableError."""
    try:
        return msgspec.convert(dict(_values(record, shape)), shape)
    except msgspec.ValidationError as error:
        raise UnreadableError(str(error)) from error


def _values(record: Mapping[str, object], shape: type[R]) -> Iterator[tuple[str, object]]:
    for each in msgspec.structs.fields(shape):
        value = _at(record, each.encode_name)
        if each.name == "deleted":
            yield each.encode_name, each.encode_name == "active" and not value
        elif value is None:
            continue
        elif each.name == "record_id":
            yield each.encode_name, str(value)
        else:
            yield each.encode_name, bool(value) if each.encode_name.endswith(".active") else value


def _at(record: Mapping[str, object], path: str) -> object:
    """A value by dotted path; Tryton nests what lies behind a dot."""
    here: object = record
    *way, last = path.split(".")
    for step in way:
        here = here.get(step) if isinstance(here, dict) else None
    return heard(here.get(last)) if isinstance(here, dict) else None
