"""SOQL: values are escaped here, identifiers come only from describe. Source: SOQL and SOSL Reference."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from connectors.base import Cursor, Value

EPOCH: Final = datetime(1999, 1, 1, tzinfo=UTC)
"""Before any record of any org."""

_ESCAPES = str.maketrans(
    {"\\": "\\\\", "'": "\\'", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b", "\f": "\\f"}
)


def literal(value: Value) -> str:
    """A value as SOQL writes it. Raises ValueError for a time without a zone and a number that is none."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return moment(value)
    if isinstance(value, (int, Decimal)):
        return _number(value)
    return f"'{value.translate(_ESCAPES)}'"


def _number(value: int | Decimal) -> str:
    number = Decimal(value)
    if not number.is_finite():
        raise ValueError(f"{value} is not a number that SOQL knows")
    return f"{number:f}"


def moment(value: datetime) -> str:
    """An aware time in UTC, to the millisecond."""
    if value.tzinfo is None:
        raise ValueError(f"{value} has no time zone")
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def one_of(field: str, values: Sequence[Value], *, truth: bool = False) -> str:
    """`field` is one of the values. A checkbox (`truth`) is never empty: None among its values is left out."""
    words = [literal(value) for value in dict.fromkeys(values) if value is not None]
    parts = [f"{field} IN ({', '.join(words)})"] if len(words) > 1 else [f"{field} = {word}" for word in words]
    if None in values and not truth:
        parts.append(f"{field} = null")
    return parts[0] if len(parts) == 1 else f"({' OR '.join(parts)})"


def any_of(alternatives: Sequence[Mapping[str, Sequence[Value]]], checkboxes: frozenset[str]) -> str:
    """Alternatives, each of which asks something of several fields."""
    made = [
        " AND ".join(one_of(field, values, truth=field in checkboxes) for field, values in each.items())
        for each in alternatives
    ]
    return made[0] if len(made) == 1 else f"({' OR '.join(f'({each})' for each in made)})"


def after(cursor: Cursor | None, stamp: str, key: str, *, inclusive: bool) -> str:
    """Everything from a place in the order of (stamp, id) on."""
    if cursor is None:
        return ""
    at = moment(cursor.stamp)
    if not cursor.record_id:
        return f"{stamp} >= {at}"
    sign = ">=" if inclusive else ">"
    return f"({stamp} > {at} OR ({stamp} = {at} AND {key} {sign} {literal(cursor.record_id)}))"


def select(fields: Sequence[str], name: str, conditions: Sequence[str], order: Sequence[str] = ()) -> str:
    """One query."""
    where = " AND ".join(each for each in conditions if each)
    text = f"SELECT {', '.join(fields)} FROM {name}"  # noqa: S608  names come from describe, values are escaped
    text += f" WHERE {where}" if where else ""
    return text + (f" ORDER BY {', '.join(order)}" if order else "")
