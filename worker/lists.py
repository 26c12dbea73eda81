"""Lists: one message about several escalations, brought up to date as they go on.

A list is one row of the outbox until somebody begins to send it: each line is added in the transaction of its own
decision. After that its card is edited and the news go into its thread; where nothing can be edited, as by mail, they
go with the whole list in one further message, which itself grows until it is sent. So each event is told once,
whatever crashes.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import count

from sqlalchemy import Connection

from connectors.notifier import Instead, Message, Part, Posting
from worker.apart import digest_of
from worker.core.model import AccountId, Channel, ConnectorName, Event, Level
from worker.core.telling import Line
from worker.digest import Slot
from worker.render import Renderer
from worker.store import listings, messages, outbox
from worker.store.codec import decode, encode
from worker.store.database import StoreBusyError
from worker.store.deliveries import Delivery, Intent, Kind, State
from worker.store.listings import Entry
from worker.store.messages import DIGEST
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("1c0a8a0e-93d4-5f0c-a1a6-3c9d6b7de1aa")
_MOST_LINES = 25
"""Of a storm or a morning; a bug's list names all its accounts."""


@dataclass(frozen=True, slots=True)
class Audience:
    """For whom a list is: a channel as a whole, or one person by mail. `instead` are the addresses of a fall-back.

    `told_since`: a state that was lost may have told what is told now, from then on.
    """

    outlet: Outlet
    to: tuple[str, ...]
    connector: ConnectorName
    instead: tuple[str, ...] = ()
    told_since: datetime | None = None

    @property
    def reader(self) -> str:
        """The audience as a text."""
        return "|".join(self.to)


class Lists:
    """Writes lists into the outbox."""

    def __init__(self, renderer: Renderer) -> None:
        self._renderer = renderer

    def tell(
        self, tx: Connection, audience: Audience, slot: Slot, line: Line, news: str, now: datetime, list_id: str = ""
    ) -> None:
        """Put a line into the slot's list, or bring it up to date, and tell the news of it; without news in silence.

        `list_id` names the list in which it stands already.
        """
        list_id = list_id or self._list_of(tx, audience, slot, line)
        listings.put(tx, audience.outlet.name, Entry(list_id, audience.reader, slot.name, line), now)
        self._write(tx, audience, list_id, slot, Part(line.about, int(line.level), news) if news else None, now)

    def leave(self, tx: Connection, audience: Audience, entry: Entry, line: Line, now: datetime) -> None:
        """It is told by itself from now on: it leaves what is not sent yet, and else its line says so."""
        slot = Slot(entry.slot, now)
        rows = _alive(tx, entry.list_id)
        unsent = not rows or _unsent(rows[0])
        if unsent and not slot.bug:
            listings.drop(tx, entry.list_id, line.about)
        elif line == entry.line or not (slot.bug or entry.line.quiet):
            return
        else:
            listings.put(tx, audience.outlet.name, replace(entry, line=line), now)
        self._write(tx, audience, entry.list_id, slot, None, now)

    def _list_of(self, tx: Connection, audience: Audience, slot: Slot, line: Line) -> str:
        """The slot's present list for this audience: what is full, sent or over is followed by another one."""
        place = "|".join((audience.connector, audience.outlet.name, *audience.to, slot.name))
        named = (f"{DIGEST}{uuid.uuid5(_NAMESPACE, f'{place}|{number}')}" for number in count())
        return next(each for each in named if self._takes(tx, each, slot, line))

    def _takes(self, tx: Connection, list_id: str, slot: Slot, line: Line) -> bool:
        lines = listings.lines_of(tx, list_id)
        if slot.bug:
            return not lines or not all(each.over for each in lines)
        rows = outbox.of_escalation(tx, list_id)
        if not rows:
            return True
        others = [each for each in lines if each.about != line.about]
        return bool(lines) and _unsent(rows[0]) and len(others) < _MOST_LINES

    def _write(
        self, tx: Connection, audience: Audience, list_id: str, slot: Slot, news: Part | None, now: datetime
    ) -> None:
        """Bring the messages of a list to what its lines say."""
        rows, lines = _alive(tx, list_id), listings.lines_of(tx, list_id)
        draft = _Draft(tx, audience, list_id, slot, tuple(sorted(lines, key=_urgent_first)), now, self._renderer)
        if not rows:
            if any(line.quiet for line in lines) or (lines and not slot.bug):
                draft.begin()
        elif _unsent(rows[0]) or (audience.told_since is not None and _looked_for(rows[0])):
            draft.rewrite(rows[0])
        else:
            draft.follow(rows, news)


@dataclass(frozen=True, slots=True)
class _Draft:
    """A list as it shall be told now."""

    tx: Connection
    audience: Audience
    list_id: str
    slot: Slot
    lines: tuple[Line, ...]
    now: datetime
    renderer: Renderer

    def begin(self) -> None:
        mail = self.audience.outlet.channel is Channel.EMAIL
        to, at = self.audience.to, self.slot.goes_at
        empty = Message("", Posting.POST, to, "", "", at, thread_key=self.list_id, envelope=to if mail else ())
        self._add(self._written(empty), at, self.audience.told_since)

    def rewrite(self, row: Delivery) -> None:
        """The row, while nobody has begun to send it; it goes when nothing is left to tell."""
        if any(line.quiet for line in self.lines) or (self.lines and not self.slot.bug):
            self._change(row, self._written(decode(row.intent.payload, Message)))
        else:
            outbox.end(self.tx, row, State.SUPERSEDED, "told apart", "", self.now)

    def follow(self, rows: Sequence[Delivery], news: Part | None) -> None:
        """What is told once the list itself was sent."""
        first = decode(rows[0].intent.payload, Message)
        threads = self.audience.outlet.notifier.capabilities().threads
        if threads:
            self._append(rows, replace(first, posting=Posting.EDIT, parts=()), None)
        if news is not None:
            told = replace(first, posting=Posting.REPLY if threads else Posting.POST, parts=(), link="", struck=False)
            self._append(rows, told, news)

    def _append(self, rows: Sequence[Delivery], message: Message, news: Part | None) -> None:
        """To the row of this kind that nobody has begun to send, or as a new one."""
        standing = ((row, decode(row.intent.payload, Message)) for row in rows if _unsent(row))
        found = next(((row, each) for row, each in standing if each.posting is message.posting), None)
        if found is None:
            self._add(self._written(replace(message, parts=_with(message, news), at=self.now)), self.now)
        else:
            self._change(found[0], self._written(replace(found[1], parts=_with(found[1], news))))

    def _written(self, message: Message) -> Message:
        news = tuple(part.text for part in message.parts)
        slot, mail = self.slot, bool(message.envelope)
        digest = digest_of(self.lines, storm=slot.storm, bug=slot.bug, news=news, personal=mail)
        card = self.renderer.told_apart(digest)
        text = "\n".join(news) if message.posting is Posting.REPLY else card.text
        known = message.instead.to if message.instead is not None else ()
        to = tuple(dict.fromkeys((*known, *self.audience.instead)))
        struck = digest.over and message.posting is Posting.EDIT
        return replace(message, subject=card.title, text=text, struck=struck, instead=Instead(to, card.title, text))

    def _add(self, message: Message, at: datetime, told_since: datetime | None = None) -> None:
        number = max((row.intent.event_no for row in outbox.of_escalation(self.tx, self.list_id)), default=0) + 1
        key = str(uuid.uuid5(_NAMESPACE, f"{self.list_id}|{number}|{message.posting.value}"))
        intent = Intent(
            key=key,
            lane=self.audience.outlet.name,
            kind=Kind.MESSAGE,
            connector=self.audience.connector,
            account_id=AccountId(f"{DIGEST}{self.slot.name}"),
            escalation_id=self.list_id,
            event=Event.OPENED,
            event_no=number,
            level=self._level(),
            payload=encode(replace(message, key=key)),
            stream=self.list_id,
            told_since=told_since,
        )
        if not outbox.enqueue(self.tx, [intent], at):
            raise StoreBusyError("another process told in the same list")

    def _change(self, row: Delivery, message: Message) -> None:
        if not messages.grow(self.tx, row, encode(message), self._level()):
            raise StoreBusyError("another process told in the same list")

    def _level(self) -> Level:
        return max((line.level for line in self.lines if not line.over), default=Level.L1)


def _with(message: Message, news: Part | None) -> tuple[Part, ...]:
    return message.parts if news is None else (*message.parts, news)


def _alive(tx: Connection, list_id: str) -> list[Delivery]:
    return [row for row in outbox.of_escalation(tx, list_id) if row.state is not State.SUPERSEDED]


def _unsent(row: Delivery) -> bool:
    return row.state is State.NEW and not row.attempt


def _looked_for(row: Delivery) -> bool:
    """Whether a lost state may have sent it, and nobody has looked yet."""
    return row.state is State.UNKNOWN and not row.attempt


def _urgent_first(line: Line) -> tuple[bool, int, str]:
    return line.over, -line.level, line.text
