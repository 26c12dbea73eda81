"""Which events are told in a list rather than by a message of their own.

Who is first told in a list is told there as long as the list holds its like: a child of a bug's list until it is L3,
restricted or escalated for something else as well, one of a storm until it is L3, one of a morning until it rises.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from worker.core.model import AccountId, Channel, ConnectorName, EscalationId, Event, Level, Notify, Person
from worker.core.telling import Line, bugs_of, restricted, shared_bug, worth_of
from worker.digest import Gathering, Slot
from worker.lists import Audience, Lists
from worker.render import Context, Renderer
from worker.store import listings
from worker.store.listings import Entry
from worker.wiring import Outlet

OPENINGS = frozenset({Event.OPENED, Event.REOPENED})
_NOT_BY_MAIL = frozenset({Event.ACKNOWLEDGED, Event.SNOOZED})
_ALWAYS_APART = frozenset({Event.POST_MORTEM_DUE, Event.PLAYBOOK})
"""By mail: they ask for a work of their own, long after the matter is closed."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What an effect is about.

    `flagged_since`: the CRM showed our flag since then, though this state knows nothing of it. An earlier one is lost.
    `kept_by` is the account on whose page it is written, where that is another one.
    """

    connector: ConnectorName
    account_id: AccountId
    escalation_id: str
    level: Level
    language: str = ""
    flagged_since: datetime | None = None
    kept_by: AccountId | None = None

    @property
    def page(self) -> AccountId:
        """The account on whose page notes and tasks are written."""
        return self.kept_by or self.account_id


@dataclass(frozen=True, slots=True)
class Telling:
    """One event, as one channel shall tell it. `storm` names the cycle when it opens many."""

    subject: Subject
    effect: Notify
    context: Context
    outlet: Outlet
    storm: str = ""

    @property
    def by_mail(self) -> bool:
        """Whether each person gets a copy of their own."""
        return self.outlet.channel is Channel.EMAIL

    @property
    def is_mailed(self) -> bool:
        """Whether mails tell it: not what people did themselves, nor an end that another account's opening tells."""
        escalation = self.context.escalation
        goes_on = escalation is not None and escalation.merged_into is not None and self.context.view.survivor != ""
        return self.effect.event not in _NOT_BY_MAIL and not goes_on

    @property
    def opening(self) -> bool:
        """Whether it is the first that is told of its escalation."""
        return self.effect.event in OPENINGS

    def audiences(self) -> Iterator[Audience]:
        """Who gets a list of their own: each person by mail, else the channel as a whole."""
        outlet, effect, connector = self.outlet, self.effect, self.subject.connector
        since = self.subject.flagged_since
        if self.by_mail:
            to, cc = recipients(effect, outlet)
            yield from (Audience(outlet, (address,), connector, (), since) for address in (*to, *cc))
        else:
            to = outlet.to or tuple(person.name for person in effect.to)
            yield Audience(outlet, to, connector, addresses((*effect.to, *effect.cc)), since)


def recipients(effect: Notify, outlet: Outlet) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """To and copy; where nobody has an address, the channel's own."""
    to, cc = addresses(effect.to), addresses(effect.cc)
    to, cc = (to, cc) if to else (cc or outlet.to, ())
    return to, tuple(address for address in cc if address not in to)


def addresses(people: Sequence[Person]) -> tuple[str, ...]:
    """Their mail addresses, each once."""
    return tuple(dict.fromkeys(person.email for person in people if person.email))


class Gathered:
    """Tells in lists what belongs there."""

    def __init__(self, renderer: Renderer, gathering: Gathering) -> None:
        self._renderer = renderer
        self._gathering = gathering
        self._lists = Lists(renderer)

    def tell(self, tx: Connection, told: Telling) -> bool:
        """Tell the event in the list where it belongs. False: it has to be told by a message of its own."""
        entries = listings.about(tx, told.outlet.name, told.subject.escalation_id)
        slot = self._slot(told, entries)
        if slot is None:
            self._apart(tx, told, entries)
            return False
        for audience in told.audiences():
            mine = [each for each in entries if each.reader == audience.reader]
            self._refresh(tx, told, audience, slot, mine)
            self._add(tx, told, audience, slot, mine)
        return True

    def _slot(self, told: Telling, entries: Sequence[Entry]) -> Slot | None:
        """The list in which this event is told, if it is told in one."""
        event, now, level = told.effect.event, told.context.now, told.subject.level
        if told.by_mail and (not told.is_mailed or event in _ALWAYS_APART):
            return None
        at = self._gathering.goes_at(level, now, mail=told.by_mail)
        if at is not None:
            return Slot.of_opening(at)
        bug = shared_bug(told.context.escalation, told.context.policy)
        if not told.opening:
            standing = (Slot(each.slot, now) for each in entries if each.line.quiet)
            follows = (slot for slot in standing if slot.holds(level, bug) and (slot.bug or not told.by_mail))
            return next(follows, None)
        if bug is not None:
            return Slot.of_bug(bug, now)
        if told.subject.flagged_since is not None:
            return None  # a list of that moment could not be found again by its key
        gathers = told.storm and not told.by_mail and level is not Level.L3
        return Slot.of_storm(told.storm, now) if gathers else None

    def _add(self, tx: Connection, told: Telling, audience: Audience, slot: Slot, mine: Sequence[Entry]) -> None:
        """To the list in which it stands already, or to the slot's present one."""
        known = next((each for each in mine if each.slot == slot.name and each.line.quiet), None)
        line = self._line(told, slot, quiet=told.opening or known is not None)
        known_before = told.opening and told.subject.flagged_since is not None
        news = "" if known_before else self._renderer.list_news(told.effect, told.context)
        self._lists.tell(tx, audience, slot, line, news, told.context.now, known.list_id if known else "")

    def _refresh(self, tx: Connection, told: Telling, audience: Audience, slot: Slot, mine: Sequence[Entry]) -> None:
        """Bring up to date, in silence, where else it is told."""
        for each in mine:
            if each.line.quiet and each.slot != slot.name:
                other = Slot(each.slot, told.context.now)
                line = self._line(told, other, quiet=True)
                self._lists.tell(tx, audience, other, line, "", told.context.now, each.list_id)

    def _apart(self, tx: Connection, told: Telling, entries: Sequence[Entry]) -> None:
        """It is told by itself: the lists that name it say so, and a list of a bug that hits it counts it."""
        if told.by_mail and not told.is_mailed:
            self._silently(tx, told, entries)
            return
        for entry in entries:
            audience = Audience(told.outlet, tuple(entry.reader.split("|")), told.subject.connector)
            line = self._line(told, Slot(entry.slot, told.context.now), quiet=False)
            self._lists.leave(tx, audience, entry, line, told.context.now)
        self._mention(tx, told, entries)

    def _silently(self, tx: Connection, told: Telling, entries: Sequence[Entry]) -> None:
        for entry in entries:
            audience = Audience(told.outlet, tuple(entry.reader.split("|")), told.subject.connector)
            slot = Slot(entry.slot, told.context.now)
            line = self._line(told, slot, quiet=entry.line.quiet)
            self._lists.tell(tx, audience, slot, line, "", told.context.now, entry.list_id)

    def _mention(self, tx: Connection, told: Telling, entries: Sequence[Entry]) -> None:
        escalation, now = told.context.escalation, told.context.now
        if escalation is None or not escalation.open or restricted(escalation, told.context.policy):
            return
        for bug in bugs_of(escalation):
            slot = Slot.of_bug(bug, now)
            for audience in told.audiences():
                if not any(each.slot == slot.name and each.reader == audience.reader for each in entries):
                    self._lists.tell(tx, audience, slot, self._line(told, slot, quiet=False), "", now)

    def _line(self, told: Telling, slot: Slot, *, quiet: bool) -> Line:
        context = told.context
        escalation, account = context.escalation, context.view.account
        apart = not quiet and bool(slot.bug or slot.storm)
        return Line(
            about=EscalationId(told.subject.escalation_id),
            level=told.subject.level,
            text=self._renderer.digest_line(told.effect, context, bug=slot.bug, apart=apart),
            worth=worth_of(account, context.policy, context.now.date()),
            quiet=quiet,
            over=escalation is not None and not escalation.open,
        )


__all__ = ["OPENINGS", "Gathered", "Subject", "Telling", "addresses", "recipients"]
