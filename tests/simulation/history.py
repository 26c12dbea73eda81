"""One seed, one history: two real workers in greenlets on a virtual clock, and the world around them."""

from __future__ import annotations

import contextlib
import heapq
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from greenlet import greenlet

from tests.simulation.checker import violations
from tests.simulation.world import START, FakeChannel, FakeCrm, Killed, World, opening
from worker.core.model import Case, Channel, ConnectorName, Person, Role, TextHit, UserId
from worker.core.policy import Brakes, Policy
from worker.cycle import Cycle
from worker.deliver import Patience
from worker.mapping import CrmMapping, load_mapping
from worker.pull import Reading
from worker.render import Renderer
from worker.store.database import Store, StoreBusyError, open_store
from worker.wiring import Crm, Outlet

CONFIG = Path(__file__).parent.parent.parent / "config"
HOURS = 3.2
CALM = 0.7
STORIES = ("quiet", "red", "dispute", "legal", "untick", "false_alarm", "acknowledge", "worse", "poison", "late")


class SimPorts:
    """Time and chance of one worker in one world."""

    def __init__(self, world: World, name: str) -> None:
        self._world = world
        self._name = name

    def now(self) -> datetime:
        return self._world.now

    def monotonic(self) -> float:
        return (self._world.now - START).total_seconds()

    def sleep(self, seconds: float) -> None:
        greenlet.getcurrent().parent.switch(("step", timedelta(seconds=max(0.001, seconds))))

    def draw(self) -> float:
        return self._world.dice.random()

    def worker_id(self) -> str:
        return self._name

    def at(self, point: str) -> None:
        self._world.reach(point)


class NoWords:
    """No phrases: the simulation's evidence is structured."""

    def hits(self, case: Case) -> tuple[TextHit, ...]:
        return ()


@cache
def mapping() -> CrmMapping:
    return load_mapping(CONFIG / "mappings" / "embedded.yaml")


@cache
def renderer() -> Renderer:
    return Renderer(CONFIG / "templates", "en")


def policy() -> Policy:
    people = {
        role: Person(UserId(role.value), role.value, f"{role.value}@example.com")
        for role in (Role.VP_CS, Role.CEO, Role.CFO, Role.CTO)
    }
    return Policy("sim", people=people, brakes=Brakes(first_run_asks=False, most_new=1000))


@dataclass
class Told:
    """What a history came to."""

    seed: int
    violations: list[str]
    operations: int
    kills: int
    faults: int
    trace: str


class History:
    """Runs one seed."""

    def __init__(self, world: World, workers: int = 2, patience: Patience | None = None) -> None:
        self.world = world
        self.workers = workers
        self.patience = patience or Patience()
        self.reading = Reading(overlap=timedelta(minutes=5), sweep_every=timedelta(hours=2))
        self._heap: list[tuple[datetime, int, object]] = []
        self._count = itertools.count()
        self._engine = open_store("sqlite://", SimPorts(world, "opening")).engine

    def later(self, at: datetime, what: greenlet | Callable[[], None]) -> None:
        heapq.heappush(self._heap, (at, next(self._count), what))

    def run(self, hours: float = HOURS) -> Told:
        end = START + timedelta(hours=hours)
        self.later(START + (end - START) * CALM, self._calm)
        for number in range(self.workers):
            self.later(START + timedelta(seconds=number), lambda number=number: self._start(f"w{number}"))
        while self._heap and self._heap[0][0] <= end:
            at, _, what = heapq.heappop(self._heap)
            self.world.now = max(self.world.now, at)
            self._go(what)
        self._engine.dispose()
        world = self.world
        return Told(world.seed, violations(self), world.operations, world.kills, world.faults, world.trace.hexdigest())

    def _calm(self) -> None:
        self.world.calm = True

    def _go(self, what: object) -> None:
        if not isinstance(what, greenlet):
            what()
            return
        try:
            asked = what.switch()
        except Killed:
            self.later(self.world.now + timedelta(seconds=self.world.dice.randint(5, 90)), lambda: self._start("again"))
            return
        if asked is not None and not what.dead:
            self.later(self.world.now + asked[1], what)

    def _start(self, name: str) -> None:
        unique = f"{name}:{next(self._count)}"
        self.later(self.world.now, greenlet(lambda: self._work(unique)))

    def _work(self, name: str) -> None:
        ports = SimPorts(self.world, name)
        store = Store(self._engine, ports)
        crm = Crm(ConnectorName("crm"), FakeCrm(self.world), mapping())
        outlets = (
            Outlet("slack", Channel.SLACK, FakeChannel(self.world, mail=False), ("#escalations",)),
            Outlet("email", Channel.EMAIL, FakeChannel(self.world, mail=True)),
        )
        cycle = Cycle((crm,), outlets, store, ports, policy(), NoWords(), renderer(), self.reading, self.patience)
        while True:
            with contextlib.suppress(StoreBusyError):
                cycle.run()
            ports.sleep(150)


def tell_stories(history: History, accounts: int = 10) -> dict[str, str]:
    """What happens to each account, and when; one story an account."""
    world = history.world
    opening(world, accounts)
    stories: dict[str, str] = {}
    for number in range(accounts):
        key = f"A{number}"
        stories[key] = STORIES[number % len(STORIES)]
        at = START + timedelta(minutes=world.dice.randint(2, 70))
        _tell(history, stories[key], key, at)
    world.stories = stories
    return stories


def _tell(history: History, story: str, key: str, at: datetime) -> None:
    world = history.world
    red = lambda: world.put("account", key, health="Red", health_score=20)  # noqa: E731
    match story:
        case "quiet":
            history.later(at, lambda: world.put("account", key, city="Bandung"))
        case "red" | "late":
            history.later(at, red)
        case "dispute":
            history.later(at, lambda: _dispute(world, key))
        case "legal":
            history.later(at, lambda: _legal(world, key))
        case "untick":
            world.wants_no.add(key)
            history.later(at, red)
            history.later(at + timedelta(minutes=25), lambda: _untick(history, key))
        case "false_alarm" | "acknowledge":
            wish = "false_alarm" if story == "false_alarm" else "acknowledged"
            history.later(at, red)
            history.later(at + timedelta(minutes=15), lambda: _say(history, key, wish))
        case "worse":
            history.later(at, lambda: world.put("account", key, health="Yellow", health_score=55))
            history.later(at + timedelta(minutes=30), lambda: _legal(world, key))
        case "poison":
            history.later(at, lambda: world.put("account", key, health="Red", arr="not a number"))


def _dispute(world: World, key: str) -> None:
    fields = {"account_id": key, "amount": "25000000", "currency": "IDR", "status": "Open"}
    world.put("dispute", f"D-{key}", **fields, opened_at=world.now.isoformat())


def _legal(world: World, key: str) -> None:
    fields = {"account_id": key, "subject": "Somasi", "category": "Legal", "status": "Open"}
    world.put("case", f"C-{key}", **fields, opened_at=world.now.isoformat())


def _untick(history: History, key: str) -> None:
    """A person takes the flag away once it is there."""
    world = history.world
    if key in world.unticked:
        return
    if world.truth(key).get("escalated"):
        world.put("account", key, escalated=False)
        world.unticked[key] = world.now
    else:
        history.later(world.now + timedelta(minutes=3), lambda: _untick(history, key))


def _say(history: History, key: str, wish: str) -> None:
    """A person says it in the override field, once the account is flagged."""
    world = history.world
    if world.truth(key).get("escalated"):
        world.put("account", key, override=wish)
        world.said[key] = world.now
    else:
        history.later(world.now + timedelta(minutes=3), lambda: _say(history, key, wish))


def run_seed(seed: int, hours: float = HOURS) -> Told:
    """One history with faults, kills and people."""
    history = History(World(seed))
    tell_stories(history)
    return history.run(hours)
