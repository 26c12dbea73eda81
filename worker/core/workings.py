"""The working behind a due time: what each local day counted, and one sentence that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby
from zoneinfo import ZoneInfo

WEEKDAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_DAY = timedelta(days=1)
_MIDNIGHT = time(0)
_SECOND = timedelta(seconds=1)
_MOST_PARTS = 16


class StepKind(StrEnum):
    """What one local day contributed to a due time."""

    OPEN = "open"
    CLOSED = "closed"
    WEEKEND = "weekend"
    HOLIDAY = "holiday"


@dataclass(frozen=True, slots=True)
class Step:
    """One local day on the way to a due time: how much of it counted, and why not more.

    `note` holds the counted clock times of an open day, the name of a holiday, or how long a closed day was still
    looked at; it is empty where there is nothing to add.
    """

    day: date
    kind: StepKind
    counted: timedelta
    note: str = ""


@dataclass(frozen=True, slots=True)
class Due:
    """When a response is due (UTC), on which calendar, and how the time was counted."""

    at: datetime
    calendar: str
    steps: tuple[Step, ...]
    zone: str = "UTC"

    def explain(self) -> str:
        """One sentence in local time: the due moment, what counted, and which days did not."""
        dated = bool(self.steps) and self.steps[-1].day - self.steps[0].day >= 7 * _DAY
        at = self.at.astimezone(ZoneInfo(self.zone))
        # An answer due at the very end of a day is due "Fri 24:00", the day that the step names.
        closing = bool(self.steps) and at.time() == _MIDNIGHT and at.date() > self.steps[-1].day
        shown = f"{_name(at.date() - _DAY, dated)} 24:00" if closing else f"{_name(at.date(), dated)} {clock_time(at)}"
        return f"due {shown} because {self._because(dated)} ({self.calendar}, {self.zone})"

    def _because(self, dated: bool) -> str:
        open_steps = [step for step in self.steps if step.counted]
        if not open_steps:
            return "there is no time to count"
        parts: list[str] = []
        for kind, group in groupby(self.steps, key=_phrase_of):
            steps = list(group)
            parts.extend(_open(steps, open_steps, dated) if kind == "open" else _shut(steps, dated))
        if len(parts) > _MOST_PARTS:
            parts[_MOST_PARTS // 2 : -1] = [f"{len(parts) - _MOST_PARTS // 2 - 1} more such stretches"]
        return ", ".join(parts)


def _phrase_of(step: Step) -> str:
    if step.kind is StepKind.HOLIDAY:
        return f"holiday {step.day}"
    return "open" if step.counted else "closed"


def _open(steps: Sequence[Step], every: Sequence[Step], dated: bool) -> Iterator[str]:
    for step in steps:
        if step is every[-1] and step is not every[0]:
            yield f"rest from {_name(step.day, dated)} {step.note.partition('-')[0]}"
        else:
            counted = " counted" if step is every[0] else ""
            yield f"{in_words(step.counted)}{counted} on {_name(step.day, dated)} {step.note}"


def _shut(steps: Sequence[Step], dated: bool) -> Iterator[str]:
    names = [f"{_name(step.day, dated)}{' ' if step.note else ''}{step.note}" for step in steps]
    if steps[0].kind is StepKind.HOLIDAY:
        yield f"{_name(steps[0].day, dated)} holiday ({steps[0].note})"
    elif len(names) == 1:
        yield f"{names[0]} closed"
    else:
        yield f"{', '.join(names[:-1])} and {names[-1]} closed"


def _name(day: date, dated: bool) -> str:
    return f"{WEEKDAYS[day.weekday()]} {day.isoformat()}" if dated else WEEKDAYS[day.weekday()]


def clock_time(moment: datetime) -> str:
    """`16:40`, with seconds only where there are any."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def in_words(duration: timedelta) -> str:
    """`1 h 0 min`, with seconds only where there are any."""
    hours, rest = divmod(duration // _SECOND, 3600)
    minutes, seconds = divmod(rest, 60)
    return f"{hours} h {minutes} min" + (f" {seconds} s" if seconds else "")
