"""Records of every odd shape, as a CRM could hand them out: understood or set aside, never lost, never in the way."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.base import Connector
from connectors.crm.embedded import EmbeddedConnector
from connectors.crm.salesforce.connector import SalesforceConnector
from connectors.crm.salesforce.options import read
from connectors.half_characters import mended
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.salesforce import SalesforceTwin
from connectors.twins.web import Call, HttpTwin, Reply, VirtualClock
from tests.hubspot.harness import on_twin
from tests.office import ROOT, Office
from worker.assembly import assemble
from worker.core.model import AccountId, ConnectorName
from worker.cycle import Cycle
from worker.mapping import CrmMapping, load_mapping
from worker.store import escalations, progress
from worker.wiring import Crm

NOW = datetime(2026, 11, 24, 3, tzinfo=UTC)
CRM = ConnectorName("embedded")
ODD = [
    *("null", "true", "12", "-0.0", "1.5e3", "9" * 400, "-" + "9" * 5000, "1e400", "-1e999", "1e-400", "[]", "{}"),
    *("[[1]]", '{"a": {"b": [1]}}', "[" * 200 + "]" * 200, '{"a":' * 200 + "1" + "}" * 200),
    *('""', '" "', '"\\ud800"', '"\\ud83d\\ude00"', '"\\u0000"', '"\\u202e"', '"' + "x" * 100_000 + '"', '"NaN"'),
    *('"Infinity"', '"-1"', '"12e"', '"true"', '"2026-13-45"', '"0000-00-00T00:00:00Z"', '"9999-12-31T23:59:59.999Z"'),
    *('"1969-01-01"', '"{{ 7*7 }}"', '"=1+1"', '"<b>"', '"\\"\'"', '"L9"', '"../.."'),
]
NO_JSON = ["NaN", "Infinity", "-Infinity", '"\xff', "{", "'x'", "1.", "[" * 5_000]
_PLACE = "@@{}@@"


class Spoiler:
    """Puts odd values into the answers of a server, record by record: `values` is by id, then by field."""

    def __init__(self, id_name: str, holder: str = "") -> None:
        self.values: dict[str, dict[str, str]] = {}
        self._id_name, self._holder = id_name, holder

    def spoil(self, body: bytes) -> bytes:
        if not any(key.encode() in body for key in self.values):
            return body
        value, raw = json.loads(body), dict[str, str]()
        self._walk(value, raw)
        text = json.dumps(value)
        for mark, fragment in raw.items():
            text = text.replace(f'"{mark}"', fragment)
        return text.encode("latin-1", "replace")

    def _walk(self, value: Any, raw: dict[str, str]) -> None:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            self._walk(each, raw)
        if not isinstance(value, dict) or value.get(self._id_name) not in self.values:
            return
        fields = value.get(self._holder) if self._holder else value
        for name, fragment in self.values[value[self._id_name]].items():
            if isinstance(fields, dict) and name in fields:
                mark = _PLACE.format(len(raw))
                raw[mark] = fragment
                fields[name] = mark


@dataclass
class Rig:
    """A worker's cycle over one CRM: make an account, spoil what is read of it."""

    cycle: Cycle
    office: Office
    add: Callable[[str], str]
    spoil: Callable[[str, str, str], None]
    heal: Callable[[], None]
    fields: Sequence[str]
    touch: Callable[[str], None]

    def aside(self) -> str:
        with self.office.store.read() as tx:
            return "\n".join(progress.quarantined(tx))

    def understood(self, account: str) -> bool:
        with self.office.store.read() as tx:
            found = self.cycle.decider(CRM).situation(tx, AccountId(account), NOW, complete=True)
        return found is not None

    def escalated(self) -> set[str]:
        with self.office.store.read() as tx:
            return {str(one.account_id) for _, one in escalations.open_ones(tx)}

    def run(self, after: timedelta = timedelta(minutes=1)):
        self.office.clock.at_time += after
        return self.cycle.run().crms[CRM]


def cycle_of(office: Office, connector: Connector, mapping: CrmMapping) -> Cycle:
    worker = office.start()
    return assemble(worker.settings, office.store, office.clock, (Crm(CRM, connector, mapping),), ()).cycle


def embedded(stack: ExitStack, folder: Path) -> Rig:
    office = stack.enter_context(closing(Office(folder)))
    cycle = cycle_of(office, EmbeddedConnector(office.crm), office.mapping)

    def add(health: str) -> str:
        key = f"A{len(list(office.crm.all('account'))):03d}"
        office.account(key, {"red": "Merah", "green": "Green"}[health])
        return key

    def spoil(key: str, name: str, fragment: str) -> None:
        with office.crm.writing() as tx:
            row = tx.execute("SELECT body FROM record WHERE object = 'account' AND id = ?", (key,)).fetchone()
            body = {**json.loads(row[0]), name: _PLACE.format(1)}
            text = json.dumps(body).replace(f'"{_PLACE.format(1)}"', fragment)
            tx.execute("UPDATE record SET body = ? WHERE object = 'account' AND id = ?", (text, key))

    fields = (
        "name",
        "health",
        "arr",
        "health_score",
        "tier",
        "renewal_on",
        "owner_id",
        "override",
        "escalated",
        "due_at",
    )
    return Rig(cycle, office, add, spoil, lambda: None, fields, lambda key: office.account(key, "Green"))


def on_server(stack: ExitStack, twin: HttpTwin, spoiler: Spoiler) -> None:
    real = twin.answer

    def answer(call: Call) -> Reply:
        reply = real(call)
        spoilt = spoiler.spoil(reply.body) if reply.kind.startswith("application/json") else reply.body
        return Reply(reply.status, spoilt, reply.headers, reply.kind)

    twin.answer = answer  # type: ignore[method-assign]


def hubspot(stack: ExitStack, folder: Path) -> Rig:
    time, spoiler = VirtualClock(NOW), Spoiler("id", "properties")
    twin = stack.enter_context(HubSpotTwin(time))
    mapping = load_mapping(ROOT / "config/mappings/hubspot.yaml")
    connector = stack.enter_context(closing(on_twin(twin, time)))
    connector.setup(mapping.needs(), dry_run=False)
    on_server(stack, twin, spoiler)
    office = stack.enter_context(closing(Office(folder)))

    def add(health: str) -> str:
        return twin.put("companies", name="PT Satu", customer_health=health)

    def spoil(key: str, name: str, fragment: str) -> None:
        spoiler.values.setdefault(key, {})[name] = fragment

    fields = ("name", "customer_health", "annualrevenue", "health_score", "renewal_date", "hubspot_owner_id")
    return Rig(
        cycle_of(office, connector, mapping),
        office,
        add,
        spoil,
        spoiler.values.clear,
        fields,
        lambda key: twin.edit("companies", key, name="PT Dua") and None,
    )


def salesforce(stack: ExitStack, folder: Path) -> Rig:
    time, spoiler = VirtualClock(NOW), Spoiler("Id")
    sources = [ROOT / "deploy/salesforce/force-app", ROOT / "deploy/salesforce/customer-success"]
    sets = ["Escalation_Worker", "Escalation_Worker_Customer_Success"]
    twin = stack.enter_context(SalesforceTwin(time, metadata=sources, permission_sets=sets))
    settings = {"instance_url": twin.url, "allow_loopback_http": True}
    settings |= {"client_id": twin.app.consumer_key, "client_secret": twin.app.consumer_secret}
    connector = SalesforceConnector(read(settings), lambda: time().timestamp(), time, lambda _: None)
    stack.enter_context(closing(connector))
    on_server(stack, twin, spoiler)
    office = stack.enter_context(closing(Office(folder)))
    mapping = load_mapping(ROOT / "config/mappings/salesforce.yaml")

    def spoil(key: str, name: str, fragment: str) -> None:
        spoiler.values.setdefault(key, {})[name] = fragment

    fields = (
        "Name",
        "Health__c",
        "ARR__c",
        "Health_Score__c",
        "Renewal_Date__c",
        "Tier__c",
        "Escalated__c",
        "Override__c",
    )
    return Rig(
        cycle_of(office, connector, mapping),
        office,
        lambda health: twin.put("Account", Name="PT Satu", Health__c=health.title()),
        spoil,
        spoiler.values.clear,
        fields,
        lambda key: twin.edit("Account", key, Name="PT Dua") and None,
    )


CRMS = {"embedded": embedded, "hubspot": hubspot, "salesforce": salesforce}


@pytest.fixture
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    with ExitStack() as stack:
        yield CRMS[request.param](stack, tmp_path)


@pytest.mark.parametrize("rig", CRMS, indirect=True)
def test_a_record_of_any_shape_is_understood_or_set_aside(rig: Rig) -> None:
    dice = random.Random(7)
    spoilt = [rig.add("red") for _ in range(90)]
    whole = [rig.add("red") for _ in range(2)]
    for number, key in enumerate(spoilt):
        rig.spoil(key, rig.fields[number % len(rig.fields)], ODD[number] if number < len(ODD) else dice.choice(ODD))
    first = rig.run()
    rig.run()
    aside = rig.aside()

    assert not any(read.failure for read in first.reads.values()), first.reads
    assert first.undecided == {}
    assert set(whole) <= rig.escalated()
    lost = [key for key in spoilt if key not in aside and not rig.understood(key)]

    assert [(rig.fields[spoilt.index(key) % len(rig.fields)], ODD[spoilt.index(key) % len(ODD)]) for key in lost] == []
    assert aside.count("\n") > 5
    assert len(rig.escalated()) > 20


@pytest.mark.parametrize("fragment", NO_JSON)
@pytest.mark.parametrize("rig", ["hubspot", "salesforce"], indirect=True)
def test_an_answer_that_is_no_json_is_a_failed_read_and_loses_nothing(rig: Rig, fragment: str) -> None:
    red = rig.add("red")
    rig.spoil(red, rig.fields[0], fragment)
    failed = rig.run()
    rig.heal()
    healed = rig.run()

    assert any(read.failure for read in failed.reads.values())
    assert not any(read.failure for read in healed.reads.values())
    assert rig.escalated() == {red}


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (rb'"cut \ud83d"', "cut \ufffd"),
        (rb'"\ude00\ud83d"', "\ufffd\ufffd"),
        (rb'"\ud83d\ude00 whole"', "\U0001f600 whole"),
        (rb'"\ud83d\ud83d\ude00"', "\ufffd\U0001f600"),
        (rb'"a path \\ud83d"', "a path \\ud83d"),
        (rb'"\\\ud83d\n"', "\\\ufffd\n"),
    ],
)
def test_a_text_cut_in_an_emoji_is_mended_and_nothing_else(body: bytes, expected: str) -> None:
    assert json.loads(mended(body)) == expected
