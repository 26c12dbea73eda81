"""Turns records into rows: owners, stages, companies and contacts filled in, merged-away records told as gone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Generic

import msgspec

from connectors.base import BadRow, Query, R
from connectors.crm.hubspot.anchor import is_anchor
from connectors.crm.hubspot.client import Client
from connectors.crm.hubspot.fetching import read_all
from connectors.crm.hubspot.links import linked, plural
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.rows import MERGED_INTO, Record, Wanted, merged_ids


class Merger(Generic[R]):
    """Makes the rows of one query."""

    def __init__(self, client: Client, portal: Portal, query: Query[R], plan: Wanted[R]) -> None:
        self._client = client
        self._portal = portal
        self._query = query
        self._plan = plan
        self._only = client.options.narrowed(query.kind, query.object_name)
        self._changes = query.since is not None

    def rows(self, records: Sequence[Record]) -> tuple[list[R], list[BadRow]]:
        """Rows, and records whose values do not fit the mapping's shape."""
        good: list[R] = []
        bad: list[BadRow] = []
        ours = list({each.id: each for each in records if not is_anchor(each)}.values())
        merged = self._merged(ours)
        for record in ours:
            if not self._counts(record) and not self._changes:
                continue
            try:
                good.append(self._plan.row(merged[record.id]))
                good.extend(self._gone(record))
            except msgspec.ValidationError as error:
                bad.append(BadRow(record.id, f"does not fit the mapping: {error}", str(record.properties)[:2000]))
        return good, bad

    def _counts(self, record: Record) -> bool:
        """Whether a record is of this kind, where the options narrow it. One that is no more is told as deleted."""
        return all(record.properties.get(name) in values for name, values in self._only.items())

    def _gone(self, record: Record) -> Iterator[R]:
        """Records that were merged into this one exist no more under their own ids.

        HubSpot makes a new record of two, with an id of its own: both of them are told as gone.
        """
        if self._changes or self._query.ids is not None:
            for key in merged_ids(record):
                yield self._plan.row({**self._own(key, record, gone=True), MERGED_INTO: record.id})

    def _own(self, key: str, record: Record, *, gone: bool) -> dict[str, object]:
        modified = record.properties.get(self._plan.modified_name) or record.updated_at
        return {self._plan.id_name: key, self._plan.modified_name: modified, self._plan.deleted_name: gone}

    def _merged(self, records: Sequence[Record]) -> Mapping[str, dict[str, object]]:
        values: dict[str, dict[str, object]] = {}
        for record in records:
            gone = record.archived or not self._counts(record)
            values[record.id] = {**record.properties, **self._own(record.id, record, gone=gone)}
        self._add_owners(values)
        self._add_stages(values)
        self._add_links(values)
        return values

    def _add_owners(self, values: Mapping[str, dict[str, object]]) -> None:
        if not self._plan.owners:
            return
        sources = {each.source for each in self._plan.owners}
        named = [str(row[source]) for row in values.values() for source in sources if row.get(source)]
        owners = self._portal.owners(named) if named else {}
        for row in values.values():
            for each in self._plan.owners:
                owner = owners.get(str(row.get(each.source) or ""))
                if owner is not None:
                    parts = {"name": owner.name, "email": owner.email, "active": not owner.archived}
                    row[each.name] = parts[each.part]

    def _add_stages(self, values: Mapping[str, dict[str, object]]) -> None:
        if not self._plan.stages or not values:
            return
        stages = self._portal.stages(self._query.object_name)
        for row in values.values():
            for each in self._plan.stages:
                row[each.name] = stages.get(str(row.get(each.source) or ""), {}).get(each.part)

    def _add_links(self, values: Mapping[str, dict[str, object]]) -> None:
        for target, properties in self._plan.targets.items() if values else ():
            found = linked(self._client, self._query.object_name, target, list(values))
            first = {key: to[0] for key, to in found.items()}
            others = self._others(target, list(first.values()), properties) if properties else {}
            for each in self._plan.links:
                if each.source == target:
                    self._fill(values, each.name, each.part, first, others)

    def _fill(
        self,
        values: Mapping[str, dict[str, object]],
        name: str,
        part: str,
        first: Mapping[str, str],
        others: Mapping[str, Mapping[str, str | None]],
    ) -> None:
        for key, row in values.items():
            linked_to = first.get(key)
            row[name] = others.get(linked_to or "", {}).get(part) if part else linked_to

    def _others(
        self, target: str, ids: Sequence[str], properties: Sequence[str]
    ) -> Mapping[str, Mapping[str, str | None]]:
        return {each.id: each.properties for each in read_all(self._client, plural(target), ids, properties)}
