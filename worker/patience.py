"""How long delivering tries, waits and stays in doubt. Only `deliver` and what it is made of follow it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to try. `deadline` bounds one attempt as a whole; waits double from `first` to `most`, with full jitter.

    A refused connection or broken credential is probed again after `slow`. Chat older than `chat_age` is not sent.
    `tries` bounds one attempt; what then is left waits in the outbox.
    """

    deadline: timedelta = timedelta(seconds=30)
    first: timedelta = timedelta(seconds=1)
    most: timedelta = timedelta(minutes=5)
    slow: timedelta = timedelta(minutes=5)
    settle: timedelta = timedelta(seconds=5)
    chat_age: timedelta = timedelta(hours=24)
    tries: int = 3

    def wait(self, attempt: int, draw: float) -> timedelta:
        """Full jitter: anything from nothing to the doubled wait."""
        doubled: timedelta = self.first * float(2 ** min(attempt, 16))
        return min(self.most, doubled) * draw
