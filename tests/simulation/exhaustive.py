"""Every operation of a reference history fails once, in every flavour; the history must end as if nothing had been."""

from __future__ import annotations

from collections.abc import Iterator

from tests.simulation import stories
from tests.simulation.history import History, Told
from tests.simulation.world import NOTHING_WRONG, World

REFERENCE = {"A0": "legal", "A1": "untick", "A2": "late"}
HOURS = 1.5
FLAVOURS = ("before", "after", "hang", "garbage", "kill", "busy")


def run_one(nth: int, flavour: str) -> Told:
    """The reference history with its nth operation (or, in flavour `point`, its nth named point) failing."""
    world = World(2, NOTHING_WRONG, nth=nth, flavour=flavour)
    history = History(world, dict(REFERENCE), workers=1, hours=HOURS)
    stories.tell(history, history.told, 1, 4)
    told = history.run()
    told.violations[:] = [f"{flavour} at {nth}: {line}" for line in told.violations]
    return told


def tasks(every: int = 1) -> Iterator[tuple[int, str]]:
    """Each operation in each flavour, and a kill at each named point; only every so many of them."""
    reference = run_one(0, "")
    for flavour in FLAVOURS:
        yield from ((nth, flavour) for nth in range(1, reference.operations + 1, every))
    yield from ((nth, "point") for nth in range(1, reference.points + 1, every))


def run_task(task: tuple[int, str]) -> Told:
    """One of them."""
    return run_one(*task)
