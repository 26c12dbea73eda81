"""Which call goes wrong, and how: by its number or by a pattern of its method and path."""

from __future__ import annotations

import re
from collections import deque
from enum import StrEnum


class Fault(StrEnum):
    """How one call goes wrong. Those in AFTER are done before they go wrong, the others not at all."""

    REFUSE = "the line breaks before the call is done"
    HANG = "no answer for a while, then the line breaks; not done"
    HTML_200 = "200 with a page of some proxy; not done"
    HTML_503 = "503 with a page; not done"
    GARBLED_502 = "502 with a page that is no UTF-8; not done"
    UNAUTHORIZED = "the vendor's 401; not done"
    LIMIT = "the vendor's way to say that a limit is reached; not done"
    RESET_AFTER = "done, then the line breaks"
    HANG_AFTER = "done, then no answer for a while and the line breaks"
    BROKEN_AFTER = "done, then 500 with a page"
    TRUNCATED = "done, half of the body arrives"
    SLOW = "done, the body drips in"


AFTER = frozenset({Fault.RESET_AFTER, Fault.HANG_AFTER, Fault.BROKEN_AFTER, Fault.TRUNCATED, Fault.SLOW})


class FaultPlan:
    """The orders. Without any, everything goes right."""

    def __init__(self) -> None:
        self._by_number: dict[int, Fault] = {}
        self._by_pattern: list[tuple[re.Pattern[str], deque[Fault]]] = []
        self._standing: list[tuple[re.Pattern[str], Fault]] = []

    def at(self, number: int, fault: Fault) -> None:
        """The call of this number (1 is the first since the start) fails like this."""
        self._by_number[number] = fault

    def on(self, pattern: str, *faults: Fault) -> None:
        """The next calls whose `METHOD /path` holds the pattern fail like this, one after the other."""
        self._by_pattern.append((re.compile(pattern), deque(faults)))

    def always(self, pattern: str, fault: Fault) -> None:
        """All calls whose `METHOD /path` holds the pattern fail like this, until `clear`."""
        self._standing.append((re.compile(pattern), fault))

    def clear(self) -> None:
        """Everything goes right from now on."""
        self._by_number.clear()
        self._by_pattern.clear()
        self._standing.clear()

    def next(self, number: int, method: str, path: str) -> Fault | None:
        """The fault of this call; an order for one call is used up by it."""
        if number in self._by_number:
            return self._by_number.pop(number)
        line = f"{method} {path}"
        for pattern, faults in self._by_pattern:
            if faults and pattern.search(line):
                return faults.popleft()
        return next((fault for pattern, fault in self._standing if pattern.search(line)), None)
