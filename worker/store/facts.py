"""The mirror: what the CRM said, version by version, and which accounts a page of it touches."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import repeat
from typing import Any, NamedTuple

from sqlalchemy import Connection, and_, bindparam, exists, func, literal_column, select

from worker.core.model import AccountId, BugKey, ConnectorName, RecordKind
from worker.store.codec import instant, micros
from worker.store.kind_numbers import KIND_NUMBERS
from worker.store.schema import crm, dirty, fact
from worker.store.statements import Insert, InWords, add_rows, driver_rows, listed

_newer = fact.alias("newer")
_IS_NEWEST = ~exists().where(
    and_(
        _newer.c.crm == fact.c.crm,
        _newer.c.kind == fact.c.kind,
        _newer.c.record_id == fact.c.record_id,
        _newer.c.seq > fact.c.seq,
    )
)
_NUMBER = select(crm.c.number).where(crm.c.name == bindparam("connector"))
THE_CRM = _NUMBER.scalar_subquery()
OF_CONNECTOR = fact.c.crm == THE_CRM
OF_KIND = and_(OF_CONNECTOR, fact.c.kind == bindparam("kind"))
OF_ACCOUNT = fact.c.account_id == bindparam("account_id")
SEEN = (fact.c.kind, fact.c.record_id, fact.c.seen_at, fact.c.body, fact.c.gone)
THE_ACCOUNT = and_(fact.c.kind == "account", fact.c.record_id == bindparam("account_id"))
_KNOWN = select(
    fact.c.record_id,
    fact.c.seq,
    fact.c.account_id,
    fact.c.bug_key,
    fact.c.gone,
    fact.c.seen_at,
    fact.c.body,
).where(OF_KIND, listed(fact.c.record_id, "ids"), _IS_NEWEST)
_NEWEST_BODIES = InWords(
    # By row id: one look into the key's index a record, where the general form below takes two and a sorted list.
    sqlite="""
        SELECT fact.record_id, fact.body FROM json_each(:ids) AS asked
        CROSS JOIN fact ON fact.rowid = (
            SELECT rowid FROM fact AS version
            WHERE version.crm = (SELECT number FROM crm WHERE name = :connector)
            AND version.kind = :kind AND version.record_id = asked.value
            ORDER BY version.seq DESC LIMIT 1
        )
        WHERE fact.gone = 0
    """,
    postgresql="""
        SELECT fact.record_id, fact.body FROM fact
        WHERE fact.crm = (SELECT number FROM crm WHERE name = :connector)
        AND fact.kind = :kind AND fact.record_id = ANY (:ids) AND fact.gone = 0
        AND fact.seq = (
            SELECT max(version.seq) FROM fact AS version
            WHERE version.crm = fact.crm AND version.kind = fact.kind AND version.record_id = fact.record_id
        )
    """,
)
_ANY = select(fact.c.seq).where(OF_KIND).limit(1)
_VERSIONS = select(*SEEN).where(OF_CONNECTOR, THE_ACCOUNT).order_by(fact.c.seq.desc()).limit(bindparam("most"))
# In no order: SQLite would rather read every fact of the CRM in that order than sort an account's few.
_ATTACHED = select(*SEEN).where(OF_CONNECTOR, OF_ACCOUNT, _IS_NEWEST)
_BUGS = select(fact.c.bug_key, fact.c.account_id).where(
    OF_CONNECTOR, listed(fact.c.bug_key, "keys"), fact.c.gone == 0, _IS_NEWEST
)
_ACCOUNTS = select(fact.c.record_id).where(OF_CONNECTOR, fact.c.kind == "account").distinct().order_by(fact.c.record_id)
_ACCOUNT_COUNT = select(func.count(func.distinct(fact.c.record_id))).where(OF_CONNECTOR, fact.c.kind == "account")
_RESTED_ON = select(fact.c.kind, fact.c.record_id).where(
    OF_CONNECTOR, fact.c.gone == 0, listed(fact.c.account_id, "accounts"), _IS_NEWEST
)
_GONE_TO_DECIDE = select(fact.c.record_id).where(
    OF_CONNECTOR,
    fact.c.kind == "account",
    fact.c.gone == literal_column("1"),
    _IS_NEWEST,
    exists().where(dirty.c.connector == bindparam("connector"), dirty.c.account_id == fact.c.record_id),
)
_CASES_SINCE = select(*SEEN).where(
    OF_CONNECTOR, fact.c.kind == "case", fact.c.seen_at >= bindparam("since"), fact.c.gone == 0, _IS_NEWEST
)


_NUMBERED = Insert(crm, ("name",), lambda insert: insert.on_conflict_do_nothing())
_FIRST = (fact.c.crm, fact.c.kind, fact.c.record_id, fact.c.seen_at, fact.c.body)
_WHOLE = tuple(fact.c)


class Known(NamedTuple):
    """The newest version of a record. A tuple, since a page of changes makes one for every record.

    `seen_at` in microseconds since 1970: when the read that brought it began.
    """

    record_id: str
    seq: int
    account_id: str | None
    bug_key: str | None
    gone: bool
    seen_at: int
    body: bytes


class Version(NamedTuple):
    """One version of a record, as it shall be stored. A tuple, since a first load makes one for every record."""

    record_id: str
    seq: int
    account_id: str | None
    bug_key: str | None
    body: bytes
    gone: bool = False


@dataclass(frozen=True, slots=True)
class Fact:
    """One version of a record, as it was stored. `seen_at` is when the read that brought it began."""

    kind: RecordKind
    record_id: str
    seen_at: datetime
    body: bytes
    gone: bool


def known(tx: Connection, connector: ConnectorName, kind: RecordKind, ids: Sequence[str]) -> dict[str, Known]:
    """The newest versions of these records."""
    found = tx.execute(_KNOWN, {"connector": connector, "kind": kind.value, "ids": ids})
    return {row[0]: Known._make(row) for row in driver_rows(found)}


def unchanged(tx: Connection, connector: ConnectorName, kind: RecordKind, bodies: Mapping[str, bytes]) -> set[str]:
    """Those of these records that are there, and whose newest version has this very body, its stamp included.

    A full read finds nearly all of them so, at the cost of one look each.
    """
    found = tx.execute(
        _NEWEST_BODIES.on(tx), {"connector": connector, "kind": KIND_NUMBERS[kind], "ids": bodies.keys()}
    )
    return {record_id for record_id, body in driver_rows(found) if bodies[record_id] == body}


def empty(tx: Connection, connector: ConnectorName, kind: RecordKind) -> bool:
    """Whether nothing of this kind was ever read: a first load need not look anything up."""
    return tx.execute(_ANY, {"connector": connector, "kind": kind.value}).first() is None


def begin_with(
    tx: Connection, connector: ConnectorName, kind: RecordKind, records: Iterable[tuple[str, bytes]], seen_at: datetime
) -> None:
    """Add the first versions of records that belong to no account and are on no bug: most of a first load."""
    number, kind_number, seen = _number(tx, connector), KIND_NUMBERS[kind], micros(seen_at)
    rows = [(number, kind_number, record_id, seen, body) for record_id, body in records]
    add_rows(tx, fact, _FIRST, rows)


def append(
    tx: Connection, connector: ConnectorName, kind: RecordKind, versions: Iterable[Version], seen_at: datetime
) -> None:
    """Add versions of records; earlier ones stay as history."""
    add_versions(tx, connector, kind, zip(versions, repeat(micros(seen_at))))


def add_versions(
    tx: Connection, connector: ConnectorName, kind: RecordKind, versions: Iterable[tuple[Version, int]]
) -> None:
    """Add versions, each with when it counts from, in microseconds since 1970."""
    given = list(versions)
    if not given:
        return
    number, kind_number = _number(tx, connector), KIND_NUMBERS[kind]
    rows = [
        (number, kind_number, record_id, seq, account_id, bug_key, seen, int(gone), body)
        for (record_id, seq, account_id, bug_key, body, gone), seen in given
    ]
    add_rows(tx, fact, _WHOLE, rows)


def _number(tx: Connection, connector: ConnectorName) -> int:
    """The connector's number, which it gets with its first fact."""
    named = {"connector": connector}
    found = tx.execute(_NUMBER, named).scalar()
    if found is None:
        tx.execute(_NUMBERED.on(tx), {"name": connector})
        found = tx.execute(_NUMBER, named).scalar_one()
    return int(found)


def fact_of(row: Any) -> Fact:
    """A row of the columns in SEEN."""
    return Fact(RecordKind(row[0]), row[1], instant(row[2]), row[3], bool(row[4]))


def account_facts(tx: Connection, connector: ConnectorName, account_id: AccountId, most: int = 5) -> list[Fact]:
    """The account's last versions, the newest first; empty when it was never read."""
    wanted = {"connector": connector, "account_id": account_id, "most": most}
    return [fact_of(row) for row in tx.execute(_VERSIONS, wanted)]


def attached_facts(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[Fact]:
    """The newest versions of what belongs to the account now: cases, disputes, and accounts that were merged into it.

    By kind, the oldest record first.
    """
    wanted = {"connector": connector, "account_id": account_id}
    found = [fact_of(row) for row in tx.execute(_ATTACHED, wanted)]
    return sorted(found, key=lambda each: (each.kind.value, each.record_id))


def cases_since(tx: Connection, connector: ConnectorName, since: datetime) -> Iterator[Fact]:
    """The present state of every case that is new or has changed since. Read lazily, in no order."""
    return (fact_of(row) for row in tx.execute(_CASES_SINCE, {"connector": connector, "since": micros(since)}))


def bug_accounts(tx: Connection, connector: ConnectorName, keys: Iterable[str]) -> dict[BugKey, frozenset[AccountId]]:
    """For each bug key the distinct accounts with an open case on it, over the whole CRM."""
    wanted = sorted(set(keys))
    if not wanted:
        return {}
    found: dict[BugKey, set[AccountId]] = {BugKey(key): set() for key in wanted}
    for key, account_id in tx.execute(_BUGS, {"connector": connector, "keys": wanted}):
        if account_id is not None:
            found[BugKey(key)].add(AccountId(account_id))
    return {key: frozenset(accounts) for key, accounts in found.items()}


def account_count(tx: Connection, connector: ConnectorName) -> int:
    """How many accounts were ever read."""
    return int(tx.execute(_ACCOUNT_COUNT, {"connector": connector}).scalar_one())


def account_ids(tx: Connection, connector: ConnectorName) -> list[AccountId]:
    """Every account that was ever read, by id."""
    return [AccountId(row[0]) for row in tx.execute(_ACCOUNTS, {"connector": connector})]


def newest_by_kind(
    tx: Connection, connector: ConnectorName, accounts: Iterable[AccountId]
) -> Mapping[RecordKind, list[str]]:
    """The records, not known to be gone, that the decisions on these accounts rest on."""
    wanted = sorted(set(accounts))
    found: dict[RecordKind, list[str]] = {RecordKind.ACCOUNT: list(wanted)}
    for kind, record_id in tx.execute(_RESTED_ON, {"connector": connector, "accounts": wanted}):
        found.setdefault(RecordKind(kind), []).append(record_id)
    return found


def gone_to_decide(tx: Connection, connector: ConnectorName) -> list[AccountId]:
    """The accounts that are deleted or merged away, and marked to be decided."""
    return [AccountId(row[0]) for row in tx.execute(_GONE_TO_DECIDE, {"connector": connector})]


def mark_gone(
    tx: Connection, connector: ConnectorName, kind: RecordKind, ids: Sequence[str], seen_at: datetime
) -> list[AccountId]:
    """Record that the CRM, asked for these ids, no longer has them. Returns the accounts concerned."""
    there = [each for each in known(tx, connector, kind, ids).values() if not each.gone]
    versions = [
        Version(each.record_id, each.seq + 1, each.account_id, each.bug_key, each.body, gone=True) for each in there
    ]
    append(tx, connector, kind, versions, seen_at)
    return [AccountId(each.record_id if kind is RecordKind.ACCOUNT else each.account_id or "") for each in there]
