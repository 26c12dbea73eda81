"""The contract suite of `tests/contract/`, run on the real server."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import datetime

import pytest

from connectors.base import Connector
from connectors.crm.tryton import connect
from tests.contract.test_connectors import *  # noqa: F403  the tests themselves are what is imported
from tests.contract.test_connectors import ROOT, TRYTON_HEALTH, Harness, load_mapping
from tests.tryton.server import Rpc, Server, set_up


@pytest.fixture(scope="module")
def connected(server: Server) -> Iterator[tuple[Rpc, str]]:
    rpc = Rpc(server, "contract")
    yield rpc, set_up(rpc)["key"]
    rpc.close()


@pytest.fixture
def harness(server: Server, connected: tuple[Rpc, str]) -> Iterator[Harness]:
    rpc, key = connected
    settings = {"url": server.url, "database": "contract", "key": key}
    numbers: dict[str, str] = {}

    def behind(statement: str, *values: object) -> None:
        """Past the server, for what it would not let us do: older stamps, broken values, an empty database."""
        with sqlite3.connect(server.folder / "contract.sqlite") as database:
            database.execute(statement, values)
        database.close()

    def add(name: str, stamp: datetime, health: str) -> None:
        (number,) = rpc.create("party.party", {"name": f"PT {name}", "health": TRYTON_HEALTH[health]})
        at = stamp.replace(tzinfo=None).isoformat(" ")
        behind("UPDATE party_party SET create_date = ?, write_date = ? WHERE id = ?", at, at, number)
        numbers[name] = str(number)

    def spoil(name: str) -> None:
        """Its CSM's user is gone from the database: Tryton then fails on every page with this record."""
        behind("UPDATE party_party SET csm = 999999 WHERE id = ?", int(numbers[name]))

    def lost() -> Connector:
        return connect({**settings, "url": "http://127.0.0.1:9"})

    for table in ("party_party", "escalation_note", "escalation_task"):
        behind(f"DELETE FROM {table}")
    mapping = load_mapping(ROOT / "config/mappings/tryton.yaml")
    made = Harness(connect(settings), mapping, add, spoil, lost, lambda name: numbers.get(name, "4711"))
    yield made
    made.connector.close()
