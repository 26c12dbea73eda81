"""The worker as ops run it: a configuration file, and a process that is ended by its id."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent.parent

_CONFIG = """\
language: en
connectors:
  tryton:
    mapping: {root}/config/mappings/tryton.yaml
    options:
      url: {url}
      database: {database}
      only: {{party.party: [OR, [csm, "!=", null], [health, "!=", null]]}}
    secrets:
      key: {{env: TRYTON_KEY}}
notifiers:
  console:
    options: {{path: messages.txt}}
  email:
    options: {{directory: mail, sender: escalations@example.com}}
people:
  vp_cs: {{name: Bima Santoso, email: bima.santoso@example.com, title: VP Customer Success}}
  cs_manager: {{name: Ratna Wijaya, email: ratna.wijaya@example.com, title: CS Manager}}
  ceo: {{name: Maya Kusuma, email: maya.kusuma@example.com, title: CEO}}
  cfo: {{name: Andi Prakoso, email: andi.prakoso@example.com, title: CFO}}
  cto: {{name: Sari Hartono, email: sari.hartono@example.com, title: CTO}}
calendars: {root}/config/calendars.yaml
rates: {root}/config/rates.yaml
phrases: {root}/config/phrases
templates: {root}/config/templates
state_dir: state
brakes: {{first_run_asks: false, most_new: 1000, most_share: 1}}
interval: {interval}
retry: {{deadline: 6s, first_wait: 1s, max_wait: 2s}}
"""


class Worker:
    """One worker on one Tryton database, with its configuration and state in `folder`."""

    def __init__(self, folder: Path, url: str, database: str, key: str, interval: str = "1s") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.config = folder / "escalation.yaml"
        text = _CONFIG.format(root=ROOT, url=url, database=database, interval=interval)
        self.config.write_text(text, encoding="utf-8")
        self._environment = {**os.environ, "TRYTON_KEY": key}
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Run it as a service."""
        log = (self.folder / "worker.log").open("ab")
        command = [sys.executable, "-m", "worker", "run", "--config", str(self.config)]
        self._process = subprocess.Popen(
            command, cwd=ROOT, env=self._environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )
        log.close()

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def kill(self) -> None:
        """As the kernel does it when memory is short."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)

    def stop(self) -> None:
        """End this worker, and no other process."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(15)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """One of its commands."""
        command = [sys.executable, "-m", "worker", *arguments, "--config", str(self.config)]
        return subprocess.run(
            command, cwd=ROOT, env=self._environment, capture_output=True, text=True, timeout=120, check=False
        )
