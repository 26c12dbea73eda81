"""Looks up what is there of the worker's notes and tasks, by key."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from connectors.crm.salesforce import soql
from connectors.crm.salesforce.client import Client
from connectors.crm.salesforce.ids import is_key
from connectors.crm.salesforce.lookup import Lookup, in_parts, looked_up
from connectors.crm.salesforce.schema import Schema


class KeyFinder:
    """Finds keys in one org. SOQL sees what is committed at once: there is no lag to wait for."""

    def __init__(self, client: Client, schema: Schema) -> None:
        self._client, self._schema = client, schema

    def find(self, keys: Sequence[str]) -> dict[str, str]:
        """Keys that are there, with the ids of their records. Raises a ConnectorError when it cannot look."""
        return dict(self._found(keys))

    def count(self, keys: Sequence[str]) -> dict[str, int]:
        """How often each key is there."""
        found = [key for key, _ in self._found(keys)]
        return {key: found.count(key) for key in keys}

    def _found(self, keys: Sequence[str]) -> Iterator[tuple[str, str]]:
        usable = list(dict.fromkeys(key for key in keys if is_key(key)))
        places = self._places()
        if not places:
            return
        for some in in_parts(usable):
            lookups = [Lookup(soql.select(("Id", field), name, [soql.one_of(field, some)])) for name, field in places]
            _, answers = looked_up(self._client, lookups, "looking up keys")
            for (_, field), rows in zip(places, answers, strict=True):
                yield from ((str(row.get(field)), str(row.get("Id"))) for row in rows)

    def _places(self) -> list[tuple[str, str]]:
        options = self._client.options
        both = ((options.note, options.key), ("Task", options.task_key))
        return [(name, field) for name, field in both if self._schema.field(name, field) is not None]
