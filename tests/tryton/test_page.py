"""The worker as a service on a real Tryton, seen by a CSM in Tryton's own page."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from playwright.sync_api import Page, expect

from tests.tryton.page import Person, browser
from tests.tryton.server import Rpc, Server
from tests.tryton.worker import Worker

PASSWORD = "Dewi-is-a-CSM-77"
SHOWN = [
    *("escalated", "escalation_level", "escalation_opened_at", "escalation_due_at", "escalation_reason"),
    *("escalation_status", "health"),
]
LETTER = (
    "Selamat pagi,\n\nKami sangat kecewa. Kuasa hukum kami akan mengirim somasi bila gangguan ini tidak selesai minggu "
    "ini.\n\nHormat kami,\nAndi Setiawan, Direktur Utama"
)


class Shop:
    """The CRM as its users fill it."""

    def __init__(self, rpc: Rpc, made: dict[str, Any]) -> None:
        self.rpc = rpc
        self.made = made
        origin = rpc.search("ir.model", [["name", "=", "sale.sale"]], ["name"])[0]["id"]
        self.question = rpc.create("sale.complaint.type", {"name": "Question", "origin": origin})[0]
        sales = rpc.search("res.group", [["name", "=", "Sales"]], ["name"])[0]["id"]
        self.csm = rpc.create(
            "res.user",
            {
                "name": "Dewi Lestari",
                "login": "dewi",
                "password": PASSWORD,
                "email": "dewi.lestari@example.com",
                "groups": [["add", [sales]]],
                **made["user"],
            },
        )[0]

    def account(self, name: str, **fields: Any) -> int:
        common = {
            "name": name,
            "csm": self.csm,
            "health": "green",
            "health_score": 82,
            "health_as_of": datetime.now(UTC),
            "annual_revenue": Decimal(1_850_000_000),
            "annual_revenue_currency": self.made["currencies"]["IDR"],
            "tier": "standard",
            "renewal_on": (datetime.now(UTC) + timedelta(days=75)).date(),
        }
        return self.rpc.create("party.party", {**common, **fields})[0]

    def complaint(self, account: int, subject: str, text: str, **fields: Any) -> int:
        common = {"customer": account, "company": self.made["company"], "type": self.question, "state": "waiting"}
        return self.rpc.create("sale.complaint", {**common, "subject": subject, "description": text, **fields})[0]

    def dispute(self, account: int, amount: int) -> int:
        idr = self.made["currencies"]["IDR"]
        record = {"party": account, "amount": Decimal(amount), "currency": idr, "reason": "Double billing"}
        return self.rpc.create("escalation.dispute", {**record, "reference": "INV-2026-1187"})[0]

    def shows(self, account: int) -> dict[str, Any]:
        return self.rpc("party.party.read", [account], SHOWN)[0]

    def replace(self, lost: int, kept: int) -> None:
        """What a user does with the wizard of that name."""
        self.rpc.wizard("party.replace", "replace", source=lost, destination=kept)

    def notes_of(self, account: int) -> list[str]:
        found = self.rpc.search("escalation.note", [["party", "=", account]], ["title"])
        return [each["title"] for each in found]

    def notes(self, accounts: list[int]) -> list[int]:
        """How many notes each account has."""
        found = self.rpc.search("escalation.note", [["party", "in", accounts]], ["party"])
        return [sum(each["party"] == account for each in found) for account in accounts]


def wait_until(holds: Callable[[], bool], what: str, seconds: float = 60, pause: float = 0.2) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what}: not within {seconds:.0f} s"
        time.sleep(pause)


@pytest.fixture(scope="module")
def shop(admin: Rpc, made: dict[str, Any]) -> Shop:
    return Shop(admin, made)


@pytest.fixture(scope="module")
def threatened(shop: Shop) -> int:
    account = shop.account("PT Samudra Pelita", tier="strategic", health="yellow", health_score=55)
    shop.complaint(account, "Gangguan sejak Senin", LETTER, reporter="Andi Setiawan", reporter_title="Direktur Utama")
    shop.dispute(account, 27_500_000)
    return account


@pytest.fixture(scope="module")
def worker(
    server: Server, made: dict[str, Any], threatened: int, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Worker]:
    running = Worker(tmp_path_factory.mktemp("worker"), server.url, "crm", made["key"])
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def page() -> Iterator[Page]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def dewi(server: Server, worker: Worker, shop: Shop, threatened: int, page: Page) -> Person:
    wait_until(lambda: shop.notes([threatened]) == [1], "the worker's note")
    person = Person(page, server.url, "crm", "dewi", PASSWORD)
    person.open_list("Parties", "Escalated accounts")
    person.open_record("PT Samudra Pelita")
    return person


def test_a_csm_sees_flag_level_due_time_reason_and_note(shop: Shop, threatened: int, dewi: Person) -> None:
    due = shop.shows(threatened)["escalation_due_at"].astimezone(ZoneInfo("Asia/Jakarta"))
    note = dewi.page.locator("#tabcontent textarea[name=body]").first

    expect(dewi.field("Escalated")).to_be_checked()
    assert dewi.chosen("Level") == "L3"
    assert dewi.chosen("Status") == "Waiting for an answer"
    expect(dewi.field("Answer due")).to_have_value(due.strftime("%m/%d/%Y %H:%M"))
    expect(dewi.field("Why")).to_have_value(shop.shows(threatened)["escalation_reason"])
    assert "Kuasa hukum" in dewi.field("Why").input_value()
    assert "27.500.000" in dewi.field("Why").input_value()
    assert "PT Samudra Pelita" in note.input_value()
    dewi.screenshot(Path(os.environ["REAL_TRYTON"]) / "screenshot.png")


def test_her_answer_in_the_page_is_heeded_and_seen_there(shop: Shop, threatened: int, dewi: Person) -> None:
    before = shop.shows(threatened)
    dewi.choose("Answer", "I have it")
    dewi.press("Save")
    wait_until(lambda: shop.shows(threatened)["escalation_status"] == "acknowledged", "her acknowledgement")
    dewi.press("Reload/Undo")

    expect(dewi.field("Status").locator("option:checked")).to_have_text("Acknowledged")
    dewi.open_tab("Answer and outcome")
    expect(dewi.field("Answered by")).to_have_value("Dewi Lestari")
    after = shop.shows(threatened)
    assert (after["health"], after["escalation_opened_at"]) == (before["health"], before["escalation_opened_at"])


def test_one_press_of_the_button_does_the_same(shop: Shop, worker: Worker, dewi: Person) -> None:
    account = shop.account("CV Karya Abadi", health="red", health_score=21)
    wait_until(lambda: shop.shows(account)["escalation_status"] == "open", "the second escalation")
    dewi.open_list("Parties", "Escalated accounts")
    dewi.open_record("CV Karya Abadi")
    dewi.press("I have it")

    wait_until(lambda: shop.shows(account)["escalation_status"] == "acknowledged", "the press of the button")
    assert shop.rpc("party.party.read", [account], ["health"])[0]["health"] == "red"


def test_a_restart_of_the_server_is_survived(server: Server, shop: Shop, worker: Worker) -> None:
    account = shop.account("PT Tenang Sentosa")
    server.stop()
    time.sleep(2.5)
    assert worker.running()
    server.start()
    shop.dispute(account, 14_000_000)

    wait_until(lambda: shop.shows(account)["escalation_level"] == "L2", "the escalation after the restart")
    assert worker.running()


def test_kill_9_between_the_writes_leaves_exactly_one_note(shop: Shop, worker: Worker) -> None:
    accounts = [shop.account(f"PT Uji {number:02d}", health="red", health_score=12) for number in range(15)]
    wait_until(lambda: sum(shop.notes(accounts)) > 0, "the first note", pause=0.02)
    worker.kill()
    written = sum(shop.notes(accounts))
    worker.start()

    assert written < len(accounts), "the worker was killed too late to prove anything"
    wait_until(lambda: shop.notes(accounts) == [1] * len(accounts), "the remaining notes", seconds=90)
    wait_until(lambda: all(shop.shows(each)["escalated"] for each in accounts), "the remaining flags")
    wait_until(lambda: "each exactly once, every flag stands" in audited(worker), "a clean audit", pause=2)


def test_an_escalation_goes_on_at_the_party_that_replaced_another(shop: Shop, worker: Worker) -> None:
    """Tryton moves a complaint without a trace in its stamp; the worker asks for it at once."""
    kept, lost = (shop.account("PT Bersama") for _ in range(2))
    shop.complaint(lost, "Surat kuasa hukum", LETTER)
    wait_until(lambda: shop.shows(lost)["escalated"], "the escalation of the one that goes away")
    due = shop.shows(lost)["escalation_due_at"]
    before = len(shop.notes_of(lost))
    shop.replace(lost, kept)

    wait_until(lambda: shop.shows(kept)["escalated"], "the escalation of the one that stays")
    wait_until(lambda: len(shop.notes_of(kept)) == before + 2, "its end there and its beginning here, in a note each")
    assert shop.shows(kept)["escalation_due_at"] == due
    assert shop.notes_of(lost) == []


def audited(worker: Worker) -> str:
    return " ".join(worker.command("audit").stdout.split())
