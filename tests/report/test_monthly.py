"""The month's report on its way: out of the store, into the outbox once, to the VP; and its files."""

from __future__ import annotations

import csv
import io
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.notifier import Message
from tests.core.test_report import episode
from tests.office import Office
from tests.status.conftest import demo, settings
from worker.assembly import Worker, assemble
from worker.core.episodes import Month
from worker.core.report import report
from worker.ports import SystemPorts
from worker.report import as_csv, as_html, as_markdown, collect, send_if_due
from worker.report.pages import hours
from worker.store import outbox
from worker.store.codec import decode
from worker.store.database import Store, open_store
from worker.store.deliveries import Kind

__all__ = ["demo", "settings"]

TODAY = date(2026, 12, 2)


@pytest.fixture
def store(settings):
    store = open_store(settings.store_url.reveal(), SystemPorts())
    yield store
    store.close()


@pytest.fixture
def worker(settings, store):
    opened = assemble(settings, store, SystemPorts())
    yield opened
    opened.close()


def sent(store: Store) -> list[Message]:
    with store.read() as tx:
        found = [each for each in outbox.of_kind(tx, "email", Kind.MESSAGE) if each.intent.connector == "report"]
    return [decode(each.intent.payload, Message) for each in found]


def test_what_the_store_knows_becomes_episodes(worker: Worker, store: Store) -> None:
    found = collect(worker, store, datetime.now(UTC) + timedelta(days=1))

    assert len(found.episodes) > 3
    assert len(found.first_seen) == 60
    assert all(each.csm and each.account_name != each.escalation.account_id for each in found.episodes)
    assert found.accounts_in(Month.of(datetime.now(UTC))) == 60
    assert found.accounts_in(Month.of(datetime.now(UTC)).before()) == 0


def test_it_goes_once_when_the_month_is_over_to_the_vp(worker: Worker, store: Store) -> None:
    now = datetime.now(UTC)
    after = datetime(*((now.year + 1, 1) if now.month == 12 else (now.year, now.month + 1)), 1, 2, tzinfo=UTC)

    assert not send_if_due(worker, store, now)
    assert send_if_due(worker, store, after)
    assert not send_if_due(worker, store, after + timedelta(days=1))
    (message,) = sent(store)
    assert message.to == (worker.settings.policy.people["vp_cs"].email,)
    assert message.subject == f"Escalations in {Month.of(now)}"
    assert "opened at L1" in message.text
    assert "| time to acknowledge | nobody has answered yet |" in message.text
    assert send_if_due(worker, store, after + timedelta(days=32))
    assert len(sent(store)) == 2


@pytest.mark.parametrize("name", ["=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(A1)", "\t=1", "\r=1", 'PT "Acme"; Tbk'])
def test_no_cell_of_the_csv_is_a_formula(name: str) -> None:
    one = replace(episode(), account_name=name)
    rows = list(csv.reader(io.StringIO(as_csv([one], TODAY))))

    assert len(rows) == 2
    assert all(not cell.startswith(("=", "+", "-", "@", "\t", "\r")) for row in rows for cell in row)
    assert rows[1][2].lstrip("'") == name or rows[1][2] == name


def test_what_looks_better_than_the_work_was_is_named(tmp_path: Path) -> None:
    office = Office(tmp_path)
    taken_away = ("one", "two", "three")
    for key in ("put-off", *taken_away):
        office.account(key, "Red", health_score=20)
    office.cycle()
    for later in (1, 2):
        until = (office.clock.at_time + timedelta(hours=later)).isoformat()
        office.crm.put("account", "put-off", {"override": "snooze", "override_by": "Dewi", "override_until": until})
        office.cycle()
        office.cycle(timedelta(hours=later + 1))
    office.crm.put("account", "put-off", {"override": "waiting", "override_by": "Dewi", "override_until": None})
    for key in taken_away:
        office.crm.put("account", key, {"escalated": False})
    office.cycle()

    told = collect(office.worker, office.store, office.clock.at_time).gaming

    assert len(told) == 2
    assert told[0].startswith("PT put-off: put off 3 times (esc_")
    assert told[1] == "Dewi Anggraini: 3 flags taken away without saying how it ended"
    office.close()


def test_a_colour_that_was_raised_just_before_the_month_was_counted_is_named(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for key in ("polished", "earned"):
        office.account(key, "Red", health_score=20)
    office.cycle()
    office.cycle(timedelta(days=5))
    office.crm.put("account", "polished", {"health": "Green"})
    office.crm.put("account", "earned", {"health": "Green", "health_score": 85})
    office.cycle()
    told = collect(office.worker, office.store, office.clock.at_time).gaming

    assert len(told) == 1
    assert told[0].startswith("PT polished: health raised from red to green on 2026-11-29, 1 day before the end of")
    office.close()


def test_how_it_ended_is_held_against_the_renewals_that_the_crm_showed(tmp_path: Path) -> None:
    office = Office(tmp_path)
    for key in ("stays", "leaves", "said-nothing"):
        office.account(key, "Red", renewal_on="2026-12-20", arr="400000000", arr_currency="IDR")
    office.cycle()
    for key in ("stays", "leaves", "said-nothing"):
        office.account(key, "Green")
        done = {"override": "resolved", "override_by": "Dewi", "override_customer_confirmed": True}
        office.crm.put("account", key, {**done, "override_root_cause": "Slow export", "override_note": "Fast again."})
    office.cycle()
    office.cycle(timedelta(days=20))
    office.crm.put("account", "stays", {"renewal_on": "2027-12-20"})
    office.crm.put("account", "leaves", {"churned_on": "2026-12-15"})
    office.cycle(timedelta(days=20))
    now = office.clock.at_time
    found = collect(office.worker, office.store, now)
    told = report(found.episodes, Month(2026, 12), found.accounts_in, now)
    page, text = (form(told, now, "1") for form in (as_html, as_markdown))
    rows = {row["account_id"]: row for row in csv.DictReader(io.StringIO(as_csv(found.episodes, now.date())))}
    office.close()

    checked = {key: (row["renewal_due_on"], row["renewal"], row["outcome_check"]) for key, row in rows.items()}
    assert checked == {
        "stays": ("2026-12-20", "renewed", "holds"),
        "leaves": ("2026-12-20", "not renewed", "contradicted"),
        "said-nothing": ("2026-12-20", "the CRM does not say", "unclear"),
    }
    assert (rows["stays"]["arr"], rows["stays"]["arr_currency"]) == ("400000000", "IDR")
    assert "| the next renewal: renewed | 0 | 1 (Rp 400.000.000) |" in text
    assert "closed 2026-11-24 as resolved, but left on 2026-12-15 (the renewal was due on 2026-12-20)" in text
    assert "- PT said-nothing: closed 2026-11-24, the renewal was due 2026-12-20; ask Dewi Anggraini" in text
    assert "left on 2026-12-15 (the renewal was due on 2026-12-20)" in page


FRIDAY_1600 = datetime(2026, 8, 14, 9, tzinfo=UTC)
"""In Jakarta; the Monday after it is Independence Day."""
TUESDAY_1000 = datetime(2026, 8, 18, 3, tzinfo=UTC)


def resolved_on_tuesday(folder: Path, more: str) -> tuple[str, str, dict[str, str]]:
    """Page, text and row of an escalation that began on Friday at four and ended on Tuesday at ten."""
    office = Office(folder, more=more, at=FRIDAY_1600)
    office.account("one", "Red")
    office.cycle(timedelta(0))
    office.account("one", "Green")
    done = {"override": "resolved", "override_by": "Dewi", "override_customer_confirmed": True}
    office.crm.put("account", "one", {**done, "override_root_cause": "Slow export", "override_note": "Fast again."})
    office.cycle(TUESDAY_1000 - FRIDAY_1600)
    now = office.clock.at_time
    found = collect(office.worker, office.store, now)
    told = report(found.episodes, Month(2026, 8), found.accounts_in, now)
    (row,) = csv.DictReader(io.StringIO(as_csv(found.episodes, now.date())))
    office.close()
    return as_html(told, now, "1"), as_markdown(told, now, "1"), row


@pytest.mark.parametrize(
    "more",
    [
        "levels: {L2: {calendar: jakarta_office}}",
        "levels: {L2: {calendars: {standard: jakarta_office}}}",
        "messages: {digest_calendar: jakarta_office}",
    ],
    ids=["the level's calendar", "the segment's", "the office's, since the level counts on the wall clock"],
)
def test_weekend_and_holiday_are_in_the_time_by_the_wall_clock_and_not_in_business_hours(
    tmp_path: Path, more: str
) -> None:
    page, text, row = resolved_on_tuesday(tmp_path, more)

    assert "| time to resolve, by the wall clock | median 3 d 18 h, nine of ten within 3 d 18 h (of 1) |" in text
    assert "| time to resolve, in business hours | median 3 h, nine of ten within 3 h (of 1) |" in text
    assert (row["hours_to_resolve"], row["business_hours_to_resolve"]) == ("90.00", "3.00")
    assert "<b>3 d 18 h</b><span>median to resolve, by the wall clock</span>" in page
    assert "<b>3 h</b><span>median to resolve, in business hours</span>" in page
    assert '<th scope="row">Resolved in business hours, nine of ten within</th><td class="n">3 h</td>' in page


def test_where_no_calendar_has_business_hours_none_are_told(tmp_path: Path) -> None:
    page, text, row = resolved_on_tuesday(tmp_path, "")

    assert "business hours" not in (page + text).casefold()
    assert (row["hours_to_resolve"], row["business_hours_to_resolve"]) == ("90.00", "")


def test_business_hours_are_not_told_as_days() -> None:
    assert [hours(timedelta(minutes=minutes)) for minutes in (0, 90, 26 * 60)] == ["0 min", "1 h 30 min", "26 h"]
