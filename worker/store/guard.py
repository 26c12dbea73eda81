"""Who may run, and the brakes' memory."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, select, update

from worker.store.codec import instant, micros
from worker.store.progress import upsert
from worker.store.schema import lease, note_of_state, quarantine


@dataclass(frozen=True, slots=True)
class Lease:
    """Who holds a name until when. `epoch` rises with every new holder."""

    owner: str
    epoch: int
    expires_at: datetime


def holder(tx: Connection, name: str) -> Lease | None:
    """Who holds a name, expired or not."""
    row = tx.execute(select(lease).where(lease.c.name == name)).first()
    return None if row is None else Lease(row.owner, row.epoch, instant(row.expires_at))


def take_lease(tx: Connection, name: str, owner: str, now: datetime, until: datetime) -> bool:
    """Take or renew a name. False while somebody else holds it."""
    present = holder(tx, name)
    if present is None:
        upsert(tx, lease, {"name": name, "owner": owner, "epoch": 1, "expires_at": micros(until)}, ("name",))
        return True
    if present.owner != owner and present.expires_at > now:
        return False
    epoch = present.epoch if present.owner == owner else present.epoch + 1
    changed = tx.execute(
        update(lease)
        .where(lease.c.name == name, lease.c.owner == present.owner, lease.c.epoch == present.epoch)
        .values(owner=owner, epoch=epoch, expires_at=micros(until))
    ).rowcount
    return changed == 1


def drop_lease(tx: Connection, name: str, owner: str) -> None:
    """Let go of a name, if it is ours."""
    tx.execute(delete(lease).where(lease.c.name == name, lease.c.owner == owner))


def setting(tx: Connection, name: str) -> str:
    """A remembered value, empty when there is none."""
    found = tx.execute(select(note_of_state.c.value).where(note_of_state.c.name == name)).scalar()
    return "" if found is None else str(found)


def set_setting(tx: Connection, name: str, value: str) -> None:
    """Remember a value."""
    upsert(tx, note_of_state, {"name": name, "value": value}, ("name",))


def any_quarantined(tx: Connection) -> bool:
    """Whether any record is set aside."""
    return tx.execute(select(quarantine.c.record_id).limit(1)).first() is not None
