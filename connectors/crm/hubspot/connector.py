"""The connector to HubSpot: reads companies, tickets and disputes, writes flags, notes and tasks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta

from connectors.base import Capabilities, FieldNeed, Finding, Page, Query, R, Row, Write, WriteResult
from connectors.crm.hubspot.activities import Activities
from connectors.crm.hubspot.batches import MOST_INPUTS
from connectors.crm.hubspot.client import Client
from connectors.crm.hubspot.inspection import inspect
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.reading import SEARCH_PAGE, Reader
from connectors.crm.hubspot.setup import Setup
from connectors.crm.hubspot.updates import Updater
from connectors.crm.hubspot.writing import Writer
from connectors.quota import Quota

_INDEX_LAG = timedelta(seconds=60)
"""How long a search may show a record as it was; HubSpot says moments, others saw half a minute."""

_CAPABILITIES = Capabilities(
    batch_size=3 * MOST_INPUTS,  # flag, note and task of a hundred accounts: one call each
    page_size=SEARCH_PAGE,
    conditional=True,
    finds=True,
    grouped=True,
    lookup_lag=timedelta(seconds=30),
    settle=_INDEX_LAG,
    overlap=timedelta(seconds=120),
    late_overlap=timedelta(hours=2),
    late_every=timedelta(hours=1),
)


class HubSpotConnector:
    """One HubSpot account."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._portal = Portal(client)
        self._activities = Activities(client, self._portal)
        self._reader = Reader(client, self._portal)
        self._writer = Writer(client, Updater(client, self._portal), self._activities)

    def __repr__(self) -> str:
        return f"HubSpotConnector({self._client!r})"

    def capabilities(self) -> Capabilities:
        """Flags are compared just before they are written; notes and tasks can be found again by their key."""
        return _CAPABILITIES

    def check(self, needs: Sequence[FieldNeed]) -> Sequence[Finding]:
        """Credential, scopes, properties, owners, list, and what HubSpot's documents leave open. Reads only."""
        return inspect(self._client, self._portal, needs)

    def setup(self, needs: Sequence[FieldNeed], *, dry_run: bool) -> Sequence[Finding]:
        """Make the property group, the properties and the list that are missing. Needs the setup key."""
        return Setup(self._client, self._portal).run(needs, dry_run=dry_run)

    def announce(self, queries: Sequence[Query[Row]]) -> None:
        """Nothing is gained: HubSpot answers one query a call."""

    def pull(self, query: Query[R]) -> Iterator[Page[R]]:
        """Pages of rows."""
        return self._reader.pull(query)

    def write(self, batch: Sequence[Write]) -> Sequence[WriteResult]:
        """One result an item; writes of one account in their order."""
        with self._client.from_reserve():
            return self._writer.write(batch)

    def find(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, str]:
        """Keys of notes and tasks that exist."""
        with self._client.from_reserve():
            return self._activities.find(keys, accounts)

    def count(self, keys: Sequence[str], accounts: Sequence[str] = ()) -> Mapping[str, int]:
        """How often each key is there."""
        return self._activities.count(keys, accounts)

    def quota(self) -> Quota:
        """The portal's calls of the day, of all its apps, until midnight in the portal's zone."""
        return self._client.pace.quota()

    def close(self) -> None:
        """Let go of the connections; may be called twice."""
        self._client.close()
