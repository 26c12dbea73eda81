"""What every command that needs the configuration shares: the option, opening, printing."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from worker.assembly import Worker
    from worker.core.local_time import LocalTime
    from worker.ports import SystemPorts
    from worker.settings import Settings
    from worker.store.database import Store

ConfigOption = Annotated[
    Path,
    typer.Option("--config", "-c", help="the policy file", envvar="ESCALATION_CONFIG"),
]
DEFAULT_CONFIG = Path("config/escalation.yaml")


def load(config: Path) -> Settings:
    """The settings, with logging set up as they say. Raises SettingsError."""
    from worker.settings import load_settings
    from worker.telemetry import configure

    if not config.exists():
        raise typer.BadParameter(
            f"there is no file {config}: name yours with --config, or let `escalation-worker demo` make one"
        )
    settings = load_settings(config, os.environ)
    configure(settings.log, settings.secret_values)
    return settings


@contextmanager
def state(settings: Settings) -> Iterator[tuple[Store, SystemPorts]]:
    """The open store."""
    from worker.assembly import open_state
    from worker.ports import SystemPorts

    ports = SystemPorts()
    store = open_state(settings, ports)
    try:
        yield store, ports
    finally:
        store.close()


@contextmanager
def worker(settings: Settings, store: Store, ports: SystemPorts) -> Iterator[Worker]:
    """A whole open worker."""
    from worker.assembly import assemble

    opened = assemble(settings, store, ports)
    try:
        yield opened
    finally:
        opened.close()


def local(settings: Settings) -> LocalTime:
    """Times as the commands write them: English, in the configuration's zone."""
    from worker.core.local_time import LocalTime

    return LocalTime("en", settings.timezone)


def tell(line: str) -> None:
    """A line of text; on a terminal wrapped under its own beginning, else in one piece, for whoever searches it.

    What a customer wrote must not steer the terminal.
    """
    import shutil
    import sys
    import textwrap

    plain = "".join(each if each.isprintable() else " " for each in line)
    if sys.stdout.isatty():
        indent = " " * (len(plain) - len(plain.lstrip(" -")))
        width = shutil.get_terminal_size().columns
        plain = textwrap.fill(plain, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
    typer.echo(plain)


def console() -> Console:
    """Where results go: standard output, without colours unless it is a terminal."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=False)
