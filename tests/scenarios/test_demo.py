"""The demo and the README's commands, as a newcomer types them."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent


def run(*arguments: str, **more: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False, **more)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    done = run("demo", "--folder", str(folder), "--accounts", "120")
    assert done.returncode == 0, done.stderr
    assert "accounts escalated" in done.stdout
    return folder


def config(folder: Path) -> tuple[str, str]:
    return "--config", str(folder / "escalation.yaml")


def escalated(folder: Path) -> list[str]:
    with sqlite3.connect(folder / "state" / "state.sqlite") as state:
        rows = state.execute("SELECT account_id FROM escalation WHERE status <> 'resolved' ORDER BY account_id")
        return [row[0] for row in rows]


def test_it_escalates_and_everything_is_there(demo: Path) -> None:
    crm = sqlite3.connect(demo / "crm.sqlite")
    flagged = crm.execute("SELECT count(*) FROM record WHERE json_extract(body, '$.escalated') = 1").fetchone()[0]
    noted = crm.execute("SELECT count(DISTINCT account_id) FROM note").fetchone()[0]
    crm.close()

    assert flagged == noted == len(escalated(demo)) > 0
    assert len(list((demo / "mail").glob("*.eml"))) >= flagged
    assert "<title>Escalations" in (demo / "report.html").read_text(encoding="utf-8")


def test_a_second_run_changes_nothing_and_says_so(demo: Path) -> None:
    before = (demo / "messages.txt").read_bytes()
    again = run("demo", "--folder", str(demo))

    assert "Nothing changed" in " ".join(again.stdout.split())
    assert (demo / "messages.txt").read_bytes() == before


def test_the_readmes_commands_answer(demo: Path) -> None:
    account = escalated(demo)[0]
    for arguments, said in (
        (("crm", "list", "accounts", "--escalated"), "accounts"),
        (("crm", "show", account), account),
        (("crm", "notes", account), "Ref ESC-"),
        (("preview", account, "--language", "id"), "Batas jawaban"),
        (("explain", account, "--trail"), "is escalated to"),
        (("status",), "open escalations"),
        (("dead-letters",), "no dead letters"),
        (("audit",), "each exactly once"),
        (("check",), "every template renders"),
        (("dry-run",), "Nothing was written"),
        (("config", "show"), "connectors"),
        (("config", "check"), ""),
    ):
        done = run(*arguments, *config(demo))

        assert done.returncode == 0, (arguments, done.stdout, done.stderr)
        assert said in done.stdout


def test_a_persons_acknowledgement_is_heeded_and_a_new_dispute_escalates(demo: Path) -> None:
    account = escalated(demo)[0]
    quiet = next(f"ACC-{n:05d}" for n in range(1, 121) if f"ACC-{n:05d}" not in escalated(demo))
    run("crm", "override", account, "--wish", "acknowledged", "--by", "Dewi", *config(demo))
    run("crm", "add-dispute", quiet, "25000000", *config(demo))
    once = run("once", *config(demo))

    assert once.returncode == 0, once.stderr
    assert "acknowledged by Dewi" in run("explain", account, "--trail", *config(demo)).stdout
    assert "payment_dispute" in run("explain", quiet, *config(demo)).stdout


def test_wrong_words_get_a_clear_answer(demo: Path) -> None:
    for arguments, said in (
        (("crm", "show", "ACC-0001"), "did you mean"),
        (("crm", "set", "ACC-00001", "helth=Red"), "no field"),
        (("crm", "override", "ACC-00001", "--wish", "aknowledged"), "acknowledged"),
        (("explain", "nobody"), "no account"),
        (("retry", "no-such-key"), "no dead letter"),
    ):
        done = run(*arguments, *config(demo))

        assert done.returncode != 0
        assert said in done.stdout + done.stderr
        assert "Traceback" not in done.stderr


def test_detect_reads_json_lines() -> None:
    text = {"id": "1", "channel": "email", "subject": "Kontrak", "body": "Kami tidak akan memperpanjang kontrak."}
    done = run("detect", input=json.dumps(text) + "\n")

    assert json.loads(done.stdout)["labels"] == ["churn_threat"]


def test_every_command_stands_in_the_readme() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for module in (ROOT / "worker/commands").glob("*.py"):
        text = module.read_text(encoding="utf-8")
        if "def register(" in text and module.stem not in ("demo", "config", "crm", "detect"):
            names = [line.split('"')[1] for line in text.splitlines() if 'app.command("' in line]
            names += [line.split("(")[-1].rstrip(")\n") for line in text.splitlines() if "app.command()(" in line]
            for name in names:
                assert f"`{name}" in readme, name


def test_a_users_own_exports_are_tried_as_the_readme_says(tmp_path: Path) -> None:
    exports = {
        "accounts": "Account ID;Account Name;Annual Revenue\nA1;PT Satu;USD 120.000,00\nA2;PT Dua;banyak\n",
        "cases": "Case ID;Account ID;Subject;Description;Status\nC1;A1;Somasi;Kami akan somasi.;In Progress\n",
        "disputes": "Dispute ID;Account ID;Amount;Status\nD1;A1;25.000.000,00;Open\n",
    }
    for name, body in exports.items():
        (tmp_path / f"{name}.csv").write_text(body, encoding="utf-8")
    files = [part for name in exports for part in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    mine = tmp_path / "mine.sqlite"
    imported = run("crm", "import", *files, "--mapping", "import-salesforce.yaml", "--crm", str(mine))
    policy = tmp_path / "mine.yaml"
    policy.write_text("connectors:\n  embedded: {options: {path: mine.sqlite}}\nnotifiers: {console: {}}\n")
    set_up = run("setup", "--config", str(policy))
    told = run("dry-run", "--config", str(policy))

    assert "1 account records imported" in imported.stdout
    assert "accounts.csv:3: column 'Annual Revenue': 'banyak'" in " ".join((imported.stdout + imported.stderr).split())
    assert set_up.returncode == told.returncode == 0, (set_up.stderr, told.stderr)
    assert "L3: " in told.stdout
    assert "Rp 25.000.000" in told.stdout
    assert "Nothing was written" in told.stdout
