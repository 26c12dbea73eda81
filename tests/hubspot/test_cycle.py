"""The whole worker on the strict twin, through HubSpot's own library: what it decides and writes, at which cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from tests.hubspot.harness import on_twin
from worker.assembly import Worker, assemble
from worker.core.model import AccountId, ConnectorName, Escalation, Outcome, RecordKind
from worker.mapping import CrmMapping
from worker.settings import load_settings
from worker.store import escalations, progress
from worker.store.database import Store, open_store
from worker.wiring import Crm

_CONFIG = """
connectors:
  hubspot:
    mapping: {mapping}
    secrets: {{token: {{env: HUBSPOT_KEY}}}}
brakes: {{first_run_asks: false, most_new: 500, most_share: 1}}
state_dir: {folder}
"""


@dataclass
class TwinPorts:
    """The worker's doors on the twin's clock, which may be `ahead` of it."""

    time: VirtualClock
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return self.time.now + self.ahead

    def monotonic(self) -> float:
        return self.time.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.time.advance(timedelta(seconds=seconds))

    def draw(self) -> float:
        return 0.5

    def worker_id(self) -> str:
        return "w1"

    def at(self, point: str) -> None:
        pass


@dataclass
class Shift:
    """A worker that runs a cycle a minute."""

    worker: Worker
    twin: HubSpotTwin
    time: VirtualClock
    store: Store

    def cycle(self, count: int = 1) -> Counter[str]:
        """Run, and say how often each endpoint was called in the last cycle."""
        for _ in range(count):
            self.time.advance(timedelta(minutes=1))
            number = len(self.twin.calls)
            report = self.worker.cycle.run()
            assert not [each.failure for each in report.crms["hubspot"].reads.values() if each.failure]
            assert not [each.failure for each in report.lanes.values() if each.failure]
        return Counter(call.path.replace("/2026-09", "") for call in self.twin.calls[number:])

    def watch(self) -> None:
        """A cycle that may fail to read."""
        self.time.advance(timedelta(minutes=1))
        self.worker.cycle.run()

    def aside(self) -> list[str]:
        """What ops are shown as set aside."""
        with self.store.read() as tx:
            return progress.quarantined(tx)

    def last(self, company: str) -> Escalation | None:
        """A company's latest escalation."""
        with self.store.read() as tx:
            return escalations.latest(tx, ConnectorName("hubspot"), AccountId(company))

    def open_ones(self) -> list[Escalation]:
        with self.store.read() as tx:
            return [each for _, each in escalations.open_ones(tx)]

    def pages(self, note: str, kind: str = "notes") -> list[str]:
        """The companies on whose pages a note or a task stands."""
        return self.twin.linked(kind, note, "companies")

    def notes(self) -> list[dict[str, str]]:
        return self.twin.records("notes")

    def flag(self, company: str) -> str:
        return self.twin.record("companies", company).get("escalation_flag", "")


@contextmanager
def employed(
    connector: HubSpotConnector,
    twin: HubSpotTwin,
    time: VirtualClock,
    mapping: CrmMapping,
    folder: Path,
    more: str = "",
    ahead: timedelta = timedelta(0),
) -> Iterator[Shift]:
    """A worker with its state in `folder`. `more` is added to its configuration."""
    config = folder / "escalation.yaml"
    shipped = Path(__file__).parent.parent.parent / "config/mappings/hubspot.yaml"
    config.write_text(_CONFIG.format(mapping=shipped, folder=folder) + more, encoding="utf-8")
    ports = TwinPorts(time, ahead)
    store = open_store(f"sqlite:///{folder / 'state.sqlite'}", ports)
    settings = load_settings(config, {"HUBSPOT_KEY": twin.app.key})
    crm = Crm(ConnectorName("hubspot"), connector, mapping)
    worker = assemble(settings, store, ports, crms=(crm,), outlets=None if more else ())
    yield Shift(worker, twin, time, store)
    store.close()


@pytest.fixture
def shift(
    twin: HubSpotTwin, on: HubSpotConnector, time: VirtualClock, mapping: CrmMapping, tmp_path: Path
) -> Iterator[Shift]:
    twin.owner("101", "sari@example.com", "Sari", "Hartono")
    with employed(on, twin, time, mapping, tmp_path) as made:
        yield made


def headlines(messages: Path) -> list[str]:
    lines = messages.read_text(encoding="utf-8").splitlines() if messages.exists() else []
    return [line for line in lines if not line.startswith(" ")]


def _until_midnight(now: datetime) -> timedelta:
    local = now.astimezone(ZoneInfo("Asia/Jakarta"))
    return timedelta(days=1) - timedelta(hours=local.hour, minutes=local.minute, seconds=local.second)


def red(twin: HubSpotTwin, name: str) -> str:
    return twin.put("companies", name=name, customer_health="red", hubspot_owner_id="101")


def test_our_own_writes_are_no_news(shift: Shift) -> None:
    """Trap 20: flag and note come back in the next windows, and nothing follows from them."""
    company = red(shift.twin, "PT Merah")
    shift.cycle(3)
    made, stamp = len(shift.notes()), shift.twin.record("companies", company)["hs_lastmodifieddate"]
    shift.cycle(8)

    assert made == 1
    assert shift.flag(company) == "true"
    assert len(shift.notes()) == made
    assert shift.twin.record("companies", company)["hs_lastmodifieddate"] == stamp


def test_a_computed_score_is_acted_on_within_one_poll(shift: Shift) -> None:
    """Trap 21: no stamp moved, and the account is escalated in the next cycle all the same."""
    company = shift.twin.put("companies", name="PT", customer_health="green", hubspot_owner_id="101")
    shift.cycle(3)
    shift.twin.recalculate("companies", company, customer_health="red")
    before = shift.flag(company)
    shift.cycle(2)

    assert before != "true"
    assert shift.flag(company) == "true"


def test_a_person_who_clears_the_flag_is_heard(shift: Shift) -> None:
    """Trap 28: the flag is not set again for the same evidence, and nothing else is made of it."""
    company = red(shift.twin, "PT Merah")
    shift.cycle(4)
    shift.twin.edit("companies", company, escalation_flag="false")
    shift.cycle(6)

    assert shift.flag(company) == "false"


def test_a_billing_ticket_above_the_limit_escalates_its_company(shift: Shift) -> None:
    """Trap 30: strictly above Rp 10,000,000, decided by the worker from what HubSpot sends."""
    at, above = (shift.twin.put("companies", name=name, customer_health="green") for name in ("PT At", "PT Above"))
    for company, amount in ((at, "10000000.00"), (above, "10000000.01")):
        values = {"disputed_amount": amount, "hs_ticket_category": "BILLING_ISSUE", "hs_pipeline_stage": "1"}
        ticket = shift.twin.put("tickets", subject="Invoice", hs_pipeline="0", **values)
        shift.twin.associate("tickets", ticket, "companies", company, primary=True)
    shift.cycle(3)

    assert (shift.flag(at) == "true", shift.flag(above) == "true") == (False, True)


def test_an_amount_without_a_rate_or_without_a_number_is_a_question_and_no_dispute(shift: Shift) -> None:
    """Trap 30: manual review, told to the CSM once; nothing is guessed, and nothing is silent."""
    twin = shift.twin
    franc, none = (
        twin.put("companies", name=name, customer_health="green", hubspot_owner_id="101") for name in ("PT F", "PT N")
    )
    for company, amount in ((franc, {"disputed_amount": "700", "disputed_currency": "CHF"}), (none, {})):
        values = {"hs_ticket_category": "BILLING_ISSUE", "hs_pipeline_stage": "1", **amount}
        ticket = twin.put("tickets", subject="Invoice", hs_pipeline="0", **values)
        twin.associate("tickets", ticket, "companies", company, primary=True)
    shift.cycle(8)
    asked = {company: each for each in twin.records("tasks") for company in shift.pages(each["hs_object_id"], "tasks")}

    assert (shift.flag(franc), shift.flag(none)) == ("", "")
    assert len(twin.records("tasks")) == 2
    assert set(asked) == {franc, none}
    assert "CHF" in asked[franc]["hs_task_body"]
    assert "amount" in asked[none]["hs_task_body"]
    assert {each["hubspot_owner_id"] for each in asked.values()} == {"101"}


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_a_clock_that_is_wrong_by_ten_minutes_loses_and_doubles_nothing(
    twin: HubSpotTwin, time: VirtualClock, mapping: CrmMapping, tmp_path: Path, ahead: timedelta
) -> None:
    """Trap 44: with tickets that HubSpot shows late as well."""
    connector = on_twin(twin, time, ahead=ahead)
    connector.setup(mapping.needs(), dry_run=False)
    values = {"hs_ticket_category": "CHURN", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
    companies = []
    with employed(connector, twin, time, mapping, tmp_path, ahead=ahead) as shift:
        shift.cycle(2)
        for number in range(12):
            company = twin.put("companies", name=f"PT {number}", customer_health="green")
            ticket = twin.put("tickets", late=timedelta(seconds=20 * (number % 4)), subject="Berhenti", **values)
            twin.associate("tickets", ticket, "companies", company, primary=True)
            companies.append(company)
            shift.cycle()
        shift.cycle(6)
        opened = len(shift.open_ones())
    connector.close()

    assert [shift.flag(each) for each in companies] == ["true"] * len(companies)
    assert opened == len(companies)
    assert len(twin.records("notes")) == len(companies)


def test_a_day_whose_calls_are_used_up_is_told_to_operations_once(
    twin: HubSpotTwin, on: HubSpotConnector, time: VirtualClock, mapping: CrmMapping, tmp_path: Path
) -> None:
    """Trap 5: reading stops until midnight in the portal's zone, and operations hear of it once, and of its end."""
    messages = tmp_path / "messages.txt"
    console = f"notifiers:\n  console: {{options: {{path: {messages}}}}}\nalarms: {{notifier: console, to: [ops]}}\n"
    with employed(on, twin, time, mapping, tmp_path, console) as shift:
        shift.cycle(2)
        twin.limits.spend(twin.limits.daily)
        number = len(twin.calls)
        for _ in range(60):
            shift.watch()
        told, asked = headlines(messages), len(twin.calls) - number
        time.advance(_until_midnight(time.now))
        for _ in range(20):
            shift.watch()

    assert asked < 10
    assert len(told) == len(set(told)) == len({each.partition(":")[2] for each in told})
    assert told
    assert all("hubspot" in each for each in told)
    assert len(headlines(messages)) == 2 * len(told)


def test_a_ticket_of_nobody_is_told_until_it_has_a_company(shift: Shift) -> None:
    """Trap 41: never dropped; a company that moves no stamp of the ticket is seen by the next sweep."""
    company = shift.twin.put("companies", name="PT", customer_health="green")
    values = {"hs_ticket_category": "CHURN", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
    ticket = shift.twin.put("tickets", subject="Kami berhenti", **values)
    shift.cycle(4)
    told = shift.aside()
    shift.twin.associate("tickets", ticket, "companies", company, primary=True)
    shift.cycle(61)

    assert [each.split(": ")[0] for each in told] == [f"hubspot case {ticket}"]
    assert "belongs to no account" in told[0]
    assert shift.aside() == []
    assert shift.flag(company) == "true"


def test_the_title_of_who_complains_is_asked_for_once_and_seen_at_the_contact(shift: Shift) -> None:
    """An edit of the contact moves no stamp of the ticket, and none of the company."""
    twin = shift.twin
    company = twin.put("companies", name="PT", customer_health="green", hubspot_owner_id="101")
    contact = twin.put("contacts", email="budi@pt.example", firstname="Budi")
    values = {"hs_ticket_category": "COMPLAINT", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
    for subject in ("Kami kecewa", "Masih kecewa"):
        ticket = twin.put("tickets", subject=subject, **values)
        twin.associate("tickets", ticket, "companies", company, primary=True)
        twin.associate("tickets", ticket, "contacts", contact)
    shift.cycle(4)
    asked = [task["hs_task_subject"] for task in twin.records("tasks")]
    twin.edit("contacts", contact, jobtitle="Direktur Utama")
    shift.cycle(12)

    assert [each.split(" complains")[0] for each in asked] == ["budi@pt.example"]
    assert (shift.flag(company), twin.record("companies", company)["escalation_level"]) == ("true", "L2")


def test_an_escalation_goes_on_at_the_company_that_a_merge_made_of_two(shift: Shift) -> None:
    """Trap 27: within one poll, with its clock, once; the tickets' stamps do not move."""
    twin = shift.twin
    lost, other = (twin.put("companies", name=name, customer_health="green") for name in ("PT Hilang", "PT Lain"))
    values = {"hs_ticket_category": "LEGAL", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
    ticket = twin.put("tickets", subject="Surat", **values)
    twin.associate("tickets", ticket, "companies", lost, primary=True)
    shift.cycle(3)
    before, stamp = shift.last(lost), twin.record("tickets", ticket)["hs_lastmodifieddate"]
    made = twin.merge("companies", other, lost)
    shift.cycle(2)
    ended, lives = shift.last(lost), shift.last(made)
    notes = [each["hs_note_body"] for each in shift.notes()]
    shift.cycle(10)

    assert stamp == twin.record("tickets", ticket)["hs_lastmodifieddate"]
    assert before is not None
    assert ended is not None
    assert lives is not None
    assert (ended.outcome, ended.outcome_note) == (Outcome.DUPLICATE, f"merged into PT Lain ({made})")
    assert (lives.open, lives.clock.due_at) == (True, before.clock.due_at)
    assert shift.flag(made) == "true"
    assert len(notes) == 3
    assert sum(f"PT Hilang ({lost}) was merged into this account" in each for each in notes) == 1
    assert {company for each in shift.notes() for company in shift.pages(each["hs_object_id"])} == {made}
    assert len(shift.notes()) == 3
    assert shift.last(other) is None


def test_two_companies_in_escalation_become_one_escalation(shift: Shift) -> None:
    """Trap 27: no second one is opened; what the merge copied of the flag is no person's doing."""
    one, two = (red(shift.twin, name) for name in ("PT Satu", "PT Dua"))
    shift.cycle(3)
    made = shift.twin.merge("companies", one, two)
    shift.cycle(3)
    told = [each["hs_note_body"] for each in shift.notes()]
    lives = shift.last(made)

    assert lives is not None
    assert "A person set the flag" not in "".join(told)
    assert sum("were merged into this account" in each for each in told) == 1
    assert len(lives.took_over) == 2
    assert len(shift.open_ones()) == 1


def test_tickets_that_hubspot_moves_late_are_asked_for_again(shift: Shift) -> None:
    """Trap 27: HubSpot's associations may lag behind the merge; the tickets come although no stamp tells of them."""
    twin = shift.twin
    lost, other = (twin.put("companies", name=name, customer_health="green") for name in ("PT Hilang", "PT Lain"))
    values = {"hs_ticket_category": "BILLING_ISSUE", "hs_pipeline": "0", "hs_pipeline_stage": "1"}
    for company in (lost, other):
        ticket = twin.put("tickets", subject="Tagihan", disputed_amount="6000000", disputed_currency="IDR", **values)
        twin.associate("tickets", ticket, "companies", company, primary=True)
    shift.cycle(20)
    twin.store.link_lag = timedelta(minutes=5)
    made = twin.merge("companies", other, lost)
    shift.cycle(2)
    early = shift.flag(made)
    shift.cycle(12)

    assert early == ""
    assert shift.flag(made) == "true"


def test_what_a_cycle_costs(shift: Shift) -> None:
    """The floor: one search an object and one for the states; one call for flags, one for notes, one for tasks.

    Where something is written ours is one more, the look at the companies just before for a person's change, and one
    for each further task of the same account: the writes of an account keep their order.
    """
    company = shift.twin.put("companies", name="PT", customer_health="green", hubspot_owner_id="101")
    for number in range(3):
        ticket = shift.twin.put("tickets", subject=f"T{number}", hs_pipeline="0", hs_pipeline_stage="1")
        shift.twin.associate("tickets", ticket, "companies", company, primary=True)
    shift.cycle(8)
    unchanged = shift.cycle()
    companies = [red(shift.twin, f"PT {number}") for number in range(40)]
    changed = shift.cycle()
    reading = {"/crm/objects/companies/search": 2, "/crm/objects/tickets/search": 2}
    writing = [
        f"/crm/objects/{each}" for each in ("companies/batch/update", "notes/batch/create", "tasks/batch/create")
    ]
    floor = Counter(reading) + Counter(writing)

    assert unchanged == reading
    assert (changed - floor).total() <= 2
    assert not floor - changed
    assert changed["/crm/objects/companies/batch/read"] == 1
    assert [shift.flag(each) for each in companies] == ["true"] * 40
    assert len(shift.notes()) == 40
    assert not shift.twin.limits.refused


def test_notes_and_tasks_stand_on_the_companys_page(shift: Shift) -> None:
    company = red(shift.twin, "PT <Merah> & Co")
    shift.cycle(2)
    (note,) = shift.notes()
    tasks = [shift.twin.record("tasks", key) for key in shift.twin.linked("companies", company, "tasks")]

    assert len(shift.twin.linked("companies", company, "notes")) == 1
    assert "Ref ESC-" in note["hs_note_body"]
    assert "<Merah>" not in note["hs_note_body"]
    assert tasks
    assert {each["hs_task_status"] for each in tasks} == {"NOT_STARTED"}


def test_the_kinds_that_the_mapping_names_are_read(mapping: CrmMapping) -> None:
    assert mapping.kinds == (RecordKind.ACCOUNT, RecordKind.CASE, RecordKind.DISPUTE)
