"""Two accounts became one: the escalation of the one that went away ends there, and goes on where its records are now.

What people said of it goes along: an acknowledgement, a raise, a no to some evidence. Its response clock runs on, so
that a merge makes nobody answer twice and nobody late.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from worker.core.model import (
    AccountView,
    Escalation,
    EscalationId,
    Event,
    Legacy,
    Reason,
    Status,
)
from worker.core.routing import route
from worker.core.turn import Turn, covered


@dataclass(frozen=True, slots=True)
class Estate:
    """What merged accounts leave to this one and nobody has taken over yet.

    `going_on` are the escalations that were open when the merge came, the most pressing first; `dismissed` is the
    evidence that people said no to; `known` names every escalation that is in here.
    """

    going_on: tuple[Legacy, ...] = ()
    dismissed: frozenset[str] = frozenset()
    known: tuple[EscalationId, ...] = ()


def estate(view: AccountView, last: Escalation | None) -> Estate:
    """What is left to this account, whose own latest escalation is `last`."""
    taken = {each for one in view.merged for each in one.escalation.took_over}
    taken |= set(() if last is None else last.took_over)
    left = [each for each in view.merged if each.escalation.id not in taken]
    going_on = [each for each in left if each.escalation.open or each.escalation.merged_into is not None]
    going_on.sort(key=lambda each: (-each.escalation.level, each.escalation.clock.due_at))
    dismissed = frozenset(one for each in left for one in each.escalation.dismissed)
    return Estate(tuple(going_on), dismissed, tuple(each.escalation.id for each in left))


def go_on_as(turn: Turn, first: Escalation) -> None:
    """Stand where another account's escalation stood: its level and clocks, and who has it in hand."""
    turn.settle()
    found = route(turn.view.account, first.level, turn.lead(), turn.policy, turn.now)
    turn.change(
        level=first.level,
        status=_stood(first, turn.now),
        owner=found.owner,
        owner_role=found.role,
        clock=first.clock,
        resolution=first.resolution,
        raised_to=first.raised_to,
        levelled_for=first.levelled_for,
        acknowledged_at=first.acknowledged_at,
        acknowledged_by=first.acknowledged_by,
        answered_at=first.answered_at,
        snoozed_until=first.snoozed_until,
        snoozed_for=first.snoozed_for,
        snoozed_by=first.snoozed_by,
        snooze_end_told=first.snooze_end_told,
        pauses=first.pauses,
        evidence_gone_at=first.evidence_gone_at,
        follow_up=None,
    )


def _stood(escalation: Escalation, now: datetime) -> Status:
    """Where it stood before the merge ended it. A pause ended with it: the customer is asked under another name now."""
    if escalation.snoozed_until is not None and escalation.snoozed_until > now:
        return Status.SNOOZED
    return Status.OPEN if escalation.acknowledged_at is None else Status.ACKNOWLEDGED


def together(left: Sequence[Legacy], known: Sequence[Reason] = ()) -> tuple[Reason, ...]:
    """All reasons, each evidence once."""
    found: list[Reason] = []
    for reason in (reason for each in left for reason in each.escalation.reasons):
        if not covered(reason.fingerprint, frozenset(each.fingerprint for each in (*known, *found))):
            found.append(reason)
    return tuple(found)


def take_over(turn: Turn) -> None:
    """Let an open escalation go on for those of the accounts that were merged into its own: told as one event."""
    left = estate(turn.view, turn.escalation)
    if not left.known:
        return
    own = turn.escalation
    turn.change(
        dismissed=own.dismissed | left.dismissed,
        took_over=(*own.took_over, *left.known),
        reasons=(*own.reasons, *together(left.going_on, own.reasons)),
    )
    if not left.going_on:
        return
    first = left.going_on[0].escalation
    if first.level > own.level:
        go_on_as(turn, first)
    turn.tell(Event.RAISED if first.level > own.level else Event.REASON_ADDED, origin(left.going_on))


def origin(left: Sequence[Legacy]) -> str:
    """From where an escalation came, and why it was one."""
    names = ", ".join(f"{each.name} ({each.account})" for each in left)
    were = "was" if len(left) == 1 else "were"
    said = " ".join(dict.fromkeys(reason.detail for each in left for reason in each.escalation.reasons))
    return f"{names} {were} merged into this account: the escalation goes on here. {said}".strip()
