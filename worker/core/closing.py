"""How an escalation ends: what must be known to close it, the closing event, and what is asked of people afterwards."""

from __future__ import annotations

import re
from collections.abc import Iterator

from worker.core.model import Event, Level, Outcome, Override, Person, PostMortem, Status, TaskKind, Wish
from worker.core.routing import steward_of
from worker.core.turn import WORKER, Ask, Turn, still_there

ENDS = {
    Wish.RESOLVED: Outcome.RESOLVED,
    Wish.CHURNED: Outcome.CHURNED,
    Wish.DOWNGRADED: Outcome.DOWNGRADED,
    Wish.FALSE_ALARM: Outcome.FALSE_ALARM,
    Wish.DUPLICATE: Outcome.DUPLICATE,
}
_NEEDS_ACCOUNT_OF_IT = frozenset({Outcome.RESOLVED, Outcome.CHURNED, Outcome.DOWNGRADED})
_ESCALATION = re.compile(r"esc_[0-9a-f]{20}")
_LONGEST = 200


def end(turn: Turn, override: Override, actor: str) -> None:
    """Close it as a person says; at L2 and L3 only with an account of how it ended, as the process document asks."""
    outcome = ENDS[override.wish]
    missing = _missing(turn.escalation.level, outcome, override)
    if not missing:
        close(turn, outcome, override.outcome_note, actor, said=override)
        return
    turn.settle()
    turn.change(status=Status.TO_CONFIRM, snoozed_until=None)
    wanted = f"still needed to close: {', '.join(missing)}"
    due_at = turn.now + turn.policy.confirm_every
    asks = (Ask(TaskKind.CONFIRM, f"Close it: {wanted}", due_at),)
    turn.tell(Event.TO_CONFIRM, f"{actor} said {outcome.value}; {wanted}", actor, asks=asks)


def _missing(level: Level, outcome: Outcome, override: Override) -> list[str]:
    if outcome is Outcome.DUPLICATE:
        return [] if override.outcome_note.strip() else ["which escalation or account it duplicates, in the note"]
    if level is Level.L1 or outcome not in _NEEDS_ACCOUNT_OF_IT:
        return []
    wanted = {
        "root cause": bool(override.root_cause),
        "outcome note": bool(override.outcome_note),
        "confirmation by the customer": override.customer_confirmed or outcome is not Outcome.RESOLVED,
    }
    return [name for name, given in wanted.items() if not given]


def close(turn: Turn, outcome: Outcome, note: str, actor: str, *, said: Override | None = None) -> None:
    """End it. What was present is dismissed where a person ended it: only new evidence escalates again."""
    seen = frozenset(signal.fingerprint for signal in turn.assessment.signals)
    present = seen - turn.hushed
    kept = turn.escalation.dismissed
    if turn.view.complete and turn.assessment.complete and not turn.view.account.deleted:
        kept = still_there(kept, seen)
    turn.settle()
    turn.change(
        status=Status.RESOLVED,
        outcome=outcome,
        outcome_note=note,
        root_cause="" if said is None else said.root_cause,
        customer_confirmed=said is not None and said.customer_confirmed,
        duplicate_of=_other(note) if outcome is Outcome.DUPLICATE else "",
        resolved_at=turn.now,
        follow_up=None,
        document_at=None,
        dismissed=kept | (present & turn.known_to_people() if actor != WORKER else frozenset()),
    )
    because = f"{outcome.value.replace('_', ' ')}: {note}" if note else outcome.value.replace("_", " ")
    turn.tell(Event.RESOLVED, because, actor, asks=tuple(_afterwards(turn, outcome, actor)))
    _propose(turn)


def end_with_account(turn: Turn) -> None:
    """The account is gone: into another one, where it goes on, or for good."""
    heir, name = turn.view.account.merged_into, turn.view.survivor
    if heir is None:
        close(turn, Outcome.ACCOUNT_REMOVED, "the account was removed from the CRM", WORKER)
        return
    turn.change(merged_into=heir)
    close(turn, Outcome.DUPLICATE, f"merged into {name} ({heir})" if name else f"merged into {heir}", WORKER)


def _other(note: str) -> str:
    """Which escalation a duplicate points to: its id where the note has one, else the note."""
    found = _ESCALATION.search(note)
    return found.group() if found else " ".join(note.split())[:_LONGEST]


def _afterwards(turn: Turn, outcome: Outcome, actor: str) -> Iterator[Ask]:
    """Thanks from the CSM, and a look back by the owner for the levels that the policy names."""
    if actor == WORKER or outcome not in _NEEDS_ACCOUNT_OF_IT:
        return
    name, rule = turn.view.account.name, turn.policy.post_mortem
    csm = turn.csm()
    if csm is not None:
        yield Ask(TaskKind.THANKS, f"Thank everyone involved with {name}", turn.now + turn.policy.confirm_every, csm)
    if turn.escalation.level in rule.levels:
        due_at = turn.now + rule.due
        pending = PostMortem(turn.escalation.id, due_at)
        turn.change(post_mortems=(*turn.escalation.post_mortems, pending))
        yield Ask(TaskKind.POST_MORTEM, f"Post-mortem of {name}: what can we improve?", due_at, _looks_back(turn))


def _looks_back(turn: Turn) -> Person | None:
    return turn.escalation.owner or turn.csm()


def remind_of_post_mortems(turn: Turn) -> None:
    """Once, when a look back is due; whether it was held, only people know."""
    if turn.view.account.deleted:
        turn.change(post_mortems=())
        return
    due = tuple(each for each in turn.escalation.post_mortems if each.due_at <= turn.now)
    if not due:
        return
    turn.change(post_mortems=tuple(each for each in turn.escalation.post_mortems if each not in due))
    names = ", ".join(each.of for each in due)
    said = f"the post-mortem of {names} is due: what can be improved, and who sees to it until when?"
    turn.tell(Event.POST_MORTEM_DUE, said)


def _propose(turn: Turn) -> None:
    """A root cause that has ended enough escalations belongs into a playbook; said at each multiple of that number."""
    rule, cause = turn.policy.playbook, turn.escalation.root_cause.strip()
    others = [
        each
        for each in turn.view.alike
        if turn.now - each.resolved_at <= rule.within and each.escalation != turn.escalation.id
    ]
    count = len(others) + 1
    steward = steward_of(turn.lead(), turn.view.account, turn.policy, turn.now)
    if not cause or count < rule.repeats or count % rule.repeats or steward is None:
        return
    accounts = len({turn.view.account.id, *(each.account for each in others)})
    said = (
        f"the root cause “{cause}” has ended {count} escalations of {accounts} account{'s' * (accounts != 1)} "
        f"within {rule.within.days} days"
    )
    subject = f"Playbook: “{cause}” comes again ({count} times)"
    ask = Ask(TaskKind.PLAYBOOK, subject, turn.now + turn.policy.post_mortem.due, steward)
    turn.tell(Event.PLAYBOOK, said, asks=(ask,), to=(steward,))
