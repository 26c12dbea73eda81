"""The pinned note: ours while the flag stands, then what was pinned before; what a person pins meanwhile stays.

What was pinned before is kept in the company itself, so that a restart forgets nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.base import Value
from connectors.crm.hubspot.batches import Sending
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.fetching import read_all
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.rows import Record
from connectors.crm.hubspot.values import truth

PINNED = "hs_pinned_engagement_id"
OURS = "escalation_pin"
BEFORE = "escalation_former_pin"
PIN_FIELDS = (PINNED, OURS, BEFORE)


def unpinned(flag: str, values: Mapping[str, Value], record: Record) -> dict[str, str]:
    """What else to write when the flag falls: the former pin, unless a person pinned something else."""
    ours = record.properties.get(OURS)
    if not flag or not ours or flag not in values or values[flag]:
        return {}
    cleared = {OURS: "", BEFORE: ""}
    if record.properties.get(PINNED) != ours:
        return cleared
    return {**cleared, PINNED: record.properties.get(BEFORE) or ""}


def pin(client: Client, notes: Mapping[str, str], until: float) -> None:
    """Pin each company's newest note of ours (company -> note), where its flag stands and no person pinned another."""
    flag = client.options.pin_while
    companies = read_all(client, "companies", list(notes), [*PIN_FIELDS, flag])
    inputs = {each.id: _input(each, notes[each.id]) for each in companies if each.id in notes and _may_pin(each, flag)}
    if inputs:
        Sending(client, _request, lambda made: made.id, until).send(inputs)


def _request(inputs: Sequence[object]) -> Request:
    return Request(Endpoint.UPDATE, {"type": "companies"}, {"inputs": list(inputs)}, write=True)


def _may_pin(company: Record, flag: str) -> bool:
    pinned, ours = company.properties.get(PINNED), company.properties.get(OURS)
    return bool(truth(company.properties.get(flag))) and (not ours or pinned == ours)


def _input(company: Record, note: str) -> object:
    pinned, ours = company.properties.get(PINNED) or "", company.properties.get(OURS)
    before = {} if ours else {BEFORE: pinned}
    values = {PINNED: note, OURS: note, **before}
    return {"id": company.id, "properties": values, "objectWriteTraceId": f"pin-{company.id}"}
