"""The connector to one Salesforce org: the protocol of connectors.base over reading, writing and checking."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from connectors.base import Capabilities, FieldNeed, Finding, Page, Query, R, Row, Write, WriteResult
from connectors.crm.salesforce.bulk import BulkReader
from connectors.crm.salesforce.checking import Checker, to_deploy
from connectors.crm.salesforce.client import Client
from connectors.crm.salesforce.keys import KeyFinder
from connectors.crm.salesforce.options import Options
from connectors.crm.salesforce.reading import Reader
from connectors.crm.salesforce.schema import Schema
from connectors.crm.salesforce.writing import Writer
from connectors.quota import Quota

_CAPABILITIES = Capabilities(
    batch_size=450,  # flag, note and task of 150 accounts: one look, two calls of graphs, one of tasks
    exactly_once=True,
    conditional=True,
    finds=True,
    grouped=True,
    records=True,
    settle=timedelta(seconds=10),  # what it wrote itself it reads at once
    overlap=timedelta(0),
    late_overlap=timedelta(minutes=20),
    late_every=timedelta(minutes=10),
)


class SalesforceConnector:
    """Reads and writes one org. `clock`, `now` and `sleep` are for tests."""

    def __init__(
        self,
        options: Options,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._client = Client(options, clock, now)
        schema = Schema(self._client, clock)
        self._keys = KeyFinder(self._client, schema)
        self._reader = Reader(self._client, schema, BulkReader(self._client, schema, sleep))
        self._writer = Writer(self._client, schema, self._keys)
        self._checker = Checker(self._client, schema)

    def __repr__(self) -> str:
        return f"SalesforceConnector({self._client.options.host})"

    def capabilities(self) -> Capabilities:
        """Notes once by a unique external id; flag and notes of an account together or not at all."""
        return _CAPABILITIES

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Sign-in, clock, calls left, fields and permissions, keys; what the org's formulas hide."""
        return self._checker.check(needs)

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:  # noqa: ARG002
        """Makes nothing: its user may not change metadata. Names what an administrator must deploy."""
        return to_deploy(self._checker.check(needs), self._client.options.host)

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """The first pull asks for all of them in one call."""
        self._reader.announce(queries)

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Pages in the order of (stamp, id)."""
        return self._reader.pull(query)

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """Each account's flag and notes as one graph; tasks after them."""
        return self._writer.write(batch)

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:  # noqa: ARG002
        """Keys of notes and tasks with the ids of their records."""
        return self._keys.find(keys)

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:  # noqa: ARG002
        """How often each key is there."""
        return self._keys.count(keys)

    def quota(self) -> Quota:
        """The org's API calls of 24 hours, of all who use it. The period rolls: nothing resets at once."""
        return self._client.budget.quota()

    def close(self) -> None:
        """Let go of the connections; may be called twice."""
        self._client.close()
