"""`trail`: who did what to an account, when and why; as lines of JSON; and whether anybody has edited it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, local, state, tell

if TYPE_CHECKING:
    from worker.core.model import ConnectorName
    from worker.store.database import Store
    from worker.store.trails import TrailLine


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(trail)


def trail(
    account: Annotated[str, typer.Argument(help="the account's id in the CRM; all without one")] = "",
    config: ConfigOption = DEFAULT_CONFIG,
    as_json: Annotated[bool, typer.Option("--json", help="one line of JSON an entry")] = False,
    verify: Annotated[bool, typer.Option("--verify", help="only look whether a line was edited or is missing")] = False,
) -> None:
    """Show who did what, when and why: the append-only trail. Each line has its policy's version."""
    from rich.markup import escape

    from worker.exits import ExitCode
    from worker.store import trails

    settings = load(config)
    times = local(settings)
    with state(settings) as (store, _):
        if verify:
            with store.read() as tx:
                count, broken = trails.verify(tx)
            for each in broken:
                console().print(escape(str(each)))
            console().print(f"{count} lines, {len(broken)} broken places" if broken else f"{count} lines, all sealed")
            raise typer.Exit(ExitCode.FINDINGS if broken else ExitCode.OK)
        found = {connector.name: _lines(store, connector.name, account) for connector in settings.connectors}
        if account and not any(found.values()):
            typer.echo(f"account {account!r} was never escalated", err=True)
            raise typer.Exit(ExitCode.FINDINGS)
        for name, lines in found.items():
            for line in lines:
                # A line of JSON must not be wrapped to the width of a terminal.
                if as_json:
                    typer.echo(_json(name, line))
                else:
                    tell(times.retold(_words(line)))


def _lines(store: Store, connector: ConnectorName, account: str) -> list[TrailLine]:
    from worker.core.model import AccountId
    from worker.store import trails

    with store.read() as tx:
        return trails.trail_of(tx, connector, AccountId(account) if account else None)


def _words(line: TrailLine) -> str:
    entry = line.entry
    level = f" {entry.level}" if entry.level is not None else ""
    event = entry.event.value.replace("_", " ")
    return (
        f"{entry.at:%Y-%m-%d %H:%M} UTC {line.account_id}{level} {entry.actor}: {event}: {entry.because} "
        f"[policy {line.policy_version}]"
    )


def _json(connector: ConnectorName, line: TrailLine) -> str:
    import json

    entry = line.entry
    told = {
        "connector": connector,
        "account": line.account_id,
        "escalation": line.escalation_id,
        "event": entry.event.value,
        "number": entry.event_no,
        "at": entry.at.isoformat(),
        "actor": entry.actor,
        "level": None if entry.level is None else entry.level.name,
        "because": entry.because,
        "policy": line.policy_version,
        "seal": line.seal,
    }
    return json.dumps(told, ensure_ascii=False)
