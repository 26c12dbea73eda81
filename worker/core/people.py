"""What people said in the CRM: the override field, and the worker's own fields where a person changed them.

A wish is acted on once: `heeded` remembers the whole override field. It holds until the evidence changes, not until a
timer ends.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from worker.core.model import (
    MANUAL,
    AccountId,
    Event,
    Flag,
    Level,
    Outcome,
    Override,
    Reason,
    RecordKind,
    RecordRef,
    Status,
    Wish,
)
from worker.core.turn import Turn, person_named

SNOOZE = timedelta(hours=24)
"""How long a snooze lasts that names no end."""

_RAISES = {Wish.RAISE_L2: Level.L2, Wish.RAISE_L3: Level.L3}
_ENDS = {
    Wish.RESOLVED: Outcome.RESOLVED,
    Wish.CHURNED: Outcome.CHURNED,
    Wish.DOWNGRADED: Outcome.DOWNGRADED,
    Wish.FALSE_ALARM: Outcome.FALSE_ALARM,
    Wish.DUPLICATE: Outcome.DUPLICATE,
}
_NEEDS_ACCOUNT_OF_IT = frozenset({Outcome.RESOLVED, Outcome.CHURNED, Outcome.DOWNGRADED})
BY_HAND = f"{MANUAL}:flag"


def actor_of(override: Override) -> str:
    """Who said it, as far as the CRM tells."""
    return override.by or "a person in the CRM"


def heed_override(turn: Turn) -> None:
    """Act on the override field, if it says something that was not heeded yet."""
    override = turn.view.account.override
    if override == turn.escalation.heeded:
        return
    turn.change(heeded=override)
    actor = actor_of(override)
    match override.wish:
        case Wish.ACKNOWLEDGED:
            _acknowledge(turn, actor)
        case Wish.SNOOZE:
            _snooze(turn, override, actor)
        case Wish.RAISE_L2 | Wish.RAISE_L3:
            _raise(turn, _RAISES[override.wish], actor)
        case Wish.RESOLVED | Wish.CHURNED | Wish.DOWNGRADED | Wish.FALSE_ALARM | Wish.DUPLICATE:
            _end(turn, override, actor)
        case Wish.WAITING | Wish.NONE | Wish.MANUAL_L1 | Wish.MANUAL_L2 | Wish.MANUAL_L3:
            pass


def _acknowledge(turn: Turn, actor: str) -> None:
    if turn.escalation.status in (Status.OPEN, Status.SNOOZED):
        turn.change(status=Status.ACKNOWLEDGED, acknowledged_at=turn.now, acknowledged_by=actor, snoozed_until=None)
        turn.tell(Event.ACKNOWLEDGED, f"acknowledged by {actor}", actor)


def _snooze(turn: Turn, override: Override, actor: str) -> None:
    until = override.until or turn.now + SNOOZE
    if until <= turn.now or turn.escalation.status is Status.TO_CONFIRM:
        return
    known = frozenset(signal.fingerprint for signal in turn.assessment.signals)
    turn.change(status=Status.SNOOZED, snoozed_until=until, snoozed_for=known)
    why = f": {override.outcome_note}" if override.outcome_note else ""
    turn.tell(Event.SNOOZED, f"snoozed by {actor} until {until:%Y-%m-%d %H:%M} UTC{why}", actor)


def _raise(turn: Turn, level: Level, actor: str) -> None:
    if level > turn.escalation.level:
        turn.change(raised_to=level)
        turn.move(level, turn.now)
        turn.tell(Event.RAISED, f"raised to {level} by {actor}", actor)


def _end(turn: Turn, override: Override, actor: str) -> None:
    """Close it; at L2 and L3 only with an account of how it ended, as the process document asks."""
    outcome = _ENDS[override.wish]
    missing = _missing(turn.escalation.level, outcome, override)
    if not missing:
        turn.close(outcome, override.outcome_note, actor, root_cause=override.root_cause)
        return
    turn.change(status=Status.TO_CONFIRM)
    wanted = f"still needed to close: {', '.join(missing)}"
    turn.tell(Event.TO_CONFIRM, f"{actor} said {outcome.value}; {wanted}", actor, task=f"Close it: {wanted}")


def _missing(level: Level, outcome: Outcome, override: Override) -> list[str]:
    if level is Level.L1 or outcome not in _NEEDS_ACCOUNT_OF_IT:
        return []
    wanted = {
        "root cause": bool(override.root_cause),
        "outcome note": bool(override.outcome_note),
        "confirmation by the customer": override.customer_confirmed or outcome is not Outcome.RESOLVED,
    }
    return [name for name, given in wanted.items() if not given]


def heed_flag(turn: Turn, observed: Flag) -> None:
    """The worker's own fields, changed by a person since the CRM last confirmed them: that is an override too."""
    written = turn.escalation.written
    if written is None or not written.escalated or observed == written:
        return
    if not observed.escalated:
        turn.close(Outcome.WITHDRAWN, "the flag was taken away in the CRM", "a person in the CRM")
        return
    if observed.level is not None and observed.level not in (written.level, turn.escalation.level):
        _relevel(turn, observed.level)
    if observed.owner not in (written.owner, ""):
        _hand_over(turn, observed.owner)


def _relevel(turn: Turn, level: Level) -> None:
    actor = "a person in the CRM"
    event = Event.RAISED if level > turn.escalation.level else Event.LOWERED
    before = turn.escalation.level
    known = frozenset(signal.fingerprint for signal in turn.assessment.signals)
    turn.change(raised_to=level, levelled_for=known)
    turn.move(level, turn.now)
    turn.tell(event, f"{event.value} from {before} to {level} by {actor}", actor)


def _hand_over(turn: Turn, name: str) -> None:
    person = person_named(name, turn.view, turn.policy)
    if person is not None and person != turn.escalation.owner:
        turn.change(owner=person)
        turn.tell(Event.OWNER_CHANGED, f"handed to {name} in the CRM", "a person in the CRM")


def reason_by_hand(account: AccountId, now: datetime) -> Reason:
    """The reason of an escalation that a person opened by ticking the flag."""
    ref = RecordRef(RecordKind.ACCOUNT, account)
    return Reason(MANUAL, ref, "A person set the flag in the CRM; the reason is open.", BY_HAND, now, now)
