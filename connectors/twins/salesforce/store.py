"""The org's records: their versions, when each becomes visible, the index of external ids, and undoing.

A committed change may become visible later than its stamp says: that is how long transactions show from outside.
Field names are keys in lower case. Stamps have whole seconds, as the API shows them.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from connectors.twins.salesforce.ids import numbered
from connectors.twins.salesforce.schema import Field, Kind, Org, SObject
from connectors.twins.web import Clock

Values = dict[str, Any]
_NOW = timedelta(0)


@dataclass(slots=True)
class Row:
    """One record: its object and its versions, each from the moment on which it can be seen."""

    of: SObject
    record_id: str
    versions: list[tuple[datetime, Values]] = field(default_factory=list)

    @property
    def newest(self) -> Values:
        """The last committed values, seen or not."""
        return self.versions[-1][1]

    def seen(self, now: datetime) -> Values | None:
        """What a reader sees; None before the first version is visible."""
        if self.versions[-1][0] <= now:
            return self.versions[-1][1]
        return next((values for since, values in reversed(self.versions) if since <= now), None)


class Undo(Exception):  # noqa: N818 - it ends a trial, it tells of no fault
    """Raised inside `Store.trial` to take back what was written in it."""


class Store:
    """All records of the org."""

    def __init__(self, org: Org, clock: Clock) -> None:
        self.org, self.clock = org, clock
        self.rows: dict[str, Row] = {}
        self.of_object: defaultdict[str, dict[str, Row]] = defaultdict(dict)
        self._keys: defaultdict[tuple[str, str], defaultdict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
        self._counts: defaultdict[str, int] = defaultdict(int)
        self._journal: list[list[tuple[str, Row | None, list[tuple[datetime, Values]]]]] = []

    def stamp(self) -> datetime:
        """The present, as a record shows it."""
        return self.clock().replace(microsecond=0)

    def insert(self, of: SObject, values: Mapping[str, Any], by: str, late: timedelta = _NOW) -> str:
        """Add a record with all its system fields; returns its id."""
        self._counts[of.name] += 1
        number = self._counts[of.name]
        record_id = values.get("id") or numbered(of.prefix, number)
        row = Row(of, record_id)
        full = {name: _first(each, number) for name, each in of.fields.items()}
        full |= values
        full |= {"id": record_id, "isdeleted": False, "createddate": values.get("createddate") or self.stamp()}
        full["createdbyid"] = by
        self._remember(record_id, None)
        self.rows[record_id] = self.of_object[of.name.lower()][record_id] = row
        self._commit(row, self._touched(full, values, by), late)
        return str(record_id)

    def update(self, record_id: str, values: Mapping[str, Any], by: str, late: timedelta = _NOW) -> None:
        """Change fields of a record; its stamps move."""
        row = self.rows[record_id]
        self._commit(row, self._touched({**row.newest, **values}, values, by), late)

    def recalculate(self, record_id: str, values: Mapping[str, Any]) -> None:
        """Change fields whose values come out of others: no stamp moves."""
        row = self.rows[record_id]
        self._commit(row, {**row.newest, **values}, _NOW)

    def forget(self, record_id: str) -> None:
        """Remove a record from the recycle bin too."""
        row = self.rows[record_id]
        self._remember(record_id, row)
        self._index(row, row.newest, {})
        del self.rows[record_id], self.of_object[row.of.name.lower()][record_id]

    def visible(self, of: SObject, *, deleted: bool = False) -> Iterator[Values]:
        """What a reader sees of an object now, with the recycle bin or without."""
        now = self.clock()
        for row in self.of_object[of.name.lower()].values():
            values = row.seen(now)
            if values is not None and (deleted or not values["isdeleted"]):
                yield values

    def get(self, record_id: str) -> Values | None:
        """What a reader sees of one record, deleted or not."""
        row = self.rows.get(record_id)
        return row.seen(self.clock()) if row else None

    def with_key(self, of: SObject, key: Field, value: Any) -> list[str]:
        """Ids of the records that are not deleted and hold this value in an external id or unique field."""
        found = self._keys[of.name.lower(), key.name.lower()][_key(key, value)]
        return sorted(each for each in found if not self.rows[each].newest["isdeleted"])

    @contextmanager
    def trial(self) -> Iterator[None]:
        """What is written inside stays, unless Undo or any other exception leaves it. May be nested."""
        self._journal.append([])
        try:
            yield
        except BaseException:
            self._roll_back(self._journal.pop())
            raise
        else:
            written = self._journal.pop()
            if self._journal:
                self._journal[-1].extend(written)

    def _touched(self, full: Values, given: Mapping[str, Any], by: str) -> Values:
        """A change moves both stamps to the present; only who fills the org may date one back, by naming the stamp."""
        stamp = given.get("systemmodstamp") or self.stamp()
        full |= {"systemmodstamp": stamp, "lastmodifieddate": given.get("lastmodifieddate") or stamp}
        return full | {"lastmodifiedbyid": by}

    def _commit(self, row: Row, values: Values, late: timedelta) -> None:
        now = self.clock()
        if row.versions:
            self._remember(row.record_id, row)
            self._index(row, row.newest, values)
        else:
            self._index(row, {}, values)
        settled = [each for each in row.versions if each[0] > now] if late else []
        last = [(since, each) for since, each in row.versions if since <= now][-1:] if late else []
        row.versions = [*last, *settled, (now + late, values)]

    def _index(self, row: Row, before: Values, after: Values) -> None:
        for name, known in row.of.fields.items():
            if not (known.external_id or known.unique):
                continue
            place = self._keys[row.of.name.lower(), name]
            if before.get(name) is not None:
                place[_key(known, before[name])].discard(row.record_id)
            if after.get(name) is not None:
                place[_key(known, after[name])].add(row.record_id)

    def _remember(self, record_id: str, row: Row | None) -> None:
        if self._journal:
            self._journal[-1].append((record_id, row, list(row.versions) if row else []))

    def _roll_back(self, written: list[tuple[str, Row | None, list[tuple[datetime, Values]]]]) -> None:
        for record_id, row, versions in reversed(written):
            present = self.rows.get(record_id)
            if row is None or present is not None:
                self._index(self.rows[record_id], self.rows[record_id].newest, versions[-1][1] if versions else {})
            else:
                self._index(row, {}, versions[-1][1])
            if row is None:
                self.of_object[self.rows.pop(record_id).of.name.lower()].pop(record_id)
            else:
                row.versions = versions
                self.rows[record_id] = self.of_object[row.of.name.lower()][record_id] = row


def _first(known: Field, number: int) -> Any:
    if known.auto_number:
        return known.auto_number.format(number)
    return False if known.kind is Kind.BOOLEAN and known.default is None else known.default


def _key(known: Field, value: Any) -> str:
    return str(value) if known.case_sensitive else str(value).lower()
