"""The twin's side of Socket Mode: lines that a client opens with a ticket, envelopes, and what goes wrong with them.

An envelope that nobody answers is delivered again in a new one, on whatever line is open then. Slack does so after
three seconds; here `again` does it when the test says so, and so does a new line for what the broken one left.
"""

from __future__ import annotations

import contextlib
import json
import logging
import secrets
import socket
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.sync.server import ServerConnection, serve

Payload = dict[str, Any]


@dataclass
class _Owed:
    """A payload that nobody has taken yet, and the envelopes in which it went out."""

    payload: Payload
    envelopes: list[str] = field(default_factory=list)


class Sockets:
    """Serves lines on a port of its own. `answered` are the envelopes that clients took, in their order."""

    def __init__(self) -> None:
        self.answered: list[str] = []
        self.greets = True
        self.opened = 0
        self._tickets: set[str] = set()
        self._lines: list[ServerConnection] = []
        self._owed: list[_Owed] = []
        self._change = threading.Condition(threading.RLock())
        self._server = serve(
            self._serve, "127.0.0.1", 0, process_request=self._admit, logger=_silence(), close_timeout=1
        )
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    def start(self) -> None:
        """Begin to serve."""
        self._thread.start()

    def close(self) -> None:
        """End every line and the server."""
        self._server.shutdown()
        self.drop()
        self._thread.join(5)

    def ticket(self) -> str:
        """The address of a new line; good for one client."""
        ticket = secrets.token_hex(8)
        self._tickets.add(ticket)
        return f"ws://127.0.0.1:{self._server.socket.getsockname()[1]}/link/?ticket={ticket}&app_id=A0000001"

    def deliver(self, payload: Payload) -> None:
        """Send a payload to one of the lines, now or as soon as there is one."""
        with self._change:
            self._owed.append(_Owed(payload))
            self._send(self._owed[-1])

    def again(self) -> None:
        """Deliver once more what nobody has answered."""
        with self._change:
            for owed in self._owed:
                self._send(owed)

    def say(self, message: Payload) -> None:
        """Send a frame of the line's own to every client, such as `disconnect`."""
        with self._change:
            for line in self._lines:
                line.send(json.dumps(message))

    def drop(self) -> None:
        """Break every line without a word."""
        with self._change:
            for line in self._lines:
                with contextlib.suppress(OSError):
                    line.socket.shutdown(socket.SHUT_RDWR)

    def wait(self, lines: int | None = None, answered: int | None = None, seconds: float = 10) -> bool:
        """Wait until so many lines are open, or so many envelopes are answered. False when it never came to that."""

        def reached() -> bool:
            return (lines is None or len(self._lines) == lines) and (answered is None or len(self.answered) >= answered)

        with self._change:
            return self._change.wait_for(reached, seconds)

    @property
    def owed(self) -> int:
        """How many payloads nobody has answered."""
        return len(self._owed)

    def _admit(self, line: ServerConnection, request: Request) -> Response | None:
        ticket = request.path.partition("ticket=")[2].partition("&")[0]
        with self._change:
            if ticket not in self._tickets:
                return line.respond(401, "invalid ticket\n")
            self._tickets.remove(ticket)
        return None

    def _serve(self, line: ServerConnection) -> None:
        with self._change:
            self._lines.append(line)
            self.opened += 1
            self._greet(line)
            self._change.notify_all()
        try:
            for frame in line:
                self._take(json.loads(frame))
        except ConnectionClosed:
            pass
        finally:
            with self._change:
                self._lines.remove(line)
                self._change.notify_all()

    def _greet(self, line: ServerConnection) -> None:
        if self.greets:
            hello = {"type": "hello", "num_connections": len(self._lines), "connection_info": {"app_id": "A0000001"}}
            line.send(json.dumps(hello))
        self.again()

    def _send(self, owed: _Owed) -> None:
        """To the newest line: clients listen there for sure."""
        if not self._lines:
            return
        envelope = str(uuid.uuid4())
        told = {
            "type": "interactive",
            "envelope_id": envelope,
            "accepts_response_payload": False,
            "retry_attempt": len(owed.envelopes),
            "retry_reason": "timeout" if owed.envelopes else "",
            "payload": owed.payload,
        }
        owed.envelopes.append(envelope)
        try:
            self._lines[-1].send(json.dumps(told))
        except ConnectionClosed:
            return

    def _take(self, answer: Payload) -> None:
        with self._change:
            envelope = str(answer.get("envelope_id"))
            self._owed = [each for each in self._owed if envelope not in each.envelopes]
            self.answered.append(envelope)
            self._change.notify_all()


def _silence() -> logging.Logger:
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return logger


def pressing(user: str, channel: str, message: Payload, pressed: Payload, at: str) -> Payload:
    """What Slack tells of a pressed button."""
    return {
        "type": "block_actions",
        "user": {"id": user, "username": user.lower(), "team_id": "T0000001"},
        "api_app_id": "A0000001",
        "container": {"type": "message", "message_ts": message["ts"], "channel_id": channel, "is_ephemeral": False},
        "team": {"id": "T0000001", "domain": "rehearsal"},
        "channel": {"id": channel, "name": "escalations"},
        "message": {"type": "message", "text": message["text"], "ts": message["ts"]},
        "actions": [{**pressed, "block_id": "b1", "action_ts": at}],
    }
