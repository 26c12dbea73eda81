"""The state machine: what is wanted against what is, in one pure function.

Level-triggered: it compares and repairs, it never reacts to "a change". Applied to its own result it does nothing.
An open escalation's level rises with the evidence and never falls with it; only a person lowers it, on record.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from worker.core.clock import next_step_at, passed_steps, start_clock
from worker.core.model import (
    PAYMENT_DISPUTE,
    AccountView,
    AddTask,
    Assessment,
    Decision,
    Effect,
    Escalation,
    EscalationId,
    Event,
    Level,
    Observed,
    Outcome,
    Reason,
    Signal,
    Status,
    Step,
)
from worker.core.people import BY_HAND, heed_flag, heed_override, reason_by_hand
from worker.core.policy import Policy
from worker.core.routing import csm_of
from worker.core.triggers import open_total
from worker.core.turn import WORKER, Turn, blank, covered, ensure, fresh_signals, still_there

_TICKING = (Status.OPEN,)


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
    asked, questions = _questions(view, assessment, policy, now)
    if current is not None and current.open:
        turn = Turn(current, view, assessment, policy, now)
        _go_on(turn, observed)
    else:
        started = _start(view, assessment, current, observed, policy, now)
        if started is None:
            return _at_rest(view, assessment, current, observed, policy, now, asked, questions)
        turn = started
    if not (view.account.deleted and not turn.escalation.open):
        ensure(turn, observed)
    because = "; ".join(entry.because for entry in turn.trail)
    return Decision(turn.escalation, (*turn.effects, *questions), tuple(turn.trail), because, _next_at(turn), asked)


def _questions(
    view: AccountView, assessment: Assessment, policy: Policy, now: datetime
) -> tuple[frozenset[str], tuple[Effect, ...]]:
    """Ask the CSM what only a person can decide, once for each piece of evidence."""
    standing = frozenset(question.fingerprint for question in assessment.questions)
    known = view.asked if not assessment.complete else view.asked & standing
    person = csm_of(view.account, policy)
    if person is None:
        return known, ()
    fresh = [question for question in assessment.questions if question.fingerprint not in known]
    due = now + policy.levels[Level.L1].response
    tasks = tuple(
        AddTask(Event.QUESTION, _number(question.fingerprint, now), person, question.detail, due) for question in fresh
    )
    return known | {question.fingerprint for question in fresh}, tasks


def _number(fingerprint: str, now: datetime) -> int:
    """A number for a question's key: the same question may be asked again once its evidence was gone."""
    return int.from_bytes(hashlib.sha256(f"{fingerprint}|{now.isoformat()}".encode()).digest()[:4]) >> 1


def _start(
    view: AccountView,
    assessment: Assessment,
    last: Escalation | None,
    observed: Observed,
    policy: Policy,
    now: datetime,
) -> Turn | None:
    """Open an escalation if there is evidence that nobody dismissed, or a person ticked the flag."""
    if view.account.deleted:
        return None
    dismissed = frozenset() if last is None else last.dismissed
    fresh = _held_long_enough(fresh_signals(assessment, dismissed), policy, now)
    by_hand = _ticked_by_hand(last, observed)
    if not fresh and not by_hand:
        return None
    level = max((signal.level for signal in fresh), default=observed.flag.level or Level.L1)
    if by_hand and observed.flag.level is not None:
        level = max(level, observed.flag.level)
    occurred = min((signal.occurred_at for signal in fresh if signal.level is level), default=now)
    # Not of the time: a worker that lost its state finds the same name, and by it the notes that it wrote.
    seed = "|".join((view.account.id, last.id if last else "", *sorted(s.fingerprint for s in fresh)))
    name = EscalationId(f"esc_{hashlib.sha256(seed.encode()).hexdigest()[:20]}")
    turn = Turn(
        blank(name, view, start_clock(level, occurred, now, policy), policy, now), view, assessment, policy, now
    )
    turn.change(dismissed=dismissed, reasons=tuple(_reason(signal, now) for signal in fresh))
    if by_hand:
        by_person = reason_by_hand(view.account.id, now)
        turn.change(reasons=(*turn.escalation.reasons, by_person), raised_to=level)
    turn.move(level, occurred)
    again = last is not None and _comes_back(fresh, last, policy, now)
    turn.change(reopened_from=last.id if again and last is not None else None)
    turn.tell(Event.REOPENED if again else Event.OPENED, _news(fresh, by_hand=by_hand))
    return turn


def _comes_back(fresh: Sequence[Signal], last: Escalation, policy: Policy, now: datetime) -> bool:
    """Whether the same evidence returns soon after it was settled: then it is the old story with a new clock."""
    before = frozenset(reason.fingerprint for reason in last.reasons)
    soon = last.resolved_at is not None and now - last.resolved_at <= policy.reopen_within
    return soon and any(covered(signal.fingerprint, before) for signal in fresh)


def _held_long_enough(signals: Sequence[Signal], policy: Policy, now: datetime) -> tuple[Signal, ...]:
    return tuple(signal for signal in signals if now - signal.occurred_at >= policy.levels[signal.level].hold.enter)


def _news(fresh: Sequence[Signal], *, by_hand: bool) -> str:
    said = [signal.detail for signal in fresh]
    return " ".join([*said, *(["A person set the flag in the CRM."] if by_hand else [])])


def _ticked_by_hand(last: Escalation | None, observed: Observed) -> bool:
    if not observed.flag.escalated or observed.pending is not None:
        return False
    return last is None or (last.written is not None and not last.written.escalated)


def _reason(signal: Signal, now: datetime) -> Reason:
    phrase = "" if signal.hit is None else signal.hit.phrase
    return Reason(signal.trigger, signal.ref, signal.detail, signal.fingerprint, now, signal.occurred_at, phrase=phrase)


def _at_rest(
    view: AccountView,
    assessment: Assessment,
    last: Escalation | None,
    observed: Observed,
    policy: Policy,
    now: datetime,
    asked: frozenset[str],
    questions: tuple[Effect, ...],
) -> Decision:
    """Nothing is open: forget dismissals whose evidence is gone, and see that a closed one's flag is gone too."""
    waiting = [
        signal.occurred_at + policy.levels[signal.level].hold.enter
        for signal in fresh_signals(assessment, frozenset() if last is None else last.dismissed)
    ]
    next_at = min((at for at in waiting if at > now), default=None)
    if last is None:
        return Decision(None, questions, (), "", next_at, asked)
    if view.complete and assessment.complete:
        present = frozenset(signal.fingerprint for signal in assessment.signals)
        last = replace(last, dismissed=still_there(last.dismissed, present))
    turn = Turn(last, view, assessment, policy, now)
    if observed.flag.escalated and not view.account.deleted:
        ensure(turn, observed)
    return Decision(last, (*turn.effects, *questions), (), "", next_at, asked)


def _go_on(turn: Turn, observed: Observed) -> None:
    """An open escalation: people first, then the evidence, then the clock."""
    if turn.view.account.deleted:
        turn.close(Outcome.ACCOUNT_REMOVED, "the account was removed from the CRM", WORKER)
        return
    if observed.pending is None:
        heed_flag(turn, observed.flag)
    if turn.escalation.open:
        heed_override(turn)
    if turn.escalation.open:
        _weigh(turn)
    if turn.escalation.open:
        _tick(turn)


def _weigh(turn: Turn) -> None:
    """Bring the reasons up to date; raise for more, step down for nothing."""
    before = turn.escalation.reasons
    new = _fresh_reasons(turn)
    reasons = (*(_refreshed(reason, turn) for reason in before), *(_reason(signal, turn.now) for signal in new))
    reasons = _without_long_gone(reasons, turn)
    turn.change(reasons=reasons)
    _wake(turn, new)
    _raise_or_add(turn, new)
    _step_down(turn, was_gone=bool(before) and all(reason.gone_at is not None for reason in before))


def _fresh_reasons(turn: Turn) -> list[Signal]:
    known = frozenset(reason.fingerprint for reason in turn.escalation.reasons)
    fresh = fresh_signals(turn.assessment, turn.escalation.dismissed)
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
    if reason.trigger != PAYMENT_DISPUTE:
        return False
    present = open_total(turn.view, turn.policy, turn.now)
    return present is None or present >= turn.policy.dispute_leave


def _without_long_gone(reasons: tuple[Reason, ...], turn: Turn) -> tuple[Reason, ...]:
    """Reasons whose evidence is gone for longer than the hold time go, as long as another one stays."""
    leave = turn.policy.levels[turn.escalation.level].hold.leave
    stays = tuple(reason for reason in reasons if reason.gone_at is None or turn.now - reason.gone_at < leave)
    return stays if any(reason.gone_at is None for reason in stays) else reasons


def _wake(turn: Turn, new: Sequence[Signal]) -> None:
    escalation = turn.escalation
    if escalation.status is not Status.SNOOZED or escalation.snoozed_until is None:
        return
    unseen = [signal for signal in new if signal.fingerprint not in escalation.snoozed_for]
    if unseen:
        turn.restart()
        turn.tell(Event.SNOOZE_ENDED, f"the snooze ends early: {unseen[0].detail}")
    elif escalation.snoozed_until <= turn.now:
        turn.restart()
        turn.tell(Event.SNOOZE_ENDED, "the snooze is over")


def _raise_or_add(turn: Turn, new: Sequence[Signal]) -> None:
    settled = turn.escalation.dismissed | turn.escalation.levelled_for
    fresh = fresh_signals(turn.assessment, settled)
    highest = max(fresh, key=lambda signal: signal.level, default=None)
    said = " ".join(signal.detail for signal in new)
    if highest is not None and highest.level > turn.escalation.level:
        turn.move(highest.level, highest.occurred_at)
        turn.tell(Event.RAISED, said or highest.detail)
    elif new:
        turn.tell(Event.REASON_ADDED, said)


def _step_down(turn: Turn, *, was_gone: bool) -> None:
    escalation = turn.escalation
    gone_at = [reason.gone_at for reason in escalation.reasons if reason.gone_at is not None]
    if len(gone_at) < len(escalation.reasons) or not gone_at:
        if escalation.evidence_gone_at is not None:
            turn.change(evidence_gone_at=None)
            if escalation.status is Status.TO_CONFIRM and was_gone:
                turn.restart()
                turn.tell(Event.EVIDENCE_BACK, "the evidence is back")
        return
    since = max(gone_at)
    turn.change(evidence_gone_at=since)
    if escalation.status is Status.TO_CONFIRM or not (turn.view.complete and turn.assessment.complete):
        return
    hold = turn.policy.levels[escalation.level].hold.leave
    if turn.now - since < hold:
        return
    if escalation.level in turn.policy.auto_resolve:
        turn.close(Outcome.RESOLVED, "the evidence is gone and stayed away; nobody was asked for the outcome", WORKER)
        return
    turn.change(status=Status.TO_CONFIRM, snoozed_until=None)
    turn.tell(
        Event.TO_CONFIRM,
        "the evidence is gone; somebody must say how it ended",
        task="Confirm with the customer, then set outcome, root cause and note in the override fields",
    )


def _tick(turn: Turn) -> None:
    """The response clock: the latest step that came is told, the ones slept through are marked with it."""
    escalation = turn.escalation
    if escalation.status not in _TICKING:
        return
    passed = passed_steps(escalation.clock, turn.now)
    if Step.DUE in passed:
        _bump(turn)
    elif passed:
        turn.change(clock=replace(escalation.clock, fired=(*escalation.clock.fired, *passed)))
        share = "80 %" if Step.MOST in passed else "50 %"
        turn.tell(Event.WARNED, f"{share} of the response time is over and nobody has acknowledged")


def _bump(turn: Turn) -> None:
    late = turn.escalation.level
    said = f"no acknowledgement until {turn.escalation.clock.due_at:%Y-%m-%d %H:%M} UTC"
    if late is Level.L3:
        turn.restart()
        turn.tell(Event.REPEATED, f"{said}; L3 is the top, its clock starts again")
        return
    level = Level(late + 1)
    turn.change(raised_to=level)
    turn.move(level, turn.now)
    turn.tell(Event.BUMPED, f"{said}; moved from {late} to {level}")


def _next_at(turn: Turn) -> datetime | None:
    """When to look again although nothing changes."""
    escalation = turn.escalation
    if not escalation.open:
        return None
    times = [escalation.snoozed_until] if escalation.status is Status.SNOOZED else []
    if escalation.status in _TICKING:
        times.append(next_step_at(escalation.clock))
    if escalation.evidence_gone_at is not None and escalation.status is not Status.TO_CONFIRM:
        times.append(escalation.evidence_gone_at + turn.policy.levels[escalation.level].hold.leave)
    return min((at for at in times if at is not None), default=None)
