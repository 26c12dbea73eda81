"""Reading pages. One record that the server cannot read does not keep the others back: it is told apart from them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import islice
from typing import Generic

import msgspec

from connectors.base import BadRow, Cursor, FatalError, Page, Query, R, RetryableError
from connectors.crm.tryton import asking
from connectors.crm.tryton.asking import Domain
from connectors.crm.tryton.rest import Answer, Rest
from connectors.crm.tryton.tagged import UnreadableError, decoded, moment, paths

_NEVER_ASKED = frozenset({"id", "deleted"})
_FAILED = frozenset({400, 500})
"""What Tryton says when it fails on one record of a page, such as one whose CSM is gone from the database."""
Record = Mapping[str, object]


@dataclass(frozen=True, slots=True)
class _Found:
    """A page as it came: records, and which of them the server could not read. `last` is where it ends."""

    records: Sequence[Record]
    unreadable: Sequence[BadRow]
    count: int
    last: Record | None
    at: datetime | None


class Reader(Generic[R]):
    """Carries out one query. `only`: which records of the model are meant at all. `settle`: how long Tryton may commit
    a change with an older stamp.
    """

    def __init__(self, rest: Rest, query: Query[R], only: Domain, most: int, settle: timedelta) -> None:
        self._rest = rest
        self._query = query
        self._only = only
        self._size = max(1, min(query.page_size, most))
        self._settle = settle
        names = {each.name: each.encode_name for each in msgspec.structs.fields(query.shape)}
        self._changed = names["modified_at"]
        self._fields = [name for name in paths(query.shape) if name not in _NEVER_ASKED]

    def pages(self) -> Iterator[Page[R]]:
        """The pages, lazily."""
        if self._query.ids is not None:
            return self._by_id(asking.numbered(self._query.ids))
        return self._by_state() if self._query.where else self._changes()

    def _by_id(self, ids: Sequence[int]) -> Iterator[Page[R]]:
        rest = iter(ids)
        while chunk := list(islice(rest, self._size)):
            yield self._page(self._read([["id", "in", chunk]], ("id",)), None)

    def _by_state(self) -> Iterator[Page[R]]:
        wanted, last = asking.alternatives(self._query.where), 0
        while True:
            found = self._read([["id", ">", last], wanted, self._only], ("id",))
            yield self._page(found, None)
            if found.count < self._size or found.last is None:
                return
            last = int(str(found.last["id"]))

    def _changes(self) -> Iterator[Page[R]]:
        cursor = self._query.since
        while True:
            found = self._read([asking.since(self._changed, cursor), self._only], (self._changed, "id"))
            cursor = self._end(found) or cursor
            yield self._page(found, self._held_back(found, cursor))
            if found.count < self._size:
                return

    def _end(self, found: _Found) -> Cursor | None:
        if found.last is None:
            return None
        stamp = found.last.get(self._changed)
        if not isinstance(stamp, Mapping):
            raise FatalError(
                f"{self._query.object_name} {found.last.get('id')} does not say when it changed",
                f"is {self._changed} a field of the module in deploy/tryton, and may the key's user read it?",
            )
        return Cursor(moment(stamp), str(found.last["id"]))

    def _held_back(self, found: _Found, cursor: Cursor | None) -> Cursor | None:
        """As far as nothing can be committed behind it any more, by the server's own clock."""
        if cursor is None or found.at is None:
            return None
        horizon = found.at - self._settle
        return cursor if cursor.stamp <= horizon else Cursor(horizon)

    def _page(self, found: _Found, high_water: Cursor | None) -> Page[R]:
        rows: list[R] = []
        bad = list(found.unreadable)
        for record in found.records:
            try:
                rows.append(decoded(record, self._query.shape))
            except UnreadableError as error:
                bad.append(BadRow(str(record.get("id")), str(error), repr(dict(record))[:2000]))
        return Page(rows, high_water, bad)

    def _read(self, domain: Domain, order: Sequence[str]) -> _Found:
        answer = self._asked(self._fields, domain, order)
        if answer.status not in _FAILED:
            records = self._records(answer)
            self._insist(records)
            return _Found(records, [], len(records), records[-1] if records else None, answer.at)
        return self._told_apart(domain, order, answer)

    def _asked(self, fields: Sequence[str], domain: Domain, order: Sequence[str]) -> Answer:
        return self._rest.get(self._query.object_name, asking.parameters(fields, domain, order, self._size))

    def _records(self, answer: Answer) -> list[Record]:
        body = answer.body
        if not answer.ok:
            error = RetryableError if answer.status > 500 else FatalError
            raise error(
                f"Tryton does not give {self._query.object_name}: {answer.status} {answer.said}",
                "run `check`: it names missing fields and rights",
            )
        if not isinstance(body, list) or not all(isinstance(each, dict) and "id" in each for each in body):
            raise RetryableError(f"Tryton's answer for {self._query.object_name} is not a list of records")
        return body

    def _insist(self, records: Sequence[Record]) -> None:
        """Tryton leaves out what the user may not read, without a word."""
        needed = {name.partition(".")[0] for name in (*self._query.required, self._changed)} - _NEVER_ASKED
        hidden = sorted(name for name in needed if records and name not in records[0])
        if hidden:
            raise FatalError(
                f"Tryton hides {', '.join(hidden)} of {self._query.object_name} from the key's user",
                "give its group 'Escalation Worker' the right to read these fields",
            )

    def _told_apart(self, domain: Domain, order: Sequence[str], refused: Answer) -> _Found:
        """After a page that the server fails on: ask which records it has, then halve until the culprit is alone."""
        named = self._records(self._asked(["id", self._changed], domain, order))
        bad: list[BadRow] = []
        good = self._halved([int(str(each["id"])) for each in named], bad, refused.said)
        if not named or (not good and not self._other_is_readable([each.record_id for each in bad])):
            raise FatalError(
                f"Tryton fails on every {self._query.object_name}: {refused.said}",
                "run `check`: does the mapping name a field that is not there?",
            )
        place = {int(str(each["id"])): number for number, each in enumerate(named)}
        good.sort(key=lambda each: place[int(str(each["id"]))])
        return _Found(good, bad, len(named), named[-1], refused.at)

    def _halved(self, ids: Sequence[int], bad: list[BadRow], reason: str) -> list[Record]:
        if not ids:
            return []
        answer = self._asked(self._fields, [["id", "in", list(ids)]], ("id",))
        if answer.status not in _FAILED:
            return self._records(answer)
        if len(ids) == 1:
            bad.append(BadRow(str(ids[0]), f"Tryton cannot read it: {answer.said or reason}"))
            return []
        middle = len(ids) // 2
        return [*self._halved(ids[:middle], bad, reason), *self._halved(ids[middle:], bad, reason)]

    def _other_is_readable(self, culprits: Sequence[str]) -> bool:
        domain: Domain = [["id", "not in", asking.numbered(culprits)]]
        answer = self._rest.get(self._query.object_name, asking.parameters(self._fields, domain, ("id",), 1))
        return answer.ok and bool(answer.body)
