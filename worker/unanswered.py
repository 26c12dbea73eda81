"""Effects whose attempt ended without an answer: looked up by key once they are surely over, and only then sent again.

A look-up that fails is not "not found".
"""

from __future__ import annotations

from datetime import timedelta

from worker.lanes import Lane, LaneReport
from worker.patience import Patience
from worker.ports import Ports
from worker.store import deliveries, outbox
from worker.store.database import Store
from worker.store.deliveries import Delivery


class Unanswered:
    """Finds out what became of them. Remembers when each was first seen in doubt, by this process's own clock."""

    def __init__(self, store: Store, ports: Ports, patience: Patience) -> None:
        self._store = store
        self._ports = ports
        self._patience = patience
        self._first_seen: dict[tuple[int, int], float] = {}

    def resolve(self, lane: Lane, report: LaneReport) -> None:
        """Settle what is found, give the rest back to the outbox. ConnectorError where nothing can be looked up."""
        lag = lane.capabilities().lookup_lag + self._patience.settle
        with self._store.read() as tx:
            candidates = outbox.unanswered(tx, lane.name, self._ports.now() - lag, 100)
        settled = [delivery for delivery in candidates if self._has_settled(delivery, lag)]
        if not settled:
            return
        doubtful = [delivery for delivery in settled if not lane.can_be_repeated(delivery)]
        found = lane.find(doubtful) if doubtful and lane.capabilities().finds else {}
        now = self._ports.now()
        with self._store.begin() as tx:
            for delivery in settled:
                remote_id = found.get(delivery.intent.key)
                if remote_id is not None:
                    report.done += outbox.done(tx, delivery, remote_id, now)
                else:
                    looked = delivery in doubtful and lane.capabilities().finds
                    outbox.again(tx, delivery, now, "looked up, not found" if looked else deliveries.REPEATED, now)

    def _has_settled(self, delivery: Delivery, lag: timedelta) -> bool:
        """Whether an attempt is surely over, by this process's own patience: the wall clock may have jumped."""
        if not delivery.attempt:
            return True  # by a state that is lost, and with it whoever tried
        seen_at = self._first_seen.setdefault((delivery.ordinal, delivery.attempt), self._ports.monotonic())
        over = self._ports.monotonic() - seen_at >= (self._patience.deadline + lag).total_seconds()
        if over:
            del self._first_seen[delivery.ordinal, delivery.attempt]
        return over
