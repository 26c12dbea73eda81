"""query, queryAll and their next pages.

Sources: "Query" and "QueryAll" of the REST API Developer Guide; "LIMIT" and "OFFSET" of the SOQL and SOSL Reference;
"Query Options Header" for the page size (200 to 2,000); cursors live two days.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.twins.salesforce.errors import RefusedError
from connectors.twins.salesforce.filters import Filters
from connectors.twins.salesforce.parsing import parse
from connectors.twins.salesforce.paths import REFERENCE, Path, Paths
from connectors.twins.salesforce.schema import Kind, Org, SObject
from connectors.twins.salesforce.soql import Select, refused
from connectors.twins.salesforce.store import Store, Values
from connectors.twins.salesforce.values import shown

PAGE = 2_000
SMALLEST_PAGE = 200
FARTHEST_OFFSET = 2_000
CURSOR_LIFE = timedelta(days=2)
LONG_TEXTS_ALLOWED = 1
"""With more long text areas than this in SELECT, pages shrink to the smallest."""


@dataclass(frozen=True, slots=True)
class Found:
    """The records of a query, and how to show them."""

    of: SObject
    query: Select
    columns: tuple[tuple[str, Path], ...]
    rows: Sequence[Values]


@dataclass(slots=True)
class _Cursor:
    found: Found
    version: str
    ends: datetime
    size: int


class Querying:
    """Runs queries and keeps their cursors. Rows that no ORDER BY puts in order come in any order."""

    def __init__(self, org: Org, store: Store) -> None:
        self.org, self.store = org, store
        self.dice = random.Random(7)  # noqa: S311 - an order to shuffle by is no secret
        self._cursors: dict[str, _Cursor] = {}

    def find(self, text: str, *, deleted: bool) -> Found:
        """Run a query, all of it. Raises RefusedError."""
        query = parse(text)
        of = self.org.object(query.object_name)
        if of is None:
            told = f"sObject type '{query.object_name}' is not supported. If you are attempting to use a custom object,"
            told += " be sure to append the '__c' after the entity name. "
            raise refused(text, query.object_at, "INVALID_TYPE", told + REFERENCE)
        paths = Paths(self.org, self.store, of, text)
        columns = self._columns(query, paths)
        return Found(of, query, columns, self._rows(of, query, paths, deleted=deleted))

    def page(self, text: str, version: str, size: int, *, deleted: bool) -> dict[str, Any]:
        """The first page, as JSON."""
        found = self.find(text, deleted=deleted)
        if found.query.count:
            return {"totalSize": len(found.rows), "done": True, "records": []}
        size = self._size(found, size)
        if len(found.rows) <= size:
            return self._shown(found, version, 0, len(found.rows))
        name = f"0r8xx{len(self._cursors) + 1:010d}AAA"
        self._cursors[name] = _Cursor(found, version, self.store.clock() + CURSOR_LIFE, size)
        return self._shown(found, version, 0, size) | {"nextRecordsUrl": _next(version, name, size)}

    def more(self, locator: str) -> dict[str, Any]:
        """A later page, by what nextRecordsUrl names."""
        name, _, start_text = locator.rpartition("-")
        cursor = self._cursors.get(name)
        if cursor is None or cursor.ends <= self.store.clock() or not start_text.isdigit():
            raise RefusedError("INVALID_QUERY_LOCATOR", "invalid query locator")
        start = int(start_text)
        end = min(start + cursor.size, len(cursor.found.rows))
        page = self._shown(cursor.found, cursor.version, start, end)
        if end == len(cursor.found.rows):
            return page
        return page | {"nextRecordsUrl": _next(cursor.version, name, end)}

    def _columns(self, query: Select, paths: Paths) -> tuple[tuple[str, Path], ...]:
        columns: dict[str, tuple[str, Path]] = {}
        for dotted, at in query.fields:
            if dotted.lower() in columns:
                raise refused(query.text, at, "INVALID_FIELD", f"duplicate field selected: {dotted}")
            columns[dotted.lower()] = (dotted, paths.resolve(dotted, at))
        return tuple(columns.values())

    def _rows(self, of: SObject, query: Select, paths: Paths, *, deleted: bool) -> list[Values]:
        if query.offset > FARTHEST_OFFSET:
            told = f"Maximum SOQL offset allowed is {FARTHEST_OFFSET}"
            raise RefusedError("NUMBER_OUTSIDE_VALID_RANGE", told)
        filters = Filters(self.org, paths, query)
        test = filters.test(query.where) if query.where else None
        rows = [row for row in self.store.visible(of, deleted=deleted) if test is None or test(row)]
        self.dice.shuffle(rows)
        rows = filters.sorted(rows, query.orders)
        end = None if query.limit is None else query.offset + query.limit
        return rows[query.offset : end]

    def _size(self, found: Found, wanted: int) -> int:
        long = [path for _, path in found.columns if path.field.kind is Kind.TEXTAREA and not path.field.filterable]
        custom = [path for path in long if path.field.custom]
        size = max(SMALLEST_PAGE, min(PAGE, wanted))
        return SMALLEST_PAGE if len(custom) > LONG_TEXTS_ALLOWED else size

    def _shown(self, found: Found, version: str, start: int, end: int) -> dict[str, Any]:
        records = [self._record(found, row, version) for row in found.rows[start:end]]
        return {"totalSize": len(found.rows), "done": end >= len(found.rows), "records": records}

    def _record(self, found: Found, row: Values, version: str) -> dict[str, Any]:
        record: dict[str, Any] = {"attributes": attributes(found.of.name, row["id"], version)}
        for _, path in found.columns:
            place: dict[str, Any] | None = record
            at: Values | None = row
            for step in path.steps:
                assert place is not None
                assert at is not None
                at = self.store.get(at.get(step.name.lower()) or "")
                place = self._nested(place, step, at, version)
                if place is None:
                    break
            if place is not None and at is not None:
                place[path.field.name] = shown(at.get(path.field.name.lower()))
        return record

    def _nested(self, place: dict[str, Any], step: Any, at: Values | None, version: str) -> dict[str, Any] | None:
        if at is None:
            place.setdefault(step.relationship, None)
            return None
        row = self.store.rows[at["id"]]
        kind = "Name" if len(step.parents) > 1 else row.of.name
        made = {"attributes": attributes(row.of.name, at["id"], version) | {"type": kind}}
        nested: dict[str, Any] = place.setdefault(step.relationship, made)
        return nested


def attributes(object_name: str, record_id: str, version: str) -> dict[str, str]:
    """What heads every record."""
    return {"type": object_name, "url": f"/services/data/v{version}/sobjects/{object_name}/{record_id}"}


def _next(version: str, name: str, start: int) -> str:
    return f"/services/data/v{version}/query/{name}-{start}"
