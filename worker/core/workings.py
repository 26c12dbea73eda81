"""The working behind a due time: what each local day counted, and one sentence that says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from itertools import groupby
from zoneinfo import ZoneInfo

from worker.core.local_time import WORDS
from worker.core.local_time import Words as Times

WEEKDAYS = WORDS["en"].days

_DAY = timedelta(days=1)
_MIDNIGHT = time(0)
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)
_NONE = timedelta(0)
_MOST_PARTS = 16


@dataclass(frozen=True, slots=True)
class Words:
    """The words of an explanation in one language."""

    times: Times
    due: str
    nothing: str
    on: str
    rest: str
    both: str
    closed: str
    holiday: str
    more: str
    days: str
    hours: str
    minutes: str
    seconds: str
    every_hour: str
    calendar: str
    elsewhere: str


_ENGLISH = Words(
    times=WORDS["en"],
    due="due {at}: {because}",
    nothing="there is no time to count",
    on="on",
    rest="the rest from",
    both="and",
    closed="closed",
    holiday="{day} holiday ({name})",
    more="{count} more such stretches",
    days="d",
    hours="h",
    minutes="min",
    seconds="s",
    every_hour="{length} from {start}, every hour counts",
    calendar="calendar {name}",
    elsewhere="calendar {name}, times of {zone}",
)
_INDONESIAN = Words(
    times=WORDS["id"],
    due="jatuh tempo {at}: {because}",
    nothing="tidak ada waktu yang dihitung",
    on="pada",
    rest="sisanya mulai",
    both="dan",
    closed="tutup",
    holiday="{day} libur ({name})",
    more="{count} rentang serupa lagi",
    days="hari",
    hours="jam",
    minutes="menit",
    seconds="detik",
    every_hour="{length} sejak {start}, setiap jam dihitung",
    calendar="kalender {name}",
    elsewhere="kalender {name}, waktu {zone}",
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

    def explain(self, language: str = "en", zone: str = "") -> str:
        """One sentence: the due moment, then the working."""
        words, place = words_in(language), self._place(zone)
        days = _Days(self, place, words)
        at = self.at.astimezone(ZoneInfo(place))
        # An answer due at the very end of a day is due "Fri 24:00", the day that the step names.
        closing = bool(self.steps) and at.time() == _MIDNIGHT
        shown = f"{days.name(at.date() - _DAY if closing else at.date())} {'24:00' if closing else days.clock(at)}"
        return words.due.format(at=shown, because=self.working(language, zone))

    def working(self, language: str = "en", zone: str = "") -> str:
        """What counted, and which days did not, for a reader whose times are those of `zone`, an IANA name.

        Every hour that counts is told on the reader's times; business hours on their calendar's, whose zone is named
        where it is another one. Without a reader's zone the calendar's own is taken.
        """
        words, place = words_in(language), self._place(zone)
        counted = sum((step.counted for step in self.steps), _NONE)
        if not counted:
            return words.nothing
        days = _Days(self, place, words)
        if self.every_hour:
            start = (self.at - counted).astimezone(ZoneInfo(place))
            told = f"{days.name(start.date())} {days.clock(start)}"
            return words.every_hour.format(length=length(counted, words), start=told)
        form = words.calendar if zone in ("", self.zone) else words.elsewhere
        return f"{', '.join(self._parts(days))} ({form.format(name=self.calendar, zone=self.zone)})"

    def _place(self, zone: str) -> str:
        return zone if self.every_hour and zone else self.zone

    def _parts(self, days: _Days) -> list[str]:
        open_steps = [step for step in self.steps if step.counted]
        parts: list[str] = []
        for kind, group in groupby(self.steps, key=_phrase_of):
            steps = list(group)
            parts.extend(_open(steps, open_steps, days) if kind == "open" else _shut(steps, days))
        if len(parts) > _MOST_PARTS:
            parts[_MOST_PARTS // 2 : -1] = [days.words.more.format(count=len(parts) - _MOST_PARTS // 2 - 1)]
        return parts


class _Days:
    """How days and times of day are written in one explanation: dates where it goes over more than one day."""

    def __init__(self, due: Due, place: str, words: Words) -> None:
        counted = sum((step.counted for step in due.steps), _NONE)
        zone = ZoneInfo(place)
        first = due.steps[0].day if due.steps and not due.every_hour else (due.at - counted).astimezone(zone).date()
        last = (due.at - _TICK if counted else due.at).astimezone(zone).date()
        self.words = words
        self.several = first != last
        self._year = first.year != last.year

    def name(self, day: date) -> str:
        times = self.words.times
        return times.day(day, year=self._year) if self.several else times.days[day.weekday()]

    def clock(self, moment: datetime) -> str:
        return f"{moment:{self.words.times.clock}}"

    def stretch(self, note: str) -> str:
        """Clock times of a step, `09:00-12:00 and 13:00-14:00`, as the language writes them."""
        own = note.replace(" and ", f" {self.words.both} ")
        return own if ":" in self.words.times.clock else own.replace(":", ".")


def _phrase_of(step: Step) -> str:
    if step.kind is StepKind.HOLIDAY:
        return f"holiday {step.day}"
    return "open" if step.counted else "closed"


def _open(steps: Sequence[Step], every: Sequence[Step], days: _Days) -> Iterator[str]:
    words = days.words
    for step in steps:
        name, note = days.name(step.day), days.stretch(step.note)
        if step is every[-1] and step is not every[0]:
            yield f"{words.rest} {name} {note.partition('-')[0]}"
        else:
            yield f"{in_words(step.counted, words)} {words.on} {name} {note}"


def _shut(steps: Sequence[Step], days: _Days) -> Iterator[str]:
    words = days.words
    if steps[0].kind is StepKind.HOLIDAY:
        yield words.holiday.format(day=days.name(steps[0].day), name=steps[0].note)
        return
    names = [f"{days.name(step.day)}{' ' if step.note else ''}{days.stretch(step.note)}" for step in steps]
    listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} {words.both} {names[-1]}"
    yield f"{listed} {words.closed}"


def clock_time(moment: datetime) -> str:
    """`16:40`: seconds say nothing to the people who read it."""
    return f"{moment:%H:%M}"


def in_words(duration: timedelta, words: Words = _ENGLISH) -> str:
    """`1 h 20 min`; seconds only where there is nothing larger."""
    hours, rest = divmod(duration // _SECOND, 3600)
    minutes, seconds = divmod(rest, 60)
    parts = [(hours, words.hours), (minutes, words.minutes)]
    shown = " ".join(f"{count} {unit}" for count, unit in parts if count)
    return shown or (f"{seconds} {words.seconds}" if seconds else f"0 {words.minutes}")


def length(duration: timedelta, words: Words = _ENGLISH) -> str:
    """Whole days of the wall clock as `3 d`, else as `in_words`."""
    days = duration // _DAY
    return f"{days} {words.days}" if duration and duration == days * _DAY else in_words(duration, words)
