"""A root cause that comes again becomes a proposal, which says what its rule has seen in the stored past."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from tests.office import Office
from worker.core.model import ConnectorName
from worker.whatif.proof import Prover

RULE = "playbook: {repeats: 2, within: 60d}\npost_mortem: {levels: []}"
ENDED = {
    "override": "resolved",
    "override_by": "Bima Santoso",
    "override_customer_confirmed": True,
    "override_note": "fixed",
    "override_root_cause": "slow export",
}


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path, more=RULE)
    yield made
    made.close()


def day(here: Office, days: float = 1) -> None:
    here.cycle(timedelta(days=days))


def ends(here: Office, key: str) -> None:
    """An account turns red, and a person says how it ended."""
    here.account(key, "Merah", health_as_of=here.clock.at_time)
    day(here)
    here.account(key, "Merah", **ENDED)
    day(here)
    here.account(key, "Hijau", override="none")
    day(here)


def proposal(here: Office) -> str:
    (task,) = [each for each in here.crm.tasks() if each.subject.startswith("Playbook")]
    return " ".join(task.body.split())


def test_a_proposal_says_what_its_rule_has_seen_and_who_left(office: Office) -> None:
    for key in ("A1", "A2", "A3", "A4", "A5"):
        office.account(key)
    day(office)
    office.account("A3", "Merah", health_as_of=office.clock.at_time)
    day(office)
    for key in ("A3", "A4"):
        office.account(key, churned_on=(office.clock.at_time + timedelta(days=3)).date().isoformat())
    day(office, 60)
    ends(office, "A1")
    ends(office, "A2")
    told = proposal(office)

    assert "Backtest on the stored facts, 66 days" in told
    assert "5 accounts: the rule health red escalated 3 times at 3 accounts" in told
    assert "One level higher they would have been 3 L3; as the policy is, they are 3 L2." in told
    assert (
        "Of 2 customers who left in that time it had escalated 1 before they did, the other 1 it did not see." in told
    )


def test_a_proposal_admits_that_too_little_is_stored(office: Office) -> None:
    office.account("A1")
    office.account("A2")
    day(office)
    ends(office, "A1")
    ends(office, "A2")
    told = proposal(office)

    assert "too little is stored to judge by. 5 days of 2 accounts are known, with 2 escalations" in told
    assert "One level higher" not in told


class Hurried:
    """A clock on which each look at an account takes a second."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def monotonic(self) -> float:
        self.seconds += 1
        return self.seconds


def test_it_stops_looking_when_its_time_is_over_and_says_so(office: Office) -> None:
    for number in range(30):
        office.account(f"A{number:02d}", "Merah")
    day(office)
    decider = office.worker.cycle.decider(ConnectorName("embedded"))
    prover = decider._prover
    prover._ports = Hurried()
    with office.store.read() as tx:
        proof = prover.prove(tx, "health_red", office.clock.now())

    assert (proof.looked, proof.accounts) == (2, 30)
    assert proof.escalations == 2


def test_what_a_person_found_has_no_rule_to_prove(office: Office) -> None:
    office.account("A1")
    day(office)
    prover: Prover = office.worker.cycle.decider(ConnectorName("embedded"))._prover
    with office.store.read() as tx:
        assert prover.prove(tx, "manual", office.clock.now()) is None


def test_a_bug_is_counted_over_all_accounts_that_it_hit(office: Office) -> None:
    for key in ("A1", "A2"):
        office.account(key)
        office.crm.put("case", f"C-{key}", {"account_id": key, "status": "Open", "bug_key": "BUG-7"})
    day(office)
    prover: Prover = office.worker.cycle.decider(ConnectorName("embedded"))._prover
    with office.store.read() as tx:
        proof = prover.prove(tx, "multi_customer_bug", office.clock.now() + timedelta(hours=1))

    assert (proof.escalations, proof.hit) == (2, 2)
