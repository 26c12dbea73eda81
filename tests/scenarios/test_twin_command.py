"""`twin`: ops start a strict vendor on their own machine, run the worker against it, and stop it."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from connectors.base import FatalError
from worker.rehearsal import salesforce_org

ROOT = Path(__file__).parent.parent.parent


@contextmanager
def rehearsal(vendor: str, folder: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """The running server and what it said until it was ready."""
    command = [sys.executable, "-m", "worker", "twin", vendor, "--accounts", "20", "--folder", str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=ROOT) as process:
        said: list[str] = []
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line)
            if "Ctrl-C ends it" in line:
                break
        try:
            yield process, "".join(said)
        finally:
            if process.poll() is None:
                process.kill()


def run(command: list[str], **where: Any) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, **where)


def worker(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "worker", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, cwd=ROOT, check=False)


@pytest.mark.parametrize("vendor", ["salesforce", "hubspot"])
def test_the_worker_runs_on_what_the_command_started(vendor: str, tmp_path: Path) -> None:
    with rehearsal(vendor, tmp_path) as (process, said):
        config = ("--config", str(tmp_path / "escalation.yaml"))
        once = worker("once", *config)
        approved = worker("approve", *config)
        again = worker("once", *config)
        os.kill(process.pid, signal.SIGTERM)
        rest, code = process.communicate()[0], process.returncode
    secret = tmp_path / "secret"

    assert "Ready at http://127.0.0.1:" in said
    assert "connectors:\n  " + vendor in said
    assert once.returncode in (0, 3), once.stdout + once.stderr
    assert approved.returncode == 0, approved.stdout + approved.stderr
    assert again.returncode == 0, again.stdout + again.stderr
    assert "effects delivered" in " ".join(again.stdout.split())
    assert ("Stopped" in rest, code) == (True, 0)
    assert stat.S_IMODE(secret.stat().st_mode) == 0o600
    assert secret.read_text(encoding="utf-8").strip() in said
    assert secret.read_text(encoding="utf-8").strip() not in (tmp_path / "escalation.yaml").read_text(encoding="utf-8")


def test_without_the_metadata_of_an_org_it_says_where_to_get_it(tmp_path: Path) -> None:
    with pytest.raises(FatalError, match="no metadata of an org") as caught:
        salesforce_org(source=tmp_path)

    assert "install the package again" in caught.value.remedy


def test_an_installed_package_has_all_that_its_rehearsals_need(tmp_path: Path) -> None:
    """The wheel alone, unpacked elsewhere: no checkout is near."""
    build = "import sys; from hatchling.build import build_wheel; print(build_wheel(sys.argv[1]))"
    made = run([sys.executable, "-c", build, str(tmp_path)], cwd=ROOT).stdout.split()[-1]
    site = tmp_path / "site"
    zipfile.ZipFile(tmp_path / made).extractall(site)
    start = (
        "import worker; from worker.rehearsal import salesforce_org\n"
        "with salesforce_org() as org: print(worker.__file__, org.url, len(org.org.objects['escalation__c'].fields))"
    )
    said = run([sys.executable, "-c", start], cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(site)}).stdout.split()

    assert said[0] == str(site / "worker/__init__.py")
    assert said[1].startswith("http://127.0.0.1:")
    assert int(said[2]) > 8
