from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from connectors.base import Cursor, Query, Row
from connectors.crm.hubspot.client import Client
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.crm.hubspot.options import read_options
from connectors.crm.hubspot.pace import Clock
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from tests.hubspot.harness import on_twin
from tests.hubspot.stub import NOW, Portal, Time, furnish, serving
from worker.core.model import RecordKind
from worker.mapping import CrmMapping, load_mapping

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Rig:
    """A portal, a clock, and the connector between them; `mapping` is the one that ships."""

    portal: Portal
    time: Time
    mapping: CrmMapping
    connect: Callable[..., HubSpotConnector]
    connector: HubSpotConnector

    def rows(self, query: Query[Row]) -> list[Row]:
        return [row for page in self.connector.pull(query) for row in page.rows]

    def ids(self, kind: RecordKind = RecordKind.ACCOUNT, **query: object) -> list[str]:
        return [row.record_id for row in self.rows(self.mapping.query(kind, **query))]

    def since(self, moment: datetime = NOW - timedelta(hours=1)) -> Cursor:
        return Cursor(moment)


@pytest.fixture
def portal() -> Portal:
    made = Portal()
    furnish(made)
    return made


@pytest.fixture(scope="session")
def mapping() -> CrmMapping:
    return load_mapping(ROOT / "config/mappings/hubspot.yaml")


@pytest.fixture
def rig(portal: Portal, mapping: CrmMapping) -> Iterator[Rig]:
    time = Time(portal)
    opened: list[HubSpotConnector] = []
    with serving(portal) as address:

        def connect(**options: object) -> HubSpotConnector:
            settings = {"host": address, "token": "key-1", "zone": "Asia/Jakarta", **options}
            settings = {name: value for name, value in settings.items() if value is not None}
            clock = Clock(time.monotonic, time.now, time.sleep)
            opened.append(HubSpotConnector(Client(read_options(settings), settings, clock)))
            return opened[-1]

        connect().setup(mapping.needs(), dry_run=False)
        portal.seen.clear()
        yield Rig(portal, time, mapping, connect, connect())
        for each in opened:
            each.close()


@pytest.fixture
def company(rig: Rig) -> str:
    return rig.portal.put("companies", "5001", name="PT Satu", customer_health="red", hubspot_owner_id="101")


@pytest.fixture
def time() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def twin(time: VirtualClock) -> Iterator[HubSpotTwin]:
    with HubSpotTwin(time) as made:
        yield made


@pytest.fixture
def on(twin: HubSpotTwin, time: VirtualClock, mapping: CrmMapping) -> Iterator[HubSpotConnector]:
    connector = on_twin(twin, time)
    connector.setup(mapping.needs(), dry_run=False)
    yield connector
    connector.close()
