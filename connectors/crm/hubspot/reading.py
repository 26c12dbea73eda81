"""Reading records: closed windows drained by id, conditions, single records, and everything.

HubSpot's search cannot be trusted in the order of time, ends at 10,000 rows, and lags behind. So a window of time is
closed first, then drained in the order of ids, one page a call, and proves something only when it is empty. The window
ends by HubSpot's own clock, and what the index shows late is met by the overlaps that the worker reads again.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from connectors.base import BadRow, Cursor, FatalError, Page, Query, R, RetryableError
from connectors.crm.hubspot.anchor import ANCHOR_KEY
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.conditions import Filter, searches
from connectors.crm.hubspot.fetching import READ_PAGE, Found, read_raw
from connectors.crm.hubspot.links import LINKS_A_CALL, chunks
from connectors.crm.hubspot.merging import Merger
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.rows import Record, Wanted, base_of, records, wanted
from connectors.crm.hubspot.values import millis

SEARCH_PAGE, LIST_PAGE = 200, 100
_LONGEST_QUERY = 12_000
_LONGEST_WINDOW = timedelta(hours=6)
_ID = "hs_object_id"


@dataclass(slots=True)
class _Batch:
    """Records read together. `high_water` once they complete a window."""

    records: list[Record]
    bad: list[BadRow] = field(default_factory=list)
    high_water: Cursor | None = None


class Reader:
    """Answers queries."""

    def __init__(self, client: Client, portal: Portal) -> None:
        self._client = client
        self._portal = portal

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Pages of rows. Raises FatalError when the portal lacks what is required, RetryableError for any doubt."""
        plan = wanted(query.shape)
        present = self._present(query, plan)
        merger = Merger(self._client, self._portal, query, plan)
        together = LINKS_A_CALL if plan.links else 1
        size = max(1, min(query.page_size, SEARCH_PAGE))
        for batch in _gathered(self._batches(query, plan, present), together):
            yield from _pages(merger.rows(batch.records), batch, size)

    def _present(self, query: Query[R], plan: Wanted[R]) -> list[str]:
        """The properties to ask for. HubSpot is silent about those it does not have: what is required must be there."""
        known = self._portal.properties(query.object_name)
        missing = sorted(
            base for name in {*query.required, plan.modified_name} if (base := base_of(name)) and base not in known
        )
        if missing:
            reason = f"{query.object_name} of this portal have no property {', '.join(missing)}"
            raise FatalError(reason, "run `setup`, or correct the mapping: without it nothing can be concluded")
        narrowing = self._client.options.narrowed(query.kind, query.object_name)
        extra = ("hs_merged_object_ids", ANCHOR_KEY, *narrowing)
        return [name for name in dict.fromkeys((*plan.properties, *extra)) if name in known]

    def _batches(self, query: Query[R], plan: Wanted[R], present: list[str]) -> Iterator[_Batch]:
        if query.ids is not None:
            return self._by_ids(query, present)
        if query.where:
            return self._by_condition(query, present)
        if query.since is not None:
            return self._window(query, query.since.stamp, plan.modified_name, present)
        return self._everything(query, present)

    def _by_ids(self, query: Query[R], present: list[str]) -> Iterator[_Batch]:
        ids = sorted({each for each in query.ids or () if each.isdecimal()}, key=int)
        for some in chunks(ids, min(READ_PAGE, max(1, query.page_size))):
            yield _Batch(*records(read_raw(self._client, query.object_name, some, present)))

    def _by_condition(self, query: Query[R], present: list[str]) -> Iterator[_Batch]:
        known = self._portal.properties(query.object_name)
        for groups in searches(query.where, known):
            yield from self._drained(query, groups, present)

    def _window(self, query: Query[R], since: datetime, stamp: str, present: list[str]) -> Iterator[_Batch]:
        """Changes since, in windows that are each complete in themselves: what was read survives a later fault."""
        until = self._client.server_now() - self._client.options.settle
        while since <= until:
            end = min(since + _LONGEST_WINDOW, until)
            yield from self._drained(query, [[_between(stamp, since, end)]], present)
            yield _Batch([], high_water=Cursor(end))
            if end == until:
                return
            since = end

    def _drained(self, query: Query[R], groups: list[list[Filter]], present: list[str]) -> Iterator[_Batch]:
        """Every record of a search in the order of ids, each page a search of its own behind the last id."""
        last, size = 0, max(1, min(query.page_size, SEARCH_PAGE))
        while True:
            found = self._search(query.object_name, groups, last, size, present)
            good, bad = records(found.results)
            ids = [int(each.id) for each in good]
            if ids != sorted(ids) or (ids and ids[0] <= last):
                raise RetryableError(
                    f"HubSpot's {query.object_name} are not in the order of their ids: none may be lost"
                )
            yield _Batch(good, bad)
            behind = [*ids, *(int(each.record_id) for each in bad if each.record_id.isdecimal())]
            if not found.after and (found.total or 0) <= len(found.results):
                return
            if not behind:
                raise RetryableError(f"HubSpot counts {found.total} {query.object_name} and shows none")
            last = max(behind)

    def _search(self, object_type: str, groups: list[list[Filter]], last: int, size: int, present: list[str]) -> Found:
        behind: Filter = {"propertyName": _ID, "operator": "GT", "value": str(last)}
        body = {
            "filterGroups": [{"filters": [*group, behind]} for group in groups or [[]]],
            "sorts": [_ID],
            "properties": present,
            "limit": size,
            "after": "0",
        }
        return self._client.read(Request(Endpoint.SEARCH, {"type": object_type}, body), Found)

    def _everything(self, query: Query[R], present: list[str]) -> Iterator[_Batch]:
        """A list of all records; its high water is when it began. Names too long for an address go by search."""
        began = self._client.server_now() - self._client.options.settle
        if sum(len(name) + len("&properties=") for name in present) > _LONGEST_QUERY:
            yield from self._drained(query, [], present)
        else:
            yield from self._listed(query, present)
        yield _Batch([], high_water=Cursor(began))

    def _listed(self, query: Query[R], present: list[str]) -> Iterator[_Batch]:
        names = [("properties", name) for name in present]
        limit = str(max(1, min(query.page_size, LIST_PAGE)))
        after = ""
        while True:
            page = [("limit", limit), *names, *([("after", after)] if after else [])]
            found = self._client.read(Request(Endpoint.LIST, {"type": query.object_name}, query=page), Found)
            yield _Batch(*records(found.results))
            if not found.after:
                return
            if found.after == after:
                raise RetryableError(f"HubSpot's pages of {query.object_name} do not come to an end")
            after = found.after


def _between(stamp: str, since: datetime, until: datetime) -> Filter:
    return {"propertyName": stamp, "operator": "BETWEEN", "value": millis(since), "highValue": millis(until)}


def _gathered(batches: Iterator[_Batch], together: int) -> Iterator[_Batch]:
    """Small batches joined, so that what records refer to is asked for together."""
    waiting = _Batch([])
    for batch in batches:
        waiting.records += batch.records
        waiting.bad += batch.bad
        waiting.high_water = batch.high_water
        full = len(waiting.records) + len(batch.records) > together and bool(waiting.records or waiting.bad)
        if full or batch.high_water is not None:
            yield waiting
            waiting = _Batch([])
    if waiting.records or waiting.bad:
        yield waiting


def _pages(rows: tuple[list[R], list[BadRow]], batch: _Batch, size: int) -> Iterator[Page[R]]:
    """Rows in pages; what the batch proves stands on the last one, when all of it is stored."""
    good, bad = rows[0], [*batch.bad, *rows[1]]
    pieces = list(chunks(good, size)) or [[]]
    for piece in pieces[:-1]:
        yield Page(piece)
    yield Page(pieces[-1], batch.high_water, bad)
