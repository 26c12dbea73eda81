"""Reading: what to ask a CRM in this tick, and its pages into the mirror; one transaction a page, the cursor last.

Level-triggered: a page read twice changes nothing, a lost cursor costs time. A kind that cannot be read leaves the
others alone, and what is known of it stays: absence is never evidence.

Four ways to look, because no cursor sees everything: each tick from the cursor on; every so often further back, for
what was committed late; by condition, for calculated fields that do not move a record's stamp; and now and then all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy import Connection

from connectors.base import ConnectorError, Cursor, Page, Query, Row
from worker.core.model import RecordKind
from worker.mirror import Mirror
from worker.ports import Ports
from worker.rehoming import Rehoming
from worker.store import escalations, facts, progress
from worker.store.codec import micros
from worker.store.database import Store, StoreBusyError, StoreError
from worker.unowned import Hits
from worker.untitled import Untitled
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
    """How to read, besides what the connector's capabilities say: the late look reaches at least `overlap` back,
    `sweep_every` everything is read.
    """

    overlap: timedelta = timedelta(minutes=15)
    sweep_every: timedelta = timedelta(hours=24)
    page_size: int = 2000


@dataclass(frozen=True, slots=True)
class _Plan:
    """What this tick asks about one kind."""

    kind: RecordKind
    place: progress.Position
    changes: Query[Row]
    states: Query[Row] | None
    late: bool
    sweeping: bool
    first_load: bool


class Puller:
    """Brings the mirror of one CRM up to date."""

    def __init__(self, crm: Crm, store: Store, ports: Ports, reading: Reading, hits: Hits | None = None) -> None:
        self._crm = crm
        self._store = store
        self._ports = ports
        self._reading = reading
        self._mirror = Mirror(crm.name, crm.mapping, hits)
        self._can = crm.connector.capabilities()
        self._rehoming = Rehoming(crm.name, store, ports)
        self._untitled = Untitled(crm, store, ports)
        self._looked_late: dict[RecordKind, float] = {}
        self._looked_at_states: dict[RecordKind, float] = {}

    def run(self) -> dict[RecordKind, KindRead]:
        """Read every kind that the mapping knows; the result tells what failed."""
        began = self._ports.now()
        with self._store.read() as tx:
            plans = [self._plan(tx, kind, began) for kind in self._crm.mapping.kinds]
        self._crm.connector.announce([query for plan in plans for query in (plan.changes, plan.states) if query])
        reads = {plan.kind: self._guarded(plan.kind, KindRead(), partial(self._pull, plan, began)) for plan in plans}
        for kind, ids in self._wanted_again().items():
            self._guarded(kind, reads[kind], partial(self._read_again, kind, ids, began))
        return reads

    def _wanted_again(self) -> Mapping[RecordKind, Sequence[str]]:
        """What no cursor would show: records that hang on another account now, cases whose writer may have a title."""
        moved, untitled = self._rehoming.wanted(), self._untitled.wanted()
        if not untitled:
            return moved
        cases = dict.fromkeys((*moved.get(RecordKind.CASE, ()), *untitled))
        return {**moved, RecordKind.CASE: list(cases)}

    def _guarded(self, kind: RecordKind, read: KindRead, work: Callable[[KindRead], None]) -> KindRead:
        try:
            work(read)
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

    def _read_again(self, kind: RecordKind, ids: Sequence[str], began: datetime, read: KindRead) -> None:
        for page, changed in self._by_id(kind, ids, began):
            read.changed += changed
            read.rows += len(page.rows)

    def _by_id(self, kind: RecordKind, ids: Sequence[str], began: datetime) -> Iterator[tuple[Page[Row], int]]:
        """Pages of named records, into the mirror as well, each with how many changed. No cursor moves."""
        for page in self._crm.connector.pull(self._crm.mapping.query(kind, ids=ids)):
            with self._store.begin() as tx:
                changed = self._mirror.take(tx, kind, page, began, first_load=False)
            yield page, changed

    def _note_failure(self, kind: RecordKind, failure: str) -> None:
        with self._store.begin() as tx:
            place = progress.position(tx, self._crm.name, kind)
            progress.save_position(tx, self._crm.name, kind, replace(place, failure=failure))

    def _plan(self, tx: Connection, kind: RecordKind, began: datetime) -> _Plan:
        place = progress.position(tx, self._crm.name, kind)
        first_load = place.stamp is None and facts.empty(tx, self._crm.name, kind)
        sweeping = place.swept_at is None or began - place.swept_at >= self._reading.sweep_every
        late = self._is_due(self._looked_late.get(kind), self._can.late_every)
        since = self._since(place, late=late, sweeping=sweeping)
        changes = self._crm.mapping.query(kind, since=since, page_size=self._reading.page_size)
        states = None if since is None else self._states(kind)
        return _Plan(kind, place, changes, states, late, sweeping, first_load)

    def _since(self, place: progress.Position, *, late: bool, sweeping: bool) -> Cursor | None:
        """From where on; an unfinished first load goes on where it was interrupted."""
        first_load_goes_on = place.swept_at is None
        if place.stamp is None or (sweeping and not first_load_goes_on):
            return None
        far = max(self._can.late_overlap, self._reading.overlap)
        return Cursor(place.stamp - (far if late else self._can.overlap))

    def _states(self, kind: RecordKind) -> Query[Row] | None:
        query = self._crm.mapping.state_query()
        due = self._is_due(self._looked_at_states.get(kind), self._can.states_every)
        return query if query.kind == kind.value and due else None

    def _is_due(self, last: float | None, every: timedelta) -> bool:
        return last is None or self._ports.monotonic() - last >= every.total_seconds()

    def _pull(self, plan: _Plan, began: datetime, read: KindRead) -> None:
        place = plan.place
        for page in self._crm.connector.pull(plan.changes):
            moved = _moved(place, page.high_water)
            self._take(plan, page, began, read, place=moved)
            place = moved
        if plan.changes.since is None:
            self._looked_at_states[plan.kind] = self._ports.monotonic()
        if plan.states is not None:
            for page in self._crm.connector.pull(plan.states):
                self._take(plan, page, began, read)
            self._looked_at_states[plan.kind] = self._ports.monotonic()
        if plan.sweeping:
            self._look_for_gone(plan.kind, began)
        self._finish(plan, place, began)

    def _take(
        self, plan: _Plan, page: Page[Row], began: datetime, read: KindRead, place: progress.Position | None = None
    ) -> None:
        """One page in one transaction; the cursor moves with it, last, where a page is one of the changes."""
        first_load = plan.first_load and place is not None
        try:
            read.changed += self._store_page(plan, page, began, place, first_load=first_load)
        except StoreBusyError:
            # The first load asks for no earlier versions; where a record came twice, there is one all the same.
            if not first_load:
                raise
            read.changed += self._store_page(plan, page, began, place, first_load=False)
        read.rows += len(page.rows)
        read.bad += len(page.bad)
        self._ports.at("page")

    def _store_page(
        self, plan: _Plan, page: Page[Row], began: datetime, place: progress.Position | None, *, first_load: bool
    ) -> int:
        with self._store.begin() as tx:
            changed = self._mirror.take(tx, plan.kind, page, began, first_load=first_load)
            if place is not None and place != plan.place:
                progress.save_position(tx, self._crm.name, plan.kind, place)
        return changed

    def _finish(self, plan: _Plan, place: progress.Position, began: datetime) -> None:
        if plan.late:
            self._looked_late[plan.kind] = self._ports.monotonic()
        swept_at = began if plan.sweeping else place.swept_at
        with self._store.begin() as tx:
            finished = replace(place, read_at=began, swept_at=swept_at, failure="")
            progress.save_position(tx, self._crm.name, plan.kind, finished)

    def _look_for_gone(self, kind: RecordKind, began: datetime) -> None:
        """Ask by id for what open escalations rest on: only an answer without the record means that it is gone."""
        with self._store.read() as tx:
            accounts = [one.account_id for _, one in escalations.open_ones(tx, self._crm.name)]
            expected = facts.newest_by_kind(tx, self._crm.name, accounts).get(kind, []) if accounts else []
        if not expected:
            return
        found: set[str] = set()
        for page, _ in self._by_id(kind, expected, began):
            found.update(row.record_id for row in page.rows)
            found.update(bad.record_id for bad in page.bad)
        missing = [record_id for record_id in expected if record_id not in found]
        with self._store.begin() as tx:
            concerned = facts.mark_gone(tx, self._crm.name, kind, missing, began)
            progress.mark_dirty(tx, self._crm.name, concerned, began)


def _moved(place: progress.Position, high_water: Cursor | None) -> progress.Position:
    """The cursor moves forward only: a look back re-reads old records without going back."""
    if high_water is None:
        return place
    present = (micros(place.stamp), place.record_id) if place.stamp is not None else (-1, "")
    if (micros(high_water.stamp), high_water.record_id) <= present:
        return place
    return replace(place, stamp=high_water.stamp, record_id=high_water.record_id)


def failed(reads: Iterable[KindRead]) -> bool:
    """Whether anything could not be read."""
    return any(read.failure for read in reads)
