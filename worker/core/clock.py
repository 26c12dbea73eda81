"""The clocks of an escalation: when an answer is due, when the end; when to warn; and what a pause does to them."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from fractions import Fraction

from worker.core.calendar import Calendar, due, elapsed, fraction_point
from worker.core.model import Clock, Escalation, Level, Pause, Segment, Step
from worker.core.policy import Policy


def start_clock(level: Level, occurred_at: datetime, now: datetime, policy: Policy, segment: Segment) -> Clock:
    """The response clock of a level. It starts at the event's time, the lag of detection is shown apart.

    An event that is older than the whole response time could not have been answered in time by anybody: then the clock
    starts now. An event in the future (a CRM's clock ahead of ours) starts now as well. Warnings whose time is over
    when the clock is set count as told: setting it tells more.
    """
    rule = policy.levels[level]
    return _clock(level, rule.response, rule.calendar_for(segment), occurred_at, now, policy)


def start_target(level: Level, opened_at: datetime, now: datetime, policy: Policy, segment: Segment) -> Clock | None:
    """The clock of the resolution target, None where the level has none."""
    rule = policy.levels[level]
    if rule.resolve is None:
        return None
    return _clock(level, rule.resolve, rule.calendar_for(segment), opened_at, now, policy)


def retargeted(escalation: Escalation, level: Level, now: datetime, policy: Policy, segment: Segment) -> Clock | None:
    """The resolution target after a move to `level`: a raise never gives more time than was promised before."""
    before = escalation.resolution
    if before is None:
        return start_target(level, escalation.opened_at, now, policy, segment)
    if level is escalation.level:
        return before
    fresh = start_target(level, now, now, policy, segment)
    if fresh is None or (level > escalation.level and before.due_at <= fresh.due_at):
        return before
    return fresh


def _clock(
    level: Level, length: timedelta, calendar: Calendar, occurred_at: datetime, now: datetime, policy: Policy
) -> Clock:
    started = occurred_at if now - length < occurred_at <= now else now
    end = due(started, length, calendar)
    if end.at <= now:
        started = now
        end = due(started, length, calendar)
    clock = Clock(
        level=level,
        started_at=started,
        detected_at=now,
        half_at=fraction_point(started, length, calendar, Fraction(1, 2)),
        most_at=fraction_point(started, length, calendar, Fraction(4, 5)),
        due_at=end.at,
        explained=end.working(policy.language, policy.timezone),
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


def settled(escalation: Escalation, now: datetime, policy: Policy, segment: Segment) -> Escalation:
    """The escalation with its pause ended and what is left of each clock counted from there.

    A pause ends with its budget, also when that is noticed later.
    """
    pause = escalation.pause
    if pause is None:
        return escalation
    ended = replace(pause, ended_at=max(pause.since, min(now, pause.until)))
    resolution = escalation.resolution
    return replace(
        escalation,
        pauses=(*escalation.pauses[:-1], ended),
        clock=_stood_still(escalation.clock, ended, policy, segment),
        resolution=None if resolution is None else _stood_still(resolution, ended, policy, segment),
    )


def _stood_still(clock: Clock, pause: Pause, policy: Policy, segment: Segment) -> Clock:
    """Each step that was not told yet comes as much open time after the pause as it would have come after its start."""
    calendar = policy.levels[clock.level].calendar_for(segment)
    resumed = pause.ended_at or pause.until

    def moved(step: Step, at: datetime) -> datetime:
        return at if step in clock.fired else due(resumed, elapsed(pause.since, at, calendar), calendar).at

    return replace(
        clock,
        half_at=moved(Step.HALF, clock.half_at),
        most_at=moved(Step.MOST, clock.most_at),
        due_at=moved(Step.DUE, clock.due_at),
    )


def pause_left(escalation: Escalation, level: Level, policy: Policy) -> timedelta:
    """What is left of the time that all pauses together may take at this level."""
    used = sum((each.length for each in escalation.pauses if each.ended_at is not None), timedelta(0))
    return max(timedelta(0), policy.levels[level].pause - used)
