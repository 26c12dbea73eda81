"""Silences that people have set, and what each of them held back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, func, insert, select, update

from worker.core.model import AccountId, ConnectorName, Silence
from worker.store.codec import decode, encode, maybe_instant, micros
from worker.store.schema import silence, silenced
from worker.store.statements import upsert

_ADD = insert(silence)
_ACTIVE = (
    select(silence.c.body)
    .where(silence.c.until > bindparam("now"), silence.c.ended_at.is_(None))
    .order_by(silence.c.until, silence.c.id)
)
_END = update(silence).where(silence.c.id == bindparam("own_id"), silence.c.ended_at.is_(None))
_KEYS = ("silence_id", "connector", "account_id", "fingerprint")
_HELD = upsert(silenced, _KEYS, ("at",))
_COUNTS = select(silenced.c.silence_id, func.count()).group_by(silenced.c.silence_id)
_ACCOUNTS = (
    select(silenced.c.connector, silenced.c.account_id).where(silenced.c.silence_id == bindparam("own_id")).distinct()
)


@dataclass(frozen=True, slots=True)
class Standing:
    """A silence with what became of it: how much it held back, and when it was taken away."""

    silence: Silence
    held: int
    ended_at: datetime | None

    def active(self, now: datetime) -> bool:
        """Whether it still holds back."""
        return self.ended_at is None and now < self.silence.until


def add(tx: Connection, value: Silence) -> None:
    """Set a silence."""
    row = {"id": value.id, "since": micros(value.since), "until": micros(value.until), "body": encode(value)}
    tx.execute(_ADD, row)


def active(tx: Connection, now: datetime) -> tuple[Silence, ...]:
    """The silences that hold back now."""
    return tuple(decode(row[0], Silence) for row in tx.execute(_ACTIVE, {"now": micros(now)}))


def all_of(tx: Connection) -> list[Standing]:
    """Every silence that was ever set, the newest end first."""
    counts = {row[0]: row[1] for row in tx.execute(_COUNTS)}
    rows = tx.execute(select(silence).order_by(silence.c.until.desc(), silence.c.id))
    return [Standing(decode(row.body, Silence), counts.get(row.id, 0), maybe_instant(row.ended_at)) for row in rows]


def end(tx: Connection, silence_id: str, now: datetime) -> bool:
    """Take one away before its time. False when there is none of that name, or it had ended."""
    return tx.execute(_END, {"own_id": silence_id, "ended_at": micros(now)}).rowcount == 1


def held(
    tx: Connection,
    connector: ConnectorName,
    account_id: AccountId,
    found: Sequence[tuple[str, str]],
    now: datetime,
) -> None:
    """Count what was held back, each piece of evidence once for each silence."""
    rows = [
        {
            "silence_id": name,
            "connector": connector,
            "account_id": account_id,
            "fingerprint": fingerprint,
            "at": micros(now),
        }
        for name, fingerprint in found
    ]
    if rows:
        tx.execute(_HELD.on(tx), rows)


def accounts_held(tx: Connection, silence_id: str) -> list[tuple[ConnectorName, AccountId]]:
    """The accounts at which a silence held something back: they are decided anew when it is taken away."""
    return [(ConnectorName(row[0]), AccountId(row[1])) for row in tx.execute(_ACCOUNTS, {"own_id": silence_id})]
