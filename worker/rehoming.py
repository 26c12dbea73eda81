"""What hung on an account that is gone hangs on another one now: it is asked for by id at once, not at the next sweep.

A merge moves cases and disputes to the account that stays, and moves no stamp of theirs. They are asked for again for a
while, since a CRM may take some minutes to move them all; what is lost in a restart the daily sweep finds.
"""

from __future__ import annotations

from collections.abc import Mapping

from worker.core.model import ConnectorName, RecordKind
from worker.ports import Ports
from worker.store import facts
from worker.store.database import Store

_Record = tuple[RecordKind, str]
_AGAIN, _A_WHILE = 300.0, 1200.0
"""Seconds after which they are asked for again, and for how long."""


class Rehoming:
    """Which records of one CRM have lost their account."""

    def __init__(self, connector: ConnectorName, store: Store, ports: Ports) -> None:
        self._connector = connector
        self._store = store
        self._ports = ports
        self._until: dict[_Record, float] = {}
        self._next: dict[_Record, float] = {}

    def wanted(self) -> Mapping[RecordKind, list[str]]:
        """The ids to ask for now: those of accounts just found to be gone, and from time to time those of before."""
        now = self._ports.monotonic()
        orphans = self._orphans()
        self._until = {each: until for each, until in self._until.items() if until > now}
        self._until |= dict.fromkeys(orphans, now + _A_WHILE)
        due = {each for each in self._until if self._next.get(each, now) <= now} | set(orphans)
        self._next = {each: now + _AGAIN if each in due else self._next[each] for each in self._until}
        found: dict[RecordKind, list[str]] = {}
        for kind, record_id in sorted(due):
            found.setdefault(kind, []).append(record_id)
        return found

    def _orphans(self) -> list[_Record]:
        with self._store.read() as tx:
            gone = facts.gone_to_decide(tx, self._connector)
            hanging = facts.newest_by_kind(tx, self._connector, gone) if gone else {}
        return [(kind, each) for kind, ids in hanging.items() if kind is not RecordKind.ACCOUNT for each in ids]
