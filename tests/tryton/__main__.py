"""`make demo-crm`: a real Tryton with the demo's portfolio and the worker at work, until Ctrl-C."""

from __future__ import annotations

import signal
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from connectors.crm.embedded import EmbeddedCrm
from tests.tryton import portfolio
from tests.tryton.server import Rpc, Server, set_up
from tests.tryton.worker import Worker
from worker.portfolio import build

LOGIN, PASSWORD = "dewi", "Dewi-is-a-CSM-77"
ACCOUNTS = 60


def main(tools: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory(prefix="demo-crm-") as folder:
        server = Server(tools, Path(folder))
        print("Making the database (about half a minute the first time) ...", flush=True)
        server.make_database("crm")
        try:
            shown(server, Path(folder))
        except KeyboardInterrupt:
            print("\nEnded; nothing is left behind.")
        finally:
            server.stop()


def shown(server: Server, folder: Path) -> None:
    server.start()
    rpc = Rpc(server, "crm")
    made = set_up(rpc)
    print(f"Filling it with {ACCOUNTS} accounts and their cases and disputes ...", flush=True)
    fill(rpc, made, folder)
    rpc.close()
    worker = Worker(folder / "worker", server.url, "crm", made["key"], interval="5s")
    worker.start()
    try:
        print(f"\nOpen      {server.url}/#crm\nuser      {LOGIN}\npassword  {PASSWORD}\n")
        print("Parties > Escalated accounts fills within seconds. Answer one, change another, and see.")
        print(f"The worker's configuration, messages and log: {worker.folder}\nEnd with Ctrl-C.", flush=True)
        while worker.running():
            time.sleep(0.5)
        raise SystemExit(f"The worker ended: {(worker.folder / 'worker.log').read_text(encoding='utf-8')[-2000:]}")
    finally:
        worker.stop()


def fill(rpc: Rpc, made: dict[str, Any], folder: Path) -> None:
    build(folder / "portfolio.sqlite", accounts=ACCOUNTS, cases=ACCOUNTS * 6)
    crm = EmbeddedCrm(folder / "portfolio.sqlite")
    portfolio.copy(crm, rpc, made)
    crm.close()
    sales = rpc.search("res.group", [["name", "=", "Sales"]], ["name"])[0]["id"]
    person = {"name": "Dewi Lestari", "login": LOGIN, "password": PASSWORD, "groups": [["add", [sales]]]}
    rpc.create("res.user", {**person, **made["user"]})


if __name__ == "__main__":
    main(Path(sys.argv[1]))
