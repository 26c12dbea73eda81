"""Calendars and exchange rates from their parsed configuration; public holidays come from the `holidays` package.

The package knows Indonesian joint leave (cuti bersama) only as far as the government has decreed it, and marks days
of the moon calendar that are still expected as estimated; `add` and `remove` in the configuration have the last word.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, time, timedelta
from decimal import Decimal
from functools import lru_cache

from worker.core.calendar import Calendar, CalendarError, Holiday, Hours, Interval
from worker.core.money import Currency, NumberStyle, Rate, Rates, currency, parse_number
from worker.parsed import Node

YEARS = range(2024, 2037)
"""The years whose holidays are known to a calendar; add later ones when they come near."""

_JOINT_LEAVE = "government"
_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LANGUAGES = {"en": "en_US", "id": "id"}
_CALENDAR_KEYS = ("zone", "always_open", "hours", "holidays")
_HOLIDAY_KEYS = ("country", "subdivision", "joint_leave", "language", "add", "remove")


def calendars_from(parsed: object, years: range = YEARS) -> dict[str, Calendar]:
    """The calendars of `config/calendars.yaml` by name, with the holidays of `years`.

    DocumentError (a ValueError) names every fault with its key path.
    """
    root = Node.root(parsed)
    root.keys(("calendars",))
    found: dict[str, Calendar] = {}
    for node in root["calendars"].children():
        calendar = _calendar(node, years)
        if calendar is not None:
            found[calendar.name] = calendar
    root.raise_faults()
    return found


def joint_leave_known_until(country: str, years: range = YEARS) -> int | None:
    """The last year whose joint leave the installed package knows, None if it knows none: `check` warns from it."""
    try:
        known = _packaged(country, "", True, "en", years).keys() - _packaged(country, "", False, "en", years).keys()
    except (NotImplementedError, ValueError):
        return None
    return max((day.year for day in known), default=None)


def rates_from(parsed: object) -> Rates:
    """The rates of `config/rates.yaml`; DocumentError (a ValueError) names every fault with its key path."""
    root = Node.root(parsed)
    root.keys(("home", "max_age_days", "rates"))
    home = _currency(root["home"])
    max_age = _days(root["max_age_days"])
    rates = [rate for entry in root["rates"].entries() for rate in _dated(entry, home)]
    root.raise_faults()
    try:
        return Rates(home, tuple(rates), max_age)
    except ValueError as error:
        root["rates"].fault(str(error))
        root.raise_faults()
        raise


def _calendar(node: Node, years: range) -> Calendar | None:
    node.keys(_CALENDAR_KEYS)
    before = len(node.faults)
    zone, always_open = node["zone"].text(), node["always_open"].flag()
    if always_open and ("hours" in node or "holidays" in node):
        node.fault("always_open counts every moment: leave hours and holidays out, or always_open")
    hours = Hours.all_week() if always_open else _hours(node["hours"])
    holidays = _holidays(node["holidays"], years) if "holidays" in node else ()
    try:
        calendar = Calendar(str(node.path[-1]), zone or "UTC", hours or Hours.all_week(), holidays, always_open)
    except CalendarError as error:
        node.fault(str(error))
        return None
    return calendar if len(node.faults) == before else None


def _hours(node: Node) -> Hours | None:
    before = len(node.faults)
    week: dict[int, tuple[Interval, ...]] = {}
    for child in node.children():
        intervals = tuple(sorted(_interval(entry) for entry in child.entries()))
        for weekday in _weekdays(child):
            if weekday in week:
                child.fault(f"{_WEEKDAYS[weekday]} is given twice")
            week[weekday] = intervals
    if len(node.faults) > before:
        return None
    try:
        return Hours(tuple(week.get(weekday, ()) for weekday in range(7)))
    except CalendarError as error:
        node.fault(str(error))
        return None


def _weekdays(node: Node) -> range:
    first, _, last = str(node.path[-1]).partition("-")
    try:
        start, end = _WEEKDAYS.index(first), _WEEKDAYS.index(last or first)
    except ValueError:
        node.fault(f"expected a weekday ({', '.join(_WEEKDAYS)}) or a stretch such as mon-fri")
        return range(0)
    if end < start:
        node.fault("a stretch of weekdays runs forward from mon to sun: write two stretches")
    return range(start, end + 1)


def _interval(node: Node) -> Interval:
    text = node.text("00:00-24:00")
    first, _, last = text.partition("-")
    try:
        return _time(first), time(0) if last.strip() == "24:00" else _time(last)
    except (ValueError, OverflowError):
        node.fault(f"expected hours such as 09:00-18:00 or 22:00-24:00, not {text!r}")
        return time(0), time(0)


def _time(text: str) -> time:
    hour, minute = text.strip().split(":")
    return time(int(hour), int(minute))


def _holidays(node: Node, years: range) -> tuple[Holiday, ...]:
    node.keys(_HOLIDAY_KEYS)
    days = dict(_from_country(node, years)) if "country" in node else {}
    for entry in node["remove"].entries():
        day = entry.day()
        if day is not None and days.pop(day, None) is None:
            entry.fault(f"{day.isoformat()} is no holiday here (holidays are known for {years[0]} to {years[-1]})")
    for entry in node["add"].entries():
        entry.keys(("date", "name"))
        day, name = entry["date"].day(), entry["name"].text()
        if day is not None:
            days[day] = name
    return tuple(Holiday(day, name) for day, name in sorted(days.items()))


def _from_country(node: Node, years: range) -> Mapping[date, str]:
    country = node["country"].text()
    subdivision = node["subdivision"].text() if "subdivision" in node else ""
    language = node["language"].text("en")
    if language not in _LANGUAGES:
        node["language"].fault(f"expected one of {', '.join(_LANGUAGES)}, not {language!r}")
        return {}
    joint_leave = node["joint_leave"].flag()
    try:
        return _packaged(country, subdivision, joint_leave, language, years)
    except NotImplementedError as error:
        node["country"].fault(f"{error}: use a two-letter code such as ID, or list the days under add")
    except ValueError as error:
        node["joint_leave"].fault(f"{country} has no joint leave ({error}): leave joint_leave out")
    return {}


@lru_cache(maxsize=32)
def _packaged(country: str, subdivision: str, joint_leave: bool, language: str, years: range) -> Mapping[date, str]:
    # Imported here because it costs more than all other imports of a short command together.
    from holidays import country_holidays  # noqa: PLC0415

    categories = ("public", _JOINT_LEAVE) if joint_leave else ("public",)
    return dict(
        country_holidays(
            country, subdiv=subdivision or None, years=years, categories=categories, language=_LANGUAGES[language]
        )
    )


def _currency(node: Node) -> Currency:
    try:
        return currency(node.text())
    except ValueError as error:
        if isinstance(node.value, str) and node.value:
            node.fault(str(error))
        return Currency("XXX")


def _days(node: Node) -> timedelta:
    if isinstance(node.value, int) and not isinstance(node.value, bool) and 0 <= node.value <= 3660:
        return timedelta(days=node.value)
    node.fault(f"expected a whole number of days, not {node.value!r}")
    return timedelta(0)


def _dated(node: Node, home: Currency) -> list[Rate]:
    node.keys(("date", "values"))
    as_of = node["date"].day()
    if as_of is None:
        return []
    found = (_rate(child, home, as_of) for child in node["values"].children())
    return [rate for rate in found if rate is not None]


def _rate(node: Node, home: Currency, as_of: date) -> Rate | None:
    try:
        return Rate(currency(str(node.path[-1])), home, _value(node), as_of)
    except ValueError as error:
        node.fault(str(error))
        return None


def _value(node: Node) -> Decimal:
    if isinstance(node.value, bool) or not isinstance(node.value, (str, int, Decimal)):
        raise ValueError(f'{node.value!r} is not an exact number: write it in quotes, such as "16450.50"')
    return node.value if isinstance(node.value, Decimal) else parse_number(str(node.value), NumberStyle.PLAIN)
