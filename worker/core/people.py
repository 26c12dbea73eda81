"""What people said in the CRM: the override field, and the worker's own fields where a person changed them.

A wish is acted on once: `heeded` remembers the whole override field. It holds until the evidence changes, not until a
timer ends.
"""

from __future__ import annotations

from datetime import datetime

from worker.core.closing import close, end
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
from worker.core.routing import away, person_named, route
from worker.core.turn import WORKER, Turn, desired_flag
from worker.core.waiting import resume, snooze, wait

_RAISES = {Wish.RAISE_L2: Level.L2, Wish.RAISE_L3: Level.L3}
_GOES_ON_WAITING = frozenset({Wish.WAITING, Wish.SNOOZE})
BY_HAND = f"{MANUAL}:flag"
SOMEBODY = "a person in the CRM"


def actor_of(override: Override) -> str:
    """Who said it, as far as the CRM tells."""
    return override.by or SOMEBODY


def heed_override(turn: Turn) -> None:
    """Act on the override field, if it says something that was not heeded yet."""
    override = turn.view.account.override
    if override == turn.escalation.heeded:
        return
    turn.change(heeded=override)
    actor = actor_of(override)
    if turn.escalation.pause is not None and override.wish not in _GOES_ON_WAITING:
        resume(turn, f"{actor} no longer waits for the customer", actor)
    match override.wish:
        case Wish.ACKNOWLEDGED:
            acknowledge(turn, f"acknowledged by {actor}", actor)
        case Wish.SNOOZE:
            snooze(turn, override, actor)
        case Wish.WAITING:
            wait(turn, override, actor)
        case Wish.RAISE_L2 | Wish.RAISE_L3:
            _raise(turn, _RAISES[override.wish], actor)
        case Wish.RESOLVED | Wish.CHURNED | Wish.DOWNGRADED | Wish.FALSE_ALARM | Wish.DUPLICATE:
            end(turn, override, actor)
        case Wish.NONE | Wish.MANUAL_L1 | Wish.MANUAL_L2 | Wish.MANUAL_L3:
            pass


def acknowledge(turn: Turn, because: str, actor: str) -> None:
    """Somebody has it in hand: the response clock stops."""
    if turn.escalation.status in (Status.OPEN, Status.SNOOZED):
        turn.change(
            status=Status.ACKNOWLEDGED,
            acknowledged_at=turn.now,
            acknowledged_by=actor,
            answered_at=turn.escalation.answered_at or turn.now,
            snoozed_until=None,
        )
        turn.tell(Event.ACKNOWLEDGED, because, actor)


def _raise(turn: Turn, level: Level, actor: str) -> None:
    if level > turn.escalation.level:
        turn.change(raised_to=level)
        turn.move(level, turn.now)
        turn.tell(Event.RAISED, f"raised to {level} by {actor}", actor)


def heed_flag(turn: Turn, observed: Flag) -> None:
    """The worker's own fields, changed by a person since the CRM last confirmed them: that is an override too.

    What was written for an earlier escalation says nothing here: its flag was answered when that one ended.
    """
    written = turn.escalation.written
    if written is None or not written.escalated or observed == written:
        return
    if written.opened_at != desired_flag(turn.escalation).opened_at:
        return
    if not observed.escalated:
        close(turn, Outcome.WITHDRAWN, "the flag was taken away in the CRM", SOMEBODY)
        return
    if observed.level is not None and observed.level not in (written.level, turn.escalation.level):
        _relevel(turn, observed.level)
    if observed.owner not in (written.owner, ""):
        _hand_over(turn, observed.owner)


def _relevel(turn: Turn, level: Level) -> None:
    """Raised, it has to be answered anew; lowered, whoever had it in hand still has."""
    before = turn.escalation
    event = Event.RAISED if level > before.level else Event.LOWERED
    known = turn.known_to_people()
    turn.change(raised_to=level, levelled_for=known)
    turn.move(level, turn.now)
    if event is Event.LOWERED and before.status is Status.ACKNOWLEDGED:
        turn.change(
            status=before.status, acknowledged_at=before.acknowledged_at, acknowledged_by=before.acknowledged_by
        )
    turn.tell(event, f"{event.value} from {before.level} to {level} by {SOMEBODY}", SOMEBODY)


def _hand_over(turn: Turn, name: str) -> None:
    """Another owner, named in the CRM: whoever passed it on has seen it, so that is an answer as well."""
    person = person_named(name, turn.view, turn.policy)
    if person is None or person == turn.escalation.owner:
        return
    turn.change(owner=person)
    turn.tell(Event.OWNER_CHANGED, f"handed to {name} in the CRM", SOMEBODY)
    acknowledge(turn, f"acknowledged by handing it to {name}", SOMEBODY)


def cover_absence(turn: Turn) -> None:
    """An owner who is away or has left is answered for by the deputy, or by the next one who is there."""
    owner = turn.escalation.owner
    if owner is None:
        return
    absence = away(owner, turn.policy, turn.now)
    if absence is None and not _has_left(turn):
        return
    found = route(turn.view.account, turn.escalation.level, turn.lead(), turn.policy, turn.now)
    if found.owner is None or found.owner.id == owner.id:
        return
    turn.change(owner=found.owner, owner_role=found.role)
    gone = "is no longer active" if absence is None else f"is away until {absence.end:%Y-%m-%d %H:%M} UTC"
    turn.tell(Event.OWNER_CHANGED, f"{owner.name} {gone}; {found.because}", WORKER)


def _has_left(turn: Turn) -> bool:
    owner, account = turn.escalation.owner, turn.view.account
    known = (account.owner, account.manager, *turn.policy.people.values())
    same = [each for each in known if each is not None and owner is not None and each.id == owner.id]
    return bool(same) and not any(each.active for each in same)


def next_absence(turn: Turn) -> datetime | None:
    """When the owner goes away next."""
    owner = turn.escalation.owner
    starts = [each.start for each in turn.policy.absences if owner is not None and each.concerns(owner)]
    return min((start for start in starts if start > turn.now), default=None)


def reason_by_hand(account: AccountId, now: datetime) -> Reason:
    """The reason of an escalation that a person opened by ticking the flag."""
    ref = RecordRef(RecordKind.ACCOUNT, account)
    return Reason(MANUAL, ref, "A person set the flag in the CRM; the reason is open.", BY_HAND, now, now)
