"""Mail as .eml files, one a copy: for trying out, and for machines that another program empties."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path

from connectors.base import Capabilities, Finding, Result, Severity, WriteResult
from connectors.notifier import Message
from connectors.notify.email.composing import addressed, composed, name_of, nobody


class FolderMailer:
    """Writes .eml files, one a message, named by its key: what is there is not written again."""

    def __init__(self, directory: Path, sender: str) -> None:
        self._directory = directory
        self._sender = sender

    def capabilities(self) -> Capabilities:
        """A file's name is its key."""
        return Capabilities(exactly_once=True, finds=True)

    def check(self) -> Sequence[Finding]:
        """Whether the folder can be made and written."""
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
        except OSError as error:
            return [Finding(Severity.ERROR, "e-mail", f"{self._directory}: {error.strerror}", "choose another folder")]
        if not os.access(self._directory, os.W_OK):
            return [
                Finding(Severity.ERROR, "e-mail", f"{self._directory} cannot be written", "give the worker the right")
            ]
        return [Finding(Severity.OK, "e-mail", f"files into {self._directory}")]

    def send(self, message: Message) -> WriteResult:
        """Write the file."""
        path = self._path(message.key)
        if path.exists():
            return WriteResult(Result.ALREADY_APPLIED, path.name)
        message, wrong = addressed(message)
        if not message.envelope:
            return nobody(wrong)
        mail = composed(message, self._sender)
        mail["Delivered-To"] = ", ".join(message.envelope)
        try:
            self._directory.mkdir(parents=True, exist_ok=True, mode=0o700)
            _replace(path, mail.as_bytes())
        except OSError as error:
            return WriteResult(Result.RETRY, reason=f"{self._directory}: {error.strerror}")
        return WriteResult(Result.APPLIED, path.name, wrong)

    def _path(self, key: str) -> Path:
        return self._directory / f"{name_of(key)}.eml"

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:  # noqa: ARG002
        """The keys whose file is there."""
        return {key: self._path(key).name for key in keys if self._path(key).exists()}

    def close(self) -> None:
        """Nothing to close."""


def _replace(path: Path, body: bytes) -> None:
    """Write the whole file or none of it: what bears the name is complete, also after a power cut."""
    part = path.with_suffix(f".{os.getpid()}.part")
    with open(part, "wb", opener=_private) as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)


def _private(path: str, flags: int) -> int:
    """Mail is for its readers, not for everybody on the machine."""
    return os.open(path, flags, 0o600)
