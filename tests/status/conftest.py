"""A demo's state, and the page served over it on a real port."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
import uvicorn

from worker.core.local_time import LocalTime
from worker.ports import SystemPorts
from worker.secrets import Secret
from worker.settings import Settings, load_settings
from worker.status.app import application
from worker.status.look import Watcher
from worker.store.database import Store, open_store

ROOT = Path(__file__).parent.parent.parent


@dataclass
class Answer:
    """What the server said."""

    code: int
    text: str
    headers: dict[str, str]


@dataclass
class Page:
    """A served page."""

    address: str

    def get(self, path: str = "/", method: str = "GET", **headers: str) -> Answer:
        request = urllib.request.Request(self.address + path, method=method, headers=headers)
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:
                return Answer(answer.status, answer.read().decode(), dict(answer.headers))
        except urllib.error.HTTPError as refused:
            return Answer(refused.code, refused.read().decode(), dict(refused.headers))


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("status")
    for words in (
        ["demo", "--folder", str(folder), "--accounts", "60"],
        ["once", "--config", str(folder / "escalation.yaml")],
    ):
        subprocess.run([sys.executable, "-m", "worker", *words], check=True, capture_output=True, timeout=120, cwd=ROOT)
    return folder


@pytest.fixture(scope="session")
def settings(demo: Path) -> Settings:
    return load_settings(demo / "escalation.yaml", {})


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store_url.reveal(), SystemPorts())
    yield store
    store.close()


@contextmanager
def served(
    settings: Settings,
    store: Store,
    token: str = "",
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Iterator[Page]:
    app = application(Watcher(settings, store), now, LocalTime("en", "Asia/Jakarta"), Secret(token) if token else None)
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
    port = server.servers[0].sockets[0].getsockname()[1]
    try:
        yield Page(f"http://127.0.0.1:{port}")
    finally:
        server.should_exit = True
        thread.join()
