"""Cases and disputes of no account that ask for an escalation: nobody can be escalated, so operations must hear.

A case asks by what it is filed as, or by what the customer wrote. Its text is read when it is new or has changed, and
never repeated: what is shown names the trigger alone.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence

from sqlalchemy import Connection

from connectors.base import Row
from worker.core.model import BUILT_IN_TRIGGERS, Case, Certainty, ConnectorName, RecordKind, TextHit
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping
from worker.store import progress

Hits = Callable[[Case], Sequence[TextHit]]
"""The phrases in what a case's customer wrote."""

_ALONE = "it belongs to no account, so nobody can be escalated"
_REMEDY = "give it one in the CRM"
_OTHER = {RecordKind.CASE: RecordKind.DISPUTE, RecordKind.DISPUTE: RecordKind.CASE}


def surely_quiet(mapping: CrmMapping, kind: RecordKind, row: Row) -> bool:
    """Whether a record alone cannot ask for anything; a value that is not understood may mean anything."""
    try:
        return mapping.quiet(kind, row)
    except UnmappableError:
        return False


class Unowned:
    """Finds them in the pages of one CRM. Without `hits` texts are not read."""

    def __init__(self, connector: ConnectorName, mapping: CrmMapping, hits: Hits | None = None) -> None:
        self._connector = connector
        self._mapping = mapping
        self._hits = hits

    def among(
        self, tx: Connection, kind: RecordKind, rows: Sequence[Row], changed: Collection[str]
    ) -> Mapping[str, str]:
        """Why each of them is set aside, by its id. `changed` are the records of which a new version came."""
        if kind is RecordKind.ACCOUNT:
            return {}
        nobodys = [
            row
            for row in rows
            if self._mapping.account_id(kind, row) is None and not surely_quiet(self._mapping, kind, row)
        ]
        if not nobodys:
            return {}
        to_read = progress.aside(tx, self._connector, kind).union(changed)
        told = self._told_elsewhere(tx, kind)
        reasons = {
            row.record_id: self._filed(kind, row) or self._read(kind, row, to_read)
            for row in nobodys
            if row.record_id not in told
        }
        return {record_id: reason for record_id, reason in reasons.items() if reason}

    def _told_elsewhere(self, tx: Connection, kind: RecordKind) -> frozenset[str]:
        """Where disputes are kept as cases, one record comes as both, and is told once."""
        if not self._mapping.disputes_are_cases:
            return frozenset()
        return frozenset(progress.aside(tx, self._connector, _OTHER[kind]))

    def _filed(self, kind: RecordKind, row: Row) -> str:
        filed = kind is RecordKind.DISPUTE or self._mapping.category(row) in BUILT_IN_TRIGGERS
        return f"{_ALONE}: {_REMEDY}" if filed else ""

    def _read(self, kind: RecordKind, row: Row, to_read: Collection[str]) -> str:
        """What the customer's words speak for, by the triggers' names: the words themselves stay in the CRM."""
        if self._hits is None or kind is not RecordKind.CASE or row.record_id not in to_read:
            return ""
        try:
            hits = self._hits(self._mapping.case(row))
        except UnmappableError:
            return ""
        found = sorted({hit.trigger for hit in hits if hit.certainty is Certainty.CERTAIN})
        return f"{_ALONE}, and its text speaks of {', '.join(found)}: {_REMEDY}" if found else ""
