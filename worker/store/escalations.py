"""Escalations and their trail."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection, func, insert, select, update

from worker.core.model import AccountId, ConnectorName, Escalation, Event, Level, TrailEntry
from worker.store.codec import decode, encode, instant, maybe_micros, micros
from worker.store.database import StoreBusyError
from worker.store.schema import escalation, trail


def latest(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Escalation | None:
    """The account's newest escalation, open or closed."""
    statement = (
        select(escalation.c.body, escalation.c.version)
        .where(escalation.c.connector == connector, escalation.c.account_id == account_id)
        .order_by(escalation.c.opened_at.desc(), escalation.c.resolved_at.is_not(None), escalation.c.id)
        .limit(1)
    )
    row = tx.execute(statement).first()
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
        tx.execute(insert(escalation).values(**fresh, opened_at=micros(saved.opened_at), **columns))
        return saved
    changed = tx.execute(
        update(escalation).where(escalation.c.id == value.id, escalation.c.version == value.version).values(**columns)
    ).rowcount
    if changed != 1:
        raise StoreBusyError(f"escalation {value.id} was changed by another worker")
    return saved


def open_ones(tx: Connection, connector: ConnectorName | None = None) -> list[tuple[ConnectorName, Escalation]]:
    """All open escalations, the highest level and the earliest due first."""
    statement = (
        select(escalation.c.connector, escalation.c.body)
        .where(escalation.c.status != "resolved")
        .order_by(escalation.c.level.desc(), escalation.c.due_at)
    )
    if connector is not None:
        statement = statement.where(escalation.c.connector == connector)
    return [(ConnectorName(row[0]), decode(row[1], Escalation)) for row in tx.execute(statement)]


def all_of(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[Escalation]:
    """Every escalation that the account ever had, oldest first."""
    statement = (
        select(escalation.c.body)
        .where(escalation.c.connector == connector, escalation.c.account_id == account_id)
        .order_by(escalation.c.opened_at)
    )
    return [decode(row[0], Escalation) for row in tx.execute(statement)]


def count_by_status(tx: Connection) -> dict[str, int]:
    """How many escalations stand where."""
    statement = select(escalation.c.status, func.count()).group_by(escalation.c.status)
    return {row[0]: row[1] for row in tx.execute(statement)}


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
        tx.execute(insert(trail), rows)


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One stored line of the trail."""

    account_id: AccountId
    escalation_id: str
    entry: TrailEntry
    policy_version: str


def trail_of(tx: Connection, connector: ConnectorName, account_id: AccountId | None = None) -> list[TrailLine]:
    """The trail, of one account or of all, in the order in which things happened."""
    statement = select(trail).where(trail.c.connector == connector).order_by(trail.c.id)
    if account_id is not None:
        statement = statement.where(trail.c.account_id == account_id)
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
        for row in tx.execute(statement)
    ]


def opened_between(tx: Connection, start: datetime, end: datetime) -> list[tuple[ConnectorName, Escalation]]:
    """Escalations opened in [start, end)."""
    statement = (
        select(escalation.c.connector, escalation.c.body)
        .where(escalation.c.opened_at >= micros(start), escalation.c.opened_at < micros(end))
        .order_by(escalation.c.opened_at)
    )
    return [(ConnectorName(row[0]), decode(row[1], Escalation)) for row in tx.execute(statement)]
