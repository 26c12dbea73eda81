"""A complaint by somebody whose title the CRM does not know: the CSM is asked for it, once for each contact.

Once the title stands in the CRM the trigger decides by itself. Nobody is asked where an executive would change nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from worker.core.model import (
    EXECUTIVE_COMPLAINT,
    Assessment,
    Case,
    Certainty,
    Escalation,
    Signal,
)

TITLE_ASKED = f"{EXECUTIVE_COMPLAINT}:title:"
"""How the fingerprint of such a question begins; the contact follows."""
_MOST = 3
"""Contacts of one account that are asked about at the same time, the longest-standing complaints first."""


def title_key(case: Case) -> str:
    """Names the question by the contact, not by the case: another complaint of theirs asks nothing new."""
    return TITLE_ASKED + " ".join(case.reporter.casefold().split())


def title_questions(complaints: Iterable[Case], now: datetime) -> Iterator[Signal]:
    """Whether those who complain without a title are executives."""
    contacts: dict[str, Case] = {}
    for case in sorted(complaints, key=lambda case: (case.opened_at or now, case.id)):
        contacts.setdefault(title_key(case), case)
    for key, case in list(contacts.items())[:_MOST]:
        detail = (
            f"{case.reporter} complains in case {case.id} and has no title in the CRM: which is it? "
            "Write it at the contact; an executive's complaint is escalated."
        )
        yield Signal(EXECUTIVE_COMPLAINT, case.ref, detail, case.opened_at or now, key, Certainty.POSSIBLE)


def asks_title(question: Signal) -> bool:
    """Whether it is such a question."""
    return question.fingerprint.startswith(TITLE_ASKED)


def would_change_nothing(question: Signal, assessment: Assessment, escalation: Escalation | None) -> bool:
    """Whether it asks for a title although the account stands as high as an executive's complaint would lift it."""
    standing = escalation.level if escalation is not None and escalation.open else None
    reached = [level for level in (assessment.level, standing) if level is not None]
    return asks_title(question) and any(question.level <= level for level in reached)


def worth_asking(assessment: Assessment, escalation: Escalation | None) -> tuple[Signal, ...]:
    """The questions whose answer can change something."""
    return tuple(each for each in assessment.questions if not would_change_nothing(each, assessment, escalation))
