"""`escalation-worker`: finds the commands, runs one, and turns what goes wrong into one clear message and exit code."""

from __future__ import annotations

import contextlib
import errno
import importlib
import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from worker import commands
from worker.exits import ExitCode

_ABOUT = "Finds the accounts that must be escalated, says so in the CRM, and runs the response clock."

_REMEDIES = {
    errno.EACCES: "Give this user the right to read and write there, or name another place.",
    errno.EPERM: "Give this user the right to read and write there, or name another place.",
    errno.EROFS: "Name a place that can be written.",
    errno.ENOSPC: "Free some space, then repeat.",
    errno.EDQUOT: "Free some space, then repeat.",
    errno.ENOENT: "Correct the name, or make the folder first.",
    errno.ENOTDIR: "Correct the name: a part of it is a file, no folder.",
    errno.EISDIR: "Name a file, no folder.",
}

INTERRUPTED = 130
"""What shells expect after Ctrl-C."""


def build() -> typer.Typer:
    """The application with every module of `worker.commands` that has `register(app)`."""
    app = typer.Typer(
        name="escalation-worker",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
    )
    app.callback(help=_ABOUT)(_common)
    for name in command_modules():
        importlib.import_module(name).register(app)
    return app


def command_modules() -> list[str]:
    """The modules of `worker.commands` that define `register`; what they share is not imported for a mere --help."""
    folders = [Path(folder) for folder in commands.__path__]
    files = sorted(file for folder in folders for file in folder.glob("*.py"))
    return [f"{commands.__name__}.{file.stem}" for file in files if "\ndef register(" in file.read_text("utf-8")]


def _show_version(asked: bool) -> None:
    if asked:
        typer.echo(f"escalation-worker {_version()}")
        raise typer.Exit(ExitCode.OK)


def _common(
    version: Annotated[
        bool, typer.Option("--version", help="Show the version and leave.", callback=_show_version, is_eager=True)
    ] = False,
) -> None:
    """Options before the command; its help is the application's."""
    del version


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version  # noqa: PLC0415  a third of the time of --help

    try:
        return version("crm-escalation-worker")
    except PackageNotFoundError:
        return "unknown (not installed)"


def run(arguments: list[str] | None = None) -> int:
    """Run one command line; the exit code. Nothing that a person can cause ends in a traceback."""
    try:
        outcome = build()(args=arguments, prog_name="escalation-worker", standalone_mode=False)
        return int(outcome) if isinstance(outcome, int) else ExitCode.OK
    except BaseException as error:  # noqa: BLE001  the last place that can turn an error into a message
        return _ending(error)


def _ending(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        return error.code if isinstance(error.code, int) else ExitCode.FINDINGS
    if isinstance(error, BrokenPipeError):
        _forget_output()
        return ExitCode.OK
    if isinstance(error, (KeyboardInterrupt, typer.Abort)):
        return INTERRUPTED
    if isinstance(error, typer.Exit):
        return error.exit_code
    show = getattr(error, "show", None)
    if callable(show):  # what the command line's parser refuses; its classes have no public name
        show()
        return ExitCode.CONFIGURATION
    return _told(error)


def _told(error: BaseException) -> int:
    # Imported here because nobody pays for it who sees no error.
    from worker.documents import FaultyDocumentError  # noqa: PLC0415

    if isinstance(error, FaultyDocumentError):
        count = len(error.faults)
        _say(f"{error}\n{count} {'fault' if count == 1 else 'faults'} in the configuration; nothing was done.")
        return ExitCode.CONFIGURATION
    if isinstance(error, OSError) and not _ours(error):
        _say(_of_a_file(error))
        return ExitCode.FINDINGS
    if _ours(error):
        remedy = getattr(error, "remedy", "")
        _say(f"{error}. {remedy}" if remedy else str(error))
        return _code_of(error)
    _crash(error)
    return ExitCode.FINDINGS


def _of_a_file(error: OSError) -> str:
    """What the operating system refused, where, and what to do about it."""
    said = f"{error.filename}: {error.strerror}" if error.filename and error.strerror else str(error)
    remedy = _REMEDIES.get(error.errno or 0)
    return f"{said}. {remedy}" if remedy else said


def _ours(error: BaseException) -> bool:
    """Whether we wrote the class: then its text is for the person who must act."""
    return type(error).__module__.partition(".")[0] in {"worker", "connectors"}


def _code_of(error: BaseException) -> int:
    if type(error).__name__ == "AlreadyRunningError":
        return ExitCode.BUSY
    return ExitCode.CONFIGURATION if isinstance(error, ValueError) else ExitCode.FINDINGS


def _crash(error: BaseException) -> None:
    """A fault of the program itself: its traceback, without locals and without secrets' values."""
    from worker.telemetry import report_crash  # noqa: PLC0415

    report_crash(error)


def _say(text: str) -> None:
    with contextlib.suppress(OSError, ValueError):
        print(f"escalation-worker: {text}", file=sys.stderr)  # noqa: T201  the command line's own voice


def _forget_output() -> None:
    """Who reads our output has gone: let the interpreter's last flush go nowhere instead of failing."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def main() -> None:
    """The console script."""
    sys.exit(run())


if __name__ == "__main__":
    main()
