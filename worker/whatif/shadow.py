"""A candidate policy in the shadow of the live one: noted when it began, held against the facts that came since.

The decision function is the same and the facts are stored, so a replay since the beginning gives what a candidate run
beside the live policy would have given; nothing has to run twice, and nothing of it can leak out.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import msgspec
from sqlalchemy import Connection

from worker.store import guard
from worker.store.codec import decode, encode

_SHADOW = "shadow"


class Shadow(msgspec.Struct, frozen=True):
    """Which candidate is watched since when; `version` is its policy's digest at the start."""

    path: str
    version: str
    since: datetime


def begin(tx: Connection, candidate: Path, version: str, now: datetime) -> None:
    """Watch a candidate from now on."""
    guard.set_setting(tx, _SHADOW, encode(Shadow(str(candidate.resolve()), version, now)).decode())


def present(tx: Connection) -> Shadow | None:
    """The candidate that is watched."""
    told = guard.setting(tx, _SHADOW)
    return decode(told, Shadow) if told else None


def end(tx: Connection) -> None:
    """Watch none."""
    guard.set_setting(tx, _SHADOW, "")
