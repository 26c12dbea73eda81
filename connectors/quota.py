"""What a CRM promises besides, that counts calls against a limit: to tell how many are used."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Quota:
    """How many calls a CRM has counted against its limit, of everybody who uses the account, as its answers last told.

    `period` says what the limit is for, such as `24 hours`. `resets_at` is when counting begins anew; None where
    nothing resets at once (a rolling period). `used` or `limit` None: not known, and `unknown` says why.
    """

    period: str
    used: int | None = None
    limit: int | None = None
    resets_at: datetime | None = None
    heard_at: datetime | None = None
    unknown: str = ""


@runtime_checkable
class Metered(Protocol):
    """A CRM that limits calls and tells how many are used. What has no such limit leaves this out."""

    def quota(self) -> Quota:
        """What the answers so far told. No I/O."""
        ...
