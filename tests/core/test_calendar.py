"""Response time is counted exactly, never early, and in one direction, whatever the local clock does."""

from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from worker.core.calendar import (
    WALL_CLOCK,
    Calendar,
    CalendarError,
    Holiday,
    Hours,
    Interval,
    StepKind,
    due,
    elapsed,
    fraction_point,
)

MIDNIGHT = time(0)
ALL_DAY: tuple[Interval, ...] = ((MIDNIGHT, MIDNIGHT),)
OFFICE: tuple[Interval, ...] = ((time(9), time(18)),)
JAKARTA = ZoneInfo("Asia/Jakarta")
HOUR = timedelta(hours=1)

ZONES = (
    "Asia/Jakarta",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",  # half an hour of daylight saving
    "America/Havana",  # the clock jumps at midnight
    "America/St_Johns",  # until 2011 it went back over midnight, to the day before
    "Pacific/Apia",  # 2011-12-30 never was
    "UTC",
)


def office(*holidays: Holiday, zone: str = "Asia/Jakarta") -> Calendar:
    return Calendar("jakarta_office", zone, Hours((OFFICE,) * 5 + ((), ())), holidays)


def every_day(zone: str, *intervals: Interval) -> Calendar:
    return Calendar("every_day", zone, Hours((intervals,) * 7))


def jakarta(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=JAKARTA)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@st.composite
def days_of_hours(draw: st.DrawFn) -> tuple[Interval, ...]:
    marks = draw(st.lists(st.integers(0, 96), max_size=6, unique=True).map(sorted))
    pairs = zip(marks[::2], marks[1::2], strict=False)
    return tuple((time(a // 4, a % 4 * 15), time(b % 96 // 4, b % 4 * 15)) for a, b in pairs)


@st.composite
def calendars(draw: st.DrawFn) -> Calendar:
    week = draw(st.tuples(*[days_of_hours()] * 7).filter(any))
    closed = draw(st.lists(st.dates(date(2026, 1, 1), date(2026, 12, 31)), max_size=8, unique=True))
    holidays = tuple(Holiday(day, "holiday") for day in closed)
    return Calendar("drawn", draw(st.sampled_from(ZONES)), Hours(week), holidays)


# Half of all moments lie close to where a clock jumps, a leap day ends, or a year turns.
TURNS = [
    utc("2026-03-29T01:00:00"),
    utc("2026-10-25T01:00:00"),
    utc("2026-03-08T07:00:00"),
    utc("2026-11-01T06:00:00"),
    utc("2026-04-04T15:00:00"),
    utc("2026-10-03T15:30:00"),
    utc("2026-03-08T05:00:00"),
    utc("2010-11-07T02:31:00"),
    utc("2011-12-30T10:00:00"),
    utc("2028-02-29T12:00:00"),
    utc("2026-12-31T17:00:00"),
]
near_a_turn = st.builds(
    lambda turn, off: turn + off, st.sampled_from(TURNS), st.timedeltas(-timedelta(days=2), timedelta(days=2))
)
anywhere = st.datetimes(datetime(2026, 1, 1), datetime(2027, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001  zone is given
moments = st.one_of(near_a_turn, anywhere)
responses = st.one_of(
    st.timedeltas(timedelta(0), timedelta(hours=12)),
    st.sampled_from([timedelta(0), HOUR, 2 * HOUR, 4 * HOUR, timedelta(days=3), timedelta(microseconds=1)]),
)


@given(calendars(), moments, responses)
def test_what_elapses_until_due_is_the_response_time(calendar: Calendar, start: datetime, response: timedelta) -> None:
    assert response == elapsed(start, due(start, response, calendar).at, calendar)


@given(calendars(), anywhere, st.integers(1, 60))
def test_agrees_with_looking_at_the_clock_every_quarter_of_an_hour(
    drawn: Calendar, start: datetime, hours: int
) -> None:
    calendar = Calendar(drawn.name, "Asia/Jakarta", drawn.hours, drawn.holidays)
    begin = start.replace(minute=0, second=0, microsecond=0)
    quarters = (calendar.local(begin + n * HOUR / 4) for n in range(4 * hours))

    def is_open(clock: datetime) -> bool:
        intervals = calendar.hours.week[clock.weekday()]
        return calendar.holiday(clock.date()) is None and any(
            a <= clock.time() and (clock.time() < b or b == MIDNIGHT) for a, b in intervals
        )

    assert HOUR / 4 * sum(map(is_open, quarters)) == elapsed(begin, begin + hours * HOUR, calendar)


@given(calendars(), moments, responses)
def test_never_early(calendar: Calendar, start: datetime, response: timedelta) -> None:
    found = due(start, response, calendar)

    assert found.at >= start + response
    assert found.at.tzinfo is UTC
    if response:
        assert elapsed(start, found.at - timedelta(microseconds=1), calendar) < response


@given(calendars(), moments, responses, responses)
def test_more_response_time_is_never_due_earlier(
    calendar: Calendar, start: datetime, one: timedelta, other: timedelta
) -> None:
    shorter, longer = sorted((one, other))

    assert due(start, shorter, calendar).at <= due(start, longer, calendar).at


@given(calendars(), moments, st.timedeltas(timedelta(0), timedelta(days=4)), responses)
def test_a_later_start_is_never_due_earlier(
    calendar: Calendar, start: datetime, later: timedelta, response: timedelta
) -> None:
    assert due(start, response, calendar).at <= due(start + later, response, calendar).at


@given(calendars(), moments, st.timedeltas(timedelta(0), timedelta(days=9)), st.floats(0, 1))
def test_elapsed_adds_up_and_never_exceeds_real_time(
    calendar: Calendar, start: datetime, length: timedelta, cut: float
) -> None:
    end, middle = start + length, start + length * cut
    whole = elapsed(start, end, calendar)

    assert whole == elapsed(start, middle, calendar) + elapsed(middle, end, calendar)
    assert timedelta(0) <= whole <= length
    assert elapsed(end, start, calendar) == timedelta(0)


@given(calendars(), moments, responses)
def test_the_steps_account_for_all_of_the_response_time(
    calendar: Calendar, start: datetime, response: timedelta
) -> None:
    found = due(start, response, calendar)

    assert response == sum((step.counted for step in found.steps), timedelta(0))
    assert all((step.kind is StepKind.OPEN) is (step.counted > timedelta(0)) for step in found.steps)
    assert sorted({step.day for step in found.steps}) == [step.day for step in found.steps]
    assert found.explain().startswith("due ")


@given(calendars(), moments, responses, st.decimals(0, 1, places=3))
def test_warnings_come_in_order(calendar: Calendar, start: datetime, response: timedelta, share: Decimal) -> None:
    point = fraction_point(start, response, calendar, share)
    half, most = (fraction_point(start, response, calendar, Decimal(text)) for text in ("0.5", "0.8"))

    assert start <= half <= most <= due(start, response, calendar).at
    assert start <= point <= due(start, response, calendar).at
    assert Fraction(elapsed(start, point, calendar) // timedelta(microseconds=1)) >= Fraction(share) * (
        response // timedelta(microseconds=1)
    )


@given(st.sampled_from(ZONES), moments, st.timedeltas(timedelta(0), timedelta(days=5)))
@example("America/St_Johns", utc("2010-11-07T01:00:00"), timedelta(hours=2))
@example("Pacific/Apia", utc("2011-12-30T09:00:00"), timedelta(hours=30))
def test_open_all_week_is_the_wall_clock_and_loses_no_minute(zone: str, start: datetime, response: timedelta) -> None:
    around_the_clock = Calendar("around_the_clock", zone, Hours.all_week())

    assert start + response == due(start, response, around_the_clock).at == due(start, response, WALL_CLOCK).at
    assert response == elapsed(start, start + response, around_the_clock)


@given(moments, responses, st.integers(-11, 11))
def test_the_zone_of_the_start_does_not_matter(start: datetime, response: timedelta, offset: int) -> None:
    elsewhere = start.astimezone(timezone(timedelta(hours=offset)))

    assert due(start, response, office()) == due(elsewhere, response, office())


def test_a_weekend_and_a_holiday_explain_themselves() -> None:
    calendar = office(Holiday(date(2026, 8, 24), "Maulid Nabi"))

    found = due(jakarta("2026-08-21T16:40:00"), timedelta(hours=2, minutes=30), calendar)

    assert utc("2026-08-25T03:10:00") == found.at
    assert found.explain() == (
        "due Tue 25 Aug 10:10: 1 h 20 min on Fri 21 Aug 16:40-18:00, Sat 22 Aug and Sun 23 Aug closed, "
        "Mon 24 Aug holiday (Maulid Nabi), the rest from Tue 25 Aug 09:00 (calendar jakarta_office)"
    )
    assert [(step.kind, step.note) for step in found.steps] == [
        (StepKind.OPEN, "16:40-18:00"),
        (StepKind.WEEKEND, ""),
        (StepKind.WEEKEND, ""),
        (StepKind.HOLIDAY, "Maulid Nabi"),
        (StepKind.OPEN, "09:00-10:10"),
    ]


@pytest.mark.parametrize(
    ("start", "response", "sentence"),
    [
        (
            "2026-08-20T19:00:00",
            HOUR,
            (
                "due Fri 21 Aug 10:00: Thu 20 Aug from 19:00 closed, "
                "1 h on Fri 21 Aug 09:00-10:00 (calendar jakarta_office)"
            ),
        ),
        ("2026-08-20T17:00:00", HOUR, "due Thu 18:00: 1 h on Thu 17:00-18:00 (calendar jakarta_office)"),
        ("2026-08-20T17:00:00", HOUR * 0, "due Thu 17:00: there is no time to count"),
        (
            "2026-08-20T17:59:30",
            HOUR,
            (
                "due Fri 21 Aug 09:59: 30 s on Thu 20 Aug 17:59-18:00, the rest from Fri 21 Aug 09:00 "
                "(calendar jakarta_office)"
            ),
        ),
    ],
)
def test_explains_in_one_sentence(start: str, response: timedelta, sentence: str) -> None:
    assert sentence == due(jakarta(start), response, office()).explain()


def test_says_how_many_stretches_it_leaves_out() -> None:
    sentence = due(jakarta("2026-08-20T17:00:00"), 400 * HOUR, office()).explain()

    assert sentence.startswith("due Thu 22 Oct 12:00: 1 h on Thu 20 Aug 17:00-18:00")
    assert "more such stretches" in sentence
    assert len(sentence) < 1000


def test_the_wall_clock_explains_itself_on_its_local_clock() -> None:
    wall = Calendar("wall_clock", "Asia/Jakarta", Hours.all_week(), always_open=True)

    assert due(jakarta("2026-08-21T22:00:00"), 4 * HOUR, wall).explain() == (
        "due Sat 22 Aug 02:00: 4 h from Fri 21 Aug 22:00, every hour counts"
    )
    assert due(jakarta("2026-11-25T04:08:31"), timedelta(days=5), wall).explain() == (
        "due Mon 30 Nov 04:08: 5 d from Wed 25 Nov 04:08, every hour counts"
    )
    assert due(jakarta("2026-12-30T09:00:00"), timedelta(days=3), wall).explain("id") == (
        "jatuh tempo Sab 2 Jan 2027 09.00: 3 hari sejak Rab 30 Des 2026 09.00, setiap jam dihitung"
    )
    assert "due Fri 24:00: 2 h from Fri 22:00" in due(jakarta("2026-08-21T22:00:00"), 2 * HOUR, wall).explain()


def test_a_reader_of_another_zone_is_told_whose_times_they_are() -> None:
    found = due(jakarta("2026-08-21T16:40:00"), HOUR, office())
    wall = due(jakarta("2026-08-21T23:30:00"), HOUR, WALL_CLOCK)

    assert found.working(zone="Asia/Jakarta") == "1 h on Fri 16:40-17:40 (calendar jakarta_office)"
    assert found.working(zone="Asia/Tokyo") == (
        "1 h on Fri 16:40-17:40 (calendar jakarta_office, times of Asia/Jakarta)"
    )
    assert wall.working(zone="Asia/Jakarta") == "1 h from Fri 21 Aug 23:30, every hour counts"
    assert wall.working(zone="Asia/Tokyo") == "1 h from Sat 01:30, every hour counts"


def test_a_lunch_break_does_not_count() -> None:
    calendar = every_day("Asia/Jakarta", (time(9), time(12)), (time(13), time(17)))

    found = due(jakarta("2026-11-24T11:00:00"), 2 * HOUR, calendar)

    assert jakarta("2026-11-24T14:00:00") == found.at
    assert "11:00-12:00 and 13:00-14:00" in found.explain()


def test_a_shift_over_midnight_is_two_intervals_without_a_seam() -> None:
    night = every_day("Asia/Jakarta", (MIDNIGHT, time(6)), (time(22), MIDNIGHT))

    assert jakarta("2026-11-25T02:00:00") == due(jakarta("2026-11-24T22:00:00"), 4 * HOUR, night).at


@pytest.mark.parametrize(
    ("zone", "day", "counted"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("America/New_York", date(2026, 3, 8), 23),
        ("America/New_York", date(2026, 11, 1), 25),
        ("Australia/Lord_Howe", date(2026, 10, 4), 23.5),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Havana", date(2026, 3, 8), 23),
        ("America/Havana", date(2026, 11, 1), 25),
        ("Pacific/Apia", date(2011, 12, 30), 0),
        ("Asia/Jakarta", date(2028, 2, 29), 24),
    ],
)
def test_a_day_counts_its_real_hours(zone: str, day: date, counted: float) -> None:
    spans = list(every_day(zone, *ALL_DAY).open_spans(day))

    assert timedelta(hours=counted) == sum((end - start for start, end in spans), timedelta(0))


@pytest.mark.parametrize(
    ("day", "interval", "minutes"),
    [
        (date(2026, 3, 29), (time(2, 15), time(2, 45)), 0),  # skipped altogether
        (date(2026, 3, 29), (time(1, 30), time(2, 30)), 30),  # ends in the gap
        (date(2026, 3, 29), (time(2, 30), time(3, 30)), 30),  # begins in the gap
        (date(2026, 3, 29), (time(1), time(4)), 120),
        (date(2026, 10, 25), (time(1), time(4)), 240),
        (date(2026, 10, 25), (time(2), time(3)), 120),  # the repeated hour, twice
        (date(2026, 10, 25), (time(2, 15), time(2, 45)), 30),  # its first occurrence
    ],
)
def test_hours_at_a_jump_of_the_clock_count_real_time(day: date, interval: Interval, minutes: int) -> None:
    calendar = every_day("Europe/Berlin", interval)
    start = datetime.combine(day, MIDNIGHT, ZoneInfo("Europe/Berlin"))

    assert timedelta(minutes=minutes) == elapsed(start, start.astimezone(UTC) + 12 * HOUR, calendar)


def test_a_four_hour_answer_in_the_night_of_the_jump_takes_four_real_hours() -> None:
    calendar = every_day("Europe/Berlin", *ALL_DAY)

    assert utc("2026-03-29T04:30:00") == due(utc("2026-03-29T00:30:00"), 4 * HOUR, calendar).at


def test_the_last_microsecond_of_a_day_counts() -> None:
    tick = timedelta(microseconds=1)

    assert jakarta("2026-11-24T18:00:00") == due(jakarta("2026-11-24T18:00:00") - tick, tick, office()).at
    assert jakarta("2026-11-25T09:00:00") + tick == due(jakarta("2026-11-24T18:00:00") - tick, 2 * tick, office()).at


def test_a_leap_day_is_a_working_day() -> None:
    assert jakarta("2028-02-29T11:00:00") == due(jakarta("2028-02-28T16:00:00"), 4 * HOUR, office()).at


def test_a_holiday_is_closed_in_its_own_zone() -> None:
    calendar = Calendar("h", "Asia/Jakarta", Hours.all_week(), (Holiday(date(2026, 8, 17), "Independence Day"),))

    counted = elapsed(utc("2026-08-16T00:00:00"), utc("2026-08-19T00:00:00"), calendar)

    assert timedelta(days=2) == counted
    assert jakarta("2026-08-18T00:30:00") == due(jakarta("2026-08-16T23:30:00"), HOUR, calendar).at


@pytest.mark.parametrize("call", [lambda m: due(m, HOUR, WALL_CLOCK), lambda m: elapsed(m, m, office())])
def test_refuses_a_time_without_a_zone(call) -> None:
    with pytest.raises(CalendarError, match="carries no time zone"):
        call(datetime(2026, 1, 1))  # noqa: DTZ001  the missing zone is the point


@pytest.mark.parametrize("start", ["0001-01-01T00:00:00", "9999-12-31T23:59:59"])
def test_refuses_a_year_that_no_record_has(start: str) -> None:
    with pytest.raises(CalendarError, match="is the record's date right"):
        due(utc(start), HOUR, office())


def test_refuses_a_calendar_that_is_never_open() -> None:
    with pytest.raises(CalendarError, match="calendar shut is never open"):
        Calendar("shut", "UTC", Hours(((),) * 7))


def test_gives_up_where_no_open_time_is_left() -> None:
    shut = tuple(Holiday(date(2026, 1, 1) + timedelta(days=n), "closed") for n in range(4000))

    with pytest.raises(CalendarError, match="less than 1 h of open time in 3660 days"):
        due(jakarta("2026-01-01T10:00:00"), HOUR, office(*shut))


@pytest.mark.parametrize("response", [-HOUR, timedelta(days=5000)])
def test_refuses_a_senseless_response_time(response: timedelta) -> None:
    with pytest.raises(CalendarError, match="response time"):
        due(utc("2026-01-01T00:00:00"), response, WALL_CLOCK)


@pytest.mark.parametrize("share", [-0.1, 1.01])
def test_refuses_a_fraction_outside_zero_to_one(share: float) -> None:
    with pytest.raises(CalendarError, match="between 0 and 1"):
        fraction_point(utc("2026-01-01T00:00:00"), HOUR, WALL_CLOCK, share)


@pytest.mark.parametrize("zone", ["Asia/Jakrta", "", "../etc", "WIB"])
def test_refuses_an_unknown_zone(zone: str) -> None:
    with pytest.raises(CalendarError, match="is not a time zone"):
        Calendar("c", zone, Hours.all_week())


@pytest.mark.parametrize(
    "intervals",
    [
        ((time(9), time(9)),),
        ((time(18), time(9)),),
        ((time(9), time(12)), (time(11), time(14))),
        ((time(13), time(17)), (time(9), time(12))),
        ((time(9), MIDNIGHT), (time(22), time(23))),
        ((time(9, tzinfo=UTC), time(18, tzinfo=UTC)),),
    ],
)
def test_refuses_hours_that_make_no_day(intervals: tuple[Interval, ...]) -> None:
    with pytest.raises(CalendarError, match="hours on Mon"):
        Hours((intervals,) + ((),) * 6)


def test_refuses_a_week_that_is_not_seven_days_and_a_holiday_given_twice() -> None:
    with pytest.raises(CalendarError, match="seven days"):
        Hours((OFFICE,) * 5)
    with pytest.raises(CalendarError, match="listed twice"):
        office(Holiday(date(2026, 1, 1), "a"), Holiday(date(2026, 1, 1), "b"))
