"""Faults of a file with their places: `file:line:column: key: what to do`, all at once.

A `Document` is a plain value (`dict`, `list`, `str`, `int`, `Decimal`, `bool`, `None`; keys are always the text that
was written) that still knows where each part stands. Phrase packs, mappings, calendars and the policy all use it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path

from worker.parsed import DocumentError, KeyPath

LARGEST = 1_000_000
"""Bytes of a file."""

LONGEST_PATH = 80
"""Characters of a key's path in a message."""


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Where something stands in a file; lines and columns count from 1."""

    line: int = 1
    column: int = 1


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing to correct, where it stands, and what to do. `path` is the key, such as `levels.L1.response`."""

    file: str
    line: int
    column: int
    path: str
    message: str

    def __str__(self) -> str:
        where = f"{self.file}:{self.line}:{self.column}: "
        return where + (f"{self.path}: " if self.path else "") + self.message


class FaultyDocumentError(ValueError):
    """All faults of one or more files, in the order of the lines."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class Document:
    """A parsed file that still knows where each key and value stands."""

    file: str
    value: object
    source: str = ""
    keys: dict[KeyPath, Place] = field(default_factory=dict)
    values: dict[KeyPath, Place] = field(default_factory=dict)

    def place(self, path: KeyPath, *, key: bool = False) -> Place:
        """Where the value (or its key) stands; for what isn't there, where the nearest key above it does."""
        for length in range(len(path), 0, -1):
            shorter = path[:length]
            first, second = (self.keys, self.values) if key or length < len(path) else (self.values, self.keys)
            place = first.get(shorter) or second.get(shorter)
            if place is not None:
                return place
        return Place()

    def fault(self, path: KeyPath, message: str, *, key: bool = False) -> Fault:
        """A fault of this file at `path`."""
        return self.fault_at(self.place(path, key=key), path, message)

    def fault_at(self, place: Place, path: KeyPath, message: str) -> Fault:
        """A fault of this file at an exact place, such as one inside a text."""
        shown = ".".join(map(str, path))
        shown = shown if len(shown) <= LONGEST_PATH else f"{shown[:LONGEST_PATH]}…"
        return Fault(self.file, place.line, place.column, shown, message)

    def located(self, error: DocumentError) -> list[Fault]:
        """The faults that a reader of the plain value found, each at its place."""
        return [self.fault(f.path, f.text, key=f.text.startswith("unknown key")) for f in error.faults]

    def inside(self, path: KeyPath, line: int, column: int) -> Place:
        """Where line and column (from 1) of a text value stand in the file, also for block and folded texts."""
        start = self.place(path)
        lines = self.source.split("\n")
        text = lines[start.line - 1][start.column - 1 :] if start.line <= len(lines) else ""
        if text[:1] in ("|", ">"):
            return _in_block(lines, start, line, column, folded=text[0] == ">")
        quoted = text[:1] in ("'", '"')
        return Place(start.line + line - 1, column + (start.column - 1 + quoted if line == 1 else 0))


def _in_block(lines: list[str], start: Place, line: int, column: int, *, folded: bool) -> Place:
    body = lines[start.line :]
    indent = next((len(text) - len(text.lstrip(" ")) for text in body if text.strip()), 0)
    row = line - 1
    while folded and row < len(body) and column > len(body[row]) - indent + 1:
        column -= len(body[row]) - indent + 1
        row += 1
    return Place(start.line + 1 + row, indent + column)


def nearest(name: str, known: Collection[str]) -> str:
    """`did you mean X?`, or what is known, for the end of a message."""
    near = get_close_matches(name, known, n=1)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(known)}"


def read_document(path: Path, shown: str = "") -> Document:
    """The file's only document; FaultyDocumentError names everything wrong. `shown` is the file's name in messages."""
    name = shown or str(path)
    try:
        with path.open("rb") as stream:
            body = stream.read(LARGEST + 1)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise FaultyDocumentError([Fault(name, 1, 1, "", f"can't be read: {reason}")]) from error
    return parse_document(body, name)


def parse_document(body: bytes, file: str) -> Document:
    """`read_document` for bytes already in memory; `file` is the name to show."""
    # Imported here because the parser costs a good part of a short command's time.
    from worker.yaml12 import parse  # noqa: PLC0415

    return parse(body, file)
