"""Delivering: the outbox drained lane by lane, in batches of the target's size. The only place that retries.

The protocol (architecture, section 8): an intent is committed as on trial, with a deadline, before a byte is sent; what
was surely not done is tried again with full jitter, within the deadline by tenacity and after it from the outbox; what
may have been done waits until its deadline and the target's look-up lag are over, is looked up by key, and only then
sent again. What an answer means stands in `settling`, what becomes of effects without one in `unanswered`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from tenacity import RetryCallState, Retrying, retry_if_result

from connectors.base import ConnectorError, FatalError, Result, RetryableError, WriteResult
from worker.core.model import Channel
from worker.fallback import Fallback
from worker.lanes import Lane, LaneReport, OutletLane
from worker.patience import Patience
from worker.ports import Ports
from worker.settling import Settling
from worker.store import outbox
from worker.store.database import Store, StoreError
from worker.store.deliveries import Delivery, Kind, State
from worker.unanswered import Unanswered

_ROUNDS = 200
_TOGETHER = 3
"""After so many attempts effects are sent one by one: an item that spoils its batch must not keep the others back."""


@dataclass(slots=True)
class _Batch:
    """What is left of a claimed batch, in its order. `held`: streams whose earlier effect has no answer yet."""

    left: list[Delivery]
    refs: Mapping[str, str]
    expires: float
    retry_after: dict[int, timedelta] = field(default_factory=dict)
    reasons: dict[int, str] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def parts(self) -> list[list[Delivery]]:
        """What is sent in one call each: all at once, until an item may be what spoils the batch."""
        may_go = [each for each in self.left if each.intent.stream not in self.held]
        if any(each.attempt > _TOGETHER for each in may_go):
            return [[each] for each in may_go]
        return [may_go] if may_go else []


class Deliverer:
    """Drains the outbox of every lane; one lane's trouble leaves the others alone."""

    def __init__(
        self, lanes: Iterable[Lane], store: Store, ports: Ports, patience: Patience, fallback: Fallback | None = None
    ) -> None:
        self._lanes = tuple(lanes)
        self._fallback = fallback
        self._refused = {lane.name for lane in self._lanes}
        self._store = store
        self._ports = ports
        self._patience = patience
        self._settling = Settling(store, ports)
        self._unanswered = Unanswered(store, ports, patience)
        self._resting: dict[str, float] = {}
        self._asked_to_wait: dict[str, float] = {}

    def run(self) -> dict[str, LaneReport]:
        """Bring about what is due now. Returns when nothing is due any more or the lanes rest."""
        self._relieve()
        with self._store.read() as tx:
            waiting = outbox.waiting_lanes(tx)
        return {lane.name: self._guarded(lane, idle=lane.name not in waiting) for lane in self._lanes}

    def waiting(self) -> bool:
        """Whether effects are on trial whose fate is open."""
        with self._store.read() as tx:
            return bool(outbox.in_state(tx, State.TRYING, State.UNKNOWN, limit=1))

    def _guarded(self, lane: Lane, *, idle: bool) -> LaneReport:
        report = LaneReport()
        if self._resting.get(lane.name, 0.0) > self._ports.monotonic():
            report.failure = "resting after a failure"
            return report
        if idle or self._must_wait(lane):
            return report
        try:
            self._expire(lane)
            self._unanswered.resolve(lane, report)
            self._drain(lane, report)
        except StoreError:
            raise
        except ConnectorError as error:
            self._rest(lane, error, report)
        except Exception as error:  # noqa: BLE001  whatever a target's library throws stops this lane only (I8)
            self._rest(lane, RetryableError(f"{type(error).__name__}: {error}"), report)
        return report

    def _must_wait(self, lane: Lane) -> bool:
        """Whether the target wants to be left alone: that is no failure of it."""
        return self._asked_to_wait.get(lane.name, 0.0) > self._ports.monotonic()

    def _relieve(self) -> None:
        """Let other channels tell what one could not for long, or was refused since the last look."""
        refused, self._refused = self._refused, set()
        for lane in self._lanes:
            if self._fallback is None or not self._fallback.covers(lane.name):
                continue
            with self._store.begin() as tx:
                self._fallback.relieve(tx, lane.name, self._ports.now())
                if lane.name in refused:
                    self._fallback.replace_refused(tx, lane.name, self._ports.now())

    def _rest(self, lane: Lane, error: ConnectorError, report: LaneReport) -> None:
        report.failure, report.remedy = str(error), error.remedy
        pause = self._patience.slow
        if isinstance(error, RetryableError):
            pause = error.after or self._patience.wait(3, self._ports.draw())
        self._resting[lane.name] = self._ports.monotonic() + pause.total_seconds()

    def _expire(self, lane: Lane) -> None:
        if isinstance(lane, OutletLane) and lane.channel is not Channel.EMAIL:
            now = self._ports.now()
            with self._store.begin() as tx:
                outbox.expire_messages(tx, lane.name, now - self._patience.chat_age, now)

    def _drain(self, lane: Lane, report: LaneReport) -> None:
        for _ in range(_ROUNDS):
            if self._must_wait(lane):
                return
            batch = self._claim(lane)
            if not batch.left:
                return
            self._try(lane, batch, report)
        report.failure = f"more than {_ROUNDS} batches were due; the rest follows in the next cycle"

    def _claim(self, lane: Lane) -> _Batch:
        now = self._ports.now()
        expires = self._ports.monotonic() + self._patience.deadline.total_seconds()
        with self._store.begin() as tx:
            taken = outbox.claim(
                tx,
                lane.name,
                lane.batch_size,
                self._ports.worker_id(),
                now,
                now + self._patience.deadline,
                grouped=lane.capabilities().grouped,
            )
            refs = {
                delivery.intent.escalation_id: outbox.thread_ref(tx, lane.name, delivery.intent.escalation_id)
                for delivery in taken
                if delivery.intent.kind is Kind.MESSAGE
            }
        self._ports.at("claimed")
        return _Batch(taken, refs, expires)

    def _try(self, lane: Lane, batch: _Batch, report: LaneReport) -> None:
        retrying = Retrying(
            retry=retry_if_result(bool),
            stop=lambda state: state.attempt_number >= self._patience.tries or self._late(batch, state.upcoming_sleep),
            wait=lambda state: self._jitter(batch, state),
            sleep=self._ports.sleep,
            retry_error_callback=lambda state: None,  # noqa: ARG005  what is left goes back to the outbox
        )
        try:
            retrying(self._attempt, lane, batch, report)
        except (RetryableError, FatalError) as error:
            self._put_back(batch, report, str(error), getattr(error, "after", None) or self._patience.slow)
            raise
        self._put_back(batch, report, "", None)

    def _late(self, batch: _Batch, wait: float) -> bool:
        return self._ports.monotonic() + wait >= batch.expires

    def _jitter(self, batch: _Batch, state: RetryCallState) -> float:
        asked = max((after.total_seconds() for after in batch.retry_after.values()), default=0.0)
        return max(asked, self._patience.wait(state.attempt_number, self._ports.draw()).total_seconds())

    def _attempt(self, lane: Lane, batch: _Batch, report: LaneReport) -> bool:
        """Send what is left; True when something is left that may be sent again at once."""
        late: set[str] = set()
        for part in batch.parts():
            ready = [each for each in part if each.intent.stream not in late]
            if not ready:
                continue
            self._ports.at("send:before")
            if self._late(batch, 0.0):
                return False
            results = self._send(lane, ready, batch.refs)
            self._ports.at("send:after")
            for delivery, result in zip(ready, results, strict=True):
                if self._take_answer(lane, batch, delivery, result, report):
                    late.add(delivery.intent.stream)
        return any(each.intent.stream not in batch.held for each in batch.left)

    def _take_answer(
        self, lane: Lane, batch: _Batch, delivery: Delivery, result: WriteResult, report: LaneReport
    ) -> bool:
        """Settle one effect, or keep it for another try. True when the later ones of its stream must wait."""
        if result.result is Result.RETRY:
            batch.reasons[delivery.ordinal] = result.reason
            batch.retry_after[delivery.ordinal] = result.retry_after or timedelta(0)
            if result.for_all and result.retry_after is not None:
                self._asked_to_wait[lane.name] = self._ports.monotonic() + result.retry_after.total_seconds()
            return True
        batch.left.remove(delivery)
        self._settling.settle(lane, delivery, result, report)
        if result.result is Result.REJECTED:
            self._refused.add(lane.name)
        if result.result is Result.UNKNOWN:
            batch.held.add(delivery.intent.stream)
        return result.result is Result.UNKNOWN

    def _send(self, lane: Lane, deliveries: Sequence[Delivery], refs: Mapping[str, str]) -> Sequence[WriteResult]:
        try:
            results = lane.send(deliveries, refs)
        except ConnectorError:
            raise
        except Exception as error:  # noqa: BLE001  whatever a target's library throws, the effect may be there
            return [WriteResult(Result.UNKNOWN, reason=f"{type(error).__name__}")] * len(deliveries)
        if len(results) != len(deliveries):
            reason = f"{len(results)} results for {len(deliveries)} writes"
            return [WriteResult(Result.UNKNOWN, reason=reason)] * len(deliveries)
        return results

    def _put_back(self, batch: _Batch, report: LaneReport, reason: str, after: timedelta | None) -> None:
        """Give what surely did not happen back to the outbox, with a growing wait."""
        if not batch.left:
            return
        now = self._ports.now()
        with self._store.begin() as tx:
            for delivery in batch.left:
                asked = after or batch.retry_after.get(delivery.ordinal, timedelta(0))
                wait = max(asked, self._patience.wait(delivery.attempt, self._ports.draw()))
                outbox.again(tx, delivery, now + wait, reason or batch.reasons.get(delivery.ordinal, ""), now)
        report.retried += len(batch.left)
        batch.left = []
