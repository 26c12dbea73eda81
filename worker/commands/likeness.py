"""`likeness list` and `decline`: cases of several customers that may be one bug, and saying that they are not."""

from __future__ import annotations

import getpass
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, load, local, state, tell

if TYPE_CHECKING:
    from collections.abc import Iterator

    from worker.core.local_time import LocalTime
    from worker.core.proposals import Proposal


def register(app: typer.Typer) -> None:
    """Add the commands."""
    likeness = typer.Typer(help="Cases of several customers that may be one bug.", no_args_is_help=True)
    likeness.command("list")(show)
    likeness.command("decline")(decline)
    app.add_typer(likeness, name="likeness")


def show(
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="also the declined ones and those that are over")] = False,
) -> None:
    """The proposals that wait for an answer. Which cases say nearly the same, and who was asked.

    The worker looks about once an hour. To confirm, write one bug key onto the cases in the CRM.
    """
    from worker import proposals

    settings = load(config)
    times, count = local(settings), 0
    with state(settings) as (store, _), store.read() as tx:
        for crm in settings.connectors:
            found = proposals.remembered(tx, crm.name) if everything else proposals.open_ones(tx, crm.name)
            count += len(found)
            for each in found:
                for line in _lines(each, times):
                    tell(line)
    if not count:
        typer.echo("no cases of several customers say nearly the same")


def _lines(proposal: Proposal, times: LocalTime) -> Iterator[str]:
    yield f"{proposal.key}: {proposal.customers} customers since {times.when(proposal.since)}, “{proposal.subject}”"
    if proposal.words:
        yield f"  most of them say: {', '.join(proposal.words)}"
    if proposal.keys:
        yield f"  others like them bear the bug key {', '.join(proposal.keys)}"
    yield f"  accounts: {', '.join(proposal.accounts)}"
    yield f"  cases: {', '.join(proposal.cases)}"
    yield f"  {_standing(proposal, times)}"


def _standing(proposal: Proposal, times: LocalTime) -> str:
    if proposal.declined_at is not None:
        why = f": {proposal.reason}" if proposal.reason else ""
        return f"declined by {proposal.declined_by} on {times.when(proposal.declined_at)}{why}"
    if not proposal.standing:
        return "over: too few of these cases are open, young enough and without a bug key"
    return f"{proposal.to} was asked by a task in the CRM" if proposal.times else "nobody could be asked: see `check`"


def decline(
    key: Annotated[str, typer.Argument(help="the proposal's key, as `likeness list` shows it")],
    config: ConfigOption = DEFAULT_CONFIG,
    reason: Annotated[str, typer.Option(help="why; it stands in `likeness list --all`")] = "",
    by: Annotated[str, typer.Option(help="who says so; the user of this machine by default")] = "",
) -> None:
    """Say that these cases are not one bug. They leave the list, and are proposed again only once they have doubled."""
    from worker import proposals
    from worker.exits import ExitCode

    settings = load(config)
    with state(settings) as (store, ports), store.begin() as tx:
        who, now = by or getpass.getuser(), ports.now()
        done = any(proposals.decline(tx, crm.name, key, who, reason, now) for crm in settings.connectors)
    if not done:
        typer.echo(f"there is no open proposal {key!r}; see `likeness list`", err=True)
        raise typer.Exit(ExitCode.FINDINGS)
    typer.echo(f"{key} is declined")
