"""What the workers write to: a CRM, a chat channel and a mail relay, with the manners of real ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import msgspec

from connectors.base import (
    BadRow,
    Capabilities,
    CreateNote,
    CreateTask,
    Cursor,
    FieldNeed,
    Finding,
    Page,
    Query,
    R,
    Result,
    RetryableError,
    Row,
    UpdateRecord,
    Write,
    WriteResult,
)
from connectors.notifier import Message, Posting
from tests.simulation.world import Record, World

CRM_LAG = 20
CHAT_LAG = 10
BROKEN = "broken"
"""The field of a record that cannot be decoded."""
GONE = "gone"
"""The field of a record that was deleted: no query finds it, no trace of it is left."""


def strike_before(world: World, target: str, flavour: str) -> None:
    """A fault that keeps the operation from happening, or a kill before it does."""
    if flavour == "kill" and world.dice.random() < 0.5:
        world.kill()
    if flavour == "before":
        raise RetryableError("connection refused")
    if flavour == "busy":
        raise RetryableError("too many requests", after=world.ask_to_wait(target, 5))
    if flavour == "hang":
        world.wait(timedelta(seconds=world.dice.randint(5, 25)))
        if world.dice.random() < 0.5:
            raise TimeoutError("the total deadline is over")


def strike_after(world: World, flavour: str) -> None:
    """A fault that keeps the answer from arriving."""
    if flavour == "kill":
        world.kill()
    if flavour in ("after", "hang"):
        raise ConnectionResetError("the answer was lost")


class FakeCrm:
    """A CRM behind the connector's protocol.

    In three of four worlds its notes are not unique by key: only the worker's care keeps them single.
    """

    def __init__(self, world: World) -> None:
        self._world = world

    def capabilities(self) -> Capabilities:
        return Capabilities(
            batch_size=10,
            page_size=self._world.page_size,
            exactly_once=self._world.exactly_once,
            conditional=True,
            finds=True,
            lookup_lag=timedelta(seconds=CRM_LAG),
            settle=timedelta(seconds=90),
            grouped=self._world.grouped,
            overlap=timedelta(minutes=1),
            late_overlap=timedelta(minutes=6),
            late_every=timedelta(minutes=3),
        )

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        return []

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:
        return []

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        pass

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        self._reading(f"pull {query.kind}")
        rows = sorted(self._visible(query), key=lambda row: (row[0].stamp, row[1]))
        for start in range(0, len(rows), self._world.page_size):
            if start:
                self._reading("page")
            for _, key in rows[start : start + self._world.page_size]:
                self._world.fetch(key)
            yield _page(query, rows[start : start + self._world.page_size])

    def _reading(self, name: str) -> None:
        flavour = self._world.operate("crm", name)
        if flavour == "kill":
            self._world.kill()
        if flavour == "busy":
            raise RetryableError("too many requests", after=timedelta(seconds=5))
        strike_before(self._world, "crm", flavour)
        if flavour == "garbage":
            raise KeyError("results")
        if flavour in ("after", "hang"):
            raise RetryableError("the answer was lost")

    def _visible(self, query: Query[R]) -> Iterator[tuple[Record, str]]:
        for key in self._world.records[query.object_name]:
            record = self._world.shown(query.object_name, key)
            if record is None or record.fields.get(GONE) or (query.ids is not None and key not in query.ids):
                continue
            if query.since is not None and record.stamp < query.since.stamp:
                continue
            if not query.where or any(_holds(record, where) for where in query.where):
                yield record, key

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        flavour = self._world.operate("crm", "write")
        strike_before(self._world, "crm", flavour)
        results = self._in_order(batch) if self._world.grouped else [self._write(each) for each in batch]
        strike_after(self._world, flavour)
        return results[:-1] if flavour == "garbage" else results

    def _in_order(self, batch: Sequence[Write]) -> list[WriteResult]:
        """The writes of one account in their order; where one fails, its later ones are not applied."""
        failed: set[str] = set()
        results = []
        for item in batch:
            account = item.record_id if isinstance(item, UpdateRecord) else item.account_id
            waits = WriteResult(Result.RETRY, reason="an earlier write of this account failed")
            results.append(waits if account in failed else self._write(item))
            if not results[-1].done:
                failed.add(account)
        return results

    def _write(self, item: Write) -> WriteResult:
        world = self._world
        world.effects.append(world.now)
        draw = 1.0 if world.calm or world.nth is not None else world.dice.random()
        if draw < world.odds.item / 2:
            return WriteResult(Result.RETRY, reason="row lock")
        match item:
            case CreateNote() | CreateTask():
                answer = self._create(item)
            case UpdateRecord():
                answer = self._update(item)
        return WriteResult(Result.UNKNOWN, reason="no answer for this one") if draw < world.odds.item else answer

    def _create(self, item: CreateNote | CreateTask) -> WriteResult:
        world = self._world
        if world.exactly_once and world.is_there(item.key):
            return WriteResult(Result.ALREADY_APPLIED, item.key)
        if isinstance(item, CreateNote):
            world.notes.append(item)
        else:
            world.tasks.append(item)
        world.arrive(item.key, CRM_LAG)
        return WriteResult(Result.APPLIED, item.key)

    def _update(self, item: UpdateRecord) -> WriteResult:
        world = self._world
        if world.truth(item.record_id).get(GONE):
            return WriteResult(Result.REJECTED, reason="there is no such record", remedy="nothing to do")
        if item.record_id in world.locked:
            return WriteResult(Result.REJECTED, reason="a validation rule refuses it", remedy="change the rule")
        world.meddle(item.record_id)
        present = world.truth(item.record_id)
        expect = {name: _plain(value) or None for name, value in (item.expect or {}).items()}
        if any((present.get(name) or None) != value for name, value in expect.items()):
            return WriteResult(Result.CONFLICT, reason="changed meanwhile")
        fields = {name: _plain(value) for name, value in item.values.items()}
        world.written_by_worker.update(fields.keys())
        world.flag_writes.append((world.now, item.record_id, fields))
        world.put("account", item.record_id, **fields)
        return WriteResult(Result.APPLIED, item.record_id)

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:
        self._reading("find")
        return self._world.findable(list(keys))

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:
        written = Counter(each.key for each in (*self._world.notes, *self._world.tasks))
        return {key: written[key] for key in keys}

    def close(self) -> None:
        pass


def _page(query: Query[R], rows: list[tuple[Record, str]]) -> Page[R]:
    newest, last = rows[-1]
    return Page(
        [_row(query, key, record) for record, key in rows if not record.fields.get(BROKEN)],
        Cursor(newest.stamp, last) if query.since is not None or not query.where else None,
        [BadRow(key, "line 1: no value after the colon") for record, key in rows if record.fields.get(BROKEN)],
    )


def _row(query: Query[R], key: str, record: Record) -> R:
    """Decoded once for each version, as a real connector would decode the page."""
    if query.shape not in record.rows:
        body = {**record.fields, "id": key, "modified_at": record.stamp.isoformat()}
        record.rows[query.shape] = msgspec.convert(body, query.shape)
    return record.rows[query.shape]


def _holds(record: Record, where: Mapping[str, Sequence[object]]) -> bool:
    return all(record.fields.get(name) in values for name, values in where.items())


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, datetime) else value


class FakeChannel:
    """A chat channel, which can be looked up by key, or a mail relay, which can't."""

    def __init__(self, world: World, *, mail: bool) -> None:
        self._world = world
        self._mail = mail
        self._name = "mail" if mail else "chat"

    def capabilities(self) -> Capabilities:
        return Capabilities(finds=not self._mail, threads=not self._mail, lookup_lag=timedelta(seconds=CHAT_LAG))

    def check(self) -> Sequence[Finding]:
        return []

    def send(self, message: Message) -> WriteResult:
        world = self._world
        flavour = world.operate(self._name, "send")
        if flavour == "busy":
            return WriteResult(Result.RETRY, retry_after=world.ask_to_wait(self._name, 3), for_all=True)
        strike_before(world, self._name, flavour)
        world.effects.append(world.now)
        arrived = world.mails if self._mail else world.posts
        arrived.append((world.now, message))
        if message.posting is not Posting.EDIT:
            world.arrive(message.key, CHAT_LAG)
        world.mails_in_doubt += self._mail and flavour != ""
        strike_after(world, flavour)
        if flavour == "garbage":
            raise ValueError("not JSON: <html>")
        return WriteResult(Result.APPLIED, f"ts-{len(arrived)}")

    def find(self, keys: Sequence[str], since: datetime) -> Mapping[str, str]:
        flavour = self._world.operate(self._name, "find")
        strike_before(self._world, self._name, flavour)
        strike_after(self._world, flavour)
        if flavour == "garbage":
            raise ValueError("not JSON: <html>")
        return self._world.findable(list(keys))

    def close(self) -> None:
        pass


def opening(world: World, keys: Iterable[str]) -> None:
    """Accounts that are well, before anything happens."""
    for key in keys:
        world.put(
            "account",
            key,
            **{
                "name": f"PT {key}",
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
        versions[-1] = replace(versions[-1], visible_at=versions[-1].stamp)
