"""Messages as lines, on standard output or in a file. For trying out, and for logs that others collect."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connectors.base import Capabilities, Finding, Result, Severity, WriteResult
from connectors.notifier import Message, Posting

_VERBS = {Posting.POST: "message", Posting.EDIT: "update", Posting.REPLY: "reply"}


class ConsoleNotifier:
    """Writes each message as one block. A crash between writing and remembering repeats it."""

    def __init__(self, path: Path | None) -> None:
        self._path = path

    def capabilities(self) -> Capabilities:
        """Nothing can be looked up, so nothing is exactly once."""
        return Capabilities()

    def check(self) -> Sequence[Finding]:
        """Whether the file's folder is there."""
        if self._path is None:
            return [Finding(Severity.OK, "console", "standard output")]
        if not self._path.parent.is_dir():
            return [Finding(Severity.ERROR, "console", f"{self._path.parent} is not there", "make the folder")]
        if not os.access(self._path if self._path.exists() else self._path.parent, os.W_OK):
            return [Finding(Severity.ERROR, "console", f"{self._path} cannot be written", "give the worker the right")]
        return [Finding(Severity.OK, "console", str(self._path))]

    def send(self, message: Message) -> WriteResult:
        """Write it."""
        head = f"{_VERBS[message.posting]} to {', '.join(message.to)}: {message.subject}"
        body = "\n".join(f"    {_inert(line)}" for line in message.text.splitlines() or [""])
        try:
            self._write(f"{_inert(head)}\n{body}\n")
        except OSError as error:
            remedy = "free the disk or the pipe"
            return WriteResult(Result.RETRY, reason=f"cannot write: {error.strerror}", remedy=remedy)
        return WriteResult(Result.APPLIED, message.key)

    def _write(self, block: str) -> None:
        if self._path is None:
            encoding = sys.stdout.encoding or "utf-8"
            sys.stdout.write(block.encode(encoding, "backslashreplace").decode(encoding))
            sys.stdout.flush()
            return
        with open(self._path, "a", encoding="utf-8", opener=_private) as file:
            file.write(block)

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing can be found again."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def _private(path: str, flags: int) -> int:
    """Messages are for their readers, not for everybody on the machine."""
    return os.open(path, flags, 0o600)


def _inert(line: str) -> str:
    """The line with control characters made visible: what a customer wrote must not steer a terminal."""
    return "".join(each if each.isprintable() else repr(each)[1:-1] for each in line)


def open_notifier(settings: Mapping[str, object]) -> ConsoleNotifier:
    """Option `path`: append to a file instead of standard output."""
    path = settings.get("path")
    return ConsoleNotifier(Path(str(path)) if path else None)
