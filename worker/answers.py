"""What people press in channels, made into answers: who it was, whether it counts, and what they are told if not.

Clicks that count are heeded by the next decision on the account, as the override field of the CRM is. Nothing here is
done in the name of somebody whom the account or the policy does not name.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

import structlog

from connectors.base import ConnectorError, Result, RetryableError
from connectors.hearing import Hearer
from worker.core.answering import UNKNOWN, person_at, stranger, why_not
from worker.core.model import Answer, ConnectorName, Escalation, EscalationId, Level
from worker.core.policy import Policy
from worker.decide import Decider
from worker.effects import offered
from worker.ports import Ports
from worker.render import Renderer
from worker.store import clicks, escalations, progress
from worker.store.clicks import Fate, Heard
from worker.store.database import Store, StoreError
from worker.wiring import Outlet, hearers

_MOST = 20
"""Clicks of one channel that are looked at in one cycle."""
_TOO_LATE = timedelta(hours=1)
_log = structlog.get_logger(__name__)

Failure = tuple[str, str]
"""Reason and remedy."""


class Answers:
    """Looks after the clicks of every channel that hears them."""

    def __init__(
        self,
        outlets: Sequence[Outlet],
        deciders: Mapping[ConnectorName, Decider],
        store: Store,
        ports: Ports,
        policy: Policy,
        renderer: Renderer,
    ) -> None:
        self._hearers = tuple(hearers(outlets))
        self._deciders = deciders
        self._store = store
        self._ports = ports
        self._policy = policy
        self._renderer = renderer
        self._addresses: dict[tuple[str, str], str] = {}

    def take(self) -> Mapping[str, Failure]:
        """Before deciding: give the clicks that count to the next decision. Returns what fails, by channel."""
        self._addresses.clear()
        failures: dict[str, Failure] = {}
        for outlet, hearer in self._hearers:
            line = hearer.hearing()
            failure = self._each(outlet, hearer, tell=False) or (line.failure, line.remedy)
            if failure[0]:
                failures[outlet.name] = failure
        return failures

    def tell(self) -> None:
        """After deciding: tell those whose click does not count why it does not."""
        for outlet, hearer in self._hearers:
            self._each(outlet, hearer, tell=True)

    def _each(self, outlet: Outlet, hearer: Hearer, *, tell: bool) -> Failure | None:
        """Look at what waits. One click's trouble leaves the others alone, the channel's ends the round."""
        found: Failure | None = None
        for heard in self._waiting(outlet):
            try:
                verdict = self._verdict(outlet, hearer, heard)
                if isinstance(verdict, str) and tell:
                    self._whisper(hearer, heard, verdict)
                elif not isinstance(verdict, str) and not tell:
                    self._say(outlet, *verdict)
            except StoreError:
                raise
            except ConnectorError as error:
                return str(error), error.remedy
            except Exception as error:  # noqa: BLE001  a fault in one click must stop neither the others nor the cycle
                found = f"a click could not be understood: {type(error).__name__}: {error}", "acknowledge in the CRM"
        return found

    def _waiting(self, outlet: Outlet) -> Iterator[Heard]:
        with self._store.read() as tx:
            waiting = clicks.heard(tx, outlet.name, _MOST)
        for heard in waiting:
            if self._ports.now() - heard.at <= _TOO_LATE:
                yield heard
            else:
                self._end(heard, Fate.LOST)
                _log.error("a click is lost", channel=outlet.name, user=heard.click.user, heard_at=heard.at.isoformat())

    def _verdict(self, outlet: Outlet, hearer: Hearer, heard: Heard) -> tuple[ConnectorName, Escalation, Answer] | str:
        """The answer that a click is, or why it is none, in the worker's English."""
        offer = offered(heard.click.value)
        known = None if offer is None else self._escalation(offer[0])
        if offer is None or known is None:
            return UNKNOWN
        connector, escalation = known
        return why_not(escalation, offer[1]) or self._answer(outlet, hearer, heard, connector, escalation, offer[1])

    def _escalation(self, name: EscalationId) -> tuple[ConnectorName, Escalation] | None:
        with self._store.read() as tx:
            known = escalations.by_id(tx, name)
        return known if known is not None and known[0] in self._deciders else None

    def _answer(
        self,
        outlet: Outlet,
        hearer: Hearer,
        heard: Heard,
        connector: ConnectorName,
        escalation: Escalation,
        level: Level,
    ) -> tuple[ConnectorName, Escalation, Answer] | str:
        address = self._address(outlet, hearer, heard.click.user)
        with self._store.read() as tx:
            decider, account = self._deciders[connector], escalation.account_id
            situation = decider.situation(tx, account, self._ports.now(), complete=True)
        if situation is None:
            return UNKNOWN
        person = person_at(address, situation.view, escalation, self._policy)
        if person is None:
            return stranger(address, escalation)
        via = outlet.channel.value.capitalize()
        return connector, escalation, Answer(heard.click.key, escalation.id, level, person.name, via)

    def _address(self, outlet: Outlet, hearer: Hearer, user: str) -> str:
        """Whose click it was: asked once a cycle."""
        place = outlet.name, user
        if place not in self._addresses:
            self._addresses[place] = hearer.address_of(user)
        return self._addresses[place]

    def _say(self, outlet: Outlet, connector: ConnectorName, escalation: Escalation, answer: Answer) -> None:
        with self._store.begin() as tx:
            clicks.say(tx, outlet.name, connector, escalation.account_id, answer)
            progress.mark_dirty(tx, connector, [escalation.account_id], self._ports.now())

    def _whisper(self, hearer: Hearer, heard: Heard, said: str) -> None:
        result = hearer.whisper(heard.click.user, heard.click.place, self._renderer.told(said))
        if result.done:
            self._end(heard, Fate.TOLD)
        elif result.result is Result.REJECTED:
            self._end(heard, Fate.LOST)
            _log.error("a person could not be told", user=heard.click.user, reason=result.reason, remedy=result.remedy)
        else:
            raise RetryableError(result.reason, result.remedy)

    def _end(self, heard: Heard, fate: Fate) -> None:
        with self._store.begin() as tx:
            clicks.settle(tx, heard.lane, heard.click.key, fate)
