"""`run` and `once`: the worker at work."""

from __future__ import annotations

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state, worker


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(once)


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run as a service: a cycle each interval until SIGTERM; SIGHUP reads the configuration again."""
    from worker.assembly import Worker, assemble
    from worker.report import send_if_due
    from worker.runner import Runner
    from worker.signals import listening

    settings = load(config)
    with state(settings) as (store, ports), listening(ports) as signals, worker(settings, store, ports) as running:
        present = running

        def reopen() -> Worker:
            nonlocal present
            present = assemble(load(config), store, ports)
            return present

        runner = Runner(running, store, ports, lambda now: send_if_due(present, store, now))
        raise typer.Exit(runner.loop(signals, reopen))


def once(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one cycle and leave, for cron. Exit code 0 done, 1 something failed, 3 held by a brake, 5 leftovers wait."""
    from worker.report import send_if_due
    from worker.runner import Runner, summary

    settings = load(config)
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        code, report = Runner(running, store, ports, lambda now: send_if_due(running, store, now)).once()
        console().print(sentence(summary(report)))
    raise typer.Exit(code)


def sentence(told: dict[str, object]) -> str:
    """One cycle in words."""
    parts = [f"read {told['read']} records, {told['read_changed']} changed"]
    parts += [f"{told[name]} {word}" for name, word in _WORDS if told[name]]
    if not told["opened"] and not told["changed"] and not told["delivered"]:
        parts.append("nothing to do")
    if not told["writes"]:
        parts.append("writes are switched off")
    return "; ".join(parts)


_WORDS = (
    ("opened", "escalated"),
    ("changed", "accounts with news"),
    ("held", "held by a brake (see `approve`)"),
    ("delivered", "effects delivered"),
    ("refused", "refused (see `dead-letters`)"),
    ("unreadable", "unreadable"),
    ("undecided", "accounts that cannot be decided (see `status`)"),
)
