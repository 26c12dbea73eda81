"""The anchor ticket: one ticket a company on which all our notes stand, made once by a unique property of tickets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.crm.hubspot.batches import Written, upserted
from connectors.crm.hubspot.client import Client, Request
from connectors.crm.hubspot.fetching import read_all
from connectors.crm.hubspot.paths import Endpoint
from connectors.crm.hubspot.rows import Record

ANCHOR_KEY = "escalation_anchor"
"""The property of tickets that makes an anchor unique: the company's id."""


def is_anchor(record: Record) -> bool:
    """Whether a ticket is ours, and therefore no customer's case."""
    return bool(record.properties.get(ANCHOR_KEY))


def anchors(client: Client, accounts: Sequence[str], until: float) -> Mapping[str, str]:
    """The anchor ticket of each company, made where it is missing, on the company's page."""
    options = client.options
    inputs = [
        {
            "id": account,
            "idProperty": ANCHOR_KEY,
            "objectWriteTraceId": account,
            "properties": {
                ANCHOR_KEY: account,
                "subject": "Escalation of this customer (kept by the escalation worker)",
                "hs_pipeline": options.anchor_pipeline,
                "hs_pipeline_stage": options.anchor_stage,
            },
        }
        for account in accounts
    ]
    found = {each.key(ANCHOR_KEY): each.id for each in upserted(client, "tickets", inputs, until)}
    link(client, "tickets", "companies", [(ticket, account) for account, ticket in found.items()], until)
    return found


def link(client: Client, source: str, target: str, pairs: Sequence[tuple[str, str]], until: float) -> None:
    """Put records on each other's page. Doing it twice changes nothing."""
    inputs = [{"from": {"id": one}, "to": {"id": other}} for one, other in pairs]
    request = Request(Endpoint.LINK, {"type": source, "to": target}, {"inputs": inputs}, write=True)
    client.change(request, Written, until).check()


def known_anchors(client: Client, accounts: Sequence[str]) -> Mapping[str, str]:
    """The anchor ticket of each company that has one."""
    tickets = read_all(client, "tickets", accounts, [ANCHOR_KEY], ANCHOR_KEY)
    return {str(each.properties.get(ANCHOR_KEY)): each.id for each in tickets}
