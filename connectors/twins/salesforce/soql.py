"""A SOQL query as values, and how a refusal shows the place in its text."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

from connectors.twins.salesforce.errors import RefusedError


@dataclass(frozen=True, slots=True)
class Money:
    """A literal such as IDR10000000."""

    currency: str
    amount: Decimal


Literal = str | Decimal | bool | datetime | date | Money | None


@dataclass(frozen=True, slots=True)
class Term:
    """One comparison. `operator` is in capitals; IN and NOT IN have a tuple of values. `at` is the field's place."""

    path: str
    operator: str
    value: Literal | tuple[Literal, ...]
    at: int
    value_at: int


@dataclass(frozen=True, slots=True)
class All:
    """Every part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Any:
    """At least one part holds."""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Not:
    """The part does not hold."""

    part: Condition


Condition = Term | All | Any | Not


@dataclass(frozen=True, slots=True)
class Order:
    """One sorting. Nulls come first unless told otherwise."""

    path: str
    descending: bool
    nulls_first: bool
    at: int


@dataclass(frozen=True, slots=True)
class Select:
    """A whole query. `count` is COUNT(): a number, no records."""

    text: str
    object_name: str
    object_at: int
    fields: tuple[tuple[str, int], ...]
    count: bool
    where: Condition | None
    orders: tuple[Order, ...]
    limit: int | None
    offset: int


def refused(text: str, at: int, code: str, message: str) -> RefusedError:
    """A refusal in the vendor's form: the line, a caret under the place, row and column, what is wrong."""
    start = max(0, at - 40)
    shown = text[start : at + 40].replace("\n", " ")
    caret = " " * (at - start) + "^"
    row = text.count("\n", 0, at) + 1
    column = at - (text.rfind("\n", 0, at) + 1) + 1
    return RefusedError(code, f"\n{shown}\n{caret}\nERROR at Row:{row}:Column:{column}\n{message}")
