"""Escalations and their trail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from worker.core.model import AccountId, ConnectorName, Escalation, Event, Level, TrailEntry
from worker.store.codec import decode, encode, instant, maybe_micros, micros
from worker.store.database import StoreBusyError
from worker.store.schema import escalation, trail

_OF_CONNECTOR = escalation.c.connector == bindparam("connector")
_OF_ACCOUNT = escalation.c.account_id == bindparam("account_id")
_LATEST = (
    select(escalation.c.body, escalation.c.version)
    .where(_OF_CONNECTOR, _OF_ACCOUNT)
    .order_by(escalation.c.opened_at.desc(), escalation.c.resolved_at.is_not(None), escalation.c.id)
    .limit(1)
)
_INSERT = insert(escalation)
_CHANGE = update(escalation).where(
    escalation.c.id == bindparam("own_id"), escalation.c.version == bindparam("version_read")
)
_OPEN = (
    select(escalation.c.connector, escalation.c.body)
    .where(escalation.c.status != text("'resolved'"))
    .order_by(escalation.c.level.desc(), escalation.c.due_at)
)
_OPEN_OF_ONE = _OPEN.where(_OF_CONNECTOR)
_ALL = select(escalation.c.body).where(_OF_CONNECTOR, _OF_ACCOUNT).order_by(escalation.c.opened_at)
_BY_STATUS = select(escalation.c.status, func.count()).group_by(escalation.c.status)
_RECORD = insert(trail)
_TRAIL = select(trail).where(trail.c.connector == bindparam("connector")).order_by(trail.c.id)
_TRAIL_OF_ONE = _TRAIL.where(trail.c.account_id == bindparam("account_id"))
_OPENED = (
    select(escalation.c.connector, escalation.c.body)
    .where(escalation.c.opened_at >= bindparam("start"), escalation.c.opened_at < bindparam("end"))
    .order_by(escalation.c.opened_at)
)


def latest(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Escalation | None:
    """The account's newest escalation, open or closed."""
    row = tx.execute(_LATEST, {"connector": connector, "account_id": account_id}).first()
    return None if row is None else replace(decode(row[0], Escalation), version=row[1])


def save(tx: Connection, connector: ConnectorName, value: Escalation) -> Escalation:
    """Insert or change, holding that nobody else changed it since it was read.

    Raises StoreBusyError when another worker was faster: the account stays marked and is decided anew.
    """
    saved = replace(value, version=value.version + 1)
    columns = {
        "level": int(saved.level),
        "status": saved.status.value,
        "outcome": None if saved.outcome is None else saved.outcome.value,
        "due_at": micros(saved.clock.due_at),
        "resolved_at": maybe_micros(saved.resolved_at),
        "version": saved.version,
        "body": encode(saved),
    }
    if value.version == 0:
        fresh = {"id": value.id, "connector": connector, "account_id": value.account_id}
        tx.execute(_INSERT, {**fresh, "opened_at": micros(saved.opened_at), **columns})
        return saved
    changed = tx.execute(_CHANGE, {"own_id": value.id, "version_read": value.version, **columns}).rowcount
    if changed != 1:
        raise StoreBusyError(f"escalation {value.id} was changed by another worker")
    return saved


def open_ones(tx: Connection, connector: ConnectorName | None = None) -> list[tuple[ConnectorName, Escalation]]:
    """All open escalations, the highest level and the earliest due first."""
    one = _OPEN if connector is None else _OPEN_OF_ONE
    rows = tx.execute(one, {} if connector is None else {"connector": connector})
    return [(ConnectorName(row[0]), decode(row[1], Escalation)) for row in rows]


def all_of(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[Escalation]:
    """Every escalation that the account ever had, oldest first."""
    wanted = {"connector": connector, "account_id": account_id}
    return [decode(row[0], Escalation) for row in tx.execute(_ALL, wanted)]


def count_by_status(tx: Connection) -> dict[str, int]:
    """How many escalations stand where."""
    return {row[0]: row[1] for row in tx.execute(_BY_STATUS)}


def record(
    tx: Connection,
    connector: ConnectorName,
    account_id: AccountId,
    escalation_id: str,
    entries: tuple[TrailEntry, ...],
    policy_version: str,
) -> None:
    """Append to the trail."""
    rows = [
        {
            "connector": connector,
            "account_id": account_id,
            "escalation_id": escalation_id,
            "event": entry.event.value,
            "event_no": entry.event_no,
            "at": micros(entry.at),
            "actor": entry.actor,
            "level": None if entry.level is None else int(entry.level),
            "because": entry.because,
            "policy_version": policy_version,
        }
        for entry in entries
    ]
    if rows:
        tx.execute(_RECORD, rows)


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One stored line of the trail."""

    account_id: AccountId
    escalation_id: str
    entry: TrailEntry
    policy_version: str


def trail_of(tx: Connection, connector: ConnectorName, account_id: AccountId | None = None) -> list[TrailLine]:
    """The trail, of one account or of all, in the order in which things happened."""
    wanted = {"connector": connector} if account_id is None else {"connector": connector, "account_id": account_id}
    rows = tx.execute(_TRAIL if account_id is None else _TRAIL_OF_ONE, wanted)
    return [
        TrailLine(
            AccountId(row.account_id),
            row.escalation_id,
            TrailEntry(
                Event(row.event),
                row.event_no,
                instant(row.at),
                row.actor,
                row.because,
                None if row.level is None else Level(row.level),
            ),
            row.policy_version,
        )
        for row in rows
    ]


def opened_between(tx: Connection, start: datetime, end: datetime) -> list[tuple[ConnectorName, Escalation]]:
    """Escalations opened in [start, end)."""
    rows = tx.execute(_OPENED, {"start": micros(start), "end": micros(end)})
    return [(ConnectorName(row[0]), decode(row[1], Escalation)) for row in rows]
