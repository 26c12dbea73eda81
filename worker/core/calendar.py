"""Business hours and holidays, and due times that show their working.

Hours are written on a local clock; counting happens only in UTC. A clock time that daylight saving repeats means its
first occurrence, one that it skips means the moment of the jump: so days never overlap, never leave a hole, and an
hour that does not exist is not counted.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from worker.core.workings import WEEKDAYS, Due, Step, StepKind, clock_time, in_words

__all__ = [
    "LOOK_AHEAD",
    "WALL_CLOCK",
    "Calendar",
    "CalendarError",
    "Due",
    "Holiday",
    "Hours",
    "Interval",
    "Span",
    "Step",
    "StepKind",
    "due",
    "elapsed",
    "fraction_point",
    "in_words",
]

Interval = tuple[time, time]
"""From (included) to (excluded) on the local clock of one day; `time(0)` as the end means 24:00."""

Span = tuple[datetime, datetime]
"""From (included) to (excluded), both UTC."""

LOOK_AHEAD = timedelta(days=3660)
"""A due time further away than this is a mistake in the calendar or the response time."""

_DAY = timedelta(days=1)
_NONE = timedelta(0)
_MIDNIGHT = time(0)
_SECOND = timedelta(seconds=1)
_TICK = timedelta(microseconds=1)


class CalendarError(ValueError):
    """A calendar, a moment or a response time that can't be counted with; the text says what to change."""


@dataclass(frozen=True, slots=True)
class Hours:
    """The open intervals of one week, seven days from Monday; each day in order and without overlaps.

    An interval can't pass midnight: end it at 24:00 (`time(0)`) and begin the next day at 00:00, which loses nothing.
    """

    week: tuple[tuple[Interval, ...], ...]

    def __post_init__(self) -> None:
        if len(self.week) != len(WEEKDAYS):
            raise CalendarError(f"hours need seven days from Monday, not {len(self.week)}")
        for weekday, intervals in zip(WEEKDAYS, self.week, strict=True):
            _check_day(weekday, intervals)

    @classmethod
    def all_week(cls) -> Hours:
        """24 hours a day, 7 days a week."""
        return cls((((_MIDNIGHT, _MIDNIGHT),),) * 7)

    def on(self, day: date) -> tuple[Interval, ...]:
        """The open intervals of the weekday of `day`."""
        return self.week[day.weekday()]


def _check_day(weekday: str, intervals: tuple[Interval, ...]) -> None:
    for start, end in intervals:
        if start.tzinfo is not None or end.tzinfo is not None:
            raise CalendarError(f"hours on {weekday} are local times: give them without a zone")
        if end != _MIDNIGHT and start >= end:
            raise CalendarError(f"hours on {weekday}: {_written(start, end)} does not end after it starts")
    for before, after in pairwise(intervals):
        if before[1] == _MIDNIGHT or after[0] < before[1]:
            raise CalendarError(
                f"hours on {weekday}: {_written(*before)} and {_written(*after)} overlap or are unsorted"
            )


def _written(start: time, end: time) -> str:
    return f"{start:%H:%M}-{'24:00' if end == _MIDNIGHT else format(end, '%H:%M')}"


@dataclass(frozen=True, slots=True)
class Holiday:
    """A local day on which a calendar is closed, and what the day is called."""

    day: date
    name: str


@dataclass(frozen=True, slots=True)
class Calendar:
    """When time counts: weekly hours on the local clock of `zone` (an IANA name), except on holidays.

    `always_open` counts every moment, the wall clock. CalendarError when the zone is unknown, when a day is listed
    twice as a holiday, or when the week has no open time at all.
    """

    name: str
    zone: str
    hours: Hours
    holidays: tuple[Holiday, ...] = ()
    always_open: bool = False
    _tz: ZoneInfo = field(init=False, repr=False, compare=False)
    _closed: dict[date, str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_tz", _zone(self.name, self.zone))
        object.__setattr__(self, "_closed", {holiday.day: holiday.name for holiday in self.holidays})
        if len(self._closed) != len(self.holidays):
            raise CalendarError(f"calendar {self.name}: a holiday is listed twice")
        if not self.always_open and not any(self.hours.week):
            raise CalendarError(f"calendar {self.name} is never open: give it hours, or make it always open")

    def local(self, moment: datetime) -> datetime:
        """`moment` on the local clock; CalendarError when it carries no zone."""
        return _utc(moment).astimezone(self._tz)

    def holiday(self, day: date) -> str | None:
        """What the holiday on `day` is called, or None."""
        return self._closed.get(day)

    def open_spans(self, day: date) -> Iterator[Span]:
        """The open time of one local day in UTC; real elapsed time, also where daylight saving shifts the clock."""
        if day in self._closed:
            return
        for start, end in self.hours.on(day):
            opens = self._instant(datetime.combine(day, start))
            closes = self._instant(datetime.combine(day + _DAY if end == _MIDNIGHT else day, end))
            if opens < closes:
                yield opens, closes

    def _instant(self, wall: datetime) -> datetime:
        early, late = (wall.replace(tzinfo=self._tz, fold=fold) for fold in (0, 1))
        before, after = early.utcoffset() or _NONE, late.utcoffset() or _NONE
        if before >= after:
            return early.astimezone(UTC)
        return self._jump(late.astimezone(UTC), early.astimezone(UTC), after)

    def _jump(self, low: datetime, high: datetime, after: timedelta) -> datetime:
        """The second at which the clock jumps forward to offset `after`: later than `low`, at `high` at the latest."""
        while high - low > _SECOND:
            middle = low + (high - low) // _SECOND // 2 * _SECOND
            if middle.astimezone(self._tz).utcoffset() == after:
                high = middle
            else:
                low = middle
        return high


def _zone(calendar: str, zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(zone)
    except (KeyError, ValueError, OSError) as error:
        raise CalendarError(
            f"calendar {calendar}: {zone!r} is not a time zone: write an IANA name such as Asia/Jakarta"
        ) from error


WALL_CLOCK = Calendar("wall_clock", "UTC", Hours.all_week(), always_open=True)


def due(start: datetime, response: timedelta, calendar: Calendar) -> Due:
    """The first moment at which `response` of open time has passed since `start`, with each day on the way.

    Never before `start + response`; at a day's end rather than the next day's beginning. CalendarError for a `start`
    without a zone, a negative `response`, or a due time further away than LOOK_AHEAD.
    """
    begin = _utc(start)
    if response < _NONE:
        raise CalendarError(f"a response time can't be negative: {response}")
    if response > LOOK_AHEAD:
        raise CalendarError(f"a response time of {response.days} days is longer than {LOOK_AHEAD.days}: is it right?")
    if not response:
        return Due(begin, calendar.name, (), calendar.zone)
    if calendar.always_open:
        return _wall_due(begin, response, calendar)
    return _counted_due(begin, response, calendar)


def _wall_due(begin: datetime, response: timedelta, calendar: Calendar) -> Due:
    step = Step(calendar.local(begin).date(), StepKind.OPEN, response)
    return Due(begin + response, calendar.name, (step,), calendar.zone, every_hour=True)


def _counted_due(begin: datetime, response: timedelta, calendar: Calendar) -> Due:
    steps: list[Step] = []
    left, day = response, calendar.local(begin).date()
    last = day + LOOK_AHEAD
    while day <= last:
        spans = _first(left, _after(begin, calendar.open_spans(day)))
        steps.append(_step(day, spans, begin, calendar))
        left -= steps[-1].counted
        if not left:
            return Due(spans[-1][1], calendar.name, tuple(steps), calendar.zone)
        day += _DAY
    raise CalendarError(
        f"calendar {calendar.name} has less than {in_words(response)} of open time in {LOOK_AHEAD.days} days"
    )


def _after(begin: datetime, spans: Iterator[Span]) -> Iterator[Span]:
    return ((max(begin, opens), closes) for opens, closes in spans if closes > begin)


def _first(left: timedelta, spans: Iterator[Span]) -> list[Span]:
    taken: list[Span] = []
    for opens, closes in spans:
        if left:
            end = min(closes, opens + left)
            taken.append((opens, end))
            left -= end - opens
    return taken


def _step(day: date, spans: Sequence[Span], begin: datetime, calendar: Calendar) -> Step:
    if spans:
        note = " and ".join(_shown(span, calendar) for span in spans)
        return Step(day, StepKind.OPEN, sum((b - a for a, b in spans), _NONE), note)
    name = calendar.holiday(day)
    if not calendar.hours.on(day):
        return Step(day, StepKind.WEEKEND, _NONE)
    if name is not None:
        return Step(day, StepKind.HOLIDAY, _NONE, name)
    local = calendar.local(begin)
    return Step(day, StepKind.CLOSED, _NONE, f"from {clock_time(local)}" if local.date() == day else "")


def _shown(span: Span, calendar: Calendar) -> str:
    opens, closes = (calendar.local(moment) for moment in span)
    return f"{clock_time(opens)}-{'24:00' if closes.time() == _MIDNIGHT else clock_time(closes)}"


def elapsed(start: datetime, end: datetime, calendar: Calendar) -> timedelta:
    """The open time from `start` to `end`; zero when `end` is not later. Adds up over adjoining stretches."""
    begin, finish = _utc(start), _utc(end)
    if finish <= begin:
        return _NONE
    if calendar.always_open:
        return finish - begin
    counted, day = _NONE, calendar.local(begin).date()
    # One day further than the local date of the end: a clock set back over midnight returns to the day before.
    while day <= calendar.local(finish).date() + _DAY:
        spans = _after(begin, calendar.open_spans(day))
        counted += sum((max(_NONE, min(closes, finish) - opens) for opens, closes in spans), _NONE)
        day += _DAY
    return counted


def fraction_point(
    start: datetime, response: timedelta, calendar: Calendar, fraction: Decimal | Fraction | float
) -> datetime:
    """When `fraction` (0 to 1) of the response time has passed, UTC: for the warnings at 50 % and 80 %; never early."""
    share = Fraction(str(fraction))
    if not 0 <= share <= 1:
        raise CalendarError(f"a fraction of the response time lies between 0 and 1, not at {fraction}")
    ticks = -(-response // _TICK * share.numerator // share.denominator)
    return due(start, ticks * _TICK, calendar).at


def _utc(moment: datetime) -> datetime:
    if moment.utcoffset() is None:
        raise CalendarError(f"{moment.isoformat()} carries no time zone: pass an aware time, such as UTC")
    if not 1970 <= moment.year < 3000:
        raise CalendarError(f"{moment.isoformat()} is not a time to count from: is the record's date right?")
    return moment.astimezone(UTC)
