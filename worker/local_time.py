"""Moments and spans in the words of the people who read them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo


@dataclass(frozen=True, slots=True)
class Words:
    """How one language writes times. `clock` is a format of the time of day."""

    days: tuple[str, ...]
    months: tuple[str, ...]
    clock: str
    units: tuple[str, str, str]


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


class LocalTime:
    """One language, one time zone (an IANA name). Raises KeyError for a zone that there is not."""

    def __init__(self, language: str, zone: str) -> None:
        self._words = WORDS.get(language, WORDS["en"])
        self._zone = ZoneInfo(zone)

    def when(self, moment: datetime) -> str:
        """`Tue 24 Nov 2026, 16:00 WIB`."""
        local, words = moment.astimezone(self._zone), self._words
        day = f"{words.days[local.weekday()]} {local.day} {words.months[local.month - 1]} {local.year}"
        return f"{day}, {local:{words.clock}} {local.tzname()}"

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
