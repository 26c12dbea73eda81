"""What an open escalation waits for, and until when. Times are UTC; whoever shows the sentences makes them local."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from worker.core.calendar import in_words
from worker.core.model import Escalation, Status


def until_when(escalation: Escalation, now: datetime) -> Iterator[str]:
    """The clock that counts in its present status, then the target, then how late it was seen."""
    match escalation.status:
        case Status.OPEN:
            yield f"an answer is {_due(escalation.clock.due_at, now)}: {escalation.clock.explained}"
        case Status.SNOOZED if escalation.snoozed_until is not None:
            until = _moment(escalation.snoozed_until)
            yield f"snoozed by {escalation.snoozed_by} until {until}; the clock starts anew then"
        case Status.WAITING if escalation.pause is not None:
            pause = escalation.pause
            yield f"waiting for the customer since {_moment(pause.since)}, until {_moment(pause.until)} at the latest"
        case Status.TO_CONFIRM:
            yield "somebody must say how it ended: outcome, root cause, and whether the customer confirmed it"
        case _:
            yield from _acknowledged(escalation)
    yield from _target(escalation, now)
    yield from _call(escalation)
    lag = escalation.clock.detected_at - escalation.clock.started_at
    if lag >= timedelta(minutes=1):
        yield f"it was seen {in_words(lag)} after it happened"


def _acknowledged(escalation: Escalation) -> Iterator[str]:
    if escalation.acknowledged_at is not None:
        yield f"acknowledged by {escalation.acknowledged_by} on {_moment(escalation.acknowledged_at)}"
    clock = escalation.follow_up
    if clock is not None:
        first, last = _moment(clock.steps[0]), _moment(clock.steps[-1])
        yield f"without a written word the owner is told {first}, and it moves up {last}"


def _target(escalation: Escalation, now: datetime) -> Iterator[str]:
    if escalation.resolution is not None:
        yield f"the resolution is {_due(escalation.resolution.due_at, now)}: {escalation.resolution.explained}"


def _call(escalation: Escalation) -> Iterator[str]:
    handoff = escalation.handoff
    if handoff is None:
        return
    if handoff.held_at is not None:
        yield f"the hand-off call: {_moment(handoff.held_at)}, says a person in the CRM"
        return
    if handoff.calls or handoff.remind_at is not None:
        times = " or ".join(_moment(at) for at in handoff.calls) or "at once"
        more = "" if handoff.remind_at is None else f", and a reminder comes {_moment(handoff.remind_at)}"
        yield f"a hand-off call was proposed for {times}; nobody has said yet that it was held{more}"


def _due(moment: datetime, now: datetime) -> str:
    return f"due {_moment(moment)}" if moment >= now else f"overdue since {_moment(moment)}"


def _moment(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M} UTC"
