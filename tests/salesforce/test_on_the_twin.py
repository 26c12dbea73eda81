"""The connector where a strict org that nobody wrote for it must agree: JWT, bulk, conditions, faults, merges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from connectors.base import CreateTask, Cursor, Result, RetryableError, Severity, Write
from connectors.crm.salesforce import SalesforceConnector, connect
from connectors.crm.salesforce.connector import SalesforceConnector as Direct
from connectors.crm.salesforce.options import read
from connectors.twins.faults import AFTER, Fault
from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import VirtualClock
from tests.salesforce.cases import FLAG, flag, ids_of, note
from tests.salesforce.stub import SOURCES
from worker.core.model import Flag, RecordKind
from worker.mapping import CrmMapping

START = datetime(2026, 11, 24, 2, tzinfo=UTC)


@dataclass
class Rehearsal:
    twin: SalesforceTwin
    clock: VirtualClock
    settings: dict[str, object]
    connector: SalesforceConnector

    def accounts(self, count: int, **fields: object) -> list[str]:
        return [
            self.twin.put("Account", Name=f"PT {number:05d}", Health__c="Green", **fields) for number in range(count)
        ]


@pytest.fixture
def rehearsal() -> Iterator[Rehearsal]:
    clock = VirtualClock(START)
    sets = ["Escalation_Worker", "Escalation_Worker_Customer_Success"]
    with SalesforceTwin(clock, metadata=SOURCES, permission_sets=sets) as twin:
        app = {"client_id": twin.app.consumer_key, "client_secret": twin.app.consumer_secret}
        twin.hang_seconds = twin.slow_seconds = 0.05
        settings = {"instance_url": twin.url, "allow_loopback_http": True, "bulk_above": 3000, **app}
        connector = Direct(read(settings), lambda: clock().timestamp(), clock, lambda _: None)
        yield Rehearsal(twin, clock, settings, connector)
        connector.close()


def test_it_signs_in_with_a_key(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    public = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    rehearsal.twin.app.public_key = key.public_key().public_bytes(*public).decode()
    signed = {"auth": "jwt", "client_secret": "", "username": rehearsal.twin.app.username}
    settings = {**rehearsal.settings, **signed, "private_key": key.private_bytes(*form).decode()}
    connector = Direct(read(settings), lambda: rehearsal.clock().timestamp(), rehearsal.clock)
    wanted = rehearsal.accounts(2)

    assert ids_of(connector, mapping) == wanted


def test_a_large_first_load_comes_as_a_query_job(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    owner = rehearsal.twin.put("User", Username="sari@acme.id", LastName='Sari, "S"', Email="sari@acme.id")
    wanted = rehearsal.accounts(3500, OwnerId=owner)
    before = rehearsal.twin.usage.used
    pages = list(rehearsal.connector.pull(mapping.query(RecordKind.ACCOUNT)))
    rows = [row for page in pages for row in page.rows]
    sample = mapping.account(rows[0])

    assert sorted(row.record_id for row in rows) == wanted
    assert sample.owner is not None
    assert sample.owner.name == 'Sari, "S"'
    assert sample.owner.active
    assert not sample.flag.escalated
    assert pages[-1].high_water == Cursor(START - timedelta(seconds=5))
    assert rehearsal.twin.usage.used - before < 10


def test_ties_and_pages_of_a_real_cursor(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    wanted = rehearsal.accounts(2500)
    rehearsal.clock.advance(timedelta(minutes=1))

    assert ids_of(rehearsal.connector, mapping) == wanted
    assert ids_of(rehearsal.connector, mapping, page_size=300) == wanted


def test_flag_and_notes_stand_or_fall_together(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    one, two = rehearsal.accounts(2)
    message = "Alasan wajib diisi"
    rehearsal.twin.validate("Escalation_Note__c", lambda row: row["name"] == "Escalated to L2", message)
    results = rehearsal.connector.write([flag(mapping, one, expect=Flag()), note(one), flag(mapping, two, "k2")])

    assert [each.result for each in results] == [Result.RETRY, Result.REJECTED, Result.APPLIED]
    assert message in results[1].reason
    assert rehearsal.twin.record(one)["Escalated__c"] is False
    assert rehearsal.twin.record(two)["Escalated__c"] is True


def test_a_flag_is_not_taken_away_after_somebody_saved(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    """The whole account waits: the note of a flag that was not taken away is not written either."""
    (one,) = rehearsal.accounts(1)
    twin = rehearsal.twin
    rehearsal.connector.write([flag(mapping, one)])
    twin.edit(one, Tier__c="Strategic")
    answer, edited = twin.answer, []

    def meanwhile(call):  # type: ignore[no-untyped-def]
        if b'"allOrNone":true' in call.body and not edited:
            rehearsal.clock.advance(timedelta(seconds=2))
            twin.edit(one, Description="somebody types")
            edited.append(call)
        return answer(call)

    twin.answer = meanwhile  # type: ignore[method-assign]
    batch: list[Write] = [flag(mapping, one, "k2", Flag(status="resolved"), FLAG), note(one)]
    first = [each.result for each in rehearsal.connector.write(batch)]
    again = [each.result for each in rehearsal.connector.write(batch)]

    assert first == [Result.CONFLICT, Result.RETRY]
    assert again == [Result.APPLIED, Result.APPLIED]
    assert twin.record(one)["Escalated__c"] is False


def test_after_fourteen_failures_nothing_is_lost(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    ids = rehearsal.accounts(40)
    bad = set(ids[:20])
    rehearsal.twin.validate(
        "Account",
        lambda row: row["id"] in bad and row["escalated__c"],
        "no",
    )
    left: list[Write] = [flag(mapping, each, f"k{number}") for number, each in enumerate(ids)]
    fates: list[Result] = []
    while left:
        results = rehearsal.connector.write(left)
        fates += [each.result for each in results if each.result is not Result.RETRY]
        left = [write for write, each in zip(left, results, strict=True) if each.result is Result.RETRY]

    assert fates.count(Result.REJECTED) == 20
    assert fates.count(Result.APPLIED) == 20


def test_a_locked_row_is_tried_again(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    one, two = rehearsal.accounts(2)
    rehearsal.twin.refuse("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record", one, times=2)
    rounds = [
        [each.result for each in rehearsal.connector.write([flag(mapping, one), flag(mapping, two, "k2")])]
        for _ in range(3)
    ]

    assert [each[0] for each in rounds] == [Result.RETRY, Result.RETRY, Result.APPLIED]
    assert {each[1] for each in rounds} == {Result.APPLIED}


def test_writes_follow_a_merge(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    loser, master = rehearsal.accounts(2)
    rehearsal.connector.write([flag(mapping, loser)])
    rehearsal.twin.merge(master, loser)
    results = rehearsal.connector.write([note(loser)])
    rows = [
        row for page in rehearsal.connector.pull(mapping.query(RecordKind.ACCOUNT, ids=[loser])) for row in page.rows
    ]

    assert results[0].result is Result.APPLIED
    assert [each["Account__c"] for each in rehearsal.twin.records("Escalation_Note__c")] == [master]
    assert rows[0].deleted


@pytest.mark.parametrize("fault", list(Fault))
@pytest.mark.parametrize("where", ["composite/graph", "composite$", "composite/sobjects"])
def test_whatever_the_line_does_a_note_is_there_once(
    rehearsal: Rehearsal, mapping: CrmMapping, fault: Fault, where: str
) -> None:
    """The same batch is written until it is done, as the worker does."""
    (one,) = rehearsal.accounts(1)
    twin = rehearsal.twin
    rehearsal.connector.check(mapping.needs())
    twin.faults.on(where, fault)
    left: list[Write] = [flag(mapping, one), note(one), CreateTask("t1", one, "u-x", "call", "body", START)]
    unsure = False
    for _ in range(4):
        rehearsal.clock.advance(timedelta(minutes=20))
        try:
            results = rehearsal.connector.write(left)
        except RetryableError:
            continue
        unsure = unsure or any(each.result is Result.UNKNOWN for each in results)
        left = [write for write, each in zip(left, results, strict=True) if not each.done]
        if not left:
            break

    assert not left
    assert len(twin.records("Escalation_Note__c")) == 1
    assert len(twin.records("Task")) == 1
    assert twin.record(one)["Escalated__c"] is True
    assert unsure or fault not in AFTER - {Fault.SLOW} or where == "composite$"


@pytest.mark.parametrize("fault", list(Fault))
def test_whatever_the_line_does_reading_ends_in_an_error_or_in_everything(
    rehearsal: Rehearsal, mapping: CrmMapping, fault: Fault
) -> None:
    wanted = rehearsal.accounts(450)
    rehearsal.clock.advance(timedelta(minutes=1))
    rehearsal.connector.check(mapping.needs())
    rehearsal.twin.faults.on("GET .*/query/.+-200", fault)
    found: list[str] = []
    with suppress(RetryableError):
        found = ids_of(rehearsal.connector, mapping, page_size=200)
    rehearsal.clock.advance(timedelta(minutes=20))

    assert found == (wanted if fault in (Fault.UNAUTHORIZED, Fault.SLOW) else [])
    assert ids_of(rehearsal.connector, mapping, page_size=200) == wanted


def test_check_names_what_an_administrator_forgot(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    rehearsal.twin.hide("Account", "Health__c")
    rehearsal.twin.protect("Account", "Escalation_Due__c")
    found = {
        each.subject: each for each in rehearsal.connector.check(mapping.needs()) if each.severity is Severity.ERROR
    }

    assert set(found) == {"Account.Health__c", "Account.Escalation_Due__c"}
    assert "permission set Escalation Worker" in found["Account.Health__c"].remedy


def test_a_password_in_the_wrong_place_is_a_matter_of_settings(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    connector = connect({**rehearsal.settings, "client_secret": "wrong"})
    (found,) = connector.check(mapping.needs())

    assert found.severity is Severity.ERROR
    assert "invalid_client" in found.detail
    assert "wrong" not in found.detail


def test_a_full_batch_is_looked_up_in_parts(rehearsal: Rehearsal, mapping: CrmMapping) -> None:
    """No query grows beyond what one may be, no composite beyond five of them."""
    ids = rehearsal.accounts(450)
    notes: list[Write] = [note(each, f"n{number}") for number, each in enumerate(ids)]
    first = {each.result for each in rehearsal.connector.write(notes)}
    tasks: list[Write] = [
        CreateTask(f"t{number}", each, f"p{number}@acme.id", "call", "body", START) for number, each in enumerate(ids)
    ]
    second = {each.result for each in rehearsal.connector.write(tasks)}
    again = {each.result for each in rehearsal.connector.write([*notes[:225], *tasks[:225]])}

    assert len(ids) == rehearsal.connector.capabilities().batch_size
    assert (first, second, again) == ({Result.APPLIED}, {Result.APPLIED}, {Result.ALREADY_APPLIED})
    assert len(rehearsal.connector.find([f"n{number}" for number in range(500)])) == 450
    assert rehearsal.connector.count(["t7", "none"]) == {"t7": 1, "none": 0}
