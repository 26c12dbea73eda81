"""`run` and `once`: the worker at work."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state, worker

if TYPE_CHECKING:
    from worker.assembly import Worker
    from worker.ports import SystemPorts
    from worker.runner import Chore
    from worker.store.database import Store


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(run)
    app.command()(once)


def run(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run as a service, a cycle each interval. SIGTERM ends it, SIGHUP reads the configuration again."""
    from worker.assembly import assemble
    from worker.runner import Runner
    from worker.signals import listening

    settings = load(config)
    with state(settings) as (store, ports), listening(ports) as signals, worker(settings, store, ports) as running:
        present = running

        def reopen() -> Worker:
            nonlocal present
            present = assemble(load(config), store, ports)
            return present

        runner = Runner(running, store, ports, _chores(lambda: present, store, ports))
        raise typer.Exit(runner.loop(signals, reopen))


def once(config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Run one cycle and leave, for cron. Exit code 0 done, 1 something failed, 3 held by a brake, 5 leftovers wait."""
    from worker.runner import Runner, summary

    settings = load(config)
    with state(settings) as (store, ports), worker(settings, store, ports) as running:
        code, report = Runner(running, store, ports, _chores(lambda: running, store, ports)).once()
        console().print(sentence(summary(report)))
    raise typer.Exit(code)


def _chores(worker_now: Callable[[], Worker], store: Store, ports: SystemPorts) -> tuple[Chore, ...]:
    """What else may be due before a cycle. The worker is asked for each time: a reload opens another one."""
    from worker.likeness import propose_if_due
    from worker.report import send_if_due
    from worker.runner import Chore

    return (
        Chore("monthly report", lambda now: send_if_due(worker_now(), store, now), "see `report` by hand"),
        Chore("likeness", lambda _now: propose_if_due(worker_now(), store, ports), "report it; nothing else waits"),
    )


def sentence(told: dict[str, object]) -> str:
    """One cycle in words."""
    parts = [f"read {told['read']} records, {told['read_changed']} changed"]
    parts += [f"{told[name]} {word}" for name, word in _WORDS if told[name]]
    if not any(told[name] for name in ("opened", "changed", "delivered", "held")):
        parts.append("nothing to do")
    if not told["writes"]:
        parts.append("writes are switched off")
    return "; ".join(parts)


_WORDS = (
    ("opened", "escalated"),
    ("changed", "accounts with news"),
    ("held", "held by a brake: look with `dry-run`, say yes with `approve`"),
    ("delivered", "effects delivered"),
    ("refused", "refused (see `dead-letters`)"),
    ("unreadable", "unreadable"),
    ("undecided", "accounts that cannot be decided (see `status`)"),
)
