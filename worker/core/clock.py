"""The response clock of an escalation: when an answer is due, and when to warn."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from fractions import Fraction

from worker.core.calendar import due, fraction_point
from worker.core.model import Clock, Level, Step
from worker.core.policy import Policy


def start_clock(level: Level, occurred_at: datetime, now: datetime, policy: Policy) -> Clock:
    """A clock for a level. It starts at the event's time, the lag of detection is shown apart.

    An event that is older than the whole response time could not have been answered in time by anybody: then the clock
    starts now. An event in the future (a CRM's clock ahead of ours) starts now as well. Warnings whose time is over
    when the clock is set count as told: setting it tells more.
    """
    rule = policy.levels[level]
    started = occurred_at if now - rule.response < occurred_at <= now else now
    end = due(started, rule.response, rule.calendar)
    if end.at <= now:
        started = now
        end = due(started, rule.response, rule.calendar)
    clock = Clock(
        level=level,
        started_at=started,
        detected_at=now,
        half_at=fraction_point(started, rule.response, rule.calendar, Fraction(1, 2)),
        most_at=fraction_point(started, rule.response, rule.calendar, Fraction(4, 5)),
        due_at=end.at,
        explained=end.explain(),
    )
    return replace(clock, fired=passed_steps(clock, now))


def passed_steps(clock: Clock, now: datetime) -> tuple[Step, ...]:
    """The steps whose time has come and that were not told yet, the earliest first."""
    times = ((Step.HALF, clock.half_at), (Step.MOST, clock.most_at), (Step.DUE, clock.due_at))
    return tuple(step for step, at in times if at <= now and step not in clock.fired)


def next_step_at(clock: Clock) -> datetime | None:
    """When the next step comes that was not told yet."""
    times = ((Step.HALF, clock.half_at), (Step.MOST, clock.most_at), (Step.DUE, clock.due_at))
    return min((at for step, at in times if step not in clock.fired), default=None)
