"""`dead-letters`, `retry` and `audit`: what could not be brought about, and the proof of what was."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("dead-letters")(dead_letters)
    app.command()(retry)
    app.command()(audit)


def dead_letters(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """List refused effects and quarantined records. Each comes with its reason and remedy."""
    from rich.markup import escape

    from worker.exits import ExitCode
    from worker.store import outbox, progress
    from worker.store.deliveries import State

    settings = load(config)
    with state(settings) as (store, _), store.read() as tx:
        refused = outbox.in_state(tx, State.REFUSED, State.EXPIRED)
        aside = progress.quarantined(tx)
    out = console()
    for each in refused:
        intent = each.intent
        out.print(
            f"[red]{each.state.value}[/] {intent.key} {intent.lane} {intent.kind.value} {intent.event.value} "
            f"for {escape(intent.account_id)}: {escape(each.reason)}"
        )
        out.print(f"    -> {escape(each.remedy or 'mend the cause')}, then: retry {intent.key}")
    for record in aside:
        out.print(f"[yellow]quarantine[/] {escape(record)}")
        out.print("    -> correct the record in the CRM or the mapping; it goes on by itself when it is read again")
    if not refused and not aside:
        out.print("no dead letters, nothing in quarantine")
    raise typer.Exit(ExitCode.LEFTOVERS if refused or aside else ExitCode.OK)


def retry(
    key: Annotated[str, typer.Argument(help="the key shown by dead-letters, or `all`")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """Put dead letters back into the outbox. They keep their keys: nothing can come twice."""
    from worker.exits import ExitCode
    from worker.store import outbox

    settings = load(config)
    with state(settings) as (store, ports), store.begin() as tx:
        count = outbox.retry_refused(tx, ports.now(), None if key == "all" else key)
    none = f"no dead letter {key!r}: `dead-letters` lists them"
    typer.echo(f"{count} put back; the next cycle sends them" if count else none)
    raise typer.Exit(ExitCode.OK if count else ExitCode.FINDINGS)


def audit(
    config: ConfigOption = DEFAULT_CONFIG,
    repair: Annotated[bool, typer.Option("--repair", help="send again what is missing, under the same key")] = False,
) -> None:
    """Hold the ledger against the CRM. Is every confirmed note there exactly once, and every flag as decided?"""
    from rich.markup import escape

    from worker.audit import audit as compare
    from worker.audit import repair as mend
    from worker.exits import ExitCode
    from worker.wiring import open_crms

    settings = load(config)
    out = console()
    clean = True
    with state(settings) as (store, _):
        for crm in open_crms(settings):
            found = compare(crm, store)
            crm.connector.close()
            clean = clean and found.clean
            for line in found.lines:
                out.print(f"[red]{line.verdict.value}[/] {escape(line.account_id)} {line.key}: {escape(line.detail)}")
            verdict = "each exactly once, every flag stands" if found.clean else f"{len(found.lines)} differences"
            out.print(f"{crm.name}: {found.notes} notes and tasks, {found.flags} flags compared: {verdict}")
            if repair:
                out.print(f"{mend(store, found)} sent again with the next cycle")
    raise typer.Exit(ExitCode.OK if clean else ExitCode.FINDINGS)
