"""A proposed call as a file that every calendar opens (RFC 5545): a suggestion to keep or to delete, no invitation.

Nobody is invited and nothing is answered: the two arrange it among themselves.
"""

from __future__ import annotations

from datetime import datetime, timedelta

MEDIA_TYPE = "text/calendar"
_PRODUCT = "-//crm-escalation-worker//hand-off call//EN"


def calendar_file(key: str, title: str, text: str, begins: datetime, length: timedelta, made_at: datetime) -> bytes:
    """One tentative entry. `key` names it for ever: the same proposal opened twice stands in a calendar once."""
    from icalendar import Calendar, Event

    event = Event()
    event.add("uid", key)
    event.add("dtstamp", made_at.replace(microsecond=0))
    event.add("dtstart", begins)
    event.add("dtend", begins + length)
    event.add("summary", title)
    event.add("description", text)
    event.add("status", "TENTATIVE")
    calendar = Calendar()
    calendar.add("prodid", _PRODUCT)
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add_component(event)
    return bytes(calendar.to_ical())
