"""The command line's frame: what is imported, how errors end, which exit code they give."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
import typer.main

from connectors.base import FatalError
from tests.office import Office
from worker import __main__ as frame
from worker.commands.run import sentence
from worker.exits import ExitCode
from worker.store.database import StoreError


def ending(error: BaseException, monkeypatch: pytest.MonkeyPatch) -> int:
    def fails() -> None:
        raise error

    app = typer.Typer()
    app.command()(fails)
    monkeypatch.setattr(frame, "build", lambda: app)
    return frame.run([])


class AlreadyRunningError(Exception):
    """Stands for the runner's, which is known by its name."""


AlreadyRunningError.__module__ = "worker.runner"


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (FatalError("no such field", "add it"), ExitCode.FINDINGS, "no such field. add it"),
        (StoreError("the state is locked", "stop the other"), ExitCode.FINDINGS, "the state is locked. stop the other"),
        (AlreadyRunningError("another worker runs"), ExitCode.BUSY, "another worker runs"),
        (
            OSError(28, "No space left on device", "/x"),
            ExitCode.FINDINGS,
            "/x: No space left on device. Free",
        ),
        (PermissionError(13, "Permission denied", "/x"), ExitCode.FINDINGS, "/x: Permission denied. Give this user"),
        (OSError(30, "Read-only file system", "/x"), ExitCode.FINDINGS, "/x: Read-only file system. Name a place"),
        (FileNotFoundError(2, "No such file or directory", "/x"), ExitCode.FINDINGS, "Correct the name, or make"),
        (OSError("a line that broke"), ExitCode.FINDINGS, "a line that broke"),
        (typer.Exit(ExitCode.HELD), ExitCode.HELD, ""),
        (KeyboardInterrupt(), frame.INTERRUPTED, ""),
        (BrokenPipeError(), ExitCode.OK, ""),
    ],
)
def test_an_error_ends_in_a_message_and_a_code(
    error: BaseException, code: int, words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(frame, "_forget_output", lambda: None)
    assert ending(error, monkeypatch) == code
    said = capsys.readouterr().err
    assert words in said
    assert "Traceback" not in said


@pytest.fixture
def fresh_log() -> Iterator[None]:
    """No logging that another test has set up: it would go on writing to where that test's output went."""
    structlog.reset_defaults()
    yield
    structlog.reset_defaults()


@pytest.mark.usefixtures("fresh_log")
def test_a_fault_of_the_program_is_told_without_its_locals(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ending(ZeroDivisionError("by zero"), monkeypatch) == ExitCode.FINDINGS
    said = capsys.readouterr().err
    assert "by zero" in said
    assert "please report it" in said


def test_a_wrong_configuration_is_told_whole(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("langauge: id\nconnectors: {crm: {modul: json}}\n")
    assert frame.run(["config", "check", "--config", str(path)]) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert f"{path}:1:1: langauge: unknown key; did you mean language?" in said
    assert f"{path}:2:20: connectors.crm.modul: unknown key; did you mean module?" in said


@pytest.mark.parametrize("arguments", [["nonsense"], ["config", "chek"], ["config", "check", "--nope"], []])
def test_a_wrong_command_line_says_how(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert frame.run(arguments) == ExitCode.CONFIGURATION
    assert "Usage" in capsys.readouterr().err


@pytest.mark.parametrize("command", ["once", "check", "status", "dead-letters", "dry-run", "run", "setup", "audit"])
def test_without_a_configuration_it_says_how_to_get_one(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    assert frame.run([command]) == ExitCode.CONFIGURATION
    said = capsys.readouterr().err
    assert "there is no file config/escalation.yaml: name yours with --config" in said
    assert list(tmp_path.iterdir()) == []


def test_a_port_that_is_taken_is_told_before_anything_is_served(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with closing(Office(tmp_path)) as here, socket.create_server(("127.0.0.1", 0)) as taken:
        listen = f"127.0.0.1:{taken.getsockname()[1]}"
        code = frame.run(["serve", "--config", str(here.config), "--listen", listen])
    told = capsys.readouterr()

    assert code == ExitCode.CONFIGURATION
    assert f"nothing can listen on {listen}" in told.err
    assert "--listen" in told.err
    assert "The status page is at" not in told.out


def test_config_check_and_show(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "c.yaml"
    (tmp_path / "m.yaml").write_text("{}")
    path.write_text(
        "connectors: {crm: {module: json, mapping: m.yaml}}\nnotifiers: {o: {module: json, channel: console}}\n"
    )
    assert frame.run(["config", "check", "--config", str(path)]) == ExitCode.OK
    assert "sound, policy version" in capsys.readouterr().out
    assert frame.run(["config", "show", "--config", str(path)]) == ExitCode.OK
    shown = capsys.readouterr().out
    assert "response: 4h" in shown
    assert "enter: IDR 10000000" in shown


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert frame.run(["--version"]) == ExitCode.OK
    assert capsys.readouterr().out.startswith("escalation-worker ")
    assert frame.run(["--help"]) == ExitCode.OK
    assert "config" in capsys.readouterr().out


def test_help_loads_nothing_heavy() -> None:
    code = "import sys; from worker.__main__ import run; run(['--help']); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert "typer" in loaded
    assert not loaded & {
        "sqlalchemy",
        "pydantic",
        "ruamel",
        "structlog",
        "msgspec",
        "rich",
        "holidays",
        "cel_expr_python",
    }


@pytest.mark.parametrize("closed", [1, 2])
def test_a_closed_output_is_no_traceback(closed: int) -> None:
    redirect = ">&-" if closed == 1 else "2>&-"
    line = f'"{sys.executable}" -m worker config schema {redirect}; echo code $? >&{3 - closed}'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert "Traceback" not in done.stdout + done.stderr


def test_a_reader_that_leaves_early_is_no_error() -> None:
    line = f'"{sys.executable}" -m worker config schema | head -c 1'
    done = subprocess.run(["/bin/sh", "-c", line], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def commands(command: Any = None, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command and group of the command line, with its words."""
    whole = command or typer.main.get_command(frame.build())
    yield path, whole
    for name, each in getattr(whole, "commands", {}).items():
        yield from commands(each, *path, name)


def test_every_command_argument_and_option_says_what_it_is() -> None:
    every = list(commands())

    assert [path for path, command in every if not command.help] == []
    assert [(*path, each.name) for path, command in every for each in command.params if not each.help] == []


def test_in_a_terminal_of_80_columns_every_command_is_told_in_a_whole_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    groups = [path for path, command in commands() if hasattr(command, "commands")]
    for path in groups:
        assert frame.run([*path, "--help"]) == ExitCode.OK
    told = capsys.readouterr().out.splitlines()

    assert len(groups) > 5
    assert [line for line in told if line.endswith("...") and "Usage" not in line] == []


def test_what_a_brake_holds_is_something_to_do() -> None:
    told = {"read": 45, "read_changed": 45, "opened": 0, "changed": 0, "held": 45, "delivered": 0, "refused": 0}
    held = sentence({**told, "unreadable": 0, "undecided": 0, "writes": True})

    assert held == "read 45 records, 45 changed; 45 held by a brake: look with `dry-run`, say yes with `approve`"
    assert sentence({**told, "held": 0, "unreadable": 0, "undecided": 0, "writes": True}).endswith("; nothing to do")
