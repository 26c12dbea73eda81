"""The state machine: what is wanted against what is, in one pure function.

Level-triggered: it compares and repairs, it never reacts to "a change". Applied to its own result it does nothing.
An open escalation's level rises with the evidence and never falls with it; only a person lowers it, on record.
"""

from __future__ import annotations

from datetime import datetime

from worker.core.answering import heed_answers
from worker.core.closing import end_with_account, remind_of_post_mortems
from worker.core.completeness import mind_document, next_reminder
from worker.core.flapping import calm_at
from worker.core.handoff import mind_handoff, next_call_reminder
from worker.core.ladder import next_tick, tick
from worker.core.merging import take_over
from worker.core.model import (
    AccountView,
    Assessment,
    Decision,
    Escalation,
    Observed,
    Signal,
    Silence,
    Status,
)
from worker.core.opening import start, waits_until
from worker.core.people import cover_absence, heed_flag, heed_override, next_absence
from worker.core.policy import Policy
from worker.core.questions import ask
from worker.core.silences import hushed
from worker.core.turn import Turn, ensure, fresh_signals, still_there
from worker.core.weighing import weigh

Held = tuple[tuple[Silence, Signal], ...]


def reconcile(
    view: AccountView,
    assessment: Assessment,
    current: Escalation | None,
    observed: Observed,
    policy: Policy,
    now: datetime,
) -> Decision:
    """Decide for one account at `now` (aware UTC).

    `current` is its latest escalation, open or closed. What the CRM shows is believed only where no write of the worker
    is under way. Absence on an incomplete view clears nothing.
    """
    asked, questions = ask(view, assessment, current, policy, now)
    held = hushed(view, assessment, current, now)
    turn = _turn(view, assessment, current, observed, policy, now, held)
    if turn is None:
        next_at = _earliest(waits_until(assessment, None, policy, now, _fingerprints(held)), _silent_until(held))
        return Decision(None, questions, (), "", next_at, asked, _told(held))
    if _shows(turn, current, observed):
        ensure(turn, observed)
    because = "; ".join(entry.because for entry in turn.trail)
    next_at = _earliest(_next_at(turn), _silent_until(held))
    effects, trail = (*turn.effects, *questions), tuple(turn.trail)
    return Decision(turn.escalation, effects, trail, because, next_at, asked, _told(held))


def _turn(
    view: AccountView,
    assessment: Assessment,
    current: Escalation | None,
    observed: Observed,
    policy: Policy,
    now: datetime,
    held: Held,
) -> Turn | None:
    """Go on with the open one, or open one, or leave the last one at rest; None where there never was one."""
    quiet = _fingerprints(held)
    if current is not None and current.open:
        turn = Turn(current, view, assessment, policy, now, quiet)
        _go_on(turn, observed)
        return turn
    started = start(view, assessment, current, observed, policy, now, quiet)
    if started is not None:
        mind_handoff(started)
    if started is not None or current is None:
        return started
    return _at_rest(Turn(current, view, assessment, policy, now, quiet))


def _go_on(turn: Turn, observed: Observed) -> None:
    """An open escalation: people first, then the evidence, then the clocks."""
    if turn.view.account.deleted:
        end_with_account(turn)
        return
    people = (take_over, heed_override, heed_answers, cover_absence)
    steps = (*people, weigh, tick, mind_document, mind_handoff, remind_of_post_mortems)
    if observed.pending is None:
        heed_flag(turn, observed.flag)
    for step in steps:
        if turn.escalation.open:
            step(turn)


def _at_rest(turn: Turn) -> Turn:
    """Nothing is open: forget dismissals whose evidence is gone, and remind of a look back that is due."""
    if turn.view.complete and turn.assessment.complete and not turn.view.account.deleted:
        present = frozenset(signal.fingerprint for signal in turn.assessment.signals)
        turn.change(dismissed=still_there(turn.escalation.dismissed, present))
    remind_of_post_mortems(turn)
    return turn


def _shows(turn: Turn, current: Escalation | None, observed: Observed) -> bool:
    """Whether the flag is the worker's to set: once an escalation is at rest, only a flag that stands there yet."""
    if turn.escalation.open:
        return True
    was_open = current is not None and current.open
    if turn.view.account.deleted:
        return was_open and turn.escalation.merged_into is not None
    return was_open or observed.flag.escalated


def _unjudged(turn: Turn) -> bool:
    """Whether evidence is left that a person's no does not cover: it opens an escalation of its own."""
    fresh = fresh_signals(turn.assessment, turn.escalation.dismissed, turn.hushed)
    return bool(fresh) and not turn.view.account.deleted


def _next_at(turn: Turn) -> datetime | None:
    """When to look again although nothing changes."""
    escalation, policy = turn.escalation, turn.policy
    times = [each.due_at for each in escalation.post_mortems]
    if not escalation.open:
        if escalation.resolved_at == turn.now and _unjudged(turn):
            return turn.now
        waiting = waits_until(turn.assessment, escalation, policy, turn.now, turn.hushed)
        return _earliest(waiting, *times)
    hold = policy.levels[escalation.level].hold.leave
    gone = escalation.evidence_gone_at
    if escalation.status is not Status.TO_CONFIRM and gone is not None and not escalation.flapping:
        times.append(gone + hold)
    return _earliest(
        *times,
        next_tick(turn),
        next_absence(turn),
        next_reminder(turn),
        next_call_reminder(turn),
        calm_at(escalation, policy.flapping),
        *_awakenings(turn),
    )


def _awakenings(turn: Turn) -> tuple[datetime, ...]:
    """When a snooze's author is reminded, when it ends, and when a pause ends."""
    escalation = turn.escalation
    if escalation.pause is not None:
        return (escalation.pause.until,)
    if escalation.status is not Status.SNOOZED or escalation.snoozed_until is None:
        return ()
    reminder = escalation.snoozed_until - turn.policy.snooze.remind_before
    return (escalation.snoozed_until,) if escalation.snooze_end_told else (reminder, escalation.snoozed_until)


def _earliest(*times: datetime | None) -> datetime | None:
    return min((at for at in times if at is not None), default=None)


def _fingerprints(held: Held) -> frozenset[str]:
    return frozenset(signal.fingerprint for _, signal in held)


def _silent_until(held: Held) -> datetime | None:
    return min((silence.until for silence, _ in held), default=None)


def _told(held: Held) -> tuple[tuple[str, str], ...]:
    return tuple((silence.id, signal.fingerprint) for silence, signal in held)
