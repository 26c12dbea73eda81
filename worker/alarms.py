"""What operations must hear: escalations that are held, and failures that last, when they begin and when they end.

Once for each change, by the outbox and its keys: what is failing since when stands in the store, so that a restart
neither repeats an alarm nor forgets one.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import Connection

from connectors.notifier import Message, Posting
from worker.apart import Failure, Held
from worker.brakes import Hold
from worker.core.model import AccountId, Channel, ConnectorName, Event, Level
from worker.render import Renderer
from worker.store import guard, outbox
from worker.store.codec import encode
from worker.store.database import Store
from worker.store.deliveries import Intent, Kind
from worker.wiring import Outlet

_NAMESPACE = uuid.UUID("a3c8d1b0-77a4-5b6e-8a53-2f5b8f0f6d02")
_FAILING = "failing"


class Trouble(msgspec.Struct, frozen=True):
    """Something that fails: since when, why, and whether operations have heard of it."""

    since: datetime
    reason: str
    remedy: str = ""
    told: bool = False


class Alarms:
    """Watches what fails. Without an outlet it remembers and stays silent: the log tells."""

    def __init__(
        self,
        store: Store,
        renderer: Renderer,
        outlet: Outlet | None = None,
        to: tuple[str, ...] = (),
        after: timedelta = timedelta(minutes=15),
    ) -> None:
        self._store = store
        self._renderer = renderer
        self._outlet = outlet
        self._to = to or (() if outlet is None else outlet.to)
        self._after = after
        self._known: dict[str, Trouble] | None = None

    def held(self, connector: ConnectorName, hold: Hold, now: datetime) -> None:
        """Tell that new escalations wait for somebody's yes."""
        levels = ", ".join(f"{count} {level}" for level, count in hold.by_level.items())
        told = Held(f"hold_{hold.why.value}", connector, hold.count, levels, hold.limit, hold.accounts)
        with self._store.begin() as tx:
            name = f"{hold.why.value}|{hold.since.isoformat()}|{levels}"
            self._tell(tx, f"{connector} holds", name, now, told)

    def watch(self, failures: Mapping[str, tuple[str, str]], now: datetime) -> None:
        """Compare what fails now (where to reason and remedy) with what did, and tell what lasts and what is over."""
        known = self._remembered()
        fresh = {where: known.get(where) or Trouble(now, *failures[where]) for where in failures}
        due = [where for where, each in fresh.items() if not each.told and now - each.since >= self._after]
        over = [where for where in known if where not in failures]
        if fresh.keys() == known.keys() and not due:
            return
        with self._store.begin() as tx:
            for where in due:
                fresh[where] = msgspec.structs.replace(fresh[where], told=True)
                self._trouble(tx, where, fresh[where], now, "failing")
            for where in over:
                if known[where].told:
                    self._trouble(tx, where, known[where], now, "over")
            guard.set_setting(tx, _FAILING, msgspec.json.encode(fresh).decode())
        self._known = fresh

    def _remembered(self) -> dict[str, Trouble]:
        if self._known is None:
            with self._store.read() as tx:
                said = guard.setting(tx, _FAILING)
            self._known = msgspec.json.decode(said, type=dict[str, Trouble]) if said else {}
        return self._known

    def _trouble(self, tx: Connection, where: str, trouble: Trouble, now: datetime, kind: str) -> None:
        told = Failure(kind, where, trouble.since, trouble.reason, trouble.remedy, now)
        self._tell(tx, where, trouble.since.isoformat(), now, told)

    def _tell(self, tx: Connection, where: str, name: str, now: datetime, told: Failure | Held) -> None:
        if self._outlet is None:
            return
        over = told.kind == "over"
        key = str(uuid.uuid5(_NAMESPACE, f"{where}|{name}|{over}"))
        card = self._renderer.told_apart(told)
        message = Message(
            key=key,
            posting=Posting.REPLY if over else Posting.POST,
            to=self._to,
            subject=card.title,
            text=card.text,
            at=now,
            thread_key=f"alarm {where} {name}",
            envelope=self._to if self._outlet.channel is Channel.EMAIL else (),
        )
        # Operations come before everybody else: nobody is told anything as long as they do not act.
        intent = Intent(
            key=key,
            lane=self._outlet.name,
            kind=Kind.MESSAGE,
            connector=ConnectorName("operations"),
            account_id=AccountId(f"alarm {where}"),
            escalation_id=f"alarm {where} {name}",
            event=Event.WARNED,
            event_no=1 + over,
            level=Level.L3,
            payload=encode(message),
        )
        outbox.enqueue(tx, [intent], now)
