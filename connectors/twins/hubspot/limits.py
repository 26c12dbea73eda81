"""How many calls in how long: ten seconds, a second for the search, a day in the portal's own zone.

Sources: "API usage guidelines" of HubSpot's developer docs and its changelog on the limits: 190 calls in ten seconds
for an app, five searches a second for the account (those count for the day, not for the ten seconds, and carry no
headers), 650,000 a day on Professional. The refusal names its policy; Retry-After is rare.
"""

from __future__ import annotations

from collections import deque
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from connectors.twins.hubspot.errors import RefusedError
from connectors.twins.hubspot.schema import Portal
from connectors.twins.web import Clock

_TEN = timedelta(seconds=10)
_ONE = timedelta(seconds=1)


class Limits:
    """Counts calls by the twin's clock. `retry_after` adds the header to refusals; `enforced` switches it all."""

    def __init__(self, portal: Portal, clock: Clock) -> None:
        self.portal, self.clock = portal, clock
        self.ten_secondly, self.secondly_search, self.daily = 190, 5, 650_000
        self.enforced, self.retry_after = True, 0
        self.refused: list[str] = []
        self._calls: deque[datetime] = deque()
        self._searches: deque[datetime] = deque()
        self._day: tuple[date, int] = (date.min, 0)

    @property
    def today(self) -> int:
        """Calls since midnight in the portal's zone."""
        day, count = self._day
        return count if day == self._date() else 0

    def spend(self, calls: int) -> None:
        """Let other apps have used some of the day."""
        self._day = (self._date(), self.today + calls)

    def count(self, *, search: bool) -> None:
        """One more call. Raises RefusedError with 429."""
        if self.today >= self.daily:
            raise self.refusal("DAILY")
        calls, span, most = (
            (self._searches, _ONE, self.secondly_search) if search else (self._calls, _TEN, self.ten_secondly)
        )
        _forget(calls, self.clock() - span)
        if len(calls) >= most and self.enforced:
            raise self.refusal("SECONDLY" if search else "TEN_SECONDLY_ROLLING")
        calls.append(self.clock())
        self.spend(1)

    def refusal(self, policy: str) -> RefusedError:
        """The 429 of a policy."""
        self.refused.append(policy)
        told = f"You have reached your {policy.lower()} limit."
        return RefusedError(told, "RATE_LIMITS", 429, more={"errorType": "RATE_LIMIT", "policyName": policy})

    def headers(self, *, search: bool) -> dict[str, str]:
        """What answers carry; the search tells nothing."""
        if search:
            return {}
        _forget(self._calls, self.clock() - _TEN)
        return {
            "X-HubSpot-RateLimit-Max": str(self.ten_secondly),
            "X-HubSpot-RateLimit-Remaining": str(max(0, self.ten_secondly - len(self._calls))),
            "X-HubSpot-RateLimit-Interval-Milliseconds": "10000",
            "X-HubSpot-RateLimit-Daily": str(self.daily),
            "X-HubSpot-RateLimit-Daily-Remaining": str(max(0, self.daily - self.today)),
        }

    def _date(self) -> date:
        return self.clock().astimezone(ZoneInfo(self.portal.zone)).date()


def _forget(calls: deque[datetime], until: datetime) -> None:
    while calls and calls[0] <= until:
        calls.popleft()
