"""The issue document grows: its gaps are asked of the CSM, reminded of, and its completion is noted.

The worker only reads what people write there.
"""

from __future__ import annotations

from datetime import datetime

from worker.core.document import IssueDocument, build_document
from worker.core.model import Event, Status, TaskKind
from worker.core.turn import Ask, Turn

_QUIET = frozenset({Status.SNOOZED, Status.WAITING})


def mind_document(turn: Turn) -> None:
    """Remind of gaps on the policy's cadence; note it once when the last one is filled."""
    escalation, rule = turn.escalation, turn.policy.document
    if escalation.status in _QUIET or (escalation.document_at is None and escalation.document_asked):
        return
    document = build_document(turn.view, escalation, turn.policy, turn.now)
    if not document.open_fields:
        asked = escalation.document_asked
        turn.change(document_at=None, document_asked=max(1, asked))
        if asked:
            turn.tell(Event.DOCUMENT_FILLED, f"the issue document is complete: {document.score}", to=())
        return
    if escalation.document_at is not None and escalation.document_at > turn.now:
        return
    last = escalation.document_asked >= rule.reminders
    again = None if last else turn.now + rule.remind_every
    turn.change(document_asked=escalation.document_asked + 1, document_at=again)
    _remind(turn, document)


def next_reminder(turn: Turn) -> datetime | None:
    """When the document must be looked at again."""
    return None if turn.escalation.status in _QUIET else turn.escalation.document_at


def _remind(turn: Turn, document: IssueDocument) -> None:
    csm = turn.csm()
    if csm is None:
        return
    missing = ", ".join(field.name for field in document.open_fields)
    subject = f"Complete the issue document of {turn.view.account.name}: {missing}"
    ask = Ask(TaskKind.DOCUMENT, subject, turn.now + turn.policy.document.remind_every, csm)
    said = f"the issue document stands at {document.score}; open: {missing}"
    turn.tell(Event.DOCUMENT_REMINDED, said, asks=(ask,), to=())
