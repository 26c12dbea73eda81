"""A page of records into the mirror: what changed, whose accounts that touches, and what cannot be understood.

One transaction a page, which the caller opens; everything here happens in it or not at all.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection

from connectors.base import Page, Row
from worker.core.model import AccountId, ConnectorName, RecordKind
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping
from worker.store import facts, progress
from worker.store.codec import micros
from worker.unowned import Hits, Unowned, surely_quiet


@dataclass(slots=True)
class _Touched:
    """What a page changes besides its own records."""

    accounts: set[AccountId] = field(default_factory=set)
    bug_keys: set[str] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Before:
    """What was known before the page. `unchanged`: records that say what they said, and need no second look.
    `known`: the others. `watched`: accounts the worker has to do with, and when it wrote their flag.
    """

    unchanged: AbstractSet[str]
    known: Mapping[str, facts.Known]
    watched: Mapping[str, datetime | None]
    first_load: bool


_Record = tuple[Row, bytes]
"""As it came, and as it is stored."""
_NOTHING = _Before(frozenset(), {}, {}, first_load=True)


class Mirror:
    """The mirror of one CRM. `hits` reads the texts of cases that belong to no account."""

    def __init__(self, connector: ConnectorName, mapping: CrmMapping, hits: Hits | None = None) -> None:
        self._connector = connector
        self._mapping = mapping
        self._unowned = Unowned(connector, mapping, hits)

    def take(self, tx: Connection, kind: RecordKind, page: Page[Row], began: datetime, *, first_load: bool) -> int:
        """Store what is new and mark the accounts that must be decided. Returns how many records changed.

        `began`: when the read that brought the page began. `first_load`: nothing of this kind is stored yet.
        """
        rows = list({row.record_id: row for row in page.rows}.values())
        bodies = self._mapping.bodies(rows)
        before = _NOTHING if first_load else self._before(tx, kind, rows, bodies)
        touched = _Touched()
        records = list(zip(rows, bodies, strict=True))
        if not first_load:
            records = [each for each in records if self._is_news(kind, each, before, began)]
        self._store(tx, kind, records, before, touched, began)
        unowned = self._unowned.among(tx, kind, rows, {row.record_id for row, _ in records})
        if not first_load:
            read = {row.record_id for row in rows} - unowned.keys()
            stored = {row.record_id: row.modified_at for row, _ in records}
            progress.release_from_quarantine(tx, self._connector, kind, read, stored)
            if kind is RecordKind.ACCOUNT and before.watched:
                progress.saw_accounts(tx, self._connector, list(before.watched), began)
        for record_id, reason in unowned.items():
            progress.put_in_quarantine(tx, self._connector, kind, record_id, "", reason, began)
        self._set_aside(tx, kind, page, began)
        self._mark(tx, touched, began)
        return len(records)

    def _before(self, tx: Connection, kind: RecordKind, rows: Sequence[Row], bodies: Sequence[bytes]) -> _Before:
        ids = [row.record_id for row in rows]
        concerned = ids
        if kind is not RecordKind.ACCOUNT:
            owners = (self._mapping.account_id(kind, row) for row in rows)
            concerned = [account for account in owners if account is not None]
        watched = progress.watched(tx, self._connector, concerned)
        unchanged = facts.unchanged(tx, self._connector, kind, dict(zip(ids, bodies, strict=True)))
        others = [record_id for record_id in ids if record_id not in unchanged]
        known = facts.known(tx, self._connector, kind, others) if others else {}
        return _Before(unchanged, known, watched, first_load=False)

    def _is_news(self, kind: RecordKind, record: _Record, before: _Before, began: datetime) -> bool:
        row, body = record
        if row.record_id in before.unchanged:
            return False
        last = before.known.get(row.record_id)
        return last is None or not (
            self._same(kind, last, row, body, before) or self._overtaken(kind, last, row, began)
        )

    def _store(
        self,
        tx: Connection,
        kind: RecordKind,
        records: Sequence[_Record],
        before: _Before,
        touched: _Touched,
        began: datetime,
    ) -> None:
        if kind is RecordKind.ACCOUNT and before.first_load:
            records = self._begin(tx, records, touched, began)
        look = self._account if kind is RecordKind.ACCOUNT else self._attached
        versions: list[facts.Version] = []
        for row, body in records:
            last = before.known.get(row.record_id)
            account_id, bug_key = look(kind, row, last, before, touched)
            seq = 1 if last is None else last.seq + 1
            versions.append(facts.Version(row.record_id, seq, account_id, bug_key, body, row.deleted))
        facts.append(tx, self._connector, kind, versions, began)

    def _begin(
        self, tx: Connection, records: Sequence[_Record], touched: _Touched, began: datetime
    ) -> Sequence[_Record]:
        """The first load of accounts, at once but for those that are deleted, which are returned."""
        asking = self._mapping.asking([row for row, _ in records])
        deleted = {row.record_id for row in asking if row.deleted}
        touched.accounts.update(AccountId(row.record_id) for row in asking)
        first = [(row.record_id, body) for row, body in records if row.record_id not in deleted]
        facts.begin_with(tx, self._connector, RecordKind.ACCOUNT, first, began)
        return [record for record in records if record[0].record_id in deleted] if deleted else ()

    def _same(self, kind: RecordKind, last: facts.Known, row: Row, body: bytes, before: _Before) -> bool:
        """Whether a record says nothing new.

        Where the worker has written its flag, a newer stamp with old content is news: somebody set the field back.
        """
        if last.gone != row.deleted or not self._mapping.says_the_same(kind, body, last.body):
            return False
        if row.deleted or kind is not RecordKind.ACCOUNT or before.watched.get(row.record_id) is None:
            return True
        return self._mapping.stamp_said(kind, last.body) == row.modified_at

    def _overtaken(self, kind: RecordKind, last: facts.Known, row: Row, began: datetime) -> bool:
        """Whether a newer read has stored a newer version already: this page was read before, by a worker that froze.

        Only both together say so: a clock may be set back, and a CRM may be restored from a backup.
        """
        if micros(began) >= last.seen_at:
            return False
        try:
            said = self._mapping.stamp_said(kind, last.body)
            return self._mapping.stamp(row) <= self._mapping.stamp(msgspec.structs.replace(row, modified_at=said))
        except UnmappableError:
            return False

    def _account(
        self, kind: RecordKind, row: Row, last: facts.Known | None, before: _Before, touched: _Touched
    ) -> tuple[AccountId | None, None]:
        """Mark an account whose new version may ask for something, and the one that it was merged into.

        Returns that one: it is then found with what else belongs to it.
        """
        came_later = last is None and not before.first_load
        if came_later or row.record_id in before.watched or not surely_quiet(self._mapping, kind, row):
            touched.accounts.add(AccountId(row.record_id))
        heir = self._mapping.merged_into(row)
        if heir is not None:
            touched.accounts.add(heir)
        return heir, None

    def _attached(
        self, kind: RecordKind, row: Row, last: facts.Known | None, before: _Before, touched: _Touched
    ) -> tuple[AccountId | None, str | None]:
        """Mark the accounts that a case or dispute concerns. Returns whose it is, and the bug that it keeps open."""
        own = self._mapping.account_id(kind, row)
        bug_key = self._open_bug(row, last) if kind is RecordKind.CASE else None
        if own is not None and (own in before.watched or not surely_quiet(self._mapping, kind, row)):
            touched.accounts.add(own)
        if last is not None:
            touched.accounts.update(AccountId(each) for each in (last.account_id, own) if each)
        old_key = None if last is None or last.gone else last.bug_key
        if old_key != bug_key or (last is not None and last.account_id != own):
            touched.bug_keys.update(key for key in (old_key, bug_key) if key)
        return own, bug_key

    def _open_bug(self, row: Row, last: facts.Known | None) -> str | None:
        """The bug of an open case. One whose status cannot be read counts as before: not knowing is not closing."""
        try:
            key, is_open = self._mapping.bug_key(row)
        except UnmappableError:
            return None if last is None else last.bug_key
        return key if is_open else None

    def _set_aside(self, tx: Connection, kind: RecordKind, page: Page[Row], began: datetime) -> None:
        for bad in page.bad:
            progress.put_in_quarantine(
                tx, self._connector, kind, bad.record_id, "", bad.reason, began, body=bad.body[:2000]
            )

    def _mark(self, tx: Connection, touched: _Touched, began: datetime) -> None:
        """Mark in the page's own transaction: a crash can then lose neither the page nor the mark."""
        for accounts in facts.bug_accounts(tx, self._connector, touched.bug_keys).values():
            touched.accounts.update(accounts)
        progress.mark_dirty(tx, self._connector, touched.accounts, began)


__all__ = ["Mirror"]
