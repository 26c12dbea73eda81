"""`crm import`: CSV exports into an embedded CRM."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from worker.commands.crm_file import CrmOption, configured
from worker.commands.frame import DEFAULT_CONFIG, ConfigOption


def import_records(
    accounts: Annotated[Path | None, typer.Option(help="CSV of accounts")] = None,
    cases: Annotated[Path | None, typer.Option(help="CSV of cases")] = None,
    disputes: Annotated[Path | None, typer.Option(help="CSV of payment disputes")] = None,
    mapping: Annotated[Path, typer.Option(help="which column is which")] = Path("import-salesforce.yaml"),
    rejects: Annotated[Path | None, typer.Option(help="keep the rows that were refused here")] = None,
    crm: CrmOption = None,
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Load CSV exports. A bad row is told with file, line, column and reason, the good rows go on."""
    from connectors.crm.embedded import EmbeddedCrm
    from worker.exits import ExitCode
    from worker.importing import import_files

    files = {"account": accounts, "case": cases, "dispute": disputes}
    given = {name: path for name, path in files.items() if path is not None}
    if not given:
        raise typer.BadParameter("name at least one of --accounts, --cases, --disputes")
    opened = EmbeddedCrm.create(crm or configured(config))
    report = import_files(opened, given, mapping, rejects)
    for fault in report.faults:
        typer.echo(str(fault), err=True)
    for name, count in report.imported.items():
        typer.echo(f"{count} {name} records imported")
    if report.faults:
        told = f"{len(report.faults)} fault{'' if len(report.faults) == 1 else 's'}"
        typer.echo(f"{told}; the rows without one were imported", err=True)
    raise typer.Exit(ExitCode.FINDINGS if report.faults else ExitCode.OK)
