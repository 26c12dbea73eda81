"""A query of the worker as SOQL, with the fields that the org really has; and the pages of its answer."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Generic
from urllib.parse import quote

import msgspec

from connectors.base import Cursor, FatalError, Query, R, RetryableError, Row
from connectors.crm.salesforce import soql
from connectors.crm.salesforce.answers import Problem
from connectors.crm.salesforce.ids import eighteen, is_id
from connectors.crm.salesforce.rows import RowDecoder
from connectors.crm.salesforce.schema import Schema

_log = logging.getLogger(__name__)
CURRENCY = "CurrencyIsoCode"
"""Only orgs with several currencies have it; elsewhere the mapping's own `currency` counts."""

_SMALLEST_BATCH, _LARGEST_BATCH = 200, 2000


SETTLE = timedelta(seconds=5)
"""How far behind Salesforce's own clock a high-water mark stays."""


class Found(msgspec.Struct, rename="camel"):
    """One page as Salesforce answers a query."""

    records: msgspec.Raw
    total_size: int
    done: bool
    next_records_url: str = ""


_FOUND = msgspec.json.Decoder(Found)


def found_in(body: bytes | msgspec.Raw, doing: str) -> Found:
    """A page; what has not its shape is an error, never an empty page."""
    try:
        page = _FOUND.decode(body)
    except msgspec.DecodeError as error:
        raise RetryableError(f"Salesforce, {doing}: not a page of records: {error}", "it is tried again") from None
    if not page.done and not page.next_records_url:
        raise RetryableError(f"Salesforce, {doing}: a page without a way to the next one", "it is tried again")
    return page


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of stamps: from `low` on, before `high`."""

    low: datetime
    high: datetime


@dataclass(frozen=True, slots=True)
class Ask(Generic[R]):
    """One query, ready to be sent. `fields` are those that the org has; `conditions` are the query's own, as SOQL."""

    query: Query[R]
    fields: tuple[str, ...]
    conditions: tuple[str, ...]
    decoder: RowDecoder[R]
    after: Cursor | None = None
    inclusive: bool = True
    window: Window | None = None

    @property
    def key(self) -> str:
        """The field with the record's id."""
        return _named(self.query.shape, "record_id")

    @property
    def stamp(self) -> str:
        """The field with the modified stamp."""
        return _named(self.query.shape, "modified_at")

    @property
    def doing(self) -> str:
        """What this call does, for messages."""
        return f"reading {self.query.object_name}"

    @property
    def whole(self) -> bool:
        """Whether everything is asked for, as at the first load."""
        return self.query.since is None and not self.query.where and self.query.ids is None

    def text(self, *, ordered: bool = True) -> str:
        """The SOQL."""
        place = soql.after(self.after, self.stamp, self.key, inclusive=self.inclusive)
        order = (self.stamp, self.key) if ordered else ()
        return soql.select(self.fields, self.query.object_name, [place, *self._within(), *self.conditions], order)

    def _within(self) -> list[str]:
        if self.window is None:
            return []
        low, high = soql.moment(self.window.low), soql.moment(self.window.high)
        return [f"{self.stamp} >= {low}", f"{self.stamp} < {high}"]

    @property
    def path(self) -> str:
        """The resource with the SOQL: deleted and merged records are changes too, a state is one of living records."""
        resource = "query" if self.query.where else "queryAll"
        return f"{resource}/?q={quote(self.text(), safe='')}"

    @property
    def headers(self) -> dict[str, str]:
        """Smaller pages where the query wants them; 2,000 is what Salesforce gives anyway."""
        size = max(_SMALLEST_BATCH, self.query.page_size)
        return {"Sforce-Query-Options": f"batchSize={size}"} if size < _LARGEST_BATCH else {}

    def going_on(self, place: Cursor | None) -> Ask[R]:
        """The same after the last record that was read."""
        return self if place is None else replace(self, after=place, inclusive=False)


def _named(shape: type[Row], name: str) -> str:
    return dict(zip(shape.__struct_fields__, shape.__struct_encode_fields__, strict=True))[name]


class Asker:
    """Makes queries of what the org has; tells once of each field that is left out."""

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self._told: set[str] = set()
        self._decoders: dict[tuple[type[Row], tuple[str, ...]], RowDecoder[Any]] = {}

    def ask(self, query: Query[R]) -> Ask[R]:
        """Raises FatalError when the object, or a field that nothing can be read without, is not there."""
        name = query.object_name
        self._schema.get(name)
        shape = query.shape
        wanted = list(dict.fromkeys(shape.__struct_encode_fields__))
        missing = set(self._schema.missing(name, wanted))
        keys = {_named(shape, "record_id"), _named(shape, "modified_at")}
        needed = sorted(missing & (query.required | keys))
        if needed:
            self._schema.forget(name)  # so that the next tick sees when it is there
            raise FatalError(hidden(name, needed), REMEDY)
        self._tell(name, missing)
        fields = tuple(each for each in wanted if each not in missing)
        return Ask(query, fields, self._conditions(query), self._decoder(query, fields), query.since)

    def _decoder(self, query: Query[R], fields: tuple[str, ...]) -> RowDecoder[R]:
        """Made once for a shape: making one costs as much as decoding hundreds of records."""
        known = self._decoders.get((query.shape, fields))
        if known is None:
            known = self._decoders[query.shape, fields] = RowDecoder(query.shape, fields)
        return known

    def _tell(self, name: str, missing: set[str]) -> None:
        for field in sorted(missing - {CURRENCY}):
            if f"{name}.{field}" not in self._told:
                self._told.add(f"{name}.{field}")
                _log.warning("%s; it is left out. %s", hidden(name, [field]), REMEDY)

    def _conditions(self, query: Query[R]) -> tuple[str, ...]:
        if query.ids is not None:
            ids = sorted({eighteen(each) for each in query.ids if is_id(each)})
            return (soql.one_of(_named(query.shape, "record_id"), ids),) if ids else ()
        if not query.where:
            return ()
        name = query.object_name
        possible = [each for each in query.where if all(self._can_be_asked(name, field) for field in each)]
        if not possible:
            fields = [field for each in query.where for field in each if not self._can_be_asked(name, field)]
            raise FatalError(hidden(name, fields), REMEDY)
        checkboxes = frozenset(
            field
            for each in possible
            for field in each
            if (known := self._schema.field(name, field)) is not None and known.type == "boolean"
        )
        return (soql.any_of(possible, checkboxes),)

    def _can_be_asked(self, name: str, path: str) -> bool:
        field = self._schema.field(name, path)
        return field is not None and field.filterable

    def changed(self, query: Query[R], problem: Problem) -> None:
        """The org refused a field that it had: look again, so that it is named or left out."""
        self._schema.forget(query.object_name)
        _log.warning("Salesforce no longer has what it described of %s: %s", query.object_name, problem)


REMEDY = "deploy it or correct the mapping, or assign the permission set Escalation Worker to the integration user"


def hidden(name: str, fields: Sequence[str]) -> str:
    """Names fields that are missing or hidden: to this user it is the same."""
    many = ", ".join(f"{name}.{field}" for field in fields)
    return f"Salesforce shows the worker no {many}: missing in the org, or hidden by field-level security"
