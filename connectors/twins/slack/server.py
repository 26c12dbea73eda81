"""The HTTP side of the twin, and how a call can go wrong."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qsl, urlsplit


class Fault(StrEnum):
    """How one call goes wrong."""

    DROP_BEFORE = "the line breaks before the call is done"
    DROP_AFTER = "the line breaks after the call is done"
    RATE_LIMIT = "429 with Retry-After"
    BROKEN = "500"
    HANG = "no answer for a while, then it is done"
    HTML = "a page of some proxy"
    REDIRECT = "sent on to another address"
    DRIP = "an answer that comes letter by letter and does not end"
    GIBBERISH = "ok, but without what was asked for"


class Twin(Protocol):
    """What the server asks its twin."""

    retry_after: int
    elsewhere: str
    scopes: str

    def next_fault(self, method: str) -> Fault | None:
        """The fault that this call has to show."""
        ...

    def wait(self, seconds: float | None = None) -> bool:
        """Hang for the ordered time. True when the twin ends meanwhile."""
        ...

    def perform(self, method: str, token: str, arguments: dict[str, str]) -> dict[str, Any]:
        """Do one call of the Web API."""
        ...

    def hook(self, path: str, body: str) -> tuple[int, str]:
        """Do one post to a webhook: status and the one word that it says."""
        ...


_WITHOUT_EFFECT = (Fault.DROP_BEFORE, Fault.RATE_LIMIT, Fault.BROKEN, Fault.HTML, Fault.REDIRECT)


class Server(ThreadingHTTPServer):
    """Listens; its twin does the work."""

    daemon_threads = True
    twin: Twin

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news here."""


class Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    server: Server

    def do_POST(self) -> None:
        """One call: of the Web API, or of the webhook."""
        path, twin = urlsplit(self.path).path, self.server.twin
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
        method = "webhook" if path.startswith("/services/") else path.removeprefix("/api/")
        token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
        fault = twin.next_fault(method)
        if fault in _WITHOUT_EFFECT:
            self._fail(fault)
            return
        if fault is Fault.HANG:
            twin.wait()
        if method == "webhook":
            status, said = twin.hook(path, body)
        else:
            status, said = 200, json.dumps(twin.perform(method, token, self._arguments(body)))
        self._tell(fault, status, said)

    def _tell(self, fault: Fault | None, status: int, said: str) -> None:
        if fault is Fault.DROP_AFTER:
            self._drop()
        elif fault is Fault.DRIP:
            self._drip(said)
        else:
            self._answer(status, json.dumps({"ok": True}) if fault is Fault.GIBBERISH else said)

    def _drip(self, said: str) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(said.encode()) + 1000))
        self.end_headers()
        for byte in said.encode() + b" " * 1000:
            if self.server.twin.wait(0.05):
                return
            self.wfile.write(bytes([byte]))

    def _arguments(self, body: str) -> dict[str, str]:
        if "json" not in (self.headers.get("Content-Type") or ""):
            return dict(parse_qsl(body, keep_blank_values=True))
        given = json.loads(body or "{}")
        return {name: value if isinstance(value, str) else json.dumps(value) for name, value in given.items()}

    def _fail(self, fault: Fault | None) -> None:
        if fault is Fault.DROP_BEFORE:
            self._drop()
        elif fault is Fault.RATE_LIMIT:
            body = json.dumps({"ok": False, "error": "ratelimited"})
            self._answer(429, body, {"Retry-After": str(self.server.twin.retry_after)})
        elif fault is Fault.REDIRECT:
            self._answer(302, "", {"Location": self.server.twin.elsewhere})
        elif fault is Fault.BROKEN:
            self._answer(500, json.dumps({"ok": False, "error": "internal_error"}))
        else:
            self._answer(200, "<html><body>Please log in to the network</body></html>", kind="text/html")

    def _drop(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def _answer(
        self, status: int, body: str, more: Mapping[str, str] | None = None, kind: str = "application/json"
    ) -> None:
        raw = body.encode()
        headers = {"Content-Type": f"{kind}; charset=utf-8", "Content-Length": str(len(raw)), **(more or {})}
        headers["X-OAuth-Scopes"] = self.server.twin.scopes
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(raw)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name that http.server uses
        """Say nothing."""
