"""The contract suite's HubSpot: what a `Harness` consists of, on the strict twin with a clock that only sleep moves."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

from connectors.base import Connector
from connectors.crm.hubspot.client import Client
from connectors.crm.hubspot.connector import HubSpotConnector
from connectors.crm.hubspot.options import read_options
from connectors.crm.hubspot.pace import Clock
from connectors.twins.hubspot import HubSpotTwin
from connectors.twins.web import VirtualClock
from worker.mapping import CrmMapping, load_mapping

_MAPPING = Path(__file__).parent.parent.parent / "config/mappings/hubspot.yaml"
_HEALTH = {"Green": "green", "Merah": "red", "Kuning": "yellow"}
_NOW = datetime(2026, 11, 25, 3, tzinfo=UTC)

Parts = tuple[
    Connector,
    CrmMapping,
    Callable[[str, datetime, str], None],
    Callable[[str], None],
    Callable[[], Connector],
    Callable[[str], str],
    Callable[[], None],
]


def id_of(name: str) -> str:
    return str(5_000_000 + int(name.strip("A") if name.startswith("A") else 999_999))


def on_twin(
    twin: HubSpotTwin, time: VirtualClock, host: str = "", ahead: timedelta = timedelta(0), **options: object
) -> HubSpotConnector:
    """A connector whose waits pass in the twin's time, and whose own clock may be `ahead` of it."""
    began = time.now
    settings = {"host": host or twin.url, "token": twin.app.key, "zone": twin.portal.zone, **options}
    clock = Clock(
        lambda: (time.now - began).total_seconds() + 1000.0,
        lambda: time.now + ahead,
        lambda seconds: time.advance(timedelta(seconds=seconds)) and None,
    )
    return HubSpotConnector(Client(read_options(settings), settings, clock))


def hubspot_parts() -> Parts:
    time, stack = VirtualClock(_NOW), ExitStack()
    twin = stack.enter_context(HubSpotTwin(time))
    mapping, connector = load_mapping(_MAPPING), on_twin(twin, time)
    connector.setup(mapping.needs(), dry_run=False)

    def add(key: str, stamp: datetime, health: str) -> None:
        written = stamp.strftime("%Y-%m-%dT%H:%M:%S.000Z")
        values = {"name": f"PT {key}", "customer_health": _HEALTH[health], "hs_lastmodifieddate": written}
        twin.put("companies", record_id=id_of(key), **values)

    def spoil(key: str) -> None:
        twin.edit("companies", id_of(key), name=12)  # type: ignore[arg-type]  no text, as no record should have it

    return connector, mapping, add, spoil, lambda: on_twin(twin, time, "http://127.0.0.1:9"), id_of, stack.close
