"""A small Tryton on loopback, written from what the real one was seen to answer (8.0.12 with the module of
`deploy/tryton/`). It shares no code with the connector; `make test-crm` runs the same suite on the real server.

Seen and kept: unknown fields and models fail with 500 and HTML, unknown keys with 401 and HTML, unknown records with
404 and HTML, bad values with 400 and JSON; booleans are 0 and 1; times and amounts are tagged; what is behind a dot is
nested; a record that cannot be read fails its whole page.
"""

from __future__ import annotations

import base64
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

KEY = "stub-key"
FLAG = (
    *("escalated", "escalation_level", "escalation_reason", "escalation_opened_at", "escalation_due_at"),
    *("escalation_status", "escalation_owner"),
)
MODELS: dict[str, dict[str, str]] = {
    "party.party": dict.fromkeys(
        [
            *("id", "name", "active", "changed_at", "health", "health_score", "health_as_of", "annual_revenue", "tier"),
            *("renewal_on", "churned_on", "churn_signs", "pr_risk", "answer", "answer_until", "answer_note"),
            *("root_cause", "customer_confirmed", "call_held_at", "answered_by", "answered_at", "issue_impact"),
            *("issue_attempted", "issue_ask", "issue_recommendation", "issue_timeline", *FLAG),
        ],
        "",
    )
    | {"csm": "res.user", "csm_manager": "res.user", "lang": "ir.lang", "replaced_by": "party.party"}
    | {"annual_revenue_currency": "currency.currency"},
    "sale.complaint": dict.fromkeys(
        [
            *("id", "changed_at", "subject", "description", "author", "channel", "priority", "state", "reporter"),
            *("reporter_title", "bug_key", "product_name", "amount", "opened_at", "closed_at"),
        ],
        "",
    )
    | {"customer": "party.party", "type": "sale.complaint.type", "amount_currency": "currency.currency"},
    "escalation.dispute": dict.fromkeys(["id", "active", "changed_at", "amount", "state", "reason", "opened_at"], "")
    | {"party": "party.party", "currency": "currency.currency"},
    "escalation.note": dict.fromkeys(["id", "key", "title", "body", "at"], "") | {"party": "party.party"},
    "escalation.task": dict.fromkeys(["id", "key", "subject", "body", "due_at", "assignee_name", "done"], "")
    | {"party": "party.party", "assignee": "res.user"},
    "res.user": dict.fromkeys(["id", "name", "email", "active"], ""),
    "ir.lang": dict.fromkeys(["id", "code"], ""),
    "currency.currency": dict.fromkeys(["id", "code"], ""),
    "sale.complaint.type": dict.fromkeys(["id", "name"], ""),
    "ir.module": dict.fromkeys(["id", "name", "state"], ""),
    "ir.model.field": dict.fromkeys(["id", "name", "model", "relation"], ""),
}
_COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda mine, given: mine == given,
    "!=": lambda mine, given: mine != given,
    ">": lambda mine, given: mine is not None and mine > given,
    ">=": lambda mine, given: mine is not None and mine >= given,
    "in": lambda mine, given: mine in given,
    "not in": lambda mine, given: mine not in given,
}


class RefusalError(Exception):
    """An answer that is not 200: JSON with a message, or HTML as Tryton's web layer writes it."""

    def __init__(self, status: int, said: str, *, as_json: bool = False) -> None:
        super().__init__(said)
        self.status, self.said, self.as_json = status, said, as_json


@dataclass(frozen=True)
class Instead:
    """What somebody on the way answers in Tryton's place."""

    status: int
    kind: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class StubTryton:
    """The records, and knobs for a test. `now` is the server's clock."""

    records: dict[str, dict[int, dict[str, Any]]] = field(default_factory=lambda: {name: {} for name in MODELS})
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    unreadable: set[int] = field(default_factory=set)
    hidden: set[str] = field(default_factory=set)
    companies: tuple[int, ...] = (1,)
    may_escalate: bool = True
    answer_instead: Callable[[str, str], Instead | None] = lambda method, path: None
    after: Callable[[str, str], bool] = lambda method, path: False
    """Whether the line breaks after this request was carried out."""
    tells_time: bool = True
    asked: list[tuple[str, str]] = field(default_factory=list)
    url: str = ""

    def __post_init__(self) -> None:
        self.records["ir.module"][1] = {"id": 1, "name": "escalation", "state": "activated"}
        for model, fields in MODELS.items():
            for name, relation in fields.items():
                number = len(self.records["ir.model.field"]) + 1
                entry = {"id": number, "name": name, "model": model, "relation": relation or None}
                self.records["ir.model.field"][number] = entry

    def add(self, model: str, at: datetime | None = None, **values: Any) -> int:
        number = len(self.records[model]) + 1
        fresh = {"id": number, "changed_at": at or self.now(), "active": 1}
        self.records[model][number] = {name: value for name, value in fresh.items() if name in MODELS[model]} | values
        return number

    def search(self, model: str, parameters: list[tuple[str, str]], *, all_records: bool) -> list[dict[str, Any]]:
        given = dict(parameters)
        order = [name for name, _ in unpacked(given.get("o", "")) or []]
        found = [
            each for each in self.records[model].values() if self._meets(model, each, unpacked(given.get("d", "")))
        ]
        if "active" in MODELS[model] and not all_records:
            found = [each for each in found if each.get("active")]
        found.sort(key=lambda each: tuple(each[name] for name in order))
        found = found[: int(given["s"])] if "s" in given else found
        names = [value for name, value in parameters if name == "f"]
        return [self._read(model, each, names) for each in found]

    def _meets(self, model: str, record: dict[str, Any], domain: Any) -> bool:
        if not domain:
            return True
        if isinstance(domain[0], str) and domain[0] not in ("OR", "AND"):
            name, operator, value = domain
            _known(model, name)
            return _COMPARE[operator](record.get(name), value)
        met = [self._meets(model, record, part) for part in domain if part not in ("OR", "AND")]
        return any(met) if domain[0] == "OR" else all(met)

    def _read(self, model: str, record: dict[str, Any], paths: list[str]) -> dict[str, Any]:
        shown: dict[str, Any] = {"id": record["id"], "__name__": model}
        for path in paths:
            first, _, rest = path.partition(".")
            relation = _known(model, first)
            if model == "party.party" and record["id"] in self.unreadable and first not in ("id", "changed_at"):
                raise RefusalError(500, "invalid literal for Decimal")
            if first in self.hidden:
                continue
            value = record.get(first)
            if rest and value is not None:
                value = {**(shown.get(first) or {}), **self._read(relation, self.records[relation][value], [rest])}
            elif isinstance(value, bool):
                value = int(value)
            shown[first] = value
        return shown

    def create(self, model: str, values: dict[str, Any]) -> dict[str, Any]:
        if any(name not in MODELS[model] for name in values):
            raise RefusalError(400, "Unable to get RPC method")
        if values.get("party") not in self.records["party.party"]:
            raise RefusalError(400, "There is no such party.", as_json=True)
        if any(each["key"] == values["key"] for each in self.records[model].values()):
            raise RefusalError(400, "This key is there already: what it names was written before.", as_json=True)
        return {"id": self.add(model, **values), "__name__": model, "key": values["key"]}

    def escalate(self, number: int, values: dict[str, Any], expect: dict[str, Any] | None = None) -> dict[str, Any]:
        record = self.records["party.party"].get(number)
        if record is None:
            raise RefusalError(404, "The requested URL was not found on the server.")
        if not self.may_escalate:
            raise RefusalError(403, "You don't have the permission to access the requested resource.")
        unknown = sorted({*values, *(expect or {})} - set(FLAG))
        if unknown:
            raise RefusalError(400, f"{', '.join(unknown)}: these are not fields of the escalation flag.", as_json=True)
        if values.get("escalation_level") not in (None, "L1", "L2", "L3"):
            raise RefusalError(400, "not one of the allowed options", as_json=True)
        if all((record.get(name) or None) == (value or None) for name, value in values.items()):
            return {"result": "already"}
        if any((record.get(name) or None) != (value or None) for name, value in (expect or {}).items()):
            return {"result": "conflict", "flag": {}}
        record.update({name: value or None for name, value in values.items()}, changed_at=self.now())
        return {"result": "applied"}


def _known(model: str, name: str) -> str:
    if name not in MODELS[model]:
        raise RefusalError(500, f"'{name}'")
    return MODELS[model][name]


def unpacked(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text), object_hook=_plain) if text else None


def _plain(value: dict[str, Any]) -> Any:
    kind = value.get("__class__")
    if kind == "datetime":
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return datetime(*(value[name] for name in names), tzinfo=UTC)
    return Decimal(value["decimal"]) if kind == "Decimal" else value


def _tagged(value: Any) -> Any:
    if isinstance(value, datetime):
        names = ("year", "month", "day", "hour", "minute", "second", "microsecond")
        return {"__class__": "datetime", **{name: getattr(value, name) for name in names}}
    if isinstance(value, Decimal):
        return {"__class__": "Decimal", "decimal": str(value)}
    raise TypeError(type(value))


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    stub: StubTryton

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def date_time_string(self, timestamp: float | None = None) -> str:
        return format_datetime(self.stub.now(), usegmt=True)

    def do_GET(self) -> None:
        self._answer("GET", None)

    def do_POST(self) -> None:
        text = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer("POST", json.loads(text, object_hook=_plain))

    def _answer(self, method: str, body: Any) -> None:
        self.stub.asked.append((method, self.path))
        instead = self.stub.answer_instead(method, self.path)
        if instead is not None:
            self._send(instead.status, instead.kind, instead.content, instead.headers)
            return
        try:
            result = self._result(method, urlsplit(self.path).path.strip("/").split("/"), body)
        except RefusalError as refusal:
            if refusal.as_json:
                said = {"status": refusal.status, "message": refusal.said, "description": ""}
                self._send(refusal.status, "application/json", json.dumps(said).encode())
            else:
                page = f"<!doctype html>\n<html lang=en>\n<h1>Error</h1>\n<p>{refusal.said}</p>\n"
                self._send(refusal.status, "text/html; charset=utf-8", page.encode())
            return
        if self.stub.after(method, self.path):
            self.close_connection = True
            return
        self._send(200, "application/json", json.dumps(result, default=_tagged).encode())

    def _result(self, method: str, path: list[str], body: Any) -> Any:
        if path == ["rpc"]:
            return {"id": body["id"], "result": "8.0"}
        if len(path) < 4 or path[:3] != ["crm", "rest", "model"]:
            raise RefusalError(404, "The requested URL was not found on the server.")
        if self.headers.get("Authorization") != f"Bearer {KEY}":
            raise RefusalError(401, "The server could not verify that you are authorized.")
        model = path[3]
        if model not in MODELS:
            raise RefusalError(500, f"'{model}'")
        if method == "GET":
            context = unpacked(self.headers.get("X-Tryton-Context", "")) or {}
            parameters = parse_qsl(urlsplit(self.path).query)
            return self.stub.search(model, parameters, all_records=context.get("active_test") is False)
        if path[4:] == ["escalation_rights"]:
            rights = {"may_escalate": self.stub.may_escalate, "companies": list(self.stub.companies)}
            return {"user": "escalation-worker", **rights}
        return self.stub.escalate(int(path[4]), **body) if len(path) == 6 else self.stub.create(model, body)

    def _send(self, status: int, kind: str, content: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response_only(status)
        if self.stub.tells_time:
            self.send_header("Date", self.date_time_string())
        for name, value in {"Content-Type": kind, "Content-Length": str(len(content)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(content)


@contextmanager
def serving(stub: StubTryton) -> Iterator[StubTryton]:
    """The stub behind a loopback port."""
    handler = type("Handler", (_Handler,), {"stub": stub})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    stub.url = f"http://127.0.0.1:{server.server_port}"
    try:
        yield stub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
