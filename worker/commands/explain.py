"""`explain`: why an account is flagged, why not higher, what would clear it; or why it is not flagged."""

from __future__ import annotations

from typing import Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state, worker


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    account: Annotated[str, typer.Argument(help="the account's id in the CRM, or its name")],
    config: ConfigOption = DEFAULT_CONFIG,
    trail: Annotated[bool, typer.Option("--trail", help="also everything that happened, in order")] = False,
) -> None:
    """Explain the decision on one account, from what was last read."""
    from rich.markup import escape

    from worker.core.explain import explain as explained
    from worker.core.model import AccountId
    from worker.exits import ExitCode
    from worker.store import trails

    settings = load(config)
    found = False
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        now = ports.now()
        for crm in running.crms:
            decider = running.cycle.decider(crm.name)
            with store.read() as tx:
                account_id = AccountId(account)
                situation = decider.situation(tx, account_id, now, complete=True)
                if situation is None:
                    continue
                found = True
                told = explained(situation.view, situation.assessment, situation.current, settings.policy, now)
                lines = trails.trail_of(tx, crm.name, account_id) if trail else []
            out = console()
            for line in told.lines():
                out.print(escape(line))
            for happened in lines:
                entry = happened.entry
                out.print(
                    escape(f"  {entry.at:%Y-%m-%d %H:%M} UTC {entry.actor}: {entry.event.value}: {entry.because}")
                )
    if not found:
        typer.echo(
            f"no account {account!r} has been read yet; `once` reads the CRM, `crm list accounts` lists it", err=True
        )
        raise typer.Exit(ExitCode.FINDINGS)
