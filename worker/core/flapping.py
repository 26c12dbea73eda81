"""Evidence that comes and goes: the escalation is held open and marked, and whoever keeps the rule is told."""

from __future__ import annotations

from datetime import datetime

from worker.core.model import Escalation, Event
from worker.core.policy import FlappingRule
from worker.core.routing import steward_of
from worker.core.turn import Turn


def flipped(escalation: Escalation, rule: FlappingRule, now: datetime) -> tuple[datetime, ...]:
    """The changes that still count, with one now."""
    return (*recent(escalation.flips, rule, now), now)


def recent(flips: tuple[datetime, ...], rule: FlappingRule, now: datetime) -> tuple[datetime, ...]:
    """The changes that still count."""
    return tuple(at for at in flips if now - at < rule.within)


def mind_flapping(turn: Turn) -> None:
    """Mark it when the changes are too many, and take the mark away when it has calmed down."""
    rule = turn.policy.flapping
    flips = recent(turn.escalation.flips, rule, turn.now)
    many = len(flips) >= rule.changes
    turn.change(flips=flips)
    if many == turn.escalation.flapping:
        return
    turn.change(flapping=many)
    steward = steward_of(turn.lead(), turn.view.account, turn.policy, turn.now)
    to = () if steward is None else (steward,)
    told = f"its evidence came or went {len(flips)} times within {rule.within.days} days"
    if many:
        rules = ", ".join(dict.fromkeys(reason.trigger for reason in turn.escalation.reasons))
        turn.tell(Event.FLAPPING, f"flapping: {told} ({rules}); it is held open", to=to)
    else:
        turn.tell(Event.SETTLED, f"{told}; it is no longer held open", to=to)


def calm_at(escalation: Escalation, rule: FlappingRule) -> datetime | None:
    """When it will no longer be flapping, if nothing more changes."""
    if not escalation.flapping or len(escalation.flips) < rule.changes:
        return None
    return sorted(escalation.flips)[-rule.changes] + rule.within
