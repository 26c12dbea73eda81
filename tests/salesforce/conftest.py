"""An org over loopback, a connector to it, and time that a test moves."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from connectors.crm.salesforce import SalesforceConnector
from connectors.crm.salesforce.options import read
from tests.salesforce.stub import Org, serving
from worker.mapping import CrmMapping, load_mapping

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    at: float = 1000.0
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> float:
        return self.at

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.at += seconds


Make = Callable[..., SalesforceConnector]


@pytest.fixture
def org() -> Org:
    return Org()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def address(org: Org) -> Iterator[str]:
    with serving(org) as url:
        yield url


@pytest.fixture
def make(org: Org, address: str, clock: Clock) -> Iterator[Make]:
    opened: list[SalesforceConnector] = []

    def made(**options: object) -> SalesforceConnector:
        settings: dict[str, object] = {
            "instance_url": address,
            "allow_loopback_http": True,
            "client_id": "3MVG9key",
            "client_secret": "very-secret",
            **options,
        }
        connector = SalesforceConnector(read(settings), clock, org.time, clock.sleep)
        opened.append(connector)
        return connector

    yield made
    for each in opened:
        each.close()


@pytest.fixture
def connector(make: Make) -> SalesforceConnector:
    return make()


@pytest.fixture(scope="session")
def mapping() -> CrmMapping:
    return load_mapping(ROOT / "config/mappings/salesforce.yaml")
