"""A bound on a whole call. Client libraries bound each read only, not an answer that drips."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def bounded(call: Callable[[], T], seconds: float, name: str) -> T:
    """What the call returns or raises, or TimeoutError after so many seconds; the call is then left to itself."""
    answers, faults = list[T](), list[Exception]()

    def run() -> None:
        try:
            answers.append(call())
        except Exception as error:  # noqa: BLE001  it is raised again in the caller's thread
            faults.append(error)

    thread = threading.Thread(target=run, daemon=True, name=name)
    thread.start()
    thread.join(seconds)
    if faults:
        raise faults[0]
    if not answers:
        raise TimeoutError(f"no answer within {seconds:.0f} s")
    return answers[0]
