"""The past that a CRM kept, into the mirror: so that a policy can be held against it before the worker's own time.

Old versions are numbered downwards from the first one that the worker saw, so they never stand for the present. Running
it again adds nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby

from connectors.base import Row
from connectors.history import Historian
from worker.core.model import RecordKind
from worker.field_readers import UnmappableError
from worker.store import fact_history, facts
from worker.store.database import Store
from worker.wiring import Crm

_RECORDS_AT_ONCE = 500


def backfill(store: Store, crm: Crm) -> int | None:
    """Read what the CRM kept. Returns how many versions were added; None when this CRM keeps none."""
    if not isinstance(crm.connector, Historian):
        return None
    return sum(_kind(store, crm, crm.connector, kind) for kind in crm.mapping.kinds)


def _kind(store: Store, crm: Crm, historian: Historian, kind: RecordKind) -> int:
    added = 0
    some: list[list[Row]] = []
    for versions in _by_record(historian, crm, kind):
        some.append(versions)
        if len(some) == _RECORDS_AT_ONCE:
            added += _store(store, crm, kind, some)
            some = []
    return added + _store(store, crm, kind, some)


def _by_record(historian: Historian, crm: Crm, kind: RecordKind) -> Iterator[list[Row]]:
    rows = (row for page in historian.past(crm.mapping.query(kind)) for row in page.rows)
    for _, group in groupby(rows, key=lambda row: row.record_id):
        yield list(group)


def _store(store: Store, crm: Crm, kind: RecordKind, records: Sequence[list[Row]]) -> int:
    with store.begin() as tx:
        known = fact_history.oldest(tx, crm.name, kind, [versions[0].record_id for versions in records])
        fresh = [versions for versions in records if known.get(versions[0].record_id, 0) > 0]
        rows = [
            (_version(crm, kind, row, place - len(versions) + 1), crm.mapping.stamp(row))
            for versions in fresh
            for place, row in enumerate(versions)
        ]
        fact_history.prepend(tx, crm.name, kind, rows)
    return len(rows)


def _version(crm: Crm, kind: RecordKind, row: Row, seq: int) -> facts.Version:
    body = crm.mapping.body(row)
    account_id = None if kind is RecordKind.ACCOUNT else crm.mapping.account_id(kind, row)
    return facts.Version(row.record_id, seq, account_id, _bug(crm, kind, row), body, row.deleted)


def _bug(crm: Crm, kind: RecordKind, row: Row) -> str | None:
    if kind is not RecordKind.CASE:
        return None
    try:
        key, is_open = crm.mapping.bug_key(row)
    except UnmappableError:
        return None
    return key if is_open else None
