"""Complaints whose writer's title was asked for: they are asked for by id now and then, until it is there.

A title stands at the contact in most CRMs, and who writes it there moves no stamp of the case: no cursor would see it
before the daily sweep.
"""

from __future__ import annotations

from contextlib import suppress

from sqlalchemy import Connection

from worker.core.model import AccountId, Case, CaseStatus, RecordKind
from worker.core.titles import TITLE_ASKED, title_key
from worker.field_readers import UnmappableError
from worker.ports import Ports
from worker.store import facts, progress
from worker.store.database import Store
from worker.wiring import Crm

_EVERY = 600.0
"""Seconds between two looks."""
_MOST = 1000
"""Cases that one look asks for."""


class Untitled:
    """Which cases of one CRM wait for a title."""

    def __init__(self, crm: Crm, store: Store, ports: Ports) -> None:
        self._crm = crm
        self._store = store
        self._ports = ports
        self._looked: float | None = None

    def wanted(self) -> list[str]:
        """The ids to ask for now; none where the title is the case's own field, which moves its stamp."""
        now = self._ports.monotonic()
        if not self._crm.mapping.titles_elsewhere or (self._looked is not None and now - self._looked < _EVERY):
            return []
        self._looked = now
        with self._store.read() as tx:
            asked = progress.asked_for(tx, self._crm.name, TITLE_ASKED)
            waiting = [case for account, known in asked.items() for case in self._waiting(tx, account, known)]
        return waiting[:_MOST]

    def _waiting(self, tx: Connection, account: AccountId, asked: frozenset[str]) -> list[str]:
        cases: list[Case] = []
        for fact in facts.attached_facts(tx, self._crm.name, account):
            if fact.kind is RecordKind.CASE and not fact.gone:
                with suppress(UnmappableError):
                    cases.append(self._crm.mapping.case(self._crm.mapping.load(RecordKind.CASE, fact.body)))
        return [case.id for case in cases if _waits(case, asked)]


def _waits(case: Case, asked: frozenset[str]) -> bool:
    return case.untitled and case.status is CaseStatus.OPEN and title_key(case) in asked
