"""The file behind the embedded CRM: records as JSON documents with custom fields, their past, notes and tasks.

Stamps are the CRM's own clock in microseconds UTC and never go back. Notes and tasks have a unique key, so that the
same key twice makes one, whatever the caller does. Errors come as ConnectorError with a remedy.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from connectors.base import FatalError, RetryableError, Value

OBJECTS = ("account", "case", "dispute", "user")
_BUSY_SECONDS = 15
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_encoder = msgspec.json.Encoder()

_SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  object TEXT NOT NULL, id TEXT NOT NULL, stamp INTEGER NOT NULL, body TEXT NOT NULL,
  owner_id TEXT GENERATED ALWAYS AS (json_extract(body, '$.owner_id')) STORED,
  manager_id TEXT GENERATED ALWAYS AS (json_extract(body, '$.manager_id')) STORED,
  PRIMARY KEY (object, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS record_stamp ON record (object, stamp, id);
CREATE INDEX IF NOT EXISTS record_account ON record (object, json_extract(body, '$.account_id'))
  WHERE object IN ('case', 'dispute');
CREATE INDEX IF NOT EXISTS record_state ON record (json_extract(body, '$.escalated'), json_extract(body, '$.health'))
  WHERE object = 'account';
CREATE TABLE IF NOT EXISTS past (
  object TEXT NOT NULL, id TEXT NOT NULL, stamp INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY (object, id, stamp)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS note (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, title TEXT NOT NULL, body TEXT NOT NULL,
  at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS note_account ON note (account_id, at);
CREATE TABLE IF NOT EXISTS task (
  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE, account_id TEXT NOT NULL, assignee_id TEXT NOT NULL,
  subject TEXT NOT NULL, body TEXT NOT NULL, due_at INTEGER NOT NULL, at INTEGER NOT NULL
);
CREATE INDEX IF NOT EXISTS task_account ON task (account_id, at);
CREATE TABLE IF NOT EXISTS field (object TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (object, name)) WITHOUT ROWID;
"""
_PUT = "INSERT OR REPLACE INTO record (object, id, stamp, body) VALUES (?, ?, ?, ?)"
_OLDER_FILE = """
ALTER TABLE record RENAME TO record_before;
DROP INDEX IF EXISTS record_stamp; DROP INDEX IF EXISTS record_account; DROP INDEX IF EXISTS record_state;
"""
_REFILL = """
INSERT INTO record (object, id, stamp, body) SELECT object, id, stamp, body FROM record_before;
DROP TABLE record_before;
"""
"""A file of an earlier release, whose records do not keep their references apart, is made over when it is opened."""

STANDARD_FIELDS: Mapping[str, tuple[str, ...]] = {
    "account": (
        *("name", "owner_id", "manager_id", "arr", "arr_currency", "health", "health_score", "health_as_of", "tier"),
        *("renewal_on", "churned_on", "churn_signals", "language", "parent_id", "merged_into", "industry", "city"),
    ),
    "case": (
        *("account_id", "subject", "text", "author", "channel", "category", "priority", "status", "reporter"),
        *("reporter_title", "bug_key", "product", "amount", "amount_currency", "opened_at", "closed_at"),
    ),
    "dispute": ("account_id", "amount", "currency", "status", "reason", "opened_at"),
    "user": ("name", "email", "active", "title"),
}


def micros(moment: datetime) -> int:
    """An aware time as microseconds since 1970 UTC."""
    return (moment - _EPOCH) // timedelta(microseconds=1)


def moment(value: int) -> datetime:
    """Microseconds since 1970 as aware UTC."""
    return _EPOCH + timedelta(microseconds=value)


@dataclass(frozen=True, slots=True)
class Stored:
    """One record of the CRM."""

    object_name: str
    id: str
    modified_at: datetime
    fields: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Note:
    """A note on an account's page."""

    key: str
    account_id: str
    title: str
    body: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Task:
    """A task for one person."""

    key: str
    account_id: str
    assignee_id: str
    subject: str
    body: str
    due_at: datetime


class UnknownFieldError(ValueError):
    """A field that the object does not have."""


class EmbeddedCrm:
    """One CRM file. `now` is the CRM's own clock."""

    def __init__(self, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self.path = path
        self._now = now
        self._connection: sqlite3.Connection | None = None

    @classmethod
    def create(cls, path: Path, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> EmbeddedCrm:
        """Make the file, or open the one that is there; adds the standard fields."""
        crm = cls(path, now)
        path.parent.mkdir(parents=True, exist_ok=True)
        with crm.errors():
            connection = crm._open()
            older = crm._is_older(connection)
            script = f"{_OLDER_FILE}{_SCHEMA}{_REFILL}" if older else _SCHEMA
            connection.executescript(f"BEGIN IMMEDIATE;{script}COMMIT;")
        with crm.writing() as tx:
            rows = [(name, field) for name, fields in STANDARD_FIELDS.items() for field in fields]
            tx.executemany("INSERT OR IGNORE INTO field VALUES (?, ?)", rows)
        return crm

    @staticmethod
    def _is_older(connection: sqlite3.Connection) -> bool:
        columns = {row[1] for row in connection.execute("PRAGMA table_xinfo(record)")}
        return bool(columns) and "owner_id" not in columns

    def _open(self) -> sqlite3.Connection:
        if self._connection is None:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
            connection.execute("PRAGMA journal_mode=WAL").close()
            connection.execute("PRAGMA synchronous=FULL").close()
            self._connection = connection
        return self._connection

    def connection(self) -> sqlite3.Connection:
        """The open file. Raises FatalError when it is not there."""
        if self._connection is None and not self.path.exists():
            raise FatalError(f"the CRM file {self.path} is not there", "make it with `crm import` or `demo`")
        return self._open()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn the database's errors into ones that say what to do."""
        try:
            yield
        except sqlite3.OperationalError as error:
            said = str(error).lower()
            if "locked" in said or "busy" in said:
                raise RetryableError(f"the CRM file {self.path} is locked by another program") from error
            if "full" in said:
                raise RetryableError(f"the disk of the CRM file {self.path} is full", "free some space") from error
            raise FatalError(
                f"the CRM file {self.path} cannot be used: {error}", "check its path and rights"
            ) from error
        except sqlite3.DatabaseError as error:
            raise FatalError(
                f"the CRM file {self.path} is damaged or not a database: {error}", "restore it from a backup"
            ) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """A transaction that may write."""
        with self.errors():
            tx = self.connection()
            tx.execute("BEGIN IMMEDIATE")
            try:
                yield tx
            except BaseException:
                tx.execute("ROLLBACK")
                raise
            tx.execute("COMMIT")

    def stamp(self, tx: sqlite3.Connection, object_name: str) -> int:
        """The next stamp of an object: the clock, or just after the newest one when the clock went back."""
        newest = tx.execute("SELECT max(stamp) FROM record WHERE object = ?", (object_name,)).fetchone()[0] or 0
        return max(micros(self._now()), newest + 1)

    def fields_of(self, object_name: str) -> frozenset[str]:
        """The fields that an object has."""
        with self.errors():
            rows = self.connection().execute("SELECT name FROM field WHERE object = ?", (object_name,))
            return frozenset(row[0] for row in rows)

    def add_fields(self, object_name: str, names: Iterable[str]) -> None:
        """Give an object more fields."""
        with self.writing() as tx:
            tx.executemany("INSERT OR IGNORE INTO field VALUES (?, ?)", [(object_name, name) for name in names])

    def put(self, object_name: str, record_id: str, fields: Mapping[str, Value]) -> Stored:
        """Set fields of one record, making it if needed; None clears one. Raises UnknownFieldError."""
        self._check_fields(object_name, fields)
        with self.writing() as tx:
            return self.put_within(tx, object_name, record_id, fields)

    def _check_fields(self, object_name: str, fields: Iterable[str]) -> None:
        known = self.fields_of(object_name)
        unknown = sorted(set(fields) - known)
        if unknown:
            raise UnknownFieldError(
                f"{object_name} has no field {', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )

    def put_within(
        self, tx: sqlite3.Connection, object_name: str, record_id: str, fields: Mapping[str, Value]
    ) -> Stored:
        """The same inside a transaction."""
        before = tx.execute(
            "SELECT stamp, body FROM record WHERE object = ? AND id = ?", (object_name, record_id)
        ).fetchone()
        present: dict[str, object] = msgspec.json.decode(before[1]) if before else {}
        merged = {**present, **{name: plain(value) for name, value in fields.items()}}
        if before:
            if merged == present:
                return Stored(object_name, record_id, moment(before[0]), present)
            tx.execute("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?)", (object_name, record_id, *before))
        stamp = self.stamp(tx, object_name)
        tx.execute(_PUT, document(object_name, record_id, stamp, merged))
        return Stored(object_name, record_id, moment(stamp), merged)

    def load(
        self,
        records: Iterable[tuple[str, str, datetime, Mapping[str, Value]]],
        past: Iterable[tuple[str, str, datetime, Mapping[str, Value]]] = (),
    ) -> int:
        """Fill the file with many records (object, id, modified, fields) and old versions at once. Returns how many."""
        rows = (document(name, key, micros(at), fields) for name, key, at, fields in records)
        old = (document(name, key, micros(at), fields) for name, key, at, fields in past)
        with self.writing() as tx:
            tx.executemany("INSERT OR REPLACE INTO past VALUES (?, ?, ?, ?)", old)
            return tx.executemany(_PUT, rows).rowcount

    def get(self, object_name: str, record_id: str) -> Stored | None:
        """One record."""
        with self.errors():
            row = (
                self.connection()
                .execute("SELECT id, stamp, body FROM record WHERE object = ? AND id = ?", (object_name, record_id))
                .fetchone()
            )
        return None if row is None else Stored(object_name, row[0], moment(row[1]), msgspec.json.decode(row[2]))

    def all(self, object_name: str, account_id: str | None = None) -> list[Stored]:
        """Every record of an object, or of one account, by id."""
        query, given = "SELECT id, stamp, body FROM record WHERE object = ?", [object_name]
        if account_id is not None:
            query += " AND json_extract(body, '$.account_id') = ?"
            given.append(account_id)
        with self.errors():
            rows = self.connection().execute(f"{query} ORDER BY id", given).fetchall()
        return [Stored(object_name, row[0], moment(row[1]), msgspec.json.decode(row[2])) for row in rows]

    def history(self, object_name: str, record_id: str) -> list[Stored]:
        """Old versions of a record, oldest first."""
        with self.errors():
            rows = self.connection().execute(
                "SELECT stamp, body FROM past WHERE object = ? AND id = ? ORDER BY stamp", (object_name, record_id)
            )
            return [Stored(object_name, record_id, moment(row[0]), msgspec.json.decode(row[1])) for row in rows]

    def notes(self, account_id: str | None = None) -> list[Note]:
        """Notes, of one account or all, oldest first."""
        rows = self._listed("SELECT account_id, key, title, body, at FROM note", account_id)
        return [Note(key, account, title, body, moment(at)) for account, key, title, body, at in rows]

    def tasks(self, account_id: str | None = None) -> list[Task]:
        """Tasks, of one account or all, oldest first."""
        rows = self._listed("SELECT account_id, key, assignee_id, subject, body, due_at FROM task", account_id)
        return [Task(key, account, who, subject, body, moment(due)) for account, key, who, subject, body, due in rows]

    def _listed(self, select: str, account_id: str | None) -> list[tuple[Any, ...]]:
        where = " WHERE account_id = ?" if account_id else ""
        with self.errors():
            given = (account_id,) if account_id else ()
            return self.connection().execute(f"{select}{where} ORDER BY at, id", given).fetchall()

    def close(self) -> None:
        """Close the file; may be called twice."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def document(object_name: str, record_id: str, stamp: int, fields: Mapping[str, object]) -> tuple[str, str, int, str]:
    """A record as it is stored: its id and stamp stand in the document too, first."""
    kept = {name: plain(value) for name, value in fields.items() if name not in ("id", "modified_at")}
    body = {"id": record_id, "modified_at": moment(stamp).isoformat(), **kept}
    return object_name, record_id, stamp, _encoder.encode(body).decode()


def plain(value: object) -> object:
    """A value as JSON has it: times as ISO text, numbers as text so that nothing is lost."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return str(value) if isinstance(value, Decimal) else value


def in_words(values: Sequence[Value]) -> list[object]:
    """Values as json_extract gives them."""
    return [int(value) if isinstance(value, bool) else plain(value) for value in values]
