"""The brakes: what must be asked before it is done. Their memory is in the store, so that every process obeys them.

First run: the backlog is shown and waits for a yes, level by level. Blast radius: more new escalations in one cycle
than the policy allows are held as a whole and raise one alarm. Surprise: the same for more than this day may bring, by
what was usual here. Kill switch: nothing is written, watching goes on.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

import msgspec
from sqlalchemy import Connection

from worker.core.model import AccountId, Level
from worker.core.policy import Brakes
from worker.store import guard

SMALL = 5
"""A share of a small portfolio rounds to almost nothing; up to so many new escalations are never a blast."""

_ALL = (Level.L1, Level.L2, Level.L3)


class Why(StrEnum):
    """Why new escalations are held."""

    FIRST_RUN = "first_run"
    BLAST_RADIUS = "blast_radius"
    SURPRISE = "surprise"


class Hold(msgspec.Struct, frozen=True):
    """New escalations that wait for a person's yes."""

    why: Why
    since: datetime
    by_level: dict[str, int]
    accounts: list[str]
    limit: int = 0

    @property
    def count(self) -> int:
        """How many wait."""
        return sum(self.by_level.values())


@dataclass(slots=True)
class Brake:
    """Which levels may open in this cycle, and for whom: an account that was not counted may be one too many."""

    levels: frozenset[Level]
    hold: Hold | None = None
    counted: frozenset[AccountId] = frozenset()

    def lets_pass(self, level: Level) -> bool:
        """Whether an escalation of this level may be opened now."""
        return level in self.levels


def first_run_levels(tx: Connection, connector: str, brakes: Brakes) -> frozenset[Level]:
    """The levels that a person has approved for this connector."""
    if not brakes.first_run_asks:
        return frozenset(_ALL)
    approved = guard.setting(tx, f"approved:{connector}")
    return frozenset(Level(int(each)) for each in approved.split(",") if each)


def all_approved(levels: frozenset[Level]) -> bool:
    """Whether the first run is over: nothing waits for a yes because of its level."""
    return levels == frozenset(_ALL)


def approve(tx: Connection, connector: str, levels: Sequence[Level]) -> None:
    """Let these levels open from now on, and everything that is held at this moment."""
    present = first_run_levels(tx, connector, Brakes())
    together = sorted({*present, *levels})
    guard.set_setting(tx, f"approved:{connector}", ",".join(str(int(level)) for level in together))
    held = hold_of(tx, connector)
    if held is not None:
        guard.set_setting(tx, f"allowance:{connector}", str(held.count))
    release(tx, connector)


def allowance(tx: Connection, connector: str) -> int:
    """How many new escalations a person has said yes to beyond the limit, for the next cycle only."""
    said = guard.setting(tx, f"allowance:{connector}")
    return int(said) if said else 0


def brake_for(
    openings: Sequence[tuple[AccountId, Level]],
    approved: frozenset[Level],
    allowed: int,
    accounts: Callable[[], int],
    brakes: Brakes,
    now: datetime,
    room: int | None = None,
) -> Brake:
    """The brake for one cycle that would open these. `accounts` counts the portfolio, asked only when it matters.

    `room`: how many more this day may bring before it is a surprise, see `worker.surprise`.
    """
    waiting = [(account, level) for account, level in openings if level not in approved]
    passing = len(openings) - len(waiting)
    first_run = not all_approved(approved)
    limit = max(_limit(brakes, accounts), allowed) if passing > SMALL else SMALL
    if passing > limit and not first_run:
        return Brake(frozenset(), _hold(Why.BLAST_RADIUS, openings, now, limit))
    if room is not None and passing > max(SMALL, room, allowed) and not first_run:
        return Brake(frozenset(), _hold(Why.SURPRISE, openings, now, room))
    hold = _hold(Why.FIRST_RUN, waiting, now, 0) if waiting else None
    return Brake(approved, hold)


def _limit(brakes: Brakes, accounts: Callable[[], int]) -> int:
    return min(brakes.most_new, max(SMALL, int(accounts() * brakes.most_share)))


def _hold(why: Why, held: Sequence[tuple[AccountId, Level]], now: datetime, limit: int) -> Hold:
    by_level = Counter(str(level) for _, level in held)
    return Hold(why, now, dict(sorted(by_level.items(), reverse=True)), [account for account, _ in held[:20]], limit)


def hold_of(tx: Connection, connector: str) -> Hold | None:
    """What waits for a yes, None when nothing does."""
    said = guard.setting(tx, f"hold:{connector}")
    return msgspec.json.decode(said, type=Hold) if said else None


def set_hold(tx: Connection, connector: str, hold: Hold | None) -> bool:
    """Remember what waits. Returns whether that is news: the alarm is raised once."""
    present = hold_of(tx, connector)
    if hold is None:
        if present is not None:
            release(tx, connector)
        return False
    news = present is None or present.why is not hold.why or present.by_level != hold.by_level
    since = present.since if present is not None and present.why is hold.why else hold.since
    value = msgspec.structs.replace(hold, since=since)
    guard.set_setting(tx, f"hold:{connector}", msgspec.json.encode(value).decode())
    return news


def release(tx: Connection, connector: str) -> None:
    """Forget what waits."""
    guard.set_setting(tx, f"hold:{connector}", "")


def writes_allowed(tx: Connection, brakes: Brakes) -> bool:
    """Whether the kill switch is off, in the settings and in the store."""
    return brakes.writes and guard.setting(tx, "writes") != "off"


def switch_writes(tx: Connection, *, on: bool) -> None:
    """Turn the kill switch: `on` False keeps watching and writes nothing."""
    guard.set_setting(tx, "writes", "on" if on else "off")


def spend_allowance(tx: Connection, connector: str) -> None:
    """Use up what a person said yes to."""
    guard.set_setting(tx, f"allowance:{connector}", "")
