"""How far reading has come, which accounts must be decided, and what is known of the worker's own flag there."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects.postgresql import insert as pg_insert
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from worker.core.model import AccountId, ConnectorName, Flag, RecordKind
from worker.store.codec import decode, encode, instant, maybe_instant, maybe_micros, micros
from worker.store.database import listed
from worker.store.schema import cursor, dirty, escalation, quarantine, watch


@dataclass(frozen=True, slots=True)
class Position:
    """How far one kind has been read. `read_at`: when the last complete read began; `failure` says why it is older."""

    stamp: datetime | None = None
    record_id: str = ""
    read_at: datetime | None = None
    swept_at: datetime | None = None
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Mark:
    """An account to decide; `mark` is what `clear` compares, so that a mark set meanwhile stays."""

    account_id: AccountId
    since: datetime
    mark: int


@dataclass(frozen=True, slots=True)
class Watch:
    """What the worker remembers of an account besides its escalation."""

    next_at: datetime | None = None
    asked: frozenset[str] = frozenset()
    written: Flag | None = None
    written_at: datetime | None = None
    read_at: datetime | None = None


def upsert(tx: Connection, table: Table, values: dict[str, object], keys: tuple[str, ...]) -> None:
    """Insert one row or replace its other columns."""
    maker = sqlite_insert if tx.dialect.name == "sqlite" else pg_insert
    statement = maker(table).values(**values)
    changed = {name: statement.excluded[name] for name in values if name not in keys}
    tx.execute(statement.on_conflict_do_update(index_elements=list(keys), set_=changed))


def position(tx: Connection, connector: ConnectorName, kind: RecordKind) -> Position:
    """Where reading stands."""
    statement = select(cursor).where(cursor.c.connector == connector, cursor.c.kind == kind.value)
    row = tx.execute(statement).first()
    if row is None:
        return Position()
    return Position(
        maybe_instant(row.stamp), row.record_id, maybe_instant(row.read_at), maybe_instant(row.swept_at), row.failure
    )


def save_position(tx: Connection, connector: ConnectorName, kind: RecordKind, place: Position) -> None:
    """Remember where reading stands; the last statement of the page's transaction."""
    values: dict[str, object] = {
        "connector": connector,
        "kind": kind.value,
        "stamp": maybe_micros(place.stamp),
        "record_id": place.record_id,
        "read_at": maybe_micros(place.read_at),
        "swept_at": maybe_micros(place.swept_at),
        "failure": place.failure,
    }
    upsert(tx, cursor, values, ("connector", "kind"))


def mark_dirty(tx: Connection, connector: ConnectorName, accounts: Iterable[AccountId], now: datetime) -> int:
    """Ask for a decision on these accounts. Returns how many."""
    wanted = sorted(set(accounts))
    if not wanted:
        return 0
    maker = sqlite_insert if tx.dialect.name == "sqlite" else pg_insert
    statement = maker(dirty)
    statement = statement.on_conflict_do_update(
        index_elements=["connector", "account_id"], set_={"mark": dirty.c.mark + 1}
    )
    moment = micros(now)
    tx.execute(
        statement,
        [{"connector": connector, "account_id": account, "since": moment, "mark": moment} for account in wanted],
    )
    return len(wanted)


def dirty_accounts(tx: Connection, connector: ConnectorName, limit: int, after: str = "") -> list[Mark]:
    """Accounts to decide, by id; page through them with the last one's id."""
    statement = (
        select(dirty.c.account_id, dirty.c.since, dirty.c.mark)
        .where(dirty.c.connector == connector, dirty.c.account_id > after)
        .order_by(dirty.c.account_id)
        .limit(limit)
    )
    return [Mark(AccountId(row[0]), instant(row[1]), row[2]) for row in tx.execute(statement)]


def clear_dirty(tx: Connection, connector: ConnectorName, mark: Mark) -> None:
    """Take the mark away unless it was set again."""
    tx.execute(
        delete(dirty).where(
            dirty.c.connector == connector, dirty.c.account_id == mark.account_id, dirty.c.mark == mark.mark
        )
    )


def due_accounts(tx: Connection, connector: ConnectorName, now: datetime) -> list[AccountId]:
    """Accounts whose timer is due."""
    statement = select(watch.c.account_id).where(watch.c.connector == connector, watch.c.next_at <= micros(now))
    return [AccountId(row[0]) for row in tx.execute(statement.order_by(watch.c.account_id))]


def watched(tx: Connection, connector: ConnectorName, accounts: list[str]) -> dict[str, datetime | None]:
    """Which of these accounts the worker ever had to do with, with the time its flag was last written."""
    known = select(watch.c.account_id, watch.c.written_at).where(
        watch.c.connector == connector, listed(tx, watch.c.account_id, accounts)
    )
    found: dict[str, datetime | None] = {row[0]: maybe_instant(row[1]) for row in tx.execute(known)}
    escalated = select(escalation.c.account_id).where(
        escalation.c.connector == connector, listed(tx, escalation.c.account_id, accounts)
    )
    for row in tx.execute(escalated):
        found.setdefault(row[0], None)
    return found


def watch_of(tx: Connection, connector: ConnectorName, account_id: AccountId) -> Watch:
    """What is remembered of an account."""
    statement = select(watch).where(watch.c.connector == connector, watch.c.account_id == account_id)
    row = tx.execute(statement).first()
    if row is None:
        return Watch()
    return Watch(
        maybe_instant(row.next_at),
        decode(row.asked, frozenset[str]),
        None if row.written is None else decode(row.written, Flag),
        maybe_instant(row.written_at),
        maybe_instant(row.read_at),
    )


def remember(
    tx: Connection, connector: ConnectorName, account_id: AccountId, next_at: datetime | None, asked: frozenset[str]
) -> None:
    """Set the timer and what was asked; what is known of the flag stays."""
    values: dict[str, object] = {
        "connector": connector,
        "account_id": account_id,
        "next_at": maybe_micros(next_at),
        "asked": encode(asked).decode(),
    }
    upsert(tx, watch, values, ("connector", "account_id"))


def confirm_flag(tx: Connection, connector: ConnectorName, account_id: AccountId, flag: Flag, at: datetime) -> None:
    """Remember that the CRM has this flag since `at`."""
    values: dict[str, object] = {
        "connector": connector,
        "account_id": account_id,
        "written": encode(flag).decode(),
        "written_at": micros(at),
    }
    upsert(tx, watch, values, ("connector", "account_id"))


def saw_accounts(tx: Connection, connector: ConnectorName, accounts: list[str], began: datetime) -> None:
    """Remember when watched accounts were last read; unwatched ones cost nothing."""
    tx.execute(
        update(watch)
        .where(watch.c.connector == connector, listed(tx, watch.c.account_id, accounts))
        .values(read_at=micros(began))
    )


def put_in_quarantine(
    tx: Connection,
    connector: ConnectorName,
    kind: RecordKind,
    record_id: str,
    account_id: str,
    reason: str,
    now: datetime,
    *,
    modified: str = "",
    body: str = "",
) -> None:
    """Set a record aside with the reason. The first sight stays."""
    maker = sqlite_insert if tx.dialect.name == "sqlite" else pg_insert
    moment = micros(now)
    statement = maker(quarantine).values(
        connector=connector,
        kind=kind.value,
        record_id=record_id,
        account_id=account_id,
        reason=reason,
        modified=modified,
        body=body,
        since=moment,
        seen_at=moment,
    )
    changed = {"reason": reason, "seen_at": moment, "modified": modified, "account_id": account_id}
    tx.execute(statement.on_conflict_do_update(index_elements=["connector", "kind", "record_id"], set_=changed))


def release_from_quarantine(tx: Connection, connector: ConnectorName, kind: RecordKind, ids: list[str]) -> None:
    """Take records out that can be understood again."""
    tx.execute(
        delete(quarantine).where(
            quarantine.c.connector == connector,
            quarantine.c.kind == kind.value,
            listed(tx, quarantine.c.record_id, ids),
        )
    )


def quarantined_kinds(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[str]:
    """The records of one account that could not be understood: its evidence is then incomplete."""
    statement = select(quarantine.c.kind, quarantine.c.record_id).where(
        quarantine.c.connector == connector, quarantine.c.account_id == account_id
    )
    return [f"{row[0]} {row[1]}" for row in tx.execute(statement)]


def quarantined(tx: Connection) -> list[str]:
    """Every record that is set aside, in words."""
    statement = select(quarantine).order_by(quarantine.c.connector, quarantine.c.kind, quarantine.c.record_id)
    return [
        f"{row.connector} {row.kind} {row.record_id}: {row.reason} (since {instant(row.since):%Y-%m-%d %H:%M} UTC)"
        for row in tx.execute(statement)
    ]
