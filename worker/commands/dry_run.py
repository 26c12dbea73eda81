"""`dry-run`: what one cycle would do, as a difference."""

from __future__ import annotations

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, local

_STYLES = {"set": "bold red", "clear": "green", "change": "yellow"}


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command("dry-run")(dry_run)


def dry_run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Show what one cycle would do, by the live path. No write can leave, held escalations are shown too."""
    from collections import Counter

    from rich.markup import escape

    from worker.plan import plan
    from worker.ports import SystemPorts

    settings = load(config)
    report, planned = plan(settings, SystemPorts())
    times = local(settings)
    out = console()
    for each in planned:
        style = _STYLES.get(each.verb, "dim")
        out.print(f"[{style}]{each.verb:<7}[/] {escape(each.account_id)}  {escape(times.retold(each.detail))}")
    for name, crm in report.crms.items():
        for kind, read in crm.reads.items():
            if read.failure:
                out.print(f"[red]could not read[/] {name} {kind.value}: {escape(read.failure)} {escape(read.remedy)}")
    counted = Counter(each.verb for each in planned)
    told = ", ".join(f"{count} {verb}" for verb, count in sorted(counted.items())) or "nothing"
    out.print(f"would do: {told}. Nothing was written.")
