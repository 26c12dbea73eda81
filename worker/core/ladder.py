"""The ladder: warnings on the way, one level up when nobody answers or nothing is heard any more, and the target.

Three clocks run side by side: the response until somebody acknowledges, the follow-up from the last sign of work, the
resolution from the opening. None overrules another.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import datetime

from worker.core.calendar import due
from worker.core.clock import next_step_at, passed_steps, start_target
from worker.core.model import Account, AccountView, Clock, Event, FollowUp, Level, Status, Step, TaskKind
from worker.core.turn import Ask, Turn

_FOLLOWED_UP = frozenset({Status.ACKNOWLEDGED, Status.TO_CONFIRM})
_TARGETED = frozenset({Status.OPEN, Status.ACKNOWLEDGED, Status.SNOOZED})


def tick(turn: Turn) -> None:
    """Run all three clocks up to now."""
    _response(turn)
    _target(turn)
    _follow_up(turn)


def _response(turn: Turn) -> None:
    """The latest step that came is told, the ones slept through are marked with it."""
    escalation = turn.escalation
    if escalation.status is not Status.OPEN:
        return
    passed = passed_steps(escalation.clock, turn.now)
    if Step.DUE in passed:
        _bump(turn, f"no acknowledgement until {escalation.clock.due_at:%Y-%m-%d %H:%M} UTC")
    elif passed:
        turn.change(clock=_fired(escalation.clock, passed))
        turn.tell(Event.WARNED, f"{_share(passed)} of the response time is over and nobody has acknowledged")


def _fired(clock: Clock, passed: tuple[Step, ...]) -> Clock:
    return replace(clock, fired=(*clock.fired, *passed))


def _share(passed: tuple[Step, ...]) -> str:
    return "80 %" if Step.MOST in passed else "50 %"


def _bump(turn: Turn, said: str) -> None:
    late = turn.escalation.level
    if late is Level.L3:
        turn.restart()
        turn.tell(Event.REPEATED, f"{said}; L3 is the top, its clock starts again")
        return
    level = Level(late + 1)
    turn.change(raised_to=level)
    turn.move(level, turn.now)
    turn.tell(Event.BUMPED, f"{said}; moved from {late} to {level}")


def _target(turn: Turn) -> None:
    """The resolution target warns and is missed once; it moves nobody up, that is the other clocks' part."""
    escalation = turn.escalation
    if escalation.status not in _TARGETED:
        return
    clock = escalation.resolution
    if clock is None:
        segment = turn.assessment.segment
        clock = start_target(escalation.level, escalation.opened_at, turn.now, turn.policy, segment)
        turn.change(resolution=clock)
    passed = () if clock is None else passed_steps(clock, turn.now)
    if clock is None or not passed:
        return
    turn.change(resolution=_fired(clock, passed))
    until = f"{clock.due_at:%Y-%m-%d %H:%M} UTC"
    if Step.DUE in passed:
        turn.tell(Event.TARGET_MISSED, f"it should have been resolved until {until}, the target of {clock.level}")
    else:
        turn.tell(Event.TARGET_WARNED, f"{_share(passed)} of the time to resolve it is over; the target is {until}")


def _follow_up(turn: Turn) -> None:
    """From the last sign of work: told when it is silent, then reminded, then moved up."""
    escalation = turn.escalation
    worked = _worked(turn)
    if escalation.status not in _FOLLOWED_UP:
        turn.change(follow_up=None)
        return
    clock = escalation.follow_up
    if clock is None or clock.status is not escalation.status or worked:
        turn.change(follow_up=_begun(turn))
        return
    # What could not be read may be the very sign of work: that nothing came is then told, and moves nobody up.
    known = len(clock.steps) if turn.view.complete and turn.assessment.complete else len(clock.steps) - 1
    passed = sum(at <= turn.now for at in clock.steps[clock.told : known])
    if passed:
        clock = replace(clock, told=clock.told + passed)
        turn.change(follow_up=clock)
        _press(turn, clock)


def _worked(turn: Turn) -> bool:
    """Whether people have written something about it since the last look."""
    if not (turn.view.complete and turn.assessment.complete):
        return False
    before, digest = turn.escalation.activity, activity(turn.view)
    turn.change(activity=digest)
    return before not in ("", digest)


def activity(view: AccountView) -> str:
    """A digest of what people and customers write about an account; the worker's own fields are not in it."""
    account = view.account
    cases = sorted((case.id, case.status.value, str(case.modified_at), case.priority) for case in view.cases)
    disputes = sorted((each.id, each.status.value, str(each.amount), str(each.modified_at)) for each in view.disputes)
    said = repr((_written_by_people(account), cases, disputes))
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def _written_by_people(account: Account) -> tuple[object, ...]:
    people = tuple("" if each is None else each.id for each in (account.owner, account.manager))
    written = (account.override, account.issue, people, account.renewal_on, account.churn_signals, account.pr_risk)
    # Told of only where it is there: the digests of an earlier release stay what they were.
    return written if account.call_held_at is None else (*written, account.call_held_at)


def _begun(turn: Turn) -> FollowUp:
    status, rule = turn.escalation.status, turn.policy.levels[turn.escalation.level]
    calendar = rule.calendar_for(turn.assessment.segment)
    if status is Status.TO_CONFIRM:
        steps: tuple[datetime, ...] = (due(turn.now, turn.policy.confirm_every, calendar).at,)
    else:
        every = rule.follow_up.every
        steps = tuple(due(turn.now, every * n, calendar).at for n in range(1, rule.follow_up.reminders + 3))
    return FollowUp(status, turn.now, steps)


def _press(turn: Turn, clock: FollowUp) -> None:
    name, by = turn.view.account.name, turn.escalation.acknowledged_by or "somebody"
    since = f"nothing was written since {clock.since:%Y-%m-%d %H:%M} UTC"
    task = Ask(TaskKind.FOLLOW_UP, f"Follow up on {name}: {since}", clock.steps[-1])
    if clock.status is Status.TO_CONFIRM:
        turn.change(follow_up=_begun(turn))
        task = replace(task, kind=TaskKind.CONFIRM, subject=f"Say how the escalation of {name} ended")
        turn.tell(Event.REMINDED, "it still waits for somebody to say how it ended", asks=(replace_due(task, turn),))
    elif clock.told < len(clock.steps):
        event = Event.SILENT if clock.told == 1 else Event.REMINDED
        asks = () if event is Event.SILENT else (task,)
        turn.tell(event, f"acknowledged by {by}, but {since}", asks=asks)
    elif turn.escalation.level is Level.L3:
        turn.change(follow_up=_begun(turn))
        turn.tell(Event.REMINDED, f"acknowledged by {by}, but {since}; L3 is the top", asks=(replace_due(task, turn),))
    else:
        _bump(turn, f"acknowledged by {by}, but {since}")


def replace_due(task: Ask, turn: Turn) -> Ask:
    """The task, due with the follow-up clock that runs now."""
    clock = turn.escalation.follow_up
    return task if clock is None else replace(task, due_at=clock.steps[0])


def next_tick(turn: Turn) -> datetime | None:
    """When one of the clocks has something to say next."""
    escalation = turn.escalation
    times: list[datetime | None] = []
    if escalation.status is Status.OPEN:
        times.append(next_step_at(escalation.clock))
    if escalation.status in _TARGETED and escalation.resolution is not None:
        times.append(next_step_at(escalation.resolution))
    if escalation.follow_up is not None:
        times += escalation.follow_up.steps[escalation.follow_up.told :][:1]
    return min((at for at in times if at is not None), default=None)
