"""Reading: each kind from its cursor, page by page, into the mirror; one transaction a page, the cursor last.

Level-triggered: a page read twice changes nothing, a lost cursor costs time. A kind that cannot be read leaves the
others alone, and what is known of it stays: absence is never evidence.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connectors.base import ConnectorError, Cursor, Page, Query, Row
from worker.core.model import AccountId, RecordKind
from worker.mapping import UnmappableError
from worker.ports import Ports
from worker.store import escalations, facts, progress
from worker.store.codec import micros
from worker.store.database import Store, StoreError
from worker.wiring import Crm


@dataclass(slots=True)
class KindRead:
    """What reading one kind came to."""

    rows: int = 0
    changed: int = 0
    bad: int = 0
    failure: str = ""
    remedy: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read. `overlap` is read again each time, since a CRM may commit late; `sweep_every` reads everything;
    `state_every` asks for the accounts whose state matters, because a calculated field does not move a record's stamp.
    """

    overlap: timedelta = timedelta(minutes=15)
    sweep_every: timedelta = timedelta(hours=24)
    state_every: timedelta = timedelta(minutes=10)
    page_size: int = 2000


@dataclass(slots=True)
class _Touched:
    """What a page changes besides its own records."""

    accounts: set[AccountId] = field(default_factory=set)
    bug_keys: set[str] = field(default_factory=set)


class Puller:
    """Brings the mirror of one CRM up to date."""

    def __init__(self, crm: Crm, store: Store, ports: Ports, reading: Reading) -> None:
        self._crm = crm
        self._store = store
        self._ports = ports
        self._reading = reading
        self._looked_at: dict[RecordKind, float] = {}

    def run(self) -> dict[RecordKind, KindRead]:
        """Read every kind that the mapping knows; the result tells what failed."""
        return {kind: self._guarded(kind) for kind in self._crm.mapping.kinds}

    def _guarded(self, kind: RecordKind) -> KindRead:
        read = KindRead()
        try:
            self._pull(kind, read)
        except StoreError:
            raise
        except ConnectorError as error:
            read.failure, read.remedy = str(error), error.remedy
        except Exception as error:  # noqa: BLE001  whatever a connector's library throws stops this kind only (I8)
            read.failure = f"{type(error).__name__}: {error}"
            read.remedy = "report this to whoever wrote the connector"
        if read.failure:
            self._note_failure(kind, read.failure)
        return read

    def _note_failure(self, kind: RecordKind, failure: str) -> None:
        with self._store.begin() as tx:
            place = progress.position(tx, self._crm.name, kind)
            progress.save_position(tx, self._crm.name, kind, replace(place, failure=failure))

    def _pull(self, kind: RecordKind, read: KindRead) -> None:
        began = self._ports.now()
        with self._store.read() as tx:
            place = progress.position(tx, self._crm.name, kind)
            first_load = place.stamp is None and facts.empty(tx, self._crm.name, kind)
        sweeping = self._sweep_is_due(place, began)
        for page in self._crm.connector.pull(self._changes(kind, place, sweeping=sweeping)):
            place = self._mirror(kind, page, began, place, read, first_load=first_load)
        if self._state_is_due(kind):
            self._look_at_states(kind, began, read)
        if sweeping:
            self._look_for_gone(kind, began)
        self._finish(kind, place, began, sweeping=sweeping)

    def _sweep_is_due(self, place: progress.Position, began: datetime) -> bool:
        return place.swept_at is None or began - place.swept_at >= self._reading.sweep_every

    def _changes(self, kind: RecordKind, place: progress.Position, *, sweeping: bool) -> Query[Row]:
        unfinished_first_load = place.swept_at is None
        since = None
        if place.stamp is not None and (not sweeping or unfinished_first_load):
            since = Cursor(place.stamp - self._reading.overlap)
        return self._crm.mapping.query(kind, since=since, page_size=self._reading.page_size)

    def _finish(self, kind: RecordKind, place: progress.Position, began: datetime, *, sweeping: bool) -> None:
        swept_at = began if sweeping else place.swept_at
        with self._store.begin() as tx:
            finished = replace(place, read_at=began, swept_at=swept_at, failure="")
            progress.save_position(tx, self._crm.name, kind, finished)

    def _state_is_due(self, kind: RecordKind) -> bool:
        last = self._looked_at.get(kind)
        return last is None or self._ports.monotonic() - last >= self._reading.state_every.total_seconds()

    def _look_at_states(self, kind: RecordKind, began: datetime, read: KindRead) -> None:
        query = self._crm.mapping.state_query()
        if query.kind == kind.value:
            for page in self._crm.connector.pull(query):
                self._mirror(kind, replace(page, high_water=None), began, None, read, first_load=False)
        self._looked_at[kind] = self._ports.monotonic()

    def _mirror(
        self,
        kind: RecordKind,
        page: Page[Row],
        began: datetime,
        place: progress.Position | None,
        read: KindRead,
        *,
        first_load: bool,
    ) -> progress.Position:
        rows = list({row.record_id: row for row in page.rows}.values())
        with self._store.begin() as tx:
            changed = self._store_rows(tx, kind, rows, began, first_load=first_load)
            self._set_aside(tx, kind, page, began)
            moved = _moved(place, page.high_water)
            if place is not None:
                progress.save_position(tx, self._crm.name, kind, moved)
        read.rows += len(rows)
        read.changed += changed
        read.bad += len(page.bad)
        self._ports.at("page")
        return moved

    def _set_aside(self, tx: Connection, kind: RecordKind, page: Page[Row], began: datetime) -> None:
        for bad in page.bad:
            progress.put_in_quarantine(
                tx, self._crm.name, kind, bad.record_id, "", bad.reason, began, body=bad.body[:2000]
            )

    def _store_rows(
        self, tx: Connection, kind: RecordKind, rows: Sequence[Row], began: datetime, *, first_load: bool
    ) -> int:
        mapping = self._crm.mapping
        ids = [row.record_id for row in rows]
        known = {} if first_load else facts.known(tx, self._crm.name, kind, ids)
        concerned = ids
        if kind is not RecordKind.ACCOUNT:
            concerned = [account for row in rows if (account := mapping.account_id(kind, row)) is not None]
        watched = {} if first_load else progress.watched(tx, self._crm.name, concerned)
        touched = _Touched()
        versions: list[facts.Version] = []
        for row in rows:
            before = known.get(row.record_id)
            digest = mapping.digest(row)
            if before is not None and _same(before, digest, row, watched if kind is RecordKind.ACCOUNT else {}):
                continue
            versions.append(self._version(kind, row, before, digest))
            self._touch(touched, kind, row, before, versions[-1], watched)
            if before is None and kind is RecordKind.ACCOUNT and not first_load:
                touched.accounts.add(AccountId(row.record_id))
        facts.append(tx, self._crm.name, kind, versions, began)
        if not first_load:
            present = {row.record_id: row.modified_at for row in rows}
            progress.release_from_quarantine(tx, self._crm.name, kind, present)
            if kind is RecordKind.ACCOUNT and watched:
                progress.saw_accounts(tx, self._crm.name, list(watched), began)
        self._mark(tx, touched, began)
        return len(versions)

    def _version(self, kind: RecordKind, row: Row, before: facts.Known | None, digest: bytes) -> facts.Version:
        mapping = self._crm.mapping
        account_id = bug_key = None
        if kind is not RecordKind.ACCOUNT:
            account_id = mapping.account_id(kind, row)
        if kind is RecordKind.CASE:
            bug_key = self._open_bug(row, before)
        seq = 1 if before is None else before.seq + 1
        body = mapping.dump(row)
        return facts.Version(row.record_id, seq, account_id, bug_key, row.modified_at, digest, body, row.deleted)

    def _open_bug(self, row: Row, before: facts.Known | None) -> str | None:
        """The bug of an open case. One whose status cannot be read counts as before: not knowing is not closing."""
        try:
            key, is_open = self._crm.mapping.bug_key(row)
        except UnmappableError:
            return None if before is None else before.bug_key
        return key if is_open else None

    def _touch(
        self,
        touched: _Touched,
        kind: RecordKind,
        row: Row,
        before: facts.Known | None,
        version: facts.Version,
        watched: dict[str, datetime | None],
    ) -> None:
        own = row.record_id if kind is RecordKind.ACCOUNT else version.account_id
        if own is not None and (own in watched or not self._is_quiet(kind, row)):
            touched.accounts.add(AccountId(own))
        if before is not None and kind is not RecordKind.ACCOUNT:
            touched.accounts.update(AccountId(each) for each in (before.account_id, own) if each)
        old_key = None if before is None or before.gone else before.bug_key
        if old_key != version.bug_key or (before is not None and before.account_id != version.account_id):
            touched.bug_keys.update(key for key in (old_key, version.bug_key) if key)

    def _is_quiet(self, kind: RecordKind, row: Row) -> bool:
        try:
            return self._crm.mapping.quiet(kind, row)
        except UnmappableError:
            return False

    def _mark(self, tx: Connection, touched: _Touched, began: datetime) -> None:
        """Mark in the page's own transaction: a crash can then lose neither the page nor the mark."""
        for accounts in facts.bug_accounts(tx, self._crm.name, touched.bug_keys).values():
            touched.accounts.update(accounts)
        progress.mark_dirty(tx, self._crm.name, touched.accounts, began)

    def _look_for_gone(self, kind: RecordKind, began: datetime) -> None:
        """Ask by id for what open escalations rest on: only an answer without the record means that it is gone."""
        with self._store.read() as tx:
            accounts = [one.account_id for _, one in escalations.open_ones(tx, self._crm.name)]
            expected = facts.newest_by_kind(tx, self._crm.name, accounts).get(kind, []) if accounts else []
        if not expected:
            return
        found: set[str] = set()
        for page in self._crm.connector.pull(self._crm.mapping.query(kind, ids=expected)):
            found.update(row.record_id for row in page.rows if not row.deleted)
            found.update(bad.record_id for bad in page.bad)
        missing = [record_id for record_id in expected if record_id not in found]
        with self._store.begin() as tx:
            concerned = facts.mark_gone(tx, self._crm.name, kind, missing, began)
            progress.mark_dirty(tx, self._crm.name, concerned, began)


def _same(before: facts.Known, digest: bytes, row: Row, watched: dict[str, datetime | None]) -> bool:
    """Whether a record says nothing new.

    Where the worker has written its flag, a newer stamp with old content is news: somebody set the field back.
    """
    if before.gone != row.deleted or before.digest != digest:
        return False
    flag_was_written = watched.get(row.record_id) is not None
    return not (flag_was_written and before.modified != row.modified_at)


def _moved(place: progress.Position | None, high_water: Cursor | None) -> progress.Position:
    """The cursor moves forward only: a sweep re-reads old records without going back."""
    place = place or progress.Position()
    if high_water is None:
        return place
    present = (micros(place.stamp), place.record_id) if place.stamp is not None else (-1, "")
    if (micros(high_water.stamp), high_water.record_id) <= present:
        return place
    return replace(place, stamp=high_water.stamp, record_id=high_water.record_id)


def failed(reads: Iterable[KindRead]) -> bool:
    """Whether anything could not be read."""
    return any(read.failure for read in reads)
