"""Reading: traps 10 to 12, 22 to 24, 29 to 33, 37 to 39, 43 and 44, and the first load in bulk."""

from __future__ import annotations

import logging
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import unquote

import pytest

from connectors.base import ConnectorError, Cursor, FatalError, Query, RetryableError
from connectors.crm.salesforce import SalesforceConnector, soql
from connectors.crm.salesforce.budget import Budget, Use
from connectors.crm.salesforce.ids import eighteen
from tests.salesforce.cases import LONG_AGO, account, always, fill, ids_of, once
from tests.salesforce.conftest import Clock
from tests.salesforce.stub import Call, Org, Reply, error
from worker.core.model import RecordKind
from worker.mapping import CrmMapping

STAMP = "2026-11-23T23:45:12.000+0000"


def tick(mapping: CrmMapping, since: Cursor | None = LONG_AGO) -> list[Query]:  # type: ignore[type-arg]
    return [*(mapping.query(kind, since=since) for kind in mapping.kinds), mapping.state_query()]


def pulled(connector: SalesforceConnector, queries: list[Query]) -> list[list[str]]:  # type: ignore[type-arg]
    connector.announce(queries)
    return [[row.record_id for page in connector.pull(query) for row in page.rows] for query in queries]


def texts(org: Org) -> list[str]:
    """The SOQL that was asked, wherever it stood."""
    asked = [each for call in org.calls for each in re.findall(r"q=([^\"&]+)", unquote(call.path) + " " + call.body)]
    return [unquote(each) for each in asked]


def test_a_tick_is_one_call(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    fill(org, 3)
    pulled(connector, tick(mapping))
    org.calls.clear()

    assert [len(each) for each in pulled(connector, tick(mapping))] == [3, 0, 0, 0]
    assert [call.path for call in org.calls] == ["/services/data/v66.0/composite"]


def test_a_refused_query_of_a_tick_leaves_the_others_alone(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    del org.fields["Dispute__c"]
    queries = tick(mapping)
    connector.announce(queries)
    with pytest.raises(FatalError, match="Dispute__c") as refused:
        list(connector.pull(queries[2]))

    assert "permission" in refused.value.remedy
    assert sum(len(page.rows) for page in connector.pull(queries[0])) == 2


def test_what_an_administrator_grants_is_seen_with_the_next_tick(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 1)
    health = org.fields["Account"].pop("Health__c")
    with pytest.raises(FatalError):
        ids_of(connector, mapping)
    org.fields["Account"]["Health__c"] = health

    assert len(ids_of(connector, mapping)) == 1


def test_a_tick_that_is_not_answered_is_asked_once(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    pulled(connector, tick(mapping))
    org.calls.clear()
    org.faults.append(always("services/data", Reply(503, "<html>")))
    queries = tick(mapping)
    connector.announce(queries)
    for query in queries:
        with pytest.raises(RetryableError):
            list(connector.pull(query))

    assert len(org.calls) == 1


def test_trap_39_an_object_that_the_org_does_not_have_is_looked_for_every_ten_minutes(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    del org.fields["Dispute__c"]
    for _ in range(5):
        with pytest.raises(FatalError):
            ids_of(connector, mapping, RecordKind.DISPUTE)
    before = org.counted("Dispute__c/describe")
    clock.at += 601
    with pytest.raises(FatalError):
        ids_of(connector, mapping, RecordKind.DISPUTE)

    assert (before, org.counted("Dispute__c/describe")) == (1, 2)


def test_trap_10_five_thousand_records_of_one_stamp_are_all_read_once(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """Also when the reading was given up after the second page: the mark then stands inside the tie."""
    wanted = fill(org, 5000, SystemModstamp=STAMP)
    pages = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))
    first, second = next(pages), next(pages)
    pages.close()
    rest = ids_of(connector, mapping, since=second.high_water)
    seen = [row.record_id for row in (*first.rows, *second.rows)] + rest

    assert ids_of(connector, mapping) == wanted
    assert sorted(set(seen)) == wanted
    assert len(seen) == len(wanted) + 1  # inclusive: the last one of the second page again


def test_trap_11_what_was_committed_late_is_read_by_a_later_reach_back(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """How often and how far back is the worker's: it is told by the capabilities."""
    org.now = lambda: datetime(2026, 11, 24, 3, tzinfo=UTC)
    fill(org, 1)
    (page,) = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))
    assert page.high_water is not None
    late = org.put("Account", account(7), SystemModstamp="2026-11-24T02:55:00.000+0000")
    back = connector.capabilities().late_overlap

    assert late not in ids_of(connector, mapping, since=page.high_water)
    assert late in ids_of(connector, mapping, since=Cursor(page.high_water.stamp - back))
    assert back == timedelta(minutes=20)
    assert connector.capabilities().late_every == timedelta(minutes=10)


def test_trap_12_a_health_that_is_a_formula_is_found_by_its_state(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.fields["Account"]["Health__c"] |= {"calculated": True, "updateable": False}
    red = org.put("Account", account(1), Health__c="Red", SystemModstamp="2020-01-01T00:00:00.000+0000")
    by_state = [row.record_id for page in connector.pull(mapping.state_query()) for row in page.rows]
    found = [each for each in connector.check(mapping.needs()) if "calculated" in each.detail]

    assert red not in ids_of(connector, mapping)
    assert by_state == [red]
    assert [each.subject for each in found] == ["Account.Health__c"]


def test_trap_22_used_up_calls_pause_reading_and_do_not_loop(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    fill(org, 1)
    ids_of(connector, mapping)
    org.calls.clear()
    org.faults.append(once("queryAll", error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded."), times=2))
    asked = []
    for _ in range(30):  # a tick a minute
        with suppress(RetryableError):
            ids_of(connector, mapping)
        asked.append(len(org.calls))
        clock.at += 60

    assert asked[9] == 1
    assert asked[10] == 2  # after ten minutes one call goes through, and is refused again
    assert asked[-1] > 10  # usage has fallen: everything goes on by itself


def test_trap_23_usage_is_read_beside_bursts_and_writes_keep_their_reserve(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 1)
    ids_of(connector, mapping)
    org.usage = "api-usage=72000/100000; api-bursts=1/750; per-app-api-usage=17/250(appName=x)"
    ids_of(connector, mapping)
    with pytest.raises(RetryableError, match="72%"):
        ids_of(connector, mapping, since=None)
    ids_of(connector, mapping)
    org.usage = "api-usage=92000/100000; api-bursts=1/750"
    ids_of(connector, mapping)
    with pytest.raises(RetryableError, match="92%"):
        ids_of(connector, mapping)

    assert connector.find(["n1"]) == {}


def test_the_quota_is_what_the_org_told_last(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    before = connector.quota()
    org.usage = "api-usage=42000/100000; api-bursts=1/750"
    fill(org, 1)
    ids_of(connector, mapping)
    told = connector.quota()

    assert (before.used, before.unknown) == (None, "no answer yet")
    assert (told.used, told.limit, told.period, told.resets_at) == (42_000, 100_000, "24 hours", None)
    assert told.heard_at is not None


def test_a_refused_call_says_that_all_are_used() -> None:
    budget = Budget(Clock())
    budget.exhausted()
    assert budget.quota().unknown == "Salesforce refuses calls for their number"
    budget.note("api-usage=95/100")
    budget.exhausted()

    assert (budget.quota().used, budget.quota().limit) == (100, 100)


def test_what_is_known_of_the_usage_is_forgotten() -> None:
    clock = Clock()
    budget = Budget(clock)
    budget.note("per-app-api-usage=9/10(appName=a), api-usage=95/100")
    with pytest.raises(RetryableError):
        budget.allow(Use.READ)
    clock.at += 601

    budget.allow(Use.READ)
    assert budget.share is None


def test_trap_24_a_hidden_field_stops_the_reading_only_when_nothing_can_be_read_without_it(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, caplog: pytest.LogCaptureFixture
) -> None:
    fill(org, 1)
    ids_of(connector, mapping)
    del org.fields["Account"]["Tier__c"]
    with caplog.at_level(logging.WARNING):
        assert len(ids_of(connector, mapping)) == 1
    assert "Account.Tier__c" in caplog.text
    del org.fields["Account"]["Health__c"]
    with pytest.raises(FatalError, match=r"Account\.Health__c") as refused:
        ids_of(connector, mapping)

    assert "permission set Escalation Worker" in refused.value.remedy


def test_trap_29_a_query_that_takes_too_long_is_halved_until_it_passes(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.now = lambda: datetime(2026, 11, 24, 3, tzinfo=UTC)
    wanted = [
        org.put("Account", account(hour), SystemModstamp=f"2026-11-23T{hour:02d}:00:00.000+0000") for hour in range(24)
    ]

    def too_long(call: Call) -> Reply | None:
        found = re.search(r">= (\S+) AND SystemModstamp < (\S+)", unquote(call.path))
        if "queryAll" not in call.path:
            return None
        if found and datetime.fromisoformat(found[2]) - datetime.fromisoformat(found[1]) <= timedelta(hours=4):
            return None
        return error(400, "QUERY_TIMEOUT", "Your query request was running for too long.")

    org.faults.append(too_long)

    assert ids_of(connector, mapping, since=Cursor(datetime(2026, 11, 23, tzinfo=UTC))) == wanted


def test_trap_29_a_minute_that_takes_too_long_is_an_error(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 1)
    org.faults.append(always("queryAll", error(400, "QUERY_TIMEOUT", "too long")))
    with pytest.raises(RetryableError, match="one minute") as refused:
        ids_of(connector, mapping, since=Cursor(org.now() - timedelta(days=1)))

    assert "index" in refused.value.remedy
    assert org.counted("queryAll") < 20


def test_trap_30_a_cursor_that_is_gone_costs_nothing_but_a_new_one(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    wanted = fill(org, 1000, SystemModstamp=STAMP)
    org.faults.append(once("-400", error(400, "INVALID_QUERY_LOCATOR", "invalid query locator")))
    pages = list(connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO, page_size=200)))
    marks = [page.high_water for page in pages if page.high_water]

    assert [row.record_id for page in pages for row in page.rows] == wanted
    assert marks == sorted(marks)
    assert "Id > " in texts(org)[-1]


def test_trap_31_money_is_decimal_from_the_line_on(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """Comparing it, with rates, is the core's (tests/core)."""
    org.put("Dispute__c", account(1), Amount__c=10000000.01, Status__c="Open", Account__c=account(2))
    org.faults.append(lambda call: None)
    (page,) = connector.pull(mapping.query(RecordKind.DISPUTE, since=LONG_AGO))
    dispute = mapping.dispute(page.rows[0])

    assert dispute.amount is not None
    assert dispute.amount.amount == Decimal("10000000.01")
    assert dispute.amount.currency == "IDR"  # an org with one currency: the mapping's own


def test_trap_31_in_an_org_with_several_currencies_the_record_says_which(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.fields["Dispute__c"]["CurrencyIsoCode"] = {"name": "CurrencyIsoCode", "type": "picklist"}
    org.put("Dispute__c", account(1), Amount__c=700, CurrencyIsoCode="USD", Account__c=account(2))
    (page,) = connector.pull(mapping.query(RecordKind.DISPUTE, since=LONG_AGO))
    dispute = mapping.dispute(page.rows[0])

    assert dispute.amount is not None
    assert (dispute.amount.amount, dispute.amount.currency) == (Decimal(700), "USD")


@pytest.mark.parametrize("name", ['O\'Brien \\ "PT" % _', "two\nlines\tand \\n", "Kopi ☕ 😀", "' OR Name != '"])
def test_trap_32_any_text_survives_soql(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, name: str
) -> None:
    mine = org.put("Account", account(1), Name=name)
    org.put("Account", account(2), Name="another")

    assert ids_of(connector, mapping, since=None, where=[{"Name": [name]}]) == [mine]


def test_trap_32_no_ids_no_query(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    assert ids_of(connector, mapping, since=None, ids=[]) == []
    assert ids_of(connector, mapping, since=None, ids=["not an id", "') OR (Name != ''"]) == []
    assert not org.counted("query")


def test_many_ids_are_asked_for_in_several_calls(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    wanted = fill(org, 650)

    assert sorted(ids_of(connector, mapping, since=None, ids=wanted)) == wanted
    assert org.counted("queryAll") == 3


def test_trap_37_short_and_long_ids_are_the_same(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    org.put("Account", "001D000000IRFmaIAH", Name="PT A")
    org.put("Dispute__c", account(3), Account__c="001D000000IRFma", Amount__c=1)
    (page,) = connector.pull(mapping.query(RecordKind.DISPUTE, since=LONG_AGO))

    assert eighteen("001D000000IRFma") == "001D000000IRFmaIAH"
    assert ids_of(connector, mapping, since=None, ids=["001D000000IRFma"]) == ["001D000000IRFmaIAH"]
    assert mapping.account_id(RecordKind.DISPUTE, page.rows[0]) == "001D000000IRFmaIAH"


def test_trap_38_times_are_aware_and_in_utc(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    org.put("Account", account(1), SystemModstamp=STAMP, Escalation_Due__c="2026-11-24T01:00:00.000+0000")
    (page,) = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))

    assert mapping.stamp(page.rows[0]) == datetime(2026, 11, 23, 23, 45, 12, tzinfo=UTC)
    assert mapping.account(page.rows[0]).flag.due_at == datetime(2026, 11, 24, 1, tzinfo=UTC)
    with pytest.raises(ValueError, match="no time zone"):
        soql.literal(datetime(2026, 11, 24))  # noqa: DTZ001


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (7, "7"),
        (Decimal("10000000.10"), "10000000.10"),
        (Decimal("1E+16"), "10000000000000000"),
        (datetime(2026, 11, 24, 1, 2, 3, 456789, tzinfo=UTC), "2026-11-24T01:02:03.456Z"),
        ("it's", "'it\\'s'"),
    ],
)
def test_values_in_soql(value: object, text: str) -> None:
    assert soql.literal(value) == text  # type: ignore[arg-type]


def test_a_number_that_is_none_is_no_soql() -> None:
    with pytest.raises(ValueError, match="NaN"):
        soql.literal(Decimal("NaN"))


def test_trap_43_more_than_a_page_in_a_composite_goes_on_outside(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    wanted = fill(org, 4500)
    read = pulled(connector, tick(mapping))

    assert sorted(read[0]) == wanted
    assert [call.path for call in org.calls if call.path.endswith("composite")] == ["/services/data/v66.0/composite"]
    assert sum(call.method == "GET" and "/query/01g" in call.path for call in org.calls) == 2


def test_trap_44_the_mark_follows_the_servers_clock(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """The worker's own clock may be wrong by any amount; nothing that may still be committed is passed over."""
    org.now = lambda: datetime(2026, 11, 24, 3, tzinfo=UTC)
    org.put("Account", account(1), SystemModstamp="2026-11-24T02:59:57.000+0000")
    connector._client.now = lambda: org.now() + timedelta(minutes=10)
    (page,) = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))

    assert page.high_water == Cursor(datetime(2026, 11, 24, 2, 59, 55, tzinfo=UTC))


def test_parents_fields_come_to_where_the_mapping_wants_them(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    owner = {"Name": "Sari", "Email": "sari@x.id", "IsActive": True, "ManagerId": "005x", "Manager": {"Name": "Ratna"}}
    org.put("Account", account(1), Name="A", OwnerId="0051", Owner=owner)
    org.put("Account", account(2), Name="B", Owner=None)
    (page,) = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))
    first, second = (mapping.account(row) for row in page.rows)

    assert first.owner is not None
    assert (first.owner.name, first.owner.email) == ("Sari", "sari@x.id")
    assert first.manager is not None
    assert first.manager.name == "Ratna"
    assert second.owner is None


def test_deleted_and_merged_accounts_are_read_as_deleted(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.put("Account", account(1), IsDeleted=True, MasterRecordId=account(2))
    (page,) = connector.pull(mapping.query(RecordKind.ACCOUNT, since=LONG_AGO))

    assert page.rows[0].deleted


@pytest.mark.parametrize(
    "body",
    [
        "<html></html>",
        {"records": []},
        {"totalSize": 3, "done": False, "records": []},
        [],
        "",
        {"totalSize": 1, "done": True},
    ],
)
def test_an_answer_of_another_shape_is_never_an_empty_page(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, body: object
) -> None:
    org.faults.append(always("queryAll", Reply(body=body)))
    with pytest.raises(ConnectorError):
        ids_of(connector, mapping)


CSV_HEAD = '"Id","SystemModstamp","IsDeleted","Name","ARR__c","Owner.Name","Escalated__c"\n'


def bulk(org: Org, states: list[str], sets: list[str]) -> None:
    """An org that is too large for pages, with one query job."""
    big = {"totalSize": 60_000, "done": False, "nextRecordsUrl": "/services/data/v66.0/query/x-2000", "records": []}

    def job(call: Call) -> Reply | None:
        if "queryAll" in call.path:
            return Reply(body=big)
        if call.path.endswith("/jobs/query"):
            assert call.json["operation"] == "queryAll"
            assert "ORDER BY" not in call.json["query"]
            return Reply(body={"id": "750x", "state": "UploadComplete"})
        if "/results" in call.path:
            place = int((re.search(r"locator=(\d+)", call.path) or [0, "0"])[1])
            more = str(place + 1) if place + 1 < len(sets) else "null"
            lines = sets[place].count("\n") - 1
            return Reply(body=sets[place], headers={"Sforce-Locator": more, "Sforce-NumberOfRecords": str(lines)})
        if call.path.endswith("750x") and call.method == "GET":
            return Reply(body={"id": "750x", "state": states.pop(0)})
        return Reply(204) if call.method == "DELETE" else None

    org.faults.append(job)


def test_a_large_first_load_is_a_query_job(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, clock: Clock
) -> None:
    rows = [
        f'"{account(number)}","{STAMP}","false","PT ""{number}"", satu","12.50","Sari","true"\n' for number in range(5)
    ]
    bulk(org, ["InProgress", "InProgress", "JobComplete"], [CSV_HEAD + "".join(rows[:3]), CSV_HEAD + "".join(rows[3:])])
    pages = list(connector.pull(mapping.query(RecordKind.ACCOUNT, page_size=2)))
    found = [mapping.account(row) for page in pages for row in page.rows]

    assert [each.name for each in found] == [f'PT "{number}", satu' for number in range(5)]
    assert found[0].arr is not None
    assert found[0].arr.amount == Decimal("12.50")
    assert found[0].flag.escalated
    assert found[0].owner is not None
    assert [page.high_water is None for page in pages] == [True] * (len(pages) - 1) + [False]
    assert clock.slept == [1.0, 2.0, 4.0]
    assert org.calls[-1].method == "DELETE"


def test_a_query_job_that_fails_or_lacks_records_is_an_error(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    bulk(org, ["Failed"], [])
    with pytest.raises(RetryableError, match="Failed"):
        ids_of(connector, mapping, since=None)
    org.faults.clear()
    bulk(org, ["JobComplete"], [CSV_HEAD + f'"{account(1)}","{STAMP}","perhaps","PT","","",""\n'])
    (page, _) = connector.pull(mapping.query(RecordKind.ACCOUNT))

    assert "perhaps" in page.bad[0].reason
    assert page.bad[0].record_id == account(1)


def test_a_checkbox_is_never_compared_with_nothing(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    list(connector.pull(mapping.state_query()))
    (text,) = [each for each in texts(org) if "Escalated__c = true" in each]

    assert "Escalated__c = null" not in text
    assert "Health__c IN ('Yellow'," in text
