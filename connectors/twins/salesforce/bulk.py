"""Bulk API 2.0 query jobs: made, polled, fetched as CSV page by page.

Source: "Query" of the Bulk API 2.0 Developer Guide: text only, empty means null, results by a locator whose end is the
word null; no COUNT, OFFSET or ORDER BY of relationships, no nested records; jobs live seven days, 10,000 a day.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from connectors.twins.salesforce.asking import Answer, Ask
from connectors.twins.salesforce.errors import RefusedError, not_found
from connectors.twins.salesforce.ids import numbered
from connectors.twins.salesforce.querying import Found, Querying
from connectors.twins.salesforce.store import Store
from connectors.twins.salesforce.values import shown
from connectors.twins.web import Reply

_LIFE = timedelta(days=7)
_OPTIONS = frozenset({"operation", "query", "contentType", "columnDelimiter", "lineEnding"})


@dataclass(slots=True)
class _Job:
    job_id: str
    operation: str
    found: Found
    made_at: datetime
    state: str = "UploadComplete"
    error: str = ""


class Bulk:
    """Answers below /jobs/query. A job is done after `polls` looks at it; `fails` makes the next ones fail."""

    def __init__(self, store: Store, querying: Querying, user_id: str) -> None:
        self.store, self.querying, self.user_id = store, querying, user_id
        self.polls, self.fails, self.page = 1, 0, 50_000
        self._jobs: dict[str, _Job] = {}

    def answer(self, ask: Ask) -> Answer | Reply:
        """Do one request. Raises RefusedError."""
        match (ask.method, ask.parts[2:]):
            case ("POST", ()):
                return self._make(ask)
            case ("GET", (job_id,)):
                return Answer(value=self._told(self._polled(self._job(job_id)), ask.version))
            case ("PATCH", (job_id,)):
                return self._abort(self._job(job_id), ask)
            case ("DELETE", (job_id,)):
                self._jobs.pop(self._job(job_id).job_id)
                return Answer(204)
            case ("GET", (job_id, "results")):
                return self._results(self._job(job_id), ask)
        raise not_found()

    def _make(self, ask: Ask) -> Answer:
        body = ask.record()
        unknown = set(body) - _OPTIONS
        if unknown or body.get("operation") not in ("query", "queryAll") or not body.get("query"):
            raise RefusedError("INVALIDJOB", f"Unable to create the job from {sorted(body)}")
        if body.get("contentType", "CSV") != "CSV" or body.get("columnDelimiter", "COMMA") != "COMMA":
            raise RefusedError("INVALIDJOB", "this rehearsal writes CSV with commas only")
        found = self.querying.find(body["query"], deleted=body["operation"] == "queryAll")
        if found.query.count or found.query.offset:
            raise RefusedError("INVALIDJOB", "COUNT() and OFFSET are not supported in Bulk API 2.0")
        job = _Job(numbered("750", len(self._jobs) + 1), body["operation"], found, self.store.clock())
        self._jobs[job.job_id] = job
        return Answer(value=self._told(job, ask.version))

    def _job(self, job_id: str) -> _Job:
        job = self._jobs.get(job_id)
        if job is None or job.made_at + _LIFE < self.store.clock():
            raise not_found()
        return job

    def _polled(self, job: _Job) -> _Job:
        if job.state in ("UploadComplete", "InProgress"):
            if self.polls > 0:
                self.polls -= 1
                job.state = "InProgress"
            elif self.fails > 0:
                self.fails -= 1
                job.state, job.error = "Failed", "QUERY_TIMEOUT: Your query request was running for too long."
            else:
                job.state = "JobComplete"
        return job

    def _abort(self, job: _Job, ask: Ask) -> Answer:
        if ask.record().get("state") != "Aborted" or job.state == "JobComplete":
            raise RefusedError("INVALIDJOBSTATE", "a query job can only be aborted, and only before it is complete")
        job.state = "Aborted"
        return Answer(value=self._told(job, ask.version))

    def _results(self, job: _Job, ask: Ask) -> Reply:
        if job.state != "JobComplete":
            raise RefusedError("INVALIDJOBSTATE", f"the job has no results in state {job.state}")
        start = int(ask.one("locator", "0") or 0)
        rows = job.found.rows[start : start + min(self.page, int(ask.one("maxRecords", str(self.page))))]
        end = start + len(rows)
        locator = str(end) if end < len(job.found.rows) else "null"
        headers = {"Sforce-Locator": locator, "Sforce-NumberOfRecords": str(len(rows))}
        return Reply(200, _csv(job.found, rows), headers, kind="text/csv")

    def _told(self, job: _Job, version: str) -> dict[str, Any]:
        told: dict[str, Any] = {
            "id": job.job_id,
            "operation": job.operation,
            "object": job.found.of.name,
            "createdById": self.user_id,
            "createdDate": shown(job.made_at),
            "systemModstamp": shown(job.made_at),
            "state": job.state,
            "concurrencyMode": "Parallel",
            "contentType": "CSV",
            "apiVersion": float(version),
            "lineEnding": "LF",
            "columnDelimiter": "COMMA",
        }
        done = {"numberRecordsProcessed": len(job.found.rows)} if job.state == "JobComplete" else {}
        return told | done | ({"errorMessage": job.error} if job.error else {})


def _csv(found: Found, rows: Any) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    writer.writerow([name for name, _ in found.columns])
    for row in rows:
        writer.writerow([_cell(path.value(row)) for _, path in found.columns])
    return out.getvalue().encode()


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(shown(value))
