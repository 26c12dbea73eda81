"""`check` and `setup`: is everything there, and make what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state

if TYPE_CHECKING:
    from connectors.base import Finding
    from worker.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(check)
    app.command()(setup)


def check(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Look, reading only, whether the worker can do its work. Each finding comes with its remedy."""
    settings = load(config)
    findings = [*_own(settings), *_crms(settings), *_outlets(settings)]
    raise typer.Exit(_tell(findings))


def setup(
    config: ConfigOption = DEFAULT_CONFIG,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="say what would be made, make nothing")] = False,
) -> None:
    """Make the fields and lists that the worker needs in CRMs. May run again: what is there stays."""
    from worker.wiring import open_crms

    settings = load(config)
    findings: list[tuple[str, Finding]] = []
    for crm in open_crms(settings):
        findings += [(crm.name, each) for each in crm.connector.setup(crm.mapping.needs(), dry_run=dry_run)]
        crm.connector.close()
    raise typer.Exit(_tell(findings))


def _own(settings: Settings) -> Iterator[tuple[str, Finding]]:
    from connectors.base import Finding, Severity
    from worker import phrasebook
    from worker.assembly import renderer
    from worker.samples import samples, samples_apart

    yield "configuration", Finding(Severity.OK, str(settings.path), f"policy {settings.policy.version}")
    for warning in settings.warnings:
        yield "configuration", Finding(Severity.WARNING, f"{warning.file}:{warning.line}", warning.message)
    with state(settings):
        yield "state", Finding(Severity.OK, str(settings.state_dir), "opens, and its schema is up to date")
    try:
        phrasebook.load(settings.phrases_dir)
        yield "phrases", Finding(Severity.OK, str(settings.phrases_dir), "every phrase compiles")
    except phrasebook.PhraseBookError as error:
        for fault in error.faults:
            yield "phrases", Finding(Severity.ERROR, str(settings.phrases_dir), fault, "correct the phrase")
    faults = renderer(settings).check([*samples(), *samples_apart()])
    for fault in faults:
        yield "templates", Finding(Severity.ERROR, str(settings.templates_dir), fault, "correct the template")
    if not faults:
        yield "templates", Finding(Severity.OK, str(settings.templates_dir), "every template renders")
    for role in ("cs_manager", "vp_cs", "ceo"):
        if role not in {each.value for each in settings.policy.people}:
            remedy = f"name one under people.{role}: the next role up answers until then"
            yield "people", Finding(Severity.WARNING, role, "nobody to fall back to", remedy)
    for trigger, rule in settings.policy.triggers.items():
        for untold in (role for role in rule.tells if rule.enabled and role not in settings.policy.people):
            remedy = f"name one under people.{untold.value}, or set triggers.{trigger}.tells: []"
            said = f"{trigger} shall be told to this role, and nobody is named"
            yield "people", Finding(Severity.WARNING, untold.value, said, remedy)


def _crms(settings: Settings) -> Iterator[tuple[str, Finding]]:
    from connectors.base import ConnectorError, Finding, Severity
    from worker.wiring import open_crms

    try:
        for crm in open_crms(settings):
            try:
                for finding in crm.connector.check(crm.mapping.needs()):
                    yield crm.name, finding
            finally:
                crm.connector.close()
    except ConnectorError as error:
        yield "connectors", Finding(Severity.ERROR, "opening", str(error), error.remedy)


def _outlets(settings: Settings) -> Iterator[tuple[str, Finding]]:
    from connectors.base import ConnectorError, Finding, Severity
    from worker.wiring import open_outlets

    try:
        for outlet in open_outlets(settings):
            try:
                for finding in outlet.notifier.check():
                    yield outlet.name, finding
            finally:
                outlet.notifier.close()
    except ConnectorError as error:
        yield "notifiers", Finding(Severity.ERROR, "opening", str(error), error.remedy)


def _tell(findings: Sequence[tuple[str, Finding]]) -> int:
    from rich.markup import escape

    from connectors.base import Severity
    from worker.exits import ExitCode

    marks = {Severity.OK: "[green]ok[/]", Severity.WARNING: "[yellow]warning[/]", Severity.ERROR: "[red]error[/]"}
    out = console()
    for where, finding in findings:
        out.print(f"{marks[finding.severity]} {escape(where)}: {escape(finding.subject)}: {escape(finding.detail)}")
        if finding.remedy and finding.severity is not Severity.OK:
            out.print(f"    -> {escape(finding.remedy)}")
    bad = any(finding.severity is Severity.ERROR for _, finding in findings)
    return ExitCode.FINDINGS if bad else ExitCode.OK
