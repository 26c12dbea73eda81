"""Who may run, and the brakes' memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, delete, select, update

from worker.store.codec import instant, micros
from worker.store.schema import lease, note_of_state, quarantine
from worker.store.statements import upsert

_HOLDER = select(lease).where(lease.c.name == bindparam("name"))
_FIRST_LEASE = upsert(lease, ("name",), ("owner", "epoch", "expires_at"))
_RENEW = update(lease).where(
    lease.c.name == bindparam("held"), lease.c.owner == bindparam("by"), lease.c.epoch == bindparam("since")
)
_DROP = delete(lease).where(lease.c.name == bindparam("name"), lease.c.owner == bindparam("owner"))
_SETTING = select(note_of_state.c.value).where(note_of_state.c.name == bindparam("name"))
_SET = upsert(note_of_state, ("name",), ("value",))
_ANY_ASIDE = select(quarantine.c.record_id).limit(1)


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a name until when. `epoch` rises with every new holder."""

    owner: str
    epoch: int
    expires_at: datetime


def holder(tx: Connection, name: str) -> Lease | None:
    """Who holds a name, expired or not."""
    row = tx.execute(_HOLDER, {"name": name}).first()
    return None if row is None else Lease(row.owner, row.epoch, instant(row.expires_at))


def take_lease(tx: Connection, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Take or renew a name. False while somebody else holds it."""
    present = holder(tx, name)
    if present is None:
        fresh = {"name": name, "owner": owner, "epoch": 1, "expires_at": micros(until)}
        tx.execute(_FIRST_LEASE.on(tx), fresh)
        return True
    if present.owner != owner and present.expires_at > now:
        return False
    epoch = present.epoch if present.owner == owner else present.epoch + 1
    known = {"held": name, "by": present.owner, "since": present.epoch}
    renewed = {"owner": owner, "epoch": epoch, "expires_at": micros(until)}
    return tx.execute(_RENEW, {**known, **renewed}).rowcount == 1


def drop_lease(tx: Connection, name: str, owner: str) -> None:
    """Let go of a name, if it is ours."""
    tx.execute(_DROP, {"name": name, "owner": owner})


def setting(tx: Connection, name: str) -> str:
    """A remembered value, empty when there is none."""
    found = tx.execute(_SETTING, {"name": name}).scalar()
    return "" if found is None else str(found)


def set_setting(tx: Connection, name: str, value: str) -> None:
    """Remember a value."""
    tx.execute(_SET.on(tx), {"name": name, "value": value})


def any_quarantined(tx: Connection) -> bool:
    """Whether any record is set aside."""
    return tx.execute(_ANY_ASIDE).first() is not None
