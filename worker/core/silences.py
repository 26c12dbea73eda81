"""Silences: what people asked to hold back for a while, such as one bug's accounts until the outage is over.

They hold back new evidence only; what is escalated already goes on, for that there is a snooze.
"""

from __future__ import annotations

from datetime import datetime

from worker.core.model import AccountView, Assessment, Escalation, Level, Segment, Signal, Silence
from worker.core.turn import covered


def hushed(
    view: AccountView, assessment: Assessment, current: Escalation | None, now: datetime
) -> tuple[tuple[Silence, Signal], ...]:
    """The signals that a silence holds back now, each with the silence that ends last."""
    known = frozenset[str]() if current is None else current.dismissed
    if current is not None and current.open:
        known |= {reason.fingerprint for reason in current.reasons}
    standing = sorted(view.silences, key=lambda silence: silence.until, reverse=True)
    held: list[tuple[Silence, Signal]] = []
    for signal in assessment.signals:
        silence = next((each for each in standing if _holds(each, signal, assessment.segment, view, now)), None)
        if silence is not None and not covered(signal.fingerprint, known):
            held.append((silence, signal))
    return tuple(held)


def _holds(silence: Silence, signal: Signal, segment: Segment, view: AccountView, now: datetime) -> bool:
    if now >= silence.until or (signal.level is Level.L3 and not silence.with_l3):
        return False
    if silence.account not in (None, view.account.id):
        return False
    if silence.segment not in (None, segment) or silence.trigger not in (None, signal.trigger):
        return False
    return silence.bug is None or any(case.bug_key == silence.bug and signal.ref.id == case.id for case in view.cases)
