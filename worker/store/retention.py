"""Forgetting what is older than the retention: versions of records, the trail, and effects that are done.

Never the newest version of a record, nothing of an account whose escalation is open, no dead letter, and no flag write
after the last confirmed one, which the next decision is held against.
"""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection, Exists, ScalarSelect, and_, bindparam, case, delete, exists, func, select, tuple_
from sqlalchemy.sql import ColumnElement

from worker.store.codec import micros
from worker.store.deliveries import Kind, State
from worker.store.schema import click, crm, escalation, fact, listing, outbox, trail
from worker.store.statements import one_of

_newer = fact.alias("newer")
_other = outbox.alias("other")


def _open(connector: ColumnElement[str] | ScalarSelect[str], account: ColumnElement[str]) -> Exists:
    return exists().where(
        escalation.c.connector == connector, escalation.c.account_id == account, escalation.c.status != "resolved"
    )


_ACCOUNT = case((fact.c.kind == "account", fact.c.record_id), else_=func.coalesce(fact.c.account_id, ""))
_NAME = select(crm.c.name).where(crm.c.number == fact.c.crm).correlate(fact).scalar_subquery()
_FACT_KEY = (fact.c.crm, fact.c.kind, fact.c.record_id, fact.c.seq)
_OLD_FACTS = (
    select(*_FACT_KEY)
    .where(
        fact.c.seen_at < bindparam("before"),
        exists().where(
            _newer.c.crm == fact.c.crm,
            _newer.c.kind == fact.c.kind,
            _newer.c.record_id == fact.c.record_id,
            _newer.c.seq > fact.c.seq,
        ),
        ~_open(_NAME, _ACCOUNT),
    )
    .limit(bindparam("most"))
)
_FACTS = delete(fact).where(tuple_(*_FACT_KEY).in_(_OLD_FACTS))
_TRAIL = delete(trail).where(
    trail.c.id.in_(
        select(trail.c.id)
        .where(trail.c.at < bindparam("before"), ~_open(trail.c.connector, trail.c.account_id))
        .order_by(trail.c.id)
        .limit(bindparam("most"))
    )
)
_last_flag = (
    select(func.coalesce(func.max(_other.c.ordinal), 0))
    .where(
        _other.c.lane == outbox.c.lane,
        _other.c.connector == outbox.c.connector,
        _other.c.account_id == outbox.c.account_id,
        one_of(_other.c.kind, [Kind.FLAG]),
        one_of(_other.c.state, [State.DONE]),
    )
    .scalar_subquery()
)
_OUTBOX = delete(outbox).where(
    outbox.c.ordinal.in_(
        select(outbox.c.ordinal)
        .where(
            outbox.c.updated_at < bindparam("before"),
            one_of(outbox.c.state, [State.DONE, State.SUPERSEDED, State.EXPIRED]),
            ~_open(outbox.c.connector, outbox.c.account_id),
            ~and_(one_of(outbox.c.kind, [Kind.FLAG]), outbox.c.ordinal >= _last_flag),
        )
        .order_by(outbox.c.ordinal)
        .limit(bindparam("most"))
    )
)
_LISTING_KEY = (listing.c.list_id, listing.c.escalation_id)
_LISTINGS = delete(listing).where(
    tuple_(*_LISTING_KEY).in_(
        select(*_LISTING_KEY)
        .where(
            listing.c.at < bindparam("before"),
            ~exists().where(escalation.c.id == listing.c.escalation_id, escalation.c.status != "resolved"),
        )
        .limit(bindparam("most"))
    )
)
_CLICK_KEY = (click.c.lane, click.c.key)
_CLICKS = delete(click).where(
    tuple_(*_CLICK_KEY).in_(select(*_CLICK_KEY).where(click.c.heard_at < bindparam("before")).limit(bindparam("most")))
)


def forget(tx: Connection, before: datetime, most: int) -> int:
    """Forget at most so many rows of each table. Returns how many went; fewer than `most` means nothing is left."""
    values = {"before": micros(before), "most": most}
    return max(tx.execute(statement, values).rowcount for statement in (_FACTS, _TRAIL, _OUTBOX, _LISTINGS, _CLICKS))
