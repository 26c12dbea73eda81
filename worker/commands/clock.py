"""`clock explain` and `clock simulate`: how a due time came about, and what it would be."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, load, state, worker

if TYPE_CHECKING:
    from worker.core.policy import Policy

LanguageOption = Annotated[str, typer.Option(help="en or id; the configuration's by default")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    clock = typer.Typer(help="How due times come about, and what they would be.", no_args_is_help=True)
    clock.command("explain")(explain)
    clock.command("simulate")(simulate)
    app.add_typer(clock, name="clock")


def explain(
    account: Annotated[str, typer.Argument(help="the account's id in the CRM")],
    config: ConfigOption = DEFAULT_CONFIG,
    language: LanguageOption = "",
) -> None:
    """Each clock of an account's escalation. What counted, what did not, and why it is due when it is."""
    from worker.core.clock_story import ClockStory
    from worker.core.model import AccountId
    from worker.exits import ExitCode

    settings = load(config)
    found = False
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        for crm in running.crms:
            with store.read() as tx:
                decider = running.cycle.decider(crm.name)
                situation = decider.situation(tx, AccountId(account), ports.now(), complete=True)
            if situation is None or situation.current is None:
                continue
            found = True
            segment, policy = situation.assessment.segment, settings.policy
            story = ClockStory(policy, segment, _language(language, policy), policy.timezone)
            current = situation.current
            typer.echo(f"{situation.view.account.name} ({account}): {current.level}, {current.status.value}.")
            typer.echo(story.zone(ports.now()))
            for line in story.of(current):
                typer.echo(line)
    if not found:
        typer.echo(f"account {account!r} was never escalated", err=True)
        raise typer.Exit(ExitCode.FINDINGS)


def simulate(
    level: Annotated[str, typer.Option(help="L1, L2 or L3")],
    at: Annotated[str, typer.Option(help='local time, such as "2026-11-27 16:40"')],
    config: ConfigOption = DEFAULT_CONFIG,
    segment: Annotated[str, typer.Option(help="standard, high_value or strategic")] = "standard",
    zone: Annotated[str, typer.Option(help="IANA zone of the time; the configuration's by default")] = "",
    language: LanguageOption = "",
) -> None:
    """What would be due when, if an escalation opened then."""
    from worker.core.clock_story import ClockStory
    from worker.core.model import Level, Segment

    if level not in Level.__members__:
        raise typer.BadParameter("choose L1, L2 or L3", param_hint="--level")
    if segment not in [each.value for each in Segment]:
        raise typer.BadParameter("choose standard, high_value or strategic", param_hint="--segment")
    policy = load(config).policy
    place = zone or policy.timezone
    moment = _moment(at, place)
    story = ClockStory(policy, Segment(segment), _language(language, policy), place)
    typer.echo(story.zone(moment))
    for line in story.simulated(Level[level], moment):
        typer.echo(line)


def _moment(text: str, zone: str) -> datetime:
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone))
    except (ValueError, OSError, KeyError):
        raise typer.BadParameter('write it as "2026-11-27 16:40", in a zone such as Asia/Jakarta') from None


def _language(asked: str, policy: Policy) -> str:
    if asked not in ("", "en", "id"):
        raise typer.BadParameter("choose en or id", param_hint="--language")
    return asked or policy.language
