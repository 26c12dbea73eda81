"""The text of an export: its encoding, its delimiter, the ends of its lines."""

from __future__ import annotations

import csv
from io import StringIO
from pathlib import Path


class ExportError(Exception):
    """The whole file cannot be read."""

    def __init__(self, message: str, line: int = 1) -> None:
        super().__init__(message)
        self.line = line


def read_export(path: Path) -> str:
    """The text of a file in UTF-8 or UTF-16. Raises ExportError with the line."""
    try:
        body = path.read_bytes()
    except OSError as error:
        raise ExportError(f"cannot be read: {error.strerror}") from error
    if body.startswith((b"\xff\xfe", b"\xfe\xff")):
        return _utf_16(body)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = body.count(b"\n", 0, error.start) + 1
        raise ExportError("is not UTF-8; export it again as `CSV UTF-8`", line) from error


def _utf_16(body: bytes) -> str:
    try:
        return body.decode("utf-16")
    except UnicodeDecodeError as error:
        line = body[: error.start].decode("utf-16", "replace").count("\n") + 1
        raise ExportError("is not UTF-16, as its first bytes say; export it again as `CSV UTF-8`", line) from error


def delimiter_of(text: str) -> str:
    """The one of comma, semicolon and tab that splits the header into most cells."""
    header = next(iter(lines_of(text)), "").strip("\r\n")
    if not header.strip():
        raise ExportError("is empty; the first line must name the columns")
    return max((",", ";", "\t"), key=lambda each: len(next(csv.reader([header], delimiter=each), [])))


def lines_of(text: str) -> list[str]:
    """As spreadsheets end them; a form feed or a Unicode line separator is a part of a cell."""
    return list(StringIO(text, newline=""))
