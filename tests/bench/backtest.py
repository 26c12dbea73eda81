"""What a year of a whole portfolio costs to backtest: read out of the store, phrases found, every account replayed."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from worker.assembly import assemble, spare_the_collector
from worker.backfill import backfill
from worker.portfolio import build
from worker.ports import SystemPorts
from worker.pull import Puller, Reading
from worker.settings import Settings, load_settings
from worker.store.database import Store, open_store
from worker.whatif.backtest import run
from worker.whatif.timeline import load_all

ROOT = Path(__file__).parent.parent.parent
GOAL = timedelta(minutes=1)
CASES_EACH = 8
"""Cases an account, over the eighteen months that a made-up portfolio lasts; the demo has as many."""
CONFIG = """\
connectors:
  embedded: {{mapping: {root}/config/mappings/embedded.yaml, options: {{path: crm.sqlite}}}}
calendars: {root}/config/calendars.yaml
rates: {root}/config/rates.yaml
phrases: {root}/config/phrases
templates: {root}/config/templates
state_dir: state
"""


def prepare(folder: Path, accounts: int) -> None:
    """A CRM, and a store that has read all of it and its past."""
    (folder / "escalation.yaml").write_text(CONFIG.format(root=ROOT), encoding="utf-8")
    build(folder / "crm.sqlite", accounts=accounts, cases=accounts * CASES_EACH)
    settings, store = _opened(folder)
    worker = assemble(settings, store, SystemPorts())
    for crm in worker.crms:
        Puller(crm, store, SystemPorts(), Reading()).run()
        backfill(store, crm)
    worker.close()
    store.close()


def measure(folder: Path) -> dict[str, float]:
    """Backtest the last year in this process."""
    settings, store = _opened(folder)
    spare_the_collector()
    cpu, wall = time.process_time(), time.perf_counter()
    until = datetime.now(UTC)
    since = until - timedelta(days=365)
    lines = load_all(store, settings, since)
    read = time.process_time()
    found = run(lines, settings.policy, max(since, lines.earliest or since), until)
    done = time.process_time()
    store.close()
    return {
        "read": read - cpu,
        "replay": done - read,
        "cpu": done - cpu,
        "wall": time.perf_counter() - wall,
        "accounts": found.accounts,
        "versions": sum(map(len, lines.versions.values())),
        "escalations": len(found.episodes),
    }


def _opened(folder: Path) -> tuple[Settings, Store]:
    settings = load_settings(folder / "escalation.yaml", {})
    return settings, open_store(settings.store_url.reveal(), SystemPorts())


def report(accounts: int) -> str:
    """One line, from children of their own: what made the CRM must not count."""
    with tempfile.TemporaryDirectory() as name:
        for step in ("prepare", "measure"):
            command = [sys.executable, "-m", "tests.bench.backtest", step, name, str(accounts)]
            done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=True)
    told = json.loads(done.stdout)
    return (
        f"backtest of a year, {told['accounts']:.0f} accounts, {told['versions']:.0f} versions of their records: "
        f"{told['cpu']:.1f} s CPU (goal under {GOAL.total_seconds():.0f}; reading {told['read']:.1f}, "
        f"replay {told['replay']:.1f}), {told['wall']:.1f} s by the clock, {told['escalations']:.0f} escalations, "
        f"peak {told['peak_mb']:.0f} MB"
    )


if __name__ == "__main__":
    import resource

    wanted, place = sys.argv[1], Path(sys.argv[2])
    if wanted == "prepare":
        prepare(place, int(sys.argv[3]))
    else:
        measured = measure(place)
        measured["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(json.dumps(measured))
