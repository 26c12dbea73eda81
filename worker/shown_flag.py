"""What the CRM shows of the worker's own flag: whether a person changed it, or a write of ours is still on its way.

Reads only.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from worker.core.model import Account, AccountId, Flag, Observed, RecordKind
from worker.effects import FlagWrite
from worker.field_readers import UnmappableError
from worker.field_readers import flag as read_flag
from worker.store import facts, outbox, progress
from worker.store.codec import decode
from worker.wiring import Crm

_FLAG_FIELDS = tuple(each.name for each in fields(Flag))
_OURS_ALONE = ("reason", "opened_at", "due_at")
"""Fields of the flag whose exact value nobody else would come to."""
_LONG_AGO = datetime(1970, 1, 1, tzinfo=UTC)
"""Before any read: what is shown now is newer than that write."""


@dataclass(frozen=True, slots=True)
class Shown:
    """The flag as the newest version has it, and when that was read. `unclear`: not even that can be understood."""

    flag: Flag
    read_at: datetime
    unclear: bool = False


class ShownFlags:
    """The flags of one CRM. `settle`: how long after a write a read may still show what was before it."""

    def __init__(self, crm: Crm, settle: timedelta) -> None:
        self._crm = crm
        self._settle = settle

    def shown(self, tx: Connection, account: Account, fact: facts.Fact, *, understood: bool) -> Shown:
        """What the CRM shows of an account's flag: a version that is not understood as a whole still tells that."""
        if understood or fact.gone:
            return Shown(account.flag, fact.seen_at)
        newest = facts.account_facts(tx, self._crm.name, account.id, most=1)[0]
        try:
            flag = read_flag(self._crm.mapping.load(RecordKind.ACCOUNT, newest.body))
        except UnmappableError:
            return Shown(account.flag, newest.seen_at, unclear=True)
        return Shown(flag, newest.seen_at)

    def seen_by_itself(
        self, tx: Connection, account_id: AccountId, shown: Shown, watch: progress.Watch
    ) -> progress.Watch | None:
        """A write whose answer was lost, seen in the CRM: it is ours, not a person's doing."""
        flag = shown.flag
        if shown.unclear or watch.written == flag:
            return None
        unconfirmed = [decode(each, FlagWrite) for each in outbox.unconfirmed_flags(tx, self._crm.name, account_id)]
        for write in unconfirmed:
            if write.flag == flag:
                return replace(watch, written=flag, written_at=shown.read_at)
        for write in unconfirmed:
            if _left_its_mark(write, flag):
                return replace(watch, written=write.flag, written_at=_LONG_AGO)
        return None

    def observed(
        self, tx: Connection, account_id: AccountId, shown: Shown, watch: progress.Watch, now: datetime
    ) -> Observed:
        """What the CRM shows, and whether a write of ours makes that old."""
        flag, read_at = shown.flag, shown.read_at
        pending = outbox.pending_flag(tx, self._crm.name, account_id)
        on_its_way = None if pending is None else decode(pending.intent.payload, FlagWrite).flag
        if shown.unclear:
            return Observed(flag, read_at, on_its_way or watch.written or flag, doubtful=True)
        if on_its_way is not None:
            return Observed(flag, read_at, on_its_way)
        if watch.written is None or watch.written_at is None or flag == watch.written:
            return Observed(flag, read_at)
        if read_at <= watch.written_at:
            return Observed(flag, read_at, self._unless_lost(watch, now))
        recent = now < watch.written_at + self._settle
        return Observed(flag, read_at, watch.written if recent else None, doubtful=recent)

    def _unless_lost(self, watch: progress.Watch, now: datetime) -> Flag | None:
        """The flag as written, until reads that began long after the write still do not show it."""
        settled = (watch.written_at or now) + self._settle
        lost = watch.read_at is not None and watch.read_at > settled and now > settled
        return None if lost else watch.written


def _left_its_mark(write: FlagWrite, shown: Flag) -> bool:
    """Whether the CRM shows what only this write can have put there, although a person has changed the rest since."""
    changed = [name for name in _FLAG_FIELDS if getattr(write.flag, name) != getattr(write.expect, name)]
    telling = [name for name in changed if name in _OURS_ALONE] or changed
    return all(getattr(write.flag, name) == getattr(shown, name) for name in telling)


__all__ = ["Shown", "ShownFlags"]
