"""A sign of life: a file after each cycle, and a call to an outside watcher after each good one.

The watcher notices what no process can say of itself: that it is gone. Whatever becomes of the call, the worker's own
work is not disturbed.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
import threading
from datetime import datetime
from email.message import Message
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.request import HTTPRedirectHandler, Request, build_opener

from worker.secrets import Secret

_TIMEOUT = 10.0


class _NoRedirect(HTTPRedirectHandler):
    def redirect_request(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str) -> None:
        """Follow nothing: the address may be a secret."""


class Heartbeat:
    """`failure` is what the last finished call came to, empty when it was good."""

    def __init__(self, file: Path | None = None, url: Secret | None = None) -> None:
        self.failure = ""
        self._file = file
        self._url = url
        self._call: threading.Thread | None = None

    def beat(self, moment: datetime, *, good: bool) -> None:
        """A cycle is over. Never raises, never waits."""
        if self._file is not None:
            with contextlib.suppress(OSError):
                _write(self._file, moment.isoformat())
        if good and self._url is not None and (self._call is None or not self._call.is_alive()):
            self._call = threading.Thread(target=self._ping, args=(self._url,), daemon=True, name="heartbeat")
            self._call.start()

    def _ping(self, url: Secret) -> None:
        request = Request(url.reveal(), headers={"User-Agent": "crm-escalation-worker"})  # noqa: S310  checked by settings
        try:
            with build_opener(_NoRedirect).open(request, timeout=_TIMEOUT):
                self.failure = ""
        except HTTPError as error:
            self.failure = f"the watcher answers {error.code}"
            error.close()
        except URLError as error:
            self.failure = f"the watcher cannot be reached: {type(error.reason).__name__}"
        except Exception as error:  # noqa: BLE001  whatever the other side does, it is only a sign of life
            self.failure = f"the watcher cannot be reached: {type(error).__name__}"

    def wait(self, seconds: float) -> None:
        """Give a call under way some time to end."""
        if self._call is not None:
            self._call.join(seconds)


def _write(path: Path, text: str) -> None:
    with tempfile.NamedTemporaryFile("w", dir=path.parent, delete=False) as file:
        file.write(text)
    os.replace(file.name, path)
