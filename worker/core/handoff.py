"""The hand-off call: proposed at each change of hands, reminded of until somebody says in the CRM that it was held.

The worker arranges nothing: CSM and owner call each other, at a time that suits them.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction

from worker.core.calendar import Calendar, due, elapsed
from worker.core.model import AccountView, Escalation, Event, Handoff, Person, Status, TaskKind
from worker.core.people import SOMEBODY
from worker.core.policy import Policy
from worker.core.routing import csm_of
from worker.core.triggers import segment_of
from worker.core.turn import HANDED_OVER, Ask, Turn

CALL = timedelta(minutes=15)
"""How long a hand-off call is taken to last, and the grid on which it begins."""

_SHARES = (Fraction(1, 4), Fraction(1, 2))
"""Early enough that the answer can follow from the call."""
_ANEW = frozenset({Event.SNOOZE_ENDED, Event.EVIDENCE_BACK, Event.REPEATED})
"""The response clock starts again, and what was proposed before is over."""
_PRESSED = frozenset({Status.OPEN, Status.ACKNOWLEDGED})
_DAY = timedelta(days=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def proposed_calls(now: datetime, until: datetime, calendar: Calendar) -> tuple[datetime, ...]:
    """Two times for a call, a quarter and a half into the open time from `now` to `until`; UTC, on quarter hours.

    Each call lies wholly in open time and ends by `until`, and the second begins when the first has ended at the
    earliest. One where there is no room for two, none where it must be now.
    """
    left, calls, earliest = elapsed(now, until, calendar), list[datetime](), now
    for share in _SHARES:
        wanted = max(earliest, due(now, left * share.numerator / share.denominator, calendar).at)
        at = _first_slot(wanted, until, calendar) or _first_slot(earliest, until, calendar)
        if at is not None:
            calls.append(at)
            earliest = at + CALL
    return tuple(calls)


def _first_slot(after: datetime, until: datetime, calendar: Calendar) -> datetime | None:
    day = calendar.local(after).date()
    while day <= calendar.local(until).date():
        for opens, closes in calendar.open_spans(day):
            begins = _on_the_quarter(max(after, opens))
            if begins + CALL <= min(closes, until):
                return begins
        day += _DAY
    return None


def _on_the_quarter(moment: datetime) -> datetime:
    return _EPOCH - (_EPOCH - moment) // CALL * CALL


def call_between(
    view: AccountView, escalation: Escalation, policy: Policy, now: datetime
) -> tuple[Person, Person] | None:
    """Who hands over to whom: the CSM and the owner; None where it is one person, or one of them is missing."""
    csm, owner = csm_of(view.account, policy, now), escalation.owner
    return None if csm is None or owner is None or csm.id == owner.id else (csm, owner)


def calls_for(view: AccountView, escalation: Escalation, policy: Policy, now: datetime) -> tuple[datetime, ...]:
    """The times to propose now, before the answer is due; once somebody has answered, within another response time."""
    rule = policy.levels[escalation.level]
    calendar = rule.calendar_for(segment_of(view.account, policy, now))
    waits = escalation.status is Status.OPEN
    until = escalation.clock.due_at if waits else due(now, rule.response, calendar).at
    return proposed_calls(now, until, calendar)


def calls_ahead(escalation: Escalation, now: datetime) -> tuple[datetime, ...]:
    """The times proposed that are not over, as long as the call is waited for and nobody says that it was held."""
    handoff = escalation.handoff
    if handoff is None or handoff.held_at is not None or not _is_pressed(escalation):
        return ()
    return tuple(at for at in handoff.calls if now < at + CALL)


def mind_handoff(turn: Turn) -> None:
    """Propose a call where it changed hands in this turn; else heed what is said of it, or remind."""
    told = {entry.event for entry in turn.trail}
    handoff = turn.escalation.handoff
    if told & HANDED_OVER:
        fresh = Handoff(turn.now, said_before=turn.view.account.call_held_at)
        turn.change(handoff=_proposed(turn, fresh, remind=turn.policy.handoff.reminders > 0))
    elif handoff is not None and handoff.held_at is None:
        if told & _ANEW:
            turn.change(handoff=_proposed(turn, handoff, remind=handoff.remind_at is not None))
        _heed_or_remind(turn)


def _proposed(turn: Turn, handoff: Handoff, *, remind: bool) -> Handoff:
    """With times from now on, and a reminder once the last of them is over."""
    view, escalation, policy, now = turn.view, turn.escalation, turn.policy, turn.now
    if call_between(view, escalation, policy, now) is None:
        return replace(handoff, calls=(), remind_at=None)
    calls = calls_for(view, escalation, policy, now)
    return replace(handoff, calls=calls, remind_at=(calls[-1] if calls else now) + CALL if remind else None)


def _heed_or_remind(turn: Turn) -> None:
    handoff, said = turn.escalation.handoff, turn.view.account.call_held_at
    if handoff is None:
        return
    if said is not None and said != handoff.said_before:
        turn.change(handoff=replace(handoff, held_at=said, remind_at=None))
        at = f"{said:%Y-%m-%d %H:%M} UTC"
        what = f"the hand-off call was held {at}" if said <= turn.now else f"the hand-off call is agreed for {at}"
        turn.tell(Event.CALL_HELD, what, SOMEBODY, to=())
        return
    due_at = next_call_reminder(turn)
    if due_at is not None and due_at <= turn.now:
        _remind(turn, handoff)


def _remind(turn: Turn, handoff: Handoff) -> None:
    """Both hear of it each time; the task comes once."""
    people = call_between(turn.view, turn.escalation, turn.policy, turn.now)
    if people is None:
        turn.change(handoff=replace(handoff, remind_at=None))
        return
    csm, owner = people
    rule = turn.policy.levels[turn.escalation.level]
    again = due(turn.now, rule.response, rule.calendar_for(turn.assessment.segment)).at
    count = handoff.reminded + 1
    turn.change(
        handoff=replace(handoff, reminded=count, remind_at=again if count < turn.policy.handoff.reminders else None)
    )
    subject = f"Call {owner.name} about {turn.view.account.name}, and enter when you did"
    asks = (Ask(TaskKind.CALL, subject, again, csm),) if count == 1 else ()
    turn.tell(
        Event.CALL_REMINDED,
        f"nobody has said yet that {csm.name} and {owner.name} held their hand-off call",
        asks=asks,
        to=people,
    )


def next_call_reminder(turn: Turn) -> datetime | None:
    """When somebody must be reminded of the call; nobody while it rests, or while the evidence is gone."""
    handoff = turn.escalation.handoff
    return handoff.remind_at if handoff is not None and _is_pressed(turn.escalation) else None


def _is_pressed(escalation: Escalation) -> bool:
    return escalation.status in _PRESSED and escalation.evidence_gone_at is None
