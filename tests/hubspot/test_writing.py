"""Traps of writing: batches that fail in part, rules of the portal, texts of customers, pins and locks."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.base import CreateNote, CreateTask, FatalError, Result, UpdateRecord
from connectors.crm.hubspot.bodies import LONGEST, marks, rich, size
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.twins.hubspot import HubSpotTwin
from tests.hubspot.conftest import Rig
from tests.hubspot.stub import NOW, Fault, body, item_error, refused
from worker.core.model import Flag, Level

UPDATE = "companies/batch/update"


def flag(key: str, company: str, **values: object) -> UpdateRecord:
    return UpdateRecord(key, "companies", company, values or {"escalation_flag": True})


def many(rig: Rig, count: int) -> list[str]:
    return [rig.portal.put("companies", str(6000 + number), name="PT") for number in range(count)]


def test_one_archived_company_is_told_and_the_others_are_written_once(rig: Rig) -> None:
    """Trap 23: 99 applied, one rejected as OBJECT_NOT_FOUND, and nobody is sent twice."""
    companies = many(rig, 100)
    rig.portal.objects["companies"][companies[7]]["archived"] = True
    results = rig.connector.write([flag(f"k{each}", each) for each in companies])
    (update,) = rig.portal.asked(UPDATE)

    assert [each.result for each in results].count(Result.APPLIED) == 99
    assert results[7].result is Result.REJECTED
    assert "OBJECT_NOT_FOUND" in results[7].reason
    assert len(update.body["inputs"]) == 99


def test_one_that_is_archived_between_look_and_write_is_told_by_its_trace(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Trap 23: 207 with an error that names the input's objectWriteTraceId only."""
    companies = many(rig, 3)
    error = item_error("OBJECT_NOT_FOUND", "gone", objectWriteTraceId=[f"k{companies[1]}"])
    done = [rig.portal.shown("companies", each, []) for each in (companies[0], companies[2])]
    rig.portal.faults.append(Fault(UPDATE, body(207, {"results": done, "errors": [error]})))
    results = rig.connector.write([flag(f"k{each}", each) for each in companies])

    assert [each.result for each in results] == [Result.APPLIED, Result.REJECTED, Result.APPLIED]
    assert len(rig.portal.asked(UPDATE)) == 1


def test_errors_inside_a_good_answer_are_failures_of_their_items(rig: Rig) -> None:
    """Trap 26: 200 with `errors`, as the dated versions answer; an item that nobody mentions is unknown."""
    companies = many(rig, 3)
    error = item_error("VALIDATION_ERROR", "not allowed", ids=[companies[0]])
    done = [rig.portal.shown("companies", companies[1], [])]
    rig.portal.faults.append(Fault(UPDATE, body(200, {"results": done, "errors": [error]})))
    results = rig.connector.write([flag(f"k{each}", each) for each in companies])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED, Result.UNKNOWN]
    assert "not allowed" in results[0].reason


def test_a_company_that_stands_twice_in_a_batch_is_sent_once_a_call(rig: Rig, company: str) -> None:
    """Trap 24: HubSpot refuses a whole batch for one id that it has twice."""
    first, second = flag("k1", company), flag("k2", company, escalation_reason="second")
    results = rig.connector.write([first, second])
    sent = [[each["id"] for each in call.body["inputs"]] for call in rig.portal.asked(UPDATE)]

    assert [each.result for each in results] == [Result.APPLIED, Result.APPLIED]
    assert sent == [[company], [company]]


def test_a_rule_of_the_portal_stops_one_company_with_its_reason(rig: Rig) -> None:
    """Trap 25: a whole batch refused for one company is halved until that one is alone."""
    companies = many(rig, 8)
    rig.portal.vetoed = {companies[5]}
    results = rig.connector.write([flag(f"k{each}", each) for each in companies])

    assert [each.result for each in results].count(Result.APPLIED) == 7
    assert results[5].result is Result.REJECTED
    assert "Region is required" in results[5].reason
    assert "correlationId c-1" in results[5].reason
    assert len(rig.portal.asked(UPDATE)) == 7


def test_a_rule_on_the_twin_is_told_for_its_item(twin: HubSpotTwin, on: HubSpotConnector) -> None:
    """Trap 25: with a trace for each input, the twin writes the good ones and lists the bad."""
    companies = [twin.put("companies", name=name) for name in ("PT A", "PT B")]
    twin.rule("companies", lambda values: values.get("name") == "PT A", "Region is required")
    results = on.write([flag(f"k{each}", each) for each in companies])

    assert [each.result for each in results] == [Result.REJECTED, Result.APPLIED]
    assert "Region is required" in results[0].reason


def test_a_persons_change_is_a_conflict_and_stays(rig: Rig, company: str) -> None:
    """Trap 28: what a person cleared since the decision is not set again by this write."""
    values, seen = rig.mapping.flag_values(Flag(True, Level.L2)), rig.mapping.flag_values(Flag(True, Level.L1))
    result = rig.connector.write([UpdateRecord("k", "companies", company, values, seen)])[0]

    assert result.result is Result.CONFLICT
    assert "escalation_flag" in result.reason
    assert not rig.portal.asked(UPDATE)


def test_what_is_so_already_is_not_written(rig: Rig, company: str) -> None:
    rig.portal.put("companies", company, escalation_flag="true", escalation_level="L1")
    same, other = flag("k1", company, escalation_flag=True, escalation_level="L1"), {"escalation_level": "L2"}
    results = [rig.connector.write([each])[0].result for each in (same, flag("k2", company, **other))]
    (update,) = rig.portal.asked(UPDATE)

    assert results == [Result.ALREADY_APPLIED, Result.APPLIED]
    assert update.body["inputs"][0]["properties"] == {"escalation_level": "L2"}
    assert update.body["inputs"][0]["objectWriteTraceId"] == "k2"


def test_a_long_note_is_cut_and_nothing_of_the_customers_markup_lives() -> None:
    """Trap 29: at most 65,536 characters as HubSpot counts them, the mark kept, no raw tag."""
    text = "<script>alert(1)</script> & 🔥\n" * 2500
    made = rich("Title <b>", text[:70_000], "k-1")
    bare = made.replace("<p>", "").replace("</p>", "").replace("<strong>", "").replace("</strong>", "")

    assert len(text[:70_000]) == 70_000
    assert size(made) <= LONGEST
    assert list(marks(made)) == ["k-1"]
    assert "<" not in bare.replace("<br>", "")
    assert made.endswith("<p>Ref ESC-k-1</p>")
    assert "&lt;script&gt;" in made
    assert "[shortened]" in made


def test_a_note_stands_on_its_company_at_its_own_time(rig: Rig, company: str) -> None:
    note = CreateNote("n1", company, "Escalated", "line one\nRef ESC-n1", NOW)
    result = rig.connector.write([note])[0]
    made = rig.portal.objects["notes"][result.remote_id]["properties"]

    assert made["hs_timestamp"] == "2026-11-24T03:00:00.000Z"
    assert made["hs_note_body"] == "<p><strong>Escalated</strong></p><p>line one</p><p>Ref ESC-n1</p>"
    assert [each for each, _ in rig.portal.links["notes", "companies"][result.remote_id]] == [company]


@pytest.mark.parametrize(("assignee", "owner"), [("101", "101"), ("102", "101"), ("u-vp-cs", "101"), ("", "101")])
def test_a_task_goes_to_who_is_there(rig: Rig, company: str, assignee: str, owner: str) -> None:
    """Trap 39: an archived or unknown person's task goes to the configured one; the note is written all the same."""
    connector = rig.connect(fallback_owner="101")
    task = CreateTask("t1", company, assignee, "subject", "body", NOW + timedelta(hours=2))
    results = connector.write([CreateNote("n1", company, "t", "b", NOW), task])
    made = rig.portal.objects["tasks"][results[1].remote_id]["properties"]

    assert [each.result for each in results] == [Result.APPLIED, Result.APPLIED]
    assert made["hubspot_owner_id"] == owner
    assert made["hs_timestamp"] == "2026-11-24T05:00:00.000Z"
    assert made["hs_task_status"] == "NOT_STARTED"


def test_without_a_fallback_a_task_belongs_to_nobody_and_is_there(rig: Rig, company: str) -> None:
    """Trap 39: never a refusal for the lack of an owner."""
    result = rig.connector.write([CreateTask("t1", company, "102", "subject", "body", NOW)])[0]

    assert result.result is Result.APPLIED
    assert "hubspot_owner_id" not in rig.portal.objects["tasks"][result.remote_id]["properties"]


def pinned(rig: Rig, company: str) -> str | None:
    value = rig.portal.objects["companies"][company]["properties"].get("hs_pinned_engagement_id")
    return None if value is None else str(value)


@pytest.fixture
def pinning(rig: Rig, company: str) -> HubSpotConnector:
    rig.portal.put("companies", company, hs_pinned_engagement_id="77")
    connector = rig.connect(pin_while="escalation_flag")
    connector.setup(rig.mapping.needs(), dry_run=False)
    return connector


def test_the_former_pin_comes_back(rig: Rig, company: str, pinning: HubSpotConnector) -> None:
    """Trap 38: our newest note is pinned while the flag stands, then what was pinned before."""
    first, second = (CreateNote(f"n{number}", company, "t", "b", NOW) for number in (1, 2))
    made = pinning.write([flag("k1", company), first])
    during = [pinned(rig, company)]
    made += pinning.write([second])
    during.append(pinned(rig, company))
    pinning.write([flag("k2", company, escalation_flag=False)])

    assert during == [made[1].remote_id, made[2].remote_id]
    assert pinned(rig, company) == "77"


def test_a_persons_pin_stays(rig: Rig, company: str, pinning: HubSpotConnector) -> None:
    """Trap 38: what a person pinned during the escalation is neither replaced nor removed."""
    pinning.write([flag("k1", company), CreateNote("n1", company, "t", "b", NOW)])
    rig.portal.put("companies", company, hs_pinned_engagement_id="88")
    pinning.write([CreateNote("n2", company, "t", "b", NOW)])
    kept = pinned(rig, company)
    pinning.write([flag("k2", company, escalation_flag=False)])

    assert (kept, pinned(rig, company)) == ("88", "88")


@pytest.mark.parametrize(("status", "wait"), [(423, 2), (477, 30)])
def test_a_locked_record_is_written_later(rig: Rig, company: str, status: int, wait: int) -> None:
    """Trap 43: 423 waits two seconds at least, 477 as long as HubSpot says; repeated, one state remains."""
    headers = {"Retry_After": "30"} if status == 477 else {"Retry_After": "1"}
    rig.portal.faults.append(Fault(UPDATE, body(*refused("LOCKED", "locked", status), **headers)))
    first = rig.connector.write([flag("k", company)])[0]
    second = rig.connector.write([flag("k", company)])[0]

    assert (first.result, second.result) == (Result.RETRY, Result.APPLIED)
    assert first.retry_after is not None
    assert first.retry_after >= timedelta(seconds=wait)
    assert rig.portal.objects["companies"][company]["properties"]["escalation_flag"] == "true"


def test_an_unanswered_update_is_unknown(rig: Rig, company: str) -> None:
    rig.portal.faults.append(Fault(UPDATE, drop_after=True))

    assert rig.connector.write([flag("k", company)])[0].result is Result.UNKNOWN


def test_the_writes_of_an_account_keep_their_order_and_stop_at_the_first_that_fails(rig: Rig, company: str) -> None:
    other = rig.portal.put("companies", "5002", name="PT Dua")
    rig.portal.faults.append(Fault(UPDATE, body(*refused("LOCKED", "locked", 423))))
    batch = [flag("k1", company), CreateNote("n1", company, "t", "b", NOW), CreateNote("n2", other, "t", "b", NOW)]
    results = rig.connector.write(batch)

    assert [each.result for each in results] == [Result.RETRY, Result.RETRY, Result.APPLIED]
    assert len(rig.portal.objects["notes"]) == 1


def test_a_key_without_rights_stops_the_lane_before_anything_is_written(rig: Rig, company: str) -> None:
    missing = {"missingScopes": ["crm.objects.companies.write"]}
    answer = refused("MISSING_SCOPES", "no", 403, context=missing)
    rig.portal.faults.append(Fault(UPDATE, body(*answer)))

    with pytest.raises(FatalError, match=r"crm\.objects\.companies\.write"):
        rig.connector.write([flag("k", company)])


def test_a_property_that_hubspot_computes_is_not_written(rig: Rig, company: str) -> None:
    rig.portal.definitions["companies"]["escalation_reason"]["modificationMetadata"] = {"readOnlyValue": True}
    result = rig.connect().write([flag("k", company, escalation_reason="x")])[0]

    assert result.result is Result.REJECTED
    assert "escalation_reason" in result.reason


def test_more_than_a_hundred_go_in_several_calls(rig: Rig) -> None:
    companies = many(rig, 250)
    results = rig.connector.write([flag(f"k{each}", each) for each in companies])

    assert {each.result for each in results} == {Result.APPLIED}
    assert [len(each.body["inputs"]) for each in rig.portal.asked(UPDATE)] == [100, 100, 50]
    assert [len(each.body["inputs"]) for each in rig.portal.asked("companies/batch/read")] == [100, 100, 50]


def test_a_pin_that_fails_leaves_the_note_and_says_why(rig: Rig, company: str, pinning: HubSpotConnector) -> None:
    pinning.write([flag("k1", company)])
    rig.portal.faults.append(Fault("companies/batch/read", body(*refused("INTERNAL_ERROR", "oops", 500))))
    result = pinning.write([CreateNote("n1", company, "t", "b", NOW)])[0]

    assert result.result is Result.APPLIED
    assert "not pinned" in result.reason


def test_a_key_that_loses_its_rights_midway_leaves_what_is_done_done(rig: Rig) -> None:
    companies = many(rig, 150)
    answer = refused("MISSING_SCOPES", "no", 403, context={"missingScopes": ["crm.objects.contacts.write"]})
    notes = [CreateNote(f"n{each}", each, "t", "b", NOW) for each in companies]
    rig.portal.faults.append(Fault("notes/batch/create", body(*answer), after=1))
    results = rig.connector.write(notes)

    assert [each.result for each in results] == [Result.APPLIED] * 100 + [Result.RETRY] * 50
    assert len(rig.portal.objects["notes"]) == 100
