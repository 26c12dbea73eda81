"""The state in Prometheus' text format: gauges read at each scrape, few labels, none of them a customer's."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from worker.core.model import Level
from worker.status.look import Look

METRICS = {
    "escalations_open": "open escalations by level",
    "escalations_overdue": "open escalations whose answer or resolution is overdue, by level",
    "escalation_outbox": "effects by lane and state",
    "escalation_outbox_oldest_seconds": "how long the oldest unsettled effect waits",
    "escalation_dead_letters": "effects that were refused or expired and wait for a person",
    "escalation_quarantined": "records that could not be understood",
    "escalation_read_age_seconds": "since when a kind of record was last read completely",
    "escalation_cursor_age_seconds": "how old the newest change is that was read",
    "escalation_read_failing": "1 while a kind of record cannot be read",
    "escalation_undecided": "accounts that cannot be decided, by connector",
    "escalation_api_quota_known": "1 where a CRM tells of its API quota and has told it, by connector",
    "escalation_api_used": "API calls counted in the CRM's present period, of everybody who uses the account",
    "escalation_api_limit": "API calls that the CRM allows in its period",
    "escalation_api_reset_seconds": "until counting begins anew; absent where the period rolls",
    "escalation_api_told_age_seconds": "since when the CRM last told its API quota",
    "escalation_buttons_up": "1 while clicks on a channel's buttons are heard, by lane",
    "escalation_last_cycle_age_seconds": "since when the last finished cycle began",
    "escalation_last_cycle_seconds": "how long the last cycle took",
    "escalation_held": "new escalations that wait for a yes, by connector",
    "escalation_writes_on": "1 unless the kill switch is on",
}


class _Gauges(Collector):
    """One look, as Prometheus wants it."""

    def __init__(self, look: Look) -> None:
        self._look = look

    def collect(self) -> Iterator[GaugeMetricFamily]:
        yield from self._escalations()
        yield from self._outbox()
        yield from self._reading()
        yield from self._quotas()
        yield from self._worker()

    def _escalations(self) -> Iterator[GaugeMetricFamily]:
        look = self._look
        late = {
            level: sum(each.escalation.level is level and each.is_late(look.at) for each in look.open)
            for level in Level
        }
        yield _gauge("escalations_open", ("level",), [((str(level),), count) for level, count in look.by_level.items()])
        yield _gauge("escalations_overdue", ("level",), [((str(level),), count) for level, count in late.items()])

    def _outbox(self) -> Iterator[GaugeMetricFamily]:
        look = self._look
        yield _gauge("escalation_outbox", ("lane", "state"), [(place, count) for place, count in look.lanes.items()])
        waits = 0.0 if look.oldest_pending is None else (look.at - look.oldest_pending).total_seconds()
        yield _gauge("escalation_outbox_oldest_seconds", (), [((), waits)])
        yield _gauge("escalation_dead_letters", (), [((), len(look.dead))])
        yield _gauge("escalation_quarantined", (), [((), len(look.quarantined))])

    def _reading(self) -> Iterator[GaugeMetricFamily]:
        look, labels = self._look, ("connector", "kind")
        read = [
            ((s.connector, s.kind.value), (look.at - s.place.read_at).total_seconds())
            for s in look.sources
            if s.place.read_at
        ]
        cursor = [
            ((s.connector, s.kind.value), (look.at - s.place.stamp).total_seconds())
            for s in look.sources
            if s.place.stamp
        ]
        failing = [((s.connector, s.kind.value), float(bool(s.place.failure))) for s in look.sources]
        yield _gauge("escalation_read_age_seconds", labels, read)
        yield _gauge("escalation_cursor_age_seconds", labels, cursor)
        yield _gauge("escalation_read_failing", labels, failing)

    def _quotas(self) -> Iterator[GaugeMetricFamily]:
        look, quotas = self._look, self._look.quotas.items()
        told: dict[str, list[tuple[str, float | None]]] = {
            "escalation_api_quota_known": [(name, float(each.used is not None)) for name, each in quotas],
            "escalation_api_used": [(name, each.used) for name, each in quotas],
            "escalation_api_limit": [(name, each.limit) for name, each in quotas],
            "escalation_api_reset_seconds": [
                (name, (each.resets_at - look.at).total_seconds())
                for name, each in quotas
                if each.resets_at is not None and each.used is not None
            ],
            "escalation_api_told_age_seconds": [
                (name, (look.at - each.heard_at).total_seconds()) for name, each in quotas if each.heard_at is not None
            ],
        }
        for gauge, values in told.items():
            yield _gauge(gauge, ("connector",), [((name,), value) for name, value in values if value is not None])

    def _worker(self) -> Iterator[GaugeMetricFamily]:
        look = self._look
        last = look.last_cycle
        ages = [] if last is None else [((), (look.at - last).total_seconds())]
        took = [((), float(str(look.cycles[0]["took_ms"])) / 1000)] if look.cycles else []
        yield _gauge("escalation_last_cycle_age_seconds", (), ages)
        yield _gauge("escalation_last_cycle_seconds", (), took)
        failing = [((name,), len(found)) for name, found in look.undecided.items()]
        yield _gauge("escalation_undecided", ("connector",), failing)
        yield _gauge("escalation_held", ("connector",), [((name,), hold.count) for name, hold in look.held.items()])
        heard = [((name,), float(line.up)) for name, line in look.buttons.items()]
        yield _gauge("escalation_buttons_up", ("lane",), heard)
        yield _gauge("escalation_writes_on", (), [((), float(look.writes))])


def _gauge(name: str, labels: tuple[str, ...], values: Iterable[tuple[tuple[str, ...], float]]) -> GaugeMetricFamily:
    family = GaugeMetricFamily(name, METRICS[name], labels=labels)
    for label_values, value in values:
        family.add_metric(label_values, value)
    return family


def metrics(look: Look) -> bytes:
    """The text of one scrape."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Gauges(look))
    return generate_latest(registry)
