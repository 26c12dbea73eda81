"""What must hold at the end of a history, read from the world alone. The numbers are the guarantees'."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime, timedelta

from connectors.base import Message, Posting
from tests.simulation.world import START, World

WANTED = {"red": "L2", "late": "L2", "dispute": "L2", "legal": "L3", "acknowledge": "L2", "worse": "L3"}
NEVER_AGAIN = ("untick", "false_alarm")
OWN_FIELDS = {
    *("escalated", "escalation_level", "escalation_reason", "escalation_opened_at", "escalation_due_at"),
    *("escalation_status", "escalation_owner"),
}


def violations(history: object) -> list[str]:
    """Every broken guarantee, in words."""
    world: World = history.world  # type: ignore[attr-defined]
    checks = (_escalated, _once, _mails, _people, _invented, _clocks, _order)
    return [line for check in checks for line in check(world)]


def _accounts(world: World, *stories: str) -> Iterator[str]:
    return (key for key, story in world.stories.items() if story in stories)


def _escalated(world: World) -> Iterator[str]:
    """I1, I5, I7, I8: what stayed visible is flagged at the end, at least as high as the policy says."""
    for key in _accounts(world, *WANTED):
        fields = world.truth(key)
        if not fields.get("escalated"):
            yield f"I1 {key} ({world.stories[key]}) is not flagged at the end"
        elif str(fields.get("escalation_level")) < WANTED[world.stories[key]]:
            yield f"I5 {key} ({world.stories[key]}) stands at {fields.get('escalation_level')}"
        if not any(note.account_id == key for note in world.notes):
            yield f"I1 {key} has no note"
        if not any(f"- {fields['name']} -" in message.subject for _, message in world.posts):
            yield f"I1 {key} was not told in the channel"


def _once(world: World) -> Iterator[str]:
    """I2, I3, I9: each note, task and post once."""
    for what, keys in (
        ("I2 note", [note.key for note in world.notes]),
        ("I2 task", [task.key for task in world.tasks]),
        ("I3 post", [message.key for _, message in world.posts]),
    ):
        for key, count in Counter(keys).items():
            if count > 1:
                yield f"{what} {key} came {count} times"
    opened = Counter((note.account_id, note.title, note.at) for note in world.notes)
    yield from (
        f"I2 {account}: {title} was noted {count} times" for (account, title, _), count in opened.items() if count > 1
    )


def _mails(world: World) -> Iterator[str]:
    """I4: every post's event was mailed; repeats only where the answer was lost."""
    keys = Counter(message.key for _, message in world.mails)
    repeats = sum(count - 1 for count in keys.values())
    if repeats > world.ambiguous_mails + world.kills:
        yield f"I4 {repeats} repeated mails, {world.ambiguous_mails} answers lost"
    flagged = {world.truth(key)["name"] for key in _accounts(world, *WANTED)}
    mailed = " ".join(message.subject for _, message in world.mails)
    yield from (f"I4 {name} was not mailed" for name in flagged if f"- {name} -" not in mailed)


def _people(world: World) -> Iterator[str]:
    """I6: what a person said stands, and their fields are never written."""
    for key in _accounts(world, *NEVER_AGAIN):
        said = world.unticked.get(key) or world.said.get(key)
        if said is not None and world.truth(key).get("escalated"):
            yield f"I6 {key} is flagged again although a person said no at {said}"
    foreign = set(world.written_by_worker) - OWN_FIELDS
    if foreign:
        yield f"I6 the worker wrote {sorted(foreign)}"


def _invented(world: World) -> Iterator[str]:
    """I12: nothing for accounts that never had evidence."""
    for key in _accounts(world, "quiet"):
        if world.truth(key).get("escalated") or any(note.account_id == key for note in world.notes):
            yield f"I12 {key} was escalated without evidence"


def _clocks(world: World) -> Iterator[str]:
    """I13: nothing moves up before it is due, and nobody is passed over who has acknowledged."""
    writes: dict[str, list[tuple[datetime, dict[str, object]]]] = defaultdict(list)
    for at, key, fields in world.flag_writes:
        writes[key].append((at, fields))
    for key in _accounts(world, "red", "late", "acknowledge"):
        for (_, before), (at, after) in zip(writes[key], writes[key][1:], strict=False):
            risen = str(after.get("escalation_level") or "") > str(before.get("escalation_level") or "L9")
            due = str(before.get("escalation_due_at") or "")
            if risen and due and at < datetime.fromisoformat(due):
                yield f"I13 {key} rose at {at}, before {due}"
        said = world.said.get(key)
        late = [at for at, fields in writes[key] if said and at > said + timedelta(minutes=20)]
        if world.stories[key] == "acknowledge" and said and said < START + timedelta(hours=2) and late:
            risen_to = world.truth(key).get("escalation_status")
            if risen_to != "acknowledged":
                yield f"I13 {key} was acknowledged at {said} and stands at {risen_to}"


def _order(world: World) -> Iterator[str]:
    """I18: the notes of an account come in the order of their events; the first message is a post of its own."""
    newest: dict[str, datetime] = {}
    for note in world.notes:
        if note.at < newest.get(note.account_id, START):
            yield f"I18 a note of {note.account_id} came after a later one"
        newest[note.account_id] = note.at
    first: dict[str, Message] = {}
    for _, message in world.posts:
        first.setdefault(message.thread_key, message)
    yield from (
        f"I18 the first message of {message.thread_key} is a {message.posting.value}"
        for message in first.values()
        if message.posting is not Posting.POST
    )
