"""Effects on their way: the intent is durable before a byte is sent, each key is there once, order per account holds.

new -> trying (attempt n, deadline) -> done | refused | unknown; an unknown one is looked up by key after its deadline
and the target's look-up lag, and only then sent again. Every change compares the attempt, so a worker that was
overtaken cannot settle what another one has taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import Connection, and_, exists, func, insert, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert
from sqlalchemy.sql import ColumnElement

from worker.core.model import AccountId, ConnectorName, Event, Level
from worker.store.codec import instant, maybe_instant, micros
from worker.store.schema import outbox


class State(StrEnum):
    """Where an effect stands. NEW, TRYING and UNKNOWN hold back later effects of the same lane and account."""

    NEW = "new"
    TRYING = "trying"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


PENDING = (State.NEW, State.TRYING, State.UNKNOWN)


class Kind(StrEnum):
    """What an effect is."""

    FLAG = "flag"
    NOTE = "note"
    TASK = "task"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect to bring about, as it is enqueued."""

    key: str
    lane: str
    kind: Kind
    connector: ConnectorName
    account_id: AccountId
    escalation_id: str
    event: Event
    event_no: int
    level: Level
    payload: bytes


@dataclass(frozen=True, slots=True)
class Delivery:
    """An effect as it stands in the outbox."""

    ordinal: int
    intent: Intent
    state: State
    attempt: int
    deadline: datetime | None
    remote_id: str
    reason: str
    remedy: str
    created_at: datetime
    updated_at: datetime


def enqueue(tx: Connection, intents: Sequence[Intent], now: datetime) -> int:
    """Add effects whose keys are not there yet. Returns how many are new."""
    return sum(_add(tx, intent, now) for intent in intents)


def _add(tx: Connection, intent: Intent, now: datetime) -> bool:
    maker = sqlite_insert if tx.dialect.name == "sqlite" else pg_insert
    statement = maker(outbox).values(**_columns(intent, now)).on_conflict_do_nothing(index_elements=["key"])
    return tx.execute(statement.returning(outbox.c.ordinal)).first() is not None


def _columns(intent: Intent, now: datetime) -> dict[str, object]:
    moment = micros(now)
    return {
        "key": intent.key,
        "lane": intent.lane,
        "kind": intent.kind.value,
        "connector": intent.connector,
        "account_id": intent.account_id,
        "escalation_id": intent.escalation_id,
        "event": intent.event.value,
        "event_no": intent.event_no,
        "level": int(intent.level),
        "payload": intent.payload,
        "state": State.NEW.value,
        "attempt": 0,
        "not_before": moment,
        "created_at": moment,
        "updated_at": moment,
    }


def pending_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account that is not settled."""
    statement = (
        select(outbox)
        .where(_flags_of(connector, account_id), outbox.c.state.in_([state.value for state in PENDING]))
        .order_by(outbox.c.ordinal.desc())
        .limit(1)
    )
    row = tx.execute(statement).first()
    return None if row is None else _delivery(row)


def _flags_of(connector: ConnectorName, account_id: AccountId) -> ColumnElement[bool]:
    return and_(
        outbox.c.lane == connector,
        outbox.c.connector == connector,
        outbox.c.account_id == account_id,
        outbox.c.kind == Kind.FLAG.value,
    )


def unconfirmed_flags(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[bytes]:
    """Payloads of flag writes after the last confirmed one that may have reached the CRM all the same."""
    last_done = (
        select(func.coalesce(func.max(outbox.c.ordinal), 0))
        .where(_flags_of(connector, account_id), outbox.c.state == State.DONE.value)
        .scalar_subquery()
    )
    statement = select(outbox.c.payload).where(
        _flags_of(connector, account_id), outbox.c.attempt > 0, outbox.c.ordinal > last_done
    )
    return [row[0] for row in tx.execute(statement.order_by(outbox.c.ordinal.desc()))]


def replace_flag(tx: Connection, intent: Intent, now: datetime) -> None:
    """Enqueue a flag write in place of the ones that were not sent yet.

    One that was never tried is dropped; one that was tried stays in the ledger, since the CRM may have it.
    """
    waiting = and_(_flags_of(intent.connector, intent.account_id), outbox.c.state == State.NEW.value)
    tx.execute(
        update(outbox).where(waiting).values(state=State.SUPERSEDED.value, updated_at=micros(now), reason="overtaken")
    )
    tx.execute(insert(outbox).values(**_columns(intent, now)))


def next_flag_no(tx: Connection, connector: ConnectorName, account_id: AccountId) -> int:
    """Counts the flag writes of an account, for their keys."""
    statement = select(func.count()).select_from(outbox).where(_flags_of(connector, account_id))
    return int(tx.execute(statement).scalar_one()) + 1


def claim(tx: Connection, lane: str, limit: int, owner: str, now: datetime, deadline: datetime) -> list[Delivery]:
    """Take the most urgent due effects of a lane, at most one an account, and put them on trial.

    The transaction must be committed before anything is sent.
    """
    before = outbox.alias("before")
    held_back = exists().where(
        before.c.lane == outbox.c.lane,
        before.c.connector == outbox.c.connector,
        before.c.account_id == outbox.c.account_id,
        before.c.ordinal < outbox.c.ordinal,
        before.c.state.in_([state.value for state in PENDING]),
    )
    due = (
        select(outbox)
        .where(outbox.c.lane == lane, outbox.c.state == State.NEW.value, outbox.c.not_before <= micros(now), ~held_back)
        .order_by(outbox.c.level.desc(), outbox.c.ordinal)
        .limit(limit)
    )
    taken = [_delivery(row) for row in tx.execute(due).all()]
    return [
        replace(mine, state=State.TRYING, attempt=mine.attempt + 1, deadline=deadline)
        for mine in taken
        if _take(tx, mine, owner, now, deadline)
    ]


def _take(tx: Connection, delivery: Delivery, owner: str, now: datetime, deadline: datetime) -> bool:
    return _settle(
        tx,
        delivery,
        (State.NEW,),
        {
            "state": State.TRYING.value,
            "attempt": delivery.attempt + 1,
            "owner": owner,
            "deadline": micros(deadline),
            "updated_at": micros(now),
        },
    )


def _settle(tx: Connection, delivery: Delivery, states: tuple[State, ...], values: dict[str, object]) -> bool:
    statement = (
        update(outbox)
        .where(
            outbox.c.ordinal == delivery.ordinal,
            outbox.c.attempt == delivery.attempt,
            outbox.c.state.in_([state.value for state in states]),
        )
        .values(**values)
    )
    return tx.execute(statement).rowcount == 1


_OURS = (State.TRYING, State.UNKNOWN)


def done(tx: Connection, delivery: Delivery, remote_id: str, now: datetime) -> bool:
    """It is there. False when somebody else settled it."""
    values: dict[str, object] = {"state": State.DONE.value, "remote_id": remote_id, "updated_at": micros(now)}
    return _settle(tx, delivery, _OURS, {**values, "reason": "", "remedy": ""})


def again(tx: Connection, delivery: Delivery, not_before: datetime, reason: str, now: datetime) -> bool:
    """It surely did not happen: try once more, not before a time."""
    values: dict[str, object] = {
        "state": State.NEW.value,
        "not_before": micros(not_before),
        "reason": reason,
        "updated_at": micros(now),
    }
    return _settle(tx, delivery, _OURS, values)


def unknown(tx: Connection, delivery: Delivery, reason: str, now: datetime) -> bool:
    """It may have happened."""
    values: dict[str, object] = {"state": State.UNKNOWN.value, "reason": reason, "updated_at": micros(now)}
    return _settle(tx, delivery, _OURS, values)


def end(tx: Connection, delivery: Delivery, state: State, reason: str, remedy: str, now: datetime) -> bool:
    """Stop trying: refused by the target, overtaken, or too old."""
    values: dict[str, object] = {
        "state": state.value,
        "reason": reason,
        "remedy": remedy,
        "updated_at": micros(now),
    }
    return _settle(tx, delivery, (*_OURS, State.NEW), values)


def unanswered(tx: Connection, lane: str, before: datetime, limit: int) -> list[Delivery]:
    """Effects on trial whose deadline passed before a time: nobody will settle them any more."""
    statement = (
        select(outbox)
        .where(
            outbox.c.lane == lane,
            outbox.c.state.in_([State.TRYING.value, State.UNKNOWN.value]),
            outbox.c.deadline <= micros(before),
        )
        .order_by(outbox.c.ordinal)
        .limit(limit)
    )
    return [_delivery(row) for row in tx.execute(statement)]


def thread_ref(tx: Connection, lane: str, escalation_id: str) -> str:
    """The remote id of the first message about an escalation on a lane, empty when there is none."""
    statement = (
        select(outbox.c.remote_id)
        .where(
            outbox.c.lane == lane,
            outbox.c.escalation_id == escalation_id,
            outbox.c.kind == Kind.MESSAGE.value,
            outbox.c.state == State.DONE.value,
            outbox.c.remote_id != "",
        )
        .order_by(outbox.c.ordinal)
        .limit(1)
    )
    found = tx.execute(statement).scalar()
    return "" if found is None else str(found)


def in_state(tx: Connection, *states: State, limit: int = 1000) -> list[Delivery]:
    """Effects that stand so, oldest first."""
    statement = select(outbox).where(outbox.c.state.in_([state.value for state in states]))
    return [_delivery(row) for row in tx.execute(statement.order_by(outbox.c.ordinal).limit(limit))]


def of_escalation(tx: Connection, escalation_id: str) -> list[Delivery]:
    """Every effect of one escalation, in order."""
    statement = select(outbox).where(outbox.c.escalation_id == escalation_id).order_by(outbox.c.ordinal)
    return [_delivery(row) for row in tx.execute(statement)]


def of_kind(tx: Connection, lane: str, kind: Kind) -> list[Delivery]:
    """Every effect of one kind on a lane, in order."""
    statement = select(outbox).where(outbox.c.lane == lane, outbox.c.kind == kind.value).order_by(outbox.c.ordinal)
    return [_delivery(row) for row in tx.execute(statement)]


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many effects stand where: (lane, state) to number."""
    statement = select(outbox.c.lane, outbox.c.state, func.count()).group_by(outbox.c.lane, outbox.c.state)
    return {(row[0], row[1]): row[2] for row in tx.execute(statement)}


def retry_refused(tx: Connection, now: datetime, key: str | None = None) -> int:
    """Put dead letters back, all or one; their attempts and keys stay. Returns how many."""
    statement = update(outbox).where(outbox.c.state.in_([State.REFUSED.value, State.EXPIRED.value]))
    if key is not None:
        statement = statement.where(outbox.c.key == key)
    moment = micros(now)
    return tx.execute(
        statement.values(state=State.NEW.value, not_before=moment, updated_at=moment, created_at=moment)
    ).rowcount


def oldest_pending(tx: Connection) -> datetime | None:
    """Since when the oldest unsettled effect waits."""
    statement = select(func.min(outbox.c.created_at)).where(outbox.c.state.in_([state.value for state in PENDING]))
    return maybe_instant(tx.execute(statement).scalar())


def _delivery(row: Any) -> Delivery:
    intent = Intent(
        key=row.key,
        lane=row.lane,
        kind=Kind(row.kind),
        connector=ConnectorName(row.connector),
        account_id=AccountId(row.account_id),
        escalation_id=row.escalation_id,
        event=Event(row.event),
        event_no=row.event_no,
        level=Level(row.level),
        payload=row.payload,
    )
    return Delivery(
        ordinal=row.ordinal,
        intent=intent,
        state=State(row.state),
        attempt=row.attempt,
        deadline=maybe_instant(row.deadline),
        remote_id=row.remote_id,
        reason=row.reason,
        remedy=row.remedy,
        created_at=instant(row.created_at),
        updated_at=instant(row.updated_at),
    )


def expire_messages(tx: Connection, lane: str, before: datetime, now: datetime) -> int:
    """Give up messages that waited since before a time: late chat misleads. Flags and notes never expire."""
    statement = (
        update(outbox)
        .where(
            outbox.c.lane == lane,
            outbox.c.kind == Kind.MESSAGE.value,
            outbox.c.state == State.NEW.value,
            outbox.c.created_at < micros(before),
        )
        .values(state=State.EXPIRED.value, reason="stale, not sent", updated_at=micros(now))
    )
    return tx.execute(statement).rowcount


def last_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account, whatever became of it."""
    statement = select(outbox).where(_flags_of(connector, account_id)).order_by(outbox.c.ordinal.desc()).limit(1)
    row = tx.execute(statement).first()
    return None if row is None else _delivery(row)


def reopen(tx: Connection, key: str) -> int:
    """Send a confirmed effect again under its own key: it is gone from the target. Returns 1 if there is one."""
    statement = update(outbox).where(outbox.c.key == key, outbox.c.state == State.DONE.value)
    return tx.execute(statement.values(state=State.NEW.value, remote_id="")).rowcount
