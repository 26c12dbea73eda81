"""Digests: many messages as one. What is news for a digest, when it goes, and how it grows until then.

A digest is one row of the outbox with a time before which it is not sent. Each event adds its line in the transaction
of its own decision, as long as nobody has begun to send the row; after that a new one begins. So each event stands in
exactly one digest, whatever crashes.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection

from connectors.base import Message, Part, Posting
from worker.core.calendar import Calendar, due
from worker.core.model import AccountId, Channel, ConnectorName, Event, Level
from worker.render import Renderer
from worker.store import messages, outbox
from worker.store.codec import decode, encode
from worker.store.deliveries import Delivery, Intent, Kind, State
from worker.store.messages import DIGEST
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("1c0a8a0e-93d4-5f0c-a1a6-3c9d6b7de1aa")
_MOST_PARTS = 25
_TICK = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Gathering:
    """How much is told at once: see `worker.settings.MessageSettings`. Without a storm limit nothing is a storm."""

    storm: int | None = None
    calendar: Calendar | None = None
    daily: bool = False

    @property
    def active(self) -> bool:
        """Whether anything is ever gathered."""
        return self.storm is not None or self.calendar is not None

    def few(self, most: int) -> int:
        """How many new escalations are surely no storm, at most `most`."""
        return most if self.storm is None else min(most, self.storm)

    def stormy(self, openings: Iterable[Level]) -> bool:
        """Whether so many new escalations of one cycle are better told together."""
        return self.storm is not None and sum(1 for _ in openings) > self.storm

    def goes_at(self, level: Level, now: datetime, *, mail: bool) -> datetime | None:
        """When news of this level go, None for at once."""
        if self.calendar is None or level is not Level.L1:
            return None
        opening = due(now, _TICK, self.calendar).at - _TICK
        if mail and self.daily and opening <= now:
            return self._tomorrow(self.calendar, now)
        return opening if opening > now else None

    def _tomorrow(self, calendar: Calendar, now: datetime) -> datetime:
        midnight = (calendar.local(now) + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
        return due(midnight.astimezone(UTC), _TICK, calendar).at - _TICK


@dataclass(frozen=True, slots=True)
class Slot:
    """Which digest an event's line belongs to. `name` tells it from others of the same channel."""

    name: str
    goes_at: datetime
    storm: bool = False


def gather(
    tx: Connection,
    outlet: Outlet,
    to: Sequence[str],
    part: Part,
    slot: Slot,
    connector: ConnectorName,
    render: Renderer,
) -> None:
    """Add a line to the slot's digest for these recipients, or begin one."""
    place, number = "|".join((outlet.name, *to, slot.name)), 0
    while True:
        key = str(uuid.uuid5(_NAMESPACE, f"{connector}|{place}|{number}"))
        present = messages.by_key(tx, key)
        if present is None:
            _begin(tx, key, outlet, to, part, slot, connector, render)
            return
        if _add(tx, present, part, slot, render):
            return
        number += 1


def _begin(
    tx: Connection,
    key: str,
    outlet: Outlet,
    to: Sequence[str],
    part: Part,
    slot: Slot,
    connector: ConnectorName,
    render: Renderer,
) -> None:
    mail = outlet.channel is Channel.EMAIL
    empty = Message(key, Posting.POST, tuple(to), "", "", slot.goes_at, envelope=tuple(to) if mail else ())
    intent = Intent(
        key=key,
        lane=outlet.name,
        kind=Kind.MESSAGE,
        connector=connector,
        account_id=AccountId(f"{DIGEST}{slot.name}"),
        escalation_id=f"{DIGEST}{key}",
        event=Event.OPENED,
        event_no=1,
        level=Level(part.level),
        payload=encode(_written(empty, (part,), slot.storm, render)),
    )
    outbox.enqueue(tx, [intent], slot.goes_at)


def _add(tx: Connection, digest: Delivery, part: Part, slot: Slot, render: Renderer) -> bool:
    if digest.state is not State.NEW or digest.attempt:
        return False
    message = decode(digest.intent.payload, Message)
    others = tuple(each for each in message.parts if each.about != part.about)
    if len(others) >= _MOST_PARTS:
        return False
    return _rewrite(tx, digest, message, (*others, part), slot.storm, render)


def _rewrite(
    tx: Connection, digest: Delivery, message: Message, parts: Sequence[Part], storm: bool, render: Renderer
) -> bool:
    level = Level(max(part.level for part in parts))
    return messages.grow(tx, digest, encode(_written(message, parts, storm, render)), level)


def _written(message: Message, parts: Sequence[Part], storm: bool, render: Renderer) -> Message:
    urgent_first = tuple(sorted(parts, key=lambda part: -part.level))
    card = render.digest(urgent_first, storm=storm)
    return replace(message, subject=card.title, text=card.text, parts=urgent_first)


def forget(tx: Connection, lane: str, about: str, now: datetime, render: Renderer) -> None:
    """Take an escalation out of what is still gathered: it is told by itself now, and the line would be old news."""
    for digest in messages.growing(tx, lane):
        message = decode(digest.intent.payload, Message)
        rest = tuple(part for part in message.parts if part.about != about)
        if not rest:
            outbox.end(tx, digest, State.SUPERSEDED, "told apart", "", now)
        elif len(rest) < len(message.parts):
            storm = digest.intent.account_id.startswith(f"{DIGEST}storm")
            _rewrite(tx, digest, message, rest, storm, render)
