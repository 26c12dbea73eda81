"""`silence add`, `list` and `remove`: hold back new evidence of one kind for a while."""

from __future__ import annotations

import getpass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, local, state

if TYPE_CHECKING:
    from worker.core.model import Silence


def register(app: typer.Typer) -> None:
    """Add the commands."""
    silence = typer.Typer(help="Hold back new evidence of one kind for a while.", no_args_is_help=True)
    silence.command("add")(add)
    silence.command("list")(show)
    silence.command("remove")(remove)
    app.add_typer(silence, name="silence")


def add(
    until: Annotated[str, typer.Option(help='18:00, "2026-11-28 18:00", or a length such as 4h')],
    reason: Annotated[str, typer.Option(help="why; it stands in the list and in explanations")],
    config: ConfigOption = DEFAULT_CONFIG,
    segment: Annotated[str, typer.Option(help="only accounts of this segment")] = "",
    trigger: Annotated[str, typer.Option(help="only this trigger")] = "",
    account: Annotated[str, typer.Option(help="only this account")] = "",
    bug: Annotated[str, typer.Option(help="only cases on this bug")] = "",
    by: Annotated[str, typer.Option(help="who asks; the user of this machine by default")] = "",
    with_l3: Annotated[bool, typer.Option("--with-l3", help="hold back L3 too")] = False,
) -> None:
    """Silence new evidence that matches every filter given. What is escalated already goes on."""
    from worker.core.model import AccountId, BugKey, Segment, Silence, TriggerId
    from worker.store import silences

    if not any((segment, trigger, account, bug)):
        raise typer.BadParameter("give at least one of --segment, --trigger, --account, --bug; `writes off` stops all")
    settings = load(config)
    known = [str(each) for each in settings.policy.triggers]
    if trigger and trigger not in known:
        raise typer.BadParameter(f"choose one of {', '.join(known)}", param_hint="--trigger")
    if segment and segment not in [each.value for each in Segment]:
        raise typer.BadParameter("choose standard, high_value or strategic", param_hint="--segment")
    with state(settings) as (store, ports):
        now = ports.now()
        wanted = Silence(
            id=f"sil_{now:%Y%m%d%H%M%S%f}",
            until=_end(until, now, settings.policy.timezone),
            reason=reason,
            by=by or getpass.getuser(),
            since=now,
            segment=Segment(segment) if segment else None,
            trigger=TriggerId(trigger) if trigger else None,
            account=AccountId(account) if account else None,
            bug=BugKey(bug) if bug else None,
            with_l3=with_l3,
        )
        with store.begin() as tx:
            silences.add(tx, wanted)
    typer.echo(f"{wanted.id}: {filters(wanted)} until {local(settings).when(wanted.until)}")


def _end(text: str, now: datetime, zone: str) -> datetime:
    """A time of day, a date with time, or a length from now; times are those of the policy's zone."""
    from worker.written import duration

    local = now.astimezone(ZoneInfo(zone))
    try:
        if ":" not in text:
            end = now + duration(text)
        elif len(text) <= len("18:00"):
            hour, minute = (int(part) for part in text.split(":"))
            end = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
            end += timedelta(days=1) * (end <= local)
        else:
            end = datetime.fromisoformat(text)
            end = end if end.tzinfo else end.replace(tzinfo=ZoneInfo(zone))
    except ValueError:
        fault = f'{text!r} is no time such as 18:00, "2026-11-28 18:00" or 4h'
        raise typer.BadParameter(fault, param_hint="--until") from None
    if end <= now:
        raise typer.BadParameter(f"{text} is over", param_hint="--until")
    return end.astimezone(UTC)


def filters(silence: Silence) -> str:
    """What a silence holds back, in words."""
    parts = [
        f"segment {silence.segment.value}" if silence.segment else "",
        f"trigger {silence.trigger}" if silence.trigger else "",
        f"account {silence.account}" if silence.account else "",
        f"bug {silence.bug}" if silence.bug else "",
    ]
    return ", ".join(filter(None, parts)) + (", L3 too" if silence.with_l3 else ", never L3")


def show(
    config: ConfigOption = DEFAULT_CONFIG,
    everything: Annotated[bool, typer.Option("--all", help="also those that are over")] = False,
) -> None:
    """The silences, and how much each held back. Who asked for them and why, and when they end."""
    from worker.store import silences

    settings = load(config)
    with state(settings) as (store, ports), store.read() as tx:
        found, now = silences.all_of(tx), ports.now()
    shown, times = [each for each in found if everything or each.active(now)], local(settings)
    for each in shown:
        one = each.silence
        over = "" if each.active(now) else " (over)"
        typer.echo(
            f"{one.id}: {filters(one)}, until {times.when(one.until)}{over}, by {one.by}: {one.reason}; "
            f"held back {each.held}"
        )
    if not shown:
        console().print("no silences")


def remove(
    name: Annotated[str, typer.Argument(help="the silence's id, as `silence list` shows it")],
    config: ConfigOption = DEFAULT_CONFIG,
) -> None:
    """End a silence before its time. What it held back is decided in the next cycle."""
    from worker.exits import ExitCode
    from worker.store import progress, silences

    settings = load(config)
    with state(settings) as (store, ports), store.begin() as tx:
        now = ports.now()
        ended = silences.end(tx, name, now)
        for connector, account in silences.accounts_held(tx, name) if ended else ():
            progress.mark_dirty(tx, connector, [account], now)
    if not ended:
        typer.echo(f"there is no silence {name!r} that still holds; see `silence list`", err=True)
        raise typer.Exit(ExitCode.FINDINGS)
    typer.echo(f"{name} is over")
