"""What the operating system asks of a running worker: to stop, now or after its step, or to read its files again.

SIGTERM and SIGINT end it after the present step, at the latest after a few seconds, and at once when sent again. SIGHUP
asks for the configuration to be read again.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType

import structlog

from worker.ports import SystemPorts

_GRACE = 8.0
"""Seconds: with the start of the process well under the ten that the service promises."""
_log = structlog.get_logger(__name__)


class Parked(BaseException):
    """Leave the present step unfinished; no part of the worker may take it for an error of its own."""


@dataclass(slots=True)
class Signals:
    """What the operating system asked for."""

    stop: bool = False
    reload: bool = False


@contextmanager
def listening(ports: SystemPorts, grace: float = _GRACE) -> Iterator[Signals]:
    """Turn signals into wishes for as long as the block runs. Outside the main thread nothing is caught.

    A wish to stop that is not met within `grace` seconds, or is said twice, ends the block where it stands.
    """
    signals = Signals()
    if threading.current_thread() is not threading.main_thread():
        yield signals
        return

    def stop(_number: int, _frame: FrameType | None) -> None:
        if signals.stop:
            park(_number, _frame)
        signals.stop = True
        signal.setitimer(signal.ITIMER_REAL, grace)
        ports.stop()

    def park(_number: int, _frame: FrameType | None) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        raise Parked

    def reload(_number: int, _frame: FrameType | None) -> None:
        signals.reload = True
        ports.wake()

    wanted = {signal.SIGTERM: stop, signal.SIGINT: stop, signal.SIGHUP: reload, signal.SIGALRM: park}
    before = {number: signal.signal(number, action) for number, action in wanted.items()}
    try:
        yield signals
    except Parked:
        # What was on its way is on trial in the outbox: the next start looks it up.
        _log.warning("stopped in the middle of a step", remedy="nothing: the next start finds out what became of it")
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        for number, action in before.items():
            signal.signal(number, action)
