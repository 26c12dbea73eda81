"""What a case says for a trigger: it is filed under it, or the customer's own words in it are the trigger's phrases."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from worker.core.model import AccountView, Case, CaseStatus, Certainty, Signal, TextHit, TriggerId


def open_cases(view: AccountView) -> Iterator[Case]:
    """The cases that count as evidence."""
    return (case for case in view.cases if case.status is CaseStatus.OPEN)


def case_signals(trigger: TriggerId, view: AccountView, now: datetime) -> Iterator[Signal]:
    """What the open cases say, one signal each at most."""
    for case in open_cases(view):
        signal = case_signal(trigger, case, view.hits, now)
        if signal is not None:
            yield signal


def case_signal(trigger: TriggerId, case: Case, hits: Sequence[TextHit], now: datetime) -> Signal | None:
    """What one case says: surely where it is filed so, else by the surest phrase in it, else nothing."""
    occurred = case.opened_at or now
    fingerprint = f"{trigger}:case:{case.id}"
    if case.category == trigger:
        detail = f"Case {case.id} ({_quoted(case.subject)}) is filed as {_words(trigger)}."
        return Signal(trigger, case.ref, detail, occurred, fingerprint)
    own = [hit for hit in hits if hit.ref == case.ref and hit.trigger == trigger]
    if not own:
        return None
    best = min(own, key=lambda hit: (hit.certainty is not Certainty.CERTAIN, hit.field, hit.start))
    verb = "wrote" if best.certainty is Certainty.CERTAIN else "may mean it:"
    detail = f"In case {case.id} ({_quoted(case.subject)}) the customer {verb} {_quoted(best.text)}."
    if best.certainty is Certainty.POSSIBLE:
        fingerprint = f"{fingerprint}:possible"
    return Signal(trigger, case.ref, detail, occurred, fingerprint, best.certainty, hit=best)


def _quoted(text: str, most: int = 90) -> str:
    text = " ".join(text.split())
    return f"“{text if len(text) <= most else text[: most - 1] + '…'}”"


def _words(trigger: TriggerId) -> str:
    return trigger.replace("_", " ")
