"""A real server for `make test-crm`. Without REAL_TRYTON, the folder of what the Makefile installed, nothing runs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.tryton.server import Rpc, Server, set_up

collect_ignore_glob = [] if os.environ.get("REAL_TRYTON") else ["test_*.py"]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    made = Server(Path(os.environ["REAL_TRYTON"]), tmp_path_factory.mktemp("tryton"))
    for name in ("crm", "contract", "parity"):
        made.make_database(name)
    made.start()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def admin(server: Server) -> Iterator[Rpc]:
    rpc = Rpc(server, "crm")
    yield rpc
    rpc.close()


@pytest.fixture(scope="session")
def made(admin: Rpc) -> dict[str, object]:
    return set_up(admin)
