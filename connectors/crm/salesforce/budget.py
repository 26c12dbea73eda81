"""The org's API calls of 24 hours, shared by everything that uses the org: how much reading may take of them.

Known only from the header Sforce-Limit-Info of answers, such as `api-usage=92000/100000; api-bursts=1/750`. Writes are
never held back here: at 90 % the rest is theirs.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from enum import Enum

from connectors.base import RetryableError
from connectors.quota import Quota

_USAGE = re.compile(r"(?:^|[;,\s])api-usage=(\d+)/(\d+)")
_FORGET = timedelta(minutes=10)
_PERIOD = "24 hours"


class Use(Enum):
    """What a call is for, with the share of the org's calls up to which it may be made."""

    SWEEP = 0.7
    READ = 0.9


class Budget:
    """What the last answer said. It is believed for ten minutes; then one call goes through and brings news."""

    def __init__(
        self, clock: Callable[[], float] = time.monotonic, now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._clock, self._now = clock, now
        self._used: tuple[int, int] | None = None
        self._at = 0.0
        self._told: tuple[int, int, datetime] | None = None

    def note(self, header: str) -> None:
        """Learn from an answer's Sforce-Limit-Info."""
        found = _USAGE.search(header)
        if found and int(found[2]):
            self._used, self._at = (int(found[1]), int(found[2])), self._clock()
            self._told = (*self._used, self._now())

    def exhausted(self) -> None:
        """Salesforce refused a call for its number."""
        total = self._used[1] if self._used else 1
        self._used, self._at = (total, total), self._clock()
        if self._told is not None:
            self._told = (max(total, self._told[0]), total, self._now())

    @property
    def share(self) -> float | None:
        """How much is used, 1.0 being all; None when nothing is known or it is long ago."""
        if self._used is None or self._clock() - self._at >= _FORGET.total_seconds():
            return None
        return self._used[0] / self._used[1]

    def quota(self) -> Quota:
        """What was told last, however long ago that is."""
        if self._told is not None:
            used, limit, at = self._told
            return Quota(_PERIOD, used, limit, heard_at=at)
        refused = self._used is not None
        return Quota(_PERIOD, unknown="Salesforce refuses calls for their number" if refused else "no answer yet")

    def allow(self, use: Use) -> None:
        """Raises RetryableError when this use must leave the rest to others."""
        share = self.share
        if share is None or share < use.value:
            return
        rest = timedelta(seconds=max(1.0, _FORGET.total_seconds() - (self._clock() - self._at)))
        said = f"{share:.0%} of the org's API calls are used; {use.name.lower()} stops at {use.value:.0%}"
        raise RetryableError(said, "see which integration uses them (Setup, API Usage), or buy more", rest)
