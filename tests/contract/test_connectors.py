"""What every connector must do. Discovered from the folder: a new module fails here until it has a harness."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import (
    Connector,
    ConnectorError,
    CreateNote,
    CreateTask,
    Cursor,
    Result,
    Severity,
    UpdateRecord,
)
from connectors.crm.embedded import EmbeddedConnector, EmbeddedCrm
from connectors.crm.salesforce import connect as connect_salesforce
from connectors.crm.tryton import connect as connect_tryton
from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import VirtualClock
from tests.contract import tryton_stub
from tests.hubspot.harness import hubspot_parts
from worker.core.model import Flag, Level, RecordKind
from worker.mapping import CrmMapping, load_mapping

ROOT = Path(__file__).parent.parent.parent
FOUND = sorted(
    {path.stem for path in (ROOT / "connectors/crm").glob("*.py") if path.stem != "__init__"}
    | {path.parent.name for path in (ROOT / "connectors/crm").glob("*/__init__.py")}
)
NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
TRYTON_HEALTH = {"Green": "green", "Kuning": "yellow", "Merah": "red"}


@dataclass
class Harness:
    """One connector over a CRM that the test can fill. `id_of`: the CRM's id for a test's name of an account."""

    connector: Connector
    mapping: CrmMapping
    add_account: Callable[[str, datetime, str], None]
    break_account: Callable[[str], None]
    lose: Callable[[], Connector]
    id_of: Callable[[str], str] = str
    stop: Callable[[], None] = lambda: None


def embedded(folder: Path) -> Harness:
    crm = EmbeddedCrm.create(folder / "crm.sqlite", lambda: NOW)
    mapping = load_mapping(ROOT / "config/mappings/embedded.yaml")
    connector = EmbeddedConnector(crm)
    connector.setup(mapping.needs(), dry_run=False)

    def add(key: str, stamp: datetime, health: str) -> None:
        crm.load([("account", key, stamp, {"name": f"PT {key}", "health": health})])

    def spoil(key: str) -> None:
        with crm.writing() as tx:
            tx.execute("UPDATE record SET body = '{\"id\":12}' WHERE id = ?", (key,))

    def lost() -> Connector:
        return EmbeddedConnector(EmbeddedCrm(folder / "nowhere.sqlite"))

    return Harness(connector, mapping, add, spoil, lost)


def salesforce(_folder: Path) -> Harness:
    """On the twin, signed in as the integration user with the permission sets of deploy/salesforce and nothing else."""
    twin = SalesforceTwin(
        VirtualClock(NOW + timedelta(days=1)),
        metadata=[ROOT / "deploy/salesforce/force-app", ROOT / "deploy/salesforce/customer-success"],
        permission_sets=["Escalation_Worker", "Escalation_Worker_Customer_Success"],
    )
    stack = ExitStack()
    stack.enter_context(twin)
    app = {"client_id": twin.app.consumer_key, "client_secret": twin.app.consumer_secret}
    settings = {"allow_loopback_http": True, "auth": "client_credentials", **app}

    def id_of(name: str) -> str:
        return f"001{name.lower().rjust(12, '0')}AAA"

    def add(key: str, stamp: datetime, health: str) -> None:
        twin.put("Account", Id=id_of(key), Name=f"PT {key}", Health__c=health, SystemModstamp=stamp)

    def spoil(key: str) -> None:
        twin.edit(id_of(key), IsDeleted="perhaps")

    def lost() -> Connector:
        return connect_salesforce({**settings, "instance_url": "http://127.0.0.1:9"})

    connector = connect_salesforce({**settings, "instance_url": twin.url})
    mapping = load_mapping(ROOT / "config/mappings/salesforce.yaml")
    return Harness(connector, mapping, add, spoil, lost, id_of, stack.close)


def tryton(_folder: Path) -> Harness:
    """On a stub written from observation; `make test-crm` runs this suite on the real server."""
    stack = ExitStack()
    stub = stack.enter_context(tryton_stub.serving(tryton_stub.StubTryton()))
    numbers: dict[str, str] = {}

    def id_of(name: str) -> str:
        return numbers.get(name, "4711")

    def add(key: str, stamp: datetime, health: str) -> None:
        numbers[key] = str(stub.add("party.party", stamp, name=f"PT {key}", health=TRYTON_HEALTH[health]))

    def spoil(key: str) -> None:
        stub.unreadable.add(int(id_of(key)))

    def lost() -> Connector:
        return connect_tryton({"url": "http://127.0.0.1:9", "database": "crm", "key": "k"})

    connector = connect_tryton({"url": stub.url, "database": "crm", "key": tryton_stub.KEY})
    mapping = load_mapping(ROOT / "config/mappings/tryton.yaml")
    return Harness(connector, mapping, add, spoil, lost, id_of, stack.close)


def hubspot(_folder: Path) -> Harness:
    return Harness(*hubspot_parts())


HARNESSES: dict[str, Callable[[Path], Harness]] = {
    "embedded": embedded,
    "hubspot": hubspot,
    "salesforce": salesforce,
    "tryton": tryton,
}


@pytest.fixture(params=FOUND)
def harness(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Harness]:
    made = HARNESSES[request.param](tmp_path)
    yield made
    made.connector.close()
    made.connector.close()
    made.stop()


def read(harness: Harness, **query: object) -> list[str]:
    return [
        row.record_id
        for page in harness.connector.pull(harness.mapping.query(RecordKind.ACCOUNT, **query))
        for row in page.rows
    ]


def ids(harness: Harness, *names: str) -> list[str]:
    return [harness.id_of(name) for name in names]


@pytest.mark.parametrize("name", FOUND)
def test_it_has_harness_mapping_and_a_row_in_the_readme(name: str) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")

    assert name in HARNESSES
    assert (ROOT / f"config/mappings/{name}.yaml").exists()
    assert f"| `connectors/crm/{name}` |" in readme


def test_it_keeps_the_protocol(harness: Harness) -> None:
    assert isinstance(harness.connector, Connector)
    assert harness.connector.capabilities().batch_size >= 1


def test_changes_are_read_from_a_cursor_on_inclusive_and_in_order(harness: Harness) -> None:
    for number in range(5):
        harness.add_account(f"A{number}", NOW + timedelta(minutes=number), "Green")

    assert read(harness, since=Cursor(NOW + timedelta(minutes=2))) == ids(harness, "A2", "A3", "A4")


def test_ties_are_never_lost_whatever_the_page_size(harness: Harness) -> None:
    names = [f"A{number:03d}" for number in range(50)]
    for name in names:
        harness.add_account(name, NOW, "Green")

    for size in (1, 7, 50, 1000):
        assert read(harness, page_size=size) == ids(harness, *names)


def test_pages_are_bounded_and_the_high_water_only_rises(harness: Harness) -> None:
    for number in range(20):
        harness.add_account(f"A{number:02d}", NOW + timedelta(seconds=number // 3), "Green")
    pages = list(harness.connector.pull(harness.mapping.query(RecordKind.ACCOUNT, page_size=6)))
    marks = [page.high_water for page in pages if page.high_water is not None]

    assert all(len(page.rows) <= 6 for page in pages)
    assert marks
    assert marks == sorted(marks)


def test_records_by_id_and_by_state(harness: Harness) -> None:
    for name, health in (("A1", "Green"), ("A2", "Merah"), ("A3", "Kuning")):
        harness.add_account(name, NOW, health)
    by_state = [row.record_id for page in harness.connector.pull(harness.mapping.state_query()) for row in page.rows]

    assert read(harness, ids=ids(harness, "A3", "A1", "gone")) == ids(harness, "A1", "A3")
    assert sorted(by_state) == ids(harness, "A2", "A3")


def test_a_bad_record_does_not_stop_the_others(harness: Harness) -> None:
    for name in ("A1", "A2", "A3"):
        harness.add_account(name, NOW, "Green")
    harness.break_account("A2")
    page = next(iter(harness.connector.pull(harness.mapping.query(RecordKind.ACCOUNT))))

    assert [row.record_id for row in page.rows] == ids(harness, "A1", "A3")
    assert [bad.record_id for bad in page.bad] == ids(harness, "A2")


def flag_of(harness: Harness, key: str) -> Flag:
    page = next(iter(harness.connector.pull(harness.mapping.query(RecordKind.ACCOUNT, ids=ids(harness, key)))))
    return harness.mapping.account(page.rows[0]).flag


def test_a_flag_comes_back_as_it_was_written(harness: Harness) -> None:
    harness.add_account("A1", NOW, "Merah")
    flag = Flag(True, Level.L2, "why", NOW, NOW + timedelta(hours=2), "open", "Bima")
    values = harness.mapping.flag_values(flag)
    results = harness.connector.write([UpdateRecord("k", harness.mapping.flag_object(), harness.id_of("A1"), values)])

    assert results[0].result is Result.APPLIED
    assert flag_of(harness, "A1") == flag


def test_a_conditional_write_holds_to_its_condition(harness: Harness) -> None:
    if not harness.connector.capabilities().conditional:
        pytest.skip("it cannot write conditionally")
    harness.add_account("A1", NOW, "Merah")
    nothing, level1 = harness.mapping.flag_values(Flag()), harness.mapping.flag_values(Flag(True, Level.L1))
    name = harness.mapping.flag_object()
    account = harness.id_of("A1")
    first = harness.connector.write([UpdateRecord("k1", name, account, level1, nothing)])[0]
    second = harness.connector.write([UpdateRecord("k2", name, account, nothing, nothing)])[0]

    assert (first.result, second.result) == (Result.APPLIED, Result.CONFLICT)
    assert flag_of(harness, "A1").level is Level.L1


def test_the_same_key_twice_makes_one_note_and_one_task(harness: Harness) -> None:
    harness.add_account("A1", NOW, "Merah")
    note = CreateNote("n1", harness.id_of("A1"), "title", "body", NOW)
    task = CreateTask("t1", harness.id_of("A1"), "u1", "subject", "body", NOW)
    results = [harness.connector.write([each])[0].result for each in (note, note, task, task)]

    assert results == [Result.APPLIED, Result.ALREADY_APPLIED] * 2
    keys, accounts = ["n1", "t1", "zz"], [harness.id_of("A1")]

    assert harness.connector.count(keys, accounts) == {"n1": 1, "t1": 1, "zz": 0}
    assert set(harness.connector.find(keys, accounts)) == {"n1", "t1"}


def test_one_refusal_leaves_the_rest_of_the_batch_alone(harness: Harness) -> None:
    for name in ("A1", "A3"):
        harness.add_account(name, NOW, "Merah")
    values = harness.mapping.flag_values(Flag(True, Level.L1))
    name = harness.mapping.flag_object()
    batch = [
        UpdateRecord("k1", name, harness.id_of("A1"), values),
        UpdateRecord("k2", name, harness.id_of("A2"), values),
        UpdateRecord("k4", name, harness.id_of("A1"), {"no_such_field": True}),
        UpdateRecord("k3", name, harness.id_of("A3"), values),
    ]
    results = harness.connector.write(batch)

    assert [each.result for each in results] == [Result.APPLIED, Result.REJECTED, Result.REJECTED, Result.APPLIED]
    assert "no_such_field" in results[2].reason


def test_check_finds_what_setup_makes(harness: Harness) -> None:
    needs = harness.mapping.needs()

    assert not [each for each in harness.connector.check(needs) if each.severity is Severity.ERROR]
    assert "has everything" in harness.connector.setup(needs, dry_run=False)[0].detail


def test_a_crm_that_is_not_there_is_an_error_with_a_remedy(harness: Harness) -> None:
    lost = harness.lose()

    with pytest.raises(ConnectorError) as refused:
        list(lost.pull(harness.mapping.query(RecordKind.ACCOUNT)))
    assert refused.value.remedy
    assert any(each.severity is Severity.ERROR for each in lost.check(harness.mapping.needs()))
