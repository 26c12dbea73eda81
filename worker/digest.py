"""What is told together, and when: many new ones of one cycle, L1 outside office hours, all accounts of one bug."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from worker.core.calendar import Calendar, due
from worker.core.model import BugKey, Level

_TICK = timedelta(microseconds=1)
_BUG, _STORM = "bug ", "storm "


@dataclass(frozen=True, slots=True)
class Gathering:
    """How much is told at once: see `worker.settings.MessageSettings`. Without a storm limit nothing is a storm."""

    storm: int | None = None
    calendar: Calendar | None = None
    daily: bool = False

    def few(self, most: int) -> int:
        """How many new escalations are surely no storm, at most `most`."""
        return most if self.storm is None else min(most, self.storm)

    def stormy(self, messages: int) -> bool:
        """Whether so many messages about new escalations of one cycle are better told as one."""
        return self.storm is not None and messages > self.storm

    def goes_at(self, level: Level, now: datetime, *, mail: bool) -> datetime | None:
        """When news of this level go, None for at once."""
        if self.calendar is None or level is not Level.L1:
            return None
        opening = due(now, _TICK, self.calendar).at - _TICK
        if mail and self.daily and opening <= now:
            return self._tomorrow(self.calendar, now)
        return opening if opening > now else None

    def _tomorrow(self, calendar: Calendar, now: datetime) -> datetime:
        midnight = (calendar.local(now) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return due(midnight.astimezone(UTC), _TICK, calendar).at - _TICK


@dataclass(frozen=True, slots=True)
class Slot:
    """Which list an escalation belongs to, by name, and when that is sent at the earliest."""

    name: str
    goes_at: datetime

    @classmethod
    def of_bug(cls, bug: BugKey, now: datetime) -> Slot:
        """The list of all accounts that a bug hits."""
        return cls(f"{_BUG}{bug}", now)

    @classmethod
    def of_storm(cls, cycle: str, now: datetime) -> Slot:
        """The list of a cycle that opens many."""
        return cls(f"{_STORM}{cycle}", now)

    @classmethod
    def of_opening(cls, at: datetime) -> Slot:
        """The list that goes when the office opens."""
        return cls(at.isoformat(), at)

    @property
    def storm(self) -> bool:
        """Whether it gathers what came at once."""
        return self.name.startswith(_STORM)

    @property
    def bug(self) -> str:
        """The bug whose accounts it gathers, empty for another list."""
        return self.name.removeprefix(_BUG) if self.name.startswith(_BUG) else ""

    def holds(self, level: Level, bug: BugKey | None) -> bool:
        """Whether what is at this level and only for this bug is still told in this list."""
        if self.bug:
            return bug == self.bug
        return level < Level.L3 if self.storm else level is Level.L1
