"""What if: `backtest` a policy, `policy diff` two, `shadow` a candidate, and `backfill` the past that a CRM kept."""

from __future__ import annotations

import os
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, local, state, worker

if TYPE_CHECKING:
    from rich.console import RenderableType

    from worker.core.policy import Policy
    from worker.settings import Settings
    from worker.store.database import Store
    from worker.whatif.timeline import Timelines

SinceOption = Annotated[str, typer.Option(help="such as 2026-01-31; a year ago when left out")]
JsonOption = Annotated[bool, typer.Option("--json", help="everything, as one JSON object")]
PolicyArgument = Annotated[Path, typer.Argument(help="a policy file")]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backfill)
    app.command()(backtest)
    policy = typer.Typer(help="Hold two policies side by side.", no_args_is_help=True)
    policy.command("diff")(diff)
    app.add_typer(policy, name="policy")
    shadow = typer.Typer(help="Watch a candidate policy beside the live one.", no_args_is_help=True)
    shadow.command("start")(start)
    shadow.command("report")(shadow_report)
    shadow.command("stop")(stop)
    app.add_typer(shadow, name="shadow")


def backfill(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Read the old versions of records that a CRM kept. Policies can then be held against them; run `once` first."""
    from worker.backfill import backfill as read_past

    settings = load(config)
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        for crm in running.crms:
            added = read_past(store, crm)
            told = "keeps no old versions" if added is None else f"{added} old versions added"
            typer.echo(f"{crm.name}: {told}")


def backtest(config: ConfigOption = DEFAULT_CONFIG, since: SinceOption = "", as_json: JsonOption = False) -> None:
    """What this policy would have done with the stored past. How much, for whom, and which losses it saw coming."""
    from worker.whatif import told
    from worker.whatif.backtest import run

    settings = load(config)
    with state(settings) as (store, ports):
        now = ports.now()
        begins = _since(since, now)
        lines = _timelines(settings, store, begins)
        found = run(lines, settings.policy, _known_from(lines, begins), now)
    _show(told.backtest(found), found, as_json=as_json)


def diff(
    before: PolicyArgument,
    after: PolicyArgument,
    config: Annotated[
        Path | None, typer.Option("--config", help="whose state; the first policy's when left out")
    ] = None,
    since: SinceOption = "",
    as_json: JsonOption = False,
) -> None:
    """Who is added, dropped or moved by another policy. On today's facts, and in the past since a day."""
    from worker.whatif import compare, told
    from worker.whatif.backtest import run

    old, new = load(before), _policy_of(after)
    settings = old if config is None else load(config)
    with state(settings) as (store, ports):
        now = ports.now()
        begins = _since(since, now)
        lines = _timelines(settings, store, begins)
        begins = _known_from(lines, begins)
        today = compare.today(lines, old.policy, new, now)
        first, second = run(lines, old.policy, begins, now), run(lines, new, begins, now)
    changed = compare.past(first, second)
    versions = f"{before} (policy {old.policy.version}) against {after} (policy {new.version})"
    shown = [versions, *told.differences(today), "", *told.changed(first, second, changed)]
    _show(shown, {"today": today, "past": changed}, as_json=as_json)


def start(candidate: PolicyArgument, config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Watch a candidate from now on. Nothing of it is ever written, told or escalated."""
    from worker.whatif import shadow

    settings, policy = load(config), _policy_of(candidate)
    with state(settings) as (store, ports), store.begin() as tx:
        shadow.begin(tx, candidate, policy.version, ports.now())
    typer.echo(f"Watching {candidate} (policy {policy.version}); after a week or so: shadow report")


def shadow_report(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """What the candidate would have done since it is watched. Against the live policy and what people said."""
    from worker.whatif import compare, shadow, told
    from worker.whatif.backtest import run

    settings = load(config)
    with state(settings) as (store, ports):
        with store.read() as tx:
            watched = shadow.present(tx)
        if watched is None:
            raise typer.BadParameter("no candidate is watched: shadow start FILE")
        policy, now = _policy_of(Path(watched.path)), ports.now()
        lines = _timelines(settings, store, watched.since)
        live, other = run(lines, settings.policy, watched.since, now), run(lines, policy, watched.since, now)
        changed = compare.past(live, other)
    out = console()
    since = local(settings).when(watched.since)
    out.print(f"{watched.path}, watched since {since}. What stood then already counts as opened then.")
    if policy.version != watched.version:
        out.print(f"[yellow]The file has changed since: it was policy {watched.version}, it is {policy.version}.[/]")
    for each in told.changed(live, other, changed, ("the live policy", "the candidate")):
        out.print(each)
    out.print("To promote it: put it in the live policy's place, `config check`, then SIGHUP; then `shadow stop`.")


def stop(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Watch no candidate any more."""
    from worker.whatif import shadow

    settings = load(config)
    with state(settings) as (store, _ports), store.begin() as tx:
        shadow.end(tx)
    typer.echo("No candidate is watched.")


def _policy_of(path: Path) -> Policy:
    from worker.settings import load_settings

    return load_settings(path, os.environ).policy


def _timelines(settings: Settings, store: Store, since: datetime) -> Timelines:
    from worker.assembly import spare_the_collector
    from worker.whatif.timeline import load_all

    spare_the_collector()
    return load_all(store, settings, since)


def _since(text: str, now: datetime) -> datetime:
    if not text:
        return now - timedelta(days=365)
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise typer.BadParameter(f"{text!r} is no day such as 2026-01-31") from None


def _known_from(lines: Timelines, since: datetime) -> datetime:
    """Not before the past begins that is known: emptiness must not count as peace."""
    return max(since, lines.earliest or since)


def _show(tables: Iterable[RenderableType], value: object, *, as_json: bool) -> None:
    if as_json:
        import msgspec

        typer.echo(msgspec.json.encode(value).decode())
        return
    out = console()
    for each in tables:
        out.print(each)
