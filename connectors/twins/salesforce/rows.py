"""The sobjects resources: describe, one record by id or external id, what changed, what was deleted.

Sources: "sObject Rows", "sObject Rows by External ID", "sObject Basic Information", "Get Updated", "Get Deleted" and
"Conditional Request Headers" of the REST API Developer Guide.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from connectors.twins.salesforce.asking import Answer, Ask
from connectors.twins.salesforce.describing import all_described, described, summary
from connectors.twins.salesforce.errors import RefusedError, beyond, not_found
from connectors.twins.salesforce.querying import attributes
from connectors.twins.salesforce.schema import Field, Kind, Org, SObject
from connectors.twins.salesforce.store import Store, Values
from connectors.twins.salesforce.values import moment, shown
from connectors.twins.salesforce.writing import Writer

_DELETED_KEPT = timedelta(days=15)
_UPDATED_KEPT = timedelta(days=30)


class Rows:
    """Answers below /sobjects. `slow_since` holds back latestDateCovered, as a long transaction does."""

    def __init__(self, org: Org, store: Store, writer: Writer) -> None:
        self.org, self.store, self.writer = org, store, writer
        self.slow_since: datetime | None = None

    def answer(self, ask: Ask) -> Answer:
        """Do one request. Raises RefusedError."""
        rest = ask.parts[1:]
        if not rest:
            return Answer(value=all_described(self.org, ask.version))
        of = self.object(rest[0])
        match (ask.method, rest[1:]):
            case ("POST", ()):
                return self._create(of, ask)
            case ("GET", () | ("describe" | "updated" | "deleted",)):
                return Answer(value=self._told(of, ask, *rest[1:]))
            case (_, (record_id,)):
                return self._row(of, record_id, ask)
            case (_, (key, value)):
                return self._by_key(of, self._key(of, key), value, ask)
        raise not_found()

    def _told(self, of: SObject, ask: Ask, about: str = "") -> dict[str, Any]:
        if about == "describe":
            return described(self.org, of, ask.version)
        if about == "updated":
            return self._updated(of, ask)
        if about == "deleted":
            return self._deleted(of, ask)
        return {"objectDescribe": summary(of, ask.version), "recentItems": []}

    def _create(self, of: SObject, ask: Ask) -> Answer:
        made = self.writer.create(of, ask.record())
        where = f"/services/data/v{ask.version}/sobjects/{of.name}/{made}"
        return Answer(201, {"id": made, "success": True, "errors": []}, {"Location": where})

    def object(self, name: str) -> SObject:
        """An object that the user may see. Raises RefusedError."""
        of = self.org.object(name)
        if of is None:
            raise not_found()
        return of

    def key(self, of: SObject, name: str) -> Field:
        """An external id field. Raises RefusedError."""
        return self._key(of, name)

    def shown(self, of: SObject, row: Values, names: list[str], version: str) -> dict[str, Any]:
        """A record with the named fields, or with all."""
        fields = [self._named(of, each) for each in names] or self.org.visible(of)
        told = {each.name: shown(row.get(each.name.lower())) for each in fields}
        return {"attributes": attributes(of.name, row["id"], version), **told, "Id": row["id"]}

    def _row(self, of: SObject, record_id: str, ask: Ask) -> Answer:
        row = self.writer.present(of, record_id)
        if ask.method == "GET":
            return self._read(of, row, ask)
        if ask.method == "PATCH":
            self._unchanged(of, row, ask.headers)
            self.writer.update(of, row["id"], ask.record())
            return Answer(204)
        if ask.method == "DELETE":
            self.writer.delete(of, row["id"])
            return Answer(204)
        raise RefusedError("METHOD_NOT_ALLOWED", f"HTTP Method '{ask.method}' not allowed.", status=405)

    def _by_key(self, of: SObject, key: Field, value: str, ask: Ask) -> Answer:
        if ask.method == "PATCH":
            return self._upsert(of, key, value, ask)
        found = self._matches(of, key, value, ask.version)
        if isinstance(found, Answer):
            return found
        return self._row(of, found, ask)

    def _upsert(self, of: SObject, key: Field, value: str, ask: Ask) -> Answer:
        if key.kind is Kind.ID:
            raise beyond("upsert by Id; use the record's own address")
        found = self.store.with_key(of, key, value)
        if len(found) > 1:
            return self._several(of, found, ask.version)
        if found:
            self._unchanged(of, self.store.rows[found[0]].newest, ask.headers)
        made, created = self.writer.upsert(of, key, value, ask.record())
        return Answer(201 if created else 200, {"id": made, "success": True, "errors": [], "created": created})

    def _matches(self, of: SObject, key: Field, value: str, version: str) -> str | Answer:
        found = self.store.with_key(of, key, value)
        if len(found) > 1:
            return self._several(of, found, version)
        if not found:
            raise not_found()
        return found[0]

    def _several(self, of: SObject, found: list[str], version: str) -> Answer:
        return Answer(300, [attributes(of.name, each, version)["url"] for each in found])

    def _key(self, of: SObject, name: str) -> Field:
        known = self.org.field(of, name)
        if known is None or not (known.external_id or known.kind is Kind.ID):
            raise not_found(f"Provided external ID field does not exist or is not accessible: {name}")
        return known

    def _named(self, of: SObject, name: str) -> Field:
        known = self.org.field(of, name)
        if known is None:
            told = f"No such column '{name}' on sobject of type {of.name}"
            raise RefusedError("INVALID_FIELD", told)
        return known

    def _read(self, of: SObject, row: Values, ask: Ask) -> Answer:
        seen = self.store.get(row["id"])
        if seen is None:
            raise not_found()
        since = _http_date(ask.headers.get("if-modified-since"))
        if since is not None and seen["lastmodifieddate"] <= since:
            return Answer(304)
        headers = {"ETag": _tag(seen)} if of.name == "Account" else {}
        headers["Last-Modified"] = seen["lastmodifieddate"].strftime("%a, %d %b %Y %H:%M:%S GMT")
        return Answer(200, self.shown(of, seen, ask.names, ask.version), headers)

    def _unchanged(self, of: SObject, row: Values, headers: Mapping[str, str]) -> None:
        """Hold to If-Match (accounts only) and If-Unmodified-Since, else 412."""
        wanted = headers.get("if-match")
        if wanted and of.name != "Account":
            raise beyond("If-Match on another object than Account")
        if wanted and _tag(row) not in [each.strip() for each in wanted.split(",")]:
            raise _changed()
        since = _http_date(headers.get("if-unmodified-since"))
        if since is not None and row["lastmodifieddate"] > since:
            raise _changed()

    def _updated(self, of: SObject, ask: Ask) -> dict[str, Any]:
        start, end = self._span(ask, _UPDATED_KEPT)
        rows = self.store.visible(of)
        found = [row["id"] for row in rows if start <= row["systemmodstamp"] < end]
        return {"ids": found, "latestDateCovered": shown(self._covered(end))}

    def _deleted(self, of: SObject, ask: Ask) -> dict[str, Any]:
        start, end = self._span(ask, _DELETED_KEPT)
        rows = [row for row in self.store.visible(of, deleted=True) if row["isdeleted"]]
        found = [
            {"id": row["id"], "deletedDate": shown(row["systemmodstamp"])}
            for row in rows
            if start <= row["systemmodstamp"] < end
        ]
        earliest = self.store.stamp() - _DELETED_KEPT
        covered = {"latestDateCovered": shown(self._covered(end)), "earliestDateAvailable": shown(earliest)}
        return {"deletedRecords": found, **covered}

    def _span(self, ask: Ask, kept: timedelta) -> tuple[datetime, datetime]:
        """Whole minutes, not longer back than the vendor keeps."""
        start, end = (moment(ask.one(name)) for name in ("start", "end"))
        if start is None or end is None:
            raise RefusedError("INVALID_REPLICATION_DATE", "startDate and endDate are dates with their zone")
        start, end = (each.replace(second=0, microsecond=0) for each in (start, end))
        if start >= end or start < self.store.clock() - kept:
            raise RefusedError(
                "INVALID_REPLICATION_DATE", "startDate before org replication enabled date or not before endDate"
            )
        return start, end

    def _covered(self, end: datetime) -> datetime:
        return min(filter(None, (end, self.slow_since)))


def _http_date(text: str | None) -> datetime | None:
    if not text:
        return None
    try:
        return parsedate_to_datetime(text).astimezone(UTC)
    except ValueError:
        raise RefusedError("INVALID_HEADER", f"not a date of HTTP: {text}") from None


def _tag(row: Values) -> str:
    told = repr(sorted((name, str(value)) for name, value in row.items())).encode()
    return f'"{base64.b64encode(hashlib.sha1(told, usedforsecurity=False).digest()).decode()}"'


def _changed() -> RefusedError:
    told = "The precondition of the request does not hold: the record was changed."
    return RefusedError("PRECONDITION_FAILED", told, status=412)
