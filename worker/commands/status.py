"""`status`: what is open, what is due, what waits, whether the worker lives."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state

if TYPE_CHECKING:
    from datetime import datetime

    from worker.settings import Settings
    from worker.store.database import Store


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(status)


def status(
    config: ConfigOption = DEFAULT_CONFIG,
    quiet: Annotated[bool, typer.Option("--quiet", help="only the exit code: 1 when cycles have stopped")] = False,
) -> None:
    """Show open escalations, brakes, leftovers and the last cycle."""
    from worker.exits import ExitCode
    from worker.runner import last_cycle
    from worker.status.look import FROZEN_AFTER

    settings = load(config)
    with state(settings) as (store, ports):
        began = last_cycle(store)
        limit = timedelta(seconds=settings.interval_seconds * FROZEN_AFTER)
        alive = began is not None and ports.now() - began <= limit
        if not quiet:
            _show(settings, store, ports.now(), began)
    raise typer.Exit(ExitCode.OK if alive or not quiet else ExitCode.FINDINGS)


def _show(settings: Settings, store: Store, now: datetime, began: datetime | None) -> None:
    from worker.status.look import Watcher
    from worker.tables import escalation_table, state_lines

    out = console()
    out.print(escalation_table(store, now, Watcher(settings, store).names()))
    for line in state_lines(settings, store, now, began):
        out.print(line)
