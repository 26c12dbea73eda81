"""The world that a worker meets in the simulation: records, people, faults, and clocks that obey one seed.

It knows nothing of the worker's store: what the checker reads is only what happened out here.
"""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from weakref import WeakKeyDictionary

from greenlet import getcurrent, greenlet
from sqlalchemy.exc import OperationalError

from connectors.base import CreateNote, CreateTask
from connectors.notifier import Message

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)
FLAVOURS = ("before", "after", "hang", "garbage", "busy")
FREEZING = ("claimed", "send:before", "send:after")
"""Where a worker that is frozen hurts most: it holds what others may take over meanwhile."""


class Killed(BaseException):
    """kill -9."""


@dataclass(slots=True)
class Record:
    """One version of a record: when it was changed, when that becomes visible, and what it says."""

    stamp: datetime
    visible_at: datetime
    fields: dict[str, object]
    rows: dict[object, object] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Odds:
    """How often what goes wrong: for each operation, each named point, each item of a batch."""

    fault: float = 0.12
    kill: float = 0.009
    pause: float = 0.002
    freeze: float = 0.02
    late_commit: float = 0.15
    item: float = 0.04


NOTHING_WRONG = Odds(0.0, 0.0, 0.0, 0.0, 0.0, 0.0)


@dataclass
class World:
    """Everything outside the worker."""

    seed: int
    odds: Odds = field(default_factory=Odds)
    nth: int | None = None
    flavour: str = ""
    calm: bool = False
    exactly_once: bool = False
    grouped: bool = False
    page_size: int = 4

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.now = START
        self.skew = timedelta(0)
        """How far the workers' wall clocks are ahead of the world's."""
        self.asleep_until = START
        """The workers' machine is suspended until then."""
        self.slept = False
        self.disk_full: list[tuple[datetime, datetime]] = []
        self.down: dict[str, datetime] = {}
        """Targets that answer nothing, and until when."""
        self.records: dict[str, dict[str, list[Record]]] = defaultdict(dict)
        self.locked: set[str] = set()
        self.armed: dict[str, Callable[[], None]] = {}
        """What a person will do in the very moment in which an account is written."""
        self.said: dict[str, datetime] = {}
        self.read: dict[str, datetime] = {}
        """When a worker first had read a record: the page that brought it is stored, by whoever asked for it."""
        self._fetched: WeakKeyDictionary[greenlet, list[str]] = WeakKeyDictionary()
        self.notes: list[CreateNote] = []
        self.tasks: list[CreateTask] = []
        self.posts: list[tuple[datetime, Message]] = []
        self.mails: list[tuple[datetime, Message]] = []
        self.flag_writes: list[tuple[datetime, str, dict[str, object]]] = []
        self.written_by_worker: Counter[str] = Counter()
        self.effects: list[datetime] = []
        self.impatient = 0
        self.operations = self.points = self.kills = self.faults = self.mails_in_doubt = 0
        self._asked_to_wait: dict[tuple[object, str], datetime] = {}
        self._arrived: dict[str, datetime] = {}
        self.trace = hashlib.blake2b(digest_size=16)

    def put(self, kind: str, key: str, lag: timedelta | None = None, **fields: object) -> None:
        """A change by a person or a customer; it may become visible later than its stamp says."""
        if lag is None:
            late = self.dice.random() < self.odds.late_commit
            lag = timedelta(seconds=self.dice.randint(1, 60)) if late else timedelta(0)
        past = self.records[kind].setdefault(key, [])
        before = past[-1].fields if past else {}
        same_moment = self.dice.random() < self.odds.late_commit and past and past[-1].stamp == self.now
        stamp = self.now if not past or same_moment else max(self.now, past[-1].stamp + timedelta(microseconds=1))
        past.append(Record(stamp, stamp + lag, {**before, **fields}))

    def shown(self, kind: str, key: str) -> Record | None:
        """The newest version that can be seen now."""
        for record in reversed(self.records[kind].get(key, ())):
            if record.visible_at <= self.now:
                return record
        return None

    def fetch(self, key: str) -> None:
        """The worker that runs now is given a record; it may yet be frozen or killed before it has stored it."""
        self._fetched.setdefault(getcurrent(), []).append(key)

    def news(self, account: str, record: str) -> bool:
        """Whether no worker had read this record when a person spoke about the account."""
        said = self.said.get(account)
        return said is not None and self.read.get(record, self.now) > said

    def truth(self, key: str) -> dict[str, object]:
        """What the CRM really says of an account."""
        return self.records["account"][key][-1].fields

    def meddle(self, key: str) -> None:
        """The person who waits for this very moment edits the account that is being written."""
        if not self.calm and key in self.armed:
            self.armed.pop(key)()

    def wait(self, span: timedelta) -> None:
        """Time passes for the worker that runs now."""
        getcurrent().parent.switch(("step", span))

    def operate(self, target: str, name: str) -> str:
        """One operation of a worker: time passes, perhaps something goes wrong. Returns the flavour of the fault."""
        self.operations += 1
        draw = self.dice.random()
        self._record(name, draw)
        own = self.operations
        self.impatient += self._asked_to_wait.pop((getcurrent(), target), self.now) > self.now
        self.wait(timedelta(milliseconds=self.dice.randint(5, 400)))
        if self.nth is not None:
            return self.flavour if own == self.nth else ""
        if self.down.get(target, self.now) > self.now:
            return "before"
        if self.calm or draw >= self.odds.kill + self.odds.fault:
            return ""
        if draw < self.odds.kill:
            return "kill"
        self.faults += 1
        return self.dice.choice(FLAVOURS)

    def ask_to_wait(self, target: str, seconds: int) -> timedelta:
        """The target wants to be left alone by this worker for a while."""
        self._asked_to_wait[getcurrent(), target] = self.now + timedelta(seconds=seconds)
        return timedelta(seconds=seconds)

    def reach(self, point: str) -> None:
        """A named point of the worker's path: it may be killed or frozen there, or find the disk full."""
        self.points += 1
        if point == "tx:after":
            for key in self._fetched.pop(getcurrent(), ()):
                self.read.setdefault(key, self.now)
        if self.nth is not None:
            if self.flavour == "point" and self.points == self.nth:
                self.kill()
            return
        if point == "tx:inside" and self.disk_full and self.disk_full[-1][1] > self.now:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("database or disk is full"))
        if self.calm:
            return
        draw = self.dice.random()
        self._record(point, draw)
        if draw < self.odds.kill / 3:
            self.kill()
        freezes = self.odds.freeze if point in FREEZING else self.odds.pause
        if point != "tx:inside" and draw > 1 - freezes:
            self.wait(timedelta(seconds=self.dice.randint(30, 600)))

    def arrive(self, key: str, lag: int) -> None:
        """Something came in; a look-up sees it up to `lag` seconds later."""
        self._arrived.setdefault(key, self.now + timedelta(seconds=self.dice.randint(0, lag)))

    def is_there(self, key: str) -> bool:
        """Whether this key ever came in."""
        return key in self._arrived

    def findable(self, keys: Sequence[str]) -> Mapping[str, str]:
        """What a look-up finds now."""
        return {key: key for key in keys if key in self._arrived and self._arrived[key] <= self.now}

    def kill(self) -> None:
        """The process is gone, here and now."""
        self.kills += 1
        raise Killed

    def _record(self, name: str, draw: float) -> None:
        self.trace.update(f"{name}{draw}".encode())
