"""What a channel could not tell for long goes through another one, with a word about why.

Never twice in silence: what was surely not sent is taken off the first channel before the second one gets it, and what
may have arrived there says so.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from connectors.notifier import Instead, Message, Posting
from worker.core.model import Channel
from worker.render import Renderer
from worker.store import deliveries, messages, outbox
from worker.store.codec import decode, encode
from worker.store.deliveries import Delivery, Intent, State
from worker.store.messages import DIGEST
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("5f5f0b5e-2f64-5d0a-9d7c-0d8a3f2b4c55")
_YOUNG = timedelta(days=1)


class Fallback:
    """Moves messages from a failing channel to the one that its settings name."""

    def __init__(self, outlets: tuple[Outlet, ...], renderer: Renderer) -> None:
        by_name = {outlet.name: outlet for outlet in outlets}
        self._ways = {each.name: (each, by_name[each.fallback]) for each in outlets if each.fallback in by_name}
        self._renderer = renderer

    def covers(self, lane: str) -> bool:
        """Whether this channel has another one behind it."""
        return lane in self._ways

    def relieve(self, tx: Connection, lane: str, now: datetime) -> int:
        """Move what has waited too long. Returns how many messages went over."""
        failing, _ = self._ways[lane]
        waiting = messages.stuck(tx, lane, now - failing.fallback_after)
        return sum(self._move(tx, each, now) for each in waiting)

    def replace_refused(self, tx: Connection, lane: str, now: datetime) -> int:
        """Tell elsewhere what this channel has refused; the dead letter stays for the person who mends it."""
        return sum(self._tell(tx, each, now, doubt=False) for each in messages.refused(tx, lane, now - _YOUNG))

    def _move(self, tx: Connection, delivery: Delivery, now: datetime) -> int:
        _, other = self._ways[delivery.intent.lane]
        doubt = delivery.state is State.UNKNOWN or delivery.reason.startswith(deliveries.REPEATED)
        if not list(self._copies(delivery, doubt=doubt)):
            return 0
        if not outbox.end(tx, delivery, State.SUPERSEDED, f"told by {other.name} instead", "", now):
            return 0
        return self._tell(tx, delivery, now, doubt=doubt)

    def _tell(self, tx: Connection, delivery: Delivery, now: datetime, *, doubt: bool) -> int:
        intent = delivery.intent
        _, other = self._ways[intent.lane]
        moved = [
            replace(intent, key=copy.key, lane=other.name, payload=encode(copy), stream=f"{intent.stream} instead")
            for copy in self._copies(delivery, doubt=doubt)
        ]
        return outbox.enqueue(tx, moved, now)

    def _copies(self, delivery: Delivery, *, doubt: bool) -> Iterator[Message]:
        """The message as the other channel tells it. An edit only brings a card up to date: its news go as a reply."""
        message = decode(delivery.intent.payload, Message)
        if message.posting is Posting.EDIT:
            return
        failing, other = self._ways[delivery.intent.lane]
        instead = message.instead or Instead((), message.subject, message.text)
        text = "\n\n".join((self._renderer.remark(failing.name, doubt=doubt), instead.text or message.text))
        plain = replace(
            message,
            posting=Posting.POST,
            subject=instead.subject or message.subject,
            text=text,
            html="",
            parts=(),
            attachments=(),
            buttons=(),
        )
        if other.channel is Channel.EMAIL:
            readers = instead.to or other.to
            for address in readers:
                key = _key(delivery.intent.key, other.name, address)
                yield replace(plain, key=key, to=readers, cc=(), envelope=(address,), instead=None)
        elif other.to or other.channel is Channel.CONSOLE:
            key = _key(other.name, *_told(delivery.intent, instead.text))
            yield replace(plain, key=key, to=other.to or message.to, cc=(), envelope=(), instead=None)


def _told(intent: Intent, text: str) -> tuple[str, ...]:
    """What names the news themselves, whoever's copy it is: a channel hears each once. Readers' lists may differ."""
    about = intent.account_id if intent.account_id.startswith(DIGEST) else intent.escalation_id
    return intent.lane, intent.connector, about, intent.event.value, str(intent.event_no), text


def _key(*names: str) -> str:
    return str(uuid.uuid5(_NAMESPACE, "|".join(names)))
