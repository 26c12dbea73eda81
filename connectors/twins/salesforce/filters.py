"""WHERE and ORDER BY over records: which literal fits which field, and how values compare.

Source: "Comparison Operators", "Condition Expression Syntax" and "Date Formats" of the SOQL and SOSL Reference. Text
compares without regard to case; `!=` and NOT IN hold for empty values; sizes of empty values never hold.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from datetime import date, datetime
from decimal import Decimal
from typing import Any as Anything

from connectors.twins.salesforce.ids import whole
from connectors.twins.salesforce.paths import Path, Paths
from connectors.twins.salesforce.schema import NUMBERS, TEXTS, Field, Kind, Org
from connectors.twins.salesforce.soql import All, Any, Condition, Literal, Money, Not, Order, Select, Term, refused
from connectors.twins.salesforce.store import Values

Test = Callable[[Values], bool]
_SIZES = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}
_ORDERED = NUMBERS | TEXTS | {Kind.DATE, Kind.DATETIME, Kind.ID, Kind.REFERENCE}


class Filters:
    """Makes tests out of the conditions of one query."""

    def __init__(self, org: Org, paths: Paths, query: Select) -> None:
        self.org, self.paths, self.query = org, paths, query

    def test(self, condition: Condition) -> Test:
        """A function that tells whether a record fits. Raises RefusedError for what the vendor refuses."""
        match condition:
            case Not(part):
                inner = self.test(part)
                return lambda row: not inner(row)
            case All(parts):
                tests = [self.test(each) for each in parts]
                return lambda row: all(each(row) for each in tests)
            case Any(parts):
                tests = [self.test(each) for each in parts]
                return lambda row: any(each(row) for each in tests)
            case Term():
                return self._term(condition)

    def sorted(self, rows: Iterable[Values], orders: Iterable[Order]) -> list[Values]:
        """Sorted by several fields; empty values first or last as asked."""
        ordered = list(rows)
        for order in reversed(list(orders)):
            path = self._filterable(order.path, order.at, "sorted")
            keyed = [(_sortable(path.field, path.value(row)), row) for row in ordered]
            empty = [row for key, row in keyed if key is None]
            full = [pair for pair in keyed if pair[0] is not None]
            full.sort(key=lambda pair: pair[0], reverse=order.descending)
            there = [row for _, row in full]
            ordered = empty + there if order.nulls_first else there + empty
        return ordered

    def _term(self, term: Term) -> Test:
        path = self._filterable(term.path, term.at, "filtered")
        if term.operator in ("IN", "NOT IN"):
            assert isinstance(term.value, tuple)
            return self._among(path, term, [self._fitting(path, term, each) for each in term.value])
        assert not isinstance(term.value, tuple)
        if term.operator == "LIKE":
            return self._like(path, term)
        wanted = self._fitting(path, term, term.value)
        if term.operator in ("=", "!="):
            return self._among(path, term, [wanted])
        return self._size(path, term, wanted)

    def _filterable(self, dotted: str, at: int, done: str) -> Path:
        path = self.paths.resolve(dotted, at)
        if not path.field.filterable:
            raise refused(self.query.text, at, "INVALID_FIELD", f"field '{dotted}' can not be {done} in a query call")
        return path

    def _among(self, path: Path, term: Term, wanted: list[Anything]) -> Test:
        keys = {_comparable(path.field, each) for each in wanted}
        turned = term.operator in ("!=", "NOT IN")
        return lambda row: (_comparable(path.field, self._amount(path, term, row)) in keys) is not turned

    def _size(self, path: Path, term: Term, wanted: Anything) -> Test:
        if wanted is None or path.field.kind not in _ORDERED:
            told = f"invalid operator on {path.field.kind} field" if wanted is not None else "null is not allowed here"
            raise refused(self.query.text, term.value_at, "INVALID_QUERY_FILTER_OPERATOR", told)
        bound, compare = _comparable(path.field, wanted), _SIZES[term.operator]

        def holds(row: Values) -> bool:
            value = self._amount(path, term, row)
            return value is not None and bool(compare(_comparable(path.field, value), bound))

        return holds

    def _like(self, path: Path, term: Term) -> Test:
        if path.field.kind not in TEXTS or not isinstance(term.value, str):
            told = f"invalid operator on {path.field.kind} field"
            raise refused(self.query.text, term.value_at, "INVALID_QUERY_FILTER_OPERATOR", told)
        pattern = _pattern(term.value)
        return lambda row: bool(pattern.fullmatch(str(path.value(row) or "")))

    def _fitting(self, path: Path, term: Term, given: Literal) -> Anything:
        """The literal as this field's value, or the vendor's refusal."""
        kind = path.field.kind
        if given is None:
            return None
        if kind is Kind.CURRENCY and isinstance(given, Money):
            return self._converted(given, term)
        if kind in (Kind.ID, Kind.REFERENCE) and isinstance(given, str):
            return self._id(given, term)
        fits = isinstance(given, str) if kind in TEXTS else _fits(kind, given)
        if not fits:
            quoted = "should not" if isinstance(given, str) else "should"
            told = f"value of filter criterion for field '{path.field.name}' must be of type {_typed(kind)}"
            raise refused(self.query.text, term.value_at, "INVALID_FIELD", f"{told} and {quoted} be enclosed in quotes")
        return _unescaped(given) if isinstance(given, str) else given

    def _id(self, given: str, term: Term) -> str | None:
        if not given:
            return None
        try:
            return whole(given)
        except ValueError:
            told = f"invalid ID field: {given}"
            raise refused(self.query.text, term.value_at, "INVALID_QUERY_FILTER_OPERATOR", told) from None

    def _converted(self, given: Money, term: Term) -> Decimal:
        if given.currency not in self.org.rates:
            told = f"Invalid currency ISO code: {given.currency}"
            raise refused(self.query.text, term.value_at, "MALFORMED_QUERY", told)
        return given.amount / Decimal(self.org.rates[given.currency])

    def _amount(self, path: Path, term: Term, row: Values) -> Anything:
        """The value; against a literal with a currency it is converted by the org's rates, else the bare number."""
        value = path.value(row)
        if value is None or not isinstance(term.value, Money):
            return value
        return value / Decimal(self.org.rates[path.owner(row)["currencyisocode"]])


def _fits(kind: Kind, given: Literal) -> bool:
    if kind in NUMBERS:
        return isinstance(given, Decimal)
    if kind is Kind.BOOLEAN:
        return isinstance(given, bool)
    if kind is Kind.DATETIME:
        return isinstance(given, datetime)
    return isinstance(given, date) and not isinstance(given, datetime)


def _typed(kind: Kind) -> str:
    return {Kind.DATETIME: "dateTime", Kind.ID: "id"}.get(kind, str(kind) if kind not in TEXTS else "string")


def _comparable(known: Field, value: Anything) -> Anything:
    return value.lower() if isinstance(value, str) and known.kind in TEXTS and not known.case_sensitive else value


def _sortable(known: Field, value: Anything) -> Anything:
    return _comparable(known, value)


def _unescaped(text: str) -> str:
    """In a plain comparison the escapes of LIKE stand for the characters themselves."""
    return text.replace("\\_", "_").replace("\\%", "%")


def _pattern(text: str) -> re.Pattern[str]:
    parts = re.split(r"(\\_|\\%|_|%)", text)
    made = {"_": ".", "%": ".*", "\\_": "_", "\\%": "%"}
    return re.compile("".join(made.get(each, re.escape(each)) for each in parts), re.IGNORECASE | re.DOTALL)
