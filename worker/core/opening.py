"""Opening an escalation: evidence that nobody dismissed and that held long enough, or a flag that a person ticked."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from worker.core.clock import start_clock
from worker.core.flapping import flipped, mind_flapping
from worker.core.ladder import activity
from worker.core.merging import Estate, estate, go_on_as, origin, together
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
    left = estate(view, last)
    dismissed = left.dismissed if last is None else last.dismissed | left.dismissed
    fresh = _held_long_enough(fresh_signals(assessment, dismissed, hushed), policy, now)
    by_hand = not left.going_on and _ticked_by_hand(last, observed)
    if not fresh and not by_hand and not left.going_on:
        return None
    level, occurred = _level(fresh, observed, now, by_hand=by_hand)
    clock = start_clock(level, occurred, now, policy, assessment.segment)
    name = _name(view, last, fresh, left)
    turn = Turn(blank(name, view, assessment, clock, policy, now), view, assessment, policy, now, hushed)
    took_over = left.known if last is None else (*last.took_over, *left.known)
    turn.change(dismissed=dismissed, reasons=tuple(reason_of(signal, now) for signal in fresh), took_over=took_over)
    if by_hand:
        by_person = reason_by_hand(view.account.id, now)
        turn.change(reasons=(*turn.escalation.reasons, by_person), raised_to=level)
    turn.move(level, occurred)
    news = " ".join((*_carry_on(turn, left, fresh), *_news(turn, fresh, by_hand=by_hand)))
    _begin(turn, last, news, back=last is not None and _comes_back(fresh, last, policy, now))
    return turn


def _carry_on(turn: Turn, left: Estate, fresh: Sequence[Signal]) -> tuple[str, ...]:
    """Go on where merged accounts' escalations stood, unless what is here asks for more. Returns from where it came."""
    if not left.going_on:
        return ()
    first, reasons = left.going_on[0].escalation, together(left.going_on)
    known = frozenset(reason.fingerprint for reason in reasons)
    more = [signal for signal in fresh if not covered(signal.fingerprint, known)]
    if max((signal.level for signal in more), default=Level.L1) <= first.level:
        go_on_as(turn, first)
    opened_at = min(each.escalation.opened_at for each in left.going_on)
    turn.change(reasons=(*reasons, *(reason_of(signal, turn.now) for signal in more)), opened_at=opened_at)
    return (origin(left.going_on),)


def _begin(turn: Turn, last: Escalation | None, news: str, *, back: bool) -> None:
    """Tell it, as new or as the old story, and take over what the last one left."""
    policy, now = turn.policy, turn.now
    turn.change(
        activity=activity(turn.view) if turn.view.complete and turn.assessment.complete else "",
        document_asked=1,
        document_at=now + policy.document.remind_every,
        post_mortems=() if last is None else last.post_mortems,
        reopened_from=last.id if back and last is not None else None,
        flips=flipped(last, policy.flapping, now) if back and last is not None else (),
    )
    turn.tell(Event.REOPENED if back else Event.OPENED, news)
    mind_flapping(turn)


def _level(fresh: Sequence[Signal], observed: Observed, now: datetime, *, by_hand: bool) -> tuple[Level, datetime]:
    level = max((signal.level for signal in fresh), default=observed.flag.level or Level.L1)
    if by_hand and observed.flag.level is not None:
        level = max(level, observed.flag.level)
    return level, min((signal.occurred_at for signal in fresh if signal.level is level), default=now)


def _name(view: AccountView, last: Escalation | None, fresh: Sequence[Signal], left: Estate) -> EscalationId:
    """Not of the time: a worker that lost its state finds the same name, and by it the notes that it wrote."""
    seed = "|".join((view.account.id, last.id if last else "", *sorted(s.fingerprint for s in fresh), *left.known))
    return EscalationId(f"esc_{hashlib.sha256(seed.encode()).hexdigest()[:20]}")


def _comes_back(fresh: Sequence[Signal], last: Escalation, policy: Policy, now: datetime) -> bool:
    """Whether the same evidence returns soon after it was settled: then it is the old story with a new clock."""
    before = frozenset(reason.fingerprint for reason in last.reasons)
    soon = last.resolved_at is not None and now - last.resolved_at <= policy.reopen_within
    return soon and any(covered(signal.fingerprint, before) for signal in fresh)


def _held_long_enough(signals: Sequence[Signal], policy: Policy, now: datetime) -> tuple[Signal, ...]:
    """A time ahead of ours is another clock's now: it is no reason to wait."""
    return tuple(
        signal
        for signal in signals
        if max(now - signal.occurred_at, timedelta(0)) >= policy.levels[signal.level].hold.enter
    )


def waits_until(
    assessment: Assessment, last: Escalation | None, policy: Policy, now: datetime, hushed: frozenset[str]
) -> datetime | None:
    """When evidence will have held long enough to open an escalation."""
    fresh = fresh_signals(assessment, frozenset() if last is None else last.dismissed, hushed)
    held = [signal.occurred_at + policy.levels[signal.level].hold.enter for signal in fresh]
    return min((at for at in held if at > now), default=None)


def _news(turn: Turn, fresh: Sequence[Signal], *, by_hand: bool) -> Iterator[str]:
    """What speaks for it, besides what came along from a merged account."""
    here = frozenset(reason.fingerprint for reason in turn.escalation.reasons if reason.since == turn.now)
    yield from (signal.detail for signal in fresh if signal.fingerprint in here)
    if by_hand:
        yield "A person set the flag in the CRM."


def _ticked_by_hand(last: Escalation | None, observed: Observed) -> bool:
    if not observed.flag.escalated or observed.pending is not None:
        return False
    return last is None or (last.written is not None and not last.written.escalated)


def reason_of(signal: Signal, now: datetime) -> Reason:
    """A signal as a reason that an escalation carries."""
    phrase = "" if signal.hit is None else signal.hit.phrase
    return Reason(signal.trigger, signal.ref, signal.detail, signal.fingerprint, now, signal.occurred_at, phrase=phrase)
