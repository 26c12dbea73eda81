"""Writing: traps 8, 13, 15 to 21, 25 to 28, 33, 34, 38 and 41, and what a tick costs in calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connectors.base import CreateTask, FatalError, Result, RetryableError, UpdateRecord, Write
from connectors.crm.salesforce import SalesforceConnector
from connectors.crm.salesforce.ids import eighteen
from connectors.crm.salesforce.wording import fitted, units
from tests.salesforce.cases import FLAG, NOW, account, always, fill, flag, note, once
from tests.salesforce.stub import Call, Org, Record, Reply, error
from tests.salesforce.test_reading import pulled, tick
from worker.core.model import Flag, Level, RecordKind
from worker.mapping import CrmMapping

A, B = account(1), account(2)


def fates(connector: SalesforceConnector, batch: list[Write]) -> list[Result]:
    return [each.result for each in connector.write(batch)]


def notes(org: Org) -> list[Record]:
    return list(org.records.get("Escalation_Note__c", {}).values())


def task(record_id: str, key: str = "t1", who: str = "u-cs-manager") -> CreateTask:
    return CreateTask(key, record_id, who, "Call PT A", "body", NOW + timedelta(days=1))


def refusing(code: str, message: str = "", name: str = "Account", only: str = "") -> object:
    def refuse(entity: str, key: str, _body: Record) -> Reply | None:
        return error(400, code, message) if entity == name and (not only or key == only) else None

    return refuse


def test_flag_escalation_and_note_go_as_one_graph(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    results = connector.write([flag(mapping, A, expect=Flag()), note(A)])
    (escalation,) = org.records["Escalation__c"].values()
    graph = next(call.json["graphs"] for call in org.calls if call.path.endswith("graph"))

    assert [each.result for each in results] == [Result.APPLIED, Result.APPLIED]
    assert results[1].remote_id == notes(org)[0]["Id"]
    assert [node["url"].split("/")[5] for node in graph[0]["compositeRequest"]] == [
        "Account",
        "Escalation__c",
        "Escalation_Note__c",
    ]
    assert all(set(node) == {"method", "url", "referenceId", "body"} for node in graph[0]["compositeRequest"])
    assert org.records["Account"][A]["Escalation_Due__c"] == "2026-11-24T05:00:00Z"
    assert escalation["Account__c"] == A
    assert (escalation["Escalation_Level__c"], escalation["Escalated__c"]) == ("L2", True)
    assert notes(org)[0]["Escalation__r"] == {"Key__c": escalation["Key__c"]}


def test_a_flag_taken_away_leaves_its_escalation_as_the_record_of_what_was(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    connector.write([flag(mapping, A)])
    connector.write([flag(mapping, A, "k2", Flag(status="resolved"), FLAG), note(A)])
    (escalation,) = org.records["Escalation__c"].values()
    record = org.records["Account"][A]

    assert (record["Escalated__c"], record["Escalation_Level__c"], record["Escalation_Reason__c"]) == (
        False,
        None,
        None,
    )
    assert (escalation["Escalated__c"], escalation["Escalation_Level__c"]) == (False, "L2")
    assert escalation["Escalation_Status__c"] == "resolved"
    assert notes(org)[0]["Escalation__r"] == {"Key__c": escalation["Key__c"]}


@pytest.mark.parametrize("path", ["composite/graph", "composite/sobjects"])
def test_trap_08_trap_41_an_answer_that_was_lost_makes_nothing_twice(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, path: str
) -> None:
    """Also what a worker that was killed between sending and storing does after its restart: the same write again."""
    fill(org, 2)

    def executed(call: Call) -> Reply:
        org.served(call)
        return Reply(cut=True)

    org.faults.append(once(path, executed))
    batch: list[Write] = [flag(mapping, A), note(A), task(A)]
    first = connector.write(batch)
    again = fates(connector, batch)

    assert Result.UNKNOWN in [each.result for each in first]
    assert again == [Result.APPLIED, Result.ALREADY_APPLIED, Result.ALREADY_APPLIED] or path.endswith("graph")
    assert again[1] is Result.ALREADY_APPLIED
    assert connector.count(["n1", "t1"]) == {"n1": 1, "t1": 1}
    assert org.records["Account"][A]["Escalated__c"] is True


def test_a_line_that_never_stood_surely_did_nothing(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    org.faults.append(always("composite", Reply(503, "<html>maintenance</html>")))
    with pytest.raises(RetryableError):
        connector.write([flag(mapping, A)])


def test_trap_13_the_worker_knows_its_own_write_when_it_comes_back(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """What it reads is exactly what it wrote, so nothing differs and nothing is written again."""
    fill(org, 2)
    connector.write([flag(mapping, A)])
    rows = [row for page in connector.pull(mapping.query(RecordKind.ACCOUNT, ids=[A])) for row in page.rows]

    assert mapping.account(rows[0]).flag == FLAG


def test_trap_14_a_flag_that_a_person_unticked_is_not_written_over(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """The worker expects its own flag; it is another by now, and the decision is made anew."""
    fill(org, 2)
    connector.write([flag(mapping, A)])
    org.put("Account", A, Escalated__c=False)
    result = connector.write([flag(mapping, A, "k2", replace(FLAG, level=Level.L3), FLAG)])[0]

    assert result.result is Result.CONFLICT
    assert "Escalated__c" in result.reason
    assert org.records["Account"][A]["Escalation_Level__c"] == "L2"


def test_trap_15_a_flag_is_not_taken_away_from_under_somebody_who_edits(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """The person saves between our look and our write: Salesforce itself refuses, note and all."""
    org.now = lambda: NOW
    fill(org, 2)
    connector.write([flag(mapping, A)])
    org.put("Account", A, Tier__c="Strategic", LastModifiedById="005000000000CSMAAA")

    def edited(call: Call) -> Reply | None:
        if '"allOrNone":true' in call.body:
            org.now = lambda: NOW + timedelta(seconds=2)
            org.put("Account", A, Escalation_Owner__c="Sari", LastModifiedById="005000000000CSMAAA")
        return None

    org.faults.append(edited)
    results = fates(connector, [flag(mapping, A, "k2", Flag(status="resolved"), FLAG), note(A)])
    sent = org.calls[-1].json["compositeRequest"]

    assert results == [Result.CONFLICT, Result.RETRY]
    assert sent[0]["httpHeaders"] == {"If-Unmodified-Since": "Tue, 24 Nov 2026 03:00:00 GMT"}
    assert "httpHeaders" not in sent[1]
    assert org.records["Account"][A]["Escalation_Owner__c"] == "Sari"
    assert notes(org) == []


def test_trap_16_of_two_hundred_tasks_three_fail_each_for_itself(org: Org, connector: SalesforceConnector) -> None:
    """A collection answers with 200 whatever became of its records; the order is that of the batch."""
    fill(org, 200)
    bad = {account(number) for number in (3, 77, 150)}
    org.refuse = lambda name, _key, body: (
        error(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "no") if name == "Task" and body.get("WhatId") in bad else None
    )
    results = connector.write([task(account(number), f"t{number}") for number in range(200)])

    assert [number for number, each in enumerate(results) if each.result is Result.REJECTED] == [3, 77, 150]
    assert sum(each.result is Result.APPLIED for each in results) == 197
    assert "FIELD_CUSTOM_VALIDATION_EXCEPTION" in results[77].reason


def test_trap_17_who_was_rolled_back_with_another_comes_again_unchanged(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    org.refuse = refusing("STRING_TOO_LONG", "Body: too long", "Escalation_Note__c", "n2")  # type: ignore[assignment]
    results = connector.write([flag(mapping, A), note(A), note(A, "n2"), flag(mapping, B, "k2")])

    assert [each.result for each in results] == [Result.RETRY, Result.RETRY, Result.REJECTED, Result.APPLIED]
    assert "too long" in results[2].reason
    assert org.records["Account"][A]["Escalated__c"] is False


def test_trap_18_what_was_not_tried_after_the_fourteenth_failure_is_not_lost(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 30)
    bad = {account(number) for number in range(20)}
    org.refuse = lambda name, key, _body: (
        error(400, "FIELD_CUSTOM_VALIDATION_EXCEPTION", "no") if name == "Account" and key in bad else None
    )
    batch: list[Write] = [flag(mapping, account(number), f"k{number}") for number in range(30)]
    first = connector.write(batch)
    left = [write for write, each in zip(batch, first, strict=True) if each.result is Result.RETRY]
    second = connector.write(left)

    assert sum(each.result is Result.REJECTED for each in first) == 14
    assert len(left) == 16
    assert sum(each.result is Result.REJECTED for each in second) == 6
    assert sum(each.result is Result.APPLIED for each in second) == 10


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access"),
        (
            "CANNOT_INSERT_UPDATE_ACTIVATE_ENTITY",
            "AccountTrigger: UNABLE_TO_LOCK_ROW, unable to obtain exclusive access",
        ),
    ],
)
def test_trap_19_a_locked_row_is_tried_again_and_holds_nobody_up(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, code: str, words: str
) -> None:
    fill(org, 3)
    locked = [2]

    def refuse(name: str, key: str, _body: Record) -> Reply | None:
        if name != "Account" or key != A or not locked[0]:
            return None
        locked[0] -= 1
        return error(400, code, words)

    org.refuse = refuse
    rounds = [fates(connector, [flag(mapping, A), flag(mapping, B, "k2")]) for _ in range(3)]

    assert [each[0] for each in rounds] == [Result.RETRY, Result.RETRY, Result.APPLIED]
    assert {each[1] for each in rounds} == {Result.APPLIED}


def test_trap_20_a_note_that_another_worker_just_made_is_there(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)

    def refuse(name: str, key: str, _body: Record) -> Reply | None:
        if name != "Escalation_Note__c" or notes(org):
            return None
        rival.append(key)
        return error(400, "DUPLICATE_VALUE", "duplicate value found: Key__c duplicates value on record")

    rival: list[str] = []
    org.refuse = refuse

    def won(call: Call) -> Reply | None:
        if rival and not notes(org):
            org.put("Escalation_Note__c", "a07000000000009AAA", Key__c=rival[0])
        return None

    org.faults.append(won)
    results = connector.write([flag(mapping, A), note(A)])

    assert [each.result for each in results] == [Result.RETRY, Result.ALREADY_APPLIED]
    assert len(notes(org)) == 1


def test_trap_21_a_key_that_two_records_have_is_a_fault_of_the_org(org: Org, connector: SalesforceConnector) -> None:
    fill(org, 2)
    for number in (1, 2):
        org.put("Escalation_Note__c", f"a0700000000000{number}AAA", Key__c="n1", Body__c="old")
    result = connector.write([note(A, body="new")])[0]

    assert result.result is Result.REJECTED
    assert "not unique" in result.remedy
    assert {each["Body__c"] for each in notes(org)} == {"old"}
    assert connector.count(["n1"]) == {"n1": 2}


def test_trap_25_a_flag_field_that_may_not_be_written_parks_its_own_write(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    words = "Unable to create/update fields: Escalation_Owner__c. Please check the security settings of this field"
    org.refuse = refusing("INVALID_FIELD_FOR_INSERT_UPDATE", words, "Account", A)  # type: ignore[assignment]
    results = connector.write([flag(mapping, A), flag(mapping, B, "k2")])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED]
    assert "Escalation_Owner__c" in results[0].reason
    assert "permission set" in results[0].remedy


def test_trap_25_a_field_that_is_read_only_is_not_even_tried(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    org.fields["Account"]["Escalation_Due__c"]["updateable"] = False
    result = connector.write([flag(mapping, A)])[0]

    assert result.result is Result.REJECTED
    assert "Escalation_Due__c" in result.reason
    assert not org.counted("composite")


def test_trap_25_a_field_that_was_hidden_meanwhile_is_named_and_holds_up_no_note(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    connector.write([flag(mapping, B), note(B, "n0")])
    del org.fields["Account"]["Escalation_Owner__c"]
    with pytest.raises(FatalError, match="Escalation_Owner__c"):
        connector.write([flag(mapping, A), note(A)])
    results = connector.write([flag(mapping, A), note(account(0))])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED]
    assert "Account.Escalation_Owner__c" in results[0].reason


@pytest.mark.parametrize(
    ("code", "said", "remedy"),
    [
        ("INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST", "bad value for restricted picklist field: L3", "picklist"),
        ("FIELD_CUSTOM_VALIDATION_EXCEPTION", "Kolom alasan wajib diisi untuk pelanggan strategis", "validation rule"),
    ],
)
def test_trap_26_trap_27_what_the_org_refuses_is_told_in_its_own_words(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, code: str, said: str, remedy: str
) -> None:
    fill(org, 3)
    org.refuse = refusing(code, said, "Account", A)  # type: ignore[assignment]
    results = connector.write([flag(mapping, A), flag(mapping, B, "k2")])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED]
    assert said in results[0].reason
    assert remedy in results[0].remedy


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("ENTITY_IS_LOCKED", Result.RETRY),
        ("DUPLICATES_DETECTED", Result.RETRY),
        ("STORAGE_LIMIT_EXCEEDED", Result.RETRY),
    ],
)
def test_what_a_person_must_end_is_tried_again_slowly(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, code: str, result: Result
) -> None:
    fill(org, 2)
    org.refuse = refusing(code)  # type: ignore[assignment]
    found = connector.write([flag(mapping, A)])[0]

    assert (found.result, found.retry_after) == (result, timedelta(hours=1))
    assert found.remedy


def test_trap_28_writes_follow_an_account_that_was_merged(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    org.put("Account", A, IsDeleted=True, MasterRecordId=B)
    results = connector.write([flag(mapping, A), note(A), task(A)])
    (made,) = org.records["Task"].values()
    (kept,) = org.records["Escalation__c"].values()

    assert [each.done for each in results] == [True] * 3
    assert notes(org)[0]["Account__c"] == B
    assert made["WhatId"] == B
    assert (kept["Account__c"], kept["Key__c"].partition("-")[0]) == (B, A)


def test_trap_28_the_flag_of_a_merged_account_goes_into_its_escalation_and_never_into_the_other_account(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    connector.write([flag(mapping, A), note(A)])
    org.put("Account", B, **{name: org.records["Account"][A][name] for name in ("Escalated__c", "Escalation_Level__c")})
    org.put("Account", A, IsDeleted=True, MasterRecordId=B)
    closed = connector.write([flag(mapping, A, "k2", Flag(status="duplicate"), expect=FLAG)])
    again = connector.write([flag(mapping, A, "k3", Flag(status="duplicate"), expect=FLAG)])
    (kept,) = org.records["Escalation__c"].values()

    assert [each.done for each in (*closed, *again)] == [True, True]
    assert org.records["Account"][B]["Escalated__c"] is True
    assert (kept["Escalated__c"], kept["Escalation_Status__c"], kept["Account__c"]) == (False, "duplicate", B)
    assert (kept["Escalation_Level__c"], kept["Escalation_Reason__c"]) == ("L2", "why")


def test_trap_28_an_org_without_the_status_duplicate_shows_a_merged_one_as_resolved(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 3)
    status = org.fields["Escalation__c"]["Escalation_Status__c"]
    status["picklistValues"] = [each for each in status["picklistValues"] if each["value"] != "duplicate"]
    connector.write([flag(mapping, A)])
    org.put("Account", A, IsDeleted=True, MasterRecordId=B)
    connector.write([flag(mapping, A, "k2", Flag(status="duplicate"))])
    (kept,) = org.records["Escalation__c"].values()

    assert kept["Escalation_Status__c"] == "resolved"


def test_trap_28_a_deleted_account_is_named(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    fill(org, 2)
    org.put("Account", A, IsDeleted=True)
    result = connector.write([flag(mapping, A)])[0]

    assert result.result is Result.REJECTED
    assert A in result.reason
    assert "deleted" in result.reason


@pytest.mark.parametrize("key", ["a/b", "a?b", "a#b", "..", "a b", "x:y", "ключ", "", "k" * 65])
def test_trap_33_a_key_that_an_address_would_change_is_refused(
    org: Org, connector: SalesforceConnector, key: str
) -> None:
    result = connector.write([note(A, key)])[0]

    assert result.result is Result.REJECTED
    assert org.calls == []


def test_trap_34_a_long_note_is_cut_where_a_letter_ends(org: Org, connector: SalesforceConnector) -> None:
    fill(org, 2)
    org.fields["Escalation_Note__c"]["Body__c"]["length"] = 32768
    connector.write([note(A, body="😀 keluhan " * 4000)])
    body = notes(org)[0]["Body__c"]

    assert units(body) <= 32768
    assert body.endswith("the worker's own record]")
    assert body.encode("utf-16", "strict")
    assert fitted("a😀", 2, "…") == "a…"
    assert fitted("lone \ud800 half\x00", 99) == "lone ? half"


def test_trap_38_times_are_written_in_utc(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    fill(org, 2)
    jakarta = datetime.fromisoformat("2026-11-24T10:00:00+07:00")
    connector.write([flag(mapping, A, wanted=replace(FLAG, due_at=jakarta))])

    assert org.records["Account"][A]["Escalation_Due__c"] == "2026-11-24T03:00:00Z"


def test_a_task_finds_its_person_by_id_or_address_and_else_goes_to_the_accounts_owner(
    org: Org, connector: SalesforceConnector
) -> None:
    owner, ratna = "005000000000OWNAAA", "005000000000RATAAA"
    fill(org, 2, OwnerId=owner)
    org.put("User", ratna, Email="Ratna@example.com", Username="ratna@acme", IsActive=True)
    people = ["005000000000XYZ", "ratna@acme", "u-cs-manager"]
    connector.write([task(A, f"t{number}", who) for number, who in enumerate(people)])
    made = list(org.records["Task"].values())

    assert [each["OwnerId"] for each in made] == [eighteen("005000000000XYZ"), ratna, owner]
    assert made[2]["Description"].startswith("For: u-cs-manager\n")
    assert made[0]["ActivityDate"] == "2026-11-25"


def test_without_its_key_field_no_task_is_made(org: Org, connector: SalesforceConnector) -> None:
    fill(org, 2)
    del org.fields["Task"]["Escalation_Key__c"]
    results = connector.write([note(A), task(A)])

    assert [each.result for each in results] == [Result.APPLIED, Result.REJECTED]
    assert "Activity" in results[1].remedy
    assert "Task" not in org.records


def test_a_task_waits_for_the_flag_of_its_account(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    org.refuse = refusing("UNABLE_TO_LOCK_ROW")  # type: ignore[assignment]

    assert fates(connector, [flag(mapping, A), task(A)]) == [Result.RETRY, Result.RETRY]
    assert "Task" not in org.records


def test_what_is_not_an_account_of_this_org_is_refused_before_a_call(org: Org, connector: SalesforceConnector) -> None:
    batch: list[Write] = [note("A1"), UpdateRecord("k", "Case", A, {"Subject": "x"})]

    assert fates(connector, batch) == [Result.REJECTED, Result.REJECTED]
    assert not org.counted("composite")


def test_an_answer_that_says_nothing_of_a_write_leaves_it_open(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    for body in ("<html>", {"graphs": []}, {"graphs": [{"graphId": "g0"}]}):
        org.faults = [always("graph", Reply(body=body))]

        assert fates(connector, [flag(mapping, A)]) == [Result.UNKNOWN]


def test_a_second_call_that_fails_leaves_the_first_ones_results(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 100)
    org.faults.append(once("graph", lambda call: None))
    graphs = []

    def second(call: Call) -> Reply | None:
        if "graph" in call.path:
            graphs.append(call)
        return error(503, "SERVER_UNAVAILABLE", "busy") if "graph" in call.path and len(graphs) == 2 else None

    org.faults.append(second)
    results = fates(connector, [flag(mapping, account(number), f"k{number}") for number in range(100)])

    assert results == [Result.APPLIED] * 75 + [Result.RETRY] * 25


def test_a_refusal_of_the_whole_call_is_raised(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    fill(org, 2)
    org.faults.append(always("graph", error(403, "API_DISABLED_FOR_ORG", "API is not enabled")))
    with pytest.raises(FatalError):
        connector.write([flag(mapping, A)])


def test_trap_22_writes_wait_when_the_calls_are_used_up(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 2)
    org.faults.append(once("composite", error(403, "REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.")))
    with pytest.raises(RetryableError) as refused:
        connector.write([flag(mapping, A)])

    assert refused.value.after == timedelta(minutes=15)
    assert fates(connector, [flag(mapping, A)]) == [Result.APPLIED]


@pytest.mark.parametrize(("flagged", "most"), [(1, 3), (75, 3), (100, 4)])
def test_what_a_tick_costs_in_calls(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping, flagged: int, most: int
) -> None:
    """The floor is one composite for the reading and, for flags and notes, one for 500 pairs: at most two more."""
    fill(org, 200)
    pulled(connector, tick(mapping))
    org.calls.clear()
    pulled(connector, tick(mapping))
    unchanged = len(org.calls)
    org.calls.clear()
    connector.write([note(A, "warm")])
    org.calls.clear()
    pulled(connector, tick(mapping))
    batch: list[Write] = []
    for number in range(flagged):
        batch += [flag(mapping, account(number), f"k{number}", expect=Flag()), note(account(number), f"n{number}")]
    size = connector.capabilities().batch_size
    results = [each for start in range(0, len(batch), size) for each in fates(connector, batch[start : start + size])]

    assert set(results) == {Result.APPLIED}
    assert unchanged == 1
    assert len(org.calls) == most
    assert most <= 2 + 2
