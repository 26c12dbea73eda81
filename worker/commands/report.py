"""`report`: the month for the VP, as a page, as Markdown, or as CSV to count again."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, load, state, worker

if TYPE_CHECKING:
    from worker.core.episodes import Month


class Format(StrEnum):
    """How a report is written."""

    HTML = "html"
    MARKDOWN = "md"
    CSV = "csv"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(report)


def report(
    config: ConfigOption = DEFAULT_CONFIG,
    month: Annotated[str, typer.Option(help="such as 2026-11; the present one when left out")] = "",
    form: Annotated[Format, typer.Option("--format", help="html, md or csv")] = Format.MARKDOWN,
    output: Annotated[Path | None, typer.Option(help="a file; standard output when left out")] = None,
) -> None:
    """What was escalated in a month. How it was answered, how it ended, and whether it becomes less."""
    settings = load(config)
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        from worker.core.episodes import Month
        from worker.core.report import report as figures
        from worker.report import as_csv, as_html, as_markdown, collect

        now = ports.now()
        wanted = _month(month) or Month.of(now)
        found = collect(running, store, now)
        told = figures(found.episodes, wanted, found.accounts_in, now, found.gaming)
        match form:
            case Format.HTML:
                text = as_html(told, now, settings.policy.version)
            case Format.MARKDOWN:
                text = as_markdown(told, now, settings.policy.version)
            case Format.CSV:
                text = as_csv(
                    [each for each in found.episodes if Month.of(each.escalation.opened_at) == wanted], now.date()
                )
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
        typer.echo(f"Written to {output}")


def _month(text: str) -> Month | None:
    from worker.core.episodes import Month

    if not text:
        return None
    try:
        return Month.of(datetime.strptime(text, "%Y-%m"))  # noqa: DTZ007  a month has no zone
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no month such as 2026-11") from None
