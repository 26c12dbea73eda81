"""`detect`: try the phrases on one's own mail, one JSON object a line."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TextIO

import typer

if TYPE_CHECKING:
    from worker.core.book import Message, PhraseBook, Reading

OWN_PACKS = Path("config/phrases")
_TEXTS = ("id", "channel", "subject", "body", "title")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(detect_command)
    app.registered_commands[-1].name = "detect"


def detect_command(
    phrases: Annotated[
        Path | None, typer.Option(help="folder with the phrase packs; else config/phrases, or those of the release")
    ] = None,
) -> None:
    """Print what the phrases find in texts of your own. Reads them as JSON lines (id, channel, subject, body)."""
    from worker.settings import SHIPPED

    packs = phrases or (OWN_PACKS if OWN_PACKS.is_dir() else SHIPPED / "phrases")
    raise typer.Exit(detect(sys.stdin.buffer, sys.stdout, packs))


@dataclass(frozen=True, slots=True)
class _BadLineError(ValueError):
    column: int
    reason: str


def detect(stdin: Iterable[bytes], stdout: TextIO, packs_dir: Path, stderr: TextIO | None = None) -> int:
    """One JSON line on `stdout` for each good line of `stdin`, one on `stderr` for each bad one.

    Gives the exit code: 0, 1 when a line was bad (the good ones were answered all the same), 2 when the packs can't be
    used (every fault goes to `stderr` as file:line:column).
    """
    from worker.exits import ExitCode
    from worker.phrasebook import PhraseBookError, load

    errors = sys.stderr if stderr is None else stderr
    try:
        book = load(packs_dir)
    except PhraseBookError as error:
        errors.write("\n".join(error.faults) + "\n")
        return int(ExitCode.CONFIGURATION)
    bad = 0
    for number, line in enumerate(stdin, 1):
        if line.strip():
            bad += not _answer(book, number, line, stdout, errors)
    return int(ExitCode.FINDINGS if bad else ExitCode.OK)


def _answer(book: PhraseBook, number: int, line: bytes, stdout: TextIO, errors: TextIO) -> bool:
    from worker.core.phrases import read

    try:
        identity, message = _message(line)
    except _BadLineError as fault:
        where = {"line": number, "column": fault.column, "error": fault.reason}
        errors.write(json.dumps(where, ensure_ascii=False) + "\n")
        return False
    stdout.write(json.dumps(_shown(identity, read(book, message), message), ensure_ascii=False) + "\n")
    return True


def _message(line: bytes) -> tuple[str, Message]:
    from worker.core.book import Message

    try:
        source = json.loads(line.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        raise _BadLineError(error.start + 1, "this is not UTF-8: save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        raise _BadLineError(error.colno, f"this is no JSON object ({error.msg}): write one object a line") from None
    except ValueError:
        raise _BadLineError(1, "a number in it is longer than any id or amount: put it in quotes") from None
    except RecursionError:
        raise _BadLineError(1, "this is nested too deep: write one flat object a line") from None
    if not isinstance(source, dict):
        raise _BadLineError(1, "this is no JSON object: write one object a line with id, channel, subject and body")
    texts = {name: _text(source, name, line) for name in _TEXTS}
    if "body" not in source and "subject" not in source:
        raise _BadLineError(1, "there is neither subject nor body: give at least one of them")
    return texts.pop("id"), Message(**texts)


def _text(source: dict[str, object], name: str, line: bytes) -> str:
    value = source.get(name)
    if name == "id" and isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if name == "id" and not value:
        raise _BadLineError(1, "there is no id: give each text an id of its own")
    if value is None:
        return ""
    if not isinstance(value, str):
        column = line.decode("utf-8-sig").find(f'"{name}"') + 1
        raise _BadLineError(column, f"{name} must be a text, not {type(value).__name__}")
    return value


def _shown(identity: str, reading: Reading, message: Message) -> dict[str, object]:
    texts = {"subject": message.subject, "body": message.body}
    shown: dict[str, object] = {
        "id": identity,
        "labels": list(reading.labels),
        "spans": [
            {
                "label": hit.label, "field": hit.field, "start": hit.span.start, "end": hit.span.end, "text": hit.text,
                "phrase": hit.phrase, "certainty": hit.certainty.value,
            }
            for hit in reading.hits
        ],
        "certainty": {label: certainty.value for label, certainty in reading.certainty.items()},
        "amounts": [
            {
                "amount": f"{found.amount.amount:f}", "currency": found.amount.currency, "start": found.amount.start,
                "end": found.amount.end, "field": found.field,
                "text": texts[found.field][found.amount.start : found.amount.end],
            }
            for found in reading.amounts
        ],
    }  # fmt: skip
    return shown | ({"cut": reading.cut} if reading.cut else {})
