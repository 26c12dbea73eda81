"""`explain`: why an account is flagged, why not higher, what would clear it; or why it is not flagged."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, load, local, state, tell, worker

if TYPE_CHECKING:
    from worker.situation import SetAside
    from worker.store.trails import TrailLine


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(explain)


def explain(
    account: Annotated[str, typer.Argument(help="the account's id in the CRM, or its name")],
    config: ConfigOption = DEFAULT_CONFIG,
    trail: Annotated[bool, typer.Option("--trail", help="also everything that happened, in order")] = False,
) -> None:
    """Explain the decision on one account, as it was last read."""
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
                happened = trails.trail_of(tx, crm.name, account_id) if trail else []
            times = local(settings)
            headline, *rest = told.lines()
            zone = f"Times are those of {times.zone(now)}."
            lines = [headline, zone, *rest, *_not_understood(situation.set_aside), *_past(happened)]
            for line in lines:
                tell(times.retold(line, zone=False))
    if not found:
        typer.echo(
            f"no account {account!r} has been read yet; `once` reads the CRM, `crm list accounts` lists it", err=True
        )
        raise typer.Exit(ExitCode.FINDINGS)


def _not_understood(set_aside: Sequence[SetAside]) -> Iterator[str]:
    """What the core cannot name: it never sees these records."""
    if set_aside:
        yield "what cannot be understood, so that an older version counts, or none:"
    yield from (f"  - {each.reason}" for each in set_aside)


def _past(happened: list[TrailLine]) -> Iterator[str]:
    if happened:
        yield "what happened:"
    for each in happened:
        entry = each.entry
        event = entry.event.value.replace("_", " ")
        yield f"  - {entry.at:%Y-%m-%d %H:%M} UTC {entry.actor}: {event}: {entry.because}"
