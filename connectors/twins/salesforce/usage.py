"""How many calls the org has made, and how many it may make.

Sources: "API Request Limits and Allocations" of the Salesforce Developer Limits (rolling 24 hours, shared by the org);
"Limit Info Header" of the REST API Developer Guide, with the burst entitlement that some orgs show; "Limits" resource.
"""

from __future__ import annotations

from collections import deque
from datetime import datetime, timedelta
from typing import Any

from connectors.twins.salesforce.errors import RefusedError
from connectors.twins.web import Clock

_DAY = timedelta(days=1)


class Usage:
    """Counts calls. `others` is what other integrations used; `bursts` shows in the header when set."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.daily, self.others, self.bursts = 100_000, 0, ""
        self._calls: deque[datetime] = deque()

    @property
    def used(self) -> int:
        """Calls in the last 24 hours."""
        now = self.clock()
        while self._calls and self._calls[0] <= now - _DAY:
            self._calls.popleft()
        return len(self._calls) + self.others

    def count(self) -> None:
        """One more call. Raises RefusedError with REQUEST_LIMIT_EXCEEDED when there is none left."""
        if self.used >= self.daily:
            raise RefusedError("REQUEST_LIMIT_EXCEEDED", "TotalRequests Limit exceeded.", status=403)
        self._calls.append(self.clock())

    @property
    def header(self) -> dict[str, str]:
        """What every answer carries."""
        shown = f"api-usage={self.used}/{self.daily}"
        return {"Sforce-Limit-Info": f"{shown}; api-bursts={self.bursts}" if self.bursts else shown}

    def told(self) -> dict[str, Any]:
        """The limits resource."""
        left = max(0, self.daily - self.used)
        return {
            "DailyApiRequests": {"Max": self.daily, "Remaining": left},
            "DailyBulkV2QueryJobs": {"Max": 10_000, "Remaining": 10_000},
            "DataStorageMB": {"Max": 10_240, "Remaining": 10_000},
        }
