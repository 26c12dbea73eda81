"""The world that a worker meets in the simulation: a CRM, a channel, people, faults, and a clock that obeys one seed.

It knows nothing of the worker's store: what the checker reads is only what happened out here.
"""

from __future__ import annotations

import hashlib
import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import msgspec
from greenlet import getcurrent

from connectors.base import (
    Capabilities,
    CreateNote,
    CreateTask,
    Cursor,
    Finding,
    Message,
    Page,
    Posting,
    Query,
    Result,
    RetryableError,
    UpdateRecord,
    Write,
    WriteResult,
)

START = datetime(2026, 11, 24, 0, 0, tzinfo=UTC)


class Killed(BaseException):
    """kill -9."""


@dataclass
class Record:
    """One record: when it was changed, when that becomes visible, and what it says."""

    stamp: datetime
    visible_at: datetime
    fields: dict[str, object]


@dataclass
class Odds:
    """How often what goes wrong, for each operation."""

    fault: float = 0.05
    kill: float = 0.004
    pause: float = 0.002
    late_commit: float = 0.1
    person: float = 0.25


@dataclass
class World:
    """Everything outside the worker."""

    seed: int
    odds: Odds = field(default_factory=Odds)
    calm: bool = False
    nth: int | None = None
    flavour: str = ""

    def __post_init__(self) -> None:
        self.dice = random.Random(self.seed)
        self.now = START
        self.records: dict[str, dict[str, list[Record]]] = defaultdict(dict)
        self.notes: list[CreateNote] = []
        self.tasks: list[CreateTask] = []
        self.posts: list[tuple[datetime, Message]] = []
        self.mails: list[tuple[datetime, Message]] = []
        self.flag_writes: list[tuple[datetime, str, dict[str, object]]] = []
        self.wants_no: set[str] = set()
        self.unticked: dict[str, datetime] = {}
        self.evidence: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        self.arrived: dict[str, datetime] = {}
        self.written_by_worker: Counter[str] = Counter()
        self.operations = self.kills = self.faults = self.ambiguous_mails = 0
        self.trace = hashlib.sha256()
        self.stories: dict[str, str] = {}
        self.said: dict[str, datetime] = {}

    def put(self, kind: str, key: str, **fields: object) -> None:
        """A change by a person or a customer; some commit late, with an earlier stamp than they become visible."""
        delay = (
            timedelta(seconds=self.dice.randint(1, 60)) if self.dice.random() < self.odds.late_commit else timedelta(0)
        )
        past = self.records[kind].setdefault(key, [])
        before = past[-1].fields if past else {}
        stamp = max(self.now, past[-1].stamp + timedelta(microseconds=1)) if past else self.now
        past.append(Record(stamp, stamp + delay, {**before, **fields}))

    def shown(self, kind: str, key: str) -> Record | None:
        """The newest version that can be seen now."""
        seen = [each for each in self.records[kind].get(key, []) if each.visible_at <= self.now]
        return seen[-1] if seen else None

    def meddle(self, key: str) -> None:
        """A person edits the very account that is being written."""
        fields = self.truth(key)
        if self.calm or key not in self.wants_no or key in self.unticked or not fields.get("escalated"):
            return
        if self.dice.random() < self.odds.person:
            self.put("account", key, escalated=False)
            self.unticked[key] = self.now

    def truth(self, key: str) -> dict[str, object]:
        """What the CRM really says of an account."""
        return self.records["account"][key][-1].fields

    def operate(self, name: str) -> str:
        """One operation of a worker: time passes, perhaps something goes wrong. Returns the flavour of the fault."""
        self.operations += 1
        draw = self.dice.random()
        self.trace.update(f"{self.now.isoformat()}|{name}|{draw:.9f}".encode())
        getcurrent().parent.switch(("step", timedelta(milliseconds=self.dice.randint(5, 400))))
        if self.nth is not None:
            return self.flavour if self.operations == self.nth else ""
        if self.calm:
            return ""
        if draw < self.odds.kill:
            return self._killed()
        if draw < self.odds.kill + self.odds.fault:
            self.faults += 1
            return self.dice.choice(("before", "after", "hang", "garbage", "busy"))
        return ""

    def reach(self, point: str) -> None:
        """A named point of the worker's path: it may be killed or frozen there."""
        draw = self.dice.random()
        self.trace.update(f"{self.now.isoformat()}|{point}|{draw:.9f}".encode())
        if self.calm or self.nth is not None:
            return
        if draw < self.odds.kill:
            self._killed()
        if point != "tx:inside" and draw < self.odds.kill + self.odds.pause:
            getcurrent().parent.switch(("step", timedelta(seconds=self.dice.randint(30, 600))))

    def arrive(self, key: str) -> None:
        """Something came in; it can be looked up a little later."""
        self.arrived.setdefault(key, self.now + timedelta(seconds=self.dice.randint(0, 9)))

    def findable(self, keys: Sequence[str]) -> dict[str, str]:
        """What a look-up finds now."""
        return {key: key for key in keys if key in self.arrived and self.arrived[key] <= self.now}

    def _killed(self) -> str:
        self.kills += 1
        raise Killed

    def struck(self, flavour: str, *, applied: bool) -> None:
        """Carry a fault out, before or after the effect."""
        if flavour == "kill" and applied:
            self._killed()
        if flavour == "before" and not applied:
            raise RetryableError("connection refused")
        if flavour == "busy" and not applied:
            raise RetryableError("too many requests", after=timedelta(seconds=5))
        if flavour in ("after", "hang", "garbage") and applied:
            if flavour == "hang":
                getcurrent().parent.switch(("step", timedelta(seconds=45)))
            raise ConnectionResetError("the answer was lost")


class FakeCrm:
    """A CRM behind the connector's protocol. Notes are not unique by key: only the worker's care keeps them single."""

    def __init__(self, world: World) -> None:
        self._world = world

    def capabilities(self) -> Capabilities:
        return Capabilities(
            batch_size=10,
            finds=True,
            conditional=True,
            exactly_once=False,
            lookup_lag=timedelta(seconds=20),
            settle=timedelta(seconds=90),
        )

    def check(self, needs: object) -> Sequence[Finding]:
        return []

    def setup(self, needs: object, *, dry_run: bool) -> Sequence[Finding]:
        return []

    def announce(self, queries: Sequence[Query]) -> None:
        pass

    def pull(self, query: Query) -> Iterator[Page]:
        flavour = self._world.operate(f"pull:{query.kind}")
        self._world.struck(flavour, applied=False)
        rows = sorted(self._visible(query), key=lambda row: (row[0].stamp, row[1]))
        if flavour in ("after", "hang", "garbage"):
            raise RetryableError("not understood: <html>")
        for start in range(0, len(rows), 4):
            page = rows[start : start + 4]
            decoded = [_row(query, key, record) for record, key in page]
            yield Page(decoded, Cursor(page[-1][0].stamp, page[-1][1]))
            self._world.struck(self._world.operate("page"), applied=False)

    def _visible(self, query: Query) -> Iterator[tuple[Record, str]]:
        for key in list(self._world.records[query.object_name]):
            record = self._world.shown(query.object_name, key)
            if record is None or (query.ids is not None and key not in query.ids):
                continue
            if query.since is not None and record.stamp < query.since.stamp:
                continue
            if not query.where or any(_holds(record, where) for where in query.where):
                yield record, key

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        flavour = self._world.operate("write")
        self._world.struck(flavour, applied=False)
        results = [self._write(each) for each in batch]
        self._world.struck(flavour, applied=True)
        return results

    def _write(self, item: Write) -> WriteResult:
        world = self._world
        if not world.calm and world.nth is None and world.dice.random() < 0.02:
            return WriteResult(Result.RETRY, reason="row lock")
        match item:
            case CreateNote():
                world.notes.append(item)
                world.arrive(item.key)
                return WriteResult(Result.APPLIED, str(len(world.notes)))
            case CreateTask():
                world.tasks.append(item)
                world.arrive(item.key)
                return WriteResult(Result.APPLIED, str(len(world.tasks)))
            case UpdateRecord():
                world.meddle(item.record_id)
                present = world.truth(item.record_id)
                expect = {name: _plain(value) or None for name, value in (item.expect or {}).items()}
                if any((present.get(name) or None) != value for name, value in expect.items()):
                    return WriteResult(Result.CONFLICT, reason="changed")
                fields = {name: _plain(value) for name, value in item.values.items()}
                world.written_by_worker.update(fields.keys())
                world.flag_writes.append((world.now, item.record_id, fields))
                world.put("account", item.record_id, **fields)
                return WriteResult(Result.APPLIED, item.record_id)

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:
        self._world.struck(self._world.operate("find"), applied=False)
        return self._world.findable(keys)

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:
        written = Counter(each.key for each in (*self._world.notes, *self._world.tasks))
        return {key: written[key] for key in keys}

    def close(self) -> None:
        pass


def _holds(record: Record, where: Mapping[str, Sequence[object]]) -> bool:
    return all(record.fields.get(name) in values for name, values in where.items())


def _row(query: Query, key: str, record: Record) -> object:
    body = {**record.fields, "id": key, "modified_at": record.stamp.isoformat()}
    return msgspec.convert(body, query.shape)


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


class FakeChannel:
    """A chat channel (looked up by key) or a mail relay (not)."""

    def __init__(self, world: World, *, mail: bool) -> None:
        self._world = world
        self._mail = mail

    def capabilities(self) -> Capabilities:
        return Capabilities(finds=not self._mail, threads=not self._mail, lookup_lag=timedelta(seconds=10))

    def check(self) -> Sequence[Finding]:
        return []

    def send(self, message: Message) -> WriteResult:
        world = self._world
        flavour = world.operate("mail" if self._mail else "post")
        if flavour == "busy":
            return WriteResult(Result.RETRY, retry_after=timedelta(seconds=3))
        world.struck(flavour, applied=False)
        arrived = world.mails if self._mail else world.posts
        if message.posting is not Posting.EDIT:
            arrived.append((world.now, message))
            world.arrive(message.key)
        world.ambiguous_mails += self._mail and flavour in ("after", "hang", "garbage", "kill")
        world.struck(flavour, applied=True)
        return WriteResult(Result.APPLIED, f"ts-{len(arrived)}")

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
        self._world.struck(self._world.operate("find message"), applied=False)
        return self._world.findable(keys)

    def close(self) -> None:
        pass


def opening(world: World, accounts: int) -> None:
    """Accounts that are well, before anything happens."""
    for number in range(accounts):
        world.put(
            "account",
            f"A{number}",
            **{
                "name": f"PT {number}",
                "owner_id": "dewi",
                "owner.name": "Dewi",
                "owner.email": "dewi@example.com",
                "manager_id": "ratna",
                "manager.name": "Ratna",
                "manager.email": "ratna@example.com",
                "health": "Green",
                "tier": "standard",
            },
        )
    for versions in world.records["account"].values():
        versions[-1] = replace(versions[-1], visible_at=START)
