"""Socket Mode: a line to Slack that this side opens, on which clicks come, and which is opened again when it ends.

Slack closes each line after a while and says so before: then the next one is opened first. An envelope is answered
within three seconds, but only once its click is kept; one without an answer is delivered again. The SDK's own client
spins when a line breaks without a word and sleeps where it must be able to stop, so the line itself is `websockets`.
"""

from __future__ import annotations

import json
import logging
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from slack_sdk.errors import SlackApiError
from websockets.exceptions import ConnectionClosed, WebSocketException
from websockets.sync.client import ClientConnection, reconnect

from connectors.hearing import Click, Hearing
from connectors.notify.slack.answers import fate
from connectors.notify.slack.envelope import click_in, opened
from connectors.notify.slack.reading import FAULTS

_FIRST, _MOST, _REFUSED = 0.2, 60.0, 300.0
"""Seconds before the line is opened again: after a break, at most, and after Slack's no, which a person has to undo."""
_STEADY = 60.0
"""A line that lasted so many seconds was a good one: waits begin anew."""
_PATIENCE, _FAREWELL = 10.0, 3.0
_LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LARGEST = 2_000_000
_TOKEN = "make an app-level token (xapp-...) with the scope connections:write, and give it as `app_token`"  # noqa: S105
_TURNED_OFF = "turn Socket Mode on in the app's settings"
_REMEDIES = {
    "missing_scope": "give the app-level token the scope connections:write",
    "no_permission": "give the app-level token the scope connections:write",
    **dict.fromkeys(("invalid_auth", "not_authed", "token_revoked", "token_expired", "account_inactive"), _TOKEN),
    "not_allowed_token_type": _TOKEN,
}


class TurnedOffError(Exception):
    """Somebody turned Socket Mode off in the app's settings."""


class _Straight(reconnect):
    """Opens a line to the address that Slack named and to no other."""

    def process_redirect(self, exc: Exception) -> Exception | str:
        return exc


class Socket:
    """Listens in a thread of its own from `start` to `close`. `ask` names the address of a new line."""

    def __init__(self, ask: Callable[[], str], keep: Callable[[Click], object]) -> None:
        self._ask = ask
        self._keep = keep
        self._ended = threading.Event()
        self._line: ClientConnection | None = None
        self._pause = _FIRST
        self.hearing = Hearing()
        self._thread = threading.Thread(target=self._run, daemon=True, name="slack-socket")

    def start(self) -> None:
        """Begin to listen."""
        self._thread.start()

    def close(self) -> None:
        """Stop listening; may be called twice."""
        self._ended.set()
        line = self._line
        if line is not None:
            line.close()
        if self._thread.is_alive():
            self._thread.join(_FAREWELL)

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._listen()
            except Exception as error:  # noqa: BLE001  nothing that the line does may end the listening
                self._fell(error)
            self._rest()
        self.hearing = Hearing()

    def _listen(self) -> None:
        """From the first line on, each one into the next, until one breaks."""
        line: ClientConnection | None = self._opened()
        while line is not None:
            self._line, self.hearing = line, Hearing(up=True)
            with line:
                line = None if self._ended.is_set() else self._next(line)

    def _next(self, line: ClientConnection) -> ClientConnection:
        """Follow a line to its end. Returns the one that goes on."""
        began = time.monotonic()
        try:
            self._follow(line)
        finally:
            steady = time.monotonic() - began >= _STEADY
            self._pause = _FIRST if steady else self._pause
        if not steady:
            self._rest()
        following = self._opened()
        self._drain(line)
        return following

    def _rest(self) -> None:
        self._ended.wait(self._pause)
        self._pause = min(_MOST, self._pause * 2)

    def _opened(self) -> ClientConnection:
        address = self._ask()
        parts = urlsplit(address)
        ours = parts.scheme == "wss" and (parts.hostname or "").endswith(".slack.com")
        if not ours and parts.hostname not in _LOOPBACK:
            raise ValueError("Slack named an address that is not its own")
        line = _Straight(
            address, compression=None, max_size=_LARGEST, open_timeout=_PATIENCE, close_timeout=1, logger=_silence()
        ).connect()
        with ExitStack() as unless_greeted:
            unless_greeted.enter_context(line)
            if opened(line.recv(_PATIENCE)).get("type") != "hello":
                raise ValueError("Slack did not say hello on the socket")
            unless_greeted.pop_all()
        return line

    def _follow(self, line: ClientConnection) -> None:
        """Take what comes until Slack asks for a new line. Raises ConnectionClosed when this one breaks."""
        while True:
            told = self._taken(line, line.recv())
            if told.get("type") == "disconnect" and told.get("reason") == "link_disabled":
                raise TurnedOffError
            if told.get("type") == "disconnect":
                return

    def _drain(self, line: ClientConnection) -> None:
        """Take what still came on a line while the next one was opened."""
        try:
            while not self._ended.is_set():
                self._taken(line, line.recv(0))
        except (TimeoutError, ConnectionClosed):
            return

    def _taken(self, line: ClientConnection, frame: str | bytes) -> Mapping[str, Any]:
        try:
            told = opened(frame)
        except ValueError:
            return {}
        envelope = told.get("envelope_id")
        if envelope and self._kept(click_in(told)):
            line.send(json.dumps({"envelope_id": envelope}))
        return told

    def _kept(self, click: Click | None) -> bool:
        """Whether the envelope may be answered: what could not be kept is left to be delivered again."""
        try:
            if click is not None:
                self._keep(click)
        except Exception as error:  # noqa: BLE001  whatever the keeper's trouble is, the line stays open
            reason = f"a click could not be kept: {type(error).__name__}"
            self.hearing = Hearing(True, reason, "look at the state's trouble in the log; Slack delivers it again")
            return False
        if click is not None:
            self.hearing = Hearing(up=True)
        return True

    def _fell(self, error: Exception) -> None:
        if self._ended.is_set():
            return
        self.hearing = why_not(error)
        if isinstance(error, TurnedOffError) or (
            isinstance(error, SlackApiError) and fate(error, reading=True).retry_after is None
        ):
            self._pause = _REFUSED


def why_not(error: Exception) -> Hearing:
    """Why no line could be opened, or why it broke, and what to do. Nothing of the address, which is a secret."""
    if isinstance(error, TurnedOffError):
        return Hearing(False, "Socket Mode was turned off", _TURNED_OFF)
    if isinstance(error, SlackApiError):
        code = str(error.response.get("error") or "")
        result = fate(error, reading=True)
        return Hearing(False, result.reason, _REMEDIES.get(code, result.remedy))
    if isinstance(error, ConnectionClosed):
        return Hearing(False, "the line broke", "none: it is opened again")
    if isinstance(error, WebSocketException):
        return Hearing(False, f"no line to Slack: {type(error).__name__}", "let the proxy pass WebSockets to slack.com")
    if isinstance(error, FAULTS):
        result = fate(error, reading=True)
        return Hearing(False, result.reason, result.remedy or "check the network and the proxy")
    return Hearing(False, f"{type(error).__name__}", "look at the log")


def _silence() -> logging.Logger:
    """A logger that says nothing: the library would log addresses and frames."""
    logger = logging.getLogger(__name__)
    logger.setLevel(logging.CRITICAL + 1)
    logger.propagate = False
    return logger
