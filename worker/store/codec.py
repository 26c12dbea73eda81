"""Times and values as the tables hold them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TypeVar

import msgspec

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_encoder = msgspec.json.Encoder(order="deterministic")

T = TypeVar("T")


def micros(moment: datetime) -> int:
    """An aware time as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // _MICROSECOND


def instant(value: int) -> datetime:
    """Microseconds since 1970 as aware UTC."""
    return _EPOCH + timedelta(microseconds=value)


def maybe_micros(moment: datetime | None) -> int | None:
    """The same, where there may be none."""
    return None if moment is None else micros(moment)


def maybe_instant(value: int | None) -> datetime | None:
    """The same, where there may be none."""
    return None if value is None else instant(value)


def encode(value: object) -> bytes:
    """A value as JSON; equal values give equal bytes."""
    return _encoder.encode(value)


def decode(body: bytes | str, kind: type[T]) -> T:
    """The value back."""
    return msgspec.json.decode(body, type=kind)
