"""Reading: a tick's queries in one composite call, pages after it, restarts where they must be, never a gap.

A composite call counts once and holds five queries (REST API Developer Guide, Composite). Everything is read in the
order of (stamp, id), so a scan that loses its cursor goes on after the last record that it gave.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from http import HTTPStatus

from connectors.base import ConnectorError, Cursor, Page, Query, R, RetryableError, Row
from connectors.crm.salesforce.answers import Problem, failure, problems
from connectors.crm.salesforce.asking import SETTLE, Ask, Asker, Found, Window, found_in
from connectors.crm.salesforce.budget import Use
from connectors.crm.salesforce.bulk import BulkReader
from connectors.crm.salesforce.client import Answer, Client, RefusedError
from connectors.crm.salesforce.composite import Composite, Part
from connectors.crm.salesforce.schema import Schema
from connectors.crm.salesforce.soql import EPOCH

_QUERIES = 5
_IDS = 300
_RESTARTS = 20
_NARROWEST = timedelta(minutes=1)


@dataclass(slots=True)
class _Told:
    """A query of this tick that was announced, and what came of it."""

    query: Query[Row]
    answer: _First | ConnectorError | None = None


@dataclass(frozen=True, slots=True)
class _First:
    """The first page of a query, or its refusal; `at` is Salesforce's clock when it was asked."""

    found: Found | None
    at: datetime
    problem: Problem | None = None


class Reader:
    """Pulls records of one org."""

    def __init__(self, client: Client, schema: Schema, bulk: BulkReader) -> None:
        self._client, self._bulk = client, bulk
        self._asker = Asker(schema)
        self._told: list[_Told] = []
        self._asked = False

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """What the tick will pull; the first pull asks for all of it."""
        self._told = [_Told(each) for each in queries]
        self._asked = False

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Pages, lazily; any refusal is an error by what to do next."""
        self._client.budget.allow(_use(query))
        if query.ids is not None:
            yield from self._by_ids(query)
            return
        try:
            yield from self._from_the_start(query, self._announced(query))
        except RefusedError as error:
            if error.problem.code != "INVALID_FIELD":
                raise failure(error.problem, f"reading {query.object_name}") from None
            yield from self._again(query, error.problem)

    def _again(self, query: Query[R], problem: Problem) -> Iterator[Page[R]]:
        """A field is gone since it was described: without it, when the query can do without."""
        self._asker.changed(query, problem)
        try:
            yield from self._from_the_start(query, None)
        except RefusedError as error:
            raise failure(error.problem, f"reading {query.object_name}") from None

    def _from_the_start(self, query: Query[R], first: _First | None) -> Iterator[Page[R]]:
        ask = self._asker.ask(query)
        first = first or self._first(ask)
        if ask.whole and first.found is not None and first.found.total_size > self._client.options.bulk_above:
            yield from self._bulk.pages(ask)
            return
        yield from self._scan(ask, first)

    def _by_ids(self, query: Query[R]) -> Iterator[Page[R]]:
        ids = list(dict.fromkeys(query.ids or ()))
        for start in range(0, len(ids), _IDS):
            ask = self._asker.ask(replace(query, ids=ids[start : start + _IDS]))
            if not ask.conditions:
                continue
            try:
                yield from self._scan(ask, self._first(ask))
            except RefusedError as error:
                raise failure(error.problem, ask.doing) from None

    def _scan(self, ask: Ask[R], first: _First) -> Iterator[Page[R]]:
        """All pages of one query; one that takes too long is cut in two."""
        if first.problem is not None and first.problem.code == "QUERY_TIMEOUT":
            yield from self._halves(ask, first.at, first.problem)
            return
        if first.problem is not None or first.found is None:
            raise RefusedError(first.problem or Problem("", "no answer"))
        place: Cursor | None = None
        found, restarts = first.found, 0
        while True:
            for page, last in self._cut(ask, found, first.at):
                place = last or place
                yield page
            if found.done:
                return
            try:
                found = found_in(self._client.get(found.next_records_url, ask.doing, ask.headers).body, ask.doing)
            except RefusedError as error:
                restarts += 1
                if error.problem.code != "INVALID_QUERY_LOCATOR" or restarts > _RESTARTS:
                    raise
                ask = ask.going_on(place)
                found = self._anew(ask)

    def _anew(self, ask: Ask[R]) -> Found:
        """The cursor of a scan is gone: the rest is asked for again."""
        first = self._first(ask)
        if first.found is None:
            raise RefusedError(first.problem or Problem("", "no answer"))
        return first.found

    def _cut(self, ask: Ask[R], found: Found, at: datetime) -> Iterator[tuple[Page[R], Cursor | None]]:
        """A page of Salesforce in pages of the size that was asked for, each with the place of its last record."""
        rows, bad = ask.decoder.page(found.records)
        size = ask.query.page_size
        for start in range(0, max(len(rows), 1), size):
            part = rows[start : start + size]
            last = _place(part[-1]) if part else None
            if part or bad:
                yield Page(part, _high_water(ask, last, at), bad), last
            bad = []

    def _halves(self, ask: Ask[R], at: datetime, problem: Problem) -> Iterator[Page[R]]:
        """The window of a query that timed out, in two: QUERY_TIMEOUT is about the amount, not about the moment."""
        low = ask.after.stamp if ask.after is not None else EPOCH
        window = ask.window or Window(low, at + SETTLE)
        if window.high - window.low <= _NARROWEST:
            raise RetryableError(
                f"Salesforce, {ask.doing}: one minute of changes takes longer than a query may: {problem}",
                "ask Salesforce for a custom index, or map fewer fields",
                timedelta(minutes=5),
            )
        middle = window.low + (window.high - window.low) / 2
        for half in (Window(window.low, middle), Window(middle, window.high)):
            narrow = replace(ask, window=half)
            yield from self._scan(narrow, self._first(narrow))

    def _first(self, ask: Ask[R]) -> _First:
        self._client.budget.allow(_use(ask.query))
        try:
            answer = self._client.get(ask.path, ask.doing, ask.headers)
        except RefusedError as error:
            return _First(None, self._client.now(), error.problem)
        return _First(found_in(answer.body, ask.doing), answer.at)

    def _announced(self, query: Query[R]) -> _First | None:
        mine = next((each for each in self._told if each.query is query or each.query == query), None)
        if mine is None or len(self._told) == 1:
            return None
        if not self._asked:
            self._asked = True
            self._ask_all()
        answer, mine.answer = mine.answer, None
        if isinstance(answer, ConnectorError):
            raise answer
        return answer

    def _ask_all(self) -> None:
        ready: list[tuple[_Told, Ask[Row]]] = []
        for told in self._told:
            if told.query.ids is None:
                try:
                    self._client.budget.allow(_use(told.query))
                    ready.append((told, self._asker.ask(told.query)))
                except ConnectorError as error:
                    told.answer = error
        for start in range(0, len(ready), _QUERIES):
            self._ask_together(ready[start : start + _QUERIES])

    def _ask_together(self, ready: Sequence[tuple[_Told, Ask[Row]]]) -> None:
        composite = Composite(self._client, all_or_none=False)
        names = [composite.add("GET", ask.path, headers=ask.headers) for _, ask in ready]
        try:
            answer, parts = composite.read("reading")
        except ConnectorError as error:
            for told, _ in ready:
                told.answer = error
            return
        for name, (told, ask) in zip(names, ready, strict=True):
            told.answer = _part(parts.get(name), answer, ask)


def _part(part: Part | None, answer: Answer, ask: Ask[Row]) -> _First | ConnectorError:
    if part is None:
        return RetryableError(f"Salesforce, {ask.doing}: a query was not answered", "it is tried again")
    if part.status != HTTPStatus.OK:
        return _First(None, answer.at, problems(bytes(part.body), part.status)[0])
    try:
        return _First(found_in(part.body, ask.doing), answer.at)
    except ConnectorError as error:
        return error


def _use(query: Query[R]) -> Use:
    whole = query.since is None and not query.where and query.ids is None
    return Use.SWEEP if whole else Use.READ


def _place(row: Row) -> Cursor | None:
    try:
        return Cursor(datetime.fromisoformat(row.modified_at), row.record_id)
    except ValueError:
        return None


def _high_water(ask: Ask[R], last: Cursor | None, at: datetime) -> Cursor | None:
    """How far this has come, but not beyond what Salesforce may still commit with an older stamp."""
    if last is None or ask.query.where or ask.query.ids is not None:
        return None
    limit = at - SETTLE
    return last if last.stamp <= limit else Cursor(limit)
