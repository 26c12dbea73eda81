"""Times in which nobody is pressed: a pause while the customer must answer, and a snooze."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from worker.core.calendar import in_words
from worker.core.clock import pause_left
from worker.core.model import Event, Override, Pause, Person, Signal, Status, TaskKind
from worker.core.routing import person_named
from worker.core.turn import WORKER, Ask, Turn


def wait(turn: Turn, override: Override, actor: str) -> None:
    """Let the clocks stand still, as long as the budget lasts."""
    if turn.escalation.pause is not None:
        _until_another_time(turn, override)
        return
    level = turn.escalation.level
    left = pause_left(turn.escalation, level, turn.policy)
    if left <= timedelta(0):
        allowed = turn.policy.levels[level].pause
        why = f"{level} has no pauses" if not allowed else f"the {in_words(allowed)} that {level} allows are used up"
        turn.tell(Event.WISH_REFUSED, f"{actor} is waiting for the customer, but {why}; the clock goes on", actor)
        return
    if turn.escalation.status is Status.SNOOZED:
        turn.restart()
    until = _end(override, turn.now, left)
    pause = Pause(turn.now, until, turn.escalation.status, actor)
    turn.change(status=Status.WAITING, pauses=(*turn.escalation.pauses, pause))
    said = f"waiting for the customer until {until:%Y-%m-%d %H:%M} UTC at the latest, says {actor}"
    turn.tell(Event.PAUSED, f"{said}{_why(override)}", actor)


def _end(override: Override, now: datetime, left: timedelta) -> datetime:
    wished = override.until
    return now + left if wished is None or wished <= now else min(wished, now + left)


def _until_another_time(turn: Turn, override: Override) -> None:
    """The same pause with another end; the budget counts from where it began."""
    pause = turn.escalation.pause
    if pause is None:
        return
    left = pause_left(turn.escalation, turn.escalation.level, turn.policy)
    until = max(pause.since, min(pause.since + left, _end(override, turn.now, left)))
    turn.change(pauses=(*turn.escalation.pauses[:-1], replace(pause, until=until)))


def resume(turn: Turn, why: str, actor: str = WORKER) -> None:
    """The clocks go on, each with the time that it had left."""
    pause = turn.escalation.pause
    if pause is None:
        return
    turn.settle()
    turn.change(status=pause.before)
    lasted = turn.escalation.pauses[-1].length
    turn.tell(Event.RESUMED, f"{why}; the clock stood still for {in_words(lasted)} and goes on", actor)


def snooze(turn: Turn, override: Override, actor: str) -> None:
    """Be quiet about this evidence until a time; more or other evidence ends it at once."""
    rule = turn.policy.snooze
    wished = override.until or turn.now + rule.usual
    until = min(wished, turn.now + rule.longest)
    if until <= turn.now or turn.escalation.status is Status.TO_CONFIRM:
        return
    known = turn.known_to_people()
    turn.settle()
    turn.change(
        status=Status.SNOOZED,
        snoozed_until=until,
        snoozed_for=known,
        snoozed_by=actor,
        snooze_end_told=until - turn.now <= rule.remind_before,
    )
    shorter = f" ({rule.longest.days} days are the longest)" * (until < wished)
    said = f"snoozed by {actor} until {until:%Y-%m-%d %H:%M} UTC{shorter}"
    turn.tell(Event.SNOOZED, f"{said}{_why(override)}", actor)


def _why(override: Override) -> str:
    return f": {override.outcome_note}" if override.outcome_note else ""


def wake(turn: Turn, new: Sequence[Signal]) -> None:
    """End a snooze or a pause whose time is over, or that new evidence overtakes."""
    escalation = turn.escalation
    if escalation.status is Status.SNOOZED and escalation.snoozed_until is not None:
        _wake_snoozed(turn, new, escalation.snoozed_until)
    elif escalation.pause is not None:
        if new:
            resume(turn, f"the pause ends early: {new[0].detail}")
        elif escalation.pause.until <= turn.now:
            resume(turn, "the time to wait for the customer is over")


def _wake_snoozed(turn: Turn, new: Sequence[Signal], until: datetime) -> None:
    by = f", set by {turn.escalation.snoozed_by}," if turn.escalation.snoozed_by else ""
    unseen = [signal for signal in new if signal.fingerprint not in turn.escalation.snoozed_for]
    if unseen:
        turn.restart()
        turn.tell(Event.SNOOZE_ENDED, f"the snooze{by} ends early: {unseen[0].detail}")
    elif until <= turn.now:
        turn.restart()
        turn.tell(Event.SNOOZE_ENDED, f"the snooze{by} is over")
    elif not turn.escalation.snooze_end_told and until - turn.now <= turn.policy.snooze.remind_before:
        turn.change(snooze_end_told=True)
        _remind_author(turn, until)


def _remind_author(turn: Turn, until: datetime) -> None:
    author: Person | None = person_named(turn.escalation.snoozed_by, turn.view, turn.policy) or turn.escalation.owner
    if author is None:
        return
    said = f"the snooze by {turn.escalation.snoozed_by or 'a person'} ends at {until:%Y-%m-%d %H:%M} UTC"
    ask = Ask(TaskKind.SNOOZE, f"Your snooze of {turn.view.account.name} ends soon", until, author)
    turn.tell(Event.SNOOZE_ENDING, said, asks=(ask,), to=(author,))
