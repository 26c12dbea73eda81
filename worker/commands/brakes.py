"""`approve` and `writes`: a person's yes, and the kill switch."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from worker.commands.frame import DEFAULT_CONFIG, ConfigOption, console, load, state


class Switch(StrEnum):
    """The kill switch."""

    ON = "on"
    OFF = "off"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(approve)
    app.command()(writes)


def approve(
    config: ConfigOption = DEFAULT_CONFIG,
    level: Annotated[str, typer.Option(help="L3 lets only L3 open, L2 also L2, L1 everything")] = "L1",
) -> None:
    """Say yes to new escalations that a brake holds. The next cycle opens them."""
    from worker import brakes
    from worker.core.model import Level

    if level not in Level.__members__:
        raise typer.BadParameter("choose L1, L2 or L3", param_hint="--level")
    settings = load(config)
    levels = [each for each in Level if each >= Level[level]]
    with state(settings) as (store, _), store.begin() as tx:
        for connector in settings.connectors:
            held = brakes.hold_of(tx, connector.name)
            brakes.approve(tx, connector.name, levels)
            waiting = "nothing was held" if held is None else f"{held.count} were held ({held.why.value})"
            console().print(f"{connector.name}: {waiting}; {', '.join(map(str, levels))} may open")


def writes(switch: Annotated[Switch, typer.Argument(help="on or off")], config: ConfigOption = DEFAULT_CONFIG) -> None:
    """Turn the kill switch. `off` keeps watching and deciding, and writes and sends nothing."""
    from worker import brakes

    settings = load(config)
    with state(settings) as (store, _), store.begin() as tx:
        brakes.switch_writes(tx, on=switch is Switch.ON)
    console().print(f"writes are {switch.value}")
