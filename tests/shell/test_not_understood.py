"""Where an account's newest version cannot be understood an older one counts, but its flag is read from the newest."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.office import Office
from worker.audit import audit
from worker.core.model import Escalation, Level, Outcome
from worker.store import escalations, progress


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    here = Office(tmp_path)
    here.account("A1", "Green")
    here.cycle()
    here.account("A1", "Green", override="banana")
    here.cycle()
    yield here
    here.close()


def latest(office: Office) -> Escalation | None:
    with office.store.read() as tx:
        return escalations.latest(tx, "embedded", "A1")


def set_aside(office: Office) -> int:
    with office.store.read() as tx:
        return len(progress.quarantined(tx))


def sue(office: Office) -> None:
    opened = office.clock.now()
    case = {"account_id": "A1", "subject": "Somasi", "category": "Legal", "status": "Open", "opened_at": opened}
    office.crm.put("case", "C1", case)


def test_its_flag_is_read_back_and_no_persons_no_is_seen_in_it(office: Office) -> None:
    sue(office)
    for _ in range(6):
        office.cycle()
    with office.store.read() as tx:
        escalated = [(each.open, each.level) for each in escalations.all_of(tx, "embedded", "A1")]

    assert escalated == [(True, Level.L3)]
    assert office.crm.get("account", "A1").fields["escalation_level"] == "L3"
    assert len(office.crm.notes("A1")) == 1
    assert set_aside(office) == 1
    assert audit(office.worker.crms[0], office.store).clean


def test_a_person_who_takes_the_flag_away_is_heeded(office: Office) -> None:
    sue(office)
    for _ in range(2):
        office.cycle()
    office.crm.put("account", "A1", {"escalated": False})
    office.cycle()

    assert latest(office).outcome is Outcome.WITHDRAWN


def test_a_flag_that_cannot_be_understood_itself_changes_nothing_until_it_can(office: Office) -> None:
    sue(office)
    for _ in range(2):
        office.cycle()
    office.crm.put("account", "A1", {"escalation_level": "L9"})
    for _ in range(3):
        office.cycle()
    meanwhile = latest(office).open, office.crm.get("account", "A1").fields["escalation_level"]
    office.crm.put("account", "A1", {"escalation_level": "L3", "override": None})
    office.cycle()

    assert meanwhile == (True, "L9")
    assert (latest(office).open, set_aside(office)) == (True, 0)


def test_its_clock_goes_on_however_many_versions_nobody_understood(office: Office) -> None:
    sue(office)
    for place in range(8):
        office.cycle()
        office.crm.put("account", "A1", {"city": f"Bandung {place}", "issue_impact": f"Impact {place}"})
    office.cycle()
    before = len(office.crm.notes("A1"))
    office.cycle(timedelta(hours=1))

    assert latest(office).open
    assert len(office.crm.notes("A1")) > before
