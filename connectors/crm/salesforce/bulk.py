"""The first load of a large object by a query job of Bulk API 2.0, which costs a handful of calls however many records.

The job runs at Salesforce; here it is waited for, its results are read set by set, and it is taken away at last. What
changed meanwhile comes with the next tick: the high-water mark is the moment at which the job was made.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from urllib.parse import quote

import msgspec

from connectors.base import ConnectorError, Cursor, Page, R, RetryableError
from connectors.crm.salesforce.answers import failure
from connectors.crm.salesforce.asking import SETTLE, Ask
from connectors.crm.salesforce.client import Answer, Client, RefusedError, reading
from connectors.crm.salesforce.rows import CsvDecoder
from connectors.crm.salesforce.schema import Schema

_SET = 20_000
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 20.0
_ENDED_BADLY = frozenset({"Failed", "Aborted"})


class _Job(msgspec.Struct, rename="camel"):
    id: str
    state: str
    error_message: str = ""


_JOB = msgspec.json.Decoder(_Job)


class BulkReader:
    """Runs query jobs."""

    def __init__(self, client: Client, schema: Schema, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client, self._schema, self._sleep = client, schema, sleep

    def pages(self, ask: Ask[R]) -> Iterator[Page[R]]:
        """All records of a query, in no order; the high-water mark comes with the last page only."""
        try:
            made = self._client.send(
                "POST", "jobs/query", {"operation": "queryAll", "query": ask.text(ordered=False)}, ask.doing
            )
        except RefusedError as error:
            raise failure(error.problem, ask.doing) from None
        job = self._job(made, ask.doing)
        try:
            self._wait(job, ask.doing)
            yield from self._results(job, ask)
        finally:
            self._discard(job)
        yield Page((), Cursor(made.at - SETTLE))

    def _wait(self, job: _Job, doing: str) -> None:
        ends = self._client.clock() + self._client.options.bulk_minutes * 60
        wait = _FIRST_WAIT
        while job.state != "JobComplete":
            if job.state in _ENDED_BADLY:
                raise RetryableError(
                    f"Salesforce, {doing}: the query job ended as {job.state}: {job.error_message}", "it is tried again"
                )
            if self._client.clock() > ends:
                raise RetryableError(
                    f"Salesforce, {doing}: the query job {job.id} takes too long", "raise bulk_minutes"
                )
            self._sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)
            job = self._job(reading(lambda path=f"jobs/query/{job.id}": self._client.get(path, doing), doing), doing)  # type: ignore[misc]

    def _results(self, job: _Job, ask: Ask[R]) -> Iterator[Page[R]]:
        decoder = CsvDecoder(ask.query.shape, self._types(ask))
        locator = ""
        while True:
            path = f"jobs/query/{job.id}/results?maxRecords={_SET}" + (f"&locator={quote(locator)}" if locator else "")
            answer = reading(lambda path=path: self._client.get(path, ask.doing, {"Accept": "text/csv"}), ask.doing)  # type: ignore[misc]
            count = 0
            for rows, bad in decoder.pages(answer.body, ask.query.page_size):
                count += len(rows) + len(bad)
                yield Page(rows, None, bad)
            self._complete(answer, count, ask.doing)
            locator = answer.headers.get("Sforce-Locator", "null")
            if locator in ("null", ""):
                return

    def _complete(self, answer: Answer, count: int, doing: str) -> None:
        told = answer.headers.get("Sforce-NumberOfRecords", str(count))
        if told != str(count):
            raise RetryableError(f"Salesforce, {doing}: {count} records came of {told}", "it is tried again")

    def _types(self, ask: Ask[R]) -> dict[str, str]:
        name = ask.query.object_name
        return {each: found.type for each in ask.fields if (found := self._schema.field(name, each)) is not None}

    def _discard(self, job: _Job) -> None:
        """Jobs go by themselves after seven days; a failure here changes nothing."""
        with suppress(ConnectorError, RefusedError):
            self._client.delete(f"jobs/query/{job.id}", "taking a query job away")

    def _job(self, answer: Answer, doing: str) -> _Job:
        try:
            return _JOB.decode(answer.body)
        except msgspec.DecodeError:
            raise RetryableError(f"Salesforce, {doing}: not the state of a query job", "it is tried again") from None
