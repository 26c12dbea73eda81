"""What a rehearsal server over HTTP stands on: the listening, the clock, the log of calls, and faults on demand.

A twin says what each call answers; it shares this base with the other twins and nothing with any connector.
"""

from __future__ import annotations

import json
import re
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Protocol, Self
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from connectors.twins.faults import AFTER, Fault, FaultPlan

Json = Any
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_PAGE = b"<!DOCTYPE html><html><head><title>Sorry</title></head><body><h1>Down for maintenance</h1></body></html>"
_UNFIT = re.compile(r"[^\x20-\x7e]")


class Clock(Protocol):
    """Gives the present, aware and in UTC."""

    def __call__(self) -> datetime:
        """The present."""
        ...


def wall_clock() -> datetime:
    """The machine's own time."""
    return datetime.now(UTC)


@dataclass(slots=True)
class VirtualClock:
    """A clock that stands still until it is moved."""

    now: datetime = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        """The present."""
        return self.now

    def advance(self, by: timedelta) -> datetime:
        """Move on."""
        self.now += by
        return self.now


@dataclass(frozen=True, slots=True)
class Call:
    """One request as it came in. Header names are in lower case; `path` is decoded and has no query."""

    number: int
    at: datetime
    method: str
    path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, str]
    body: bytes
    target: str
    fault: Fault | None = None

    def json(self) -> Json:
        """The body as JSON, fractions as Decimal. Raises ValueError."""
        return json.loads(self.body, parse_float=Decimal)

    def one(self, name: str, otherwise: str = "") -> str:
        """The first value of a query parameter."""
        return self.query.get(name, [otherwise])[0]

    @property
    def bearer(self) -> str:
        """The token of the Authorization header, or nothing."""
        kind, _, token = self.headers.get("authorization", "").partition(" ")
        return token.strip() if kind.lower() == "bearer" else ""


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer."""

    status: int
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    kind: str = "application/json;charset=UTF-8"

    @classmethod
    def of(cls, value: Json, status: int = 200, headers: Mapping[str, str] | None = None) -> Reply:
        """JSON; a Decimal is a number to its last digit."""
        return cls(status, _ENCODER.encode(value), headers or {})

    def with_headers(self, more: Mapping[str, str]) -> Reply:
        """The same with more headers."""
        return replace(self, headers={**self.headers, **more})


class HttpTwin(ABC):
    """A server on a loopback port. `calls` is the log; `faults` the plan; `clock` its idea of time."""

    def __init__(self, clock: Clock | None = None, port: int = 0) -> None:
        self.clock: Clock = clock or wall_clock
        self.calls: list[Call] = []
        self.faults = FaultPlan()
        self.hang_seconds, self.slow_seconds = 2.0, 1.0
        self.lock, self._ended = threading.RLock(), threading.Event()
        self._server = _Server(("127.0.0.1", port), _Handler)
        self._server.twin = self

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._server.shutdown()
        self._server.server_close()
        self._server.hang_up()

    @property
    def url(self) -> str:
        """The address, without a slash at its end."""
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    def now(self) -> datetime:
        """The twin's present, by whatever clock it has at the moment."""
        return self.clock()

    def hang_up(self) -> None:
        """Close the connections that are open, as a load balancer does with idle ones."""
        self._server.hang_up()

    def wait(self, seconds: float) -> None:
        """Let real time pass, but not beyond the twin's end."""
        self._ended.wait(seconds)

    def take(self, method: str, target: str, headers: Mapping[str, str], body: bytes) -> tuple[Call, Reply | None]:
        """Log one call, and answer it unless its fault keeps it from being done."""
        with self.lock:
            parts = urlsplit(target)
            query = parse_qs(parts.query, keep_blank_values=True)
            path, number = unquote(parts.path), len(self.calls) + 1
            call = Call(
                number, self.now(), method, path, query, headers, body, target, self.faults.next(number, method, path)
            )
            self.calls.append(call)
            if call.fault is Fault.UNAUTHORIZED:
                return call, self.unauthorized(call)
            if call.fault is Fault.LIMIT:
                return call, self.limited(call)
            done = call.fault is None or call.fault in AFTER
            return call, self.answer(call) if done else None

    @abstractmethod
    def answer(self, call: Call) -> Reply:
        """Do one call."""

    @abstractmethod
    def unauthorized(self, _: Call) -> Reply:
        """How this vendor says that the token is no good."""

    @abstractmethod
    def limited(self, _: Call) -> Reply:
        """How this vendor says that the limit is reached."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    twin: HttpTwin

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self._open: set[socket.socket] = set()

    def process_request(self, request: Any, client_address: Any) -> None:
        self._open.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self._open.discard(request)
        super().shutdown_request(request)

    def hang_up(self) -> None:
        for each in tuple(self._open):
            _drop(each)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news here."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        call, reply = self.server.twin.take(self.command, self.path, headers, body)
        if reply is None:
            self._fail(call.fault)
        else:
            self._spoilt(call.fault, reply)

    do_GET = do_POST = do_PATCH = do_PUT = do_DELETE = do_HEAD = _serve  # noqa: N815 - the names that http.server calls

    def _fail(self, fault: Fault | None) -> None:
        twin = self.server.twin
        if fault is Fault.HTML_200:
            self._send(Reply(200, _PAGE, kind="text/html;charset=UTF-8"))
        elif fault is Fault.HTML_503:
            self._send(Reply(503, _PAGE, kind="text/html;charset=UTF-8"))
        elif fault is Fault.GARBLED_502:
            self._send(Reply(502, b"<html>\xff\xfe\x80 bad gateway</html>", kind="text/html"))
        else:
            if fault is Fault.HANG:
                twin.wait(twin.hang_seconds)
            self._hang_up()

    def _spoilt(self, fault: Fault | None, reply: Reply) -> None:
        twin = self.server.twin
        if fault is Fault.HANG_AFTER:
            twin.wait(twin.hang_seconds)
        if fault in (Fault.HANG_AFTER, Fault.RESET_AFTER):
            self._hang_up()
        elif fault is Fault.BROKEN_AFTER:
            self._send(Reply(500, _PAGE, kind="text/html;charset=UTF-8"))
        elif fault is Fault.TRUNCATED:
            self._send(reply, upto=len(reply.body) // 2)
            self._hang_up()
        elif fault is Fault.SLOW:
            self._drip(reply)
        else:
            self._send(reply)

    def _send(self, reply: Reply, upto: int | None = None) -> None:
        self.send_response_only(reply.status)
        self.send_header("Date", format_datetime(self.server.twin.now().astimezone(UTC), usegmt=True))
        if reply.status not in (204, 304):
            self.send_header("Content-Type", reply.kind)
            self.send_header("Content-Length", str(len(reply.body)))
        for name, value in reply.headers.items():
            self.send_header(name, _UNFIT.sub(" ", value))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body[:upto])

    def _drip(self, reply: Reply) -> None:
        self._send(reply, upto=0)
        steps = max(1, len(reply.body) // 20)
        for start in range(0, len(reply.body), steps):
            self.server.twin.wait(self.server.twin.slow_seconds / 20)
            self.wfile.write(reply.body[start : start + steps])

    def _hang_up(self) -> None:
        self.close_connection = True
        _drop(self.connection)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
        """Say nothing."""


def _drop(connection: socket.socket) -> None:
    try:
        connection.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # the other side was faster
