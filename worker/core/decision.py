"""What deciding comes to: the events, the effects that follow from them, and the trail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.core.escalation import Escalation
from worker.core.records import Flag, Level, Person


class Event(StrEnum):
    """What happened to an escalation; each is told once."""

    OPENED = "opened"
    RAISED = "raised"
    LOWERED = "lowered"
    REASON_ADDED = "reason_added"
    ACKNOWLEDGED = "acknowledged"
    WARNED = "warned"
    BUMPED = "bumped"
    REPEATED = "repeated"
    SNOOZED = "snoozed"
    SNOOZE_ENDED = "snooze_ended"
    TO_CONFIRM = "to_confirm"
    EVIDENCE_BACK = "evidence_back"
    REOPENED = "reopened"
    OWNER_CHANGED = "owner_changed"
    OVERRIDDEN = "overridden"
    RESOLVED = "resolved"
    QUESTION = "question"
    SNOOZE_ENDING = "snooze_ending"
    PAUSED = "paused"
    RESUMED = "resumed"
    WISH_REFUSED = "wish_refused"
    """A person asked for what the policy does not grant; the reason is told."""
    SILENT = "silent"
    """Somebody has it in hand, and nobody has written anything for longer than the cadence."""
    REMINDED = "reminded"
    TARGET_WARNED = "target_warned"
    TARGET_MISSED = "target_missed"
    DOCUMENT_REMINDED = "document_reminded"
    DOCUMENT_FILLED = "document_filled"
    FLAPPING = "flapping"
    SETTLED = "settled"
    """It was flapping and no longer is."""
    CALL_REMINDED = "call_reminded"
    CALL_HELD = "call_held"
    POST_MORTEM_DUE = "post_mortem_due"
    PLAYBOOK = "playbook"


class Channel(StrEnum):
    """By which way a message goes."""

    SLACK = "slack"
    EMAIL = "email"
    CONSOLE = "console"


class TaskKind(StrEnum):
    """What a task asks for; each has a template of its own."""

    ANSWER = "answer"
    QUESTION = "question"
    DRAFTS = "drafts"
    """For the CSM: what the document still needs, and drafts to the customer and to the manager."""
    DOCUMENT = "document"
    CALL = "call"
    """The hand-off call that nobody has said was held."""
    CONFIRM = "confirm"
    FOLLOW_UP = "follow_up"
    SNOOZE = "snooze"
    THANKS = "thanks"
    POST_MORTEM = "post_mortem"
    PLAYBOOK = "playbook"


@dataclass(frozen=True, slots=True)
class SetFlag:
    """A state to ensure: emitted again as long as the CRM shows something else."""

    flag: Flag


@dataclass(frozen=True, slots=True)
class AddNote:
    """The note of one event, with the issue document; written once."""

    event: Event
    event_no: int


@dataclass(frozen=True, slots=True)
class AddTask:
    """A task in the CRM for one person; written once for an event, a person and a kind."""

    event: Event
    event_no: int
    assignee: Person
    subject: str
    due_at: datetime
    kind: TaskKind = TaskKind.ANSWER


@dataclass(frozen=True, slots=True)
class Notify:
    """A message about one event: to Slack (one message per escalation, edited and threaded) and by e-mail."""

    event: Event
    event_no: int
    to: tuple[Person, ...]
    cc: tuple[Person, ...] = ()


Effect = SetFlag | AddNote | AddTask | Notify


@dataclass(frozen=True, slots=True)
class TrailEntry:
    """One line of the append-only trail: who did what, when, and why. `actor` is `worker` or a person."""

    event: Event
    event_no: int
    at: datetime
    actor: str
    because: str
    level: Level | None = None


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do for one account: the escalation as it shall be saved, and the effects to bring about.

    `escalation` None means that there is and was none. `next_at` is when the account must be looked at again although
    nothing changed (the next step of a clock, the end of a snooze, a hold time). `because` is one plain sentence.
    `asked` are the fingerprints of all questions asked so far that still stand. `silenced` are the silences that held
    something back, each with the fingerprint of what it held.
    """

    escalation: Escalation | None
    effects: tuple[Effect, ...] = ()
    trail: tuple[TrailEntry, ...] = ()
    because: str = ""
    next_at: datetime | None = None
    asked: frozenset[str] = frozenset()
    silenced: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Observed:
    """What the worker knows of the flag in the CRM when it decides.

    `flag` as last read, `read_at` when, `pending` the flag of a write that is on its way or was confirmed after that
    read: the read then says nothing about it. `doubtful`: the read differs from a write so recent that it may show an
    older state or a person's newer one; nothing is written until that is known.
    """

    flag: Flag
    read_at: datetime
    pending: Flag | None = None
    doubtful: bool = False
