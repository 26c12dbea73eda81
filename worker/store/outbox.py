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

from sqlalchemy import Connection, Update, and_, bindparam, exists, func, insert, select, update

from worker.core.model import AccountId, ConnectorName, Event, Level
from worker.store.codec import instant, maybe_instant, maybe_micros, micros
from worker.store.schema import outbox
from worker.store.statements import Insert, one_of


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
_OURS = (State.TRYING, State.UNKNOWN)
_DEAD = (State.REFUSED, State.EXPIRED)

REPEATED = "repeated: it may have arrived before"
"""The reason of an effect that goes again although nobody could look whether it is there."""

_BEFORE_US = "the CRM was flagged before this state began: it may be there already"


class Kind(StrEnum):
    """What an effect is."""

    FLAG = "flag"
    NOTE = "note"
    TASK = "task"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect to bring about, as it is enqueued. Effects of one lane and stream go in order; empty: the account's.

    `told_since`: a state that was lost may have brought it about, from then on; it is looked for before it is sent.
    """

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
    stream: str = ""
    told_since: datetime | None = None


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


_LANE = outbox.c.lane == bindparam("of_lane")
_FLAGS = and_(
    outbox.c.lane == bindparam("of_connector"),
    outbox.c.connector == bindparam("of_connector"),
    outbox.c.account_id == bindparam("of_account"),
    one_of(outbox.c.kind, [Kind.FLAG]),
)
_before = outbox.alias("before")
_EARLIER = and_(
    _before.c.lane == outbox.c.lane,
    _before.c.connector == outbox.c.connector,
    _before.c.stream == outbox.c.stream,
    _before.c.ordinal < outbox.c.ordinal,
    one_of(_before.c.state, PENDING),
)
_DUE = and_(_LANE, one_of(outbox.c.state, [State.NEW]), outbox.c.not_before <= bindparam("now"))
_HEADS = (
    select(outbox)
    .where(_DUE, ~exists().where(_EARLIER))
    .order_by(outbox.c.level.desc(), outbox.c.ordinal)
    .limit(bindparam("most"))
)
"""The earliest unsettled effect of each account, if it is due (I18)."""
_account = (outbox.c.connector, outbox.c.stream)
_also_due = and_(one_of(_before.c.state, [State.NEW]), _before.c.not_before <= bindparam("now"))
_RUNS = (
    select(outbox)
    .where(_DUE, ~exists().where(_EARLIER, ~_also_due))
    .order_by(
        func.max(outbox.c.level).over(partition_by=_account).desc(),
        func.min(outbox.c.ordinal).over(partition_by=_account),
        outbox.c.ordinal,
    )
    .limit(bindparam("most"))
)
"""The due effects of each account up to the first one that is not: a target that keeps the order takes them at once."""
_WAITING = select(outbox.c.lane).where(one_of(outbox.c.state, PENDING)).distinct()
_ADD = Insert(
    outbox,
    (
        *(
            "key",
            "lane",
            "kind",
            "connector",
            "account_id",
            "stream",
            "escalation_id",
            "event",
            "event_no",
            "level",
            "payload",
        ),
        *("state", "attempt", "not_before", "deadline", "reason", "created_at", "updated_at"),
    ),
    lambda insert: insert.on_conflict_do_nothing(index_elements=["key"]).returning(outbox.c.ordinal),
)
_LAST_FLAG = select(outbox).where(_FLAGS).order_by(outbox.c.ordinal.desc()).limit(1)
_PENDING_FLAG = _LAST_FLAG.where(one_of(outbox.c.state, PENDING))
_last_done = select(func.coalesce(func.max(outbox.c.ordinal), 0)).where(_FLAGS, one_of(outbox.c.state, [State.DONE]))
_UNCONFIRMED_FLAGS = (
    select(outbox.c.payload)
    .where(_FLAGS, outbox.c.attempt > 0, outbox.c.ordinal > _last_done.scalar_subquery())
    .order_by(outbox.c.ordinal.desc())
)
_OVERTAKE = (
    update(outbox)
    .where(_FLAGS, one_of(outbox.c.state, [State.NEW]))
    .values(state=State.SUPERSEDED.value, reason="overtaken", updated_at=bindparam("now"))
)
_LAST_FLAG_NO = select(func.coalesce(func.max(outbox.c.event_no), 0)).where(_FLAGS)
_MINE = and_(outbox.c.ordinal == bindparam("own_ordinal"), outbox.c.attempt == bindparam("own_attempt"))
_SETTLE: dict[tuple[State, ...], Update] = {
    states: update(outbox).where(_MINE, one_of(outbox.c.state, states))
    for states in ((State.NEW,), _OURS, (*_OURS, State.NEW))
}
_UNANSWERED = (
    select(outbox)
    .where(_LANE, one_of(outbox.c.state, _OURS), outbox.c.deadline <= bindparam("before"))
    .order_by(outbox.c.ordinal)
    .limit(bindparam("most"))
)
_OF_ESCALATION = outbox.c.escalation_id == bindparam("of_escalation")
_THREAD = (
    select(outbox.c.remote_id)
    .where(
        _LANE,
        _OF_ESCALATION,
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        one_of(outbox.c.state, [State.DONE]),
        outbox.c.remote_id != "",
    )
    .order_by(outbox.c.ordinal)
    .limit(1)
)
_EFFECTS_OF = select(outbox).where(_OF_ESCALATION).order_by(outbox.c.ordinal)
_OF_KIND = select(outbox).where(_LANE, outbox.c.kind == bindparam("kind")).order_by(outbox.c.ordinal)
_COUNTS = select(outbox.c.lane, outbox.c.state, func.count()).group_by(outbox.c.lane, outbox.c.state)
_OLDEST = select(func.min(outbox.c.created_at)).where(one_of(outbox.c.state, PENDING))
_STALE = (
    update(outbox)
    .where(
        _LANE,
        one_of(outbox.c.kind, [Kind.MESSAGE]),
        one_of(outbox.c.state, [State.NEW]),
        outbox.c.created_at < bindparam("before"),
    )
    .values(state=State.EXPIRED.value, reason="stale, not sent", updated_at=bindparam("now"))
)
_REOPEN = (
    update(outbox)
    .where(outbox.c.key == bindparam("own_key"), one_of(outbox.c.state, [State.DONE]))
    .values(state=State.NEW.value, remote_id="")
)


def enqueue(tx: Connection, intents: Sequence[Intent], now: datetime) -> int:
    """Add effects whose keys are not there yet. Returns how many are new."""
    return sum(_add(tx, intent, now) for intent in intents)


def _add(tx: Connection, intent: Intent, now: datetime) -> bool:
    return tx.execute(_ADD.on(tx), _columns(intent, now)).first() is not None


def _columns(intent: Intent, now: datetime) -> dict[str, object]:
    moment = micros(now)
    return {
        "key": intent.key,
        "lane": intent.lane,
        "kind": intent.kind.value,
        "connector": intent.connector,
        "account_id": intent.account_id,
        "stream": intent.stream or intent.account_id,
        "escalation_id": intent.escalation_id,
        "event": intent.event.value,
        "event_no": intent.event_no,
        "level": int(intent.level),
        "payload": intent.payload,
        "state": State.NEW.value if intent.told_since is None else State.UNKNOWN.value,
        "attempt": 0,
        "not_before": moment,
        "deadline": maybe_micros(intent.told_since),
        "reason": "" if intent.told_since is None else _BEFORE_US,
        "created_at": moment,
        "updated_at": moment,
    }


def pending_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account that is not settled."""
    row = tx.execute(_PENDING_FLAG, {"of_connector": connector, "of_account": account_id}).first()
    return None if row is None else delivery_from(row)


def unconfirmed_flags(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[bytes]:
    """Payloads of flag writes after the last confirmed one that may have reached the CRM all the same."""
    wanted = {"of_connector": connector, "of_account": account_id}
    return [row[0] for row in tx.execute(_UNCONFIRMED_FLAGS, wanted)]


def replace_flag(tx: Connection, intent: Intent, now: datetime) -> None:
    """Enqueue a flag write in place of the ones that were not sent yet.

    One that was never tried is dropped; one that was tried stays in the ledger, since the CRM may have it.
    """
    account = {"of_connector": intent.connector, "of_account": intent.account_id}
    tx.execute(_OVERTAKE, {**account, "now": micros(now)})
    tx.execute(insert(outbox), _columns(intent, now))


def next_flag_no(tx: Connection, connector: ConnectorName, account_id: AccountId) -> int:
    """The number of the next flag write of an account, for its key. Rises though old ones may be forgotten."""
    return int(tx.execute(_LAST_FLAG_NO, {"of_connector": connector, "of_account": account_id}).scalar_one()) + 1


def waiting_lanes(tx: Connection) -> frozenset[str]:
    """The lanes with effects that are not settled."""
    return frozenset(row[0] for row in tx.execute(_WAITING))


def claim(
    tx: Connection,
    lane: str,
    limit: int,
    owner: str,
    now: datetime,
    deadline: datetime,
    *,
    grouped: bool = False,
) -> list[Delivery]:
    """Take the most urgent due effects of a lane and put them on trial.

    At most one an account, or, where the target keeps to the order (`grouped`), several, in their order.
    The transaction must be committed before anything is sent.
    """
    due = tx.execute(_RUNS if grouped else _HEADS, {"of_lane": lane, "now": micros(now), "most": limit})
    taken = [delivery_from(row) for row in due.all()]
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
    own = {"own_ordinal": delivery.ordinal, "own_attempt": delivery.attempt}
    return tx.execute(_SETTLE[states], {**own, **values}).rowcount == 1


def done(tx: Connection, delivery: Delivery, remote_id: str, now: datetime) -> bool:
    """It is there. False when somebody else settled it."""
    values: dict[str, object] = {"state": State.DONE.value, "remote_id": remote_id, "updated_at": micros(now)}
    return _settle(tx, delivery, _OURS, {**values, "reason": "", "remedy": ""})


def again(tx: Connection, delivery: Delivery, not_before: datetime, reason: str, now: datetime) -> bool:
    """It surely did not happen: try once more, not before a time. That an earlier attempt is in doubt stays known."""
    doubt = delivery.reason.startswith(REPEATED) and reason != REPEATED
    values: dict[str, object] = {
        "state": State.NEW.value,
        "not_before": micros(not_before),
        "reason": f"{REPEATED}; {reason}" if doubt else reason,
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
    wanted = {"of_lane": lane, "before": micros(before), "most": limit}
    return [delivery_from(row) for row in tx.execute(_UNANSWERED, wanted)]


def thread_ref(tx: Connection, lane: str, escalation_id: str) -> str:
    """The remote id of the first message about an escalation on a lane, empty when there is none."""
    found = tx.execute(_THREAD, {"of_lane": lane, "of_escalation": escalation_id}).scalar()
    return "" if found is None else str(found)


def in_state(tx: Connection, *states: State, limit: int = 1000) -> list[Delivery]:
    """Effects that stand so, oldest first."""
    wanted = select(outbox).where(one_of(outbox.c.state, states)).order_by(outbox.c.ordinal).limit(limit)
    return [delivery_from(row) for row in tx.execute(wanted)]


def of_escalation(tx: Connection, escalation_id: str) -> list[Delivery]:
    """Every effect of one escalation, in order."""
    return [delivery_from(row) for row in tx.execute(_EFFECTS_OF, {"of_escalation": escalation_id})]


def of_kind(tx: Connection, lane: str, kind: Kind) -> list[Delivery]:
    """Every effect of one kind on a lane, in order."""
    return [delivery_from(row) for row in tx.execute(_OF_KIND, {"of_lane": lane, "kind": kind.value})]


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many effects stand where: (lane, state) to number."""
    return {(row[0], row[1]): row[2] for row in tx.execute(_COUNTS)}


def retry_refused(tx: Connection, now: datetime, key: str | None = None) -> int:
    """Put dead letters back, all or one; their attempts and keys stay. Returns how many."""
    statement = update(outbox).where(one_of(outbox.c.state, _DEAD))
    if key is not None:
        statement = statement.where(outbox.c.key == key)
    moment = micros(now)
    return tx.execute(
        statement.values(state=State.NEW.value, not_before=moment, updated_at=moment, created_at=moment)
    ).rowcount


def oldest_pending(tx: Connection) -> datetime | None:
    """Since when the oldest unsettled effect waits."""
    return maybe_instant(tx.execute(_OLDEST).scalar())


def delivery_from(row: Any) -> Delivery:
    """One row of the outbox."""
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
        stream=row.stream,
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
    return tx.execute(_STALE, {"of_lane": lane, "before": micros(before), "now": micros(now)}).rowcount


def last_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account, whatever became of it."""
    row = tx.execute(_LAST_FLAG, {"of_connector": connector, "of_account": account_id}).first()
    return None if row is None else delivery_from(row)


def reopen(tx: Connection, key: str) -> int:
    """Send a confirmed effect again under its own key: it is gone from the target. Returns 1 if there is one."""
    return tx.execute(_REOPEN, {"own_key": key}).rowcount
