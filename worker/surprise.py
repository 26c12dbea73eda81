"""The surprise limit: how many escalations open within a day, held against the worker's own history.

A fixed limit has to be set for the worst honest day; this one grows and shrinks with what is usual here. The first day
is left out, since it brings the backlog, and nothing is judged before two weeks are known.
"""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta

from sqlalchemy import Connection

from worker.core.model import ConnectorName
from worker.store import escalations, guard

_DAY = timedelta(days=1)
_LOOKED_BACK = 28
_KNOWN = 14
_FLOOR = 10
"""So many a day surprise nobody, however quiet it was."""
_OF_A_YES = timedelta(minutes=10)


def room(tx: Connection, connector: ConnectorName, times: int, now: datetime) -> int | None:
    """How many more may open within this day before it is `times` the busiest of four weeks.

    None where too little is known to be surprised, or `times` is 0.
    """
    first = escalations.first_opened(tx, connector) if times else None
    if first is None or now - first < _KNOWN * _DAY:
        return None
    opened = escalations.opened_since(tx, connector, max(first + _DAY, now - (_LOOKED_BACK + 1) * _DAY))
    by_day = Counter((now - at) // _DAY for at in opened if now - at >= _DAY)
    agreed = guard.setting(tx, _agreed(connector))
    since = max(now - _DAY, datetime.fromisoformat(agreed)) if agreed else now - _DAY
    today = sum(at > since for at in opened)
    return max(0, max(_FLOOR, times * max(by_day.values(), default=0)) - today)


def agree(tx: Connection, connector: ConnectorName, now: datetime) -> None:
    """A person said yes to what opens now: it does not count against the rest of the day."""
    guard.set_setting(tx, _agreed(connector), (now + _OF_A_YES).isoformat())


def _agreed(connector: ConnectorName) -> str:
    return f"surprise_agreed:{connector}"
