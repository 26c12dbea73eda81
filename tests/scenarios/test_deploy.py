"""What deploy/ promises: a hardened service that gives up on a wrong configuration, an image of nobody that builds."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import zipfile
from configparser import ConfigParser
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
UNITS = ["escalation-worker.service", "escalation-worker-once.service"]
IMAGE = ROOT / "deploy/docker/Dockerfile"


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is not on this machine")
@pytest.mark.parametrize("unit", UNITS)
def test_the_service_is_hardened(unit: str) -> None:
    path = ROOT / "deploy/systemd" / unit
    command = ["systemd-analyze", "security", "--offline=true", "--threshold=12", str(path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stdout[-300:]


@pytest.mark.parametrize("unit", UNITS)
def test_nothing_runs_before_the_worker_whose_exit_code_says_whether_to_start_again(unit: str) -> None:
    """systemd asks RestartPreventExitStatus= and SuccessExitStatus= of the main process alone."""
    read = ConfigParser(interpolation=None, strict=False)
    read.optionxform = str
    read.read(ROOT / "deploy/systemd" / unit, encoding="utf-8")

    assert "ExecStartPre" not in read["Service"]


def test_the_container_is_nobody() -> None:
    image = IMAGE.read_text(encoding="utf-8")
    compose = (ROOT / "deploy/docker/compose.yaml").read_text(encoding="utf-8")

    assert "USER 65534" in image
    assert "--require-hashes" in image
    for rule in ("read_only: true", "cap_drop: [ALL]", "no-new-privileges:true"):
        assert rule in compose


def test_the_image_copies_all_that_its_package_is_made_of(tmp_path: Path) -> None:
    building = IMAGE.read_text(encoding="utf-8").split("\nFROM ")[1]
    for line in re.findall(r"^COPY (.+)$", building, re.MULTILINE):
        *sources, target = line.split()
        for source in sources:
            into = tmp_path / target / (source if target == "./" else "")
            if (ROOT / source).is_dir():
                shutil.copytree(ROOT / source, into, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy(ROOT / source, into)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "made"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr[-500:]
    inside = zipfile.ZipFile(next((tmp_path / "made").glob("*.whl"))).namelist()
    assert {"worker/__main__.py", "config/escalation.yaml", "deploy/salesforce/sfdx-project.json"} <= set(inside)


@pytest.mark.parametrize("ignoring", [".gitignore", "deploy/docker/Dockerfile.dockerignore"])
def test_the_file_of_secrets_goes_neither_into_git_nor_into_the_image(ignoring: str) -> None:
    lines = (ROOT / ignoring).read_text(encoding="utf-8").splitlines()

    assert "config/local.env" in {line.lstrip("/") for line in lines}
