"""`run` as a real process on the embedded CRM, stopped, killed, reloaded and edited under; and `once` for cron."""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path

import pytest

from connectors.crm.embedded import EmbeddedConnector, EmbeddedCrm
from worker.__main__ import run
from worker.exits import ExitCode
from worker.mapping import load_mapping

ROOT = Path(__file__).parent.parent.parent
CONFIG = """\
connectors:
  embedded:
    mapping: {root}/config/mappings/embedded.yaml
    options: {{path: crm.sqlite}}
notifiers:
  console: {{to: ["#escalations"], options: {{path: messages.txt}}}}
people:
  vp_cs: {{id: u3, name: Bima Santoso, email: bima@example.com}}
  ceo: {{id: u4, name: Maya Kusuma, email: maya@example.com}}
calendars: {root}/config/calendars.yaml
rates: {root}/config/rates.yaml
phrases: {root}/config/phrases
templates: {root}/config/templates
brakes: {{first_run_asks: false, most_new: 50}}
heartbeat: {{file: alive}}
log: {{format: json}}
state_dir: state
interval: 1s
"""


@dataclass
class Done:
    """A command that was run in this process: starting one costs more than most of them do."""

    returncode: int
    stdout: str
    stderr: str


def command(*arguments: str, folder: Path) -> Done:
    out, errors = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(errors):
        code = run([*arguments, "--config", str(folder / "escalation.yaml")])
    return Done(code, out.getvalue(), errors.getvalue())


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("service")
    (folder / "escalation.yaml").write_text(CONFIG.format(root=ROOT), encoding="utf-8")
    with closing(EmbeddedCrm.create(folder / "crm.sqlite")) as crm:
        needs = load_mapping(ROOT / "config/mappings/embedded.yaml").needs()
        EmbeddedConnector(crm).setup(needs, dry_run=False)
        for key in ("A1", "A2"):
            crm.put("account", key, {"name": f"PT {key}", "health": "Green", "tier": "standard"})
    assert command("once", folder=folder).returncode == ExitCode.OK
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    """A CRM of two quiet accounts, read once."""
    for each in ("escalation.yaml", "crm.sqlite"):
        shutil.copy(made / each, tmp_path / each)
    shutil.copytree(made / "state", tmp_path / "state")
    return tmp_path


Started = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def start(folder: Path) -> Iterator[Started]:
    running: list[subprocess.Popen[str]] = []

    def begin() -> subprocess.Popen[str]:
        (folder / "alive").unlink(missing_ok=True)
        line = [sys.executable, "-m", "worker", "run", "--config", str(folder / "escalation.yaml")]
        with (folder / "log").open("a") as log:
            running.append(subprocess.Popen(line, cwd=ROOT, stdout=log, stderr=log, text=True))
        return running[-1]

    yield begin
    for each in running:
        each.kill()
        each.wait()


def until(true: Callable[[], object], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not come in time"
        time.sleep(0.05)


def alive(folder: Path) -> bool:
    return (folder / "alive").exists()


def logged(folder: Path, event: str) -> list[dict[str, object]]:
    lines = (folder / "log").read_text(encoding="utf-8").splitlines()
    return [each for each in map(json.loads, filter(None, lines)) if each["event"] == event]


def flag(folder: Path, account: str) -> object:
    with closing(sqlite3.connect(folder / "crm.sqlite")) as crm:
        body = "SELECT body FROM record WHERE object_name = 'account' AND id = ?"
        columns = [row[1] for row in crm.execute("PRAGMA table_info(record)")]
        body = body.replace("object_name", next(each for each in columns if "object" in each))
        return json.loads(crm.execute(body, (account,)).fetchone()[0]).get("escalation_level")


def test_people_edit_while_it_runs_and_it_follows(folder: Path, start: Started) -> None:
    start()
    until(lambda: alive(folder))
    command("crm", "add-dispute", "A1", "25000000", folder=folder)
    until(lambda: flag(folder, "A1") == "L2")
    command("crm", "override", "A1", "--wish", "acknowledged", "--by", "Bima", folder=folder)
    until(lambda: "Acknowledged: " in (folder / "messages.txt").read_text(encoding="utf-8"))

    assert "PT A1" in (folder / "messages.txt").read_text(encoding="utf-8")


def test_it_is_alone_and_leaves_when_asked(folder: Path, start: Started) -> None:
    first = start()
    until(lambda: alive(folder))
    second = command("run", folder=folder)
    once = command("once", folder=folder)
    first.send_signal(signal.SIGTERM)

    assert (second.returncode, once.returncode) == (ExitCode.BUSY, ExitCode.BUSY)
    assert "another worker runs on this store" in second.stderr
    assert first.wait(10) == ExitCode.OK
    assert command("once", folder=folder).returncode == ExitCode.OK


def test_a_killed_one_is_followed_at_once_and_nothing_comes_twice(folder: Path, start: Started) -> None:
    first = start()
    until(lambda: alive(folder))
    command("crm", "set", "A1", "health=Red", folder=folder)
    until(lambda: flag(folder, "A1") == "L2")
    first.kill()
    first.wait()
    began = time.monotonic()
    start()
    until(lambda: alive(folder))
    took = time.monotonic() - began
    audit = command("audit", folder=folder)

    assert took < 60, "it waited for the lease of the dead"
    assert audit.returncode == ExitCode.OK, audit.stdout
    assert "each exactly once" in audit.stdout


def test_a_broken_configuration_is_refused_on_reload_and_a_good_one_taken(folder: Path, start: Started) -> None:
    running = start()
    until(lambda: alive(folder))
    path = folder / "escalation.yaml"
    good = path.read_text(encoding="utf-8")
    path.write_text(good.replace("interval: 1s", "interval: soon\nintervall: 2s"), encoding="utf-8")
    running.send_signal(signal.SIGHUP)
    until(lambda: logged(folder, "new configuration refused, the old one stays"))
    path.write_text(good.replace("heartbeat: {file: alive}", "heartbeat: {file: alive2}"), encoding="utf-8")
    running.send_signal(signal.SIGHUP)
    until((folder / "alive2").exists)
    refused = logged(folder, "new configuration refused, the old one stays")[0]

    assert running.poll() is None
    assert "escalation.yaml:" in str(refused["reason"])
    assert "did you mean interval?" in str(refused["reason"])


STUCK = """\
import os, signal, threading, time
from worker.ports import SystemPorts
from worker.signals import listening
times = [float(each) for each in os.environ["SIGNALS"].split()]
for at in times:
    threading.Timer(at, os.kill, (os.getpid(), signal.SIGTERM)).start()
with listening(SystemPorts(), grace=float(os.environ["GRACE"])) as signals:
    began = time.monotonic()
    threading.Event().wait(30)
print(f"{time.monotonic() - began:.1f}", signals.stop)
"""


@pytest.mark.parametrize(("signals", "grace"), [("0.1", "0.5"), ("0.1 0.4", "20")])
def test_a_step_that_hangs_is_left_after_the_grace_or_at_the_second_word(signals: str, grace: str) -> None:
    environment = {**os.environ, "SIGNALS": signals, "GRACE": grace}
    line = [sys.executable, "-c", STUCK]
    done = subprocess.run(line, capture_output=True, text=True, env=environment, cwd=ROOT, timeout=30, check=False)
    took, stopped = done.stdout.splitlines()[-1].split()

    assert float(took) < 5
    assert (stopped, done.returncode) == ("True", 0)


def test_a_closed_output_does_not_stop_it(folder: Path) -> None:
    line = [sys.executable, "-m", "worker", "run", "--config", str(folder / "escalation.yaml")]
    running = subprocess.Popen(line, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    running.stdout.close()
    running.stderr.close()
    try:
        command("crm", "set", "A1", "health=Red", folder=folder)
        until(lambda: flag(folder, "A1") == "L2")
        assert running.poll() is None
    finally:
        running.kill()
        running.wait()


def test_once_tells_cron_how_it_went(folder: Path) -> None:
    path = folder / "escalation.yaml"
    good = path.read_text(encoding="utf-8")
    command("crm", "set", "A1", "health=Red", folder=folder)
    path.write_text(good.replace("first_run_asks: false", "first_run_asks: true"), encoding="utf-8")
    held = command("once", folder=folder)
    path.write_text(good, encoding="utf-8")
    done = command("once", folder=folder)
    command("crm", "set", "A2", "health=Purple", folder=folder)
    path.write_text(good.replace("interval: 1s", "interval: never"), encoding="utf-8")
    faulty = command("once", folder=folder)
    path.write_text(good, encoding="utf-8")
    (folder / "crm.sqlite").rename(folder / "elsewhere")
    lost = command("once", folder=folder)

    assert [each.returncode for each in (held, done, faulty, lost)] == [
        ExitCode.HELD, ExitCode.OK, ExitCode.CONFIGURATION, ExitCode.FINDINGS,
    ]  # fmt: skip
    assert "1 held by a brake: look with" in held.stdout
    assert "1 escalated" in done.stdout
    assert "escalation.yaml:" in faulty.stderr
    assert not any("Traceback" in each.stderr for each in (held, done, faulty, lost))


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        ("damage", "is damaged"),
        ("newer", "newer release"),
        ("folder", "cannot be opened"),
    ],
)
def test_a_state_that_cannot_be_used_is_refused_with_a_remedy(folder: Path, spoil: str, said: str) -> None:
    state = folder / "state" / "state.sqlite"
    if spoil == "damage":
        body = bytearray(state.read_bytes())
        body[4096:] = os.urandom(len(body) - 4096)
        state.write_bytes(bytes(body))
    elif spoil == "newer":
        with closing(sqlite3.connect(state)) as tx:
            tx.execute("UPDATE alembic_version SET version_num = '9999'")
            tx.commit()
    else:
        state.unlink()
        state.mkdir()
    refused = command("once", folder=folder)

    assert refused.returncode == ExitCode.FINDINGS
    assert said in refused.stderr
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1


def test_a_lost_state_finds_its_notes_again(folder: Path) -> None:
    command("crm", "set", "A1", "health=Red", folder=folder)
    command("once", folder=folder)
    with closing(sqlite3.connect(folder / "crm.sqlite")) as crm:
        before = crm.execute("SELECT count(*) FROM note").fetchone()
    shutil.rmtree(folder / "state")
    again = command("once", folder=folder)
    with closing(sqlite3.connect(folder / "crm.sqlite")) as crm:
        after = crm.execute("SELECT count(*) FROM note").fetchone()

    assert again.returncode == ExitCode.OK, again.stderr
    assert (before, after) == ((1,), (1,))
    assert flag(folder, "A1") == "L2"
