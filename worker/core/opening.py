"""Opening an escalation: evidence that nobody dismissed and that held long enough, or a flag that a person ticked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import datetime

from worker.core.clock import start_clock
from worker.core.flapping import flipped, mind_flapping
from worker.core.ladder import activity
from worker.core.model import (
    AccountView,
    Assessment,
    Escalation,
    EscalationId,
    Event,
    Level,
    Observed,
    Reason,
    Signal,
)
from worker.core.people import reason_by_hand
from worker.core.policy import Policy
from worker.core.turn import Turn, blank, covered, fresh_signals


def start(
    view: AccountView,
    assessment: Assessment,
    last: Escalation | None,
    observed: Observed,
    policy: Policy,
    now: datetime,
    hushed: frozenset[str],
) -> Turn | None:
    """The turn that opens an escalation, None where there is nothing to open one for."""
    if view.account.deleted:
        return None
    dismissed = frozenset() if last is None else last.dismissed
    fresh = _held_long_enough(fresh_signals(assessment, dismissed, hushed), policy, now)
    by_hand = _ticked_by_hand(last, observed)
    if not fresh and not by_hand:
        return None
    level, occurred = _level(fresh, observed, now, by_hand=by_hand)
    clock = start_clock(level, occurred, now, policy, assessment.segment)
    name = _name(view, last, fresh)
    turn = Turn(blank(name, view, assessment, clock, policy, now), view, assessment, policy, now, hushed)
    turn.change(dismissed=dismissed, reasons=tuple(reason_of(signal, now) for signal in fresh))
    if by_hand:
        by_person = reason_by_hand(view.account.id, now)
        turn.change(reasons=(*turn.escalation.reasons, by_person), raised_to=level)
    turn.move(level, occurred)
    _begin(turn, last, fresh, by_hand=by_hand)
    return turn


def _begin(turn: Turn, last: Escalation | None, fresh: Sequence[Signal], *, by_hand: bool) -> None:
    """Tell it, as new or as the old story, and take over what the last one left."""
    policy, now = turn.policy, turn.now
    again = last is not None and _comes_back(fresh, last, policy, now)
    turn.change(
        activity=activity(turn.view) if turn.view.complete and turn.assessment.complete else "",
        document_asked=1,
        document_at=now + policy.document.remind_every,
        post_mortems=() if last is None else last.post_mortems,
        reopened_from=last.id if again and last is not None else None,
        flips=flipped(last, policy.flapping, now) if again and last is not None else (),
    )
    turn.tell(Event.REOPENED if again else Event.OPENED, _news(fresh, by_hand=by_hand))
    mind_flapping(turn)


def _level(fresh: Sequence[Signal], observed: Observed, now: datetime, *, by_hand: bool) -> tuple[Level, datetime]:
    level = max((signal.level for signal in fresh), default=observed.flag.level or Level.L1)
    if by_hand and observed.flag.level is not None:
        level = max(level, observed.flag.level)
    return level, min((signal.occurred_at for signal in fresh if signal.level is level), default=now)


def _name(view: AccountView, last: Escalation | None, fresh: Sequence[Signal]) -> EscalationId:
    """Not of the time: a worker that lost its state finds the same name, and by it the notes that it wrote."""
    seed = "|".join((view.account.id, last.id if last else "", *sorted(s.fingerprint for s in fresh)))
    return EscalationId(f"esc_{hashlib.sha256(seed.encode()).hexdigest()[:20]}")


def _comes_back(fresh: Sequence[Signal], last: Escalation, policy: Policy, now: datetime) -> bool:
    """Whether the same evidence returns soon after it was settled: then it is the old story with a new clock."""
    before = frozenset(reason.fingerprint for reason in last.reasons)
    soon = last.resolved_at is not None and now - last.resolved_at <= policy.reopen_within
    return soon and any(covered(signal.fingerprint, before) for signal in fresh)


def _held_long_enough(signals: Sequence[Signal], policy: Policy, now: datetime) -> tuple[Signal, ...]:
    return tuple(signal for signal in signals if now - signal.occurred_at >= policy.levels[signal.level].hold.enter)


def waits_until(
    assessment: Assessment, last: Escalation | None, policy: Policy, now: datetime, hushed: frozenset[str]
) -> datetime | None:
    """When evidence will have held long enough to open an escalation."""
    fresh = fresh_signals(assessment, frozenset() if last is None else last.dismissed, hushed)
    held = [signal.occurred_at + policy.levels[signal.level].hold.enter for signal in fresh]
    return min((at for at in held if at > now), default=None)


def _news(fresh: Sequence[Signal], *, by_hand: bool) -> str:
    said = [signal.detail for signal in fresh]
    return " ".join([*said, *(["A person set the flag in the CRM."] if by_hand else [])])


def _ticked_by_hand(last: Escalation | None, observed: Observed) -> bool:
    if not observed.flag.escalated or observed.pending is not None:
        return False
    return last is None or (last.written is not None and not last.written.escalated)


def reason_of(signal: Signal, now: datetime) -> Reason:
    """A signal as a reason that an escalation carries."""
    phrase = "" if signal.hit is None else signal.hit.phrase
    return Reason(signal.trigger, signal.ref, signal.detail, signal.fingerprint, now, signal.occurred_at, phrase=phrase)
