"""The search endpoint: filters over the index, which lags behind; pages of 200, 10,000 results a query at most.

Sources: "Search the CRM" of HubSpot's API guides (limits, operators, how values compare); the lowest of the limits that
HubSpot's own pages give, so that a request within them is good everywhere. Whoever sorts by the last-modified stamp
gets an order that is nearly right only, as integrators report it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from typing import Any

from connectors.twins.hubspot.asking import Ask
from connectors.twins.hubspot.errors import RefusedError, misshapen
from connectors.twins.hubspot.objects import Objects
from connectors.twins.hubspot.schema import ObjectType, Portal, Property
from connectors.twins.hubspot.store import Record, Store, Version
from connectors.twins.hubspot.values import moment, number
from connectors.twins.web import Reply

PAGE = 200
RESULTS = 10_000
GROUPS = 5
FILTERS = 6
ALL_FILTERS = 18
QUERY = 3_000
_BODY = ("filterGroups", "sorts", "query", "properties", "limit", "after")
_FILTER = frozenset({"propertyName", "operator", "value", "values", "highValue"})
_NEEDS: Mapping[str, str] = {
    **dict.fromkeys(("EQ", "NEQ", "LT", "LTE", "GT", "GTE", "CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"), "value"),
    **dict.fromkeys(("IN", "NOT_IN"), "values"),
    **dict.fromkeys(("HAS_PROPERTY", "NOT_HAS_PROPERTY"), ""),
    "BETWEEN": "value highValue",
}
Row = tuple[Record, Version]
Test = Callable[[Row], bool]


class Searching:
    """Answers /objects/{type}/search."""

    def __init__(self, portal: Portal, store: Store, objects: Objects) -> None:
        self.portal, self.store, self.objects = portal, store, objects
        self.dice = random.Random(11)  # noqa: S311 - an order to shuffle by is no secret

    def answer(self, of: ObjectType, ask: Ask) -> Reply:
        """Do one request. Raises RefusedError."""
        body = ask.object(_BODY)
        limit, after = _bounds(body)
        tests = self._groups(of, body.get("filterGroups") or [])
        if len(str(body.get("query") or "")) > QUERY:
            raise RefusedError(f"query may have {QUERY} characters")
        rows = [
            row
            for row in self.store.indexed(of)
            if _asked_for(row, body) and (not tests or any(each(row) for each in tests))
        ]
        rows = self._sorted(of, rows, body.get("sorts") or [])
        wanted = body.get("properties") or []
        shown = [self.objects.shown(record, wanted, version) for record, version in rows[after : after + limit]]
        told: dict[str, Any] = {"total": len(rows), "results": shown}
        if after + limit < len(rows):
            told["paging"] = {"next": {"after": str(after + limit), "link": "?after=" + str(after + limit)}}
        return Reply.of(told)

    def _groups(self, of: ObjectType, groups: Any) -> list[Test]:
        if not isinstance(groups, list) or not all(isinstance(each, dict) for each in groups):
            raise misshapen("filterGroups is no list of objects")
        filters = [each.get("filters") or [] for each in groups]
        if len(groups) > GROUPS or any(len(each) > FILTERS for each in filters) or sum(map(len, filters)) > ALL_FILTERS:
            told = f"at most {GROUPS} filter groups of {FILTERS} filters, {ALL_FILTERS} in all"
            raise RefusedError(f"The request has too many filters: {told}")
        return [_all([self._filter(of, one) for one in each]) for each in filters]

    def _filter(self, of: ObjectType, given: Mapping[str, Any]) -> Test:
        name, operator = given.get("propertyName"), str(given.get("operator"))
        if set(given) - _FILTER or not isinstance(name, str) or operator not in _NEEDS:
            raise misshapen(f"this is no filter: {dict(given)}")
        needs = set(_NEEDS[operator].split())
        if needs != set(given) - {"propertyName", "operator"}:
            raise RefusedError(f"operator {operator} takes {' and '.join(sorted(needs)) or 'no value'}")
        if name.startswith("associations."):
            return self._linked(of, name.removeprefix("associations."), operator, given)
        known = of.properties.get(name)
        if known is None or known.archived:
            told = f"There was a problem with the request. Property {name} does not exist."
            raise RefusedError(told, context={"propertyName": [name]})
        return _test(known, operator, given)

    def _linked(self, of: ObjectType, name: str, operator: str, given: Mapping[str, Any]) -> Test:
        to = self.objects.type(name)
        wanted = {str(each) for each in (given.get("values") or [given.get("value")])}
        if operator not in ("EQ", "IN"):
            raise misshapen(f"associations.{name} takes EQ and IN")
        return lambda row: any(each.to_id in wanted for each in self.store.links(of, row[0].record_id, to))

    def _sorted(self, of: ObjectType, rows: list[Row], sorts: Any) -> list[Row]:
        if not isinstance(sorts, list) or len(sorts) > 1:
            raise RefusedError("Only one sort is allowed")
        self.dice.shuffle(rows)
        if not sorts:
            return rows
        name, down = _sort(sorts[0])
        known = of.properties.get(name)
        if known is None:
            raise RefusedError(f"Property {name} does not exist")
        if name == of.stamp:
            return rows
        have = [row for row in rows if row[1].values.get(name)]
        have.sort(key=lambda row: _comparable(known, row[1].values[name]), reverse=down)
        return have + [row for row in rows if not row[1].values.get(name)]


def _bounds(body: Mapping[str, Any]) -> tuple[int, int]:
    limit, after = str(body.get("limit", 10)), str(body.get("after") or 0)
    if not limit.isdigit() or not 1 <= int(limit) <= PAGE:
        raise RefusedError(f"limit must be between 1 and {PAGE}: {limit}")
    if not after.isdigit():
        raise RefusedError(f"after is not a number: {after}")
    if int(after) + int(limit) > RESULTS:
        raise RefusedError(f"Cannot page beyond {RESULTS} results of one search: after {after}, limit {limit}")
    return int(limit), int(after)


def _asked_for(row: Row, body: Mapping[str, Any]) -> bool:
    query = str(body.get("query") or "").lower()
    return not query or any(query in value.lower() for value in row[1].values.values() if value)


def _all(tests: Sequence[Test]) -> Test:
    return lambda row: all(each(row) for each in tests)


def _test(known: Property, operator: str, given: Mapping[str, Any]) -> Test:
    if operator in ("HAS_PROPERTY", "NOT_HAS_PROPERTY"):
        return lambda row: bool(row[1].values.get(known.name)) is (operator == "HAS_PROPERTY")
    compare = _compared(known, operator, given)

    def holds(row: Row) -> bool:
        """A record that never had a value fits no comparison, not even NEQ and NOT_IN."""
        value = row[1].values.get(known.name)
        return bool(value) and compare(str(value))

    return holds


def _compared(known: Property, operator: str, given: Mapping[str, Any]) -> Callable[[str], bool]:
    if operator in ("IN", "NOT_IN"):
        if not isinstance(given["values"], list) or not given["values"]:
            raise misshapen(f"operator {operator} takes a list of values that is not empty")
        wanted = {str(each) if known.type == "string" else _wanted(known, str(each)) for each in given["values"]}
        return lambda value: (_comparable(known, value) in wanted) is (operator == "IN")
    if operator in ("CONTAINS_TOKEN", "NOT_CONTAINS_TOKEN"):
        token = str(given["value"]).lower().strip("*")
        return lambda value: (token in value.lower()) is (operator == "CONTAINS_TOKEN")
    low = _wanted(known, str(given["value"]))
    if operator == "BETWEEN":
        high = _wanted(known, str(given["highValue"]))
        return lambda value: low <= _comparable(known, value) <= high
    return _sized(known, operator, low)


def _sized(known: Property, operator: str, wanted: Any) -> Callable[[str], bool]:
    match operator:
        case "EQ":
            return lambda value: bool(_comparable(known, value) == wanted)
        case "NEQ":
            return lambda value: bool(_comparable(known, value) != wanted)
        case "LT":
            return lambda value: bool(_comparable(known, value) < wanted)
        case "LTE":
            return lambda value: bool(_comparable(known, value) <= wanted)
        case "GT":
            return lambda value: bool(_comparable(known, value) > wanted)
    return lambda value: bool(_comparable(known, value) >= wanted)


def _wanted(known: Property, text: str) -> Any:
    """A filter's value by the type of its property. Raises RefusedError."""
    if (known.type == "number" and number(text) is None) or (
        known.type in ("date", "datetime") and moment(text) is None
    ):
        raise RefusedError(f"{text} is no {known.type} to compare {known.name} with")
    return _comparable(known, text)


def _comparable(known: Property, text: str) -> Any:
    """Numbers and times by size, text by its small letters, options as they are."""
    if known.type == "number":
        return number(text) or Decimal(0)
    if known.type in ("date", "datetime"):
        read = moment(text)
        return read.timestamp() if read else 0.0
    return text if known.type in ("enumeration", "bool") else text.lower()


def _sort(given: Any) -> tuple[str, bool]:
    if isinstance(given, str):
        return given.removeprefix("-"), given.startswith("-")
    if not isinstance(given, dict) or given.get("direction", "ASCENDING") not in ("ASCENDING", "DESCENDING"):
        raise misshapen(f"this is no sort: {given}")
    return str(given.get("propertyName")), given.get("direction") == "DESCENDING"
