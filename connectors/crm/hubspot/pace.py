"""How fast HubSpot may be asked: windows that are shared by all callers, and a daily budget with a reserve for writes.

HubSpot counts over rolling windows: so many calls in ten seconds, and so many searches in one. A window here is kept a
little below what the plan allows, falls to what the server says is left, halves when the server refuses, and rises by a
tenth with each clean window. Time and sleep are given, so that tests need no real second.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from connectors.base import RetryableError
from connectors.crm.hubspot.answers import Policy, Refusal
from connectors.quota import Quota

_RISE = 1.1


@dataclass(frozen=True, slots=True)
class Plan:
    """What HubSpot's subscription allows: calls in ten seconds, searches in a second, calls in a day."""

    per_ten_seconds: int = 190
    searches_per_second: int = 5
    per_day: int | None = 650_000


PLANS: Mapping[str, Plan] = {
    "free": Plan(100, 5, 250_000),
    "starter": Plan(100, 5, 250_000),
    "professional": Plan(190, 5, 650_000),
    "enterprise": Plan(190, 5, 1_000_000),
    "capacity": Plan(250, 5, 1_650_000),
    "oauth": Plan(110, 5, None),
}


@dataclass(slots=True)
class Clock:
    """The clocks and the sleep that pacing needs."""

    monotonic: Callable[[], float] = time.monotonic
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    sleep: Callable[[float], None] = time.sleep


class Window:
    """One rolling window. Not thread-safe by itself: `Pace` holds the lock."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most = most
        self._seconds = seconds
        self._allowed = float(most)
        self._sent: deque[float] = deque()
        self._closed_until = 0.0
        self._risen_at = 0.0

    def wait(self, now: float) -> float:
        """How long until one more may go, 0 for now."""
        self._rise(now)
        while self._sent and self._sent[0] <= now - self._seconds:
            self._sent.popleft()
        full = self._sent[-max(1, int(self._allowed))] + self._seconds - now if self._full() else 0.0
        return max(full, self._closed_until - now, 0.0)

    def _full(self) -> bool:
        return len(self._sent) >= max(1, int(self._allowed))

    def _rise(self, now: float) -> None:
        if self._allowed < self._most and now - self._risen_at >= self._seconds:
            self._allowed = min(float(self._most), self._allowed * _RISE)
            self._risen_at = now

    def took(self, now: float) -> None:
        """One more was sent."""
        self._sent.append(now)

    def left(self, remaining: int, now: float) -> None:
        """What the server says is left of the present window: others may have used some of it."""
        excess = len(self._sent) + remaining - int(self._allowed)
        if excess < 0:
            self._sent.extend([now] * min(-excess, self._most))

    def refused(self, now: float, wait: float) -> None:
        """The server refused: half as fast from now on, and nobody before `wait` is over."""
        self._allowed = max(1.0, self._allowed / 2)
        self._closed_until = max(self._closed_until, now + wait)
        self._risen_at = now


class Pace:
    """All limits of one HubSpot account, shared by all threads of this process."""

    def __init__(self, plan: Plan, clock: Clock, zone: tzinfo = UTC, reserve: float = 0.05) -> None:
        self._clock = clock
        self._zone = zone
        self._lock = threading.Lock()
        self._calls = Window(plan.per_ten_seconds, 10.0)
        self._searches = Window(plan.searches_per_second, 1.0)
        self._per_day = plan.per_day
        self._reserve = 0 if plan.per_day is None else int(plan.per_day * reserve)
        self._left_today = plan.per_day
        self._midnight = self._next_midnight()
        self._spent = False
        self._limit = plan.per_day
        self._heard_at: datetime | None = None

    def _next_midnight(self) -> datetime:
        """The start of the portal's next day, when HubSpot counts anew."""
        today = self._clock.now().astimezone(self._zone).replace(hour=0, minute=0, second=0, microsecond=0)
        return (today + timedelta(days=1)).astimezone(UTC)

    def take(self, *, search: bool, write: bool, until: float) -> None:
        """Wait for a turn, at most until `until` (monotonic). Raises RetryableError when that is too soon."""
        while True:
            with self._lock:
                self._check_budget(write=write)
                now = self._clock.monotonic()
                window = self._searches if search else self._calls
                wait = window.wait(now)
                if wait <= 0:
                    window.took(now)
                    self._left_today = None if self._left_today is None else self._left_today - 1
                    return
            if now + wait > until:
                raise RetryableError("HubSpot's rate limit is used up for now", after=timedelta(seconds=wait))
            self._clock.sleep(wait)

    def _check_budget(self, *, write: bool) -> None:
        now = self._clock.now()
        if now >= self._midnight:
            self._midnight, self._left_today, self._spent = self._next_midnight(), self._per_day, False
            self._heard_at = None
        spent = self._spent or (self._left_today is not None and self._left_today <= self._reserve)
        if spent and not write:
            raise RetryableError(
                "HubSpot's daily limit is used up; what is left is kept for writing flags and notes",
                "see which app uses the calls (HubSpot: Development, Monitoring), or buy the API limit increase",
                self._midnight - now,
            )

    def heard(self, headers: Mapping[str, str], *, search: bool) -> None:
        """Learn from the headers of an answer what is left. Search has none of its own."""
        with self._lock:
            left, daily, limit = (
                _count(headers.get(f"x-hubspot-ratelimit-{name}")) for name in ("remaining", "daily-remaining", "daily")
            )
            if left is not None and not search:
                self._calls.left(left, self._clock.monotonic())
            if daily is not None:
                self._left_today, self._heard_at = daily, self._clock.now()
                self._limit = limit or self._limit

    def refused(self, answer: Refusal, *, search: bool) -> None:
        """Slow down, or stop reading until the portal's midnight."""
        wait = 0.0 if answer.after is None else answer.after.total_seconds()
        with self._lock:
            if answer.policy == Policy.DAILY:
                self._spent = True
                return
            window = (
                self._searches if answer.policy == Policy.SECONDLY or (search and not answer.policy) else self._calls
            )
            window.refused(self._clock.monotonic(), wait)

    def quota(self) -> Quota:
        """The portal's calls of today, as the last answer told them, with our own since."""
        if self._per_day is None:
            return Quota("one day", unknown="HubSpot tells an app with OAuth no daily number")
        with self._lock:
            heard, left, limit = self._heard_at, self._left_today, self._limit
            if heard is None or left is None or limit is None:
                return Quota("one day", unknown="no answer told it yet; searches never do")
            used = limit if self._spent else max(0, limit - left)
            return Quota("one day", used, limit, self._midnight, heard)

    def rest_of_day(self) -> timedelta:
        """How long until HubSpot counts anew."""
        return max(self._midnight - self._clock.now(), timedelta(0))


def _count(text: str | None) -> int | None:
    return int(text) if text is not None and text.isascii() and text.isdigit() else None
