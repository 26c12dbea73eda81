"""Escalations."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, text, update

from worker.core.model import MANUAL, AccountId, ConnectorName, Escalation, EscalationId, PastCause
from worker.store.codec import decode, encode, instant, maybe_instant, maybe_micros, micros
from worker.store.database import StoreBusyError
from worker.store.schema import escalation

_OF_CONNECTOR = escalation.c.connector == bindparam("connector")
_OF_ACCOUNT = escalation.c.account_id == bindparam("account_id")
_LATEST = (
    select(escalation.c.body, escalation.c.version)
    .where(_OF_CONNECTOR, _OF_ACCOUNT)
    .order_by(escalation.c.number.desc())
    .limit(1)
)
_BY_ID = select(escalation.c.connector, escalation.c.body).where(escalation.c.id == bindparam("own_id"))
_before = escalation.alias("before")
_NEXT_NUMBER = (
    select(func.coalesce(func.max(_before.c.number), 0) + 1)
    .where(_before.c.connector == bindparam("of_connector"), _before.c.account_id == bindparam("of_account"))
    .scalar_subquery()
)
_INSERT = insert(escalation).values(number=_NEXT_NUMBER)
_CHANGE = update(escalation).where(
    escalation.c.id == bindparam("own_id"), escalation.c.version == bindparam("version_read")
)
_OPEN = (
    select(escalation.c.connector, escalation.c.body)
    .where(escalation.c.status != text("'resolved'"))
    .order_by(escalation.c.level.desc(), escalation.c.due_at)
)
# No id is empty: it is said so that SQLite takes the index of the open ones, not that of all which ever were.
_OPEN_OF_ONE = _OPEN.where(_OF_CONNECTOR, escalation.c.account_id > text("''"))
_ALL = select(escalation.c.body).where(_OF_CONNECTOR, _OF_ACCOUNT).order_by(escalation.c.number)
_CAUSED = (
    select(escalation.c.body)
    .where(_OF_CONNECTOR, escalation.c.root_cause == bindparam("cause"), escalation.c.root_cause != text("''"))
    .where(escalation.c.resolved_at >= bindparam("since"))
    .order_by(escalation.c.resolved_at.desc())
    .limit(bindparam("most"))
)
_OPENED_SINCE = select(escalation.c.opened_at).where(_OF_CONNECTOR, escalation.c.opened_at >= bindparam("start"))
_FIRST_OPENED = select(func.min(escalation.c.opened_at)).where(_OF_CONNECTOR)
_LONGEST_CAUSE = 300
_OPENED = (
    select(escalation.c.connector, escalation.c.body)
    .where(escalation.c.opened_at >= bindparam("start"), escalation.c.opened_at < bindparam("end"))
    .order_by(escalation.c.opened_at)
)


def latest(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Escalation | None:
    """The account's newest escalation, open or closed: the last to be opened, whatever the clock said meanwhile."""
    row = tx.execute(_LATEST, {"connector": connector, "account_id": account_id}).first()
    return None if row is None else replace(decode(row[0], Escalation), version=row[1])


def by_id(tx: Connection, escalation_id: EscalationId) -> tuple[ConnectorName, Escalation] | None:
    """One escalation and the CRM that it belongs to, None where there is none of this name."""
    row = tx.execute(_BY_ID, {"own_id": escalation_id}).first()
    return None if row is None else (ConnectorName(row[0]), decode(row[1], Escalation))


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
        "root_cause": normal_cause(saved.root_cause),
    }
    if value.version == 0:
        fresh = {"id": value.id, "connector": connector, "account_id": value.account_id}
        whose = {"of_connector": connector, "of_account": value.account_id}
        tx.execute(_INSERT, {**fresh, **whose, "opened_at": micros(saved.opened_at), **columns})
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


def with_root_cause(
    tx: Connection, connector: ConnectorName, cause: str, since: datetime, limit: int = 200
) -> tuple[PastCause, ...]:
    """The escalations that ended with this root cause (letter case and spaces aside) since then, newest first."""
    wanted = {"connector": connector, "cause": normal_cause(cause), "since": micros(since), "most": limit}
    found = [decode(row[0], Escalation) for row in tx.execute(_CAUSED, wanted)]
    return tuple(
        PastCause(one.id, one.account_id, one.reasons[0].trigger if one.reasons else MANUAL, one.resolved_at)
        for one in found
        if one.resolved_at is not None
    )


def normal_cause(cause: str) -> str:
    """A root cause as it is compared."""
    return " ".join(cause.casefold().split())[:_LONGEST_CAUSE]


def opened_since(tx: Connection, connector: ConnectorName, start: datetime) -> list[datetime]:
    """When the escalations of one CRM were opened, from a time on, in no order."""
    return [instant(row[0]) for row in tx.execute(_OPENED_SINCE, {"connector": connector, "start": micros(start)})]


def first_opened(tx: Connection, connector: ConnectorName) -> datetime | None:
    """When the first escalation of one CRM was opened."""
    return maybe_instant(tx.execute(_FIRST_OPENED, {"connector": connector}).scalar())


def opened_between(tx: Connection, start: datetime, end: datetime) -> list[tuple[ConnectorName, Escalation]]:
    """Escalations opened in [start, end)."""
    rows = tx.execute(_OPENED, {"start": micros(start), "end": micros(end)})
    return [(ConnectorName(row[0]), decode(row[1], Escalation)) for row in rows]
