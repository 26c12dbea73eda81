"""Messages as lines, on standard output or in a file. For trying out, and for logs that others collect."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connectors.base import Capabilities, Finding, Message, Posting, Result, Severity, WriteResult

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
        if self._path.parent.is_dir():
            return [Finding(Severity.OK, "console", str(self._path))]
        return [Finding(Severity.ERROR, "console", f"{self._path.parent} is not there", "make the folder")]

    def send(self, message: Message) -> WriteResult:
        """Write it."""
        to = ", ".join(message.to)
        block = f"{_VERBS[message.posting]} to {to}: {message.subject}\n{_indented(message.text)}\n"
        try:
            self._write(block)
        except OSError as error:
            return WriteResult(
                Result.RETRY, reason=f"cannot write: {error.strerror}", remedy="free the disk or the pipe"
            )
        return WriteResult(Result.APPLIED, message.key)

    def _write(self, block: str) -> None:
        if self._path is None:
            sys.stdout.write(block)
            sys.stdout.flush()
            return
        with self._path.open("a", encoding="utf-8") as file:
            file.write(block)

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """Nothing can be found again."""
        return {}

    def close(self) -> None:
        """Nothing to close."""


def _indented(text: str) -> str:
    """The text with control characters made visible: what a customer wrote must not steer a terminal."""
    lines = text.splitlines() or [""]
    return "\n".join(
        "    " + "".join(each if each.isprintable() else repr(each)[1:-1] for each in line) for line in lines
    )


def open_notifier(settings: Mapping[str, object]) -> ConsoleNotifier:
    """Option `path`: append to a file instead of standard output."""
    path = settings.get("path")
    return ConsoleNotifier(Path(str(path)) if path else None)
