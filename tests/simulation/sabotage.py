"""Each guard that the guarantees rest on, taken away: the simulation must notice. Nothing here is known to the worker.

A guard that can go unnoticed is a guard that nobody tests: bias the world until its absence turns a history red.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from unittest.mock import patch

from sqlalchemy import bindparam, text, update

from connectors.base import Capabilities, Page, RetryableError, Row
from tests.simulation import history, targets
from tests.simulation.history import History
from worker import effects, mirror
from worker.brakes import Brake
from worker.core import reconcile
from worker.deliver import Deliverer
from worker.lanes import CrmLane
from worker.lists import Lists
from worker.mapping import CrmMapping
from worker.mirror import Mirror
from worker.pull import Puller
from worker.situation import Surveyor
from worker.store import escalations, outbox, outbox_statements
from worker.store import schema as tables
from worker.store.deliveries import State
from worker.unanswered import Unanswered

SEEDS = range(61, 101)
"""Among so many histories the first one that turns red is enough; they begin where the rarest guard is met too."""


@dataclass(frozen=True)
class Guard:
    """One guard, and how to do without it."""

    name: str
    without: Callable[[], object]


@contextmanager
def removed(guard: Guard) -> Iterator[None]:
    """Do without a guard for a while."""
    made = guard.without()
    with ExitStack() as stack:
        for each in made if isinstance(made, tuple) else (made,):
            stack.enter_context(each)
        yield


def _without_overlap() -> tuple[object, ...]:
    """Read from the newest stamp only: what is committed late under an older one is never seen."""
    real = targets.FakeCrm.capabilities

    def capabilities(self: targets.FakeCrm) -> Capabilities:
        return replace(real(self), overlap=timedelta(0), late_overlap=timedelta(0))

    def narrow(self: History) -> None:
        self.reading = replace(self.reading, overlap=timedelta(0), sweep_every=timedelta(days=1))
        init(self)

    init = History.__post_init__
    return patch.object(targets.FakeCrm, "capabilities", capabilities), patch.object(History, "__post_init__", narrow)


def _mark_later() -> tuple[object, ...]:
    """Remember who is to be decided, and write it down when the reading is over."""
    finish, mark = Puller._finish, Mirror._mark

    def keep(self, tx, touched, began) -> None:
        self.kept = [*getattr(self, "kept", []), (touched, began)]

    def write_down(self, *given, **named) -> None:
        with self._store.begin() as tx:
            for touched, began in getattr(self._mirror, "kept", []):
                mark(self._mirror, tx, touched, began)
        self._mirror.kept = []
        finish(self, *given, **named)

    return patch.object(Mirror, "_mark", keep), patch.object(Puller, "_finish", write_down)


def _settle_anything() -> object:
    """Change an effect whatever has become of it meanwhile."""
    anyhow = update(tables.outbox).where(tables.outbox.c.ordinal == bindparam("own_ordinal"))
    return patch.dict(
        outbox_statements.SETTLE, {states: anyhow for states in outbox_statements.SETTLE if State.TRYING in states}
    )


def _resend_blindly() -> object:
    def blind(self, lane, report) -> None:
        now = self._ports.now()
        with self._store.begin() as tx:
            for each in outbox.unanswered(tx, lane.name, now, 100):
                outbox.again(tx, each, now, "blind", now)

    return patch.object(Unanswered, "resolve", blind)


def _look_at_once() -> object:
    """Look an effect up before its attempt is over and the target can show it."""
    real = outbox.unanswered

    def impatient(tx, lane, before, limit):
        return real(tx, lane, before + timedelta(hours=2), limit)

    return (
        patch.object(outbox, "unanswered", impatient),
        patch.object(Unanswered, "_has_settled", lambda *_: True),
    )


def _never_late() -> object:
    return patch.object(Deliverer, "_late", lambda *_: False)


def _poison_stops_the_page() -> tuple[object, ...]:
    """A record that cannot be understood fails the reading."""
    real = targets._page

    def strict(query, rows) -> Page[Row]:
        page = real(query, rows)
        if page.bad:
            raise RetryableError("a record cannot be decoded")
        return page

    return patch.object(targets, "_page", strict), patch.object(mirror, "surely_quiet", CrmMapping.quiet)


def _absence_is_resolution() -> object:
    """Take what could not be read for gone."""
    real = Surveyor.situation

    def sure(self, *given, **named):
        found = real(self, *given, **named)
        if found is None:
            return None
        view = replace(found.view, complete=True)
        return replace(found, view=view, assessment=replace(found.assessment, complete=True))

    return patch.object(Surveyor, "situation", sure)


def _two_open() -> tuple[object, ...]:
    """Nothing holds that there is one open escalation of an account."""
    blank = history.blank_state

    def indexless() -> bytes:
        with history.open_store("sqlite://", history.SimPorts(history.World(0), "")).engine.connect() as tx:
            tx.connection.driver_connection.deserialize(blank())
            tx.execute(text("DROP INDEX uq_escalation_one_open"))
            return tx.connection.driver_connection.serialize()

    return patch.object(history, "blank_state", indexless), patch.object(escalations, "latest", lambda *_: None)


def _no_intent() -> object:
    """Send first, record later."""
    return patch.object(outbox, "_take", lambda *_: True)


def _no_expectation() -> object:
    real = CrmLane._write
    return patch.object(CrmLane, "_write", lambda self, each: _unconditional(real(self, each)))


def _unconditional(write):
    return replace(write, expect=None) if hasattr(write, "expect") else write


def _blurred_key() -> object:
    return patch.object(
        effects, "key_of", lambda subject, event, number, channel, part="": f"{subject.account_id}{channel}{part}"
    )


def _lists_without_memory() -> object:
    """A list takes nobody once it is begun: whoever joins a bug later is told by another one."""
    return patch.object(Lists, "_takes", lambda _self, tx, list_id, _slot, _line: not outbox.of_escalation(tx, list_id))


GUARDS = (
    Guard("the overlap", _without_overlap),
    Guard("the mark in the page's transaction", _mark_later),
    Guard("compare and set in the outbox", _settle_anything),
    Guard("look-up before resend", _resend_blindly),
    Guard("the wait before the look-up", _look_at_once),
    Guard("the deadline before the send", _never_late),
    Guard("quarantine", _poison_stops_the_page),
    Guard("absence is not resolution", _absence_is_resolution),
    Guard("the override field", lambda: patch.object(reconcile, "heed_override", lambda *_: None)),
    Guard("a person's hand on the flag", lambda: patch.object(reconcile, "heed_flag", lambda *_: None)),
    Guard("one open escalation", _two_open),
    Guard("the brake", lambda: patch.object(Brake, "lets_pass", lambda *_: True)),
    Guard("the condition of a flag write", _no_expectation),
    Guard("the key names the event", _blurred_key),
    Guard("the intent before the send", _no_intent),
    Guard("one list for a bug", _lists_without_memory),
)
