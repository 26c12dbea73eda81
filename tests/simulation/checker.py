"""What must hold at the end of a history, read from the world alone. The numbers are the guarantees'.

I14 alone also reads what the operator's commands show, because that is what it promises.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from connectors.notifier import Message, Posting
from tests.simulation.stories import STORIES, Story
from tests.simulation.world import World

OWN_FIELDS = {
    *("escalated", "escalation_level", "escalation_reason", "escalation_opened_at", "escalation_due_at"),
    *("escalation_status", "escalation_owner"),
}
LATE = timedelta(minutes=20)
"""Two cycles at the slowest pace: nothing may be later than that once nothing goes wrong."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What the operator's commands show."""

    aside: tuple[str, ...]
    refused: frozenset[str]
    failed: frozenset[str]
    pending: tuple[str, ...]


def violations(world: World, told: Mapping[str, str], shown: Shown, tolerance: timedelta) -> list[str]:
    """Every broken guarantee, in words."""
    checks = (_ends, _once, _mails, _people, _invented, _load)
    lines = [line for check in checks for line in check(world, told)]
    return [*lines, *_order(world, tolerance), *_clocks(world, told, tolerance), *_visible(told, shown)]


def _stories(told: Mapping[str, str]) -> Iterator[tuple[str, Story]]:
    return ((key, STORIES[name]) for key, name in told.items())


def _ends(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I1, I5, I7, I8: what stayed visible is flagged as the policy says, noted and told."""
    noted = {note.account_id for note in world.notes}
    for key, story in _stories(told):
        if not story.ends or not story.evidence or (not story.seen and (world.slept or key not in noted)):
            continue
        fields = world.truth(key)
        level, status = str(fields.get("escalation_level") or ""), fields.get("escalation_status")
        escalated = bool(fields.get("escalated"))
        name = f"{key} ({told[key]})"
        if escalated and _is_news(world, key, story) and story.judged in str(fields.get("escalation_reason")):
            continue
        if escalated != bool(story.level):
            yield f"I1 {name} is {'' if escalated else 'not '}flagged at the end"
        elif escalated and (level < story.level or (story.exact and level != story.level)):
            yield f"I5 {name} stands at {level}"
        elif story.status and status != story.status:
            yield f"I5 {name} is {status} instead of {story.status}"
        if key not in noted:
            yield f"I1 {name} has no note"
        if not any(_names(message, fields["name"]) for _, message in world.posts):
            yield f"I1 {name} was not told in the channel"
        if not any(_names(message, fields["name"]) for _, message in world.mails):
            yield f"I4 {name} was not mailed"


def _is_news(world: World, key: str, story: Story) -> bool:
    return bool(story.judged) and world.news(key, f"{story.judged}-{key}")


def _names(message: Message, account: object) -> bool:
    """Whether a message is about an account, alone or in a list."""
    return any(f"- {account} -" in said for said in (message.subject, *message.text.splitlines()))


def _once(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I2, I3, I9, I11: each note, task and post once."""
    posts = [message.key for _, message in world.posts if message.posting is not Posting.EDIT]
    for what, keys in (
        ("I2 note", [note.key for note in world.notes]),
        ("I2 task", [task.key for task in world.tasks]),
        ("I3 post", posts),
    ):
        yield from (f"{what} {key} came {count} times" for key, count in Counter(keys).items() if count > 1)
    yield from _one_card_a_bug(world, told)
    noted = Counter((note.account_id, note.title, note.at) for note in world.notes)
    yield from (f"I2 {account}: {title} was noted {n} times" for (account, title, _), n in noted.items() if n > 1)
    opened = Counter(note.account_id for note in world.notes if note.title.endswith(": Escalated"))
    for account, n in opened.items():
        story = STORIES[told[account]]
        if n > story.times + _is_news(world, account, story):
            yield f"I2 {account} was escalated {n} times"


def _one_card_a_bug(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I3: the accounts of one bug are told by one card, and whoever joins comes to it."""
    for key, name in told.items():
        if name != "bug" or key.endswith("x"):
            continue
        said = [message for _, message in world.posts if f" BUG-1{key}, " in message.subject]
        if len({message.thread_key for message in said}) > 1:
            yield f"I3 the bug of {key} has several cards"
        cards = [message.text for message in said if message.posting is not Posting.REPLY]
        if cards and not all(f"- PT {each} " in cards[-1] for each in (key, f"{key}x", f"{key}xx")):
            yield f"I3 the last card of {key}'s bug does not name all its accounts"


def _mails(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I4: a repeated mail only where an answer was lost, and it is the same mail."""
    first: dict[str, Message] = {}
    repeats = 0
    for _, message in world.mails:
        repeats += message.key in first
        if first.setdefault(message.key, replace(message, repeated=False)) != replace(message, repeated=False):
            yield f"I4 mail {message.key} came in two wordings"
    if repeats > world.mails_in_doubt + world.kills:
        yield f"I4 {repeats} repeated mails, {world.mails_in_doubt} answers lost"


def _people(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I6: people's fields are never written; what they said stands (that is part of each story's end)."""
    foreign = set(world.written_by_worker) - OWN_FIELDS
    if foreign:
        yield f"I6 the worker wrote {sorted(foreign)}"


def _invented(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I12: nothing without evidence, and nothing leaves while its intent cannot be saved."""
    noted = {note.account_id for note in world.notes}
    for key, story in _stories(told):
        if not story.evidence and (world.truth(key).get("escalated") or key in noted):
            yield f"I12 {key} ({told[key]}) was escalated"
    for began, ended in world.disk_full:
        late = [at for at in world.effects if began + timedelta(minutes=1) < at < ended]
        if late:
            yield f"I12 {len(late)} effects between {began} and {ended}, when no intent could be saved"


def _clocks(world: World, told: Mapping[str, str], tolerance: timedelta) -> Iterator[str]:
    """I13: nothing moves up before it is due, everything moves up once it is, and only the latest step is told."""
    writes: dict[str, list[tuple[datetime, dict[str, object]]]] = defaultdict(list)
    for at, key, fields in world.flag_writes:
        writes[key].append((at, fields))
    for key, name in told.items():
        if name in ("red", "late", "dispute"):
            for (_, before), (at, after) in zip(writes[key], writes[key][1:], strict=False):
                due = datetime.fromisoformat(str(before.get("escalation_due_at")))
                if str(after.get("escalation_level")) > str(before.get("escalation_level")) and at < due - tolerance:
                    yield f"I13 {key} rose at {at}, before {due}"
        fields = world.truth(key)
        due_at, waits = fields.get("escalation_due_at"), fields.get("escalation_status") == "open"
        moves = STORIES[name].ends and STORIES[name].evidence and name != "raises"
        if moves and waits and due_at and datetime.fromisoformat(str(due_at)) < world.now - LATE - tolerance:
            yield f"I13 {key} ({name}) was due at {due_at} and did not move"
    warnings = [
        message
        for _, message in world.posts
        if message.posting is Posting.REPLY and "of the response time" in message.text
    ]
    steps = Counter((message.thread_key, message.at) for message in warnings)
    yield from (f"I13 {name} was warned {n} times at {at}" for (name, at), n in steps.items() if n > 1)


def _order(world: World, tolerance: timedelta) -> Iterator[str]:
    """I18: the notes of an account come in the order of their events; the first message is a post of its own."""
    newest: dict[str, datetime] = {}
    for note in world.notes:
        if note.at < newest.get(note.account_id, note.at) - tolerance:
            yield f"I18 a note of {note.account_id} came after a later one"
        newest[note.account_id] = note.at
    first: dict[str, Message] = {}
    for _, message in world.posts:
        first.setdefault(message.thread_key, message)
    for message in first.values():
        if message.posting is not Posting.POST:
            yield f"I18 the first message of {message.thread_key} is a {message.posting.value}"


def _load(world: World, told: Mapping[str, str]) -> Iterator[str]:
    """I10: a target that asked to be left alone is left alone."""
    if world.impatient:
        yield f"I10 {world.impatient} calls came earlier than the target had asked for"


def _visible(told: Mapping[str, str], shown: Shown) -> Iterator[str]:
    """I14, I17: what does not go on by itself is shown, and nothing else is left over."""
    for key, story in _stories(told):
        if story.aside and not any(f"{key}:" in line for line in shown.aside):
            yield f"I14 {key} ({told[key]}) has a record that cannot be understood, and nobody is told"
        if story.refused and key not in shown.refused:
            yield f"I14 {key} ({told[key]}) was refused by the CRM, and nobody is told"
        if story.fails and key not in shown.failed:
            yield f"I14 {key} ({told[key]}) cannot be decided, and nobody is told"
    yield from (f"I17 still pending at the end: {line}" for line in shown.pending)
