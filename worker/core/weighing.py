"""Weighing the evidence of an open escalation: more of it raises, gone evidence steps down, never the other way round.

Only a complete view can show that something is gone (I12).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from worker.core.closing import close
from worker.core.disputes import still_disputed
from worker.core.flapping import flipped, mind_flapping
from worker.core.model import (
    PAYMENT_DISPUTE,
    Escalation,
    Event,
    Outcome,
    Reason,
    Signal,
    Status,
    TaskKind,
)
from worker.core.opening import reason_of
from worker.core.people import BY_HAND
from worker.core.turn import WORKER, Ask, Turn, covered
from worker.core.waiting import wake


def weigh(turn: Turn) -> None:
    """Bring the reasons up to date; raise for more, step down for nothing."""
    before = turn.escalation.reasons
    new = _fresh_reasons(turn)
    reasons = (*(_refreshed(reason, turn) for reason in before), *(reason_of(signal, turn.now) for signal in new))
    turn.change(reasons=_without_long_gone(reasons, turn))
    wake(turn, new)
    _raise_or_add(turn, new)
    _count_flip(turn)
    mind_flapping(turn)
    _step_down(turn, was_gone=bool(before) and all(reason.gone_at is not None for reason in before))


def _fresh_reasons(turn: Turn) -> list[Signal]:
    known = frozenset(reason.fingerprint for reason in turn.escalation.reasons)
    fresh = turn.fresh(turn.escalation.dismissed)
    return [signal for signal in fresh if not covered(signal.fingerprint, known)]


def _refreshed(reason: Reason, turn: Turn) -> Reason:
    """A reason with its present words, or with the time since when its evidence is gone."""
    signal = _signal_for(reason, turn.assessment.signals)
    if signal is not None:
        return replace(reason, detail=signal.detail, gone_at=None)
    if not turn.view.complete or not turn.assessment.complete:
        return reason
    if _held(reason, turn):
        return replace(reason, gone_at=None)
    return reason if reason.gone_at is not None else replace(reason, gone_at=turn.now)


def _signal_for(reason: Reason, signals: Sequence[Signal]) -> Signal | None:
    known = frozenset({reason.fingerprint})
    return next((signal for signal in signals if covered(signal.fingerprint, known)), None)


def _held(reason: Reason, turn: Turn) -> bool:
    """What keeps a reason although no signal says it now: a person's hand, or the lower limit of a dispute."""
    if reason.fingerprint == BY_HAND:
        return True
    return reason.trigger == PAYMENT_DISPUTE and still_disputed(turn.view, turn.policy, turn.now)


def _without_long_gone(reasons: tuple[Reason, ...], turn: Turn) -> tuple[Reason, ...]:
    """Reasons whose evidence is gone for longer than the hold time go, as long as another one stays."""
    leave = turn.policy.levels[turn.escalation.level].hold.leave
    stays = tuple(reason for reason in reasons if reason.gone_at is None or turn.now - reason.gone_at < leave)
    return stays if any(reason.gone_at is None for reason in stays) else reasons


def _raise_or_add(turn: Turn, new: Sequence[Signal]) -> None:
    fresh = turn.fresh(turn.escalation.dismissed | turn.escalation.levelled_for)
    highest = max(fresh, key=lambda signal: signal.level, default=None)
    said = " ".join(signal.detail for signal in new)
    if highest is not None and highest.level > turn.escalation.level:
        turn.move(highest.level, highest.occurred_at)
        turn.tell(Event.RAISED, said or highest.detail)
    elif new:
        turn.tell(Event.REASON_ADDED, said)


def _all_gone(turn: Turn) -> bool:
    reasons = turn.escalation.reasons
    return bool(reasons) and all(reason.gone_at is not None for reason in reasons)


def _count_flip(turn: Turn) -> None:
    """Count each time that the evidence as a whole went or came back."""
    if _all_gone(turn) is not (turn.escalation.evidence_gone_at is not None):
        turn.change(flips=flipped(turn.escalation, turn.policy.flapping, turn.now))


def _step_down(turn: Turn, *, was_gone: bool) -> None:
    escalation = turn.escalation
    if not _all_gone(turn):
        if escalation.evidence_gone_at is not None:
            turn.change(evidence_gone_at=None)
            if _waits_for_the_end(escalation) and was_gone:
                turn.restart()
                turn.tell(Event.EVIDENCE_BACK, "the evidence is back")
        return
    since = max(reason.gone_at for reason in escalation.reasons if reason.gone_at is not None)
    turn.change(evidence_gone_at=since)
    if _waits_for_the_end(escalation) or not (turn.view.complete and turn.assessment.complete):
        return
    hold = turn.policy.levels[escalation.level].hold.leave
    if escalation.flapping or turn.now - since < hold:
        return
    if escalation.level in turn.policy.auto_resolve:
        close(turn, Outcome.RESOLVED, "the evidence is gone and stayed away; nobody was asked for the outcome", WORKER)
    else:
        _ask_for_the_end(turn)


def _waits_for_the_end(escalation: Escalation) -> bool:
    """Somebody was asked how it ended, also where they wait for the customer's confirmation."""
    pause = escalation.pause
    return escalation.status is Status.TO_CONFIRM or (pause is not None and pause.before is Status.TO_CONFIRM)


def _ask_for_the_end(turn: Turn) -> None:
    turn.settle()
    turn.change(status=Status.TO_CONFIRM, snoozed_until=None)
    subject = "Confirm with the customer, then set outcome, root cause and note in the override fields"
    ask = Ask(TaskKind.CONFIRM, subject, turn.now + turn.policy.confirm_every)
    turn.tell(Event.TO_CONFIRM, "the evidence is gone; somebody must say how it ended", asks=(ask,))
