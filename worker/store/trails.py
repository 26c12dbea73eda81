"""The trail: who did what, when and why. Append-only; each line is sealed together with the account's line before it,
so that an edit, a line put in or one taken out shows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby

from sqlalchemy import Connection, Row, bindparam, insert, select

from worker.core.model import AccountId, ConnectorName, Event, Level, TrailEntry
from worker.store.codec import instant, micros
from worker.store.schema import escalation, trail

_RECORD = insert(trail)
_ALL = select(trail).where(trail.c.connector == bindparam("connector"))
_OF_ACCOUNT = trail.c.account_id == bindparam("account_id")
_TRAIL = _ALL.order_by(trail.c.id)
_TRAIL_OF_ONE = _ALL.where(_OF_ACCOUNT).order_by(trail.c.id)
_BY_ACCOUNT = select(trail).order_by(trail.c.connector, trail.c.account_id, trail.c.id)
_NEWEST = (
    select(trail.c.seal)
    .where(trail.c.connector == bindparam("connector"), _OF_ACCOUNT)
    .order_by(trail.c.id.desc())
    .limit(1)
)
_SEALED = (
    "connector",
    "account_id",
    "escalation_id",
    "event",
    "event_no",
    "at",
    "actor",
    "level",
    "because",
    "policy_version",
)


@dataclass(frozen=True, slots=True)
class TrailLine:
    """One stored line of the trail."""

    account_id: AccountId
    escalation_id: str
    entry: TrailEntry
    policy_version: str
    seal: str = ""


def record(
    tx: Connection,
    connector: ConnectorName,
    account_id: AccountId,
    escalation_id: str,
    entries: tuple[TrailEntry, ...],
    policy_version: str,
) -> None:
    """Append to the trail."""
    if not entries:
        return
    previous = tx.execute(_NEWEST, {"connector": connector, "account_id": account_id}).scalar() or ""
    rows: list[dict[str, object]] = []
    for entry in entries:
        row: dict[str, object] = {
            "connector": connector,
            "account_id": account_id,
            "escalation_id": escalation_id,
            "event": entry.event.value,
            "event_no": entry.event_no,
            "at": micros(entry.at),
            "actor": entry.actor,
            "level": None if entry.level is None else int(entry.level),
            "because": entry.because,
            "policy_version": policy_version,
        }
        seal = _seal(previous, row)
        rows.append({**row, "previous": previous, "seal": seal})
        previous = seal
    tx.execute(_RECORD, rows)


def _seal(previous: str, row: Mapping[str, object]) -> str:
    told = json.dumps([previous, *(row[name] for name in _SEALED)], ensure_ascii=False)
    return hashlib.sha256(told.encode()).hexdigest()


def trail_of(tx: Connection, connector: ConnectorName, account_id: AccountId | None = None) -> list[TrailLine]:
    """The trail, of one account or of all, in the order in which things happened."""
    wanted = {"connector": connector} if account_id is None else {"connector": connector, "account_id": account_id}
    return [_line(row) for row in tx.execute(_TRAIL if account_id is None else _TRAIL_OF_ONE, wanted)]


def _line(row: Row[tuple[object, ...]]) -> TrailLine:
    level = None if row.level is None else Level(row.level)
    entry = TrailEntry(Event(row.event), row.event_no, instant(row.at), row.actor, row.because, level)
    return TrailLine(AccountId(row.account_id), row.escalation_id, entry, row.policy_version, row.seal)


@dataclass(frozen=True, slots=True)
class Broken:
    """A place where the trail is not what was written."""

    connector: str
    account_id: str
    at: datetime
    what: str

    def __str__(self) -> str:
        return f"{self.connector} {self.account_id}, {self.at:%Y-%m-%d %H:%M} UTC: {self.what}"


def verify(tx: Connection) -> tuple[int, list[Broken]]:
    """How many lines there are, and every place where one was edited, put in or taken out.

    An account's oldest lines may be gone by retention; what is left must hang together up to the escalation's count.
    """
    rows = list(tx.execute(_BY_ACCOUNT))
    found: list[Broken] = []
    for _, lines in groupby(rows, key=lambda row: (row.connector, row.account_id)):
        found += _broken(list(lines))
    return len(rows), [*found, *_cut_off(tx, rows)]


def _broken(lines: list[Row[tuple[object, ...]]]) -> Iterator[Broken]:
    before = lines[0].previous
    for line in lines:
        if line.previous != before:
            yield _at(line, f"the line before event {line.event_no} of {line.escalation_id} was taken out or edited")
        if line.seal != _seal(line.previous, dict(line._mapping)):
            yield _at(line, f"event {line.event_no} of {line.escalation_id} was edited")
        before = line.seal


def _cut_off(tx: Connection, rows: list[Row[tuple[object, ...]]]) -> Iterator[Broken]:
    """The newest lines leave no gap behind when they go: the escalation itself says how many events it had."""
    newest = {(row.connector, row.escalation_id): row for row in rows}
    counted = select(escalation.c.connector, escalation.c.id, escalation.c.body)
    for connector, name, body in tx.execute(counted):
        line = newest.get((connector, name))
        told = int(json.loads(body).get("event_no", 0))
        if line is not None and line.event_no < told:
            yield _at(line, f"{name} had {told} events, the trail ends at event {line.event_no}")


def _at(line: Row[tuple[object, ...]], what: str) -> Broken:
    return Broken(line.connector, line.account_id, instant(line.at), what)
