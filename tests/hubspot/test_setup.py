"""Traps of bringing our properties and list into a portal, and what `check` finds out about one."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import timedelta

from connectors.base import CreateNote, Finding, Severity
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.crm.hubspot.schema import LIST_NAME, SPECS, WISHES
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from tests.hubspot.conftest import Rig
from tests.hubspot.harness import on_twin
from tests.hubspot.stub import Fault, body, definition, refused
from worker.core.model import RecordKind, Wish
from worker.mapping import CrmMapping


def bad(findings: Sequence[Finding], severity: Severity = Severity.ERROR) -> list[str]:
    return [f"{each.subject}: {each.detail}" for each in findings if each.severity is severity]


def test_setup_makes_what_is_missing_and_then_nothing(
    twin: HubSpotTwin, time: VirtualClock, mapping: CrmMapping
) -> None:
    """Trap 36: the second run changes nothing; a dry run never does."""
    connector = on_twin(twin, time)
    before = len(twin.portal.type("companies").properties)
    dry = connector.setup(mapping.needs(), dry_run=True)
    untouched = len(twin.portal.type("companies").properties)
    made = connector.setup(mapping.needs(), dry_run=False)
    number = len(twin.calls)
    again = connector.setup(mapping.needs(), dry_run=False)
    written = [call for call in twin.calls[number:] if call.method != "GET"]

    assert untouched == before
    assert {each.subject for each in dry} >= {"companies.escalation_flag", "tickets.bug_key", f"list {LIST_NAME}"}
    assert not bad(made)
    assert "has everything" in again[0].detail
    assert not [call.path for call in written if "notes" not in call.path and "tasks" not in call.path]  # the probe


def test_setup_twice_at_the_same_time_is_setup_once(rig: Rig) -> None:
    """Trap 36: 409 for what another run has just made is success."""
    for name in SPECS["companies"]:
        del rig.portal.definitions["companies"][name]
    rig.portal.lists.clear()
    rig.portal.groups.clear()
    findings: list[Finding] = []

    def run() -> None:
        findings.extend(rig.connect().setup(rig.mapping.needs(), dry_run=False))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert not bad(findings)
    assert set(SPECS["companies"]) <= set(rig.portal.definitions["companies"])
    assert list(rig.portal.lists) == [LIST_NAME]


def test_a_conflict_for_what_is_there_by_now_is_success(rig: Rig) -> None:
    """Trap 36: 409 on the properties, which are there when looked at again."""
    del rig.portal.definitions["companies"]["escalation_flag"]
    answer = refused("CONFLICT", "property exists", 409)
    rig.portal.faults.append(Fault("companies/batch/create", body(*answer), apply_first=True))

    assert not bad(rig.connect().setup(rig.mapping.needs(), dry_run=False))


def test_a_property_of_another_type_is_told_and_left_alone(rig: Rig) -> None:
    """Trap 36: a type mismatch is an error with a remedy, and no change."""
    rig.portal.define("companies", definition("escalation_due_at", "string"))
    findings = rig.connect().setup(rig.mapping.needs(), dry_run=False)

    assert bad(findings) == ["companies.escalation_due_at: is of type string, not datetime; it was left alone"]
    assert rig.portal.definitions["companies"]["escalation_due_at"]["type"] == "string"


def test_missing_options_are_added_to_those_that_are_there(rig: Rig) -> None:
    """Trap 36: the whole list of options is sent, each with its place."""
    theirs = {"value": "L0", "label": "None", "displayOrder": 0, "hidden": False}
    rig.portal.define("companies", definition("escalation_level", "enumeration", options=[theirs]))
    rig.connect().setup(rig.mapping.needs(), dry_run=False)
    options = rig.portal.definitions["companies"]["escalation_level"]["options"]
    assert isinstance(options, list)

    assert [each["value"] for each in options] == ["L0", "L1", "L2", "L3"]
    assert [each["displayOrder"] for each in options] == [0, 1, 2, 3]


def test_options_are_sent_in_order_and_a_truth_has_two(
    twin: HubSpotTwin, time: VirtualClock, mapping: CrmMapping
) -> None:
    """Trap 36: the dated versions demand displayOrder; the strict twin refuses what lacks it."""
    on_twin(twin, time).setup(mapping.needs(), dry_run=False)
    made = twin.portal.type("companies").properties

    assert [each["value"] for each in made["escalation_override"].options] == list(WISHES)
    assert [each["value"] for each in made["escalation_flag"].options] == ["true", "false"]


def test_every_wish_can_be_chosen() -> None:
    assert set(WISHES) == {each.value for each in Wish}


def test_a_list_of_the_same_name_with_another_filter_is_left_alone(rig: Rig) -> None:
    """Trap 37: somebody else's list is neither changed nor counted as ours."""
    theirs = {"name": LIST_NAME, "filterBranch": {"filters": [{"property": "country"}]}}
    rig.portal.lists[LIST_NAME] = theirs
    findings = rig.connect().setup(rig.mapping.needs(), dry_run=False)

    assert rig.portal.lists[LIST_NAME] is theirs
    assert [each for each in bad(findings, Severity.WARNING) if LIST_NAME in each]
    assert not bad(findings)


def test_a_portal_without_unique_notes_is_told_what_exactness_rests_on(rig: Rig) -> None:
    for object_type in ("notes", "tasks"):
        del rig.portal.definitions[object_type]["escalation_key"]
    rig.portal.unique_refused = {"notes", "tasks"}
    findings = rig.connect().setup(rig.mapping.needs(), dry_run=False)
    looked = rig.connect().check(rig.mapping.needs())

    assert len([each for each in bad(findings, Severity.WARNING) if "rests on the mark" in each]) == 2
    assert len([each for each in bad(looked, Severity.WARNING) if "rests on the mark" in each]) == 2
    assert not bad(findings)


def test_check_says_which_portal_it_is_and_in_which_zone_its_day_ends(rig: Rig) -> None:
    findings = rig.connect(zone="UTC").check(rig.mapping.needs())

    assert any("portal 1, Asia/Jakarta" in each.detail for each in findings)
    assert any("zone: Asia/Jakarta" in each.remedy for each in findings)


def test_check_names_the_scope_that_one_object_lacks_and_goes_on(rig: Rig) -> None:
    answer = refused("MISSING_SCOPES", "no", 403, context={"missingScopes": ["tickets"]})
    rig.portal.faults.append(Fault("tickets/search", body(*answer), times=9))
    findings = rig.connect().check(rig.mapping.needs())

    assert any("missing scopes: tickets" in each for each in bad(findings))
    assert any(each.subject.startswith("list") for each in findings)


def test_check_tells_when_empty_flags_are_not_found(rig: Rig, company: str) -> None:
    good = rig.connect().check(rig.mapping.needs())
    rig.portal.vanishing = True
    odd = rig.connect().check(rig.mapping.needs())

    assert any("finds what was never set" in each.detail for each in good)
    assert [each for each in bad(odd, Severity.WARNING) if "without a flag" in each]


def test_check_writes_nothing(rig: Rig) -> None:
    rig.connector.check(rig.mapping.needs())
    writes = [each.path for each in rig.portal.seen if each.verb != "GET" and not each.path.endswith("/search")]

    assert not writes


def test_a_mapping_with_unknown_properties_is_told(rig: Rig) -> None:
    del rig.portal.definitions["tickets"]["content"]
    findings = rig.connect().setup(rig.mapping.needs(), dry_run=False)

    assert [each for each in bad(findings, Severity.WARNING) if each.startswith("tickets.content")]
    assert rig.ids(RecordKind.CASE) == []


def test_check_looks_at_what_hubspot_made_of_our_notes(
    twin: HubSpotTwin, on: HubSpotConnector, time: VirtualClock, mapping: CrmMapping
) -> None:
    company = twin.put("companies", name="PT")
    before = [each.detail for each in on.check(mapping.needs())]
    on.write([CreateNote("n1", company, "title", "body", time.now)])
    time.advance(timedelta(minutes=5))
    after = [each.detail for each in on.check(mapping.needs())]

    assert not [each for each in before if "the mark is there" in each]
    assert [each for each in after if "the mark is there, with bold titles" in each]
