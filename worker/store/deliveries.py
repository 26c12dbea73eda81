"""What the outbox holds: an effect to bring about, and where it stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from worker.core.model import AccountId, ConnectorName, Event, Level


class State(StrEnum):
    """Where an effect stands. NEW, TRYING and UNKNOWN hold back later effects of the same lane and account."""

    NEW = "new"
    TRYING = "trying"
    UNKNOWN = "unknown"
    DONE = "done"
    REFUSED = "refused"
    SUPERSEDED = "superseded"
    EXPIRED = "expired"


PENDING = (State.NEW, State.TRYING, State.UNKNOWN)
ON_TRIAL = (State.TRYING, State.UNKNOWN)
DEAD = (State.REFUSED, State.EXPIRED)

REPEATED = "repeated: it may have arrived before"
"""The reason of an effect that goes again although nobody could look whether it is there."""

BEFORE_US = "the CRM was flagged before this state began: it may be there already"


class Kind(StrEnum):
    """What an effect is."""

    FLAG = "flag"
    NOTE = "note"
    TASK = "task"
    MESSAGE = "message"


@dataclass(frozen=True, slots=True)
class Intent:
    """An effect to bring about, as it is enqueued. Effects of one lane and stream go in order; empty: the account's.

    `told_since`: a state that was lost may have brought it about, from then on; it is looked for before it is sent.
    """

    key: str
    lane: str
    kind: Kind
    connector: ConnectorName
    account_id: AccountId
    escalation_id: str
    event: Event
    event_no: int
    level: Level
    payload: bytes
    stream: str = ""
    told_since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Delivery:
    """An effect as it stands in the outbox."""

    ordinal: int
    intent: Intent
    state: State
    attempt: int
    deadline: datetime | None
    remote_id: str
    reason: str
    remedy: str
    created_at: datetime
    updated_at: datetime
