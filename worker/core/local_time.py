"""Moments and spans in the words of the people who read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Words:
    """How one language writes times. `clock` is a format of the time of day."""

    days: tuple[str, ...]
    months: tuple[str, ...]
    clock: str
    units: tuple[str, str, str]

    def day(self, day: date, *, year: bool = False) -> str:
        """`Tue 24 Nov`, with the year where it is asked for."""
        named = f"{self.days[day.weekday()]} {day.day} {self.months[day.month - 1]}"
        return f"{named} {day.year}" if year else named


WORDS: Mapping[str, Words] = MappingProxyType(
    {
        "en": Words(
            ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"),
            ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"),
            "%H:%M",
            ("d", "h", "min"),
        ),
        "id": Words(
            ("Sen", "Sel", "Rab", "Kam", "Jum", "Sab", "Min"),
            ("Jan", "Feb", "Mar", "Apr", "Mei", "Jun", "Jul", "Agu", "Sep", "Okt", "Nov", "Des"),
            "%H.%M",
            ("hari", "jam", "mnt"),
        ),
    }
)


def words_of(language: str) -> Words:
    """The words of a language; English where there are none of it."""
    return WORDS.get(language, WORDS["en"])


_MOMENT = re.compile(r"“[^”]*”|\b(\d{4}-\d\d-\d\d \d\d:\d\d) UTC\b")
"""A moment in a sentence of the worker's own, or what somebody else wrote, which stays as it is."""


class LocalTime:
    """One language, one time zone (an IANA name). Raises KeyError for a zone that there is not."""

    def __init__(self, language: str, zone: str) -> None:
        self._words = words_of(language)
        self._zone = ZoneInfo(zone)

    def when(self, moment: datetime) -> str:
        """`Tue 24 Nov 2026, 16:00 WIB`."""
        return f"{self.at(moment)} {moment.astimezone(self._zone).tzname()}"

    def at(self, moment: datetime) -> str:
        """`Tue 24 Nov 2026, 16:00`, for where the zone is named elsewhere."""
        local = moment.astimezone(self._zone)
        return f"{self._words.day(local, year=True)}, {local:{self._words.clock}}"

    def near(self, moment: datetime, now: datetime) -> str:
        """`16:00`, with the day where that is another one than today, and the year where that is."""
        local, today = moment.astimezone(self._zone), now.astimezone(self._zone)
        clock = f"{local:{self._words.clock}}"
        if local.date() == today.date():
            return clock
        return f"{self._words.day(local, year=local.year != today.year)}, {clock}"

    def zone(self, moment: datetime) -> str:
        """The zone as people know it: `WIB, Asia/Jakarta`."""
        return f"{moment.astimezone(self._zone).tzname()}, {self._zone.key}"

    def retold(self, text: str, *, zone: bool = True) -> str:
        """A sentence of the worker's own with its moments, `2026-11-24 09:00 UTC`, on local time."""

        def told(found: re.Match[str]) -> str:
            if not found[1]:
                return found[0]
            moment = datetime.strptime(found[1], "%Y-%m-%d %H:%M").replace(tzinfo=UTC)
            return self.when(moment) if zone else self.at(moment)

        return _MOMENT.sub(told, text)

    def left(self, moment: datetime, now: datetime) -> str:
        """How long it is until then, with a minus when it is past."""
        apart = moment - now
        return f"-{self.span(-apart)}" if apart < timedelta(seconds=-30) else self.span(apart)

    def span(self, length: timedelta) -> str:
        """`2 d 3 h 5 min`, rounded to minutes."""
        days, rest = divmod(max(0, round(length / timedelta(minutes=1))), 1440)
        hours, minutes = divmod(rest, 60)
        counted = zip((days, hours, minutes), self._words.units, strict=True)
        return " ".join(f"{count} {unit}" for count, unit in counted if count) or f"0 {self._words.units[2]}"
