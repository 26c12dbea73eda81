"""Secrets: where they come from, and a value that no message, log or traceback can show.

A configuration file names a secret's source and never holds the secret: an environment variable, a file, or a systemd
credential. A file that others on the machine can read is refused.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Final, Never

CREDENTIALS_DIRECTORY: Final = "CREDENTIALS_DIRECTORY"
_LARGEST = 65_536


class Secret:
    """A text that shows as `***` everywhere; `reveal()` at the one place that sends it."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)

    def __reduce__(self) -> Never:
        raise TypeError("a secret is never written down: pass its source instead")


class Source(StrEnum):
    """Where a secret comes from."""

    ENV = "env"
    FILE = "file"
    CREDENTIAL = "credential"


class SecretError(ValueError):
    """A secret that can't be had; the text says what to do and never holds a part of it."""


@dataclass(frozen=True, slots=True)
class SecretSource:
    """What stands in the configuration instead of a secret, such as `{env: SLACK_BOT_TOKEN}`."""

    source: Source
    name: str

    def __str__(self) -> str:
        return f"*** ({self.source} {self.name})"

    def open(self, environ: Mapping[str, str], folder: Path) -> tuple[Secret, str]:
        """The secret, and a warning or an empty text. SecretError says why there is none.

        A relative file is looked for in `folder`. One line break at the end of a file is not part of the secret.
        """
        if self.source is Source.ENV:
            return _checked(environ.get(self.name, ""), f"the environment variable {self.name} is not set"), ""
        if self.source is Source.FILE:
            return _from_file(folder / self.name, shared_is_fault=True)
        return _from_file(_credential(self.name, environ), shared_is_fault=False)


def _credential(name: str, environ: Mapping[str, str]) -> Path:
    directory = environ.get(CREDENTIALS_DIRECTORY, "")
    if not directory:
        raise SecretError(f"there are no systemd credentials here: give the service LoadCredential={name}:/path/of/it")
    if Path(name).name != name or name in {".", ".."}:
        raise SecretError(f"{name!r} is not the name of a credential: use the name given to LoadCredential=")
    return Path(directory) / name


def _from_file(path: Path, *, shared_is_fault: bool) -> tuple[Secret, str]:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise SecretError(f"{path} is not a file")
        warning = _shared(path, status.st_mode) if shared_is_fault else ""
        with path.open("rb") as stream:
            body = stream.read(_LARGEST + 1)
        text = body.decode()
    except UnicodeDecodeError as error:
        raise SecretError(f"{path} is not UTF-8 text") from error
    except (OSError, ValueError) as error:
        if isinstance(error, SecretError):
            raise
        raise SecretError(f"{path} can't be read: {getattr(error, 'strerror', None) or 'not a path'}") from error
    if len(body) > _LARGEST:
        raise SecretError(f"{path} is too large for a secret ({_LARGEST} bytes at most)")
    return _checked(text.removesuffix("\n").removesuffix("\r"), f"{path} is empty"), warning


def _shared(path: Path, mode: int) -> str:
    if mode & stat.S_IRWXO:
        raise SecretError(f"{path} is open to everybody on this machine (mode {mode & 0o777:04o}): chmod 0600 it")
    return f"{path} is open to its group (mode {mode & 0o777:04o}): chmod 0600 is safer" if mode & stat.S_IRWXG else ""


def _checked(text: str, missing: str) -> Secret:
    if not text.strip():
        raise SecretError(missing)
    if "\x00" in text:
        raise SecretError("a secret can't hold a NUL character")
    return Secret(text)
