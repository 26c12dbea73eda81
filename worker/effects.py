"""A decision's effects as outbox rows: rendered once, keyed for ever, so that a retry sends the same bytes.

The key names connector, account, escalation, event and channel (architecture, section 8): the same event gives the
same key after any restart, and the outbox holds each key once.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache

from sqlalchemy import Connection

from connectors.base import CreateNote, CreateTask
from connectors.notifier import Attachment, Button, Instead, Message, Posting
from worker.calendar_file import MEDIA_TYPE, calendar_file
from worker.core.handoff import CALL
from worker.core.model import (
    AddNote,
    AddTask,
    Escalation,
    EscalationId,
    Event,
    Flag,
    Level,
    Notify,
    SetFlag,
    Status,
    TaskKind,
)
from worker.core.telling import restricted
from worker.digest import Gathering
from worker.gathered import OPENINGS, Gathered, Subject, Telling, addresses, recipients
from worker.render import Context, Renderer
from worker.store import deliveries, outbox
from worker.store.codec import decode, encode
from worker.store.deliveries import Intent, Kind, State
from worker.texts import Card, ProposedCall
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("6f0d5f0e-5b1e-5c5b-9a65-0d9b8c2f7d11")
_FIRST_TASKS = frozenset({TaskKind.ANSWER, TaskKind.QUESTION})
"""Their keys are those that earlier releases gave, so that an upgrade repeats none."""


@dataclass(frozen=True, slots=True)
class FlagWrite:
    """The flag to set, and the one that the decision saw: a target that can, refuses when it is another by now."""

    flag: Flag
    expect: Flag


def key_of(subject: Subject, event: Event, event_no: int, channel: str, part: str = "") -> str:
    """The idempotency key of one effect."""
    name = "|".join(
        (subject.connector, subject.account_id, subject.escalation_id, event.value, str(event_no), channel, part)
    )
    return str(uuid.uuid5(_NAMESPACE, name))


class Effects:
    """Turns effects into outbox rows."""

    def __init__(self, renderer: Renderer, outlets: Sequence[Outlet], gathering: Gathering | None = None) -> None:
        self._renderer = renderer
        self._outlets = outlets
        self._gathered = Gathered(renderer, gathering or Gathering())

    def enqueue(
        self,
        tx: Connection,
        subject: Subject,
        effects: Sequence[AddNote | AddTask | Notify],
        context: Context,
        storm: str = "",
    ) -> None:
        """Enqueue the effects that happen once. `storm` names a cycle whose new escalations are told together."""
        for effect in effects:
            because = context.said.get(effect.event_no, context.because)
            own = replace(context, event=effect.event, because=because)
            match effect:
                case AddNote():
                    outbox.enqueue(tx, [self._note(subject, effect, own)], own.now)
                case AddTask():
                    outbox.enqueue(tx, [self._task(subject, effect, own)], own.now)
                case Notify():
                    for outlet in self._outlets:
                        self._tell(tx, Telling(subject, effect, own, outlet, storm))

    def _tell(self, tx: Connection, told: Telling) -> None:
        """By this channel: at once, or as a line of a list."""
        gathered = self._gathered.tell(tx, told)
        rows = self._up_to_date(tx, told) if gathered else list(self._messages(told))
        outbox.enqueue(tx, rows, told.context.now)

    def _up_to_date(self, tx: Connection, told: Telling) -> list[Intent]:
        """The edit of its own card, where what is told elsewhere has one."""
        able = told.outlet.notifier.capabilities().threads
        if not able or not outbox.thread_ref(tx, told.outlet.name, told.subject.escalation_id):
            return []
        card = self._renderer.card(told.effect, told.context)
        return [self._post(told, Posting.EDIT, card)]

    def _note(self, subject: Subject, effect: AddNote, context: Context) -> Intent:
        key = key_of(subject, effect.event, effect.event_no, "note")
        note = self._renderer.note(effect, context, key)
        value = CreateNote(key, subject.page, note.title, note.body, context.now)
        return _intent(subject, effect.event, effect.event_no, subject.connector, Kind.NOTE, key, encode(value))

    def _task(self, subject: Subject, effect: AddTask, context: Context) -> Intent:
        part = effect.assignee.id if effect.kind in _FIRST_TASKS else f"{effect.assignee.id}|{effect.kind.value}"
        key = key_of(subject, effect.event, effect.event_no, "task", part)
        title, body = self._renderer.told(effect.subject), self._renderer.task(effect, context)
        value = CreateTask(key, subject.page, effect.assignee.id, title, body, effect.due_at)
        return _intent(subject, effect.event, effect.event_no, subject.connector, Kind.TASK, key, encode(value))

    def _messages(self, told: Telling) -> Iterator[Intent]:
        if not told.by_mail:
            yield from self._posts(told)
        elif told.is_mailed:
            yield from self._mail(told)

    def _mail(self, told: Telling) -> Iterator[Intent]:
        """One copy a person: a refusal concerns that one alone, and not everyone may know everything."""
        subject, effect, context, outlet = told.subject, told.effect, told.context, told.outlet
        to, cc = recipients(effect, outlet)
        owner = context.escalation.owner if context.escalation is not None else None
        secret = restricted(context.escalation, context.policy)
        card = self._renderer.card(effect, context)
        write = cache(lambda full: self._renderer.email(effect, context, restricted=not full))
        for address in (*to, *cc):
            mail = write(not secret or (owner is not None and address == owner.email))
            key = key_of(subject, effect.event, effect.event_no, outlet.name, f"mail:{address}")
            message = Message(
                key=key,
                posting=Posting.POST,
                to=to,
                cc=cc,
                envelope=(address,),
                subject=mail.subject,
                text=mail.text,
                html=mail.html,
                at=context.now,
                thread_key=subject.escalation_id,
                instead=Instead((), card.title, card.text),
                attachments=tuple(_calendar_files(subject, effect, mail.calls, context.now)),
            )
            copy = _intent(subject, effect.event, effect.event_no, outlet.name, Kind.MESSAGE, key, encode(message))
            # Each reader's mails keep their order; a mailbox that is full holds back nobody else's.
            yield replace(copy, stream=f"{subject.account_id} {address}")

    def _posts(self, told: Telling) -> Iterator[Intent]:
        """One message per escalation: the first event posts it, later ones edit it and add a line to its thread."""
        card = self._renderer.card(told.effect, told.context)
        if told.opening or told.effect.event_no <= 1:
            yield self._post(told, Posting.POST, card)
            return
        if told.outlet.notifier.capabilities().threads:
            yield self._post(told, Posting.EDIT, card)
        said = self._renderer.slack_reply(told.effect, told.context)
        yield self._post(told, Posting.REPLY, replace(card, text=said, over=False))

    def _post(self, told: Telling, posting: Posting, card: Card) -> Intent:
        subject, effect, context, outlet = told.subject, told.effect, told.context, told.outlet
        key = key_of(subject, effect.event, effect.event_no, outlet.name, posting.value)
        message = Message(
            key=key,
            posting=posting,
            to=outlet.to or tuple(person.name for person in effect.to),
            cc=() if outlet.to else tuple(person.name for person in effect.cc),
            subject=card.title,
            text=card.text,
            at=context.now,
            thread_key=subject.escalation_id,
            link="" if posting is Posting.REPLY else context.link,
            struck=card.over,
            instead=Instead(addresses((*effect.to, *effect.cc)), card.title, card.text),
            buttons=() if posting is Posting.REPLY else self._buttons(told),
        )
        return _intent(subject, effect.event, effect.event_no, outlet.name, Kind.MESSAGE, key, encode(message))

    def _buttons(self, told: Telling) -> tuple[Button, ...]:
        """As long as nobody has answered: to say so, where the channel can hear it."""
        escalation = told.context.escalation
        if escalation is None or escalation.status is not Status.OPEN:
            return ()
        able = told.outlet.notifier.capabilities().buttons
        return (Button(self._renderer.told("I have it"), offer(escalation)),) if able else ()


def offer(escalation: Escalation) -> str:
    """What a button carries: which escalation, and at which level its reader saw it."""
    return f"{escalation.id}|{int(escalation.level)}"


def offered(value: str) -> tuple[EscalationId, Level] | None:
    """The same read back, None for what no button of ours carries."""
    name, _, level = value.partition("|")
    known = {str(int(each)): each for each in Level}
    return (EscalationId(name), known[level]) if name and level in known else None


def _calendar_files(
    subject: Subject, effect: Notify, calls: Sequence[ProposedCall], now: datetime
) -> Iterator[Attachment]:
    """A file for each time: who opens one has that in the calendar, and not the other."""
    for number, call in enumerate(calls, 1):
        key = key_of(subject, effect.event, effect.event_no, "call", str(number))
        body = calendar_file(key, call.title, call.text, call.at, CALL, now)
        yield Attachment(f"call-{number}.ics", MEDIA_TYPE, body)


def _intent(subject: Subject, event: Event, event_no: int, lane: str, kind: Kind, key: str, payload: bytes) -> Intent:
    return Intent(
        key=key,
        lane=lane,
        kind=kind,
        connector=subject.connector,
        account_id=subject.account_id,
        escalation_id=subject.escalation_id,
        event=event,
        event_no=event_no,
        level=subject.level,
        payload=payload,
        told_since=subject.flagged_since if kind is Kind.MESSAGE and event in OPENINGS else None,
    )


def ensure_flag(tx: Connection, subject: Subject, flag: Flag, observed: Flag, now: datetime) -> bool:
    """Enqueue the flag unless the same write is on its way or was refused. Returns whether it was enqueued.

    A refused write waits for `retry`: nothing has changed that would let it succeed.
    """
    last = outbox.last_flag(tx, subject.connector, subject.account_id)
    standing = last is not None and last.state in (*deliveries.PENDING, State.REFUSED)
    if last is not None and standing and decode(last.intent.payload, FlagWrite).flag == flag:
        return False
    number = outbox.next_flag_no(tx, subject.connector, subject.account_id)
    event = Event.OPENED if flag.escalated else Event.RESOLVED
    key = key_of(subject, event, number, "flag")
    payload = encode(FlagWrite(flag, observed))
    outbox.replace_flag(tx, _intent(subject, event, number, subject.connector, Kind.FLAG, key, payload), now)
    return True


def wanted_flag(effects: Sequence[object]) -> Flag | None:
    """The flag that a decision asks for, if it asks for one."""
    for effect in effects:
        if isinstance(effect, SetFlag):
            return effect.flag
    return None


__all__ = ["Effects", "FlagWrite", "Subject", "ensure_flag", "key_of", "offer", "offered", "wanted_flag"]
