"""A real Tryton on loopback: made once, started and stopped by its process id, filled through its own RPC."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import requests

ADMIN = "admin"
PASSWORD = "Demo-and-tests-0nly"
_START_SECONDS = 40
_MODULE = Path(__file__).parent.parent.parent / "deploy/tryton/escalation"

_CONFIG = """\
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
root = {page}
[session]
max_attempt = 1000
"""


class Server:
    """One trytond with its own databases in `folder`. `tools` is what the Makefile installed."""

    def __init__(self, tools: Path, folder: Path) -> None:
        self.tools = tools.resolve()
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self.port = _free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.databases: list[str] = []
        self._config = self.folder / "trytond.conf"
        self._process: subprocess.Popen[bytes] | None = None
        page = self.tools / "page/node_modules/tryton-sao"
        self._config.write_text(_CONFIG.format(folder=self.folder, port=self.port, page=page), encoding="utf-8")

    def make_database(self, name: str) -> None:
        """A database with the module activated: a copy of one that is made when the module changes."""
        template = self.tools / f"template-{_digest(_MODULE)}.sqlite"
        if not template.exists():
            self._make_template(template)
        shutil.copyfile(template, self.folder / f"{name}.sqlite")
        self.databases.append(name)

    def _make_template(self, template: Path) -> None:
        made = self.folder / "template.sqlite"
        made.touch()
        self._admin("--all", "--email", "admin@example.com")
        self._admin("--update", "escalation", "--activate-dependencies")
        partial = template.with_suffix(".part")
        shutil.move(made, partial)
        partial.replace(template)

    def _admin(self, *arguments: str) -> None:
        password = self.folder / "password"
        password.write_text(PASSWORD, encoding="utf-8")
        command = [self.tools / "venv/bin/trytond-admin", "-c", self._config, "-d", "template", *arguments]
        environment = {**os.environ, "TRYTONPASSFILE": str(password)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=180)
        if done.returncode:
            raise RuntimeError(f"trytond-admin {arguments[0]} failed:\n{done.stderr[-3000:]}")

    def start(self) -> None:
        """Start it and wait until it answers."""
        log = (self.folder / "trytond.log").open("ab")
        command = [self.tools / "venv/bin/trytond", "-c", self._config, "-d", *self.databases]
        self._process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, start_new_session=True)
        log.close()
        deadline = time.monotonic() + _START_SECONDS
        while time.monotonic() < deadline:
            if self._answers():
                return
            if self._process.poll() is not None:
                break
            time.sleep(0.1)
        self.stop()
        raise RuntimeError(f"Tryton does not start: {(self.folder / 'trytond.log').read_text()[-2000:]}")

    def _answers(self) -> bool:
        try:
            with _session().post(f"{self.url}/rpc/", json=_call("common.server.version", []), timeout=5) as answer:
                return answer.ok
        except requests.RequestException:
            return False

    def stop(self) -> None:
        """End this server, and no other process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(10)
            self._process = None


class Rpc:
    """A person's or an administrator's way in: Tryton's JSON-RPC, as its own page uses it."""

    def __init__(self, server: Server, database: str, login: str = ADMIN, password: str = PASSWORD) -> None:
        self._url = f"{server.url}/{database}/rpc/"
        self._session = _session()
        user, token, *_ = self._asked("common.db.login", [login, {"password": password}, "en"])
        said = base64.b64encode(f"{login}:{user}:{token}".encode()).decode()
        self._session.headers["Authorization"] = f"Session {said}"
        self.user: int = user
        self.context: dict[str, Any] = {}

    def close(self) -> None:
        self._session.close()

    def __call__(self, method: str, *parameters: Any) -> Any:
        """Call a model's method, such as `party.party.create`."""
        return self._asked(f"model.{method}", [*parameters, self.context])

    def wizard(self, name: str, state: str, **asked: Any) -> None:
        """Run a wizard with one form, `ask`, to its state."""
        number = self._asked(f"wizard.{name}.create", [self.context])[0]
        self._asked(f"wizard.{name}.execute", [number, {"ask": asked}, state, self.context])
        self._asked(f"wizard.{name}.delete", [number, self.context])

    def _asked(self, method: str, parameters: list[Any]) -> Any:
        with self._session.post(self._url, json=_call(method, tagged(parameters)), timeout=60) as answer:
            body = answer.json() if "json" in answer.headers.get("Content-Type", "") else {"error": answer.text}
        if "error" in body:
            raise RuntimeError(f"{method}: {str(body['error'])[:1500]}")
        return plain(body["result"])

    def create(self, model: str, *records: Mapping[str, Any]) -> list[int]:
        return self(f"{model}.create", list(records)) if records else []

    def search(self, model: str, domain: list[Any], fields: Iterable[str]) -> list[dict[str, Any]]:
        return self(f"{model}.search_read", domain, 0, None, [["id", "ASC"]], list(fields))

    def write(self, model: str, record: int, **values: Any) -> None:
        self(f"{model}.write", [record], values)


def set_up(rpc: Rpc) -> dict[str, Any]:
    """What a company that uses Tryton has: currencies and the company; and the worker's user with a key."""
    currencies = rpc.create(
        "currency.currency",
        {"name": "Rupiah", "symbol": "Rp", "code": "IDR", "numeric_code": "360", "digits": 2},
        {"name": "US Dollar", "symbol": "$", "code": "USD", "numeric_code": "840", "digits": 2},
        {"name": "Swiss Franc", "symbol": "CHF", "code": "CHF", "numeric_code": "756", "digits": 2},
    )
    party = rpc.create("party.party", {"name": "Our own company"})[0]
    company = rpc.create("company.company", {"party": party, "currency": currencies[0]})[0]
    theirs = {"companies": [["add", [company]]], "company": company, "company_filter": "all"}
    rpc.write("res.user", rpc.user, **theirs)
    rpc.context = {"company": company}
    group = rpc.search("res.group", [["name", "=", "Escalation Worker"]], ["name"])[0]["id"]
    worker = rpc.create(
        "res.user",
        {"name": "Escalation worker", "login": "escalation-worker", "groups": [["add", [group]]], **theirs},
    )[0]
    application = rpc.create("res.user.application", {"user": worker, "application": "rest"})[0]
    key = rpc("res.user.application.read", [application], ["key"])[0]["key"]
    codes = ("IDR", "USD", "CHF")
    return {
        "key": key,
        "company": company,
        "party": party,
        "currencies": dict(zip(codes, currencies, strict=True)),
        "worker": worker,
        "user": theirs,
    }


def tagged(value: Any) -> Any:
    """Values as Tryton's JSON has them."""
    if isinstance(value, dict):
        return {name: tagged(each) for name, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [tagged(each) for each in value]
    if isinstance(value, datetime):
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        at = value.astimezone(UTC)
        return {"__class__": "datetime", **{name: getattr(at, name) for name in names}}
    if isinstance(value, date):
        return {"__class__": "date", "year": value.year, "month": value.month, "day": value.day}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    return value


def plain(value: Any) -> Any:
    """Tryton's JSON as Python values."""
    if isinstance(value, list):
        return [plain(each) for each in value]
    if not isinstance(value, dict):
        return value
    match value.get("__class__"):
        case "datetime":
            names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
            return datetime(*(value[name] for name in names), tzinfo=UTC)
        case "date":
            return date(value["year"], value["month"], value["day"])
        case "Decimal":
            return Decimal(value["decimal"])
    return {name: plain(each) for name, each in value.items()}


def _call(method: str, parameters: list[Any]) -> dict[str, Any]:
    return {"id": 1, "method": method, "params": parameters}


def _session() -> requests.Session:
    session = requests.Session()
    session.trust_env = False
    return session


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _digest(folder: Path) -> str:
    files = sorted(path for path in folder.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    content = b"".join(path.name.encode() + path.read_bytes() for path in files)
    return hashlib.sha256(content).hexdigest()[:12]
