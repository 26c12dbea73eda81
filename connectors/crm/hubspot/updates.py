"""Flags: what differs is written, after a look at what the record says now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Result, UpdateRecord, WriteResult
from connectors.crm.hubspot.batches import Sending
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.fetching import read_all
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.pin import PIN_FIELDS, unpinned
from connectors.crm.hubspot.portal import Portal
from connectors.crm.hubspot.rows import Record, merged_ids
from connectors.crm.hubspot.values import same, written

_MERGED = "hs_merged_object_ids"


class Updater:
    """Writes fields of records of one object."""

    def __init__(self, client: Client, portal: Portal) -> None:
        self._client = client
        self._portal = portal

    def update(self, items: Sequence[UpdateRecord], until: float) -> dict[str, WriteResult]:
        """A result by each item's key. No two items may be of one record. Raises RetryableError, FatalError."""
        results: dict[str, WriteResult] = {}
        for object_type in dict.fromkeys(item.object_name for item in items):
            ours = [item for item in items if item.object_name == object_type]
            results.update(self._of_one_type(object_type, ours, until))
        return results

    def _of_one_type(self, object_type: str, items: Sequence[UpdateRecord], until: float) -> dict[str, WriteResult]:
        results = {item.key: refused for item in items if (refused := self._impossible(item)) is not None}
        possible = [item for item in items if item.key not in results]
        present = self._present(object_type, possible)
        changes: dict[str, tuple[UpdateRecord, dict[str, str]]] = {}
        for item in possible:
            change = self._change(item, present)
            if isinstance(change, WriteResult):
                results[item.key] = change
            else:
                changes[item.record_id] = (item, change)
        return results | (self._send(object_type, changes, until) if changes else {})

    def _impossible(self, item: UpdateRecord) -> WriteResult | None:
        known = self._portal.properties(item.object_name)
        lacking = sorted(name for name in item.values if name not in known)
        fixed = sorted(name for name in item.values if name in known and known[name].read_only)
        if lacking or fixed:
            reason = f"{item.object_name} have no property {', '.join(lacking)} that can be written"
            reason = reason if lacking else f"{', '.join(fixed)} of {item.object_name} cannot be written"
            return WriteResult(Result.REJECTED, reason=reason, remedy="run `setup`, or correct the mapping")
        return None if item.record_id.isdecimal() else _absent(item)

    def _present(self, object_type: str, items: Sequence[UpdateRecord]) -> Mapping[str, Record]:
        """What the records say now, those that were merged away under their old ids too."""
        if not items:
            return {}
        names = dict.fromkeys(name for item in items for name in (*item.values, *(item.expect or {})))
        pins = PIN_FIELDS if self._client.options.pin_while else ()
        found = read_all(self._client, object_type, [item.record_id for item in items], [*names, *pins, _MERGED])
        return {**{old: each for each in found for old in merged_ids(each)}, **{each.id: each for each in found}}

    def _change(self, item: UpdateRecord, present: Mapping[str, Record]) -> dict[str, str] | WriteResult:
        record = present.get(item.record_id)
        if record is None:
            return _absent(item)
        if record.id != item.record_id:
            reason = f"{item.object_name} {item.record_id} was merged into {record.id}"
            return WriteResult(Result.REJECTED, reason=reason, remedy="nothing: the surviving record is watched itself")
        differs = [name for name, value in (item.expect or {}).items() if not same(record.properties.get(name), value)]
        if differs:
            return WriteResult(Result.CONFLICT, reason=f"changed meanwhile: {', '.join(differs)}")
        values = {n: written(v) for n, v in item.values.items() if not same(record.properties.get(n), v)}
        values |= unpinned(self._client.options.pin_while, item.values, record)
        return values or WriteResult(Result.ALREADY_APPLIED, item.record_id)

    def _send(
        self, object_type: str, changes: Mapping[str, tuple[UpdateRecord, dict[str, str]]], until: float
    ) -> dict[str, WriteResult]:
        def request(inputs: Sequence[object]) -> Request:
            return Request(Endpoint.UPDATE, {"type": object_type}, {"inputs": list(inputs)}, write=True)

        inputs: dict[str, object] = {
            record_id: {"id": record_id, "properties": values, "objectWriteTraceId": item.key}
            for record_id, (item, values) in changes.items()
        }
        traces = {record_id: item.key for record_id, (item, _) in changes.items()}
        by_id = Sending(self._client, request, lambda made: made.id, until).send(inputs, traces)
        return {changes[record_id][0].key: result for record_id, result in by_id.items()}


def _absent(item: UpdateRecord) -> WriteResult:
    reason = f"OBJECT_NOT_FOUND: {item.object_name} {item.record_id} is not there"
    return WriteResult(Result.REJECTED, reason=reason, remedy="was it archived or merged? then nothing")
