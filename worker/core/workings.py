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


@dataclass(frozen=True, slots=True)
class Words:
    """The words of an explanation in one language."""

    weekdays: tuple[str, ...]
    due: str
    nothing: str
    counted: str
    on: str
    rest: str
    both: str
    closed: str
    holiday: str
    more: str
    hours: str
    minutes: str
    seconds: str
    every_hour: str


_ENGLISH = Words(
    weekdays=WEEKDAYS,
    due="due {at} because {because} ({calendar}, {zone})",
    nothing="there is no time to count",
    counted=" counted",
    on="on",
    rest="rest from",
    both="and",
    closed="closed",
    holiday="{day} holiday ({name})",
    more="{count} more such stretches",
    hours="h",
    minutes="min",
    seconds="s",
    every_hour="{counted}, every hour counts",
)
_INDONESIAN = Words(
    weekdays=("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
    due="jatuh tempo {at} karena {because} ({calendar}, {zone})",
    nothing="tidak ada waktu yang dihitung",
    counted=" dihitung",
    on="pada",
    rest="sisanya mulai",
    both="dan",
    closed="tutup",
    holiday="{day} libur ({name})",
    more="{count} rentang serupa lagi",
    hours="jam",
    minutes="menit",
    seconds="detik",
    every_hour="{counted}, setiap jam dihitung",
)


def words_in(language: str) -> Words:
    """The words of a language; English where there are none of it."""
    return _INDONESIAN if language == "id" else _ENGLISH


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
    every_hour: bool = False

    def explain(self, language: str = "en") -> str:
        """One sentence in local time: the due moment, what counted, and which days did not."""
        words = words_in(language)
        dated = bool(self.steps) and at_day(self) - self.steps[0].day >= 7 * _DAY
        at = self.at.astimezone(ZoneInfo(self.zone))
        # An answer due at the very end of a day is due "Fri 24:00", the day that the step names.
        closing = bool(self.steps) and at.time() == _MIDNIGHT and at.date() > self.steps[-1].day
        day = _name(at.date() - _DAY if closing else at.date(), words, dated=dated)
        shown = f"{day} {'24:00' if closing else clock_time(at)}"
        because = self._because(words, dated=dated)
        return words.due.format(at=shown, because=because, calendar=self.calendar, zone=self.zone)

    def _because(self, words: Words, *, dated: bool) -> str:
        open_steps = [step for step in self.steps if step.counted]
        if not open_steps:
            return words.nothing
        parts: list[str] = []
        for kind, group in groupby(self.steps, key=_phrase_of):
            steps = list(group)
            told = _open(steps, open_steps, words, dated=dated) if kind == "open" else _shut(steps, words, dated=dated)
            parts.extend(told)
        if self.every_hour:
            return words.every_hour.format(counted=", ".join(parts))
        if len(parts) > _MOST_PARTS:
            parts[_MOST_PARTS // 2 : -1] = [words.more.format(count=len(parts) - _MOST_PARTS // 2 - 1)]
        return ", ".join(parts)


def at_day(due: Due) -> date:
    """The local day on which it is due, the day before where that is at its very end."""
    return (due.at - timedelta(microseconds=1)).astimezone(ZoneInfo(due.zone)).date()


def _phrase_of(step: Step) -> str:
    if step.kind is StepKind.HOLIDAY:
        return f"holiday {step.day}"
    return "open" if step.counted else "closed"


def _open(steps: Sequence[Step], every: Sequence[Step], words: Words, *, dated: bool) -> Iterator[str]:
    for step in steps:
        name = _name(step.day, words, dated=dated)
        if step is every[-1] and step is not every[0]:
            yield f"{words.rest} {name} {step.note.partition('-')[0]}"
        else:
            counted = words.counted if step is every[0] else ""
            yield f"{in_words(step.counted, words)}{counted} {words.on} {name} {step.note}"


def _shut(steps: Sequence[Step], words: Words, *, dated: bool) -> Iterator[str]:
    names = [f"{_name(step.day, words, dated=dated)}{' ' if step.note else ''}{step.note}" for step in steps]
    if steps[0].kind is StepKind.HOLIDAY:
        yield words.holiday.format(day=_name(steps[0].day, words, dated=dated), name=steps[0].note)
    elif len(names) == 1:
        yield f"{names[0]} {words.closed}"
    else:
        yield f"{', '.join(names[:-1])} {words.both} {names[-1]} {words.closed}"


def _name(day: date, words: Words, *, dated: bool) -> str:
    name = words.weekdays[day.weekday()]
    return f"{name} {day.isoformat()}" if dated else name


def clock_time(moment: datetime) -> str:
    """`16:40`, with seconds only where there are any."""
    return f"{moment:%H:%M:%S}" if moment.second else f"{moment:%H:%M}"


def in_words(duration: timedelta, words: Words = _ENGLISH) -> str:
    """`1 h 0 min`, with seconds only where there are any."""
    hours, rest = divmod(duration // _SECOND, 3600)
    minutes, seconds = divmod(rest, 60)
    shown = f"{hours} {words.hours} {minutes} {words.minutes}"
    return shown + (f" {seconds} {words.seconds}" if seconds else "")
