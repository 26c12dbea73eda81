"""`make bench`: what the worker costs per account, against a bare read and decode of the same CRM in the same run.

CPU is user and system time of a child process of its own; ratios cancel the machine. Never part of the tests.

The floor yields the very rows that the worker gets, owner and manager included, by one statement and one decoder and
nothing else; `records alone` leaves those two out, which no decision could do.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import msgspec

from connectors.base import Row
from connectors.crm.embedded import EmbeddedConnector, EmbeddedCrm
from tests.bench import backtest
from worker.assembly import spare_the_collector
from worker.core.model import ConnectorName, RecordKind
from worker.mapping import CrmMapping, load_mapping
from worker.portfolio import build
from worker.ports import SystemPorts
from worker.pull import Puller, Reading
from worker.store.database import open_store
from worker.wiring import Crm

ROOT = Path(__file__).parent.parent.parent
GOALS = {"first load": 3.0, "re-read": 2.5}
_BUILD = """
import sys
from pathlib import Path
from worker.portfolio import build
build(Path(sys.argv[1]), accounts=int(sys.argv[2]), cases=0)
"""
FLOORS = ("floor", "records alone")
STEPS = (*FLOORS, "first load", "re-read", "idle tick")
ROLES = ("owner", "manager")
ROUNDS = 5


def step(name: str, folder: Path) -> dict[str, float]:
    """Do one step in this process and measure it."""
    mapping = load_mapping(ROOT / "config/mappings/embedded.yaml")
    crm = EmbeddedCrm(folder / "crm.sqlite")
    crm.connection()
    spare_the_collector()
    if name in FLOORS:
        return _floor(crm, mapping, whole=name == "floor")
    store = open_store(f"sqlite:///{folder / 'state.sqlite'}", SystemPorts())
    reading = Reading(sweep_every=timedelta(0) if name == "re-read" else timedelta(days=1))
    puller = Puller(Crm(ConnectorName("bench"), EmbeddedConnector(crm), mapping), store, SystemPorts(), reading)
    if name == "idle tick":
        puller.run()
    else:
        _warm_up(mapping)
    before = time.process_time()
    read = puller.run()[RecordKind.ACCOUNT]
    spent = time.process_time() - before
    return {"cpu": spent, "rows": read.rows, "written": read.changed}


def _floor(crm: EmbeddedCrm, mapping: CrmMapping, *, whole: bool) -> dict[str, float]:
    before = time.process_time()
    count = sum(map(len, _pages(crm, mapping, whole=whole)))
    spent = time.process_time() - before
    if whole:
        _same_as_the_connector(crm, mapping)
    return {"cpu": spent, "rows": count, "written": 0}


def _pages(crm: EmbeddedCrm, mapping: CrmMapping, *, whole: bool) -> Iterator[list[Row]]:
    """Every account by one statement and one decoder; `whole` with owner and manager."""
    decoder = msgspec.json.Decoder(list[mapping.query(RecordKind.ACCOUNT).shape], float_hook=Decimal)
    people = _people(crm) if whole else {}
    rows = crm.connection().execute(
        "SELECT body, owner_id, manager_id FROM record WHERE object = 'account' ORDER BY stamp, id"
    )
    while page := rows.fetchmany(2000):
        bodies = (
            [f"{body[:-1]}{people[owner][0]}{people[manager][1]}}}" for body, owner, manager in page]
            if whole
            else [row[0] for row in page]
        )
        yield decoder.decode(f"[{','.join(bodies)}]")


def _same_as_the_connector(crm: EmbeddedCrm, mapping: CrmMapping) -> None:
    """The floor is one only as long as it yields what the worker gets."""
    read = EmbeddedConnector(crm).pull(mapping.query(RecordKind.ACCOUNT))
    for ours, theirs in zip(_pages(crm, mapping, whole=True), read, strict=True):
        if ours != theirs.rows:
            raise SystemExit("the floor yields other rows than the connector: mend tests/bench")


def _people(crm: EmbeddedCrm) -> dict[str | None, tuple[str, str]]:
    """Each user's fields as an owner's and as a manager's, to be put into a record."""
    found: dict[str | None, tuple[str, str]] = {None: ("", "")}
    for user_id, body in crm.connection().execute("SELECT id, body FROM record WHERE object = 'user'"):
        fields = msgspec.json.decode(body)
        told = [{f"{role}.{name}": fields.get(name) for name in ("name", "email", "active")} for role in ROLES]
        found[user_id] = tuple(f",{msgspec.json.encode(each).decode()[1:-1]}" for each in told)
    return found


def _warm_up(mapping: CrmMapping) -> None:
    """A service pays for imports and for compiling its statements once, not once an account."""
    with tempfile.TemporaryDirectory() as name:
        build(Path(name) / "crm.sqlite", accounts=20, cases=0)
        store = open_store(f"sqlite:///{name}/state.sqlite", SystemPorts())
        crm = Crm(ConnectorName("warm"), EmbeddedConnector(EmbeddedCrm(Path(name) / "crm.sqlite")), mapping)
        for _ in range(2):
            Puller(crm, store, SystemPorts(), Reading(sweep_every=timedelta(0))).run()
        store.close()


def measured(folder: Path) -> dict[str, dict[str, float]]:
    """Each step's cheapest of several runs, each in a child of its own; a first load starts from nothing each time.

    What else the machine does only ever adds; round after round, so that a busy minute hits all steps alike.
    """
    runs: dict[str, list[dict[str, float]]] = {name: [] for name in STEPS}
    for _ in range(ROUNDS):
        for name in STEPS:
            if name == "first load":
                for old in folder.glob("state.sqlite*"):
                    old.unlink()
            command = [sys.executable, "-m", "tests.bench", "--step", name, "--folder", str(folder)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
            runs[name].append(json.loads(done.stdout))
    return {name: min(each, key=lambda run: run["cpu"]) for name, each in runs.items()}


def report(accounts: int) -> list[str]:
    """One size: a table line for each step."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # In a child: what this process once held would count as the peak of every child that it starts later.
        subprocess.run([sys.executable, "-c", _BUILD, str(folder / "crm.sqlite"), str(accounts)], cwd=ROOT, check=True)
        found = measured(folder)
        size = (folder / "state.sqlite").stat().st_size
    floors = ", ".join(f"{each} {found[each]['cpu'] / accounts * 1e6:.2f}" for each in FLOORS)
    lines = [f"{accounts} accounts, us of CPU an account: {floors}"]
    lines += [_line(each, found, accounts) for each in STEPS if each not in FLOORS]
    return [*lines, f"  state file {size / accounts:.0f} B an account"]


def _line(name: str, found: dict[str, dict[str, float]], accounts: int) -> str:
    run = found[name]
    cost = f"{run['cpu'] * 1e3:.0f} ms CPU (goal 20)"
    if name in GOALS:
        floor, alone = (run["cpu"] / found[each]["cpu"] for each in FLOORS)
        each = run["cpu"] / accounts * 1e6
        cost = f"{each:.2f} us an account, {floor:.2f} x floor (goal {GOALS[name]}), {alone:.2f} x records alone"
    return f"  {name:<11}{cost}, {run['written']:.0f} facts written, peak {run['peak_mb']:.0f} MB"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--accounts", default="10000,100000")
    parser.add_argument("--backtest", default="10000", help="accounts whose year is backtested")
    parser.add_argument("--step")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    if given.step:
        told = step(given.step, given.folder)
        told["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(told))
        return
    for size in filter(None, given.accounts.split(",")):
        print("\n".join(report(int(size))), flush=True)
    for size in filter(None, given.backtest.split(",")):
        print(backtest.report(int(size)), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("PYTHONHASHSEED", "0")
    main()
