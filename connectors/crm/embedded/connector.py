"""The connector to the embedded CRM: pages decoded in one step, each write in a transaction of its own."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

import msgspec

from connectors.base import (
    BadRow,
    Capabilities,
    ConnectorError,
    CreateNote,
    CreateTask,
    Cursor,
    FieldNeed,
    Finding,
    Page,
    Query,
    R,
    Result,
    Row,
    Severity,
    UpdateRecord,
    Value,
    Write,
    WriteResult,
)
from connectors.crm.embedded.database import EmbeddedCrm, in_words, micros, moment, plain

_REFERENCES = ("owner", "manager")
_Row = tuple[int, str, str, str | None, str | None]
"""Stamp, id, body, and whom the record names as owner and manager."""
_CAPABILITIES = Capabilities(
    batch_size=200,
    exactly_once=True,
    conditional=True,
    finds=True,
    settle=timedelta(seconds=5),
    states_every=timedelta(minutes=10),  # nothing is calculated here: every change moves the stamp
)


class EmbeddedConnector:
    """Reads and writes one EmbeddedCrm."""

    def __init__(self, crm: EmbeddedCrm) -> None:
        self.crm = crm

    def capabilities(self) -> Capabilities:
        """Notes and tasks once by key, flags by compare-and-set."""
        return _CAPABILITIES

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Whether the file opens and has the fields."""
        try:
            return [self._checked(need) for need in needs] or [Finding(Severity.OK, str(self.crm.path), "opens")]
        except ConnectorError as error:
            return [Finding(Severity.ERROR, str(self.crm.path), str(error), error.remedy)]

    def _checked(self, need: FieldNeed) -> Finding:
        name = f"{need.object_name}.{need.field_name}"
        if self._has(need):
            return Finding(Severity.OK, name, f"there, for {need.core_name}")
        severity = Severity.ERROR if need.required or need.write else Severity.WARNING
        return Finding(severity, name, f"is not there; {need.core_name} needs it", "run `setup`")

    def _has(self, need: FieldNeed) -> bool:
        prefix, dot, rest = need.field_name.partition(".")
        if dot and prefix in _REFERENCES:
            return rest in self.crm.fields_of("user")
        return need.field_name in self.crm.fields_of(need.object_name)

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:
        """Add the fields that are missing."""
        missing = [need for need in needs if not self._has(need)]
        if not dry_run:
            for need in missing:
                self.crm.add_fields(need.object_name, [need.field_name])
        verb = "would be made" if dry_run else "made"
        made = [Finding(Severity.OK, f"{need.object_name}.{need.field_name}", verb) for need in missing]
        return made or [Finding(Severity.OK, str(self.crm.path), "has everything")]

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """Nothing is gained by asking several things at once of a file."""

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Pages in the order of (stamp, id), or by id for the other kinds of query."""
        people = self._people(query)
        decoder = msgspec.json.Decoder(list[query.shape], float_hook=Decimal)  # type: ignore[name-defined]  # a type made at run time
        for rows in self._pages(query):
            decoded, bad = _decoded(decoder, query.shape, rows, _expanded(rows, people))
            yield Page(decoded, Cursor(moment(rows[-1][0]), rows[-1][1]), bad)

    def past(self, query: Query[R]) -> Iterator[Page[R]]:
        """Old versions, record by record."""
        people = self._people(query)
        decoder = msgspec.json.Decoder(list[query.shape], float_hook=Decimal)  # type: ignore[name-defined]  # a type made at run time
        with self.crm.errors():
            found = self.crm.connection().execute(
                "SELECT stamp, id, body, json_extract(body, '$.owner_id'), json_extract(body, '$.manager_id') "
                "FROM past WHERE object = ? ORDER BY id, stamp",
                (query.object_name,),
            )
            while rows := found.fetchmany(query.page_size):
                decoded, bad = _decoded(decoder, query.shape, rows, _expanded(rows, people))
                yield Page(decoded, None, bad)

    def _pages(self, query: Query[R]) -> Iterator[list[_Row]]:
        if query.ids is not None:
            yield from self._by_ids(query, list(query.ids))
            return
        condition, given = _condition(query)
        stamp, after, sign = 0, "", ">="
        if query.since is not None:
            stamp, after = micros(query.since.stamp), query.since.record_id
        statement = (
            "SELECT stamp, id, body, owner_id, manager_id FROM record WHERE object = ? AND (stamp, id) {sign} (?, ?)"  # noqa: S608
            + condition
            + " ORDER BY stamp, id LIMIT ?"
        )
        while True:
            with self.crm.errors():
                rows = (
                    self.crm.connection()
                    .execute(statement.format(sign=sign), (query.object_name, stamp, after, *given, query.page_size))
                    .fetchall()
                )
            if not rows:
                return
            yield rows
            if len(rows) < query.page_size:
                return
            stamp, after, sign = rows[-1][0], rows[-1][1], ">"

    def _by_ids(self, query: Query[R], ids: list[str]) -> Iterator[list[_Row]]:
        for start in range(0, len(ids), query.page_size):
            wanted = msgspec.json.encode(ids[start : start + query.page_size]).decode()
            with self.crm.errors():
                rows = (
                    self.crm.connection()
                    .execute(
                        "SELECT stamp, id, body, owner_id, manager_id FROM record WHERE object = ? "
                        "AND id IN (SELECT value FROM json_each(?)) ORDER BY stamp, id",
                        (query.object_name, wanted),
                    )
                    .fetchall()
                )
            if rows:
                yield rows

    def _people(self, query: Query[R]) -> dict[str, dict[str | None, str]]:
        """For each reference that the shape wants expanded, each user's fields as a piece of JSON."""
        dotted = [name for name in query.shape.__struct_encode_fields__ if "." in name]
        wanted = {prefix: [name for name in dotted if name.startswith(f"{prefix}.")] for prefix in _REFERENCES}
        if not dotted:
            return {}
        users = {user.id: user.fields for user in self.crm.all("user")}
        return {
            prefix: {key: _piece(names, fields) for key, fields in users.items()}
            for prefix, names in wanted.items()
            if names
        }

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Each in a transaction of its own, so that one refusal leaves the others alone."""
        return [self._write(each) for each in batch]

    def _write(self, item: Write) -> WriteResult:
        match item:
            case UpdateRecord():
                return self._update(item)
            case CreateNote():
                return self._create(
                    "INSERT INTO note (key, account_id, title, body, at) VALUES (?, ?, ?, ?, ?) "
                    "ON CONFLICT (key) DO NOTHING RETURNING id",
                    (item.key, item.account_id, item.title, item.body, micros(item.at)),
                    item,
                )
            case CreateTask():
                return self._create(
                    "INSERT INTO task (key, account_id, assignee_id, subject, body, due_at, at) "
                    "VALUES (?, ?, ?, ?, ?, ?, strftime('%s') * 1000000) ON CONFLICT (key) DO NOTHING RETURNING id",
                    (item.key, item.account_id, item.assignee_id, item.subject, item.body, micros(item.due_at)),
                    item,
                )

    def _update(self, item: UpdateRecord) -> WriteResult:
        unknown = sorted(set(item.values) - self.crm.fields_of(item.object_name))
        if unknown:
            return WriteResult(Result.REJECTED, reason=f"no such field: {', '.join(unknown)}", remedy="run `setup`")
        with self.crm.writing() as tx:
            row = tx.execute(
                "SELECT body FROM record WHERE object = ? AND id = ?", (item.object_name, item.record_id)
            ).fetchone()
            if row is None:
                reason = f"{item.object_name} {item.record_id} is not there"
                return WriteResult(Result.REJECTED, reason=reason, remedy="was it deleted or merged?")
            present = msgspec.json.decode(row[0], type=dict[str, object])
            differs = _difference(present, item)
            if differs:
                return WriteResult(Result.CONFLICT, reason=f"changed meanwhile: {', '.join(differs)}")
            self.crm.put_within(tx, item.object_name, item.record_id, item.values)
        return WriteResult(Result.APPLIED, item.record_id)

    def _create(self, statement: str, values: tuple[object, ...], item: CreateNote | CreateTask) -> WriteResult:
        table = "note" if isinstance(item, CreateNote) else "task"
        with self.crm.writing() as tx:
            there = tx.execute(
                "SELECT 1 FROM record WHERE object = 'account' AND id = ?", (item.account_id,)
            ).fetchone()
            if there is None:
                return WriteResult(Result.REJECTED, reason=f"account {item.account_id} is not there")
            row = tx.execute(statement, values).fetchone()
            if row is not None:
                return WriteResult(Result.APPLIED, str(row[0]))
            found = tx.execute(f"SELECT id FROM {table} WHERE key = ?", (item.key,)).fetchone()  # noqa: S608  constant
            return WriteResult(Result.ALREADY_APPLIED, str(found[0]))

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:  # noqa: ARG002
        """Keys of notes and tasks with their ids."""
        return {key: record_id for table in ("note", "task") for key, record_id in self._keyed(table, keys)}

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:  # noqa: ARG002
        """How often each key is there; the file allows once."""
        found = [key for table in ("note", "task") for key, _ in self._keyed(table, keys)]
        return {key: found.count(key) for key in keys}

    def _keyed(self, table: str, keys: Sequence[str]) -> list[tuple[str, str]]:
        statement = f"SELECT key, id FROM {table} WHERE key IN (SELECT value FROM json_each(?))"  # noqa: S608  constant
        with self.crm.errors():
            rows = self.crm.connection().execute(statement, (msgspec.json.encode(list(keys)).decode(),)).fetchall()
        return [(row[0], str(row[1])) for row in rows]

    def close(self) -> None:
        """Close the file."""
        self.crm.close()


def _difference(present: Mapping[str, object], item: UpdateRecord) -> list[str]:
    """The expected fields whose present value is another; empty, missing and false are the same."""
    expected = item.expect or {}
    return [name for name, value in expected.items() if (present.get(name) or None) != (plain(value) or None)]


def _condition(query: Query[R]) -> tuple[str, list[object]]:
    if not query.where:
        return "", []
    alternatives = [_alternative(where) for where in query.where]
    given = [value for _, values in alternatives for value in values]
    return f" AND ({' OR '.join(f'({part})' for part, _ in alternatives)})", given


def _alternative(where: Mapping[str, Sequence[Value]]) -> tuple[str, list[object]]:
    parts: list[str] = []
    given: list[object] = []
    for name, values in where.items():
        path = f"json_extract(body, '$.{name}')"
        if not all(each.isalnum() or each == "_" for each in name):
            raise sqlite3.OperationalError(f"no such column: {name}")
        words = [value for value in in_words(values) if value is not None]
        empty = f" OR {path} IS NULL" if None in values else ""
        parts.append(f"({path} IN ({', '.join('?' * len(words))}){empty})")
        given.extend(words)
    return " AND ".join(parts), given


def _piece(names: Sequence[str], fields: Mapping[str, object]) -> str:
    values = {name: fields.get(name.partition(".")[2]) for name in names}
    return f",{msgspec.json.encode(values).decode()[1:-1]}"


def _expanded(rows: Sequence[_Row], people: dict[str, dict[str | None, str]]) -> list[str]:
    """The documents with the fields of the users that they name. They are written compactly, by this package."""
    if not people:
        return [row[2] for row in rows]
    owners, managers = (people.get(prefix, {}).get for prefix in _REFERENCES)
    return [f"{row[2][:-1]}{owners(row[3], '')}{managers(row[4], '')}}}" for row in rows]


def _decoded(
    decoder: msgspec.json.Decoder[list[R]], shape: type[R], rows: Sequence[_Row], bodies: Sequence[str]
) -> tuple[list[R], list[BadRow]]:
    """The page in one step; only when that fails row by row, so that one bad row is told from the good ones."""
    try:
        return decoder.decode(f"[{','.join(bodies)}]"), []
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        pass
    one = msgspec.json.Decoder(shape, float_hook=Decimal)
    good: list[R] = []
    bad: list[BadRow] = []
    for row, body in zip(rows, bodies, strict=True):
        try:
            good.append(one.decode(body))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            bad.append(BadRow(row[1], f"not a record: {error}", row[2][:2000]))
    return good, bad
