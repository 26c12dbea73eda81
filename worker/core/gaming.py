"""Health colours that were raised just before the month is counted, with nothing to show for it.

A CRM tells what a colour was and since when, not always who set it. What speaks for a hand is a colour that gets better
while the score behind it does not; where there is no score, one that gets better and soon worse again.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise

from worker.core.episodes import Month
from worker.core.model import Colour, Health
from worker.core.story import HealthMove

_BEFORE = timedelta(days=3)
_SOON = timedelta(days=7)
_RANK = {Colour.RED: 0, Colour.YELLOW: 1, Colour.GREEN: 2}


@dataclass(frozen=True, slots=True)
class Polish:
    """A colour that got better shortly before a month's end, and when it was as before, if it was soon."""

    at: datetime
    before: Health
    after: Health
    back_at: datetime | None = None

    def __str__(self) -> str:
        days = (_counted_at(self.at) - self.at).days
        when = "on the last day" if days == 0 else f"{days} day{'s' * (days != 1)}"
        told = f"health raised from {self.before.colour} to {self.after.colour} on {self.at:%Y-%m-%d}, {when}"
        told += f"{' of' if days == 0 else ' before the end of'} the month"
        if self.before.score is not None and self.after.score is not None:
            told += f", while the score went from {self.before.score} to {self.after.score}"
        return told + (f"; as before or worse on {self.back_at:%Y-%m-%d}" if self.back_at is not None else "")


def polished(moves: Sequence[HealthMove]) -> Iterator[Polish]:
    """What an account's health moves, the oldest first, show of this. A question to a person, never a verdict."""
    changes = [moves[0], *(after for before, after in pairwise(moves) if _differs(before, after))] if moves else []
    for place, (before, after) in enumerate(pairwise(changes)):
        if _rank(after) <= _rank(before) or _rank(before) < 0 or _counted_at(after.at) - after.at > _BEFORE:
            continue
        back_at = next((each.at for each in changes[place + 2 :] if _rank(each) <= _rank(before)), None)
        soon = back_at if back_at is not None and back_at - after.at <= _SOON else None
        if _unearned(before.health, after.health, fell_back=soon is not None):
            yield Polish(after.at, before.health, after.health, soon)


def _unearned(before: Health, after: Health, *, fell_back: bool) -> bool:
    if before.score is None or after.score is None:
        return fell_back
    return after.score <= before.score


def _differs(before: HealthMove, after: HealthMove) -> bool:
    return (before.health.colour, before.health.score) != (after.health.colour, after.health.score)


def _rank(move: HealthMove) -> int:
    return _RANK.get(move.health.colour, -1)


def _counted_at(at: datetime) -> datetime:
    """The end of the month in which it happened, UTC."""
    following = Month.of(at).before(-1)
    return datetime(following.year, following.number, 1, tzinfo=UTC)
