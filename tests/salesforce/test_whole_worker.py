"""The worker itself, out of a configuration file, on the strict twin: what ops start on the first day."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import VirtualClock
from tests.parity import Ports
from tests.salesforce.stub import ROOT, SOURCES
from worker.assembly import Worker, assemble, open_state
from worker.core.model import AccountId, ConnectorName, Escalation, Outcome
from worker.cycle import CycleReport
from worker.settings import load_settings
from worker.store import escalations, outbox, progress
from worker.store.database import Store
from worker.store.deliveries import State

CONFIG = """
connectors:
  salesforce:
    options: {{instance_url: "{url}", allow_loopback_http: true, client_id: {key}}}
    secrets: {{client_secret: {{env: SALESFORCE_SECRET}}}}
notifiers:
  console: {{options: {{path: messages.txt}}}}
people: {{cs_manager: {{name: Ratna Wijaya, email: ratna@example.com}}}}
brakes: {{first_run_asks: false, most_new: 500, most_share: 1.0}}
state_dir: state
"""


@dataclass
class Running:
    """A worker and the org that it watches."""

    twin: SalesforceTwin
    clock: VirtualClock
    worker: Worker
    store: Store
    folder: Path

    def tick(self) -> CycleReport:
        self.clock.advance(timedelta(minutes=1))
        report = self.worker.cycle.run()
        reads = report.crms["salesforce"].reads.values()  # type: ignore[index]
        assert not [each.failure for each in reads if each.failure]
        assert not [each.failure for each in report.lanes.values() if each.failure]
        return report

    def aside(self) -> list[str]:
        """What ops are shown as set aside."""
        with self.store.read() as tx:
            return progress.quarantined(tx)

    def last(self, account: str) -> Escalation:
        """An account's latest escalation."""
        with self.store.read() as tx:
            found = escalations.latest(tx, ConnectorName("salesforce"), AccountId(account))
        assert found is not None
        return found

    def messages(self) -> list[str]:
        """The headline of each message."""
        lines = (self.folder / "messages.txt").read_text(encoding="utf-8").splitlines()
        return [line for line in lines if not line.startswith(" ")]

    def refused(self) -> list[str]:
        """The reasons of dead letters."""
        with self.store.read() as tx:
            return [each.reason for each in outbox.in_state(tx, State.REFUSED)]

    def calls(self) -> int:
        """What this tick costs."""
        before = self.twin.usage.used
        self.tick()
        return self.twin.usage.used - before

    def flagged(self) -> dict[str, str]:
        return {
            each["Id"]: each["Escalation_Level__c"] for each in self.twin.records("Account") if each["Escalated__c"]
        }

    def notes(self, account: str) -> list[dict[str, Any]]:
        return [each for each in self.twin.records("Escalation_Note__c") if each["Account__c"] == account]


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    clock = VirtualClock(datetime(2026, 11, 24, 2, tzinfo=UTC))
    sets = ["Escalation_Worker", "Escalation_Worker_Customer_Success"]
    with SalesforceTwin(clock, metadata=SOURCES, permission_sets=sets) as twin:
        config = tmp_path / "escalation.yaml"
        config.write_text(CONFIG.format(url=twin.url, key=twin.app.consumer_key), encoding="utf-8")
        settings = load_settings(config, {"SALESFORCE_SECRET": twin.app.consumer_secret})
        ports = Ports(clock)
        store = open_state(settings, ports)
        worker = assemble(settings, store, ports)
        yield Running(twin, clock, worker, store, tmp_path)
        worker.close()
        store.close()


def test_the_packages_of_facts_are_where_the_test_looks() -> None:
    assert [each.relative_to(ROOT).parts[-1] for each in SOURCES] == ["force-app", "customer-success"]


def test_an_account_in_the_red_is_flagged_with_note_task_and_escalation(running: Running) -> None:
    twin = running.twin
    owner = twin.put("User", Username="sari@acme.id", Email="sari@acme.id", LastName="Sari")
    red = twin.put("Account", Name="PT Merah", Health__c="Red", OwnerId=owner)
    twin.put("Account", Name="PT Hijau", Health__c="Green", OwnerId=owner)
    running.tick()
    account = twin.record(red)
    (escalation,) = twin.records("Escalation__c")

    assert running.flagged() == {red: "L2"}
    assert account["Escalation_Status__c"] == "open"
    assert account["Escalation_Due__c"] > running.clock()
    assert (escalation["Account__c"], escalation["Escalation_Level__c"]) == (red, "L2")
    assert [each["Escalation__c"] for each in running.notes(red)] == [escalation["Id"]]
    assert all(each["WhatId"] == red for each in twin.records("Task"))


def test_disputes_cases_and_bugs_are_seen(running: Running) -> None:
    twin = running.twin
    disputed, exact, leaving, one, two = (
        twin.put("Account", Name=f"PT {name}", Health__c="Green") for name in ("A", "B", "C", "D", "E")
    )
    twin.put("Dispute__c", Account__c=disputed, Amount__c=Decimal("10000000.01"), Status__c="Open")
    twin.put("Dispute__c", Account__c=exact, Amount__c=Decimal("10000000.00"), Status__c="Open")
    twin.put(
        "Case", AccountId=leaving, Subject="Kami ingin berhenti berlangganan bulan depan", Status="New", Type="Churn"
    )
    for account in (one, two):
        twin.put("Case", AccountId=account, Subject="Export fails", Status="New", Bug_Key__c="BUG-7")
    running.tick()

    assert running.flagged() == {disputed: "L2", leaving: "L1", one: "L2", two: "L2"}


def complaint_without_a_title(twin: SalesforceTwin) -> tuple[str, str, str]:
    """The account, the contact and the case."""
    account = twin.put("Account", Name="PT", Health__c="Green")
    contact = twin.put("Contact", FirstName="Budi", LastName="Hartono")
    case = twin.put("Case", AccountId=account, ContactId=contact, Subject="x", Status="New", Type="Complaint")
    return account, contact, case


def asked_an_hour_ago(running: Running) -> tuple[str, str, str]:
    """Such a complaint, which only a look by id comes by again: an hour and a newer case have passed the cursor on."""
    account, contact, case = complaint_without_a_title(running.twin)
    for _ in range(60):
        running.tick()
    running.twin.put("Case", AccountId=account, Subject="How do I export?", Status="New")
    running.tick()
    return account, contact, case


def test_the_title_of_who_complains_is_asked_for_once_and_seen_at_the_contact(running: Running) -> None:
    """An edit of the contact moves no stamp of the case."""
    twin = running.twin
    account, contact, case = asked_an_hour_ago(running)
    asked = [each["Subject"] for each in twin.records("Task")]
    stamp = twin.record(case)["SystemModstamp"]
    twin.edit(contact, Title="Direktur Utama")
    for _ in range(11):
        running.tick()

    assert [each.split(" complains")[0] for each in asked] == ["Budi Hartono"]
    assert running.flagged() == {account: "L2"}
    assert twin.record(case)["SystemModstamp"] == stamp


def test_nobody_asks_again_for_what_is_closed(running: Running) -> None:
    """The look by id costs a call each ten minutes, as long as somebody waits for its answer."""
    twin = running.twin
    *_, case = complaint_without_a_title(twin)
    for _ in range(3):
        running.tick()
    waiting = [running.calls() for _ in range(10)]
    twin.edit(case, Status="Closed", IsClosed=True)
    running.tick()

    assert sorted(waiting) == [1] * 9 + [2]
    assert [running.calls() for _ in range(20)] == [1] * 20


@pytest.mark.parametrize(("title", "level"), [("Staff", None), ("Direktur Utama", "L2")])
def test_nobody_asks_again_once_the_title_stands_at_the_contact(
    running: Running, title: str, level: str | None
) -> None:
    """The next look sees it and is the last, an executive's or not, although the case stays open."""
    twin = running.twin
    account, contact, _ = asked_an_hour_ago(running)
    waiting = [running.calls() for _ in range(10)]
    twin.edit(contact, Title=title)
    for _ in range(11):
        running.tick()

    assert sorted(waiting) == [1] * 9 + [2]
    assert running.flagged().get(account) == level
    assert [running.calls() for _ in range(20)] == [1] * 20


def test_trap_35_a_case_without_an_account_is_told_once_and_stops_nothing(running: Running) -> None:
    twin = running.twin
    account = twin.put("Account", Name="PT A", Health__c="Green")
    nobodys = twin.put("Case", Subject="Nobody's", Status="New", Type="Churn")
    dispute = twin.put("Dispute__c", Amount__c=Decimal("10000000.01"), Status__c="Open")
    twin.put("Case", Subject="Filed as nothing", Status="New")
    twin.put("Case", AccountId=account, Subject="Somebody's", Status="New", Type="Churn")
    running.tick()
    running.tick()
    told = running.aside()

    assert running.flagged() == {account: "L1"}
    assert [each.split(": ")[0] for each in told] == [f"salesforce case {nobodys}", f"salesforce dispute {dispute}"]
    assert all("belongs to no account" in each for each in told)


def test_trap_35_a_case_of_nobody_that_speaks_by_its_text_alone_is_told_without_its_words(running: Running) -> None:
    twin = running.twin
    letter = (
        "Kami akan mengirim somasi melalui kuasa hukum kami bila ini tidak selesai minggu ini. Budi, 0812-3456-7890"
    )
    silent, closed = (
        twin.put("Case", Subject="Halo", Status="New", Description=each) for each in ("Terima kasih", letter)
    )
    twin.edit(closed, Status="Closed", IsClosed=True)
    speaks = twin.put("Case", Subject="Gangguan sejak Senin", Status="New", Description=letter)
    running.tick()
    told = running.aside()
    for _ in range(12):
        running.tick()
    still = running.aside()
    account = twin.put("Account", Name="PT A", Health__c="Green")
    twin.edit(speaks, AccountId=account)
    running.tick()

    assert [each.split(": ")[0] for each in told] == [f"salesforce case {speaks}"]
    assert silent not in "".join(told)
    assert "its text speaks of legal_compliance" in told[0]
    assert "Budi" not in told[0]
    assert "somasi" not in told[0]
    assert still == told
    assert running.aside() == []
    assert running.flagged() == {account: "L3"}


def test_trap_35_a_case_that_is_given_its_account_goes_on_by_itself(running: Running) -> None:
    twin = running.twin
    account = twin.put("Account", Name="PT A", Health__c="Green")
    given, closed = (twin.put("Case", Subject=each, Status="New", Type="Churn") for each in ("Given", "Closed"))
    running.tick()
    since = [each[-22:] for each in running.aside()]
    twin.edit(given, Subject="Given later")
    running.tick()
    still = [each[-22:] for each in running.aside()]
    twin.edit(given, AccountId=account)
    twin.edit(closed, Status="Closed", IsClosed=True)
    running.tick()

    assert len(since) == 2
    assert still == since
    assert running.aside() == []
    assert running.flagged() == {account: "L1"}


def test_an_unchanged_tick_is_one_call_and_writes_nothing(running: Running) -> None:
    """Our own writes come back with the next tick and change nothing (trap 13)."""
    for number in range(30):
        running.twin.put("Account", Name=f"PT {number}", Health__c="Red" if number < 5 else "Green")
    running.tick()
    stamps = {each["Id"]: each["SystemModstamp"] for each in running.twin.records("Account")}

    assert [running.calls() for _ in range(5)] == [1] * 5
    assert {each["Id"]: each["SystemModstamp"] for each in running.twin.records("Account")} == stamps
    assert len(running.twin.records("Escalation_Note__c")) == 5


def test_a_tick_that_flags_a_hundred_accounts_costs_the_floor_and_at_most_two(running: Running) -> None:
    """The floor is one call to read and two to write a hundred flags with notes in collections; tasks come in too."""
    ids = [running.twin.put("Account", Name=f"PT {number}", Health__c="Green") for number in range(150)]
    running.tick()
    running.twin.edit(ids[0], Health__c="Red")
    running.tick()  # what is described once a day is described now
    for each in ids[1:101]:
        running.twin.edit(each, Health__c="Red")
    calls = running.calls()

    assert len(running.flagged()) == 101
    assert len(running.twin.records("Escalation_Note__c")) == 101
    assert calls <= 1 + 2 + 2


def test_people_acknowledge_and_untick(running: Running) -> None:
    twin = running.twin
    red, other = (twin.put("Account", Name=name, Health__c="Red") for name in ("PT Merah", "PT Lain"))
    running.tick()
    twin.edit(red, Escalation_Override__c="acknowledged")
    twin.edit(other, Escalated__c=False)
    running.tick()
    running.tick()

    assert twin.record(red)["Escalation_Status__c"] == "acknowledged"
    assert running.flagged() == {red: "L2"}


def test_trap_36_an_account_of_a_queue_is_answered_for_by_people(running: Running) -> None:
    """Whatever owns it: no message goes to nobody, and no task to what is no user."""
    queue = "00G5g0000000001AAA"
    account = running.twin.put("Account", Name="PT A", Health__c="Red", OwnerId=queue)
    running.tick()

    assert running.flagged() == {account: "L2"}
    assert [each.partition(":")[0] for each in running.messages()] == ["message to Ratna Wijaya"]
    assert all(str(each["OwnerId"]).startswith("005") for each in running.twin.records("Task"))
    assert running.refused() == []


@pytest.fixture
def by_parent(tmp_path: Path) -> None:
    """A mapping of the user's own, in which cases hang together by their parent."""
    shipped = (ROOT / "config/mappings/salesforce.yaml").read_text(encoding="utf-8")
    (tmp_path / "mappings").mkdir()
    own = shipped.replace("bug_key: Bug_Key__c", "bug_key: ParentId")
    (tmp_path / "mappings/salesforce.yaml").write_text(own, encoding="utf-8")


@pytest.mark.usefixtures("by_parent")
def test_trap_40_parents_in_a_circle_end_and_customers_are_counted_once(running: Running) -> None:
    """What hangs below one case is one bug: by its accounts, not by its cases, and none of nobody's."""
    twin = running.twin
    twin.org.hidden.discard(("case", "parentid"))
    one, two, alone, first, second = (
        twin.put("Account", Name=f"PT {name}", Health__c="Green") for name in ("A", "B", "C", "D", "E")
    )
    parent, other = (twin.put("Case", Subject="Export fails", Status="New") for _ in range(2))
    for account in (one, one, two, None):
        twin.put("Case", AccountId=account, Subject="Export fails", Status="New", ParentId=parent)
    for _ in range(3):
        twin.put("Case", AccountId=alone, Subject="Login fails", Status="New", ParentId=other)
    circle = [twin.put("Case", AccountId=each, Subject="Slow", Status="New") for each in (first, second)]
    twin.edit(circle[0], ParentId=circle[1])
    twin.edit(circle[1], ParentId=circle[0])
    running.tick()

    assert running.flagged() == {one: "L2", two: "L2"}
    assert "1 other account" in twin.record(one)["Escalation_Reason__c"]


@pytest.mark.parametrize("survivor", ["Red", "Green"])
def test_trap_28_an_escalation_goes_on_at_the_account_that_a_merge_kept(running: Running, survivor: str) -> None:
    twin = running.twin
    kept, lost = (twin.put("Account", Name=name, Health__c="Green") for name in ("PT Tinggal", "PT Hilang"))
    running.tick()
    twin.edit(kept, Health__c=survivor)
    twin.put("Case", AccountId=lost, Subject="Surat hukum", Status="New", Type="Legal")
    running.tick()
    before = running.last(lost)
    twin.merge(kept, lost)
    running.tick()
    ended, lives = running.last(lost), running.last(kept)
    records = {each["Key__c"][:18]: each for each in twin.records("Escalation__c")}
    notes = {each["Name"]: each for each in twin.records("Escalation_Note__c")}

    assert (ended.outcome, ended.outcome_note) == (Outcome.DUPLICATE, f"merged into PT Tinggal ({kept})")
    assert (lives.level, lives.clock.due_at) == (before.level, before.clock.due_at)
    assert running.flagged() == {kept: "L3"}
    assert (records[lost]["Escalated__c"], records[lost]["Escalation_Status__c"]) == (False, "duplicate")
    assert (records[kept]["Escalated__c"], records[kept]["Escalation_Level__c"]) == (True, "L3")
    assert {each["Account__c"] for each in (*records.values(), *notes.values())} == {kept}
    assert f"merged into PT Tinggal ({kept})" in notes["Escalation L3: Closed"]["Body__c"]
    assert f"PT Hilang ({lost}) was merged" in "".join(each["Body__c"] for each in notes.values())
    assert running.refused() == []


def test_trap_28_cases_follow_a_merge_at_once_although_their_stamps_stand_still(running: Running) -> None:
    """Neither account had enough for an escalation; together they do."""
    twin = running.twin
    kept, lost = (twin.put("Account", Name=name, Health__c="Green") for name in ("PT Tinggal", "PT Hilang"))
    for account in (kept, lost):
        twin.put("Dispute__c", Account__c=account, Amount__c=Decimal(6_000_000), Status__c="Open")
    running.tick()
    before = running.flagged()
    twin.merge(kept, lost, restamp=False)
    running.tick()

    assert before == {}
    assert running.flagged() == {kept: "L2"}


def test_trap_28_a_merge_tells_each_end_and_each_beginning_once(running: Running) -> None:
    twin = running.twin
    kept, lost = (twin.put("Account", Name=name, Health__c="Green") for name in ("PT Tinggal", "PT Hilang"))
    twin.put("Case", AccountId=lost, Subject="Surat hukum", Status="New", Type="Legal")
    running.tick()
    told = len(running.messages())
    twin.merge(kept, lost)
    for _ in range(12):
        running.tick()
    news = running.messages()[told:]

    assert sorted(news) == [
        "message to Ratna Wijaya: L3 - PT Tinggal - restricted",
        "reply to Ratna Wijaya: Closed - PT Hilang - restricted",
    ]
    assert len(twin.records("Escalation_Note__c")) == 3
    assert running.calls() == 1


def test_trap_28_an_account_that_was_deleted_for_good_ends_its_escalation(running: Running) -> None:
    twin = running.twin
    gone = twin.put("Account", Name="PT Hilang", Health__c="Red")
    running.tick()
    twin.remove(gone)
    running.tick()
    ended = running.last(gone)

    assert (ended.outcome, ended.outcome_note) == (Outcome.ACCOUNT_REMOVED, "the account was removed from the CRM")
    assert running.refused() == []


def test_a_formula_that_moves_no_stamp_is_found(running: Running) -> None:
    twin = running.twin
    account = twin.put("Account", Name="PT Rumus", Health__c="Green")
    twin.calculate("Account", "Health__c")
    running.tick()
    twin.recalculate(account, Health__c="Red")
    running.tick()

    assert running.flagged() == {account: "L2"}


def test_a_late_commit_is_found_within_ten_minutes(running: Running) -> None:
    twin = running.twin
    twin.put("Account", Name="PT Satu", Health__c="Green")
    running.tick()
    account = twin.put("Account", Name="PT Terlambat", Health__c="Green", late=timedelta(seconds=300))
    twin.put("Case", AccountId=account, Subject="x", Type="Churn", Status="New", late=timedelta(seconds=300))
    for _ in range(16):
        running.tick()

    assert running.flagged() == {account: "L1"}
    assert len(running.notes(account)) == 1
