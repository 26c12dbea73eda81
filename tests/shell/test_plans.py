"""What a tick asks of the state is found by an index, however much there is: no question reads a whole table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import event

from tests.office import Office
from worker.store import fact_history

_FEW = ("json_each", "asked", "silence", "cursor", "quarantine")
"""A list that was handed in, and tables that stay small."""
_WAITING = ("ix_outbox_pending", "ix_outbox_order", "uq_escalation_one_open", "ix_fact_gone")
"""Indexes of what waits, is open or is gone: all of it is little."""
_ALL = re.compile(
    r"SCAN (?P<table>\w+)( USING .*INDEX (?P<scanned>\w+))?"
    r"|SEARCH \w+ USING .*INDEX (?P<searched>\w+) \((crm|connector)=\?\)"
    r"|SEARCH \w+ USING INDEX (?P<of_kind>\w+) \(crm=\? AND kind=\?\)"
)
"""To count accounts an index is gone through, which none of these says; a record itself is not read."""


def reads_all(line: str) -> bool:
    found = _ALL.match(line)
    if found is None:
        return False
    return found["table"] not in _FEW and not {found["scanned"], found["searched"], found["of_kind"]} & set(_WAITING)


class Plans:
    """How SQLite would find what each statement asks for."""

    def __init__(self, office: Office) -> None:
        self._office = office
        self._said: dict[str, object] = {}
        event.listen(office.store.engine, "before_cursor_execute", self._heard)

    def _heard(
        self, _connection: object, _cursor: object, statement: str, given: object, _context: object, many: bool
    ) -> None:
        if not many and statement.lstrip().upper().startswith(("SELECT", "UPDATE", "DELETE", "WITH")):
            self._said.setdefault(statement, given)

    def reading_all(self) -> dict[str, list[str]]:
        """The statements that read a whole table, or all of it that is one CRM's."""
        event.remove(self._office.store.engine, "before_cursor_execute", self._heard)
        found: dict[str, list[str]] = {}
        with self._office.store.read() as tx:
            for statement, given in self._said.items():
                plan = [row[3] for row in tx.exec_driver_sql(f"EXPLAIN QUERY PLAN {statement}", given)]
                whole = [line for line in plan if reads_all(line)]
                if whole:
                    found[" ".join(statement.split())] = whole
        return found


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    here = Office(tmp_path)
    yield here
    here.close()


def test_no_question_of_a_tick_reads_a_whole_table(office: Office) -> None:
    for key in ("A1", "A2", "A3", "A4"):
        office.account(key)
    plans = Plans(office)
    office.cycle()
    for key in ("A1", "A2"):
        bug = {"account_id": key, "subject": "Error 500", "bug_key": "BUG-1", "status": "Open"}
        office.crm.put("case", f"C-{key}", bug)
    office.account("A3", "Red")
    office.crm.put("dispute", "D1", {"account_id": "A4", "amount": "25000000", "currency": "IDR", "status": "Open"})
    office.cycle()
    office.account("A3", "Red", override="acknowledged")
    office.cycle()
    office.cycle(timedelta(hours=5))
    office.account("A3", "Green", override="resolve", override_note="Solved", override_root_cause="Server")
    office.crm.put("case", "C-A1", {"status": "Closed"})
    office.cycle(timedelta(hours=6))
    with office.store.read() as tx:
        records = {fact.record_id for fact in fact_history.of_account(tx, "embedded", "A1")}
        bugs = {fact.record_id for fact in fact_history.bug_past(tx, "embedded")}

    assert (records, bugs) == ({"A1", "C-A1"}, {"C-A1", "C-A2"})
    assert plans.reading_all() == {}
