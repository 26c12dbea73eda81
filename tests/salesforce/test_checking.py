"""`check` and `setup`: traps 12, 24, 26, 44, and what the documentation leaves open."""

from __future__ import annotations

from datetime import timedelta

from connectors.base import Finding, Severity
from connectors.crm.salesforce import SalesforceConnector
from tests.salesforce.cases import always, fill
from tests.salesforce.conftest import Make
from tests.salesforce.stub import Org, Reply, error
from worker.mapping import CrmMapping


def wrong(found: list[Finding]) -> dict[str, Finding]:
    return {each.subject: each for each in found if each.severity is not Severity.OK}


def test_an_org_with_everything_has_no_complaint_and_is_not_written_to(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    fill(org, 1)
    found = list(connector.check(mapping.needs()))

    assert wrong(found) == {}
    assert {call.method for call in org.calls if "oauth2" not in call.path and "composite" not in call.path} == {"GET"}
    assert connector.setup(mapping.needs(), dry_run=False)[0].detail == "has everything"


def test_trap_24_a_hidden_field_is_named_with_object_and_permission_set(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    for name in ("Health__c", "Tier__c", "Escalation_Due__c"):
        del org.fields["Account"][name]
    found = wrong(list(connector.check(mapping.needs())))

    assert found["Account.Health__c"].severity is Severity.ERROR
    assert found["Account.Tier__c"].severity is Severity.WARNING
    assert found["Account.Escalation_Due__c"].severity is Severity.ERROR
    assert all("permission set Escalation Worker" in each.remedy for each in found.values())


def test_a_flag_field_that_cannot_be_written_is_an_error(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.fields["Account"]["Escalated__c"]["updateable"] = False
    found = wrong(list(connector.check(mapping.needs())))

    assert found["Account.Escalated__c"].severity is Severity.ERROR
    assert "not written" in found["Account.Escalated__c"].detail


def test_trap_26_a_picklist_without_l3_is_named_with_what_it_has(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    values = org.fields["Account"]["Escalation_Level__c"]["picklistValues"]
    values[:] = [each for each in values if each["value"] != "L3"]
    found = wrong(list(connector.check(mapping.needs())))["Account.Escalation_Level__c"]

    assert found.severity is Severity.ERROR
    assert "no L3" in found.detail
    assert "L1, L2" in found.detail


def test_trap_12_a_formula_is_warned_of(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    org.fields["Account"]["Health__c"]["calculated"] = True
    org.fields["Account"]["ARR__c"]["calculated"] = True
    found = wrong(list(connector.check(mapping.needs())))

    assert "by their state" in found["Account.Health__c"].detail
    assert "daily sweep" in found["Account.ARR__c"].detail
    assert {each.severity for each in found.values()} == {Severity.WARNING}


def test_a_key_that_is_not_unique_is_an_error(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    org.fields["Escalation_Note__c"]["Key__c"]["unique"] = False
    found = wrong(list(connector.check(mapping.needs())))

    assert found["Escalation_Note__c.Key__c"].severity is Severity.ERROR


def test_what_was_not_deployed_is_an_error_for_setup_too(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    del org.fields["Escalation_Note__c"]
    (found,) = connector.setup(mapping.needs(), dry_run=False)

    assert found.subject == "Escalation_Note__c"
    assert "sf project deploy start" in found.remedy
    assert {call.method for call in org.calls if "oauth2" not in call.path and "composite" not in call.path} == {"GET"}


def test_trap_44_a_wrong_clock_is_told(org: Org, make: Make, mapping: CrmMapping) -> None:
    connector = make()
    connector._client.now = lambda: org.now() + timedelta(minutes=10)
    found = wrong(list(connector.check(mapping.needs())))

    assert "600 s" in found["clock"].detail or "601 s" in found["clock"].detail


def test_calls_that_run_out_are_told(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    org.faults.append(always("limits", Reply(body={"DailyApiRequests": {"Max": 1000, "Remaining": 50}})))
    found = wrong(list(connector.check(mapping.needs())))

    assert found["API calls"].detail == "50 of 1000 calls of 24 hours are left"


def test_comments_that_do_not_move_their_case_are_told(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    """The documentation leaves open whether a comment touches its case; this org shows it."""
    org.fields["CaseComment"] = {name: {"name": name, "type": "x"} for name in ("Id", "CreatedDate")}
    parent = {"name": "ParentId", "type": "reference", "relationshipName": "Parent", "referenceTo": ["Case"]}
    org.fields["CaseComment"]["ParentId"] = parent
    rows = [
        {"CreatedDate": "2026-11-24T01:00:00.000+0000", "Parent": {"SystemModstamp": "2026-11-24T00:00:00.000+0000"}},
        {"CreatedDate": "2026-11-24T01:00:00.000+0000", "Parent": {"SystemModstamp": "2026-11-24T01:00:00.000+0000"}},
    ]
    body = {"totalSize": 2, "done": True, "records": rows}
    part = {"body": body, "httpHeaders": {}, "httpStatusCode": 200, "referenceId": "r0"}
    org.faults.append(always("composite", Reply(body={"compositeResponse": [part]})))
    found = wrong(list(connector.check(mapping.needs())))

    assert "1 of the newest 2" in found["CaseComment"].detail


def test_one_look_that_fails_does_not_hide_the_others(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.faults.append(always("Dispute__c/describe", error(500, "UNKNOWN_EXCEPTION", "boom")))
    found = wrong(list(connector.check(mapping.needs())))

    assert any("boom" in each.detail for each in found.values())
    assert all(each.remedy for each in found.values())


def test_an_org_without_disputes_runs_with_less(org: Org, connector: SalesforceConnector, mapping: CrmMapping) -> None:
    del org.fields["Dispute__c"]
    found = wrong(list(connector.check(mapping.needs())))["Dispute__c"]

    assert found.severity is Severity.WARNING
    assert "remove it in the mapping" in found.remedy


def test_a_health_that_cannot_be_asked_for_is_told_and_the_rest_is_asked(
    org: Org, connector: SalesforceConnector, mapping: CrmMapping
) -> None:
    org.put("Account", "001000000000001AAA", Health__c="Red")
    flagged = org.put("Account", "001000000000007AAA", Health__c="Green", Escalated__c=True)
    org.fields["Account"]["Health__c"]["filterable"] = False
    found = wrong(list(connector.check(mapping.needs())))["Account.Health__c"]
    rows = [row.record_id for page in connector.pull(mapping.state_query()) for row in page.rows]

    assert found.severity is Severity.WARNING
    assert "cannot be asked for" in found.detail
    assert rows == [flagged]
