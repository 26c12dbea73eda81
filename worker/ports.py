"""The few doors through which the worker touches what is not decided: time, chance, and being interrupted.

Production opens `SystemPorts`; the simulation opens its own, on a virtual clock. No other module of the worker reads a
clock, sleeps or draws a random number.
"""

from __future__ import annotations

import os
import random
import socket
import threading
import time
import uuid
from datetime import UTC, datetime
from typing import Protocol


class Ports(Protocol):
    """Time and chance."""

    def now(self) -> datetime:
        """The wall clock, aware UTC. It may jump."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back; for deadlines and leases."""
        ...

    def sleep(self, seconds: float) -> None:
        """Wait, or less when the worker is asked to stop."""
        ...

    def draw(self) -> float:
        """A random number in [0, 1), for jitter."""
        ...

    def worker_id(self) -> str:
        """Names this process among all that share the store: host, process id and chance, joined by colons."""
        ...

    def at(self, point: str) -> None:
        """A named point of the worker's path; the simulation kills and pauses here, production does nothing."""
        ...


class SystemPorts:
    """The real ones. `stop` and `wake` wake every sleeper, `stop` for good."""

    def __init__(self) -> None:
        self._woken = threading.Event()
        self._stopped = False
        self._random = random.Random()  # noqa: S311  jitter needs no cryptography
        self._id = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:8]}"

    def now(self) -> datetime:  # noqa: D102
        return datetime.now(UTC)

    def monotonic(self) -> float:  # noqa: D102
        return time.monotonic()

    def sleep(self, seconds: float) -> None:  # noqa: D102
        self._woken.wait(max(0.0, seconds))
        if not self._stopped:
            self._woken.clear()

    def draw(self) -> float:  # noqa: D102
        return self._random.random()

    def worker_id(self) -> str:  # noqa: D102
        return self._id

    def at(self, point: str) -> None:  # noqa: D102
        pass

    def wake(self) -> None:
        """End the present sleep, or the next one."""
        self._woken.set()

    def stop(self) -> None:
        """End every sleep, now and later."""
        self._stopped = True
        self._woken.set()
