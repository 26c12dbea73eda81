"""One seed, one history: two real workers in greenlets on a virtual clock, and the world around them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path

from greenlet import greenlet

from tests.simulation import stories
from tests.simulation.checker import LATE, Shown, violations
from tests.simulation.targets import FakeChannel, FakeCrm, opening
from tests.simulation.world import START, Killed, Odds, World
from worker.core.model import Case, Channel, ConnectorName, HoldTimes, Person, Role, TextHit, UserId
from worker.core.policy import Brakes, Policy, default_levels
from worker.cycle import Cycle
from worker.mapping import CrmMapping, load_mapping
from worker.patience import Patience
from worker.pull import Reading
from worker.render import Renderer
from worker.store import deliveries, outbox, progress
from worker.store.database import Store, StoreError, open_store
from worker.store.deliveries import State
from worker.wiring import Crm, Outlet

CONFIG = Path(__file__).parent.parent.parent / "config"
HOURS = 3.2
CALM = 0.6
"""The share of a history after which nothing goes wrong any more, so that everything can come to rest."""
IMPORTED = 12


class SimPorts:
    """Time and chance of one worker in one world."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def now(self) -> datetime:
        return self._world.now + self._world.skew

    def monotonic(self) -> float:
        return (self._world.now - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        self._world.wait(timedelta(seconds=max(0.001, seconds)))

    def draw(self) -> float:
        return self._world.dice.random()

    def worker_id(self) -> str:
        return self._name

    def at(self, point: str) -> None:
        self._world.reach(point)


class Words:
    """No phrases: the simulation's evidence is structured. One text breaks the rule that reads it."""

    def hits(self, case: Case) -> tuple[TextHit, ...]:
        if case.subject == stories.UNBEARABLE:
            raise RecursionError("a rule broke")
        return ()


@cache
def mapping() -> CrmMapping:
    return load_mapping(CONFIG / "mappings" / "embedded.yaml")


@cache
def renderer() -> Renderer:
    return Renderer(CONFIG / "templates", "en")


@cache
def blank_state() -> bytes:
    """A migrated, empty state; each history begins with a copy."""
    with open_store("sqlite://", SimPorts(World(0), "opening")).engine.connect() as tx:
        return tx.connection.driver_connection.serialize()


def policy() -> Policy:
    people = {
        role: Person(UserId(role.value), role.value, f"{role.value}@example.com")
        for role in (Role.VP_CS, Role.CEO, Role.CFO, Role.CTO)
    }
    hold = HoldTimes(leave=timedelta(minutes=20))
    levels = {level: replace(rule, hold=hold) for level, rule in default_levels().items()}
    brakes = Brakes(first_run_asks=False, most_new=IMPORTED - 1, most_share=Decimal(1))
    return Policy("sim", levels=levels, people=people, brakes=brakes)


@dataclass
class Told:
    """What a history came to."""

    seed: int
    violations: list[str]
    operations: int
    points: int
    kills: int
    faults: int
    trace: str


@dataclass
class History:
    """Runs one seed."""

    world: World
    told: Mapping[str, str]
    hours: float = HOURS
    workers: int = 2
    pace: tuple[int, int] = (120, 540)
    reading: Reading = field(default_factory=lambda: Reading(overlap=timedelta(minutes=6)))
    patience: Patience = field(default_factory=Patience)
    tolerance: timedelta = timedelta(0)
    """How far the workers' clock was off: nothing can be more punctual than that."""

    def __post_init__(self) -> None:
        self.failed: set[str] = set()
        self._heap: list[tuple[datetime, int, object]] = []
        self._count = itertools.count()
        self._store = open_store("sqlite://", SimPorts(self.world, "opening"), migrate=False)
        with self._store.engine.connect() as tx:
            tx.connection.driver_connection.deserialize(blank_state())
        opening(self.world, self.told)

    @property
    def end(self) -> datetime:
        return START + timedelta(hours=self.hours)

    def later(self, after: timedelta, what: greenlet | Callable[[], None]) -> None:
        """Let something happen after a while."""
        heapq.heappush(self._heap, (self.world.now + after, next(self._count), what))

    def run(self) -> Told:
        self.later(timedelta(hours=self.hours * CALM), self._calm)
        for number in range(self.workers):
            self.later(timedelta(seconds=number), lambda number=number: self._start(f"w{number}"))
        while self._heap and self._heap[0][0] <= self.end:
            at, _, what = heapq.heappop(self._heap)
            self.world.now = max(self.world.now, at)
            self._go(what)
        world = self.world
        found = violations(world, self.told, self._shown(), self.tolerance)
        self._let_go()
        return Told(
            world.seed, found, world.operations, world.points, world.kills, world.faults, world.trace.hexdigest()
        )

    def _let_go(self) -> None:
        """A worker that stands still for ever keeps its whole history in memory: no collector sees into its frames."""
        for _, _, what in self._heap:
            if isinstance(what, greenlet):
                what.throw()
        self._heap.clear()
        self._store.close()

    def _shown(self) -> Shown:
        """What the operator's commands show at the end."""
        with self._store.read() as tx:
            refused = outbox.in_state(tx, State.REFUSED)
            long_ago = self.end + self.world.skew - LATE
            pending = [each for each in outbox.in_state(tx, *deliveries.PENDING) if each.created_at < long_ago]
            return Shown(
                aside=tuple(progress.quarantined(tx)),
                refused=frozenset(each.intent.account_id for each in refused),
                failed=frozenset(self.failed),
                pending=tuple(f"{each.intent.kind.value} of {each.intent.account_id}" for each in pending),
            )

    def _calm(self) -> None:
        self.world.calm = True

    def _go(self, what: object) -> None:
        if not isinstance(what, greenlet):
            what()
            return
        if self.world.asleep_until > self.world.now:
            self.later(self.world.asleep_until - self.world.now, what)
            return
        try:
            asked = what.switch()
        except Killed:
            self.later(timedelta(seconds=self.world.dice.randint(5, 90)), lambda: self._start("again"))
            return
        if asked is not None and not what.dead:
            self.later(asked[1], what)

    def _start(self, name: str) -> None:
        unique = f"{name}:{next(self._count)}"
        self.later(timedelta(0), greenlet(lambda: self._work(unique)))

    def _work(self, name: str) -> None:
        ports = SimPorts(self.world, name)
        store = Store(self._store.engine, ports)
        crm = Crm(ConnectorName("crm"), FakeCrm(self.world), mapping())
        outlets = (
            Outlet("slack", Channel.SLACK, FakeChannel(self.world, mail=False), ("#escalations",)),
            Outlet("email", Channel.EMAIL, FakeChannel(self.world, mail=True)),
        )
        cycle = Cycle((crm,), outlets, store, ports, policy(), Words(), renderer(), self.reading, self.patience)
        while True:
            with contextlib.suppress(StoreError):
                for each in cycle.run().crms.values():
                    self.failed = {account for account, _ in each.decided.failed}
            ports.sleep(self.world.dice.randint(*self.pace))


def _minutes(world: World, first: int, last: int) -> timedelta:
    return timedelta(minutes=world.dice.randint(first, last))


def _targets_go_down(history: History) -> None:
    """The chat for an hour, the CRM for half of one."""
    world = history.world
    for target, minutes in (("chat", 60), ("crm", 30)):
        if world.dice.random() < 0.25:
            after = _minutes(world, 5, 40)
            world.down[target] = START
            history.later(
                after,
                lambda target=target, until=START + after + timedelta(minutes=minutes): world.down.update(
                    {target: until}
                ),
            )


def _disk_fills(history: History) -> None:
    world = history.world
    if world.dice.random() < 0.2:
        span = _minutes(world, 3, 20)
        history.later(_minutes(world, 5, 70), lambda: world.disk_full.append((world.now, world.now + span)))


def _clocks_are_wrong(history: History) -> None:
    """The workers' clock is some seconds off, or jumps by an hour and perhaps back."""
    world = history.world
    kind = world.dice.random()
    if kind < 0.2:
        world.skew = timedelta(seconds=world.dice.randint(-120, 120))
        history.tolerance = timedelta(minutes=2)
    elif kind < 0.4:
        jumps = [timedelta(hours=world.dice.choice((-1, 1))), world.dice.choice((timedelta(0), timedelta(minutes=30)))]
        history.tolerance = timedelta(minutes=61)
        for after, skew in zip((_minutes(world, 5, 30), _minutes(world, 31, 50)), jumps, strict=True):
            history.later(after, lambda skew=skew: setattr(world, "skew", skew))


def _machine_sleeps(history: History) -> None:
    """Both workers are suspended through several steps of the response clock."""
    world = history.world
    if world.dice.random() < 0.15:
        span = timedelta(minutes=world.dice.randint(100, 280))
        history.hours += span / timedelta(hours=1)
        world.slept = True
        history.later(_minutes(world, 20, 70), lambda: setattr(world, "asleep_until", world.now + span))


def _import_goes_wrong(history: History) -> None:
    """A bulk import turns many accounts red at once: the brake must hold them until somebody takes it back."""
    world = history.world
    if world.dice.random() < 0.15:
        keys = [f"I{number}" for number in range(IMPORTED)]
        world.page_size = 100
        history.told = {**history.told, **dict.fromkeys(keys, "imported")}
        opening(world, keys)
        history.later(_minutes(world, 10, 60), lambda: stories.import_nonsense(history, keys))


NEMESIS = (_targets_go_down, _disk_fills, _clocks_are_wrong, _machine_sleeps, _import_goes_wrong)


def history_of(seed: int, odds: Odds | None = None, *, hours: float = HOURS) -> History:
    """The history that a seed means."""
    world = World(seed, odds or Odds())
    world.exactly_once = world.dice.random() < 0.25
    world.grouped = world.dice.random() < 0.4
    world.page_size = world.dice.choice((2, 4, 30))
    history = History(world, stories.cast(world), hours)
    if world.dice.random() < 0.3:
        history.reading = Reading(overlap=timedelta(minutes=6), sweep_every=timedelta(minutes=50))
    for trouble in NEMESIS:
        trouble(history)
    stories.tell(history, history.told, 2, 50)
    return history


def run_seed(seed: int) -> Told:
    """One history with faults, kills and people."""
    return history_of(seed).run()
