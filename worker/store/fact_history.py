"""Every stored version of a record, which is what a policy is held against; and those from before the worker's time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import Connection, func, select

from worker.core.model import AccountId, ConnectorName, RecordKind
from worker.store.codec import instant, micros
from worker.store.facts import (
    OF_ACCOUNT,
    OF_CONNECTOR,
    OF_KIND,
    SEEN,
    THE_ACCOUNT,
    THE_CRM,
    Fact,
    Version,
    add_versions,
    fact_of,
)
from worker.store.schema import fact
from worker.store.statements import listed

# Asked as one, or in their order in time, SQLite would read every fact of the CRM.
_OF_ITSELF = select(*SEEN).where(OF_CONNECTOR, THE_ACCOUNT).order_by(fact.c.seq)
_EVER_ATTACHED = select(*SEEN).where(OF_CONNECTOR, OF_ACCOUNT, fact.c.kind != "account").order_by(fact.c.seq)
_WHOLE_PAST = select(*SEEN).where(OF_CONNECTOR).order_by(fact.c.kind, fact.c.record_id, fact.c.seq)
_with_bug = fact.alias("with_bug")
_BUG_PAST = (
    select(*SEEN)
    .where(
        OF_CONNECTOR,
        fact.c.kind == "case",
        fact.c.record_id.in_(
            select(_with_bug.c.record_id).where(
                _with_bug.c.crm == THE_CRM, _with_bug.c.kind == "case", _with_bug.c.bug_key.is_not(None)
            )
        ),
    )
    .order_by(fact.c.kind, fact.c.record_id, fact.c.seq)
)
_OLDEST = (
    select(fact.c.record_id, func.min(fact.c.seq))
    .where(OF_KIND, listed(fact.c.record_id, "ids"))
    .group_by(fact.c.record_id)
)
_FIRST_SEEN = select(func.min(fact.c.seen_at)).where(OF_CONNECTOR, fact.c.kind == "account").group_by(fact.c.record_id)


def prepend(
    tx: Connection, connector: ConnectorName, kind: RecordKind, versions: Iterable[tuple[Version, datetime]]
) -> None:
    """Add versions from before the worker's time, each with the time from which it counts."""
    add_versions(tx, connector, kind, ((each, micros(at)) for each, at in versions))


def of_account(tx: Connection, connector: ConnectorName, account_id: AccountId) -> list[Fact]:
    """Every stored version of the account and of what ever belonged to it, oldest first."""
    wanted = {"connector": connector, "account_id": account_id}
    found = [fact_of(row) for asked in (_OF_ITSELF, _EVER_ATTACHED) for row in tx.execute(asked, wanted)]
    return sorted(found, key=lambda each: (each.seen_at, each.kind.value, each.record_id))


def whole_past(tx: Connection, connector: ConnectorName) -> Iterator[Fact]:
    """Every stored version of every record, record by record, oldest version first. Read lazily."""
    return (fact_of(row) for row in tx.execute(_WHOLE_PAST, {"connector": connector}))


def bug_past(tx: Connection, connector: ConnectorName) -> Iterator[Fact]:
    """The same of the cases that ever were on a bug, for which accounts each bug hit and when."""
    return (fact_of(row) for row in tx.execute(_BUG_PAST, {"connector": connector}))


def oldest(tx: Connection, connector: ConnectorName, kind: RecordKind, ids: Sequence[str]) -> dict[str, int]:
    """The number of the oldest stored version of each of these records that is known at all."""
    wanted = {"connector": connector, "kind": kind.value, "ids": ids}
    return {row[0]: row[1] for row in tx.execute(_OLDEST, wanted)}


def accounts_first_seen(tx: Connection, connector: ConnectorName) -> list[datetime]:
    """When each account was first read."""
    return [instant(row[0]) for row in tx.execute(_FIRST_SEEN, {"connector": connector})]
