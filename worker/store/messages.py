"""Messages that are not sent yet: lists that still grow, and what a failing channel leaves to another one."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, bindparam, select, update

from worker.core.model import Level
from worker.store.codec import micros
from worker.store.deliveries import Delivery, Kind, State
from worker.store.outbox import delivery_from
from worker.store.outbox_statements import UNSETTLED
from worker.store.schema import outbox
from worker.store.statements import one_of

DIGEST = "digest:"
"""How the account of a list's row begins: each list is in an order of its own."""

_GROWING = (outbox.c.attempt == 0, one_of(outbox.c.state, [State.NEW, State.UNKNOWN]))
_GROW = (
    update(outbox)
    .where(outbox.c.ordinal == bindparam("own_ordinal"), outbox.c.payload == bindparam("as_read"), *_GROWING)
    .values(payload=bindparam("grown"), level=bindparam("risen"))
)
_STUCK = (
    select(outbox)
    .where(
        outbox.c.lane == bindparam("of_lane"),
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        UNSETTLED,
        one_of(outbox.c.state, [State.NEW, State.UNKNOWN]),
        outbox.c.created_at <= bindparam("before"),
    )
    .order_by(outbox.c.level.desc(), outbox.c.ordinal)
    .limit(bindparam("most"))
)
_REFUSED = (
    select(outbox)
    .where(
        outbox.c.lane == bindparam("of_lane"),
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        one_of(outbox.c.state, [State.REFUSED]),
        outbox.c.updated_at > bindparam("after"),
    )
    .order_by(outbox.c.level.desc(), outbox.c.ordinal)
    .limit(bindparam("most"))
)

_STRUGGLING = (
    select(outbox.c.lane, outbox.c.reason, outbox.c.remedy)
    .where(
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        UNSETTLED,
        one_of(outbox.c.state, [State.NEW, State.UNKNOWN]),
        outbox.c.attempt > 0,
        outbox.c.created_at <= bindparam("before"),
    )
    .order_by(outbox.c.lane, outbox.c.ordinal.desc())
)


def struggling(tx: Connection, before: datetime) -> dict[str, tuple[str, str]]:
    """The lanes with messages that were tried in vain since before a time, with the reason and the remedy."""
    return {row[0]: (row[1] or "no answer", row[2]) for row in tx.execute(_STRUGGLING, {"before": micros(before)})}


def grow(tx: Connection, row: Delivery, payload: bytes, level: Level) -> bool:
    """Give a message another text. False when somebody has begun to send it, or gave it another one meanwhile."""
    values = {"own_ordinal": row.ordinal, "as_read": row.intent.payload, "grown": payload, "risen": int(level)}
    return tx.execute(_GROW, values).rowcount == 1


def stuck(tx: Connection, lane: str, before: datetime, most: int = 100) -> list[Delivery]:
    """Messages of a lane that wait since before a time, sent or not, the most urgent first."""
    values = {"of_lane": lane, "before": micros(before), "most": most}
    return [delivery_from(row) for row in tx.execute(_STUCK, values)]


def refused(tx: Connection, lane: str, after: datetime, most: int = 100) -> Sequence[Delivery]:
    """Messages of a lane that its target refused since a time."""
    values = {"of_lane": lane, "after": micros(after), "most": most}
    return [delivery_from(row) for row in tx.execute(_REFUSED, values)]
