"""Answers that people give in a channel: whose count, and why one does not count any more.

They do what the acknowledgement in the CRM's override field does, and nothing more. The override field comes first.
"""

from __future__ import annotations

from worker.core.model import AccountView, Escalation, Level, Person, Status
from worker.core.people import acknowledge
from worker.core.policy import Policy
from worker.core.routing import people_of
from worker.core.turn import Turn

_NOT_NOW = {
    Status.RESOLVED: "This escalation is closed already.",
    Status.SNOOZED: "It is snoozed: nobody has to answer now.",
    Status.WAITING: "It waits for the customer: nobody has to answer now.",
    Status.TO_CONFIRM: "Its evidence is gone: say in the CRM how it ended.",
}
UNKNOWN = "The worker does not know this escalation: look at the account in the CRM."


def heed_answers(turn: Turn) -> None:
    """Acknowledge in the name of the first who answered, if the escalation still stands where they saw it."""
    for answer in turn.view.answers:
        if answer.escalation_id == turn.escalation.id and not why_not(turn.escalation, answer.level):
            acknowledge(turn, f"acknowledged by {answer.by} in {answer.via}", answer.by)


def why_not(escalation: Escalation, seen: Level) -> str:
    """Why nobody can take it up now who saw it at this level, in a sentence for them. Empty: they can."""
    if escalation.status is Status.ACKNOWLEDGED:
        return f"{escalation.acknowledged_by} has it in hand already."
    if escalation.open and escalation.level is not seen:
        return f"It stands at {escalation.level} now, not at {seen}: look at the message again."
    return _NOT_NOW.get(escalation.status, "")


def person_at(address: str, view: AccountView, escalation: Escalation, policy: Policy) -> Person | None:
    """Who of the escalation's people has this mail address: its owner, or whom account and policy name."""
    known = [*([escalation.owner] if escalation.owner is not None else []), *people_of(view, policy)]
    wanted = address.strip().casefold()
    return next((each for each in known if wanted and each.active and each.email.strip().casefold() == wanted), None)


def stranger(address: str, escalation: Escalation) -> str:
    """What somebody is told who is none of the escalation's people."""
    who = "the CSM" if escalation.owner is None else escalation.owner.name
    if not address:
        return f"No address of yours is known here: ask {who}, or acknowledge it in the CRM."
    return (
        f"You are not among the people of this escalation (your address is {address}): "
        f"ask {who}, or acknowledge it in the CRM."
    )
