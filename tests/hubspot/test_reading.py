"""Traps of reading: search that cannot be trusted, records that move, merge and vanish, values that are all text."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import msgspec
import pytest

from connectors.base import Cursor, FatalError, Page, Query, Result, RetryableError, Row, Severity, UpdateRecord
from connectors.crm.hubspot.conditions import absorbed, searches
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.crm.hubspot.portal import Property
from connectors.crm.hubspot.values import moment, truth
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from tests.hubspot.conftest import Rig
from tests.hubspot.stub import NOW, Fault, body
from worker.core.model import RecordKind
from worker.core.money import Money, currency
from worker.field_readers import UnmappableError
from worker.mapping import CrmMapping

IDR = currency("IDR")


class Bare(Row, frozen=True, kw_only=True):
    """The least that a row has, under HubSpot's names."""

    record_id: str = msgspec.field(name="hs_object_id")
    modified_at: str = msgspec.field(name="hs_lastmodifieddate")
    deleted: bool = msgspec.field(name="archived", default=False)


def window(rig: Rig, since: datetime) -> tuple[list[Row], Cursor | None]:
    pages = list(rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT, since=Cursor(since))))
    return [row for page in pages for row in page.rows], pages[-1].high_water if pages else None


def test_any_number_of_rows_may_share_one_millisecond(rig: Rig) -> None:
    """Trap 17: 12,000 rows of one millisecond are each read once, and no search pages beyond its first page."""
    for number in range(12_000):
        rig.portal.put("companies", str(10_000 + number), NOW, name="PT")
    rig.time.pass_by(60)
    pages = list(rig.connector.pull(Query("account", "companies", Bare, Cursor(NOW - timedelta(minutes=1)))))
    rows, high_water = [row for page in pages for row in page.rows], pages[-1].high_water

    assert len(rows) == len({row.record_id for row in rows}) == 12_000
    assert {each.body["after"] for each in rig.portal.asked("companies/search")} == {"0"}
    assert high_water is not None


def test_the_order_of_time_does_not_matter(rig: Rig) -> None:
    """Trap 18: stamps that run against the ids lose nothing, and the mark is the end of the window."""
    for number in range(450):
        rig.portal.put("companies", str(1000 + number), NOW - timedelta(seconds=(number * 37) % 3000), name="PT")
    rig.time.pass_by(10)
    rows, high_water = window(rig, NOW - timedelta(hours=1))

    assert sorted(row.record_id for row in rows) == [str(1000 + number) for number in range(450)]
    assert high_water is not None
    assert timedelta(0) <= rig.time.now() - high_water.stamp < timedelta(minutes=1)


def test_rows_that_do_not_come_in_the_order_of_their_ids_stop_the_reading(rig: Rig) -> None:
    """Trap 18: the draining rests on that order, so its absence is an error and never a loss."""
    for number in range(3):
        rig.portal.put("companies", str(1000 + number), name="PT")
    rig.portal.shuffle = True
    rig.time.pass_by(10)

    with pytest.raises(RetryableError, match="order of their ids"):
        window(rig, NOW - timedelta(hours=1))


def test_a_window_proves_nothing_before_it_is_drained(rig: Rig) -> None:
    for number in range(450):
        rig.portal.put("companies", str(1000 + number), name="PT")
    rig.time.pass_by(10)
    marks = [page.high_water for page in rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT, since=rig.since()))]

    assert all(mark is None for mark in marks[:-1])
    assert marks[-1] is not None


def test_a_long_absence_is_made_good_in_windows_that_each_count(rig: Rig) -> None:
    for hours in range(1, 20):
        rig.portal.put("companies", str(1000 + hours), NOW - timedelta(hours=hours), name="PT")
    rig.time.pass_by(60)
    since = NOW - timedelta(hours=20)
    pages = list(rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT, since=Cursor(since))))
    marks = [page.high_water.stamp for page in pages if page.high_water is not None]

    assert len({row.record_id for page in pages for row in page.rows}) == 19
    assert [mark - since for mark in marks[:3]] == [timedelta(hours=hours) for hours in (6, 12, 18)]
    assert len(marks) == 4


def test_a_record_whose_id_is_no_number_is_set_aside(rig: Rig, company: str) -> None:
    strange = {**rig.portal.shown("companies", company, ["name"]), "id": "abc"}
    rig.portal.faults.append(Fault("objects/2026-09/companies", body(200, {"results": [strange]})))
    pages = list(rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT)))

    assert [each.record_id for page in pages for each in page.bad] == ["abc"]


def test_a_row_that_changes_while_pages_are_read_is_met_in_the_next_window(rig: Rig) -> None:
    """Trap 19: it leaves the window under way, and is in the next one with its new value, once."""
    for number in range(300):
        rig.portal.put("companies", str(1000 + number), NOW, name="PT")
    rig.time.pass_by(10)
    pages: Iterator[Page[Row]] = rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT, since=rig.since()))
    first = next(pages)
    rig.portal.put("companies", "1299", customer_health="red")
    rest = list(pages)
    rig.time.pass_by(60)
    mark = rest[-1].high_water
    assert mark is not None
    later, _ = window(rig, mark.stamp)

    assert "1299" not in [row.record_id for page in (first, *rest) for row in page.rows]
    assert [(row.record_id, rig.mapping.account(row).health.colour.value) for row in later] == [("1299", "red")]


def rows_of(connector: HubSpotConnector, mapping: CrmMapping, kind: RecordKind, **query: object) -> list[Row]:
    return [row for page in connector.pull(mapping.query(kind, **query)) for row in page.rows]


def test_what_the_portal_computes_is_found_though_no_stamp_moves(
    twin: HubSpotTwin, on: HubSpotConnector, time: VirtualClock, mapping: CrmMapping
) -> None:
    """Trap 21: a health score that turns red without a trace is in the next answer about states."""
    company = twin.put("companies", name="PT", customer_health="green")
    time.advance(timedelta(hours=3))
    twin.recalculate("companies", company, customer_health="red")
    time.advance(timedelta(minutes=2))
    since = Cursor(time.now - timedelta(minutes=30))
    states = [row.record_id for page in on.pull(mapping.state_query()) for row in page.rows]

    assert not rows_of(on, mapping, RecordKind.ACCOUNT, since=since)
    assert states == [company]


def test_a_property_that_is_not_there_is_never_read_as_empty(rig: Rig, company: str) -> None:
    """Trap 22: HubSpot is silent about it; reading stops with its name, and `check` says so as well."""
    del rig.portal.definitions["companies"]["customer_health"]
    connector = rig.connect()

    with pytest.raises(FatalError, match="no property customer_health"):
        list(connector.pull(rig.mapping.query(RecordKind.ACCOUNT)))
    errors = [each.subject for each in connector.check(rig.mapping.needs()) if each.severity is Severity.ERROR]
    assert errors == ["companies.customer_health"]


def test_a_property_that_may_be_missing_is_left_empty(rig: Rig, company: str) -> None:
    del rig.portal.definitions["companies"]["customer_tier"]

    assert rig.ids() == [company]


def test_companies_that_were_merged_are_gone_into_the_new_one_that_was_made_of_them(
    twin: HubSpotTwin, on: HubSpotConnector, time: VirtualClock, mapping: CrmMapping
) -> None:
    """Trap 27: the old ids are told as deleted, with the new one; asking for them shows it, writes are refused."""
    kept, merged = (twin.put("companies", name=name, customer_health="red") for name in ("PT A", "PT B"))
    time.advance(timedelta(minutes=5))
    made = twin.merge("companies", kept, merged)
    time.advance(timedelta(minutes=2))
    changes = rows_of(on, mapping, RecordKind.ACCOUNT, since=Cursor(time.now - timedelta(minutes=4)))
    by_id = rows_of(on, mapping, RecordKind.ACCOUNT, ids=[kept, merged])
    write = on.write([UpdateRecord("k", "companies", merged, {"escalation_flag": True})])[0]

    told = {row.record_id: (row.deleted, mapping.merged_into(row)) for row in changes}
    assert told == {made: (False, None), kept: (True, made), merged: (True, made)}
    assert [row.record_id for row in by_id if not row.deleted] == [made]
    assert write.result is Result.REJECTED
    assert f"merged into {made}" in write.reason
    assert "escalation_flag" not in twin.record("companies", made)


def dispute(rig: Rig, amount: str | None, code: str | None = None) -> Row:
    values = {"disputed_amount": amount, "disputed_currency": code, "hs_ticket_category": "BILLING_ISSUE"}
    rig.portal.put("tickets", "7001", subject="Invoice", hs_pipeline_stage="1", **values)
    return rig.rows(rig.mapping.query(RecordKind.DISPUTE))[0]


@pytest.mark.parametrize(
    ("amount", "code", "expected"),
    [
        ("10000000.00", "IDR", Money(Decimal("10000000.00"), IDR)),
        ("10000000.01", None, Money(Decimal("10000000.01"), IDR)),
        ("700", "USD", Money(Decimal(700), currency("USD"))),
        (None, None, None),
        ("", None, None),
    ],
)
def test_amounts_keep_their_last_digit_and_their_currency(
    rig: Rig, amount: str | None, code: str | None, expected: Money | None
) -> None:
    """Trap 30: what is decided from these is tested in tests/core; here nothing may be lost on the way."""
    assert rig.mapping.dispute(dispute(rig, amount, code)).amount == expected


def test_an_unknown_currency_is_a_question_and_no_guess(rig: Rig) -> None:
    """Trap 30: never silently another currency."""
    with pytest.raises(UnmappableError):
        rig.mapping.dispute(dispute(rig, "700", "XX"))


@pytest.mark.parametrize(
    ("text", "expected"), [("true", True), ("TRUE", True), ("", None), (None, None), ("false", False)]
)
def test_truths_in_every_spelling(rig: Rig, company: str, text: str | None, expected: bool | None) -> None:
    """Trap 31: empty and null are nobody's word; on the way to the worker they count as no."""
    rig.portal.put("companies", company, escalation_flag=text)
    row = rig.rows(rig.mapping.query(RecordKind.ACCOUNT, ids=[company]))[0]

    assert truth(text) is expected
    assert rig.mapping.account(row).flag.escalated is bool(expected)


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-24T03:00:00Z", "2026-11-24T03:00:00.000Z", "2026-11-24T10:00:00+07:00"),
        *("2026-11-24T10:00:00.000+07:00", "1795489200000"),
    ],
)
def test_times_in_every_spelling_are_one_instant(rig: Rig, company: str, text: str) -> None:
    """Trap 32: with and without fraction, with Z and offset, and epoch milliseconds."""
    rig.portal.put("companies", company, escalation_due_at=text)
    row = rig.rows(rig.mapping.query(RecordKind.ACCOUNT, ids=[company]))[0]

    assert moment(text) == NOW
    assert rig.mapping.account(row).flag.due_at == NOW


def test_large_ids_stay_texts(rig: Rig) -> None:
    """Trap 33: ids above 2^53 survive reading, draining and writing to the last digit."""
    large = ["9007199254740993", "9007199254740994", "18014398509481985"]
    for each in large:
        rig.portal.put("companies", each, NOW, name="PT")
    rig.time.pass_by(10)

    assert [row.record_id for row in window(rig, NOW - timedelta(minutes=1))[0]] == large
    assert rig.ids(ids=large) == large
    written = rig.connector.write([UpdateRecord("k", "companies", large[2], {"escalation_reason": "x"})])
    assert written[0].remote_id == large[2]


@pytest.mark.parametrize(("owner", "active"), [("101", True), ("102", False), ("999", None), (None, None)])
def test_an_owner_who_left_is_told_as_such(rig: Rig, company: str, owner: str | None, active: bool | None) -> None:
    """Trap 39: archived owners are known by name and as inactive; nobody, and who is not there at all, is nobody."""
    rig.portal.put("companies", company, hubspot_owner_id=owner)
    account = rig.mapping.account(rig.rows(rig.mapping.query(RecordKind.ACCOUNT, ids=[company]))[0])

    assert (account.owner.active if account.owner else None) is active
    if owner == "102":
        assert account.owner is not None
        assert account.owner.name == "Gone Person"


def test_a_ticket_belongs_to_its_primary_company_or_to_none(rig: Rig, company: str) -> None:
    """Trap 41: of two companies the primary one (type 26), without any the ticket stays and belongs to nobody."""
    rig.portal.put("companies", "5000", name="PT Nol")
    for key in ("7001", "7002"):
        rig.portal.put("tickets", key, subject="x", hs_pipeline_stage="1")
    rig.portal.link("tickets", "7001", "companies", "5000", 339)
    rig.portal.link("tickets", "7001", "companies", company, 26)
    rows = rig.rows(rig.mapping.query(RecordKind.CASE))

    owned = {row.record_id: rig.mapping.account_id(RecordKind.CASE, row) for row in rows}

    assert owned == {"7001": company, "7002": None}


def test_associations_are_asked_a_thousand_at_a_time_and_to_their_end(rig: Rig, company: str) -> None:
    """Trap 42: 1,500 tickets are two requests, and a ticket with many companies is followed through its pages."""
    for number in range(1500):
        rig.portal.put("tickets", str(20_000 + number), NOW, subject="x", hs_pipeline_stage="1")
    for number in range(4):
        rig.portal.link("tickets", "20000", "companies", str(6000 + number), 339)
    rig.portal.link("tickets", "20000", "companies", company, 26)
    rig.portal.link_page = 2
    rows = rig.rows(rig.mapping.query(RecordKind.DISPUTE))
    assert not rows  # no billing issue among them
    asked = rig.portal.asked("tickets/companies/batch/read")
    rig.time.pass_by(10)
    rows = rig.rows(rig.mapping.query(RecordKind.CASE, since=rig.since()))

    assert rig.mapping.account_id(RecordKind.CASE, rows[0]) == company
    assert [len(each.body["inputs"]) for each in asked if "after" not in each.body["inputs"][0]] == [1000, 500]
    assert [each.body["inputs"][0]["after"] for each in asked if "after" in each.body["inputs"][0]] == ["2", "4"]


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), -timedelta(minutes=10)])
def test_clocks_that_differ_lose_nothing(rig: Rig, ahead: timedelta) -> None:
    """Trap 44: the window ends by HubSpot's clock, so a change is never behind the mark before it was read."""
    rig.time.ahead = ahead
    mark = NOW - timedelta(minutes=5)
    seen: list[str] = []
    for number in range(6):
        rig.portal.put("companies", str(1000 + number), name="PT")
        rig.time.pass_by(30)
        rows, high_water = window(rig, mark)
        seen += [row.record_id for row in rows]
        mark = mark if high_water is None else max(mark, high_water.stamp)
        assert mark <= rig.portal.now
    rig.time.pass_by(60)
    seen += [row.record_id for row in window(rig, mark)[0]]

    assert set(seen) == {str(1000 + number) for number in range(6)}


def test_a_ticket_that_is_no_billing_issue_any_more_is_a_dispute_no_more(rig: Rig, company: str) -> None:
    dispute(rig, "12000000")
    rig.time.pass_by(60)
    rig.portal.put("tickets", "7001", hs_ticket_category="PRODUCT_ISSUE")
    rig.time.pass_by(60)
    changed = rig.rows(rig.mapping.query(RecordKind.DISPUTE, since=rig.since()))

    assert [(row.record_id, row.deleted) for row in changed] == [("7001", True)]
    assert not rig.rows(rig.mapping.query(RecordKind.DISPUTE, ids=["7001"]))


def test_who_writes_a_ticket_and_whether_it_is_closed(rig: Rig, company: str) -> None:
    rig.portal.put("contacts", "9001", email="ceo@example.com", jobtitle="CEO")
    rig.portal.put("tickets", "7001", subject="x", content="We are leaving", hs_pipeline_stage="4")
    rig.portal.link("tickets", "7001", "contacts", "9001", 15)
    case = rig.mapping.case(rig.rows(rig.mapping.query(RecordKind.CASE))[0])

    assert (case.reporter, case.reporter_title, case.status.value) == ("ceo@example.com", "CEO", "closed")


def test_the_same_states_are_asked_for_in_one_search(rig: Rig, company: str) -> None:
    """Five groups are allowed; a condition that another alternative makes needless is left out."""
    rig.rows(rig.mapping.state_query())
    (asked,) = rig.portal.asked("companies/search")
    named = [[each["propertyName"] for each in group["filters"]] for group in asked.body["filterGroups"]]

    assert named == [
        ["customer_health", "hs_object_id"],
        ["escalation_flag", "hs_object_id"],
        ["escalation_pr_risk", "hs_object_id"],
        ["escalation_override", "hs_object_id"],
    ]
    assert asked.body["filterGroups"][0]["filters"][0]["values"] == ["yellow", "red"]


def test_emptiness_is_a_group_of_its_own_and_many_groups_are_several_searches() -> None:
    flag = Property("flag", "bool")
    one = list(searches([{"health": ["red"], "flag": [False, None]}], {"flag": flag}))
    many = list(searches([{f"p{number}": ["x"]} for number in range(7)], {}))

    assert [[each["operator"] for each in group] for group in one[0]] == [["EQ", "EQ"], ["EQ", "NOT_HAS_PROPERTY"]]
    assert [len(each) for each in many] == [5, 2]
    assert absorbed([{"a": ["x"], "f": [False, None]}, {"f": [True]}]) == [{"a": ["x"]}, {"f": [True]}]
    assert absorbed([{"a": ["x"], "f": [False, None]}]) == [{"a": ["x"], "f": [False, None]}]


def test_names_too_long_for_an_address_go_by_search(rig: Rig, company: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connectors.crm.hubspot.reading._LONGEST_QUERY", 10)

    assert rig.ids() == [company]
    assert not rig.portal.asked("objects/2026-09/companies")


def test_a_first_load_goes_through_the_list_and_marks_where_it_began(rig: Rig) -> None:
    for number in range(250):
        rig.portal.put("companies", str(1000 + number), NOW, name="PT")
    pages = list(rig.connector.pull(rig.mapping.query(RecordKind.ACCOUNT)))

    assert sum(len(page.rows) for page in pages) == 250
    assert len(rig.portal.asked("objects/2026-09/companies")) == 3
    assert pages[-1].high_water is not None
    assert pages[-1].high_water.stamp <= NOW


def test_the_older_api_is_a_matter_of_paths(rig: Rig, company: str) -> None:
    older = rig.connect(api_version="v3")
    list(older.pull(rig.mapping.state_query()))

    assert rig.portal.seen[-1].path.startswith("/crm/v3/objects/companies") or rig.portal.asked("/crm/v3/owners")
