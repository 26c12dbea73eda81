"""What only a person can decide is asked of the CSM, once for each piece of evidence."""

from __future__ import annotations

import hashlib
from datetime import datetime

from worker.core.model import AccountView, AddTask, Assessment, Effect, Escalation, Event, Level, TaskKind
from worker.core.policy import Policy
from worker.core.routing import csm_of
from worker.core.titles import TITLE_ASKED, worth_asking


def ask(
    view: AccountView, assessment: Assessment, current: Escalation | None, policy: Policy, now: datetime
) -> tuple[frozenset[str], tuple[Effect, ...]]:
    """The fingerprints of what was asked and still stands, and the tasks for what is asked now.

    What was asked of a contact stays asked: their next complaint asks nothing again.
    """
    standing = frozenset(question.fingerprint for question in assessment.questions)
    for_good = frozenset(each for each in view.asked if each.startswith(TITLE_ASKED))
    known = view.asked if not assessment.complete else (view.asked & standing) | for_good
    person = csm_of(view.account, policy, now)
    if person is None:
        return known, ()
    fresh = [question for question in worth_asking(assessment, current) if question.fingerprint not in known]
    due = now + policy.levels[Level.L1].response
    tasks = tuple(
        AddTask(Event.QUESTION, _number(question.fingerprint, now), person, question.detail, due, TaskKind.QUESTION)
        for question in fresh
    )
    return known | {question.fingerprint for question in fresh}, tasks


def _number(fingerprint: str, now: datetime) -> int:
    """A number for a question's key: the same question may be asked again once its evidence was gone."""
    return int.from_bytes(hashlib.sha256(f"{fingerprint}|{now.isoformat()}".encode()).digest()[:4]) >> 1
