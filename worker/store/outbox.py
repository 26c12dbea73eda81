"""Effects on their way: the intent is durable before a byte is sent, each key is there once, order per account holds.

new -> trying (attempt n, deadline) -> done | refused | unknown; an unknown one is looked up by key after its deadline
and the target's look-up lag, and only then sent again. Every change compares the attempt, so a worker that was
overtaken cannot settle what another one has taken over.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, insert, select, update

from worker.core.model import AccountId, ConnectorName, Event, Level
from worker.store import outbox_statements as statement
from worker.store.codec import instant, maybe_instant, maybe_micros, micros
from worker.store.deliveries import BEFORE_US, DEAD, ON_TRIAL, REPEATED, Delivery, Intent, Kind, State
from worker.store.schema import outbox
from worker.store.statements import one_of


def enqueue(tx: Connection, intents: Sequence[Intent], now: datetime) -> int:
    """Add effects whose keys are not there yet. Returns how many are new."""
    return sum(_add(tx, intent, now) for intent in intents)


def _add(tx: Connection, intent: Intent, now: datetime) -> bool:
    return tx.execute(statement.ADD.on(tx), _columns(intent, now)).first() is not None


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
        "reason": "" if intent.told_since is None else BEFORE_US,
        "created_at": moment,
        "updated_at": moment,
    }


def pending_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account that is not settled."""
    row = tx.execute(statement.PENDING_FLAG, {"of_connector": connector, "of_account": account_id}).first()
    return None if row is None else delivery_from(row)


def unconfirmed_flags(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[bytes]:
    """Payloads of flag writes after the last confirmed one that may have reached the CRM all the same."""
    wanted = {"of_connector": connector, "of_account": account_id}
    return [row[0] for row in tx.execute(statement.UNCONFIRMED_FLAGS, wanted)]


def replace_flag(tx: Connection, intent: Intent, now: datetime) -> None:
    """Enqueue a flag write in place of the ones that were not sent yet.

    One that was never tried is dropped; one that was tried stays in the ledger, since the CRM may have it.
    """
    account = {"of_connector": intent.connector, "of_account": intent.account_id}
    tx.execute(statement.OVERTAKE, {**account, "now": micros(now)})
    tx.execute(insert(outbox), _columns(intent, now))


def next_flag_no(tx: Connection, connector: ConnectorName, account_id: AccountId) -> int:
    """The number of the next flag write of an account, for its key. Rises though old ones may be forgotten."""
    return (
        int(tx.execute(statement.LAST_FLAG_NO, {"of_connector": connector, "of_account": account_id}).scalar_one()) + 1
    )


def waiting_lanes(tx: Connection) -> frozenset[str]:
    """The lanes with effects that are not settled."""
    return frozenset(row[0] for row in tx.execute(statement.WAITING))


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
    due = tx.execute(
        statement.RUNS if grouped else statement.HEADS, {"of_lane": lane, "now": micros(now), "most": limit}
    )
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
    return tx.execute(statement.SETTLE[states], {**own, **values}).rowcount == 1


def done(tx: Connection, delivery: Delivery, remote_id: str, now: datetime) -> bool:
    """It is there. False when somebody else settled it."""
    values: dict[str, object] = {"state": State.DONE.value, "remote_id": remote_id, "updated_at": micros(now)}
    return _settle(tx, delivery, ON_TRIAL, {**values, "reason": "", "remedy": ""})


def again(tx: Connection, delivery: Delivery, not_before: datetime, reason: str, now: datetime) -> bool:
    """It surely did not happen: try once more, not before a time. That an earlier attempt is in doubt stays known."""
    doubt = delivery.reason.startswith(REPEATED) and reason != REPEATED
    values: dict[str, object] = {
        "state": State.NEW.value,
        "not_before": micros(not_before),
        "reason": f"{REPEATED}; {reason}" if doubt else reason,
        "updated_at": micros(now),
    }
    return _settle(tx, delivery, ON_TRIAL, values)


def unknown(tx: Connection, delivery: Delivery, reason: str, now: datetime) -> bool:
    """It may have happened."""
    values: dict[str, object] = {"state": State.UNKNOWN.value, "reason": reason, "updated_at": micros(now)}
    return _settle(tx, delivery, ON_TRIAL, values)


def end(tx: Connection, delivery: Delivery, state: State, reason: str, remedy: str, now: datetime) -> bool:
    """Stop trying: refused by the target, overtaken, or too old."""
    values: dict[str, object] = {
        "state": state.value,
        "reason": reason,
        "remedy": remedy,
        "updated_at": micros(now),
    }
    return _settle(tx, delivery, (*ON_TRIAL, State.NEW), values)


def unanswered(tx: Connection, lane: str, before: datetime, limit: int) -> list[Delivery]:
    """Effects on trial whose deadline passed before a time: nobody will settle them any more."""
    wanted = {"of_lane": lane, "before": micros(before), "most": limit}
    return [delivery_from(row) for row in tx.execute(statement.UNANSWERED, wanted)]


def thread_ref(tx: Connection, lane: str, escalation_id: str) -> str:
    """The remote id of the first message about an escalation on a lane, empty when there is none."""
    found = tx.execute(statement.THREAD, {"of_lane": lane, "of_escalation": escalation_id}).scalar()
    return "" if found is None else str(found)


def in_state(tx: Connection, *states: State, limit: int = 1000) -> list[Delivery]:
    """Effects that stand so, oldest first."""
    wanted = select(outbox).where(one_of(outbox.c.state, states)).order_by(outbox.c.ordinal).limit(limit)
    return [delivery_from(row) for row in tx.execute(wanted)]


def of_escalation(tx: Connection, escalation_id: str) -> list[Delivery]:
    """Every effect of one escalation, in order."""
    return [delivery_from(row) for row in tx.execute(statement.EFFECTS_OF, {"of_escalation": escalation_id})]


def of_kind(tx: Connection, lane: str, kind: Kind) -> list[Delivery]:
    """Every effect of one kind on a lane, in order."""
    return [delivery_from(row) for row in tx.execute(statement.OF_KIND, {"of_lane": lane, "kind": kind.value})]


def counts(tx: Connection) -> dict[tuple[str, str], int]:
    """How many effects stand where: (lane, state) to number."""
    return {(row[0], row[1]): row[2] for row in tx.execute(statement.COUNTS)}


def retry_refused(tx: Connection, now: datetime, key: str | None = None) -> int:
    """Put dead letters back, all or one; their attempts and keys stay. Returns how many."""
    statement = update(outbox).where(one_of(outbox.c.state, DEAD))
    if key is not None:
        statement = statement.where(outbox.c.key == key)
    moment = micros(now)
    return tx.execute(
        statement.values(state=State.NEW.value, not_before=moment, updated_at=moment, created_at=moment)
    ).rowcount


def oldest_pending(tx: Connection) -> datetime | None:
    """Since when the oldest unsettled effect waits."""
    return maybe_instant(tx.execute(statement.OLDEST).scalar())


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
    return tx.execute(statement.STALE, {"of_lane": lane, "before": micros(before), "now": micros(now)}).rowcount


def last_flag(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Delivery | None:
    """The newest flag write of an account, whatever became of it."""
    row = tx.execute(statement.LAST_FLAG, {"of_connector": connector, "of_account": account_id}).first()
    return None if row is None else delivery_from(row)


def reopen(tx: Connection, key: str) -> int:
    """Send a confirmed effect again under its own key: it is gone from the target. Returns 1 if there is one."""
    return tx.execute(statement.REOPEN, {"own_key": key}).rowcount
