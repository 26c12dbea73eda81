"""What a target's answer means for an effect: settled in one transaction, with what hangs on it."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from connectors.base import Result, WriteResult
from worker.effects import FlagWrite
from worker.lanes import Lane, LaneReport
from worker.ports import Ports
from worker.store import facts, outbox, progress
from worker.store.codec import decode
from worker.store.database import Store
from worker.store.deliveries import Delivery, Kind, State


class Settling:
    """Writes answers down."""

    def __init__(self, store: Store, ports: Ports) -> None:
        self._store = store
        self._ports = ports

    def settle(self, lane: Lane, delivery: Delivery, result: WriteResult, report: LaneReport) -> None:
        """Note what one effect came to. Without an answer it stays in doubt until it is looked up."""
        now = self._ports.now()
        with self._store.begin() as tx:
            match result.result:
                case Result.APPLIED | Result.ALREADY_APPLIED:
                    if outbox.done(tx, delivery, result.remote_id, now):
                        self._confirm(tx, delivery, now)
                        report.done += 1
                case Result.REJECTED:
                    outbox.end(tx, delivery, State.REFUSED, result.reason, result.remedy, now)
                    report.refused += 1
                case Result.CONFLICT:
                    outbox.end(tx, delivery, State.SUPERSEDED, f"conflict: {result.reason}", "", now)
                    progress.mark_dirty(tx, delivery.intent.connector, [delivery.intent.account_id], now)
                    report.conflicts += 1
                case Result.UNKNOWN | Result.RETRY:
                    outbox.unknown(tx, delivery, result.reason, now)
                    report.unknown += 1
        self._ports.at(f"settled:{lane.name}")

    def _confirm(self, tx: Connection, delivery: Delivery, now: datetime) -> None:
        if delivery.intent.kind is Kind.FLAG:
            connector, account_id = delivery.intent.connector, delivery.intent.account_id
            flag = decode(delivery.intent.payload, FlagWrite).flag
            # What was read so far is older than this write, also where the clock has been put back since.
            last_read = progress.watch_of(tx, connector, account_id).read_at or now
            seen = [fact.seen_at for fact in facts.account_facts(tx, connector, account_id, most=1)]
            progress.confirm_flag(tx, connector, account_id, flag, max(now, last_read, *seen))
